//! The router's memory and the owner's hand on it: what is known of models over restarts, the ledger of what leaves
//! and what it costs, switching providers, and the hour in which everything stays here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_domain::event::{
    BudgetReached, CircuitClosed, CircuitOpened, CircuitReset, CircuitsBack, LocalOnly, ProviderHeld, ProviderSwitched,
    ProvidersOrdered,
};
use timmy_domain::thought::Place;
use timmy_domain::{Event, NewEvent, Problem, Timestamp};
use timmy_llm::{Books, BoxFuture, Caps, Cascade, Change, Control, LOCAL_MS_MAX, Leaving, ProviderStatus, StoredModel};
use timmy_store::{Extended, NewEgress, ProviderMetric, SpendingCaps, SpentUp, Store, StoreError};

use crate::chance::Chance;
use crate::ctx::Ctx;
use crate::fault::Fault;

pub mod trial;

use trial::Trials;

/// Where the store remembers until when everything stays here.
const LOCAL_UNTIL_KEY: &str = "router.local_until";
/// Minutes for which everything is kept here at one key.
pub const LOCAL_MINUTES: u64 = 60;

/// Puts into `cascade` what was known when the last run ended, and gives it chance and books. Called once, before
/// anything is asked, so that an hour in which everything stays here outlives a restart.
pub(crate) fn resume(store: &Store, cascade: &Cascade, now: Timestamp, chance: &Chance) {
    cascade.seed(u64::from_le_bytes(chance.bytes()));
    cascade.set_wall(now);
    cascade.keep_books(Arc::new(Ledger(store.clone())));
    let kept = store.read_blocking(|r| Ok((r.provider_metrics()?, r.provider_controls()?, r.state(LOCAL_UNTIL_KEY)?)));
    let Ok((metrics, controls, local_until)) = kept else {
        // What may leave is not known, so nothing does until the owner says otherwise.
        cascade.keep_local(Some(Duration::from_millis(LOCAL_MS_MAX)));
        return;
    };
    for metric in metrics {
        let ago = now.since(metric.updated_at);
        cascade.restore(&[stored(metric)], ago);
    }
    for control in controls.iter().filter(|c| c.disabled) {
        cascade.control(&control.provider, Control::Disable);
    }
    let order: Vec<String> = controls.into_iter().filter(|c| c.position.is_some()).map(|c| c.provider).collect();
    if !order.is_empty() {
        cascade.set_order(&order);
    }
    let until = local_until.and_then(|text| Timestamp::parse(&text).ok()).filter(|until| *until > now);
    if let Some(until) = until {
        cascade.keep_local(Some(until.since(now)));
    }
}

fn stored(metric: ProviderMetric) -> StoredModel {
    StoredModel {
        provider: metric.provider,
        model: metric.model,
        circuit: "",
        known: metric.known,
        answers: metric.answers,
        failures: metric.failures,
    }
}

/// The ledger in the store.
struct Ledger(Store);

fn unwritten(error: &StoreError) -> String {
    format!("the ledger of what leaves cannot be written ({error})")
}

impl Books for Ledger {
    fn enter<'a>(&'a self, leaving: &'a Leaving) -> BoxFuture<'a, Result<i64, String>> {
        let new = NewEgress {
            provider: leaving.provider.clone(),
            model: leaving.model.clone(),
            host: leaving.host.clone(),
            why: leaving.why.to_owned(),
            task_id: leaving.task.clone(),
            bytes: leaving.bytes,
            reserved_micros: leaving.reserved_micros,
        };
        let caps = leaving.caps;
        let caps = SpendingCaps { day: caps.day, task: caps.task, provider: caps.provider };
        Box::pin(async move {
            let entered = self.0.write(move |tx| {
                let entered = tx.egress_enter(&new, caps)?;
                if let Err(which) = entered {
                    tell_once(tx, &new.provider, &new.task_id, which)?;
                }
                Ok(entered)
            });
            match entered.await {
                Ok(Ok(line)) => Ok(line),
                Ok(Err(which)) => Err(used_up(which).to_owned()),
                Err(error) => Err(unwritten(&error)),
            }
        })
    }

    fn extend<'a>(&'a self, line: i64, more_micros: u64, caps: Caps) -> BoxFuture<'a, Result<(), String>> {
        let caps = SpendingCaps { day: caps.day, task: caps.task, provider: caps.provider };
        Box::pin(async move {
            let extended = self.0.write(move |tx| {
                let extended = tx.egress_extend(line, more_micros, caps)?;
                if let Extended::UsedUp { which, provider, task_id } = &extended {
                    tell_once(tx, provider, task_id, *which)?;
                }
                Ok(extended)
            });
            match extended.await {
                Ok(Extended::Reserved) => Ok(()),
                Ok(Extended::UsedUp { which, .. }) => Err(used_up(which).to_owned()),
                Ok(Extended::Over) => Err("its line in the ledger is over".to_owned()),
                Err(error) => Err(unwritten(&error)),
            }
        })
    }

    fn carry(&self, line: i64, more_bytes: u64) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            match self.0.write(move |tx| tx.egress_carry(line, more_bytes)).await {
                Ok(true) => Ok(()),
                Ok(false) => Err("its line in the ledger is over".to_owned()),
                Err(error) => Err(unwritten(&error)),
            }
        })
    }

    fn settle(&self, line: i64, cost_micros: u64, answered: bool) {
        let store = self.0.clone();
        // The answer does not wait for the books. A line that stays open counts with all that was reserved.
        drop(tokio::spawn(async move {
            if let Err(error) = store.write(move |tx| tx.egress_settle(line, cost_micros, answered)).await {
                tracing::warn!(%error, "a line of the ledger stays open");
            }
        }));
    }
}

/// Which budget is used up, as a clause.
fn used_up(which: SpentUp) -> &'static str {
    match which {
        SpentUp::Day => "the budget for models of this day is used up",
        SpentUp::Task => "the budget of this task is used up",
        SpentUp::Provider => "its budget of this day is used up",
    }
}

/// Says that a budget is used up, once for each day and budget.
fn tell_once(tx: &mut timmy_store::Tx<'_>, provider: &str, task: &str, which: SpentUp) -> Result<(), StoreError> {
    let budget = match which {
        SpentUp::Day => "day",
        SpentUp::Task => "task",
        SpentUp::Provider => "provider",
    };
    let key = format!("router.budget.{budget}");
    let told = format!("{} {} {}", tx.now().to_utc().date(), provider, task);
    if tx.state(&key)?.as_deref() == Some(told.as_str()) {
        return Ok(());
    }
    tx.set_state(&key, &told)?;
    let body = BudgetReached { provider: provider.to_owned(), budget: budget.to_owned() };
    tx.append(NewEvent::new("router", body)).map(|_| ())
}

/// The router under the owner's hand. Cheap to clone.
#[derive(Clone)]
pub struct Router {
    ctx: Ctx,
    trials: Trials,
    /// What was known of a provider before the owner had its rests forgotten.
    forgotten: Arc<Mutex<BTreeMap<String, Vec<StoredModel>>>>,
}

impl Router {
    /// The router of `ctx`.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        Self { ctx, trials: Trials::default(), forgotten: Arc::default() }
    }

    /// The provider called `name`, unless it is reflex.
    fn steered(&self, name: &str) -> Result<ProviderStatus, Problem> {
        let Some(known) = self.ctx.cascade.status().into_iter().find(|p| p.name == name) else {
            let hint = "Look at the list of providers.";
            return Err(Problem::unknown("unknown_provider", format!("There is no provider {name:?}."), hint));
        };
        if known.place == Place::Reflex {
            let message = "Reflex speaks when nobody else does and cannot be steered.";
            return Err(Problem::conflict("reflex", message, "Choose another provider."));
        }
        Ok(known)
    }

    /// Switches a provider off or on, or has its rests and holds forgotten. It lasts over restarts.
    ///
    /// # Errors
    /// When there is no such provider, it is reflex, or the store fails.
    pub async fn control(&self, name: &str, control: Control) -> Result<(), Problem> {
        let provider = self.steered(name)?.name;
        if control == Control::ResetCircuit {
            let known = self.ctx.cascade.store().into_iter().filter(|model| model.provider == name).collect();
            lock(&self.forgotten).insert(name.to_owned(), known);
        }
        let written = self.ctx.store.write(move |tx| {
            let event: Event = match control {
                Control::ResetCircuit => CircuitReset { provider }.into(),
                Control::Enable | Control::Disable => {
                    let disabled = control == Control::Disable;
                    tx.switch_provider(&provider, disabled)?;
                    ProviderSwitched { provider, disabled }.into()
                }
            };
            tx.append(NewEvent::new("router", event)).map(|_| ())
        });
        written.await.map_err(|e| e.problem())?;
        self.ctx.cascade.control(name, control);
        self.save().await.map_err(|fault| Problem::unavailable("store", fault.to_string(), "Look at Health."))
    }

    /// Takes back that the rests and holds of a provider were forgotten: it stands as it stood before.
    ///
    /// # Errors
    /// When there is no such provider, there is nothing to take back, or the store fails.
    pub async fn remember(&self, name: &str) -> Result<(), Problem> {
        let provider = self.steered(name)?.name;
        let Some(known) = lock(&self.forgotten).remove(name) else {
            let message = format!("Nothing of {name} was forgotten in this run.");
            return Err(Problem::conflict("nothing_forgotten", message, "Nothing needs to be done."));
        };
        let event = NewEvent::new("router", CircuitsBack { provider });
        self.ctx.store.append(vec![event]).await.map_err(|e| e.problem())?;
        self.ctx.cascade.restore(&known, Duration::ZERO);
        self.save().await.map_err(|fault| Problem::unavailable("store", fault.to_string(), "Look at Health."))
    }

    /// Moves a provider one place up or down. Answers the order by the owner's word before; empty for the settings'.
    ///
    /// # Errors
    /// When there is no such provider, it stands at that end already, or the store fails.
    pub async fn shift(&self, name: &str, up: bool) -> Result<Vec<String>, Problem> {
        self.steered(name)?;
        let before = self.own_order().await?;
        let movable = self.ctx.cascade.status().into_iter().filter(|p| p.place != Place::Reflex);
        let names = shifted(movable.map(|p| p.name).collect(), name, up).ok_or_else(|| {
            Problem::conflict("no_further", format!("{name} stands at that end already."), "Nothing needs to be done.")
        })?;
        self.order(names).await?;
        Ok(before)
    }

    /// The order by the owner's word; empty while that of the settings holds.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn own_order(&self) -> Result<Vec<String>, Problem> {
        let controls = self.ctx.store.read(|r| r.provider_controls()).await.map_err(|e| e.problem())?;
        Ok(controls.into_iter().filter(|c| c.position.is_some()).map(|c| c.provider).collect())
    }

    /// Asks the providers in this order from now on, over restarts; none goes back to the order of the settings.
    ///
    /// # Errors
    /// When a name is none, or the store fails.
    pub async fn order(&self, names: Vec<String>) -> Result<(), Problem> {
        let known = self.ctx.cascade.status();
        if let Some(unknown) = names.iter().find(|name| !known.iter().any(|p| p.name == **name)) {
            let hint = "Look at the list of providers.";
            return Err(Problem::unknown("unknown_provider", format!("There is no provider {unknown:?}."), hint));
        }
        let stored = names.clone();
        let written = self.ctx.store.write(move |tx| {
            tx.order_providers(&stored)?;
            tx.append(NewEvent::new("router", ProvidersOrdered { providers: stored })).map(|_| ())
        });
        written.await.map_err(|e| e.problem())?;
        self.ctx.cascade.set_order(&names);
        Ok(())
    }

    /// Keeps everything on this machine for so many minutes, at most a day; `None` ends that. Answers until when.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep_local(&self, minutes: Option<u64>) -> Result<Option<Timestamp>, Problem> {
        let length = minutes.map(|m| Duration::from_millis(m.saturating_mul(60_000).min(LOCAL_MS_MAX)));
        let until = length.map(|length| self.ctx.now().plus(length));
        if length.is_some() {
            // Nothing leaves from this moment on, also when the store is slow.
            self.ctx.cascade.keep_local(length);
        }
        let written = self.ctx.store.write(move |tx| {
            match until {
                Some(until) => tx.set_state(LOCAL_UNTIL_KEY, &until.to_string())?,
                None => tx.clear_state(LOCAL_UNTIL_KEY)?,
            }
            tx.append(NewEvent::new("router", LocalOnly { until })).map(|_| ())
        });
        written.await.map_err(|e| e.problem())?;
        self.ctx.cascade.keep_local(length);
        Ok(until)
    }

    /// Looks at all providers now, without waiting for the next turn.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self) -> Result<(), Problem> {
        let looked = crate::models::look(&self.ctx).await;
        looked.map_err(|fault| Problem::unavailable("store", fault.to_string(), "Look at Health."))
    }

    /// Writes down what is known of every model.
    async fn save(&self) -> Result<(), Fault> {
        save(&self.ctx).await
    }
}

/// The names with `name` one place further up or down; nothing when it stands at that end already.
fn shifted(mut names: Vec<String>, name: &str, up: bool) -> Option<Vec<String>> {
    let at = names.iter().position(|n| n == name)?;
    let to = if up { at.checked_sub(1)? } else { Some(at + 1).filter(|to| *to < names.len())? };
    names.swap(at, to);
    Some(names)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down what is known of every model, and tells what the router decided since the last time, in one
/// transaction.
pub(crate) async fn save(ctx: &Ctx) -> Result<(), Fault> {
    ctx.cascade.set_wall(ctx.now());
    let (known, changes) = (ctx.cascade.store(), ctx.cascade.take_changes());
    let last = ctx.router_saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner).replace(known.clone());
    if changes.is_empty() && last.as_ref() == Some(&known) {
        return Ok(());
    }
    let now = ctx.now();
    let written = ctx.store.write(move |tx| {
        for model in known {
            tx.set_provider_metric(&ProviderMetric {
                provider: model.provider,
                model: model.model,
                circuit: model.circuit.to_owned(),
                known: model.known,
                answers: model.answers,
                failures: model.failures,
                updated_at: now,
            })?;
        }
        changes.into_iter().try_for_each(|change| tx.append(NewEvent::new("router", event(change))).map(|_| ()))
    });
    if let Err(error) = written.await {
        // What is known is written with the next look.
        *ctx.router_saved.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        return Err(error.into());
    }
    Ok(())
}

fn event(change: Change) -> Event {
    let seconds = |ms: u64| i64::try_from(ms.div_ceil(1_000)).unwrap_or(i64::MAX);
    match change {
        Change::Opened { provider, model, why, ms } => {
            CircuitOpened { provider, model, why, seconds: seconds(ms) }.into()
        }
        Change::Closed { provider, model } => CircuitClosed { provider, model }.into(),
        Change::Held { provider, why, ms } => ProviderHeld { provider, why, seconds: seconds(ms) }.into(),
    }
}
