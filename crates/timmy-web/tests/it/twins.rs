//! The Markdown twin of every page.

use timmy_web::nav;

use crate::house::{House, refusal};
use crate::rich::{Rich, rich};

async fn document(rich: &Rich, path: &str) -> String {
    let answer = rich.house.ask("GET", path).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], "text/markdown; charset=utf-8", "{path}");
    assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    answer.text().await.expect("text")
}

// shows: dashboard: every page has a Markdown twin, at its address with .md and by preference, named in its head
#[tokio::test(flavor = "multi_thread")]
async fn every_page_has_a_twin_made_of_the_same_view() {
    let rich = rich().await;
    let browser = rich.house.browser().await;
    for path in rich.pages() {
        let twin = nav::twin(&path).unwrap_or_else(|| panic!("{path} has no twin"));
        let page = rich.house.browse(&browser, "GET", &path).send().await.expect("an answer");
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        let html = page.text().await.expect("text");
        let link = format!("<link rel=\"alternate\" type=\"text/markdown\" href=\"{}\"", twin.replace('&', "&#38;"));
        assert!(html.contains(&link), "{path} does not name {twin}");
        let text = document(&rich, &twin).await;
        let title = html.split("<h1").nth(1).and_then(|h| h.split_once('>')).and_then(|(_, h)| h.split('<').next());
        assert!(text.starts_with(&format!("# {}\n", title.expect("a heading"))), "{path}: {text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("# ")).count(), 1, "{path}: {text}");
        for page in nav::PAGES {
            assert!(text.contains(&format!("]({})", nav::twin(page.route).expect("a twin"))), "{path} leads nowhere");
        }
        let preferred = rich.house.ask("GET", &path).header("accept", "text/markdown, text/html;q=0.5").send().await;
        let preferred = preferred.expect("an answer");
        assert_eq!(preferred.headers()["content-type"], "text/markdown; charset=utf-8", "{path}");
        assert!(preferred.headers()["vary"].to_str().is_ok_and(|vary| vary.contains("accept")), "{path}");
    }
    rich.house.end().await;
}

// shows: dashboard: what was said makes no heading, no link and no mark of a page's Markdown twin
#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_stays_words_in_every_twin() {
    let rich = rich().await;
    let mut seen = 0;
    for path in rich.pages() {
        let text = document(&rich, &nav::twin(&path).expect("a twin")).await;
        let mut fenced = false;
        for line in text.lines() {
            // Exact records stand between fences.
            let plain = line.trim_start_matches(['>', ' ']);
            fenced ^= plain.starts_with("```");
            if !line.contains("evil.test") || fenced {
                continue;
            }
            seen += 1;
            assert!(!line.contains("](https://evil") && !line.contains("](http://evil"), "{path}: {line}");
            assert!(!line.contains("<script>") || line.contains("\\<script"), "{path}: {line}");
            assert!(!line.starts_with('#') || line.starts_with("## [") || line.starts_with("### ["), "{path}: {line}");
        }
        assert!(!text.lines().any(|line| line == "# Not a heading"), "{path}");
    }
    assert!(seen > 4, "the words were not found");
    let thought = document(&rich, &format!("/thinking/{}.md", rich.thought)).await;
    assert!(thought.contains("> **Not a heading**"), "a heading inside a thought is set as strong words: {thought}");
    assert!(thought.contains("> \\[not a link\\](https\\://evil.test) \\<script\\>alert(1)\\</script\\>"), "{thought}");
    rich.house.end().await;
}

// shows: dashboard: a Markdown twin asks for the same key as its page, and fragments and calls have none
#[tokio::test(flavor = "multi_thread")]
async fn a_twin_has_the_door_of_its_page() {
    let house = House::quiet().await;
    for page in nav::PAGES {
        let twin = nav::twin(page.route).expect("a twin");
        assert_eq!(refusal(house.bare("GET", &twin)).await, (401, "unauthenticated".into()), "{twin}");
    }
    let login = house.bare("GET", "/talk.md").header("accept", "text/html").send().await.expect("an answer");
    assert_eq!(login.headers()["location"], "/login?next=/talk.md");
    for none in
        ["/thinking/rows.md", "/now.md", "/api/status.md", "/swarm/events/rows.md", "/swarm/events/1x.md", "/login.md"]
    {
        assert_eq!(refusal(house.ask("GET", none)).await.0, 404, "{none}");
    }
    assert_eq!(refusal(house.ask("GET", "/swarm/events/999999.md")).await.0, 404);
    assert_eq!(refusal(house.ask("GET", "/api/events/1.md")).await.0, 404);
    assert_eq!(refusal(house.ask("POST", "/talk.md")).await.0, 405);
    let api = house.ask("GET", "/api/status").header("accept", "text/markdown").send().await.expect("an answer");
    assert_eq!(api.headers()["content-type"], "application/json");
    house.end().await;
}
