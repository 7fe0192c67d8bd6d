//! The JSON interface.

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use timmy_domain::Secret;
use timmy_llm::{Failure, Step};
use timmy_testkit::engine::RUN_TOKEN;
use timmy_web::client::{Client, ClientError};

use crate::house::{Form, House, refusal, replies, scripted};

fn user(words: &str) -> Value {
    json!({"messages": [{"role": "user", "content": words}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_answers_with_maker_and_place() {
    let house = House::serve(replies(1), &["talk.answer"]).await;
    let reply = house.post("/api/chat", user("Hello?")).await;
    assert_eq!(
        (reply["reply"].as_str(), reply["provider"].as_str(), reply["place"].as_str()),
        (Some("Reply 1."), Some("scripted"), Some("local"))
    );
    assert!(reply["duration_ms"].is_i64() && reply["message_id"].is_string(), "{reply}");
    let messages = house.get("/api/messages?limit=1").await;
    assert_eq!(messages["items"][0]["content"], "Reply 1.");
    let before = messages["next"].as_str().expect("a cursor");
    let older = house.get(&format!("/api/messages?before={before}")).await;
    assert_eq!((older["items"][0]["content"].as_str(), &older["next"]), (Some("Hello?"), &Value::Null));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_answer_is_a_503_and_can_be_asked_for_again() {
    // The router asks a server that failed twice more.
    let fails = || Step::Fail(Failure::ServerError { status: 500 });
    let steps = vec![fails(), fails(), fails(), Step::Reply("Now.".into())];
    let house = House::serve(scripted(steps), &["talk.answer"]).await;
    assert_eq!(refusal(house.ask("POST", "/api/chat").json(&user("Hello?"))).await, (503, "no_answer".into()));
    let question = house.get("/api/messages").await["items"][1]["id"].as_str().expect("an id").to_owned();
    house.post(&format!("/api/chat/{question}/retry"), json!({})).await;
    let follow = house.ask("GET", &format!("/talk/{question}/stream")).send().await.expect("an answer");
    assert!(follow.text().await.expect("text").contains("Now."));
    assert_eq!(refusal(house.ask("POST", &format!("/api/chat/{question}/retry"))).await.0, 409);
    assert_eq!(refusal(house.ask("POST", &format!("/api/chat/{question}/stop"))).await.0, 409);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_pieces_and_ends_with_the_whole() {
    let chunks = vec!["One, ".to_owned(), "two, ".to_owned(), "three.".to_owned()];
    let step = Step::Slow { chunks, every: Duration::from_millis(10) };
    let house = House::serve(scripted(vec![step]), &["talk.answer"]).await;
    let client = Client::to_server(&house.base, Secret::new(RUN_TOKEN.to_owned())).expect("a client");
    let (mut pieces, mut last) = (String::new(), Value::Null);
    let mut body = user("Count.");
    body["stream"] = Value::Bool(true);
    let on_event = |event: Value| match event["delta"].as_str() {
        Some(delta) => pieces.push_str(delta),
        None => last = event,
    };
    client.stream("/api/chat", &body, on_event).await.expect("a stream");
    assert_eq!(pieces, "One, two, three.");
    assert_eq!((&last["done"], last["reply"].as_str()), (&Value::Bool(true), Some("One, two, three.")));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_away_stops_the_answer() {
    for stream in [true, false] {
        let slow = Step::Slow { chunks: vec!["word ".to_owned(); 10_000], every: Duration::from_millis(20) };
        let house = House::serve(scripted(vec![slow]), &["talk.answer"]).await;
        let mut body = user("Tell me everything.");
        body["stream"] = Value::Bool(stream);
        let asking = house.ask("POST", "/api/chat").json(&body);
        let asking = tokio::spawn(async move {
            let mut pieces = asking.send().await.expect("an answer").bytes_stream();
            pieces.next().await;
            std::future::pending::<()>().await;
        });
        house.engine.wait_for("message.received", 1).await;
        house.engine.wait_until(|| house.engine.app.talk.turns.current().is_some_and(|t| !t.so_far().is_empty())).await;
        asking.abort();
        house.engine.wait_for("message.stopped", 1).await;
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thoughts_are_listed_steered_and_chained() {
    let house = House::serve(replies(3), &[]).await;
    for n in 1..=3 {
        house.post("/thinking/api/inject", json!({"content": format!("Thought {n}.")})).await;
    }
    let page = house.get("/thinking/api?limit=2").await;
    let items = page["items"].as_array().expect("a list");
    assert_eq!((items.len(), items[0]["content"].as_str()), (2, Some("Thought 3.")));
    for field in ["id", "content", "seed_type", "parent_id", "created_at", "provider", "model"] {
        assert!(items[0].get(field).is_some(), "{field}");
    }
    let rest = house.get(&format!("/thinking/api?limit=2&before={}", page["next"])).await;
    assert_eq!((rest["items"][0]["content"].as_str(), &rest["next"]), (Some("Thought 1."), &Value::Null));
    let id = items[0]["id"].as_str().expect("an id");
    let chain = house.get(&format!("/thinking/api/{id}/chain")).await;
    let chained: Vec<&str> =
        chain["items"].as_array().expect("a list").iter().filter_map(|t| t["content"].as_str()).collect();
    assert_eq!(chained, ["Thought 1.", "Thought 2.", "Thought 3."]);
    assert_eq!(house.post(&format!("/thinking/api/{id}/keep"), json!({})).await["kept"], true);
    assert_eq!(house.post(&format!("/thinking/api/{id}/release"), json!({})).await["kept"], false);
    assert_eq!(house.post(&format!("/thinking/api/{id}/fewer"), json!({})).await["fewer"], true);
    assert_eq!(house.post(&format!("/thinking/api/{id}/unfewer"), json!({})).await["fewer"], false);
    assert_eq!(house.post("/thinking/api/think", json!({"seed_type": "creative"})).await["content"], "Reply 1.");
    assert!(house.post("/thinking/api/pause", json!({"minutes": 5})).await["until"].is_string());
    assert_eq!(house.post("/thinking/api/pause", json!({})).await["until"], Value::Null);
    assert_eq!(house.post("/thinking/api/resume", json!({})).await["paused"], false);
    assert_eq!(refusal(house.ask("POST", "/thinking/api/think").json(&json!({"seed_type": "anger"}))).await.0, 422);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thought_in_the_making_is_stopped_by_its_button() {
    let house = House::serve(scripted(vec![Step::Hang, Step::Hang]), &["mind.thinking", "work.processor"]).await;
    let thinking = || matches!(house.engine.app.thinking.doing(), timmy_core::mind::thinking::Doing::Thinking { .. });
    house.engine.clock.advance(Duration::from_secs(5));
    house.engine.wait_until(thinking).await;
    let browser = house.browser().await;
    let stop = house.browse(&browser, "POST", "/thinking/stop").form(&[("csrf", &browser.csrf)]);
    let panel = stop.header("hx-request", "true").send().await.expect("an answer").text().await.expect("text");
    assert!(!thinking() && panel.contains("id=\"thinking-status\"") && panel.contains("Think now"), "{panel}");
    assert_eq!(refusal(house.ask("POST", "/thinking/api/stop")).await, (409, "no_thought".into()));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_by_position_and_pattern() {
    let house = House::quiet().await;
    house.write(5).await;
    let head = house.engine.app.ctx.store.last_seq();
    let page = house.get("/api/events?after=0&limit=2&type=thinking.*").await;
    let seqs: Vec<i64> = page["items"].as_array().expect("a list").iter().filter_map(|e| e["seq"].as_i64()).collect();
    assert_eq!((seqs.len(), seqs[0] < seqs[1], &page["next"]), (2, true, &json!(seqs[1])));
    let newest = house.get("/api/events?newest=true&limit=1").await;
    assert_eq!(newest["items"][0]["seq"], head);
    let one = house.get(&format!("/api/events/{head}")).await;
    for field in ["v", "seq", "event", "data", "timestamp", "source", "actor", "severity", "id"] {
        assert!(one.get(field).is_some(), "{field}");
    }
    assert_eq!(house.get(&format!("/api/events?after={head}")).await, json!({"items": [], "next": null}));
    let verified = house.get("/api/events/verify").await;
    assert_eq!(
        (&verified["ok"], &verified["rows"], &verified["first_bad"]),
        (&json!(true), &json!(head), &Value::Null)
    );
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_models_are_asked_without_timmy_in_between() {
    let house = House::serve(replies(1), &[]).await;
    let mut body = user("Hello?");
    body["model"] = json!("auto");
    let answer = house.post("/api/v1/router/complete", body).await;
    assert_eq!((answer["content"].as_str(), answer["provider"].as_str()), (Some("Reply 1."), Some("scripted")));
    assert!(answer["latency_ms"].is_u64() && answer["attempts"].is_array());
    let providers = house.get("/api/v1/router/providers").await;
    let first = &providers["items"][0];
    assert_eq!(
        (first["name"].as_str(), first["place"].as_str(), first["status"].as_str()),
        (Some("scripted"), Some("local"), Some("up"))
    );
    assert!(
        house.get("/api/messages").await["items"].as_array().expect("a list").is_empty(),
        "nothing was said to Timmy"
    );
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_watched_by_path_and_let_go_by_any_name() {
    let house = House::quiet().await;
    let folder = house.engine.home.as_ref().expect("a home").path().to_string_lossy().into_owned();
    let added = house.post("/api/watch", json!({"path": folder})).await;
    assert_eq!(added["path"].as_str().map(|p| p.ends_with(folder.rsplit('/').next().unwrap_or(&folder))), Some(true));
    let client = Client::to_server(&house.base, Secret::new(RUN_TOKEN.to_owned())).expect("a client");
    let encoded = folder.replace('/', "%2F");
    assert_eq!(client.delete(&format!("/api/watch/{encoded}")).await.expect("removed")["id"], added["id"]);
    assert!(
        matches!(client.delete("/api/watch/1").await, Err(ClientError::Refused { code, .. }) if code == "unknown_folder")
    );
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_routes_answer_within_the_process() {
    let mut house = timmy_testkit::engine(replies(1), timmy_core::settings::Settings::default());
    house.run_only(&["talk.answer"]);
    let web = timmy_web::WebParts {
        app: house.app.clone(),
        server: timmy_web::settings::ServerSettings::default(),
        feed: timmy_web::settings::FeedSettings::default(),
        address: ([127, 0, 0, 1], 0).into(),
        version: "1".into(),
        home: String::new(),
        desk: None,
    };
    let client = Client::in_process(timmy_web::router(web), Secret::new(RUN_TOKEN.to_owned()));
    let status = client.get("/api/status").await.expect("an answer");
    assert!(status["word"].is_string() && status["providers"]["items"].is_array(), "{status}");
    let mut heard = Vec::new();
    let mut body = user("Hello?");
    body["stream"] = Value::Bool(true);
    client.stream("/api/chat", &body, |event| heard.push(event)).await.expect("a stream");
    assert_eq!(heard.last().and_then(|e| e["reply"].as_str()), Some("Reply 1."));
    let health = client.get("/api/health?probe=true").await.expect("an answer");
    assert_eq!(health["providers"][0]["status"], "up");
    assert!(matches!(client.get("/api/nothing").await, Err(ClientError::Refused { .. })));
    house.stop().await;
}
