//! Carries a call of a tool out, through the handlers that programs call.

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use timmy_domain::task::Priority;
use timmy_domain::task::birth::NewTask;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Actor, Problem};
use timmy_store::{LIST_LIMIT_MAX, ThoughtQuery};
use tower::ServiceExt;

use super::offer::encode;
use crate::auth::Visit;
use crate::errors::Refusal;
use crate::routes;
use crate::web::Web;

/// Bytes of an answer that are passed on.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Characters of a complaint that are passed on.
const COMPLAINT_CHARS_MAX: usize = 600;
/// Items in a list when nobody says how many.
const USUAL: &str = "50";

/// What a handler answered.
type Answered = (StatusCode, String);

/// What the arguments say.
struct Args<'a>(&'a [(&'static str, String)]);

impl Args<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// All of them as a query, with a bound on lists.
    fn query(&self) -> String {
        let limit = self.get("limit").is_none().then_some(("limit", USUAL));
        let all = self.0.iter().map(|(name, value)| (*name, value.as_str())).chain(limit);
        all.map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
    }
}

/// Does what the tool `name` does.
pub(super) async fn perform(web: &Web, visit: &Visit, name: &str, args: &[(&'static str, String)]) -> Answered {
    let args = Args(args);
    let id = encode(args.get("id").unwrap_or_default());
    let query = args.query();
    match name {
        "status" => get(web, visit, "/api/status").await,
        "tasks_list" => get(web, visit, &format!("/api/tasks?{query}")).await,
        "task_get" => get(web, visit, &format!("/api/tasks/{id}")).await,
        "task_create" => create(web, visit, &args).await,
        "task_act" => {
            let said = json!({"reason": args.get("reason"), "result": args.get("result")});
            let act = args.get("act").unwrap_or_default();
            ask(web, visit, Method::POST, &format!("/api/tasks/{id}/{act}"), Some(&said)).await
        }
        "thoughts_list" => get(web, visit, &format!("/thinking/api?{query}")).await,
        "thoughts_search" => search(web, &args).await,
        "approvals_list" => get(web, visit, &format!("/api/approvals?{query}")).await,
        "events_search" => get(web, visit, &format!("/api/events?{query}")).await,
        _ => (StatusCode::NOT_FOUND, String::new()),
    }
}

/// What a refusal says, in words.
pub(super) fn complaint(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let field = |name: &str| body["error"][name].as_str().unwrap_or_default();
    let words = format!("{} {}", field("message"), field("hint"));
    let words = if words.trim().is_empty() { "It was refused, without words." } else { words.trim() };
    cut(&one_line(words), COMPLAINT_CHARS_MAX)
}

/// Asks for `path`.
pub(super) async fn get(web: &Web, visit: &Visit, path: &str) -> Answered {
    ask(web, visit, Method::GET, path, None).await
}

async fn ask(web: &Web, visit: &Visit, method: Method, path: &str, body: Option<&Value>) -> Answered {
    let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    let Ok(mut request) = request.body(Body::from(body.map(Value::to_string).unwrap_or_default())) else {
        return (StatusCode::NOT_FOUND, String::new());
    };
    // The door was passed already, with what this needs; its finding goes along.
    request.extensions_mut().insert(visit.clone());
    let Ok(answer) = routes::routed().with_state(web.clone()).oneshot(request).await;
    told(answer).await
}

async fn told(answer: axum::response::Response) -> Answered {
    let status = answer.status();
    match to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await {
        Ok(bytes) => (status, String::from_utf8_lossy(&bytes).into_owned()),
        Err(_) => told_problem(&Problem::unavailable("too_large", "The answer is too long.", "Ask for fewer.")),
    }
}

fn told_problem(problem: &Problem) -> Answered {
    let status = Refusal(problem.clone()).into_response().status();
    (status, json!({"error": problem}).to_string())
}

/// A task in the words of another program: it waits for the owner, and counts as text from outside.
async fn create(web: &Web, visit: &Visit, args: &Args<'_>) -> Answered {
    let text = |name: &str| args.get(name).unwrap_or_default().to_owned();
    let new = NewTask {
        description: text("description"),
        priority: args.get("priority").and_then(|word| word.parse().ok()).unwrap_or(Priority::Normal),
        requires_approval: Some(true),
        auto_approve: false,
        idempotency_key: args.get("idempotency_key").map(str::to_owned),
        token: Some(visit.who.principal.name.clone()),
        ..NewTask::titled(text("title"), Actor::Program)
    };
    match web.app.queue.create(new).await {
        Ok(made) => (StatusCode::OK, serde_json::to_string(&made.task).unwrap_or_default()),
        Err(problem) => told_problem(&problem),
    }
}

async fn search(web: &Web, args: &Args<'_>) -> Answered {
    let wanted = args.get("query").unwrap_or_default().to_lowercase();
    let limit = args.get("limit").and_then(|n| n.parse().ok()).unwrap_or(20);
    let query = ThoughtQuery { limit: LIST_LIMIT_MAX, ..ThoughtQuery::default() };
    match web.app.ctx.store.read(move |r| r.thoughts(&query)).await {
        Ok(thoughts) => {
            let found = thoughts.iter().filter(|thought| thought.content.to_lowercase().contains(&wanted));
            let items: Vec<_> = found.take(limit).collect();
            (StatusCode::OK, json!({"items": items, "next": null}).to_string())
        }
        Err(error) => told_problem(&error.problem()),
    }
}
