//! One attempt: a provider is asked, its words are passed on, and its time is watched.

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::deltas::Deltas;
use crate::failure::{Failure, Stage};
use crate::provider::{Call, Completion};
use crate::request::ChatRequest;

use super::member::Member;

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
}

/// Passes words on and remembers them.
struct Relay {
    deltas: Deltas,
    begun: bool,
    said: String,
    first_word: Option<Instant>,
}

impl Relay {
    fn take(&mut self, piece: &str) {
        self.begun = true;
        if piece.is_empty() {
            return;
        }
        self.first_word.get_or_insert_with(Instant::now);
        self.said.push_str(piece);
        self.deltas.push(piece);
    }
}

/// Asks `member`, which must have begun by `begin_by` and has until the deadline of `call` for the rest.
pub async fn attempt(member: &Member, request: &ChatRequest, call: &Call, begin_by: Instant) -> Tried {
    let mut relay =
        Relay { deltas: Deltas::new(call.deltas.clone()), begun: false, said: String::new(), first_word: None };
    let began = Instant::now();
    let in_flight = member.figures().begin();
    let done = ask(member, request, call, begin_by, &mut relay).await;
    drop(in_flight);
    // A reader that is behind takes its own time, not the model's.
    let took = began.elapsed();
    relay.deltas.flush(&call.cancel).await;
    member.called(&done);
    // What must not travel was not asked.
    if !matches!(done, Err(Failure::Privacy { .. })) {
        let first_word = relay.first_word.map(|at| at.saturating_duration_since(began));
        member.figures().ended(done.as_ref().map(|completion| completion.usage), took, first_word);
    }
    let partial = if done.is_err() { relay.said } else { String::new() };
    Tried { done, partial, first_word: relay.first_word }
}

async fn ask(
    member: &Member,
    request: &ChatRequest,
    call: &Call,
    begin_by: Instant,
    relay: &mut Relay,
) -> Result<Completion, Failure> {
    let (sender, mut pieces) = mpsc::channel(PIECES_MAX);
    let inner = Call { first_word_by: Some(begin_by), deltas: Some(sender), ..call.clone() };
    let mut chat = std::pin::pin!(member.provider().chat(request, &inner));
    let done = loop {
        let (limit, stage) =
            if relay.begun { (call.deadline, Stage::Total) } else { (inner.begin_by(), Stage::FirstToken) };
        tokio::select! {
            biased;
            () = call.cancel.cancelled() => break Err(Failure::Cancelled),
            Some(piece) = pieces.recv() => relay.take(&piece),
            done = &mut chat => break done,
            // Whoever forgets the time is dropped here, and its connection with it. Reflex is never late.
            () = sleep_until(limit), if !member.is_reflex() => break Err(Failure::Timeout { stage }),
        }
    };
    while let Ok(piece) = pieces.try_recv() {
        relay.take(&piece);
    }
    done
}
