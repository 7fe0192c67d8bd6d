//! What waits for the owner's word: reading it, asking, and letting what is overdue lapse. Deciding stands in
//! [`crate::decide`], since a decision also moves what it is about.

use std::time::Duration;

use timmy_domain::approval::{Act, Approval, ApprovalStatus, Decision, NewApproval};
use timmy_domain::bus::Pattern;
use timmy_domain::event::{ApprovalGathered, GoldenChanged, RuleSuggested};
use timmy_domain::problem::Kind;
use timmy_domain::text::plural;
use timmy_domain::{Actor, ApprovalId, Digest, NewEvent, Problem, Timestamp};
use timmy_store::{ApprovalQuery, StoreError, Tx};

use super::rules::suggestions;
use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::quiet;
use crate::reconcile::{Found, Reconciler};

/// Questions of Timmy's own that may wait at once; more would bury the owner.
pub const WAITING_MAX: u64 = 1_000;
/// Seconds between two sweeps for what is overdue.
const SWEEP_SECONDS: u64 = 60;
/// Hours after which a lease that ended is forgotten.
const LEASES_HOURS: u64 = 24;
/// Where the store remembers whether the strict profile was on.
const GOLDEN_KEY: &str = "trust.golden_timmy";
/// Where the store remembers since when the quiet hours are on.
const QUIET_KEY: &str = "trust.quiet_since";

/// The approvals. Cheap to clone.
#[derive(Clone)]
pub struct Approvals {
    ctx: Ctx,
}

impl Approvals {
    /// The approvals over `ctx`.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        Self { ctx }
    }

    /// The approvals that `query` wants, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn page(&self, query: ApprovalQuery) -> Result<Vec<Approval>, Problem> {
        self.ctx.store.read(move |r| r.approvals_page(&query)).await.map_err(|e| e.problem())
    }

    /// The approval `id`.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn get(&self, id: ApprovalId) -> Result<Approval, Problem> {
        let found = self.ctx.store.read(move |r| r.approval(id)).await.map_err(|e| e.problem())?;
        found.ok_or_else(|| {
            Problem::unknown(
                "unknown_approval",
                format!("There is no approval {id}."),
                "Look at the list of approvals.",
            )
        })
    }

    /// How many wait.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn waiting(&self) -> Result<u64, Problem> {
        let now = self.ctx.now();
        self.ctx.store.read(move |r| r.approvals_waiting(now)).await.map_err(|e| e.problem())
    }

    /// Asks the owner. A question about the same subject that still waits is superseded.
    ///
    /// # Errors
    /// When too many wait, when the plan is too large, or when the store fails.
    pub async fn ask(&self, new: NewApproval, shape: Option<String>) -> Result<Approval, Problem> {
        let asked = self.ctx.store.write(move |tx| {
            if new.by != Actor::Owner && tx.approvals_waiting(tx.now())? >= WAITING_MAX {
                return Err(Problem::new(
                    Kind::TooMany,
                    "too_many_waiting",
                    format!("{WAITING_MAX} questions wait for the owner already, so this one was not asked."),
                    "Decide some on the page Approvals.",
                )
                .into());
            }
            tx.approval_open_shaped(&new, shape.as_deref())
        });
        asked.await.map_err(|e| e.problem())
    }

    /// Takes a question of Timmy's back that he no longer needs answered.
    ///
    /// # Errors
    /// When it does not wait any more, or the store fails.
    pub async fn withdraw(&self, id: ApprovalId, reason: &str) -> Result<Approval, Problem> {
        let decision = Decision {
            act: Act::Withdraw,
            actor: Actor::Timmy,
            through: String::new(),
            reason: Some(reason.to_owned()),
        };
        let done = self.ctx.store.write(move |tx| tx.approval_decide(id, &decision, tx.now()));
        done.await.map_err(|e| e.problem())
    }
}

/// Writes down what has expired, and keeps the rest of the desk tidy.
pub struct Sweep;

impl Sweep {
    async fn sweep(ctx: &Ctx) -> Result<Found, Fault> {
        let golden = ctx.settings.trust.golden_timmy;
        let (now, past) = (ctx.now(), ctx.now().minus(Duration::from_secs(LEASES_HOURS * 3_600)));
        let since = super::rules::past(now);
        let expired = Self::expire(ctx).await?;
        let quiet = quiet::until(&ctx.settings.thinking, ctx.clock.as_ref(), now).is_some();
        let told = ctx.store.write(move |tx| {
            tx.prune_leases(past)?;
            tell_golden(tx, golden)?;
            gather(tx, quiet, now)?;
            let answers = tx.approval_answers(since)?;
            let rules = tx.live_rules(now)?;
            for suggested in suggestions(&answers, &rules) {
                let shape = Digest::of(suggested.shape_json.as_bytes());
                let key = format!("rule.suggested.{}", shape.short());
                if tx.state(&key)?.is_none() {
                    tx.set_state(&key, "yes")?;
                    let body = RuleSuggested { title: suggested.title, approvals: suggested.approvals, shape };
                    tx.append(NewEvent::new("policy", body))?;
                }
            }
            tx.approvals_waiting(now)
        });
        let waiting = told.await?;
        let waiting = plural(waiting, "question waits", "questions wait");
        let golden = if golden { "" } else { "; GOLDEN_TIMMY is off" };
        Ok(Found::Well(match expired {
            0 => format!("{waiting} for you{golden}"),
            expired => format!("{waiting} for you, {expired} expired just now{golden}"),
        }))
    }

    /// Lets what is overdue lapse, with what it is about; answers how many.
    async fn expire(ctx: &Ctx) -> Result<u64, Fault> {
        let now = ctx.now();
        let overdue = ctx.store.read(move |r| r.approvals_overdue(now)).await?;
        for approval in &overdue {
            let (id, why) = match approval.status {
                ApprovalStatus::Approved => (approval.id, "the yes was not used in time"),
                _ => (approval.id, "nobody answered in time"),
            };
            let lapse = move || Decision::by_system(Act::Expire, why);
            let done = ctx.store.write(move |tx| crate::decide::apply(tx, id, &lapse())).await;
            // What it is about may have moved on; the question lapses all the same.
            if let Err(timmy_store::StoreError::Refused(_)) = done {
                let alone = ctx.store.write(move |tx| tx.approval_decide(id, &lapse(), now)).await;
                if let Err(error) = alone {
                    tracing::warn!(%error, "an overdue approval could not be written down as expired");
                }
            } else {
                done?;
            }
        }
        Ok(overdue.len() as u64)
    }
}

/// The owner changes the profile in the configuration; what is new about it is told once, with its event.
fn tell_golden(tx: &mut Tx<'_>, golden: bool) -> Result<(), timmy_store::StoreError> {
    let was = tx.state(GOLDEN_KEY)?.is_none_or(|word| word == "on");
    if was != golden {
        tx.set_state(GOLDEN_KEY, if golden { "on" } else { "off" })?;
        tx.append(NewEvent::new("policy", GoldenChanged { on: golden }).by(Actor::Owner))?;
    }
    Ok(())
}

/// In the quiet hours questions wait without a sound; what came in them and still waits is told when they end.
fn gather(tx: &mut Tx<'_>, quiet: bool, now: Timestamp) -> Result<(), StoreError> {
    let since = tx.state(QUIET_KEY)?;
    match (quiet, since) {
        (true, None) => tx.set_state(QUIET_KEY, &now.micros().to_string()),
        (false, Some(since)) => {
            tx.clear_state(QUIET_KEY)?;
            let since = Timestamp::from_micros(since.parse().unwrap_or(now.micros()));
            let count = tx.approvals_waiting_since(since, now)?;
            if count > 0 {
                tx.append(NewEvent::new("policy", ApprovalGathered { count }))?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

impl Reconciler for Sweep {
    fn name(&self) -> &'static str {
        "trust.approvals"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(SWEEP_SECONDS)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        Vec::new()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(Self::sweep(ctx))
    }
}
