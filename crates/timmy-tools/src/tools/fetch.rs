//! A page of the open internet, as a person would read it.
//!
//! Nothing but the page itself is asked for: no picture, script or style of it, and no address that stands in it. What
//! it says is data from outside.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use encoding_rs::Encoding;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, LAST_MODIFIED, LOCATION, RETRY_AFTER};
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::Digest;
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::text;

use crate::ToolError;
use crate::tool::outcome::{Artifact, ArtifactKind, Outcome, TEXT_BYTES_MAX, head};
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec, args, plan_foreign};
use exchange::Answer;
pub use exchange::{BODY_BYTES_MAX, Internet, Network, UNPACKED_BYTES_MAX};
pub use target::{Target, URL_BYTES_MAX};

mod address;
mod exchange;
mod readable;
mod target;

/// How often one page may say that it has moved.
pub const MOVES_MAX: usize = 5;

/// How long fetching one page may take, with all its moves.
pub const FETCH_TIME_MAX: Duration = Duration::from_secs(30);

/// Bytes of a page in which its alphabet is looked for.
const ALPHABET_BYTES_MAX: usize = 1024;

/// Seconds a server may ask to be left alone.
const RETRY_SECONDS_MAX: u64 = 86_400;

/// Fetches a page.
pub struct Fetch {
    spec: ToolSpec,
    network: Arc<dyn Network>,
}

#[derive(Deserialize)]
struct Given {
    url: String,
    head_only: bool,
}

impl Fetch {
    /// Fetches over `network`.
    #[must_use]
    pub fn new(network: Arc<dyn Network>) -> Self {
        let properties = json!({
            "url": {"type": "string", "minLength": 1, "maxLength": URL_BYTES_MAX, "description": "The whole address, such as https://example.org/page."},
            "head_only": {"type": "boolean", "default": false, "description": "Whether to ask only if it is there, and what it is."},
        });
        let about = "Fetches one public page of the web and gives its title, text and links.";
        Self {
            spec: ToolSpec::new("fetch_page", RiskClass::NetworkRead, Taint::Web, about, &properties, &["url"]),
            network,
        }
    }

    fn target(&self, plan: &Plan, is_on: bool) -> Result<(Target, bool), ToolError> {
        if !is_on {
            let hint = "The owner can switch it on with fetch = true under [tools].";
            return Err(ToolError::refused(
                "fetch_off",
                "Fetching pages is switched off; nothing left this machine.",
                hint,
            ));
        }
        let given: Given = args(plan)?;
        Ok((target(&self.spec.name, &given.url)?, given.head_only))
    }
}

impl Tool for Fetch {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let mut plan = scope.plan(&self.spec, given);
            let (target, _) = self.target(&plan, scope.fetch)?;
            // The address as it will be asked, undone of its spelling, is what is approved. Nothing is looked up yet:
            // even a name that is looked up says something to somebody.
            plan.args["url"] = target.url().as_str().into();
            plan.hosts = vec![target.place()];
            Ok(plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let (target, head_only) = self.target(plan, running.fetch)?;
            if plan.hosts != [target.place()] {
                return Err(plan_foreign(plan));
            }
            fetch(&*self.network, target, head_only).await
        })
    }
}

/// Where it was read, for the owner: a list of one link (RFC 2483).
fn link(target: &Target) -> Artifact {
    let bytes = target.url().as_str().as_bytes().to_vec();
    Artifact {
        kind: ArtifactKind::Output,
        name: target.place(),
        media_type: "text/uri-list",
        sha256: Digest::of(&bytes),
        bytes,
    }
}

/// Reads `typed` as the address of a page.
///
/// # Errors
/// [`ToolError::BadArgument`] with what is wrong with it.
pub fn target(tool: &str, typed: &str) -> Result<Target, ToolError> {
    Target::parse(typed).map_err(|finding| ToolError::BadArgument {
        tool: tool.to_owned(),
        argument: "url".to_owned(),
        finding,
    })
}

/// Fetches `first`, and follows it within its site. Every step looks the name up anew, judges every address it leads
/// to, and asks at those addresses only. Dropping the future ends the connection.
///
/// # Errors
/// [`ToolError::Refused`] for addresses that are not of the open internet and for moves to another site;
/// [`ToolError::Permanent`] and [`ToolError::Transient`] for what the server says or does.
pub async fn fetch(network: &dyn Network, first: Target, head_only: bool) -> Result<Outcome, ToolError> {
    let place = first.place();
    let late = |_| {
        let message = format!("{place} did not give its page within {} seconds.", FETCH_TIME_MAX.as_secs());
        ToolError::transient("page_late", message, "Try again later.")
    };
    tokio::time::timeout(FETCH_TIME_MAX, follow(network, first, head_only)).await.map_err(late)?
}

async fn follow(network: &dyn Network, first: Target, head_only: bool) -> Result<Outcome, ToolError> {
    let (mut target, mut hosts, mut bytes_in, mut bytes_out) = (first.clone(), vec![first.place()], 0, 0);
    for _ in 0..=MOVES_MAX {
        let addresses = exchange::addresses(network, &target).await?;
        let answer = exchange::ask(network, &target, addresses, head_only).await?;
        bytes_in += answer.bytes_in;
        bytes_out += target.url().as_str().len() as u64;
        let Some(location) = moved(&answer) else {
            let told = tell(&target, answer, head_only).await?;
            return Ok(Outcome { hosts, bytes_in, bytes_out, artifacts: vec![link(&target)], ..told });
        };
        let next = target.moved(&location).map_err(|why| elsewhere(&target, &location, &why))?;
        if !first.is_same_site(&next) {
            return Err(elsewhere(&target, next.url().as_str(), "is another site, which was not planned for"));
        }
        if !hosts.contains(&next.place()) {
            hosts.push(next.place());
        }
        target = next;
    }
    let message = format!("{} moved more than {MOVES_MAX} times.", first.place());
    Err(ToolError::permanent("page_moves", message, "Give the address it ends at."))
}

/// Where the page has moved, if it has.
fn moved(answer: &Answer) -> Option<String> {
    matches!(answer.status, 301 | 302 | 303 | 307 | 308).then(|| header(&answer.headers, &LOCATION))?
}

fn elsewhere(from: &Target, location: &str, why: &str) -> ToolError {
    let to = text::cut(&text::one_line(location), 200);
    let message = format!("{} says the page has moved to {to}, which {why}; it was not asked there.", from.place());
    ToolError::refused("page_moved", message, "Plan a fetch of that address, if it is wanted.")
}

async fn tell(target: &Target, answer: Answer, head_only: bool) -> Result<Outcome, ToolError> {
    let kind = header(&answer.headers, &CONTENT_TYPE).unwrap_or_default();
    let evidence =
        vec![format!("status {} of {}", answer.status, text::cut(&text::one_line(target.url().as_str()), 300))];
    check_status(target, &answer)?;
    if head_only {
        let of = |name: &HeaderName| header(&answer.headers, name).unwrap_or_else(|| "unknown".to_owned());
        let (size, changed) = (of(&CONTENT_LENGTH), of(&LAST_MODIFIED));
        let kind = if kind.is_empty() { "unknown".to_owned() } else { kind };
        let text = format!("{} is there.\nKind: {kind}\nBytes: {size}\nLast changed: {changed}\n", target.url());
        return Ok(Outcome { text: head(&text, TEXT_BYTES_MAX).0, evidence, ..Outcome::default() });
    }
    let (url, cut) = (target.url().clone(), answer.truncated);
    let media = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(is_html) = readable_kind(&media, &answer.body) else {
        let kind =
            if media.is_empty() { "something unnamed".to_owned() } else { text::cut(&text::one_line(&media), 100) };
        let message = format!(
            "{} is {kind} of {}, which is no text.",
            target.place(),
            text::plural(answer.body.len() as u64, "byte", "bytes")
        );
        return Err(ToolError::permanent("not_text", message, "Open it in a program that knows this kind."));
    };
    let work = move || {
        let words = decode(&answer.body, &kind);
        let text = if is_html { page(&words, &url) } else { format!("{url}\n\n{words}") };
        head(&text, TEXT_BYTES_MAX)
    };
    let done = tokio::task::spawn_blocking(work).await;
    let (text, more) = done.map_err(|gone| ToolError::io("reading a page", std::io::Error::other(gone)))?;
    Ok(Outcome { text, truncated: cut || more, evidence, ..Outcome::default() })
}

/// Whether a page is HTML, or other text; `None` when it is no text.
fn readable_kind(media: &str, body: &[u8]) -> Option<bool> {
    let is_html = matches!(media, "text/html" | "application/xhtml+xml");
    let is_text = media.starts_with("text/")
        || media.ends_with("+json")
        || media.ends_with("+xml")
        || matches!(
            media,
            "application/json"
                | "application/xml"
                | "application/javascript"
                | "application/x-ndjson"
                | "application/yaml"
                | "application/toml"
        );
    let begins_as_html = || {
        let start =
            String::from_utf8_lossy(&body[..body.len().min(ALPHABET_BYTES_MAX)]).trim_start().to_ascii_lowercase();
        start.starts_with("<!doctype html") || start.starts_with("<html")
    };
    let unnamed_text = || media.is_empty() && !body.contains(&0);
    (is_html || is_text || unnamed_text()).then(|| is_html || (media.is_empty() && begins_as_html()))
}

/// The text of a body, in the alphabet that its mark, its head or the page itself names (Encoding Standard), else UTF-8.
fn decode(body: &[u8], kind: &str) -> String {
    let named = |text: &str| {
        let (_, rest) = text.split_once("charset=")?;
        let label = rest.trim_start_matches(['"', '\'']).split(['"', '\'', ';', ' ', '>', '/']).next()?;
        Encoding::for_label(label.as_bytes())
    };
    let start = || String::from_utf8_lossy(&body[..body.len().min(ALPHABET_BYTES_MAX)]).to_ascii_lowercase();
    let encoding = named(&kind.to_ascii_lowercase()).or_else(|| named(&start())).unwrap_or(encoding_rs::UTF_8);
    encoding.decode(body).0.into_owned()
}

fn page(html: &str, url: &reqwest::Url) -> String {
    let page = readable::read(html, url, TEXT_BYTES_MAX);
    let mut out = format!("{url}\n");
    // Writing into a string cannot fail.
    if !page.title.is_empty() {
        let _ = writeln!(out, "Title: {}", page.title);
    }
    let _ = writeln!(out, "\n{}", page.text);
    if !page.links.is_empty() {
        out.push_str("\nLinks:\n");
    }
    for link in &page.links {
        let _ = writeln!(out, "- {}: {}", link.words, link.url);
    }
    out
}

fn check_status(target: &Target, answer: &Answer) -> Result<(), ToolError> {
    let place = text::cut(&text::one_line(target.url().as_str()), 200);
    let status = answer.status;
    match status {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500 | 502 | 503 | 504 => Err(ToolError::Transient {
            code: "page_busy",
            message: format!("{place} answered with status {status}."),
            hint: "Try again later.".to_owned(),
            retry_seconds: header(&answer.headers, &RETRY_AFTER)
                .and_then(|v| v.parse().ok())
                .map(|s: u64| s.min(RETRY_SECONDS_MAX)),
        }),
        401 | 402 | 403 | 407 | 451 => {
            let message = format!("{place} is not open to Timmy: status {status}.");
            Err(ToolError::permanent(
                "page_closed",
                message,
                "Timmy sends no names and passwords; open it in a browser.",
            ))
        }
        404 | 410 => {
            let message = format!("There is no page at {place}: status {status}.");
            Err(ToolError::permanent("page_missing", message, "Check the address."))
        }
        _ => {
            let message = format!("{place} answered with status {status}.");
            Err(ToolError::permanent("page_refused", message, "Check the address, or open it in a browser."))
        }
    }
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(|value| text::cut(&text::one_line(value), URL_BYTES_MAX))
}

#[cfg(test)]
mod tests;
