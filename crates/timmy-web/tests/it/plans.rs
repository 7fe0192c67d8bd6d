//! What a page asks of the database: how many statements, and whether any of them walks through a table.

use std::collections::BTreeMap;

use timmy_store::watched::{Ran, take};

use crate::house::House;
use crate::rich::{lived_in, living};

/// Tables that hold a handful of rows and are read as a whole.
const SMALL: [&str; 7] = ["watched_folders", "fewer", "tokens", "sessions", "state", "cursors", "task_counts"];
/// Statements the pages that are looked at most may run, the one that knows the visitor included.
const STATEMENTS_MAX: [(&str, usize); 4] = [("/", 10), ("/talk", 9), ("/thinking", 11), ("/swarm/events", 10)];
/// Statements any other page of the navigation may run.
const OTHERS_MAX: usize = 64;

/// The table a statement reads first.
fn table(sql: &str) -> &str {
    sql.split("FROM ").nth(1).and_then(|rest| rest.split([' ', ',', '\n', ')']).next()).unwrap_or("")
}

/// Whether a statement walks along the key and stops at its limit, whatever stands in the rows.
fn ends_at_its_limit(sql: &str) -> bool {
    sql.contains("LIMIT") && !sql.contains("WHERE")
}

// shows: dashboard: no statement behind a page walks through a table that grows
#[tokio::test(flavor = "multi_thread")]
async fn no_statement_behind_a_page_walks_through_a_growing_table() {
    let (models, parts) = living();
    let rich = lived_in(House::watched(models, &parts).await).await;
    let browser = rich.house.browser().await;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    // The first look at the log counts its histogram; what holds is what the second one asks.
    for look in 0..2 {
        for path in rich.pages() {
            let _ = take();
            let answer = rich.house.browse(&browser, "GET", &path).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{path}");
            answer.bytes().await.expect("a body");
            let ran: Vec<Ran> =
                take().into_iter().filter(|ran| ran.sql.starts_with("SELECT") || ran.sql.starts_with("WITH")).collect();
            assert!(!ran.is_empty(), "{path}: nothing was noted");
            for Ran { sql, walked } in &ran {
                let fine = *walked == 0 || SMALL.contains(&table(sql)) || ends_at_its_limit(sql);
                assert!(fine, "{path}: {walked} rows were walked through by {sql}");
            }
            if look == 1 {
                counts.insert(path, ran.len());
            }
        }
    }
    for (path, count) in &counts {
        println!("{count:>3}  {path}");
    }
    for page in timmy_web::nav::PAGES {
        let most = STATEMENTS_MAX.iter().find(|(route, _)| *route == page.route).map_or(OTHERS_MAX, |(_, most)| *most);
        let ran = counts[page.route];
        assert!(ran <= most, "{} runs {ran} statements: {counts:?}", page.route);
    }
    rich.house.end().await;
}
