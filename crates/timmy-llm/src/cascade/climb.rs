//! One call from its question to its answer: up the ladder, within one deadline, by what each failure asks for.

use std::borrow::Cow;
use std::time::Duration;

use timmy_domain::Timestamp;
use timmy_domain::thought::Place;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::abilities::Needs;
use super::action::{self, Harm, Then};
use super::attempt::{Asking, Race, Tried, attempt};
use super::booking;
use super::ladder::{Ladder, Next};
use super::member::{Ended, Member, Permit, Turn};
use super::money::{self, Leaving, Purse};
use super::recent::Step;
use super::{Answer, Attempt, CascadeError, Change, Inner, millis};
use crate::deltas::Deltas;
use crate::failure::{Failure, Stage};
use crate::provider::{AGAIN_MARK, Call, Completion, Usage};
use crate::request::ChatRequest;

/// A call in the making.
pub struct Climb<'a> {
    inner: &'a Inner,
    request: &'a ChatRequest,
    call: &'a Call,
    began: Instant,
    needs: Needs,
    ladder: Ladder,
    attempts: Vec<Attempt>,
    path: Vec<Step>,
    /// What the reader was given of answers that broke off, with the marks behind them.
    said: String,
    cost_micros: u64,
}

/// What an attempt needs beside the request: leave to ask, a place in the books, and who it is known as.
struct Ready<'a> {
    number: usize,
    member: &'a Member,
    permit: Permit<'a>,
    request: Cow<'a, ChatRequest>,
    leave: Option<CancellationToken>,
    line: Option<i64>,
    reserved: u64,
    purse: Option<Purse<'a>>,
    begin_by: Instant,
}

impl<'a> Climb<'a> {
    /// A call that begins now.
    pub fn new(inner: &'a Inner, request: &'a ChatRequest, call: &'a Call, began: Instant) -> Self {
        let needs = Needs::of(request);
        let mut rungs = inner.rungs(request, needs, began);
        rungs.retain(|rung| !(rung.reflex && call.manner.models_only));
        if let Some(only) = &call.manner.only {
            rungs.retain(|rung| inner.members.get(rung.member).is_some_and(|m| m.name() == only));
        }
        let ladder = Ladder::new(rungs);
        let (attempts, path) = (Vec::new(), Vec::new());
        Self { inner, request, call, began, needs, ladder, attempts, path, said: String::new(), cost_micros: 0 }
    }

    /// Asks until somebody answers or nobody is left. Gives the path it took as well.
    pub async fn climb(mut self) -> (Result<Answer, CascadeError>, Vec<Step>, u64) {
        let done = loop {
            if self.call.cancel.is_cancelled() && !self.attempts.is_empty() {
                break Err(self.error(""));
            }
            match self.ladder.next(Instant::now(), self.call.deadline) {
                Next::Over => break Err(self.error("")),
                Next::Skip(number, failure) => self.passed(number, failure),
                Next::Again(number, at) => {
                    tokio::select! {
                        () = self.call.cancel.cancelled() => {}
                        () = sleep_until(at) => {}
                    }
                    if let Some(done) = self.ask(number).await {
                        break done;
                    }
                }
                Next::Ask(number) => {
                    if let Some(done) = self.ask(number).await {
                        break done;
                    }
                }
            }
        };
        (done, self.path, self.cost_micros)
    }

    /// Asks one rung, or two in a race. Something means that the call is over.
    async fn ask(&mut self, number: usize) -> Option<Result<Answer, CascadeError>> {
        let reflex = self.ladder.rung(number).is_some_and(|r| r.reflex);
        if reflex && !self.said.is_empty() {
            // The reader has words of a model before him; reflex has nothing to add to them.
            return Some(Err(self.error("")));
        }
        if !reflex && Instant::now() >= self.call.deadline {
            // Without time nobody can answer, and it would not be the fault of whoever is asked.
            self.passed(number, Failure::Timeout { stage: Stage::Total });
            return None;
        }
        let ready = match self.ready(number, true).await {
            Ok(ready) => ready,
            Err(failure) => {
                self.passed(number, failure);
                return None;
            }
        };
        if let Some(after) = self.hedges(&ready) {
            return self.race(ready, after).await;
        }
        let tried = attempt(&ready.asking(self.call, None)).await;
        self.settled(ready, tried).await
    }

    /// Leave to ask a rung, and a place in the books when it is elsewhere. `waits` says whether it may wait for them.
    async fn ready(&self, number: usize, another_counts: bool) -> Result<Ready<'a>, Failure> {
        let inner = self.inner;
        let rung = self.ladder.rung(number).ok_or(Failure::NothingToSay)?;
        let member = inner.members.get(rung.member).ok_or(Failure::NothingToSay)?;
        let wanted = rung.model.clone();
        let leave = if member.place() == Place::Remote { Some(inner.mode.leave(inner.now())?) } else { None };
        let request = self.worded(member, wanted.as_deref())?;
        let known_as = member.known_as(wanted.as_deref());
        let permit = member.admit(&known_as, inner.now())?;
        let (line, reserved) = match member.place() {
            Place::Remote => {
                let by = self.begin_by(member, &known_as, another_counts);
                self.booked(member, &known_as, &request, by).await?
            }
            Place::Local | Place::Reflex | Place::Owner => (None, 0),
        };
        // The books may have taken a while, and the owner may have said in the meantime that all stays here, or that
        // he wants no answer any more. Nothing has left yet.
        let stays = leave.as_ref().is_some_and(CancellationToken::is_cancelled);
        if stays || (line.is_some() && self.call.cancel.is_cancelled()) {
            inner.settle(line, 0, false);
            return Err(if stays { stays_here() } else { Failure::Cancelled });
        }
        let purse = line.and_then(|line| self.purse(member, &known_as, line, reserved));
        let begin_by = self.begin_by(member, &known_as, another_counts);
        Ok(Ready { number, member, permit, request, leave, line, reserved, purse, begin_by })
    }

    /// The request as this member may read it, with the name of its own model and nobody else's.
    fn worded(&self, member: &Member, model: Option<&str>) -> Result<Cow<'a, ChatRequest>, Failure> {
        let mut request = match member.place() {
            Place::Remote => Cow::Owned(self.request.only_what_may_leave()?),
            Place::Local | Place::Reflex | Place::Owner => Cow::Borrowed(self.request),
        };
        if request.model.as_deref() != model && !member.is_reflex() {
            request.to_mut().model = model.map(str::to_owned);
        }
        if request.temperature.is_none()
            && let Some(said) = self.inner.rules.registered.at(member.name(), &member.known_as(model))
            && said.temperature.is_some()
        {
            request.to_mut().temperature = said.temperature;
        }
        Ok(request)
    }

    async fn booked(
        &self,
        member: &Member,
        model: &str,
        request: &ChatRequest,
        by: Instant,
    ) -> Result<(Option<i64>, u64), Failure> {
        let price = self.inner.rules.price(member, model)?;
        // An estimate of tokens may be half of the truth, for languages that are not English.
        let most = Usage {
            prompt_tokens: self.needs.prompt_tokens.saturating_mul(2),
            completion_tokens: u64::from(request.max_tokens),
        };
        let reserved = price.of(most);
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
            bytes: request.bytes(),
            reserved_micros: reserved,
            caps: self.inner.rules.caps,
        };
        booking::enter(books, leaving, by, &self.call.cancel).await.map(|line| (Some(line), reserved))
    }

    /// What pays for an answer that becomes longer than was asked for. Free ones need none.
    fn purse(&self, member: &Member, model: &str, line: i64, reserved: u64) -> Option<Purse<'a>> {
        let books = self.inner.books.get().filter(|_| reserved > 0)?.as_ref();
        let price = self.inner.rules.prices.of(member.name(), model);
        let prompt_tokens = self.needs.prompt_tokens.saturating_mul(2);
        Some(Purse { books, line, price, prompt_tokens, caps: self.inner.rules.caps })
    }

    /// Until when it must have begun: half of what is left while another one comes after it, less when it is known
    /// to be faster.
    fn begin_by(&self, member: &Member, model: &str, another_counts: bool) -> Instant {
        if !another_counts || member.is_reflex() || !self.another_may() {
            return self.call.begin_by();
        }
        let now = Instant::now();
        let half = self.call.begin_by().saturating_duration_since(now) / 2;
        let learned = member.patience(model, self.needs.prompt_tokens, self.inner.now());
        now + learned.map_or(half, |patience| patience.min(half))
    }

    /// Whether a model comes after this one that would be asked. One that rests, is switched off or may not read the
    /// request takes no time from those before it.
    fn another_may(&self) -> bool {
        let may = |member: &Member, model: Option<&str>| {
            self.inner.may_ask(member, self.request, &member.known_as(model)).is_ok()
        };
        let mut others = self.ladder.others();
        others.any(|(_, rung)| self.inner.members.get(rung.member).is_some_and(|m| may(m, rung.model.as_deref())))
    }

    /// After how long a second one is asked as well; nothing when it is not.
    fn hedges(&self, ready: &Ready<'_>) -> Option<Duration> {
        let after = self.inner.rules.hedge;
        let wanted = self.call.manner.interactive && !after.is_zero() && !ready.member.is_reflex();
        (wanted && self.ladder.others().next().is_some()).then_some(after)
    }

    async fn race(&mut self, first: Ready<'a>, after: Duration) -> Option<Result<Answer, CascadeError>> {
        let race = Race::new();
        let call = self.call;
        let tried = {
            let asking = first.asking(call, Some((&race, 0)));
            let mut leading = std::pin::pin!(attempt(&asking));
            tokio::select! {
                biased;
                tried = &mut leading => Ok(tried),
                () = tokio::time::sleep(after) => {
                    let second = if race.is_open() { self.second(&mut leading).await } else { Ok(None) };
                    match second {
                        Err(tried) => Ok(tried),
                        Ok(None) => Ok(leading.await),
                        Ok(Some(second)) => {
                            let asking = second.asking(call, Some((&race, 1)));
                            let both = tokio::join!(leading, attempt(&asking));
                            Err((second, both))
                        }
                    }
                }
            }
        };
        match tried {
            Ok(tried) => self.settled(first, tried).await,
            Err((second, (one, two))) => {
                // The one that answered is told last, so that the other one stands among the attempts.
                let (loser, winner) =
                    if one.done.is_ok() { ((second, two), (first, one)) } else { ((first, one), (second, two)) };
                match self.settled(loser.0, loser.1).await {
                    Some(over) => {
                        self.settled(winner.0, winner.1).await;
                        Some(over)
                    }
                    None => self.settled(winner.0, winner.1).await,
                }
            }
        }
    }

    /// The second one of a race, when there is one that may be asked right now. The first one is listened to meanwhile:
    /// an error is how it ended, and nobody else has been asked.
    async fn second(&mut self, first: &mut (impl Future<Output = Tried> + Unpin)) -> Result<Option<Ready<'a>>, Tried> {
        loop {
            let Some(number) = self.ladder.take_another() else { return Ok(None) };
            let ready = tokio::select! {
                biased;
                tried = &mut *first => {
                    self.ladder.failed(number, Then::NextThenSame(Duration::ZERO), Instant::now());
                    return Err(tried);
                }
                ready = self.ready(number, false) => ready,
            };
            match ready {
                Ok(ready) => return Ok(Some(ready)),
                Err(failure) => self.passed(number, failure),
            }
        }
    }

    /// An attempt is over: it is written down, and what follows from it is decided.
    async fn settled(&mut self, ready: Ready<'a>, tried: Tried) -> Option<Result<Answer, CascadeError>> {
        let Ready { number, member, permit, line, .. } = ready;
        let tries = self.ladder.rung(number).map_or(1, |r| r.tries);
        let (then, harm) =
            tried.done.as_ref().err().map_or((Then::Fail, Harm::None), |failure| action::decide(failure, tries));
        let model = tried.done.as_ref().map_or_else(|_| permit.model.clone(), |done| done.model.clone());
        self.pay(member, (permit.model.as_str(), model.as_str()), line, &tried);
        let ended = tried.done.as_ref().map_err(|failure| (failure, harm));
        let first_word = tried.first_word.map(|at| at.saturating_duration_since(tried.began));
        let prompt_tokens = self.needs.prompt_tokens;
        self.inner.learn(member, permit, ended, &Times { first_word, took: tried.took, prompt_tokens });
        let took_ms = millis(tried.took);
        let word = tried.done.as_ref().map_or_else(Failure::word, |_| "answered");
        self.path.push(Step { provider: member.name().to_owned(), model: model.clone(), word, took_ms });
        match tried.done {
            Ok(completion) => Some(Ok(self.answer(member, completion, tried.first_word))),
            Err(failure) => {
                let provider = member.name().to_owned();
                let fails = then == Then::Fail;
                self.attempts.push(Attempt { provider, model, failure, duration_ms: millis(tried.began.elapsed()) });
                self.ladder.failed(number, then, Instant::now());
                if fails {
                    return Some(Err(self.error(&tried.partial)));
                }
                // Words that nobody has read are no reason not to ask the next one.
                let read = self.call.deltas.is_some() && !tried.partial.is_empty();
                if read { self.broke_off(tried.partial).await } else { None }
            }
        }
    }

    /// Words have reached the reader. Another one begins again only when the caller allows it, behind a mark.
    async fn broke_off(&mut self, partial: String) -> Option<Result<Answer, CascadeError>> {
        if !self.call.manner.again_after_break || !self.another_may() {
            return Some(Err(self.error(&partial)));
        }
        self.said.push_str(&partial);
        self.said.push_str(AGAIN_MARK);
        let mut deltas = Deltas::new(self.call.deltas.clone());
        deltas.push(AGAIN_MARK);
        deltas.flush(&self.call.cancel).await;
        None
    }

    /// What an attempt cost in truth; `names` are the model that was asked and the one that answered.
    fn pay(&mut self, member: &Member, names: (&str, &str), line: Option<i64>, tried: &Tried) {
        if line.is_none() {
            return;
        }
        let price = self.inner.rules.prices.of_answer(member.name(), names.0, names.1);
        let cost = money::cost(tried.done.as_ref().map(|done| done.usage), tried.begun, price, tried.reserved);
        self.cost_micros = self.cost_micros.saturating_add(cost);
        self.inner.settle(line, cost, tried.done.is_ok());
    }

    /// Somebody who is not asked stands among the attempts with the reason.
    fn passed(&mut self, number: usize, failure: Failure) {
        let Some(rung) = self.ladder.rung(number) else { return };
        let model = rung.model.clone().unwrap_or_default();
        let Some(member) = self.inner.members.get(rung.member) else { return };
        let provider = member.name().to_owned();
        if let Failure::RateLimited { retry_after: Some(after) } = failure {
            // It said when it takes the next one. That may still be within the time of this call.
            let (tries, now) = (rung.tries, Instant::now());
            if tries < action::TRIES_MAX {
                self.ladder.failed(number, Then::NextThenSame(after), now);
            }
        }
        self.path.push(Step { provider: provider.clone(), model: model.clone(), word: failure.word(), took_ms: 0 });
        self.attempts.push(Attempt { provider, model, failure, duration_ms: 0 });
    }

    fn error(&mut self, partial: &str) -> CascadeError {
        let partial = std::mem::take(&mut self.said) + partial;
        CascadeError { attempts: std::mem::take(&mut self.attempts), partial }
    }

    fn answer(&mut self, member: &Member, completion: Completion, first_word: Option<Instant>) -> Answer {
        let Completion { content, tool_calls, model, usage, finish } = completion;
        let restarted = !self.said.is_empty();
        Answer {
            content: std::mem::take(&mut self.said) + &content,
            tool_calls,
            provider: member.name().to_owned(),
            model,
            place: member.place(),
            usage,
            finish,
            duration_ms: millis(self.began.elapsed()),
            first_token_ms: first_word.map(|at| millis(at.saturating_duration_since(self.began))),
            attempts: std::mem::take(&mut self.attempts),
            cached: false,
            restarted,
            cost_micros: self.cost_micros,
        }
    }
}

/// How long an attempt took, and how long a prompt it read.
pub struct Times {
    /// When the first word came after the question.
    pub first_word: Option<Duration>,
    /// How long all of it took.
    pub took: Duration,
    /// Tokens that were asked, estimated.
    pub prompt_tokens: u64,
}

impl Times {
    /// Those of a call without words.
    pub fn of(took: Duration) -> Self {
        Self { first_word: None, took, prompt_tokens: 0 }
    }
}

impl Inner {
    /// Remembers how an attempt went, and what that says about the health of who was asked.
    pub fn learn(
        &self,
        member: &Member,
        permit: Permit<'_>,
        done: Result<&Completion, (&Failure, Harm)>,
        times: &Times,
    ) {
        let told = match done {
            Err((Failure::Billing { until: Some(until) }, _)) => self.at_wall(*until),
            _ => None,
        };
        let model = permit.model.clone();
        let turn = member.ended(
            permit,
            &Ended {
                done: done.map_err(|(failure, _)| failure),
                harm: done.err().map_or(Harm::None, |(_, harm)| harm),
                first_word: times.first_word,
                took: times.took,
                prompt_tokens: times.prompt_tokens,
                now: self.now(),
                until: told,
                roll: self.roll(),
            },
        );
        let why = || done.err().map(|(failure, _)| failure.to_string()).unwrap_or_default();
        let provider = member.name().to_owned();
        if let Some(turn) = turn {
            self.tell(match turn {
                Turn::Opened(ms) => Change::Opened { provider, model, why: why(), ms },
                Turn::Closed => Change::Closed { provider, model },
                Turn::Held(ms) => Change::Held { provider, why: why(), ms },
            });
        }
    }
}

impl<'a> Ready<'a> {
    fn asking<'s>(&'s self, call: &'s Call, race: Option<(&'s Race, usize)>) -> Asking<'s> {
        Asking {
            member: self.member,
            request: &self.request,
            call,
            begin_by: self.begin_by,
            leave: self.leave.clone(),
            race,
            purse: self.purse.as_ref(),
            reserved: self.reserved,
        }
    }
}

/// Everything has to stay here from now on.
pub fn stays_here() -> Failure {
    Failure::Privacy { what: "from now on everything stays on this machine".to_owned() }
}

/// Milliseconds of the cascade's clock at `until`, when the wall clock says `wall` at `now`.
pub fn at_wall(until: Timestamp, wall: Timestamp, now: u64) -> u64 {
    now.saturating_add(millis(until.since(wall)))
}
