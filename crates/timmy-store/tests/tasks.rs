//! The queue on the disk: whose turn it is, leases, rows of a newer version.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use support::{BEGIN, House, at};
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::{Act, Outcome};
use timmy_domain::task::{Lease, Priority, Status, Task};
use timmy_domain::{Actor, TaskId};
use timmy_store::{Store, TaskQuery};

fn make(store: &Store, title: &str, change: impl FnOnce(&mut NewTask)) -> Task {
    let mut new = NewTask::titled(title, Actor::Owner);
    change(&mut new);
    let new = new.checked(at(BEGIN)).unwrap();
    store.write_blocking(move |tx| tx.task_create(&new)).unwrap().task
}

fn picked(store: &Store, skip: &'static [&'static str]) -> Option<String> {
    store.write_blocking(move |tx| tx.task_pick("timmy", skip)).unwrap().map(|task| task.title)
}

fn start(store: &Store, id: TaskId, holder: &str) -> Task {
    let holder = holder.to_owned();
    let lease = move |now: timmy_domain::Timestamp| Lease { holder, until: now.plus(Duration::from_secs(60)) };
    store.write_blocking(move |tx| tx.task_step(id, Act::Start(lease(tx.now())), &Actor::System)).unwrap()
}

// shows: tasks: urgent comes before low, then the owner's order, then age; what waits for the owner blocks nothing
#[test]
fn the_turn_goes_by_priority_then_the_owners_order_then_age() {
    let house = House::new();
    let store = house.open();
    make(&store, "waits", |new| (new.requires_approval, new.priority) = (Some(true), Priority::Urgent));
    let old = make(&store, "old", |_| ());
    let young = make(&store, "young", |_| ());
    make(&store, "low", |new| new.priority = Priority::Low);
    assert_eq!(picked(&store, &[]).as_deref(), Some("old"));
    let (first, id) = (old.clone(), young.id);
    store
        .write_blocking(move |tx| {
            let position = tx.task_room(Priority::Normal, Some(&first))?;
            tx.task_step(id, Act::Move(position, Priority::Normal), &Actor::Owner)
        })
        .unwrap();
    assert_eq!(picked(&store, &[]).as_deref(), Some("young"));
    make(&store, "now", |new| (new.priority, new.task_type) = (Priority::Urgent, "odd".into()));
    assert_eq!(picked(&store, &[]).as_deref(), Some("now"));
    assert_eq!(picked(&store, &["odd"]).as_deref(), Some("young"));
}

// shows: tasks: a task that needs another is begun only when that one is completed
#[test]
fn a_task_waits_for_those_it_needs() {
    let house = House::new();
    let store = house.open();
    let base = make(&store, "base", |new| new.priority = Priority::Low);
    make(&store, "top", |new| (new.needs, new.priority) = (vec![base.id], Priority::Urgent));
    assert_eq!(picked(&store, &[]).as_deref(), Some("base"));
    start(&store, base.id, "w");
    assert_eq!(picked(&store, &[]), None);
    let finish = Act::Finish { holder: "w".into(), outcome: Outcome::Done("done".into()) };
    store.write_blocking(move |tx| tx.task_step(base.id, finish, &Actor::System)).unwrap();
    assert_eq!(picked(&store, &[]).as_deref(), Some("top"));
}

// shows: tasks: ten thousand forged or replayed leases change nothing
#[test]
fn forged_and_replayed_leases_change_nothing() {
    let house = House::new();
    let store = house.open();
    let task = make(&store, "mine", |_| ());
    start(&store, task.id, "first");
    house.set_clock(BEGIN + 61_000_000);
    store.write_blocking(move |tx| tx.task_step(task.id, Act::Recycle, &Actor::System)).unwrap();
    let held = start(&store, task.id, "second");
    let kept = store
        .write_blocking(move |tx| {
            let mut kept = 0;
            for n in 0..10_000 {
                // Every other one is the word of the lease that ended.
                let word = if n % 2 == 0 { "first".to_owned() } else { format!("second{n}") };
                kept += usize::from(tx.task_heartbeat(task.id, &word, tx.now())?);
                kept += usize::from(tx.task_note(task.id, &word, "forged")?);
                let act = Act::Finish { holder: word, outcome: Outcome::Done("forged".into()) };
                kept += usize::from(tx.task_step(task.id, act, &Actor::System).is_ok());
            }
            Ok(kept)
        })
        .unwrap();
    assert_eq!(kept, 0);
    assert_eq!(store.write_blocking(move |tx| tx.task(task.id)).unwrap(), Some(held));
}

// shows: tasks: a row of a newer version shows as such, breaks no list, and is not begun
#[test]
fn a_row_of_a_newer_version_breaks_no_list() {
    let house = House::new();
    let store = house.open();
    let odd = make(&store, "odd", |_| ());
    make(&store, "plain", |_| ());
    let change = "UPDATE task_queue SET status = 'dreaming', priority = 'banana', rank = 4, steps = '{', needs = '7' WHERE id = ?1";
    house.raw().execute(change, [odd.id.to_string()]).unwrap();
    let all = TaskQuery { limit: 10, ..TaskQuery::default() };
    let (page, counts) = store.write_blocking(move |tx| Ok((tx.tasks_page(&all)?, tx.task_counts()?))).unwrap();
    assert_eq!(page.iter().map(|task| task.status.as_str()).collect::<Vec<_>>(), ["approved", "dreaming"]);
    assert!(counts.iter().any(|one| one.status == "dreaming" && one.count == 1));
    assert!(store.write_blocking(move |tx| tx.task_step(odd.id, Act::Pause, &Actor::Owner)).is_err());
    assert_eq!(picked(&store, &[]).as_deref(), Some("plain"));
}

#[test]
fn the_same_key_makes_one_task_and_counts_follow() {
    let house = House::new();
    let store = house.open();
    let one = make(&store, "once", |new| new.idempotency_key = Some("k".into()));
    let two = make(&store, "twice", |new| new.idempotency_key = Some("k".into()));
    assert_eq!(one, two);
    store.write_blocking(move |tx| tx.task_step(one.id, Act::Veto(String::new()), &Actor::Owner)).unwrap();
    let counts = store.write_blocking(|tx| tx.task_counts()).unwrap();
    assert_eq!(counts.len(), 1);
    assert_eq!((counts[0].status.as_str(), counts[0].count), (Status::Vetoed.name(), 1));
}

// shows: tasks: every filter of the list, alone and with the others, gives what a look at each task gives
#[test]
fn every_filter_gives_what_a_look_at_each_task_gives() {
    let house = House::new();
    let store = house.open();
    let parent = make(&store, "parent", |_| ());
    for n in 0..64_usize {
        make(&store, &format!("{n}"), |new| {
            new.priority = Priority::ALL[n % 4];
            new.assigned_to = ["timmy", "forge"][n / 4 % 2].to_owned();
            new.requires_approval = Some(n / 8 % 2 == 0);
            new.parent_task_id = (n / 16 % 2 == 0).then_some(parent.id);
        });
    }
    let page = |query: TaskQuery| store.write_blocking(move |tx| tx.tasks_page(&query)).unwrap();
    let all = page(TaskQuery { limit: 1_000, ..TaskQuery::default() });
    assert_eq!(all.len(), 65);
    for which in 0..32_usize {
        let has = |bit: usize| which >> bit & 1 == 1;
        let query = TaskQuery {
            status: has(0).then_some(Status::PendingApproval),
            priority: has(1).then_some(Priority::High),
            assigned_to: has(2).then(|| "forge".to_owned()),
            parent: has(3).then_some(parent.id),
            kind: None,
            before: has(4).then_some(all[20].seq),
            limit: 1_000,
        };
        let fits = |task: &&Task| {
            query.status.is_none_or(|is| task.status.known == Some(is))
                && query.priority.is_none_or(|is| task.priority.known == Some(is))
                && query.assigned_to.as_ref().is_none_or(|is| task.assigned_to == *is)
                && query.parent.is_none_or(|is| task.parent_task_id == Some(is))
                && query.before.is_none_or(|before| task.seq < before)
        };
        let wanted: Vec<_> = all.iter().filter(fits).map(|task| task.id).collect();
        assert!(!wanted.is_empty(), "{query:?}");
        assert_eq!(page(query.clone()).iter().map(|task| task.id).collect::<Vec<_>>(), wanted, "{query:?}");
    }
}

#[test]
fn a_priority_that_nobody_knows_stands_in_nobodys_way() {
    let house = House::new();
    let store = house.open();
    let odd = make(&store, "odd", |new| new.priority = Priority::Urgent);
    let plain = make(&store, "plain", |new| new.task_type = "plain".into());
    house.raw().execute("UPDATE task_queue SET priority = 'soonest' WHERE id = ?1", [odd.id.to_string()]).unwrap();
    assert_eq!(picked(&store, &[]).as_deref(), Some("plain"));
    assert_eq!(picked(&store, &["odd"]).as_deref(), Some("plain"));
    assert_eq!(picked(&store, &["plain"]), None);
    assert_eq!(store.write_blocking(move |tx| tx.tasks_ahead(&plain)).unwrap(), 0);
}

#[test]
fn only_what_can_be_begun_stands_before_a_task() {
    let house = House::new();
    let store = house.open();
    let first = make(&store, "first", |_| ());
    make(&store, "needs", |new| new.needs = vec![first.id]);
    make(&store, "later", |new| new.not_before = Some(at(BEGIN + 60_000_000)));
    make(&store, "other", |new| new.assigned_to = "forge".into());
    make(&store, "asks", |new| new.requires_approval = Some(true));
    let last = make(&store, "last", |_| ());
    assert_eq!(store.write_blocking(move |tx| tx.tasks_ahead(&last)).unwrap(), 1);
}
