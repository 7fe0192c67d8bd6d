//! The always-on thinking loop: one thought at a time, unprompted, yielding at once when the owner speaks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use timmy_domain::bus::Pattern;
use timmy_domain::event::ThinkingRested;
use timmy_domain::thought::Thought;
use timmy_domain::{Actor, Event, NewEvent, SeedType, Timestamp};
use timmy_store::Spent;
use tokio::sync::{Notify, watch};

use super::rest::{self, Decision, Pause, Queued, Situation};
use crate::bus::Subscription;
use crate::clock::{local_day, next_local_minute};
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::quiet;
use crate::report::PartKind;
use crate::supervisor::Component;

mod attempt;
mod steer;
mod turn;
pub use attempt::{Errand, Outcome};

/// The name of the part and of its budget.
pub const PART: &str = "mind.thinking";
/// The purpose under which thinking's calls and tokens are counted.
pub const PURPOSE: &str = "thinking";
/// The store's key for a pause: `open`, or the time it ends.
const PAUSED_KEY: &str = "thinking.paused";

/// What the loop does right now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "doing", rename_all = "snake_case")]
pub enum Doing {
    /// Resting.
    Resting {
        /// Until when; absent when only the owner ends it.
        until: Option<Timestamp>,
        /// Why, in words.
        why: String,
    },
    /// Making a thought.
    Thinking {
        /// Its seed.
        seed_type: SeedType,
        /// What exactly the seed is.
        note: String,
        /// Since when.
        since: Timestamp,
    },
}

/// The thinking engine. Cheap to clone.
#[derive(Clone)]
pub struct Thinking(Arc<Inside>);

struct Inside {
    ctx: Ctx,
    /// Held while a thought is made: never more than one in flight.
    flight: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
    /// Rung when something changed that the decision looks at.
    look_again: Notify,
    doing: watch::Sender<Doing>,
    /// Rung when the owner stops the thought in the making.
    stop_thought: Notify,
}

/// What the loop remembers of this run.
struct Memory {
    last_try: Option<Timestamp>,
    failures: u32,
    silences: u32,
    nudged_at: Option<Timestamp>,
    owner_seen: Timestamp,
    told_rest: String,
    /// Whether a model hung at the last thought, which reflex then made.
    model_stuck: bool,
}

impl Thinking {
    /// An engine over `ctx`; it rests until its component runs.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        let owner_seen = ctx.started_at;
        let resting = Doing::Resting { until: None, why: "starting".to_owned() };
        Self(Arc::new(Inside {
            ctx,
            flight: tokio::sync::Mutex::new(()),
            memory: Mutex::new(Memory {
                last_try: None,
                failures: 0,
                silences: 0,
                nudged_at: None,
                owner_seen,
                told_rest: String::new(),
                model_stuck: false,
            }),
            look_again: Notify::new(),
            doing: watch::Sender::new(resting),
            stop_thought: Notify::new(),
        }))
    }

    /// What the loop does right now.
    #[must_use]
    pub fn doing(&self) -> Doing {
        self.0.doing.borrow().clone()
    }

    /// The owner did something: he is not away.
    pub fn owner_was_here(&self) {
        self.memory(|m| m.owner_seen = self.0.ctx.now());
    }

    /// Something happened that is worth a thought soon.
    pub fn nudge(&self) {
        let now = self.0.ctx.now();
        self.memory(|m| m.nudged_at = Some(now));
        self.0.look_again.notify_one();
    }

    /// The part of the house that runs the loop.
    #[must_use]
    pub fn component(&self) -> Component {
        let engine = self.clone();
        Component::new(PART, PartKind::Component, move |_| {
            let engine = engine.clone();
            async move { engine.run().await }
        })
    }

    fn memory<T>(&self, with: impl FnOnce(&mut Memory) -> T) -> T {
        with(&mut self.0.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn run(&self) -> Result<(), Fault> {
        let ctx = &self.0.ctx;
        let wants = ["watch.observed", "router.provider_up"].iter().filter_map(|p| p.parse::<Pattern>().ok());
        let mut bell = Subscription::new(&ctx.store, wants.collect(), ctx.store.last_seq());
        while !ctx.stop.is_cancelled() {
            if ctx.attention.busy() {
                self.say(Doing::Resting { until: None, why: rest::TALKING.to_owned() });
                tokio::select! {
                    () = ctx.attention.until_free() => {}
                    () = ctx.stop.cancelled() => return Ok(()),
                }
                continue;
            }
            let situation = self.situation().await?;
            match rest::decide(&situation) {
                Decision::Think => {
                    let queued = self.queue_up().await;
                    if queued.is_err() && ctx.store.full_since().is_some() {
                        // Not a fault of this part: it rests until there is room.
                        continue;
                    }
                    queued?;
                }
                Decision::Rest { until, why } => {
                    self.tell_rest(until, &why).await?;
                    self.rest(situation.now, until, &mut bell).await?;
                }
            }
        }
        Ok(())
    }

    /// Rests until `until`, as was decided at `decided`, or until something happens that the decision looks at. A clock
    /// that was set back since the decision does not make of minutes the days it was set back by.
    async fn rest(&self, decided: Timestamp, until: Option<Timestamp>, bell: &mut Subscription) -> Result<(), Fault> {
        let ctx = &self.0.ctx;
        let over = async {
            match until {
                Some(until) => ctx.clock.sleep_until(until.min(ctx.now().plus(until.since(decided)))).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => {}
            () = self.0.look_again.notified() => {}
            () = ctx.attention.until_busy() => {}
            () = ctx.stop.cancelled() => {}
            nudged_at = news(bell) => {
                let nudged_at = Some(nudged_at?);
                self.memory(|m| m.nudged_at = m.nudged_at.max(nudged_at));
            }
        }
        Ok(())
    }

    fn say(&self, doing: Doing) {
        let note = match &doing {
            Doing::Resting { why, .. } => format!("resting: {why}"),
            Doing::Thinking { seed_type, .. } => format!("thinking, seed {seed_type}"),
        };
        self.0.ctx.reports.note(PART, PartKind::Component, self.0.ctx.now(), note);
        let before = self.0.doing.send_replace(doing);
        // Woken without a reason to do otherwise, Timmy goes on with the same rest.
        if let Doing::Resting { why, .. } = &*self.0.doing.borrow()
            && before != *self.0.doing.borrow()
        {
            self.0.ctx.meters.rested(why);
        }
    }

    /// Shows the rest, and writes an event when its reason is a new and notable one. While the owner has asked for a
    /// thought, that is shown instead.
    async fn tell_rest(&self, until: Option<Timestamp>, why: &str) -> Result<(), Fault> {
        if self.0.flight.try_lock().is_err() {
            return Ok(());
        }
        self.say(Doing::Resting { until, why: why.to_owned() });
        // On a full disk no event could say so; `store.resumed` does afterwards.
        let usual = ["until the next thought is due", "waking up", "you paused it", "the disk is full", rest::QUEUED]
            .contains(&why);
        let told = self.memory(|m| std::mem::replace(&mut m.told_rest, why.to_owned()));
        if usual || told == why {
            return Ok(());
        }
        let event = NewEvent::new("thinking", ThinkingRested { why: why.to_owned(), until }).by(Actor::Timmy);
        self.0.ctx.tell(event).await.map(|_| ())
    }

    /// Everything the decision looks at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn situation(&self) -> Result<Situation, Fault> {
        let ctx = &self.0.ctx;
        let now = ctx.now();
        let day = local_day(ctx.clock.as_ref(), now);
        let read = ctx.store.read(move |r| {
            Ok((r.state(PAUSED_KEY)?, r.spent(&day, PURPOSE)?, r.latest_thoughts(2)?, r.thought_task()?))
        });
        let (paused, spent, last_two, task) = read.await?;
        let settings = &ctx.settings.thinking;
        // 0 where the machine cannot tell.
        let load = if settings.adaptive_rest { ctx.readings.load_per_core(now).await.unwrap_or(0.0) } else { 0.0 };
        // The clock may have been set back; what lies in the future then happened just now.
        self.memory(|m| {
            m.last_try = m.last_try.map(|at| at.min(now));
            m.nudged_at = m.nudged_at.map(|at| at.min(now));
        });
        Ok(self.memory(|m| Situation {
            now,
            enabled: settings.enabled,
            paused: paused.as_deref().map(read_pause),
            quiet_until: self.quiet_until(now),
            disk_full: ctx.store.full_since().is_some(),
            spent_until: self.is_spent(&spent).then(|| next_local_minute(ctx.clock.as_ref(), now, 0)),
            started_at: ctx.started_at,
            last_try: m.last_try,
            failures: m.failures,
            silences: m.silences,
            nudged_at: m.nudged_at,
            interval: Duration::from_secs(settings.interval_seconds),
            adaptive: settings.adaptive_rest,
            similarity: likeness(&last_two),
            owner_seen: m.owner_seen.max(ctx.attention.last_seen()),
            load,
            queued: task.as_ref().map(turn::standing),
        }))
    }

    fn is_spent(&self, spent: &Spent) -> bool {
        let limits = &self.0.ctx.settings.thinking;
        let over = |used: i64, limit: u64| limit > 0 && u64::try_from(used).unwrap_or(0) >= limit;
        over(spent.calls, limits.daily_calls) || over(spent.tokens, limits.daily_tokens)
    }

    /// The end of the quiet hours, when they are now.
    fn quiet_until(&self, now: Timestamp) -> Option<Timestamp> {
        quiet::until(&self.0.ctx.settings.thinking, self.0.ctx.clock.as_ref(), now)
    }
}

/// Waits for something that is worth a thought, and says when it happened.
async fn news(bell: &mut Subscription) -> Result<Timestamp, Fault> {
    loop {
        let batch = bell.next().await?;
        let at = batch.records.iter().filter(|r| worth_a_thought(&r.event())).map(|r| r.at).max();
        if let Some(at) = at {
            return Ok(at);
        }
    }
}

/// A newly watched folder and a model that came up are worth a thought at once; an ordinary change waits for its turn.
fn worth_a_thought(event: &Event) -> bool {
    match event {
        Event::Observed(seen) => seen.kind == timmy_domain::observation::ObservationKind::Survey,
        Event::ProviderUp(_) => true,
        _ => false,
    }
}

fn read_pause(text: &str) -> Pause {
    Timestamp::parse(text).map_or(Pause::Open, Pause::Until)
}

fn likeness(last_two: &[Thought]) -> f64 {
    match last_two {
        [a, b] => rest::similarity(&a.content, &b.content),
        _ => 0.0,
    }
}
