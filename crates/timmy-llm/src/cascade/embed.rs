//! Vectors of texts: the first provider that makes them and may read the texts, by the rules of every other call: one
//! deadline, a circuit for each provider and model, the books, and nothing that must stay here.

use std::time::Duration;

use timmy_domain::Sensitivity;
use timmy_domain::thought::Place;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::action::{self, Harm, Then};
use super::attempt::given_up;
use super::booking;
use super::climb::{Times, stays_here};
use super::ladder::{Ladder, Next, Rung};
use super::member::{Member, Permit, VECTORS};
use super::money::{self, Leaving};
use super::recent::Step;
use super::{Inner, What, millis};
use crate::failure::{Failure, Stage};
use crate::provider::{Call, Completion, Embedder, Embeddings, Finish, Usage};
use crate::request::{Part, TaskClass};
use crate::{Attempt, Cascade, CascadeError};

/// Vectors, and who made them.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The vectors.
    pub embeddings: Embeddings,
    /// Who made them.
    pub provider: String,
}

impl Cascade {
    /// Vectors for `texts`, by the first provider that can make them; `wished` is a provider, or one of its models as
    /// `provider/model`, and only that one then. Else the owner's models for this class of work are asked, where the
    /// settings name some, and each provider's own. Vectors of different models cannot be compared, so a caller that
    /// stores them names the provider.
    ///
    /// # Errors
    /// The reason of each provider that was asked or passed by.
    pub async fn embed(&self, texts: &[Part], wished: Option<&str>, call: &Call) -> Result<Embedded, CascadeError> {
        // Boxed for the same reason as a climb.
        Box::pin(Vectors::new(&self.0, texts, wished, call).climb()).await
    }
}

/// A call for vectors in the making.
struct Vectors<'a> {
    inner: &'a Inner,
    texts: &'a [Part],
    call: &'a Call,
    label: Sensitivity,
    ladder: Ladder,
    attempts: Vec<Attempt>,
    path: Vec<Step>,
    cost_micros: u64,
}

/// Leave to ask, and a place in the books.
struct Ready<'a> {
    member: &'a Member,
    embedder: &'a dyn Embedder,
    /// The model it has to be; nothing for its own.
    wanted: Option<String>,
    /// The model as the provider calls it; empty while unknown.
    model: String,
    permit: Permit<'a>,
    leave: Option<CancellationToken>,
    line: Option<i64>,
    reserved: u64,
}

impl<'a> Vectors<'a> {
    fn new(inner: &'a Inner, texts: &'a [Part], wished: Option<&str>, call: &'a Call) -> Self {
        let now = Instant::now();
        let (named, model) = match wished.and_then(|wished| wished.split_once('/')) {
            Some((provider, model)) => (Some(provider), Some(model).filter(|model| !model.is_empty())),
            None => (wished, None),
        };
        let fits = |m: &Member| m.provider().embedder().is_some() && named.is_none_or(|name| name == m.name());
        let mut order: Vec<(usize, &Member)> = inner.in_order().filter(|(_, m)| fits(m)).collect();
        order.sort_by_key(|(_, m)| m.rests(now));
        let models = |m: &Member| -> Vec<Option<String>> {
            let booked = inner.rules.book.of(TaskClass::Embedding, m.name());
            let models: Vec<_> =
                model.map_or_else(|| booked.map(str::to_owned).collect(), |model| vec![model.to_owned()]);
            if models.is_empty() { vec![None] } else { models.into_iter().map(Some).collect() }
        };
        let rung = |member, model| Rung { member, model, skip: None, reflex: false, context_tokens: 0, tries: 0 };
        let rungs = order.into_iter().flat_map(|(n, m)| models(m).into_iter().map(move |model| rung(n, model)));
        let ladder = Ladder::new(rungs.collect());
        let label = texts.iter().map(|part| part.sensitivity).fold(Sensitivity::Open, Sensitivity::join);
        Self { inner, texts, call, label, ladder, attempts: Vec::new(), path: Vec::new(), cost_micros: 0 }
    }

    async fn climb(mut self) -> Result<Embedded, CascadeError> {
        let began = Instant::now();
        let made = loop {
            let (number, at) = match self.ladder.next(Instant::now(), self.call.deadline) {
                Next::Over => break None,
                Next::Skip(..) => continue,
                Next::Ask(number) => (number, None),
                Next::Again(number, at) => (number, Some(at)),
            };
            if let Some(at) = at {
                tokio::select! {
                    () = self.call.cancel.cancelled() => {}
                    () = sleep_until(at) => {}
                }
            }
            if let Some(made) = self.ask(number).await {
                break Some(made);
            }
        };
        let what = What { class: TaskClass::Embedding, label: self.label, cached: false };
        self.inner.remember(what, self.call, began, self.path, self.cost_micros);
        made.ok_or(CascadeError { attempts: self.attempts, partial: String::new() })
    }

    /// Asks one provider. Something when it made the vectors.
    async fn ask(&mut self, number: usize) -> Option<Embedded> {
        let began = Instant::now();
        let ready = if began >= self.call.deadline {
            // Without time nobody can, and it would not be the fault of whoever is asked.
            Err(Failure::Timeout { stage: Stage::Total })
        } else {
            self.ready(number).await
        };
        let ready = match ready {
            Ok(ready) => ready,
            Err(failure) => {
                self.failed(number, String::new(), failure, began, false);
                return None;
            }
        };
        let in_flight = ready.member.figures().begin();
        let made = self.within(&ready).await;
        drop(in_flight);
        let took = began.elapsed();
        let usage = made.as_ref().map(|made| made.usage);
        ready.member.figures().ended(usage, took, None);
        self.settle(number, ready, made, began, took)
    }

    /// Leave to ask, and a place in the books when it is elsewhere.
    async fn ready(&self, number: usize) -> Result<Ready<'a>, Failure> {
        let inner = self.inner;
        let member = self.ladder.rung(number).and_then(|rung| inner.members.get(rung.member));
        let found = member.and_then(|member| Some((member, member.provider().embedder()?)));
        let Some((member, embedder)) = found else {
            return Err(Failure::Unsupported { what: "it makes no vectors".to_owned() });
        };
        let remote = member.place() == Place::Remote;
        let leave = if remote { Some(inner.mode.leave(inner.now())?) } else { None };
        if remote && self.label > Sensitivity::Open {
            return Err(Failure::Privacy { what: "a text must stay on this machine".to_owned() });
        }
        let wanted = self.ladder.rung(number).and_then(|rung| rung.model.clone());
        let model = wanted.clone().unwrap_or_else(|| embedder.model());
        let permit = member.admit(&known_as(&model), inner.now())?;
        let (line, reserved) = if remote { self.booked(member, &model).await? } else { (None, 0) };
        let stays = leave.as_ref().is_some_and(CancellationToken::is_cancelled);
        if stays || (line.is_some() && self.call.cancel.is_cancelled()) {
            inner.settle(line, 0, false);
            return Err(if stays { stays_here() } else { Failure::Cancelled });
        }
        Ok(Ready { member, embedder, wanted, model, permit, leave, line, reserved })
    }

    async fn booked(&self, member: &Member, model: &str) -> Result<(Option<i64>, u64), Failure> {
        let bytes = self.texts.iter().map(|t| t.text.len() as u64).sum::<u64>();
        // A token is never less than a byte.
        let price = self.inner.rules.price(member, model)?;
        let reserved = price.of(Usage { prompt_tokens: bytes, completion_tokens: 0 });
        let Some(books) = self.inner.books.get() else {
            let what = "it costs money, and nobody keeps the books".to_owned();
            return if price.is_free() { Ok((None, 0)) } else { Err(Failure::Budget { what }) };
        };
        let leaving = Leaving {
            provider: member.name().to_owned(),
            model: model.to_owned(),
            host: member.provider().host(),
            why: self.call.manner.purpose,
            task: self.call.manner.task.clone(),
            bytes,
            reserved_micros: reserved,
            caps: self.inner.rules.caps,
        };
        let by = self.by();
        booking::enter(books, leaving, by, &self.call.cancel).await.map(|line| (Some(line), reserved))
    }

    /// Until when it must be done: half of what is left while another one comes after it.
    fn by(&self) -> Instant {
        let end = self.call.begin_by();
        let half = Instant::now() + end.saturating_duration_since(Instant::now()) / 2;
        if self.another_may() { half } else { end }
    }

    /// Asks, within half of what is left of the time while another one comes after it.
    async fn within(&self, ready: &Ready<'_>) -> Result<Embeddings, Failure> {
        let by = self.by();
        let call = Call { first_word_by: Some(by), deltas: None, ..self.call.clone() };
        let making = match &ready.wanted {
            Some(model) => ready.embedder.embed_by(model, self.texts, &call),
            None => ready.embedder.embed(self.texts, &call),
        };
        tokio::select! {
            biased;
            () = self.call.cancel.cancelled() => Err(Failure::Cancelled),
            () = given_up(ready.leave.as_ref()) => {
                Err(stays_here())
            }
            made = making => made,
            // Whoever forgets the time is dropped here, and its connection with it.
            () = sleep_until(by) => Err(Failure::Timeout { stage: Stage::FirstToken }),
        }
    }

    /// Whether another one comes that would be asked.
    fn another_may(&self) -> bool {
        let now = self.inner.now();
        let open = self.label == Sensitivity::Open && self.inner.mode.leave(now).is_ok();
        let may = |member: &Member, model: Option<&String>| {
            let own = || member.provider().embedder().map(Embedder::model).unwrap_or_default();
            let model = model.map_or_else(own, String::clone);
            let may_leave = || open && self.inner.rules.price(member, &model).is_ok();
            (member.place() != Place::Remote || may_leave()) && member.would_admit(&known_as(&model), now).is_ok()
        };
        let mut others = self.ladder.others();
        others.any(|(_, rung)| self.inner.members.get(rung.member).is_some_and(|m| may(m, rung.model.as_ref())))
    }

    /// It is over: it is paid, written down, and what follows from it is decided.
    fn settle(
        &mut self,
        number: usize,
        ready: Ready<'a>,
        made: Result<Embeddings, Failure>,
        began: Instant,
        took: Duration,
    ) -> Option<Embedded> {
        let Ready { member, model, permit, line, reserved, .. } = ready;
        if line.is_some() {
            let answered = made.as_ref().map_or(model.as_str(), |made| made.model.as_str());
            let price = self.inner.rules.prices.of_answer(member.name(), &model, answered);
            let cost = money::cost(made.as_ref().map(|made| made.usage), false, price, reserved);
            self.cost_micros = self.cost_micros.saturating_add(cost);
            self.inner.settle(line, cost, made.is_ok());
        }
        let tries = self.ladder.rung(number).map_or(1, |rung| rung.tries);
        let harm = made.as_ref().err().map_or(Harm::None, |failure| action::decide(failure, tries).1);
        // To the memory of its circuit it is an answer without words.
        let done = made.as_ref().map(|_| wordless()).map_err(|failure| (failure, harm));
        self.inner.learn(member, permit, done.as_ref().map_err(|e| *e), &Times::of(took));
        match made {
            Ok(embeddings) => {
                let (provider, model) = (member.name().to_owned(), embeddings.model.clone());
                self.path.push(Step { provider: provider.clone(), model, word: "answered", took_ms: millis(took) });
                Some(Embedded { embeddings, provider })
            }
            Err(failure) => {
                self.failed(number, model, failure, began, true);
                None
            }
        }
    }

    /// Somebody made none, or was not asked, and stands among the attempts with the reason.
    fn failed(&mut self, number: usize, model: String, failure: Failure, began: Instant, asked: bool) {
        let Some(rung) = self.ladder.rung(number) else { return };
        let provider = self.inner.members.get(rung.member).map_or_else(String::new, |m| m.name().to_owned());
        let then = match (&failure, asked) {
            (_, true) => action::decide(&failure, rung.tries).0,
            (Failure::RateLimited { retry_after: Some(after) }, false) if rung.tries < action::TRIES_MAX => {
                Then::NextThenSame(*after)
            }
            (_, false) => Then::Next,
        };
        self.ladder.failed(number, then, Instant::now());
        let duration_ms = millis(began.elapsed());
        let word = failure.word();
        self.path.push(Step { provider: provider.clone(), model: model.clone(), word, took_ms: duration_ms });
        self.attempts.push(Attempt { provider, model, failure, duration_ms });
    }
}

/// The name under which the circuit of a model that makes vectors is known.
fn known_as(model: &str) -> String {
    if model.is_empty() { VECTORS.to_owned() } else { format!("{model} {VECTORS}") }
}

fn wordless() -> Completion {
    Completion {
        content: String::new(),
        tool_calls: Vec::new(),
        model: String::new(),
        usage: Usage::default(),
        finish: Finish::Stop,
    }
}
