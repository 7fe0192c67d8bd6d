//! Registered models at the gateway: asked by their role, and in the manner the owner said.

use serde_json::json;

use super::{backend, chat, configured, word};
use crate::support::{Server, home};

// shows: models: a program asks for the judge of the house by that word, and it answers as long and as freely as the owner said
#[test]
fn a_role_is_asked_by_its_word_and_in_the_manner_the_owner_said() {
    let (url, seen) = backend(vec![word("hello", Some("stop"))]);
    let home = home();
    configured(home.path(), &url, "local");
    let quiet = [("TIMMY__CASCADE__PROVIDERS", "scripted,house,reflex"), ("TIMMY__THINKING__ENABLED", "false")];
    let server = Server::start_with(home.path(), &quiet);
    let lists_it = || server.get("/v1/models")["data"].as_array().expect("a list").iter().any(|m| m["id"] == "judge");
    assert!(!lists_it(), "nobody has the role");
    let asked = |body: &serde_json::Value| server.post("/v1/chat/completions", body)["model"].clone();
    assert_eq!(asked(&chat("judge")), "scripted/script", "a name that nobody has");
    let model = json!({"name": "house/m1", "format": "ollama", "role": "judge",
                       "default_temperature": 0.25, "max_tokens": 77});
    server.post("/api/v1/models", &model);
    assert_eq!(asked(&chat("judge")), "house/m1", "at once");
    server.wait_for(|| lists_it().then_some(()));
    assert_eq!(asked(&chat("judge")), "house/m1");
    assert_eq!(asked(&chat("house/m1")), "house/m1");
    let mut said = chat("judge");
    (said["temperature"], said["max_tokens"]) = (json!(1.0), json!(5));
    assert_eq!(asked(&said), "house/m1");
    let manner: Vec<_> =
        seen.lock().expect("whole").iter().map(|b| (b["temperature"].clone(), b["max_tokens"].clone())).collect();
    let owners = (json!(0.25), json!(77));
    assert_eq!(manner[1..], [owners.clone(), owners, (json!(1.0), json!(5))], "what is said counts");

    let (status, _) = server.ask("PATCH", "/api/v1/models/house%2Fm1/active", Some(&json!({"active": false})));
    assert_eq!(status, 200);
    assert_eq!(asked(&chat("judge")), "scripted/script", "it is nobody's again");
}
