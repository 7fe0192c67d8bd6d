//! The models of this house for other programs, in the words most of them speak: `/v1/chat/completions`,
//! `/v1/completions`, `/v1/embeddings` and `/v1/models`, as OpenAI's API has them.
//!
//! A call goes up the same ladder as Timmy's own, by the same budgets, and reflex never answers here. Whoever calls
//! chose the words, so they may go to any provider that is configured, unless the call says `X-Timmy-Local-Only: 1`.
//! That header fails closed: left out, empty, `0`, `false`, `no` and `off` leave a call open, and every other value,
//! be it no text at all, keeps the call here. `X-Timmy-Provider` says who answered.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use serde_json::{Value, json};
use timmy_domain::model::ModelRole;
use timmy_domain::problem::Kind;
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::{Answer, Call, ChatRequest, Manner};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::json as plain;
use crate::ask::{Fields, Named};
use crate::auth::Visit;
use crate::errors::Refusal;
use crate::web::Web;

mod answer;
mod budget;
mod embeddings;
mod refusal;
mod request;
mod said;
mod stream;

pub use budget::Tally;
pub use embeddings::EmbedWanted;
pub use request::{ChatWanted, TextWanted};

pub(super) use request::named;

use budget::{Meter, Read};
use refusal::Refused;

/// Calls that may be under way at once; the next one is told to wait.
pub const CALLS_MAX: usize = 16;
/// How long one call may take, in seconds, waiting for a slow model included.
pub const CALL_SECONDS_MAX: u64 = 600;
/// The word for a model that the cascade chooses.
const AUTO: &str = "auto";
/// Who answered.
const PROVIDER: HeaderName = HeaderName::from_static("x-timmy-provider");
/// Whether nothing of the call may leave this machine.
const LOCAL_ONLY: &str = "x-timmy-local-only";

/// What a handler of the gateway gives: its refusals have the shape that OpenAI's clients read.
type Given = Result<Response, Refused>;

/// The label of everything a call says.
pub struct Label(Sensitivity);

impl<S: Sync> FromRequestParts<S> for Label {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Said twice, the stricter word counts.
        let open = parts.headers.get_all(LOCAL_ONLY).iter().all(says_open);
        Ok(Self(if open { Sensitivity::Open } else { Sensitivity::LocalOnly }))
    }
}

/// Whether this value of the header lets a call leave. What cannot be understood does not.
fn says_open(value: &HeaderValue) -> bool {
    let said = value.to_str().map(|text| text.trim().to_ascii_lowercase());
    said.is_ok_and(|word| matches!(word.as_str(), "" | "0" | "false" | "no" | "off"))
}

/// A call under way: its place among the others, and its bounds.
struct Asking {
    web: Web,
    request: ChatRequest,
    call: Call,
    answering: Arc<OnceLock<String>>,
    spender: budget::Spender,
    /// Given back when the call is over.
    place: OwnedSemaphorePermit,
}

/// A place among the calls under way, and the bounds of a call.
fn bounded(web: &Web) -> Result<(OwnedSemaphorePermit, Call), Problem> {
    let place = Arc::clone(&web.gateway).try_acquire_owned().map_err(|_| {
        let text = format!("{CALLS_MAX} calls are under way already.");
        Problem::new(Kind::TooMany, "busy", text, "Ask again in a second.").retry_after(1)
    })?;
    let manner = Manner { purpose: "gateway", models_only: true, ..Manner::default() };
    let deadline = Instant::now() + Duration::from_secs(CALL_SECONDS_MAX);
    Ok((place, Call { manner, ..Call::until(deadline, CancellationToken::new()) }))
}

impl Asking {
    fn new(web: &Web, visit: &Visit, request: ChatRequest) -> Result<Self, Problem> {
        let (place, mut call) = bounded(web)?;
        let answering = Arc::new(OnceLock::new());
        call.manner.answering = Some(Arc::clone(&answering));
        let spender = budget::Spender::of(&visit.who.principal);
        Ok(Self { web: web.clone(), request, call, answering, spender, place })
    }

    /// Asks the cascade, and counts what it cost whoever asked, however it ends.
    async fn ask(self) -> Result<Answer, Problem> {
        let Self { web, request, call, spender, place: _place, .. } = self;
        let meter = Meter::begin(&web, spender, Read::Request(&request));
        let mut asking = pin!(web.app.ctx.ask("gateway", &request, &call));
        let (asked, stops) = tokio::select! {
            asked = &mut asking => (asked, false),
            () = web.stop.cancelled() => {
                // Ends at once, and says what it had given by then.
                call.cancel.cancel();
                (asking.await, true)
            }
        };
        match asked {
            Ok(answer) => {
                meter.answered(&answer).await;
                Ok(answer)
            }
            Err(error) => {
                meter.failed(&error).await;
                Err(if stops { super::chat::stops() } else { refusal::no_model(error.problem()) })
            }
        }
    }
}

fn by(mut response: Response, provider: &str) -> Response {
    if let Ok(name) = HeaderValue::from_str(provider) {
        response.headers_mut().insert(PROVIDER, name);
    }
    response
}

/// `POST /v1/chat/completions`.
pub async fn chat(
    State(web): State<Web>,
    visit: Visit,
    Label(label): Label,
    wanted: Result<Fields<ChatWanted>, Refusal>,
) -> Given {
    let Fields(wanted) = wanted?;
    let (streams, counts) = (wanted.streams(), wanted.counts());
    let request = wanted.request(label, &web)?;
    budget::check(&web, &visit.who.principal).await?;
    let asking = Asking::new(&web, &visit, request)?;
    if streams {
        return stream::given(asking, answer::Shape::Chat, counts).await;
    }
    // Dropped with the request, when the caller goes away.
    let _cancels = asking.call.cancel.clone().drop_guard();
    let (id, created) = (answer::id("chatcmpl", &web), answer::created(&web));
    let asked = asking.ask().await?;
    Ok(by(plain(&answer::chat(&id, created, &asked)), &asked.provider))
}

/// `POST /v1/completions`: a text and its continuation, for programs that know no conversation.
pub async fn complete(
    State(web): State<Web>,
    visit: Visit,
    Label(label): Label,
    wanted: Result<Fields<TextWanted>, Refusal>,
) -> Given {
    let Fields(wanted) = wanted?;
    let (streams, counts) = (wanted.streams(), wanted.counts());
    let request = wanted.request(label, &web)?;
    budget::check(&web, &visit.who.principal).await?;
    let asking = Asking::new(&web, &visit, request)?;
    if streams {
        return stream::given(asking, answer::Shape::Text, counts).await;
    }
    let _cancels = asking.call.cancel.clone().drop_guard();
    let (id, created) = (answer::id("cmpl", &web), answer::created(&web));
    let asked = asking.ask().await?;
    Ok(by(plain(&answer::text(&id, created, &asked)), &asked.provider))
}

/// `POST /v1/embeddings`.
pub async fn embed(
    State(web): State<Web>,
    visit: Visit,
    Label(label): Label,
    wanted: Result<Fields<EmbedWanted>, Refusal>,
) -> Given {
    let Fields(wanted) = wanted?;
    budget::check(&web, &visit.who.principal).await?;
    embeddings::given(&web, &visit, wanted, label).await
}

/// The models that can be asked now, each under the name of its provider, `auto`, and the roles that one has.
fn known(web: &Web) -> Vec<Value> {
    let created = web.app.ctx.started_at.unix_seconds();
    let one = |id: String, owner: &str| json!({"id": id, "object": "model", "created": created, "owned_by": owner});
    let mut all = vec![one(AUTO.to_owned(), "timmy")];
    let registered = &web.app.ctx.cascade.rules().registered;
    let roles = ModelRole::ALL.iter().map(|role| role.name()).filter(|role| registered.for_role(role).is_some());
    all.extend(roles.map(|role| one(role.to_owned(), "timmy")));
    for provider in web.app.ctx.cascade.status().iter().filter(|p| p.kind != "reflex") {
        all.extend(provider.models.iter().map(|m| one(format!("{}/{m}", provider.name), &provider.name)));
    }
    all
}

/// `GET /v1/models`.
pub async fn models(State(web): State<Web>, _: Visit) -> Given {
    Ok(plain(&json!({"object": "list", "data": known(&web)})))
}

/// `GET /v1/models/{id}`.
pub async fn model(State(web): State<Web>, _: Visit, name: Named) -> Given {
    let found = known(&web).into_iter().find(|m| m["id"] == name.0.as_str());
    found.map(|m| plain(&m)).ok_or_else(|| {
        let text = "There is no such model here.";
        Problem::unknown("model_not_found", text, "GET /v1/models lists them; \"auto\" lets Timmy choose.").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn label(values: &[&[u8]]) -> Sensitivity {
        let mut request = axum::http::Request::new(());
        for value in values {
            request.headers_mut().append(LOCAL_ONLY, HeaderValue::from_bytes(value).expect("a value"));
        }
        let Ok(Label(label)) = Label::from_request_parts(&mut request.into_parts().0, &()).await;
        label
    }

    // shows: models: a header that asks to stay here and cannot be understood keeps a gateway call here
    #[tokio::test]
    async fn what_cannot_be_understood_stays_here() {
        for open in ["", " ", "0", "false", "No", "OFF", " off "] {
            assert_eq!(label(&[open.as_bytes()]).await, Sensitivity::Open, "{open:?}");
        }
        assert_eq!(label(&[]).await, Sensitivity::Open, "left out");
        for local in ["1", "true", "True", "YES", "on", " 1", "2", "00", "please", "0, 1", "nein"] {
            assert_eq!(label(&[local.as_bytes()]).await, Sensitivity::LocalOnly, "{local:?}");
        }
        assert_eq!(label(&[b"\xff\xfe"]).await, Sensitivity::LocalOnly, "no text");
        assert_eq!(label(&[b"0", b"1"]).await, Sensitivity::LocalOnly, "said twice");
    }
}
