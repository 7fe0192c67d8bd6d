//! The order of the queue and its leases, held against a model that keeps everything in a list.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use support::{BEGIN, House, at};
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::step::{Act, Outcome};
use timmy_domain::task::{LEASE_SECONDS, Lease, Priority, Status, Task};
use timmy_domain::{Actor, TaskId, Timestamp};
use timmy_store::{Store, TaskQuery};

const KINDS: [&str; 3] = ["write", "read", "sum"];
const SECOND: i64 = 1_000_000;

/// One thing that happens to the queue. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Happens {
    Make { priority: usize, kind: usize, asks: bool },
    Approve(usize),
    Veto(usize),
    Move { which: usize, before: Option<usize> },
    Take { skip: usize },
    Beat(usize),
    Finish(usize),
    Wait(i64),
    Recycle,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        4 => (0..4_usize, 0..3_usize, prop::bool::weighted(0.3))
            .prop_map(|(priority, kind, asks)| Happens::Make { priority, kind, asks }),
        1 => any::<usize>().prop_map(Happens::Approve),
        1 => any::<usize>().prop_map(Happens::Veto),
        2 => (any::<usize>(), prop::option::of(any::<usize>()))
            .prop_map(|(which, before)| Happens::Move { which, before }),
        3 => (0..8_usize).prop_map(|skip| Happens::Take { skip }),
        2 => any::<usize>().prop_map(Happens::Beat),
        2 => any::<usize>().prop_map(Happens::Finish),
        3 => prop::sample::select(vec![1_i64, 30, 59, 60, 61]).prop_map(Happens::Wait),
        1 => Just(Happens::Recycle),
    ]
}

/// A task as the model knows it; the place in the list is the owner's order.
#[derive(Clone, Debug)]
struct Known {
    id: TaskId,
    rank: i64,
    kind: &'static str,
    status: Status,
    until: i64,
    attempts: u32,
}

struct Both {
    house: House,
    store: Store,
    now: i64,
    /// In the owner's order, whatever the priority.
    known: Vec<Known>,
    taken: Vec<(TaskId, String)>,
}

impl Both {
    fn new() -> Self {
        let house = House::new();
        let store = house.open();
        Self { house, store, now: BEGIN, known: Vec::new(), taken: Vec::new() }
    }

    fn some(&self, n: usize) -> Option<Known> {
        self.known.get(n % self.known.len().max(1)).cloned()
    }

    fn set(&mut self, id: TaskId, change: impl FnOnce(&mut Known)) {
        change(self.known.iter_mut().find(|known| known.id == id).unwrap());
    }

    fn step(&self, id: TaskId, act: Act, by: Actor) -> Option<Task> {
        self.store.write_blocking(move |tx| tx.task_step(id, act, &by)).ok()
    }

    /// What the model would begin next.
    fn next(&self, skip: &[&str]) -> Option<TaskId> {
        let ready = self.known.iter().filter(|known| known.status == Status::Approved && !skip.contains(&known.kind));
        // `min_by_key` gives the first of equals, which is the owner's order.
        ready.min_by_key(|known| known.rank).map(|known| known.id)
    }

    fn does(&mut self, what: &Happens) -> Result<(), TestCaseError> {
        match *what {
            Happens::Make { priority, kind, asks } => self.make(Priority::ALL[priority], KINDS[kind], asks),
            Happens::Approve(n) => {
                let Some(one) = self.some(n) else { return Ok(()) };
                let done = self.step(one.id, Act::Approve, Actor::Owner).is_some();
                prop_assert_eq!(done, one.status == Status::PendingApproval);
                self.set(one.id, |known| known.status = if done { Status::Approved } else { known.status });
            }
            Happens::Veto(n) => {
                let Some(one) = self.some(n) else { return Ok(()) };
                let done = self.step(one.id, Act::Veto(String::new()), Actor::Owner).is_some();
                prop_assert_eq!(done, !matches!(one.status, Status::Vetoed | Status::Completed));
                self.set(one.id, |known| known.status = Status::Vetoed);
                self.known.iter_mut().filter(|k| k.id == one.id && !done).for_each(|k| k.status = one.status);
            }
            Happens::Move { which, before } => self.moves(which, before)?,
            Happens::Take { skip } => self.take(skip)?,
            Happens::Beat(n) => self.beat(n)?,
            Happens::Finish(n) => self.finish(n)?,
            Happens::Wait(seconds) => {
                self.now += seconds * SECOND;
                self.house.set_clock(self.now);
            }
            Happens::Recycle => self.recycle()?,
        }
        for skip in [&[][..], &KINDS[..1], &KINDS[1..], &KINDS] {
            let picked = self.store.write_blocking(move |tx| tx.task_pick("timmy", skip)).unwrap();
            prop_assert_eq!(picked.map(|task| task.id), self.next(skip), "skipping {:?}", skip);
        }
        Ok(())
    }

    fn make(&mut self, priority: Priority, kind: &'static str, asks: bool) {
        let mut new = NewTask::titled("one", Actor::Owner);
        (new.priority, new.task_type, new.requires_approval) = (priority, kind.to_owned(), Some(asks));
        let new = new.checked(at(self.now)).unwrap();
        let task = self.store.write_blocking(move |tx| tx.task_create(&new)).unwrap().task;
        let status = task.status.known.unwrap();
        let rank = priority.rank();
        self.known.push(Known { id: task.id, rank, kind, status, until: 0, attempts: 0 });
    }

    fn moves(&mut self, which: usize, before: Option<usize>) -> Result<(), TestCaseError> {
        let (Some(one), next) = (self.some(which), before.and_then(|n| self.some(n))) else { return Ok(()) };
        let over = |known: &Known| matches!(known.status, Status::Vetoed | Status::Completed | Status::Failed);
        // The order is promised among what is not over.
        if next.as_ref().is_some_and(|next| next.id == one.id || over(next)) || over(&one) {
            return Ok(());
        }
        let id = one.id;
        let rank = next.as_ref().map_or(one.rank, |next| next.rank);
        let (priority, next_id) = (Priority::ALL[usize::try_from(rank).unwrap()], next.as_ref().map(|next| next.id));
        self.store
            .write_blocking(move |tx| {
                let next = next_id.map(|id| tx.task(id)).transpose()?.flatten();
                let position = tx.task_room(priority, next.as_ref())?;
                tx.task_step(id, Act::Move(position, priority), &Actor::Owner)
            })
            .unwrap();
        self.known.retain(|known| known.id != id);
        let to = next_id.and_then(|next| self.known.iter().position(|known| known.id == next));
        self.known.insert(to.unwrap_or(self.known.len()), Known { rank, ..one });
        Ok(())
    }

    fn take(&mut self, skip: usize) -> Result<(), TestCaseError> {
        let skip: Vec<&str> =
            KINDS.into_iter().enumerate().filter(|(n, _)| skip >> n & 1 == 1).map(|(_, k)| k).collect();
        let expected = self.next(&skip);
        let (holder, until) = (format!("w{}", self.taken.len()), self.now + LEASE_SECONDS as i64 * SECOND);
        let lease = Lease { holder: holder.clone(), until: Timestamp::from_micros(until) };
        let skip: Vec<String> = skip.into_iter().map(str::to_owned).collect();
        let taken = self.store.write_blocking(move |tx| {
            let skip: Vec<&str> = skip.iter().map(String::as_str).collect();
            let Some(next) = tx.task_pick("timmy", &skip)? else { return Ok(None) };
            tx.task_step(next.id, Act::Start(lease), &Actor::System).map(Some)
        });
        let taken = taken.unwrap().map(|task| task.id);
        prop_assert_eq!(taken, expected);
        if let Some(id) = taken {
            self.taken.push((id, holder));
            self.set(id, |k| (k.status, k.until, k.attempts) = (Status::Running, until, k.attempts + 1));
        }
        Ok(())
    }

    /// Whether the `n`th taking still holds its task.
    fn holds(&self, n: usize) -> Option<(TaskId, String, bool)> {
        let (id, holder) = self.taken.get(n % self.taken.len().max(1))?.clone();
        let last = self.taken.iter().rev().find(|(other, _)| *other == id).is_some_and(|(_, last)| *last == holder);
        let known = self.known.iter().find(|known| known.id == id)?;
        Some((id, holder, last && known.status == Status::Running && known.until > self.now))
    }

    fn beat(&mut self, n: usize) -> Result<(), TestCaseError> {
        let Some((id, holder, holds)) = self.holds(n) else { return Ok(()) };
        let until = self.now + LEASE_SECONDS as i64 * SECOND;
        let kept = self.store.write_blocking(move |tx| tx.task_heartbeat(id, &holder, Timestamp::from_micros(until)));
        prop_assert_eq!(kept.unwrap(), holds);
        self.set(id, |known| known.until = if holds { until } else { known.until });
        Ok(())
    }

    fn finish(&mut self, n: usize) -> Result<(), TestCaseError> {
        let Some((id, holder, holds)) = self.holds(n) else { return Ok(()) };
        let act = Act::Finish { holder, outcome: Outcome::Done("done".into()) };
        prop_assert_eq!(self.step(id, act, Actor::System).is_some(), holds);
        self.set(id, |known| known.status = if holds { Status::Completed } else { known.status });
        Ok(())
    }

    fn recycle(&mut self) -> Result<(), TestCaseError> {
        let now = at(self.now);
        let found = self.store.write_blocking(move |tx| tx.tasks_abandoned(now, false, 0)).unwrap();
        let found: BTreeSet<TaskId> = found.into_iter().map(|task| task.id).collect();
        let silent = self.known.iter().filter(|k| k.status == Status::Running && k.until <= self.now);
        prop_assert_eq!(&found, &silent.map(|known| known.id).collect::<BTreeSet<_>>());
        for id in found {
            let attempts_max = self.step(id, Act::Recycle, Actor::System).unwrap().attempts_max;
            self.set(id, |k| k.status = if k.attempts < attempts_max { Status::Approved } else { Status::Failed });
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    // shows: tasks: whatever is made, moved, taken, lost and finished, the next task and every lease are those of a plain list
    #[test]
    fn the_queue_and_its_leases_are_those_of_a_plain_list(all in prop::collection::vec(happens(), 1..60)) {
        let mut both = Both::new();
        for what in &all {
            both.does(what)?;
        }
        let counts = both.store.write_blocking(|tx| tx.task_counts()).unwrap();
        for status in Status::ALL {
            let counted: u64 = counts.iter().filter(|one| one.status == status.name()).map(|one| one.count).sum();
            prop_assert_eq!(counted, both.known.iter().filter(|known| known.status == status).count() as u64);
        }
    }
}

// shows: tasks: eight writers at once take each task exactly once, and every change and its event are there
#[test]
fn eight_writers_take_each_task_once() {
    const WRITERS: usize = 8;
    const EACH: usize = 50;
    let house = House::new();
    let store = Arc::new(house.open());
    let work = |writer: usize, store: &Store| {
        for n in 0..EACH {
            let new = NewTask::titled(format!("{writer}/{n}"), Actor::Owner).checked(at(BEGIN)).unwrap();
            store.write_blocking(move |tx| tx.task_create(&new)).unwrap();
        }
        let mut done = Vec::new();
        loop {
            let holder = format!("w{writer}");
            let lease = Lease { holder: holder.clone(), until: at(BEGIN).plus(Duration::from_secs(60)) };
            let taken = store.write_blocking(move |tx| {
                let Some(next) = tx.task_pick("timmy", &[])? else { return Ok(None) };
                tx.task_step(next.id, Act::Start(lease), &Actor::System).map(Some)
            });
            let Some(task) = taken.unwrap() else { return done };
            let finish = Act::Finish { holder, outcome: Outcome::Done("done".into()) };
            store.write_blocking(move |tx| tx.task_step(task.id, finish, &Actor::System)).unwrap();
            done.push(task.id);
        }
    };
    let mut done: Vec<TaskId> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&store);
                scope.spawn(move || work(writer, &store))
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(done.len(), WRITERS * EACH);
    done.sort_unstable();
    done.dedup();
    assert_eq!(done.len(), WRITERS * EACH, "none was taken twice");
    let query = TaskQuery { status: Some(Status::Completed), limit: 1_000, ..TaskQuery::default() };
    assert_eq!(store.write_blocking(move |tx| tx.tasks_page(&query)).unwrap().len(), WRITERS * EACH);
    let events: i64 = house
        .raw()
        .query_row("SELECT count(*) FROM event_log WHERE event_type LIKE 'task.%'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(events as usize, 3 * WRITERS * EACH, "created, started and completed, once each");
}
