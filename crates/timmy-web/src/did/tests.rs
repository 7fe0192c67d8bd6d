//! Every act is carried over a redirect, and can be taken back.

use super::*;
use crate::look::tasks::Draft;

fn all() -> Vec<Did> {
    let id: ThoughtId = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11".parse().expect("an id");
    let task: TaskId = "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a12".parse().expect("an id");
    let mut all = vec![
        Did::Kept(id),
        Did::Released(id),
        Did::Fewer(id),
        Did::Unfewer(id),
        Did::Watched(7),
        Did::Unwatched("/home/ada/größe; x=1".to_owned()),
        Did::Paused(None),
        Did::Paused(Some(90)),
        Did::Resumed(Some(12)),
        Did::Resumed(None),
        Did::TaskMade(task),
        Did::PlanApproved("0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a13".parse().expect("an id")),
        Did::TaskPaused(task),
        Did::TaskAside(task),
        Did::TaskTakenUp(task),
        Did::TaskMoved(task, -5, Priority::High),
        Did::TaskApproved(task),
        Did::TaskSaid(Said::of(task, Draft { title: "Größe; x=1".to_owned(), ..Draft::default() }).expect("short")),
        Did::Bulk(Bulk::of("pause", vec![task, task]).expect("an opposite")),
        Did::Several(2, 1),
        Did::several(2, 1, &[("Größe".to_owned(), "It is vetoed, so “approve” does not fit.".to_owned())]),
        Did::RouterSwitched("ollama".to_owned(), true),
        Did::RouterSwitched("my-server".to_owned(), false),
        Did::RouterOrdered(Vec::new()),
        Did::RouterOrdered(vec!["engine".to_owned(), "ollama".to_owned()]),
        Did::RouterReset("ollama".to_owned()),
        Did::Local { minutes: 60, before: 0 },
        Did::Local { minutes: 0, before: 41 },
    ];
    all.extend(Note::ALL.iter().map(|(note, _, _)| Did::Note(*note)));
    all
}

#[test]
fn a_cookie_carries_every_act_over_a_redirect() {
    for did in all() {
        assert_eq!(Did::parse(&did.coded()), Some(did.clone()), "{}", did.coded());
        let fits = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        assert!(did.coded().chars().all(fits), "{}", did.coded());
        assert!(did.text().ends_with('.'), "{}", did.text());
    }
    for nonsense in ["", "kept", "kept.", "kept.x", "unwatched.zz", "unwatched.0a", "paused.-1", "note.x", "x.y"] {
        assert_eq!(Did::parse(nonsense), None, "{nonsense}");
    }
}

#[test]
fn every_act_but_a_note_is_taken_back_by_a_route_that_exists() {
    for did in all() {
        let Some(undo) = did.undo() else {
            assert!(matches!(did, Did::Note(_) | Did::Told(_) | Did::Several(..)), "{did:?}");
            continue;
        };
        let part = |part: &str| {
            if part.contains('-') || part.parse::<i64>().is_ok() { "{id}".to_owned() } else { part.to_owned() }
        };
        let path = undo.route.split('/').map(part).collect::<Vec<_>>().join("/");
        let route = crate::routes::TABLE.iter().find(|route| route.path == path);
        assert!(route.is_some_and(|route| route.verbs.contains("POST")), "{path}");
    }
    assert_eq!(length(60), "1 h");
    assert_eq!(length(90), "90 min");
}

#[test]
fn a_header_carries_any_text() {
    assert_eq!(ascii("{\"t\":\"größe \u{1F525}\n\"}"), "{\"t\":\"gr\\u00f6\\u00dfe \\ud83d\\udd25\\u000a\"}");
}
