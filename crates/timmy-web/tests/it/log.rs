//! The log: the filter in every door, the histogram, the seconds around an event, and the export.

use std::time::Duration;

use serde_json::Value;
use timmy_domain::event::{LoginFailed, ThinkingResumed, WatchFailed};
use timmy_domain::{Actor, NewEvent};

use crate::house::{Browser, House, refusal};

/// A house whose log has something to find, a second apart: twenty resumed, five failed logins, three folders that
/// cannot be read, the last of them because of the one before.
async fn full() -> House {
    let house = House::quiet().await;
    let store = &house.engine.app.ctx.store;
    let mut events: Vec<NewEvent> =
        (0..20).map(|_| NewEvent::new("thinking", ThinkingResumed {}).by(Actor::Owner)).collect();
    let failed = |n| LoginFailed { how: "code".into(), failures: n };
    events.extend((0..5).map(|n| NewEvent::new("login", failed(n)).by(Actor::Stranger)));
    for event in events {
        house.engine.clock.advance(Duration::from_secs(1));
        store.append(vec![event]).await.expect("written");
    }
    let unread = |n: i64| WatchFailed { folder_id: n, path: format!("/a{n}"), why: "the disk is \"full\"".into() };
    for n in 1..=3 {
        house.engine.clock.advance(Duration::from_secs(1));
        let cause = (n == 3).then(|| store.last_seq());
        let event = NewEvent::new("watch", unread(n)).caused_by(cause).agent("timmy");
        store.append(vec![event]).await.expect("written");
    }
    house
}

async fn count(house: &House, q: &str) -> usize {
    let encoded: String = q.bytes().map(|b| format!("%{b:02X}")).collect();
    let list = house.get(&format!("/api/events?limit=1000&q={encoded}")).await;
    list["items"].as_array().expect("a list").len()
}

async fn page(house: &House, browser: &Browser, path: &str) -> (u16, String) {
    let answer = house.browse(browser, "GET", path).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// The values of an attribute, in their order.
fn values<'t>(text: &'t str, attribute: &str) -> Vec<&'t str> {
    let open = format!("{attribute}=\"");
    text.split(open.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

// shows: api: /api/events?q= takes the same filter as the page, and the fields of before still hold
#[tokio::test(flavor = "multi_thread")]
async fn one_filter_for_programs_and_people() {
    let house = full().await;
    let all = count(&house, "").await;
    let rows = [
        ("type:watch.failed", 3),
        ("-type:watch.* -type:login.*", all - 8),
        ("severity:warning", 8),
        ("severity:warning -type:login.*", 3),
        ("actor:stranger source:login", 5),
        ("agent:timmy", 3),
        ("agent:tim", 0),
        ("text:\"is \\\"full\\\"\"", 3),
        ("disk /a2", 1),
        ("disk /a9", 0),
        ("type:thinking.resumed since:7s", 0),
        ("type:login.failed since:7s until:5s", 3),
        ("type:watch.failed since:2020-01-01", 3),
        ("type:watch.failed until:2020-01-01", 0),
    ];
    for (q, wanted) in rows {
        assert_eq!(count(&house, q).await, wanted, "{q}");
    }
    let last = house.engine.app.ctx.store.last_seq();
    assert_eq!(count(&house, &format!("cause:{}", last - 1)).await, 1);
    assert_eq!(count(&house, &format!("after:{}", last - 2)).await, 2);
    assert_eq!(count(&house, &format!("after:{} before:{last}", last - 2)).await, 1);
    let both = house.get("/api/events?q=severity:warning&type=watch.*&text=disk&actor=system&limit=2").await;
    assert_eq!(both["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(both["next"], both["items"][1]["seq"]);
    assert_eq!(refusal(house.ask("GET", "/api/events?q=typ:a")).await, (422, "bad_filter".into()));
    assert_eq!(refusal(house.ask("GET", "/api/events?q=type:a&type=b")).await, (422, "bad_filter".into()));
    assert_eq!(refusal(house.ask("GET", "/swarm/events/rows?q=since:soon")).await, (422, "bad_filter".into()));
    house.end().await;
}

// shows: dashboard: the filter of the log is one text, its parts are taken away one by one without scripts
#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_its_filter_in_parts_and_explains_what_it_refuses() {
    let house = full().await;
    let browser = house.browser().await;
    let (status, text) = page(&house, &browser, "/swarm/events?q=severity:warning%20type:watch.*").await;
    assert_eq!((status, text.matches("<tr id=\"event-").count()), (200, 3), "{text}");
    assert!(text.contains("value=\"severity:warning type:watch.*\""));
    let hrefs = values(&text, "href");
    assert!(hrefs.contains(&"/swarm/events?q=type:watch.*") && hrefs.contains(&"/swarm/events?q=severity:warning"));
    assert!(hrefs.contains(&"/swarm/events/export?q=severity:warning%20type:watch.*"));
    assert!(text.contains("data-live=\"watch.*\""), "the live rows follow the filter");
    let (status, old) = page(&house, &browser, "/swarm/events?type=watch.*&severity=warning&actor=&text=").await;
    assert!(status == 200 && old.contains("value=\"type:watch.* severity:warning\""), "addresses of before still hold");
    for (path, wanted) in [
        ("/swarm/events?q=sevrity:error", "severity:"),
        ("/swarm/events?q=%22open", "never closed"),
        ("/swarm/events?type=a..b", "a..b"),
    ] {
        let (status, text) = page(&house, &browser, path).await;
        assert!(status == 200 && text.contains("id=\"q-problem\"") && text.contains(wanted), "{path}: {text}");
    }
    let (_, text) = page(&house, &browser, "/swarm/events?q=type:watch.faild").await;
    assert!(text.contains("The nearest is watch.failed"), "{text}");
    house.end().await;
}

// shows: dashboard: the histogram counts what fits the filter, and each of its stretches narrows the list to it
#[tokio::test(flavor = "multi_thread")]
async fn a_stretch_of_the_histogram_is_a_link_that_narrows_the_list() {
    let house = full().await;
    let browser = house.browser().await;
    let (_, text) = page(&house, &browser, "/swarm/events?q=type:watch.*&span=1h").await;
    assert!(text.contains("3 events that fit in the last hour, 3 of them warnings or errors."), "{text}");
    let zoom = values(&text, "href").into_iter().find(|h| h.contains("since:") && h.contains("until:"));
    let zoom = zoom.expect("a stretch with events").replace("&#38;", "&");
    let (status, near) = page(&house, &browser, &zoom).await;
    assert!(status == 200 && near.contains("in this time") && near.contains("<tr id=\"event-"), "{zoom}: {near}");
    assert!(values(&near, "href").contains(&"/swarm/events?q=type:watch.*&#38;span=1h"), "a span widens it again");
    // What is counted grows with the log, without counting everything anew.
    for round in 4..7 {
        let failed = WatchFailed { folder_id: round, path: "/a".into(), why: "the disk is gone".into() };
        house.engine.app.ctx.store.append(vec![NewEvent::new("watch", failed)]).await.expect("written");
        let (_, text) = page(&house, &browser, "/swarm/events?q=type:watch.*&span=1h").await;
        assert!(text.contains(&format!("{round} events that fit in the last hour")), "{round}: {text}");
        house.engine.clock.advance(Duration::from_secs(400));
    }
    let (_, all) = page(&house, &browser, "/swarm/events?span=all").await;
    assert!(all.contains(" events in all"), "{all}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_rows_are_always_the_newest() {
    let house = House::quiet().await;
    let browser = house.browser().await;
    let seqs = |text: &str| -> Vec<i64> {
        text.split("<tr id=\"event-").skip(1).filter_map(|row| row.split('"').next()?.parse().ok()).collect()
    };
    for (count, wait) in [(0, 0), (3, 1), (0, 1), (50, 1), (51, 1), (170, 1), (1, 0), (0, 90_000), (2, 1)] {
        house.write(count).await;
        house.engine.clock.advance(Duration::from_secs(wait));
        let last = house.engine.app.ctx.store.last_seq();
        let (_, text) = page(&house, &browser, "/swarm/events").await;
        let wanted: Vec<i64> = (1..=last).rev().take(50).collect();
        assert_eq!(seqs(&text), wanted, "after {count} more");
        assert_eq!(text.contains(&format!("href=\"/swarm/events?before={}\"", last - 49)), last > 50, "{count}");
        let shown = text.split("</time>").next().and_then(|t| t.rsplit('>').next()).unwrap_or_default();
        let (_, plain) = page(&house, &browser, &format!("/swarm/events?before={}", last + 1)).await;
        assert!(plain.contains(&format!(">{shown}</time>")), "{shown} is what a page drawn anew says too");
        let rows =
            |text: &str| text[text.find("<tr id=").expect("rows")..text.find("</tbody>").expect("rows")].to_owned();
        assert_eq!(rows(&text).trim(), rows(&plain).trim());
    }
    house.end().await;
}

// shows: dashboard: thirty seconds around an event are one press away, with the event marked
#[tokio::test(flavor = "multi_thread")]
async fn the_seconds_around_an_event_are_a_page() {
    let house = full().await;
    let browser = house.browser().await;
    let last = house.engine.app.ctx.store.last_seq();
    house.engine.clock.advance(Duration::from_secs(120));
    house.write(3).await;
    let middle = last - 4;
    let (status, text) = page(&house, &browser, &format!("/swarm/events?around={middle}")).await;
    assert_eq!(status, 200);
    let marked = text.split("<tr id=\"").find(|row| row.contains("aria-current=\"true\"") && row.starts_with("event-"));
    assert!(marked.is_some_and(|row| row.starts_with(&format!("event-{middle}\""))), "{text}");
    assert!(text.contains(&format!("event-{last}\"")) && !text.contains(&format!("event-{}\"", last + 1)));
    assert!(!text.contains("data-live=\"*\" data-fragment=\"/swarm/events/rows"), "what was does not grow");
    let near = format!("href=\"/swarm/events?around={middle}\"");
    assert!(page(&house, &browser, "/swarm/events").await.1.contains(&near));
    assert!(page(&house, &browser, &format!("/swarm/events/{middle}")).await.1.contains(&near));
    assert_eq!(refusal(house.ask("GET", "/swarm/events?around=999999")).await.0, 404);
    assert_eq!(refusal(house.ask("GET", "/swarm/events?around=x")).await.0, 422);
    house.end().await;
}

// shows: dashboard: the log leaves as a file, one event a line, as much as fits the filter
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_exported_line_by_line() {
    let house = full().await;
    house.write(2_500).await;
    let last = house.engine.app.ctx.store.last_seq();
    let answer = house.ask("GET", "/swarm/events/export").send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson; charset=utf-8");
    let name = answer.headers()["content-disposition"].to_str().expect("text").to_owned();
    assert!(name.starts_with("attachment; filename=\"timmy-events-") && name.ends_with(".ndjson\""), "{name}");
    let text = answer.text().await.expect("text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let seqs: Vec<i64> = lines.iter().filter_map(|line| line["seq"].as_i64()).collect();
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
    assert_eq!(lines[3], house.get("/api/events/4").await, "the same envelope as everywhere");

    let some = house.ask("GET", "/swarm/events/export?q=type:watch.*%20severity:warning&after=2").send().await;
    let some = some.expect("an answer").text().await.expect("text");
    assert_eq!(some.lines().count(), 3);
    let none = house.ask("GET", "/swarm/events/export?q=type:no.such").send().await.expect("an answer");
    assert_eq!((none.status().as_u16(), none.text().await.expect("text").as_str()), (200, ""));
    assert_eq!(refusal(house.ask("GET", "/swarm/events/export?q=x:")).await, (422, "bad_filter".into()));
    assert_eq!(house.bare("GET", "/swarm/events/export").send().await.expect("an answer").status(), 401);
    assert!(!text.contains(timmy_testkit::engine::RUN_TOKEN), "no key is in it");
    house.end().await;
}

// shows: dashboard: an export is read as it is written, and its place is free again when the reader goes
#[tokio::test(flavor = "multi_thread")]
async fn an_export_ends_with_its_reader() {
    let house = House::quiet().await;
    for _ in 0..20 {
        house.write(1_000).await;
    }
    let begin = || async { house.ask("GET", "/swarm/events/export").send().await.expect("an answer") };
    let (first, second) = (begin().await, begin().await);
    assert_eq!((first.status().as_u16(), second.status().as_u16()), (200, 200));
    // Far less is buffered on the way than there is, so both are still being written.
    assert_eq!(refusal(house.ask("GET", "/swarm/events/export")).await, (429, "exports_busy".into()));
    drop(first);
    let again = async {
        loop {
            if begin().await.status() == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("its place is free again");
    drop(second);
    house.end().await;
}
