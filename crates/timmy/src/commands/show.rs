//! `timmy show`: a page of the dashboard as Markdown.

use std::process::ExitCode;

use anyhow::Result;
use timmy_web::nav;

use super::{Global, Usage};
use crate::door::Door;
use crate::say;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    /// The page: its name, such as thoughts, or its address, such as /swarm/events?q=severity:error
    #[arg(default_value = "home")]
    page: String,
}

/// Runs the command.
///
/// # Errors
/// When there is no such page, or the door refuses.
pub async fn run(global: &Global, args: &Args) -> Result<ExitCode> {
    let Some(address) = twin(&args.page) else {
        return Err(Usage(
            "there is no such page; the side of the dashboard lists them, such as home, thoughts, events",
        )
        .into());
    };
    let door = Door::open(global).await?;
    let mut document = Vec::new();
    let taken = door
        .download(&address, |piece| {
            document.extend_from_slice(piece);
            true
        })
        .await;
    door.close().await;
    taken?;
    if global.json {
        let text = String::from_utf8_lossy(&document);
        say::line(&serde_json::json!({"page": address, "markdown": text}).to_string());
    } else {
        say::bytes(&document);
    }
    Ok(ExitCode::SUCCESS)
}

/// The Markdown twin of the page that is called so, or lies there.
fn twin(page: &str) -> Option<String> {
    let named = nav::PAGES.iter().find(|known| known.title.eq_ignore_ascii_case(page)).map(|known| known.route);
    nav::twin(named.unwrap_or(page.strip_suffix(".md").unwrap_or(page)))
}

#[cfg(test)]
mod tests {
    use super::twin;

    #[test]
    fn a_page_is_found_by_name_and_by_address() {
        let rows = [
            ("home", Some("/index.md")),
            ("Thoughts", Some("/thinking.md")),
            ("/swarm/events?q=severity:error", Some("/swarm/events.md?q=severity:error")),
            ("/talk.md", Some("/talk.md")),
            ("nowhere", None),
            ("/api/status", None),
        ];
        for (page, wanted) in rows {
            assert_eq!(twin(page).as_deref(), wanted, "{page}");
        }
    }
}
