use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use timmy_core::settings::Settings;
use timmy_domain::Event;
use timmy_llm::{Provider, Reflex};
use timmy_testkit::engine::RUN_TOKEN;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::settings::{FeedSettings, ServerSettings};
use crate::web::WebParts;

async fn breaks() -> Response {
    panic!("the floor\ngave way")
}

async fn through(State(web): State<Web>, request: Request, next: Next) -> Response {
    door(&web, request, next).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_is_told_and_the_process_goes_on() {
    let engine = timmy_testkit::engine(vec![Arc::new(Reflex::new("m")) as Arc<dyn Provider>], Settings::default());
    let parts = WebParts {
        app: engine.app.clone(),
        server: ServerSettings::default(),
        feed: FeedSettings::default(),
        address: ([127, 0, 0, 1], 0).into(),
        version: "1".to_owned(),
        home: String::new(),
        desk: None,
    };
    let web = Web::new(parts, CancellationToken::new());
    let app: Router =
        Router::new().route("/breaks", get(breaks)).layer(from_fn_with_state(web.clone(), through)).with_state(web);
    let ask = |accept: &'static str| {
        let request = Request::builder()
            .uri("/breaks?words=secret")
            .header("host", "localhost")
            .header("accept", accept)
            .header(if accept == "text/html" { "cookie" } else { "authorization" }, format!("Bearer {RUN_TOKEN}"))
            .body(axum::body::Body::empty());
        app.clone().oneshot(request.expect("a request"))
    };
    for _ in 0..3 {
        let answer = ask("application/json").await.expect("an answer");
        assert_eq!(answer.status(), 500);
        let body = axum::body::to_bytes(answer.into_body(), 10_000).await.expect("a body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["error"]["code"], "fault");
    }
    assert_eq!(ask("text/html").await.expect("an answer").status(), 303, "a stranger does not reach it");
    let told = engine.events("error.captured").await;
    assert_eq!(told.len(), 1, "the same fault is told once");
    let Event::ErrorCaptured(fault) = told[0].event() else { panic!("{:?}", told[0]) };
    assert_eq!((fault.component.as_str(), fault.message.as_str()), ("web", "GET /breaks panicked: the floor gave way"));
}

#[test]
fn a_way_back_is_one_value_of_a_query() {
    assert_eq!(encoded("/talk?about=1&x=ä"), "/talk%3Fabout%3D1%26x%3D%C3%A4");
}
