//! Thoughts, messages, folders, sessions, tokens, spending, state and cursors.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use support::{BEGIN, House, at, wait};
use timmy_domain::message::{MessageStatus, Speaker};
use timmy_domain::observation::{ObservationKind, WATCHED_FOLDERS_MAX};
use timmy_domain::thought::{Place, THOUGHT_CHARS_MAX, Thought};
use timmy_domain::{Actor, Event, SeedType};
use timmy_store::{EventQuery, NewAnswer, NewMessage, NewThought, Spent, Store, StoreError, ThoughtQuery};

fn new_thought(content: &str) -> NewThought {
    NewThought {
        content: content.into(),
        seed_type: SeedType::Memory,
        seed_note: "a note".into(),
        provider: "scripted".into(),
        model: "m".into(),
        place: Place::Local,
        duration_ms: 12,
        tokens: 34,
        actor: Actor::Timmy,
        cause: None,
    }
}

fn think(store: &Store, new: NewThought) -> Thought {
    store.write_blocking(move |tx| tx.insert_thought(&new)).unwrap()
}

#[test]
fn thoughts_chain_over_a_restart_and_are_reported() {
    let house = House::new();
    let store = house.open();
    let first = think(&store, new_thought("one"));
    assert_eq!(first.parent_id, None);
    wait(store.close());
    let store = house.open();
    let long = "word ".repeat(1_000);
    let second = think(&store, NewThought { cause: Some(1), ..new_thought(&long) });
    assert_eq!(second.parent_id, Some(first.id));
    assert!(second.content.chars().count() <= THOUGHT_CHARS_MAX);
    let (read, event, chain, children) = store
        .read_blocking(move |r| {
            let read = r.thought(second.id)?;
            Ok((read, r.event(second.seq)?, r.chain(second.id)?, r.thought_children(first.id)?))
        })
        .unwrap();
    let read = read.unwrap();
    assert_eq!(chain.iter().map(|t| t.id).collect::<Vec<_>>(), [first.id, read.id]);
    assert_eq!((children.len(), &children[0]), (1, &read));
    let event = event.unwrap();
    assert_eq!((event.name.as_str(), event.source.as_str()), ("timmy.thought", "thinking"));
    assert_eq!((event.agent_id.as_deref(), event.cause), (Some("timmy"), Some(1)));
    let Event::Thought(body) = event.event() else { panic!("not a thought") };
    assert!(body.content.chars().count() <= 200 && read.content.starts_with("word word"));
}

#[test]
fn chains_stop_at_twenty_links_and_unknown_ids_give_none() {
    let house = House::new();
    let store = house.open();
    let thoughts: Vec<Thought> = (0..25).map(|n| think(&store, new_thought(&n.to_string()))).collect();
    let last = thoughts[24].id;
    let chain = store.read_blocking(move |r| r.chain(last)).unwrap();
    let words: Vec<_> = chain.iter().map(|t| t.content.clone()).collect();
    assert_eq!(words, (5..25).map(|n| n.to_string()).collect::<Vec<_>>());
    let unknown = timmy_domain::ThoughtId::new(1, &[1; 10]);
    assert!(store.read_blocking(move |r| r.chain(unknown)).unwrap().is_empty());
    assert!(store.write_blocking(move |tx| tx.set_kept(unknown, true)).unwrap().is_none());
}

#[test]
fn thoughts_are_found_by_seed_keeping_and_position() {
    let house = House::new();
    let store = house.open();
    let mut all = Vec::new();
    for n in 0..10 {
        house.set_clock(BEGIN + n);
        let seed_type = if n % 3 == 0 { SeedType::Swarm } else { SeedType::Creative };
        all.push(think(&store, NewThought { seed_type, ..new_thought(&n.to_string()) }));
    }
    let kept = all[4].id;
    let thought = store.write_blocking(move |tx| tx.set_kept(kept, true)).unwrap().unwrap();
    assert!(thought.kept && !thought.fewer);
    let fewer = store.write_blocking(move |tx| tx.set_fewer(kept, true)).unwrap().unwrap();
    assert!(fewer.kept && fewer.fewer);
    assert_eq!(store.last_seq(), 10, "neither appends an event");
    let find = |query: ThoughtQuery| {
        let found = store.read_blocking(move |r| r.thoughts(&query)).unwrap();
        found.iter().map(|t| t.content.clone()).collect::<Vec<_>>().join(" ")
    };
    let base = ThoughtQuery::default;
    assert_eq!(find(base()), "9 8 7 6 5 4 3 2 1 0");
    assert_eq!(find(ThoughtQuery { seed: Some(SeedType::Swarm), ..base() }), "9 6 3 0");
    assert_eq!(find(ThoughtQuery { kept: Some(true), ..base() }), "4");
    assert_eq!(find(ThoughtQuery { kept: Some(false), limit: 2, ..base() }), "9 8");
    assert_eq!(find(ThoughtQuery { before: Some(all[3].seq), limit: 2, ..base() }), "2 1");
    assert_eq!(store.read_blocking(|r| r.thought_count()), Ok(10));
}

#[test]
fn words_of_a_newer_version_read_as_the_nearest_safe_ones() {
    let house = House::new();
    let store = house.open();
    think(&store, new_thought("a"));
    think(&store, new_thought("b"));
    let question = ask(&store, "hello");
    let folder = store.write_blocking(|tx| tx.add_folder("/k", "k")).unwrap().id;
    store.write_blocking(move |tx| tx.insert_observation(folder, ObservationKind::Survey, "s", "d")).unwrap();
    house
        .raw()
        .execute_batch(
            "UPDATE thoughts SET seed_type = 'dream', place = 'moon' WHERE content = 'a';
             UPDATE messages SET status = 'pondered', speaker = 'moon', place = 'moon';
             UPDATE observations SET kind = 'smell';",
        )
        .unwrap();
    let (thoughts, messages, seen) =
        store.read_blocking(|r| Ok((r.latest_thoughts(9)?, r.messages(None, 9)?, r.observations(9)?))).unwrap();
    assert_eq!((thoughts.len(), thoughts[1].seed_type), (2, SeedType::Freeform));
    assert_eq!(messages[0].id, question);
    assert_eq!((messages[0].speaker, messages[0].status), (Speaker::Timmy, MessageStatus::Done));
    assert_eq!(seen[0].kind, ObservationKind::Files);
    house.raw().execute_batch("UPDATE thoughts SET id = 'not an id' WHERE content = 'b'").unwrap();
    assert_eq!(store.read_blocking(|r| r.latest_thoughts(9)).unwrap().len(), 1);
}

fn ask(store: &Store, content: &str) -> timmy_domain::MessageId {
    let new = NewMessage {
        speaker: Speaker::Owner,
        content: content.into(),
        about_thought: None,
        channel: "cli".into(),
        cause: None,
    };
    store.write_blocking(move |tx| tx.insert_message(&new)).unwrap().id
}

fn answer(status: MessageStatus, place: Option<Place>, cause: Option<i64>) -> NewAnswer {
    NewAnswer {
        status,
        content: "because".into(),
        provider: "scripted".into(),
        model: "m".into(),
        place,
        duration_ms: 5,
        tokens: 6,
        cause,
    }
}

#[test]
fn a_question_is_open_until_its_one_answer() {
    let house = House::new();
    let store = house.open();
    let (one, two) = (ask(&store, "why"), ask(&store, "how"));
    let open = store.read_blocking(move |r| Ok([r.message(one)?, r.message(two)?])).unwrap();
    assert!(open.iter().flatten().all(|m| m.status == MessageStatus::Open) && open.iter().all(Option::is_some));
    let seq = store.read_blocking(move |r| r.message_seq(one)).unwrap();
    assert_eq!(seq, Some(1));
    let reply = answer(MessageStatus::Done, Some(Place::Local), seq);
    let stored = store.write_blocking(move |tx| tx.answer_message(one, &reply.clone())).unwrap();
    assert_eq!((stored.answers, stored.channel.as_str()), (Some(one), "cli"));
    let (asked, got, event) =
        store.read_blocking(move |r| Ok((r.message(one)?, r.answer_to(one)?, r.event(3)?))).unwrap();
    assert_eq!(asked.unwrap().status, MessageStatus::Answered);
    assert_eq!(got.as_ref(), Some(&stored));
    let event = event.unwrap();
    assert_eq!((event.name.as_str(), event.cause), ("message.replied", Some(1)));
    assert_eq!(event.actor, "timmy");

    let again = answer(MessageStatus::Failed, None, None);
    let error = store.write_blocking(move |tx| tx.answer_message(one, &again)).unwrap_err();
    assert_eq!(error.problem().code, "answered");
    for bad in [answer(MessageStatus::Open, None, None), answer(MessageStatus::Done, None, None)] {
        assert!(store.write_blocking(move |tx| tx.answer_message(two, &bad)).is_err());
    }
    assert_eq!(store.last_seq(), 3, "refused answers leave nothing");
    let failed = answer(MessageStatus::Failed, None, Some(2));
    store.write_blocking(move |tx| tx.answer_message(two, &failed)).unwrap();
    let three = ask(&store, "when");
    let stopped = answer(MessageStatus::Stopped, Some(Place::Local), None);
    store.write_blocking(move |tx| tx.answer_message(three, &stopped)).unwrap();
    let names: Vec<String> = store
        .read_blocking(|r| r.events(&EventQuery { after: Some(3), ..Default::default() }))
        .unwrap()
        .into_iter()
        .map(|r| r.name)
        .collect();
    assert_eq!(names, ["message.failed", "message.received", "message.stopped"]);
    let (newest, older) =
        store.read_blocking(move |r| Ok((r.messages(None, 2)?, r.messages(Some(three), 9)?))).unwrap();
    assert_eq!((newest.len(), newest[1].id, older.len()), (2, three, 4));
    assert_eq!(older[3].id, one);
}

#[test]
fn folders_are_unique_bounded_and_take_their_observations_along() {
    let house = House::new();
    let store = house.open();
    let kelp = store.write_blocking(|tx| tx.add_folder("/home/kelp", "kelp")).unwrap();
    let again = store.write_blocking(|tx| tx.add_folder("/home/kelp", "k")).unwrap_err();
    assert!(matches!(again, StoreError::Exists { .. }));
    let other = store.write_blocking(|tx| tx.add_folder("/home/other", "other")).unwrap();
    let (a, b) = (kelp.id, other.id);
    store
        .write_blocking(move |tx| {
            tx.insert_observation(b, ObservationKind::Survey, "other's", "d")?;
            for n in 0..510 {
                tx.insert_observation(a, ObservationKind::Commits, &n.to_string(), "d")?;
            }
            Ok(())
        })
        .unwrap();
    let newest = store.read_blocking(|r| r.observations(1_000)).unwrap();
    assert_eq!(newest.len(), 501);
    assert_eq!((newest[0].summary.as_str(), newest[0].folder.as_str()), ("509", "kelp"));
    assert_eq!(newest[499].summary, "10");
    assert_eq!(newest[500].folder_id, b);

    let scanned = store.write_blocking(move |tx| {
        tx.folder_scanned(a, Some("m1"), "", at(5))?;
        tx.folder_scanned(a, None, "gone", at(9))
    });
    assert_eq!(scanned, Ok(true));
    let kelp = store.read_blocking(move |r| r.folder(a)).unwrap().unwrap();
    assert_eq!((kelp.mark.as_deref(), kelp.error.as_str(), kelp.scanned_at), (Some("m1"), "gone", Some(at(9))));
    let gone = store.write_blocking(|tx| tx.remove_folder("/home/kelp")).unwrap();
    assert_eq!(gone, Some(kelp));
    assert_eq!(store.read_blocking(|r| r.observations(9)).unwrap().len(), 1);
    let missing = store.write_blocking(move |tx| tx.insert_observation(a, ObservationKind::Files, "s", "d"));
    assert!(matches!(missing, Err(StoreError::Unknown { .. })));
    let full = store.write_blocking(|tx| {
        for n in 0..=WATCHED_FOLDERS_MAX {
            tx.add_folder(&format!("/f/{n}"), "f")?;
        }
        Ok(())
    });
    assert!(matches!(full, Err(StoreError::Full { .. })));
    assert_eq!(store.read_blocking(|r| r.folders()).unwrap().len(), 1);
}

#[test]
fn sessions_and_tokens_come_and_go() {
    let house = House::new();
    let store = house.open();
    let (a, b) = ([1; 32], [2; 32]);
    store
        .write_blocking(move |tx| {
            tx.insert_session(&a, "csrf-a", at(1), at(10), "Firefox")?;
            tx.insert_session(&b, "csrf-b", at(1), at(20), "phone")?;
            tx.touch_session(&b, at(7))
        })
        .unwrap();
    let session = store.read_blocking(move |r| r.session(&b)).unwrap().unwrap();
    assert_eq!((session.csrf.as_str(), session.seen_at, session.expires_at), ("csrf-b", at(7), at(20)));
    assert_eq!(store.write_blocking(|tx| tx.prune_sessions(at(10))), Ok(1));
    assert_eq!(store.read_blocking(move |r| r.session(&a)).unwrap(), None);
    assert_eq!(store.write_blocking(move |tx| tx.delete_session(&a)), Ok(false));
    assert_eq!(store.write_blocking(move |tx| tx.delete_session(&b)), Ok(true));

    let token = store.write_blocking(move |tx| tx.insert_token("ci", "read", &a, None)).unwrap();
    let taken = store.write_blocking(move |tx| tx.insert_token("ci", "admin", &b, None));
    assert!(matches!(taken, Err(StoreError::Exists { .. })));
    store.write_blocking(|tx| tx.touch_token("ci", at(3))).unwrap();
    let found = store.read_blocking(move |r| r.token_by_hash(&a)).unwrap().unwrap();
    assert_eq!((found.scope.as_str(), found.used_at), ("read", Some(at(3))));
    assert_eq!(found.created_at, token.created_at);
    assert_eq!(store.read_blocking(|r| r.tokens()).unwrap(), [found]);
    assert_eq!(store.write_blocking(|tx| tx.revoke_token("ci")), Ok(true));
    assert_eq!(store.write_blocking(|tx| tx.revoke_token("ci")), Ok(false));
    assert_eq!(store.read_blocking(move |r| r.token_by_hash(&a)).unwrap(), None);
    assert!(store.write_blocking(move |tx| tx.insert_token("ci", "admin", &b, None)).is_ok());
}

#[test]
fn spending_adds_up_per_day_and_purpose_and_state_and_cursors_outlive_a_run() {
    let house = House::new();
    let store = house.open();
    store
        .write_blocking(|tx| {
            tx.spend("2026-11-21", "thinking", 1, 100)?;
            tx.spend("2026-11-21", "chat", 1, 7)?;
            tx.set_state("paused", "yes")?;
            tx.set_state("gone", "x")?;
            tx.clear_state("gone")?;
            tx.set_cursor("world", 5)?;
            tx.set_cursor("world", 9)
        })
        .unwrap();
    let sum = store.write_blocking(|tx| tx.spend("2026-11-21", "thinking", 2, 50)).unwrap();
    assert_eq!(sum, Spent { calls: 3, tokens: 150 });
    wait(store.close());
    let store = house.open();
    store
        .read_blocking(|r| {
            assert_eq!(r.spent("2026-11-21", "thinking")?, sum_of(3, 150));
            assert_eq!(r.spent("2026-11-22", "thinking")?, Spent::default());
            assert_eq!(r.state("paused")?.as_deref(), Some("yes"));
            assert_eq!(r.state("gone")?, None);
            assert_eq!((r.cursor("world")?, r.cursor("nobody")?), (9, 0));
            Ok(())
        })
        .unwrap();
}

fn sum_of(calls: i64, tokens: i64) -> Spent {
    Spent { calls, tokens }
}

#[test]
fn a_message_is_opened_again_without_the_failure_and_with_the_part_that_was_stopped() {
    let house = House::new();
    let store = house.open();
    let asked = ask(&store, "why");
    let seq = store.read_blocking(move |r| r.message_seq(asked)).unwrap();
    let failed = answer(MessageStatus::Failed, None, seq);
    let failed = store.write_blocking(move |tx| tx.answer_message(asked, &failed)).unwrap();
    let open = store.write_blocking(move |tx| tx.reopen_message(asked)).unwrap().unwrap();
    assert_eq!(open.status, MessageStatus::Open);
    assert_eq!(store.read_blocking(move |r| r.message(failed.id)), Ok(None), "its event stays in the log");
    let stopped = answer(MessageStatus::Stopped, None, seq);
    let stopped = store.write_blocking(move |tx| tx.answer_message(asked, &stopped)).unwrap();
    store.write_blocking(move |tx| tx.reopen_message(asked)).unwrap();
    let kept = store.read_blocking(move |r| r.message(stopped.id)).unwrap().unwrap();
    assert_eq!(kept.answers, None, "its words stay, and it is no longer the answer");
    let whole = answer(MessageStatus::Done, Some(Place::Local), seq);
    store.write_blocking(move |tx| tx.answer_message(asked, &whole)).unwrap();
    let found = store.read_blocking(move |r| r.answer_to(asked)).unwrap().unwrap();
    assert_eq!(found.status, MessageStatus::Done);
    let nobody = timmy_domain::MessageId::new(1, &[9; 10]);
    assert_eq!(store.write_blocking(move |tx| tx.reopen_message(nobody)), Ok(None));
}
