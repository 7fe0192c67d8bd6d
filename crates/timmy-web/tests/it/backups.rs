//! Backups from the page and through the JSON interface.

use reqwest::StatusCode;
use serde_json::json;

use crate::house::{Form, House};

// shows: backup: from the settings page and by the JSON interface, for the scope admin alone
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_from_the_page_and_by_programs_with_admin() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let posted = house.browse(&browser, "POST", "/settings/backup").form(&[("csrf", browser.csrf.as_str())]);
    let answer = posted.send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/settings#backups");
    while house.get("/api/backups").await["last_drill"].is_null() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let made = house.post("/api/backups", json!({"only": "thoughts"})).await;
    assert_eq!(made["areas"][0], "thoughts");
    let list = house.get("/api/backups").await;
    let areas: Vec<&str> = list["items"].as_array().expect("items").iter().filter_map(|i| i["area"].as_str()).collect();
    assert!(areas.contains(&"home") && areas.contains(&"thoughts") && areas.len() == 2, "{list}");
    assert_eq!((&list["last_drill"]["whole"], &list["making"]), (&json!(true), &json!(null)));
    let bare = house
        .browse(&browser, "POST", "/settings/backup")
        .form(&[("csrf", "another")])
        .send()
        .await
        .expect("an answer");
    assert_eq!(bare.status(), StatusCode::FORBIDDEN, "a form without its word");
    for scope in ["read", "operate"] {
        let token = house.post("/api/tokens", json!({"name": scope, "scope": scope})).await;
        let token = token["token"].as_str().expect("a token").to_owned();
        for (method, path) in [("GET", "/api/backups"), ("POST", "/api/backups"), ("POST", "/settings/backup")] {
            let refused = house.bare(method, path).bearer_auth(&token).send().await.expect("an answer");
            assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{scope}: {method} {path}");
        }
    }
    let odd = house.ask("POST", "/api/backups").json(&json!({"only": "../../etc"})).send().await.expect("an answer");
    assert_eq!(odd.status(), StatusCode::UNPROCESSABLE_ENTITY);
    house.end().await;
}
