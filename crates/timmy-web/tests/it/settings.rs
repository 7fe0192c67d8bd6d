//! Settings, the palette and the keys, as a browser without scripts and one with scripts use them.

use std::sync::{Arc, Mutex};

use serde_json::json;
use timmy_domain::Problem;
use timmy_web::desk::{Change, Desk, Given, Holder, Kind, Section, Setting, Sheet};

use crate::house::{Browser, Form, House, refusal, replies};

/// A desk with two settings that takes everything but the word "bad".
#[derive(Default)]
pub struct Paper(Mutex<String>);

fn setting(key: &str, value: &str, holder: Holder) -> Setting {
    Setting {
        key: key.to_owned(),
        doc: "What it does, <b>in a word</b>.".to_owned(),
        kind: Kind::Text(None),
        running: "\"first\"".to_owned(),
        next: format!("{value:?}"),
        field: value.to_owned(),
        default: "\"first\"".to_owned(),
        holder,
    }
}

impl Desk for Paper {
    fn sheet(&self) -> Result<Sheet, Problem> {
        let written = self.0.lock().expect("not poisoned").clone();
        let (value, holder) = match written.as_str() {
            "" => ("first", Holder::Default),
            written => (written, Holder::File(7)),
        };
        let held = setting("sample.held", "first", Holder::Above("environment TIMMY__SAMPLE__HELD".into()));
        let settings = vec![setting("sample.word", value, holder), held];
        let sections = vec![Section { name: "sample".into(), doc: "For tests.".into(), settings }];
        Ok(Sheet { path: "/home/timmy/timmy.toml".into(), sections, faults: Vec::new() })
    }

    fn change(&self, changes: &[Change]) -> Result<Vec<Setting>, Problem> {
        for change in changes {
            let word = match &change.value {
                Some(Given::Text(word)) => word.clone(),
                Some(Given::List(words)) => words.join(","),
                None => String::new(),
            };
            if change.key != "sample.word" || word == "bad" {
                return Err(Problem::invalid("bad_setting", "That would not start.", "Nothing was changed."));
            }
            *self.0.lock().expect("not poisoned") = word;
        }
        Ok(self.sheet()?.sections[0].settings[..1].to_vec())
    }
}

async fn house() -> (House, Browser) {
    let house = House::at_desk(Arc::new(Paper::default())).await;
    let browser = house.browser().await;
    (house, browser)
}

async fn text(house: &House, browser: &Browser, path: &str) -> String {
    let answer = house.browse(browser, "GET", path).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.expect("text")
}

/// Sends a form and gives the status, where it leads, the cookies, and the page.
async fn send(house: &House, browser: &Browser, path: &str, fields: &[(&str, &str)]) -> (u16, String, String, String) {
    let all: Vec<(&str, &str)> = [("csrf", browser.csrf.as_str())].iter().chain(fields).copied().collect();
    let answer = house.browse(browser, "POST", path).form(&all).send().await.expect("an answer");
    let head = |name: &str| {
        let lines = answer.headers().get_all(name).iter();
        lines.filter_map(|line| line.to_str().ok()).collect::<Vec<_>>().join("\n")
    };
    let (status, to, cookies) = (answer.status().as_u16(), head("location"), head("set-cookie"));
    (status, to, cookies, answer.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_saved_told_and_refused_without_a_loss() {
    let (house, browser) = house().await;
    let page = text(&house, &browser, "/settings").await;
    assert!(
        page.contains("id=\"sample.word\"")
            && page.contains("&#60;b&#62;in a word")
            && page.contains("Set by environment")
    );
    assert!(!page.contains("name=\"v.sample.held\""), "what wins over the file has no field");
    let form = |word: &'static str| [("section", "sample"), ("v.sample.word", word)];
    let (status, to, cookies, _) = send(&house, &browser, "/settings/set", &form("second")).await;
    assert_eq!((status, to.as_str()), (303, "/settings#section-sample"));
    assert!(cookies.starts_with("timmy_did=note.saved; Path=/; Max-Age=10; HttpOnly; SameSite=Strict"), "{cookies}");
    let page = text(&house, &browser, "/settings").await;
    assert!(page.contains("timmy.toml line 7") && page.contains("at the next start") && page.contains("1 waiting"));
    let (status, _, _, page) = send(&house, &browser, "/settings/set", &form("bad")).await;
    assert!(status == 422 && page.contains("value=\"bad\"") && page.contains("That would not start."), "{status}");
    let (status, _, cookies, _) = send(&house, &browser, "/settings/set", &form("second")).await;
    assert!(status == 303 && cookies.contains("note.same"), "what is in the file already is not written again");
    let (status, to, ..) = send(&house, &browser, "/settings/unset", &[("unset", "sample.word")]).await;
    assert_eq!((status, to.as_str()), (303, "/settings#sample.word"));
    let events = house.get("/api/events?type=settings.changed").await;
    let told: Vec<_> = events["items"].as_array().expect("a list").iter().map(|e| e["data"].clone()).collect();
    assert_eq!(told, [json!({"key": "sample.word", "set": true}), json!({"key": "sample.word", "set": false})]);
    assert_eq!(events["items"][0]["actor"], "owner");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_read_settings_with_any_scope_and_write_them_as_admin() {
    let (house, _) = house().await;
    let made = house.post("/api/tokens", json!({"name": "hand", "scope": "operate"})).await;
    let token = made["token"].as_str().expect("a token").to_owned();
    let changes = json!({"set": {"sample.word": "third"}});
    let hand = |verb, path| house.bare(verb, path).bearer_auth(&token);
    assert_eq!(hand("GET", "/api/settings").send().await.expect("an answer").status(), 200);
    assert_eq!(refusal(hand("POST", "/api/settings/changes").json(&changes)).await.0, 403);
    for path in ["/settings/set", "/settings/unset", "/settings/tokens", "/settings/tokens/revoke"] {
        assert_eq!(refusal(hand("POST", path).json(&json!({"name": "x"}))).await.0, 403, "{path}");
    }
    let page = hand("GET", "/settings").send().await.expect("an answer").text().await.expect("text");
    assert!(page.contains("Yours has a smaller scope") && !page.contains(">hand "), "tokens are not listed for it");
    let told = house.post("/api/settings/changes", changes).await;
    assert_eq!(told["items"][0]["next"], "\"third\"");
    let bad = house.ask("POST", "/api/settings/changes").json(&json!({"set": {"sample.word": "bad"}}));
    assert_eq!(refusal(bad).await, (422, "bad_setting".into()));
    assert_eq!(refusal(house.ask("POST", "/api/settings/changes").json(&json!({}))).await, (422, "bad_changes".into()));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_and_revoked_only_when_its_name_is_typed() {
    let (house, browser) = house().await;
    let (status, _, _, page) =
        send(&house, &browser, "/settings/tokens", &[("name", "phone"), ("scope", "read")]).await;
    assert_eq!(status, 200);
    let token = page.split("data-secret>").nth(1).and_then(|rest| rest.split('<').next()).expect("a token").to_owned();
    assert!(token.starts_with("timmy_"));
    assert_eq!(house.bare("GET", "/api/status").bearer_auth(&token).send().await.expect("an answer").status(), 200);
    assert!(!text(&house, &browser, "/settings").await.contains(&token));
    let (status, _, _, page) =
        send(&house, &browser, "/settings/tokens", &[("name", "phone"), ("scope", "read")]).await;
    assert!(status == 409 && page.contains("token-problem") && page.contains("value=\"phone\""), "{status}");
    let revoke = |confirm: &'static str| [("name", "phone"), ("confirm", confirm)];
    assert_eq!(send(&house, &browser, "/settings/tokens/revoke", &revoke("Phone")).await.0, 422);
    assert_eq!(house.bare("GET", "/api/status").bearer_auth(&token).send().await.expect("an answer").status(), 200);
    assert_eq!(send(&house, &browser, "/settings/tokens/revoke", &revoke("phone")).await.0, 303);
    assert_eq!(house.bare("GET", "/api/status").bearer_auth(&token).send().await.expect("an answer").status(), 401);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_remembered_by_the_device_and_a_clash_is_told() {
    let (house, browser) = house().await;
    let (status, _, cookies, _) =
        send(&house, &browser, "/settings/keys", &[("single", "on"), ("key.live", "x"), ("key.talk", "")]).await;
    assert!(status == 303 && cookies.contains("timmy_keys=on.live-78; "), "{status} {cookies}");
    let device = Browser { cookie: format!("{}; timmy_keys=on.live-78", browser.cookie), csrf: browser.csrf.clone() };
    assert!(text(&house, &device, "/").await.contains("data-keys=\"on.live-78\""));
    assert!(text(&house, &device, "/keys").await.contains("<kbd>x</kbd>"));
    let (status, _, _, page) = send(&house, &device, "/settings/keys", &[("single", "on"), ("key.live", "t")]).await;
    assert!(status == 422 && page.contains("would mean two things"), "{status}");
    let off = send(&house, &device, "/settings/keys", &[("key.live", "x")]).await;
    assert!(off.2.contains("timmy_keys=off.live-78; "), "{}", off.2);
    let usual = send(&house, &device, "/settings/keys", &[("usual", "1"), ("key.live", "x")]).await;
    assert!(usual.2.contains("timmy_keys=on; "), "{}", usual.2);
    let forged = Browser { cookie: format!("{}; timmy_keys=on.live-\"><script>", browser.cookie), csrf: String::new() };
    assert!(text(&house, &forged, "/").await.contains("data-keys=\"on\""));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_palette_finds_pages_acts_things_and_settings() {
    let (house, browser) = house().await;
    let thought = house.post("/thinking/api/inject", json!({"content": "Kelp <i>grows</i> at night."})).await;
    let find = |q: &'static str| {
        let house = &house;
        async move { house.get(&format!("/palette/find?q={q}")).await["items"].clone() }
    };
    assert_eq!(find("heal").await[0]["h"], "/health/page");
    assert_eq!(find("sample.word").await[0]["h"], "/settings#sample.word");
    assert_eq!(find("kelp").await[0]["h"], format!("/thinking/{}", thought["id"].as_str().expect("an id")));
    assert_eq!(find("%2312").await[0]["h"], "/swarm/events/12");
    let pause = &find("pause%201").await[0];
    assert_eq!(
        (&pause["p"], &pause["f"], &pause["c"]),
        (&json!("/thinking/pause"), &json!({"minutes": "60"}), &json!("timmy thoughts pause 1h"))
    );
    assert_eq!(find("zzzzzz").await, json!([]));
    assert!(find("").await.as_array().expect("a list").len() > 10);
    let page = text(&house, &browser, "/palette?q=kelp").await;
    assert!(page.contains("Kelp &#60;i&#62;grows") && !page.contains("<i>grows"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_is_told_once_and_taken_back() {
    let (house, browser) = house().await;
    let thought = house.post("/thinking/api/inject", json!({"content": "A thought."})).await;
    let id = thought["id"].as_str().expect("an id");
    let (_, _, cookies, _) = send(&house, &browser, &format!("/thinking/{id}/keep"), &[]).await;
    let did = cookies.split(';').next().expect("a pair").to_owned();
    assert_eq!(did, format!("timmy_did=kept.{id}"));
    let told = Browser { cookie: format!("{}; {did}", browser.cookie), csrf: browser.csrf.clone() };
    let answer = house.browse(&told, "GET", "/thinking").send().await.expect("an answer");
    assert!(answer.headers()["set-cookie"].to_str().expect("text").starts_with("timmy_did=; Path=/; Max-Age=0"));
    let page = answer.text().await.expect("text");
    assert!(page.contains("The thought is kept.") && page.contains(&format!("action=\"/thinking/{id}/release\"")));
    let script = house.browse(&browser, "POST", &format!("/thinking/{id}/release")).header("hx-request", "true");
    let answer = script.form(&[("csrf", &browser.csrf)]).send().await.expect("an answer");
    let heard: serde_json::Value =
        serde_json::from_str(answer.headers()["hx-trigger"].to_str().expect("ASCII")).expect("JSON");
    assert_eq!(heard["did"]["route"], format!("/thinking/{id}/keep"));
    assert_eq!(heard["did"]["part"], format!("#thought-{id}"));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_nothing_new_is_a_calm_answer() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let think = || {
        house.browse(&browser, "POST", "/thinking/think").header("hx-request", "true").form(&[("csrf", &browser.csrf)])
    };
    // The first may find something to say; soon nothing is new.
    let mut said = String::new();
    for _ in 0..10 {
        let answer = think().send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        said = answer.headers().get("hx-trigger").map(|h| h.to_str().expect("ASCII").to_owned()).unwrap_or_default();
        if said.contains("No new thought") {
            break;
        }
    }
    assert!(said.contains("No new thought: nothing changed"), "{said}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_house_without_a_file_says_so() {
    let house = House::serve(replies(1), &[]).await;
    let browser = house.browser().await;
    assert!(text(&house, &browser, "/settings").await.contains("No configuration file stands behind this server."));
    assert_eq!(refusal(house.ask("GET", "/api/settings")).await, (503, "no_settings".into()));
    house.end().await;
}
