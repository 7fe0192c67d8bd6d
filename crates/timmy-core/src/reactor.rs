//! Reactors answer events. Their cursor is durable and moves in the transaction of their effect:
//! an event is delivered at least once, its local effect happens exactly once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use timmy_domain::bus::Pattern;
use timmy_domain::event::ReactorParked;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{NewEvent, Record, Seq};
use timmy_store::{StoreError, Tx};
use tokio::time::Instant;

use crate::bus::Subscription;
use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::PartKind;
use crate::supervisor::Component;
use crate::telemetry::{Kind, Value};

/// Failures on one event after which it is put aside.
pub const TRIES_MAX: u32 = 5;

/// Events without interest after which the cursor is written all the same.
const CURSOR_STRIDE: Seq = 1_000;

/// What a reactor wants to change; it is carried out together with the move of its cursor.
pub type Effect = Box<dyn FnOnce(&mut Tx<'_>) -> Result<(), StoreError> + Send>;

/// Something that answers events.
pub trait Reactor: Send + Sync + 'static {
    /// Its name, also the name of its cursor.
    fn name(&self) -> &'static str;
    /// Which events it answers.
    fn interest(&self) -> Vec<Pattern>;
    /// Answers one event. May be called again for the same event, so it must be safe to repeat.
    fn react<'a>(&'a self, ctx: &'a Ctx, record: &'a Record) -> BoxFuture<'a, Result<Effect, Fault>>;
    /// What is changed when the event is put aside after [`TRIES_MAX`] failures, the last of them `why`.
    fn parked(&self, record: &Record, why: &Fault) -> Effect;
    /// The event is settled: its effect is committed, or it was put aside. Lets go of what was held for it.
    fn settled(&self, record: &Record);
}

/// The part of the house that drives `reactor`.
pub fn component(reactor: Arc<dyn Reactor>) -> Component {
    Component::new(reactor.name(), PartKind::Reactor, move |ctx| drive(ctx, Arc::clone(&reactor)))
}

async fn drive(ctx: Ctx, reactor: Arc<dyn Reactor>) -> Result<(), Fault> {
    let name = reactor.name();
    let mut stored = ctx.store.read(move |r| r.cursor(name)).await?;
    let mut log = Subscription::new(&ctx.store, reactor.interest(), stored);
    ctx.reports.note(name, PartKind::Reactor, ctx.now(), "waits for events");
    loop {
        let batch = tokio::select! {
            batch = log.next() => batch?,
            () = ctx.stop.cancelled() => return Ok(()),
        };
        for record in &batch.records {
            let began = Instant::now();
            let mut span = ctx.telemetry.begin("reactor run", Kind::Internal);
            span.set("timmy.reactor", Value::Word(name));
            span.set("timmy.event_name", Value::name(&record.name));
            span.set("timmy.event_seq", Value::Number(record.seq));
            if !span.within(answer(&ctx, &*reactor, record)).await? {
                return Ok(());
            }
            drop(span);
            ctx.reports.ran(name, PartKind::Reactor, ctx.now(), began.elapsed(), None);
            stored = record.seq;
            ctx.reports.note(name, PartKind::Reactor, ctx.now(), format!("answered event {}", record.seq));
        }
        if batch.upto - stored >= CURSOR_STRIDE {
            stored = batch.upto;
            ctx.store.write(move |tx| tx.set_cursor(name, stored)).await?;
        }
    }
}

/// Answers one event, again after a failure, and puts it aside after [`TRIES_MAX`]. `false` when the house stops.
async fn answer(ctx: &Ctx, reactor: &dyn Reactor, record: &Record) -> Result<bool, Fault> {
    let (name, seq) = (reactor.name(), record.seq);
    let mut last = Fault(String::new());
    for failed in 0..TRIES_MAX {
        if failed > 0 {
            ctx.reports.complain(name, PartKind::Reactor, ctx.now(), format!("event {seq} failed: {last}"));
            tokio::select! {
                () = ctx.sleep(Duration::from_secs(1 << failed)) => {}
                () = ctx.stop.cancelled() => return Ok(false),
            }
        }
        let tried = tokio::select! {
            effect = AssertUnwindSafe(reactor.react(ctx, record)).catch_unwind() => effect.unwrap_or_else(|_| {
                // A panic is one of the tries, or the same event would stop this part at every start.
                Err(Fault("panicked".to_owned()))
            }),
            () = ctx.stop.cancelled() => return Ok(false),
        };
        let done = match tried {
            Ok(effect) => ctx
                .store
                .write(move |tx| {
                    effect(tx)?;
                    tx.set_cursor(name, seq)
                })
                .await
                .map_err(Fault::from),
            Err(fault) => Err(fault),
        };
        match done {
            Ok(()) => {
                reactor.settled(record);
                return Ok(true);
            }
            Err(fault) => last = fault,
        }
    }
    let message = cut(&one_line(&last.0), 300);
    let aside = reactor.parked(record, &last);
    ctx.store
        .write(move |tx| {
            aside(tx)?;
            let parked = ReactorParked { reactor: name.to_owned(), event_seq: seq, message };
            tx.append(NewEvent::new("reactor", parked).caused_by(seq))?;
            tx.set_cursor(name, seq)
        })
        .await?;
    reactor.settled(record);
    Ok(true)
}
