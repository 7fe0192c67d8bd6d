//! One attempt: a provider is asked, its words are passed on, and its time is watched.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::climb::stays_here;
use super::member::Member;
use super::money::Purse;
use crate::deltas::Deltas;
use crate::failure::{Failure, Stage};
use crate::provider::{Call, Completion};
use crate::request::{ChatRequest, ToolCall, ToolChoice};

/// Pieces that may wait between a provider and the relay, which reads them in the same task.
const PIECES_MAX: usize = 32;

/// What became of an attempt.
pub struct Tried {
    /// The answer, or why there is none.
    pub done: Result<Completion, Failure>,
    /// What the reader has been given when there is no whole answer.
    pub partial: String,
    /// When the first word came.
    pub first_word: Option<Instant>,
    /// Whether the model had begun, be it with reasoning or a call that nobody reads.
    pub begun: bool,
    /// When it began.
    pub began: Instant,
    /// How long it took, without a reader that was behind.
    pub took: Duration,
    /// What was reserved for it in the end, in millionths of a dollar.
    pub reserved: u64,
}

/// What is asked, of whom, and within which bounds.
pub struct Asking<'a> {
    /// Who.
    pub member: &'a Member,
    /// What.
    pub request: &'a ChatRequest,
    /// How.
    pub call: &'a Call,
    /// Until when it must have begun.
    pub begin_by: Instant,
    /// Cancelled when nothing may leave this machine any more.
    pub leave: Option<CancellationToken>,
    /// Who else is asked at the same time.
    pub race: Option<(&'a Race, usize)>,
    /// What it may cost, where it costs something.
    pub purse: Option<&'a Purse<'a>>,
    /// What of that is reserved, in millionths of a dollar.
    pub reserved: u64,
}

/// Several are asked at once; whoever has the first word goes on alone.
pub struct Race {
    /// Zero while nobody leads, else one more than the number of the one that does.
    leads: AtomicUsize,
    lost: [CancellationToken; 2],
}

impl Race {
    /// A race of two.
    pub fn new() -> Self {
        Self { leads: AtomicUsize::new(0), lost: [CancellationToken::new(), CancellationToken::new()] }
    }

    /// Whether nobody has said a word yet.
    pub fn is_open(&self) -> bool {
        self.leads.load(Ordering::Acquire) == 0
    }

    /// `number` has a word: whether it may say it.
    fn claim(&self, number: usize) -> bool {
        match self.leads.compare_exchange(0, number + 1, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                self.lost.iter().enumerate().filter(|(n, _)| *n != number).for_each(|(_, token)| token.cancel());
                true
            }
            Err(leader) => leader == number + 1,
        }
    }
}

/// Passes words on and remembers them.
struct Relay<'a> {
    deltas: Deltas,
    begun: bool,
    said: String,
    first_word: Option<Instant>,
    race: Option<(&'a Race, usize)>,
    /// Bytes of all words that came, whoever reads them.
    bytes: usize,
    /// What is reserved for them.
    reserved: u64,
    /// Where the caller wants to read who answers, and the name.
    answering: Option<(&'a OnceLock<String>, &'a str)>,
}

impl Relay<'_> {
    /// Takes a piece; says whether it may go on.
    fn take(&mut self, piece: &str) -> bool {
        if !self.begun && !self.race.is_none_or(|(race, number)| race.claim(number)) {
            return false;
        }
        self.begun = true;
        if let Some((answering, name)) = self.answering {
            // Before the reader has the first word.
            let _ = answering.set(name.to_owned());
        }
        if !piece.is_empty() {
            self.bytes += piece.len();
            self.first_word.get_or_insert_with(Instant::now);
            self.said.push_str(piece);
            self.deltas.push(piece);
        }
        true
    }
}

/// Asks the member, which must have begun in time and has until the deadline of the call for the rest.
pub async fn attempt(asking: &Asking<'_>) -> Tried {
    let Asking { member, request, call, race, .. } = *asking;
    // Until it is known that a tool is called, words of an answer that must call one are nobody's.
    let held_back = request.sampling.tool_choice.is_required();
    let answering = call.manner.answering.as_deref().map(|place| (place, member.name()));
    let to = if held_back { None } else { call.deltas.clone() };
    let mut relay = Relay {
        deltas: Deltas::new(to),
        begun: false,
        said: String::new(),
        first_word: None,
        race,
        bytes: 0,
        reserved: asking.reserved,
        answering,
    };
    let began = Instant::now();
    let in_flight = member.figures().begin();
    let asked = ask(asking, &mut relay).await;
    drop(in_flight);
    let done = asked.and_then(|completion| checked(completion, &request.sampling.tool_choice, &relay));
    // A reader that is behind takes its own time, not the model's.
    let took = began.elapsed();
    if held_back {
        relay.deltas = Deltas::new(call.deltas.clone());
        done.iter().for_each(|completion| relay.deltas.push(&completion.content));
    }
    relay.deltas.flush(&call.cancel).await;
    // What must not travel was not asked.
    if !matches!(done, Err(Failure::Privacy { .. })) {
        let first_word = relay.first_word.map(|at| at.saturating_duration_since(began));
        member.figures().ended(done.as_ref().map(|completion| completion.usage), took, first_word);
    }
    let partial = if done.is_err() && !held_back { std::mem::take(&mut relay.said) } else { String::new() };
    let Relay { first_word, begun, reserved, .. } = relay;
    Tried { done, partial, first_word, begun, began, took, reserved }
}

fn checked(completion: Completion, choice: &ToolChoice, relay: &Relay<'_>) -> Result<Completion, Failure> {
    if !relay.race.is_none_or(|(race, number)| race.claim(number)) {
        return Err(Failure::Outrun);
    }
    let called = match choice {
        ToolChoice::Auto | ToolChoice::Never => true,
        ToolChoice::Required => !completion.tool_calls.is_empty(),
        ToolChoice::Named(name) => completion.tool_calls.iter().any(|call| call.name == *name),
    };
    if !called {
        return Err(Failure::ToolNotCalled);
    }
    Ok(Completion { tool_calls: once_each(completion.tool_calls), ..completion })
}

/// No call stands there twice: the same one under the same id is left out, another one gets an id of its own.
fn once_each(calls: Vec<ToolCall>) -> Vec<ToolCall> {
    let mut once: Vec<ToolCall> = Vec::with_capacity(calls.len());
    for (n, mut call) in calls.into_iter().enumerate() {
        if once.contains(&call) && !call.id.is_empty() {
            continue;
        }
        if once.iter().any(|o| o.id == call.id) {
            call.id = format!("{}-{n}", call.id);
        }
        once.push(call);
    }
    once
}

async fn ask(asking: &Asking<'_>, relay: &mut Relay<'_>) -> Result<Completion, Failure> {
    let Asking { member, request, call, begin_by, .. } = *asking;
    let (sender, mut pieces) = mpsc::channel(PIECES_MAX);
    let inner = Call { first_word_by: Some(begin_by), deltas: Some(sender), ..call.clone() };
    let mut chat = std::pin::pin!(member.provider().chat(request, &inner));
    let done = loop {
        let (limit, stage) =
            if relay.begun { (call.deadline, Stage::Total) } else { (inner.begin_by(), Stage::FirstToken) };
        tokio::select! {
            biased;
            () = call.cancel.cancelled() => break Err(Failure::Cancelled),
            () = given_up(asking.leave.as_ref()) => {
                break Err(stays_here());
            }
            () = given_up(relay.race.and_then(|(race, number)| race.lost.get(number))) => break Err(Failure::Outrun),
            Some(piece) = pieces.recv() => {
                if !relay.take(&piece) {
                    break Err(Failure::Outrun);
                }
                if let Some(purse) = asking.purse {
                    let paid = tokio::select! {
                        biased;
                        () = call.cancel.cancelled() => Err(Failure::Cancelled),
                        paid = purse.pay_on(relay.bytes, relay.reserved) => paid,
                        // Books that are slow do not hold the call up. What they reserve late is settled all the same.
                        () = sleep_until(call.deadline) => Err(Failure::Timeout { stage: Stage::Total }),
                    };
                    match paid {
                        Ok(reserved) => relay.reserved = reserved,
                        Err(failure) => break Err(failure),
                    }
                }
            }
            done = &mut chat => break done,
            // Whoever forgets the time is dropped here, and its connection with it. Reflex is never late.
            () = sleep_until(limit), if !member.is_reflex() => break Err(Failure::Timeout { stage }),
        }
    };
    while !matches!(done, Err(Failure::Outrun | Failure::SpentUp { .. }))
        && pieces.try_recv().is_ok_and(|piece| relay.take(&piece))
    {}
    done
}

/// Waits until `token` is cancelled; without one, for ever.
pub async fn given_up(token: Option<&CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: models: no call of a tool is carried out twice, however often an answer names it
    #[test]
    fn a_call_of_a_tool_stands_there_once() {
        let call =
            |id: &str, arguments: &str| ToolCall { id: id.into(), name: "t".into(), arguments: arguments.into() };
        let once = once_each(vec![call("a", "1"), call("a", "1"), call("a", "2"), call("b", "1")]);
        assert_eq!(once, [call("a", "1"), call("a-2", "2"), call("b", "1")]);
    }
}
