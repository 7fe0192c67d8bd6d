//! A log from which old events were removed: lists, one event, the check and causes say so.

use std::time::Duration;

use serde_json::Value;
use timmy_domain::event::{LoginFailed, ThinkingResumed};
use timmy_domain::{NewEvent, Seq};
use timmy_store::{Expiry, Removed};

use crate::house::House;

/// Two events for the operator and one for the owner, again and again; each owner's event was caused by the one before.
pub async fn grow(house: &House, count: i64) {
    let first = house.engine.app.ctx.store.last_seq() + 1;
    let event = |n: i64| match n % 3 {
        2 => NewEvent::new("test", ThinkingResumed {}).caused_by(first + n - 1),
        _ => NewEvent::new("web", LoginFailed { how: "code".into(), failures: 1 }),
    };
    house.engine.app.ctx.store.append((0..count).map(event).collect()).await.expect("stored");
}

/// Lets everything for the operator go that may.
pub async fn thin(house: &House) -> Removed {
    house.engine.clock.advance(Duration::from_secs(40 * 86_400));
    let expiry = Expiry { operator_before: Some(house.engine.app.ctx.now()), debug_before: None, stay_from: Seq::MAX };
    let store = &house.engine.app.ctx.store;
    for block in store.read(move |r| r.expired_blocks(&expiry, 1_000)).await.expect("planned") {
        store.write(move |tx| tx.thin(&expiry, &[block])).await.expect("thinned");
    }
    store.read(|r| r.removed()).await.expect("read")
}

// shows: api: an event that retention removed is answered with 404 and why, and lists go on over the gaps
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_kept_is_said_to_be_so() {
    let house = House::quiet().await;
    grow(&house, 3_000).await;
    let removed = thin(&house).await;
    assert!(removed.rows > 400, "{removed:?}");
    let store = &house.engine.app.ctx.store;
    let gone = store.read(move |r| (1..removed.last).map(|s| Ok((s, r.removed_by(s)?))).collect::<Result<Vec<_>, _>>());
    let gone: Vec<Seq> = gone.await.expect("read").into_iter().filter_map(|(seq, by)| by.map(|_| seq)).collect();
    assert_eq!(gone.len() as i64, removed.rows - 1);

    // One event.
    for path in [format!("/api/events/{}", gone[0]), format!("/swarm/events/{}", gone[0])] {
        let answer = house.ask("GET", &path).send().await.expect("answered");
        assert_eq!(answer.status(), 404, "{path}");
        let text = answer.text().await.expect("text");
        assert!(text.contains("is no longer kept") && text.contains("30 days"), "{path}: {text}");
    }
    let never = house.ask("GET", "/api/events/999999").send().await.expect("answered");
    assert!(!never.text().await.expect("text").contains("no longer kept"));

    // What it caused says where its causes begin.
    let orphan = house.get(&format!("/api/events/{}?chain=true", gone[gone.len() / 2 / 2 * 2 + 1] + 1)).await;
    assert_eq!(orphan["causes_begin_after"], orphan["cause"], "{orphan}");
    let page = house.ask("GET", &format!("/swarm/events/{}", orphan["seq"])).send().await.expect("answered");
    assert!(page.text().await.expect("text").contains("which is no longer kept"));

    // Every list goes on over the gaps, from both ends.
    let last = store.last_seq();
    let kept: Vec<Seq> = (1..=last).filter(|seq| !gone.contains(seq) && *seq != removed.last).collect();
    for (way, key) in [("", "after"), ("&newest=true", "before")] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let list = house.get(&format!("/api/events?limit=300{way}{cursor}")).await;
            seen.extend(list["items"].as_array().expect("items").iter().filter_map(|e| e["seq"].as_i64()));
            let Some(next) = list["next"].as_i64() else { break };
            cursor = format!("&{key}={next}");
        }
        seen.sort_unstable();
        assert_eq!(seen, kept, "{way}");
    }

    // The check says how much it proves.
    let report = house.get("/api/events/verify").await;
    assert_eq!((&report["ok"], report["removed"].as_i64()), (&Value::Bool(true), Some(removed.rows)), "{report}");
    assert_eq!(report["rows"].as_i64(), Some(last - removed.rows));
    assert_eq!(report["keys"].as_array().map(Vec::len), Some(1));
    house.end().await;
}
