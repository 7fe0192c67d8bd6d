//! Pages and forms, as a browser without scripts and one with scripts use them.

use serde_json::json;

use crate::house::{Form, House, replies};

/// Makes one task that waits and one that is ready; where the first one is shown.
async fn two_tasks(house: &House) -> String {
    let asked = json!({"title": "Mend <b>own</b> nets", "assigned_to": "owner", "requires_approval": true});
    let task = house.post("/api/tasks", asked).await;
    house.post("/api/tasks", json!({"title": "Later", "assigned_to": "owner"})).await;
    format!("/tasks/{}", task["id"].as_str().expect("an id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_draws_empty_and_full() {
    let house = House::serve(replies(9), &["talk.answer"]).await;
    let browser = house.browser().await;
    let fragments = [
        "/now",
        "/now/rail",
        "/pulse",
        "/pulse?hero=1",
        "/thinking/rows",
        "/thinking/status",
        "/watch/rows",
        "/swarm/events/rows?after=0",
        "/tasks/rows",
        "/approvals/rows?status=all",
        "/router/status/ladder",
        "/router/status/log",
        "/models/parts",
        "/health/page/parts",
    ];
    let pages = [
        "/",
        "/talk",
        "/thinking",
        "/swarm/events",
        "/health/page",
        "/tasks",
        "/tasks?view=board",
        "/tasks?status=failed&priority=high&agent=seer",
        "/agents",
        "/approvals",
        "/approvals?status=all",
        "/router/status?task_class=vision&sensitivity=local-only&tokens=9000&tools=true&vision=true",
        "/router/status?before=4",
        "/thinking?kept=1",
        "/thinking?seed=memory",
        "/swarm/events?type=login.*&severity=info&actor=owner&text=code",
        "/swarm/events?after=1",
        "/swarm/events?before=2",
    ];
    for full in [false, true] {
        for path in pages.iter().chain(&fragments) {
            let answer = house.browse(&browser, "GET", path).send().await.expect("an answer");
            let status = answer.status();
            let text = answer.text().await.expect("text");
            assert_eq!(status, 200, "{path}: {text}");
            assert_eq!(text.matches("<h1").count(), usize::from(pages.contains(path)), "{path}");
        }
        if !full {
            let thought = house.post("/thinking/api/inject", json!({"content": "Mine <b>own</b> & “words”."})).await;
            house.post("/thinking/api/think", json!({"seed_type": "memory"})).await;
            house
                .post("/api/chat", json!({"messages": [{"role": "user", "content": "<script>alert(1)</script>"}]}))
                .await;
            let folder = house.engine.home.as_ref().expect("a home").path().to_string_lossy().into_owned();
            house.post("/api/watch", json!({"path": folder})).await;
            let task = two_tasks(&house).await;
            let chain = format!("/thinking/{}", thought["id"].as_str().expect("an id"));
            let event = format!("/swarm/events/{}", thought["seq"]);
            let about = format!("/talk?about={}", thought["id"].as_str().expect("an id"));
            for path in [task.as_str(), chain.as_str(), event.as_str(), about.as_str()] {
                let answer = house.browse(&browser, "GET", path).send().await.expect("an answer");
                let (status, text) = (answer.status(), answer.text().await.expect("text"));
                assert_eq!(status, 200, "{path}");
                assert!(!text.contains("<b>own</b>"), "{path}");
            }
            let talk =
                house.browse(&browser, "GET", "/talk").send().await.expect("an answer").text().await.expect("text");
            assert!(talk.contains("&#60;script&#62;alert(1)") && !talk.contains("<script>alert"), "{talk}");
        }
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_lead_back_and_scripts_get_the_changed_part() {
    let house = House::serve(replies(9), &["talk.answer"]).await;
    let browser = house.browser().await;
    let csrf = browser.csrf.as_str();
    let form = |path: &str, fields: &[(&str, &str)]| {
        let all: Vec<(&str, &str)> = [("csrf", csrf)].iter().chain(fields).copied().collect();
        house.browse(&browser, "POST", path).form(&all)
    };
    let send = |request: reqwest::RequestBuilder| async move {
        let answer = request.send().await.expect("an answer");
        let to = answer.headers().get("location").map(|l| l.to_str().expect("text").to_owned()).unwrap_or_default();
        (answer.status().as_u16(), to, answer.text().await.expect("text"))
    };
    let (status, to, _) = send(form("/talk", &[("text", "Hello?")])).await;
    assert!(status == 303 && to.starts_with("/talk#turn-"), "{status} {to}");
    let question = to.trim_start_matches("/talk#turn-").to_owned();
    let stream = house.browse(&browser, "GET", &format!("/talk/{question}/stream")).send().await.expect("an answer");
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let heard = stream.text().await.expect("text");
    assert!(heard.contains("event: done") && heard.contains("Reply 1."), "{heard}");
    let (status, _, turn) = send(house.browse(&browser, "GET", &format!("/talk/{question}/turn"))).await;
    assert!(status == 200 && turn.contains("Reply 1.") && turn.contains("scripted"), "{turn}");

    let (status, _, turns) = send(form("/talk", &[("text", "Again?")]).header("hx-request", "true")).await;
    assert!(status == 201 && turns.contains("Again?") && turns.contains("data-turn"), "{turns}");
    let (status, _, page) = send(form("/talk", &[("text", "  ")])).await;
    assert!(status == 422 && page.contains("id=\"composer\"") && page.contains("The message is empty."), "{status}");
    let (status, _, said) = send(form("/talk", &[("text", " ")]).header("hx-request", "true")).await;
    assert!(status == 422 && said.contains("empty_message"), "{said}");

    let (status, to, _) = send(form("/thinking/inject", &[("text", "A thought of mine.")])).await;
    assert_eq!((status, to.as_str()), (303, "/thinking"));
    let id = house.get("/thinking/api?limit=1").await["items"][0]["id"].as_str().expect("an id").to_owned();
    for (act, mark) in [("keep", "kept"), ("release", "Keep<"), ("fewer", "article"), ("more", "article")] {
        let (status, _, part) = send(form(&format!("/thinking/{id}/{act}"), &[]).header("hx-request", "true")).await;
        assert!(status == 200 && part.contains(mark) && part.contains(&format!("thought-{id}")), "{act}: {part}");
        let (status, to, _) = send(form(&format!("/thinking/{id}/{act}"), &[])).await;
        assert_eq!((status, to), (303, format!("/thinking#thought-{id}")));
    }
    let (status, _, home) = send(form("/watch/add", &[("path", "/nowhere/at/all")])).await;
    assert!(status == 422 && home.contains("path-problem") && home.contains("/nowhere/at/all"), "{status}");
    let folder = house.engine.home.as_ref().expect("a home").path().to_string_lossy().into_owned();
    let (status, to, _) = send(form("/watch/add", &[("path", &folder)])).await;
    assert_eq!((status, to.as_str()), (303, "/#folders"));
    let folders = house.get("/api/watch").await;
    let (status, to, _) = send(form(&format!("/watch/{}/remove", folders["items"][0]["id"]), &[])).await;
    assert_eq!((status, to.as_str()), (303, "/#folders"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_look_is_remembered_by_the_device() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let fields = [
        ("csrf", browser.csrf.as_str()),
        ("theme", "dark\"><script>"),
        ("density", "compact"),
        ("back", "https://evil.com"),
    ];
    let answer = house.browse(&browser, "POST", "/look").form(&fields).send().await.expect("an answer");
    assert_eq!(answer.headers()["location"], "/");
    let cookies: Vec<&str> = answer.headers().get_all("set-cookie").iter().filter_map(|c| c.to_str().ok()).collect();
    assert!(cookies.iter().any(|c| c.starts_with("timmy_theme=system;")), "{cookies:?}");
    assert!(cookies.iter().any(|c| c.starts_with("timmy_density=compact;")), "{cookies:?}");
    let dark = format!("{}; timmy_theme=dark; timmy_density=compact", browser.cookie);
    let page =
        house.bare("GET", "/").header("cookie", dark).header("accept", "text/html").send().await.expect("an answer");
    let page = page.text().await.expect("text");
    assert!(page.contains("data-theme=\"dark\" data-density=\"compact\""));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_makes_no_sense_is_explained_on_the_page() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let page = house.browse(&browser, "GET", "/swarm/events?type=a..b").send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    let text = page.text().await.expect("text");
    assert!(text.contains("q-problem") && text.contains("value=\"type:a..b\""));
    house.end().await;
}
