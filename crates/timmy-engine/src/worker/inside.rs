//! The worker itself: reads orders, works on one at a time, and ends when nobody talks to it any more.

use std::io::{Write, stdin, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use super::frame::{self, FrameError};
use super::words::{Held, Loaded, Order, Refusal, Word};
use crate::ask::Ask;
use crate::error::EngineError;
use crate::generate::{Session, Step};
use crate::load::LoadOptions;
use crate::runner::Runner;

/// Orders that may wait. Timmy sends one at a time, so more is a fault.
const ORDERS_MAX: usize = 8;
/// Texts that are turned into vectors at once.
pub const TEXTS_MAX: usize = 4_096;
/// Numbers of all vectors of a question: 64 MiB, as many texts as there may be with 4,096 numbers each.
pub(super) const VECTOR_NUMBERS_MAX: usize = 1 << 24;
/// Numbers of the vectors in one frame. One takes at most 16 bytes there with its comma, so they fill half of it.
const FRAME_NUMBERS_MAX: usize = frame::FRAME_BYTES_MAX / 32;

/// What question is worked on, and whether it was given up.
#[derive(Default)]
struct Current {
    id: Mutex<Option<u64>>,
    cancelled: AtomicBool,
    /// Whether nobody listens any more, so that nothing is wanted.
    over: AtomicBool,
}

impl Current {
    fn begin(&self, id: u64) {
        *self.id.lock().unwrap_or_else(PoisonError::into_inner) = Some(id);
    }

    fn end(&self) {
        let mut id = self.id.lock().unwrap_or_else(PoisonError::into_inner);
        *id = None;
        self.cancelled.store(self.over.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Gives everything up, for good.
    fn close(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Gives `id` up, if it is worked on or comes next.
    fn cancel(&self, wanted: u64) {
        let id = self.id.lock().unwrap_or_else(PoisonError::into_inner);
        if id.is_some_and(|id| id == wanted) {
            self.cancelled.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs until the other side is gone. 0 when it went in order, 1 when it was sent what could not be understood. A fault
/// of the engine ends the process, which is how the other side hears of it.
#[must_use]
pub fn run() -> ExitCode {
    let current = Arc::new(Current::default());
    let (orders, waiting) = sync_channel(ORDERS_MAX);
    let of_listener = Arc::clone(&current);
    let listener = std::thread::Builder::new().name("orders".to_owned());
    let spawned = listener.spawn(move || {
        let understood = listen(&orders, &of_listener);
        of_listener.close();
        understood
    });
    let Ok(spawned) = spawned else { return ExitCode::FAILURE };
    work(&waiting, &current);
    if spawned.join().unwrap_or(false) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Hears orders until there are no more. Gives whether all were understood.
fn listen(orders: &SyncSender<Order>, current: &Current) -> bool {
    let mut from = stdin().lock();
    loop {
        match frame::read(&mut from) {
            Ok(Order::Cancel { id }) => current.cancel(id),
            Ok(order) => {
                // From here on it can be given up, also before it is begun.
                if let Order::Ask { id, .. } | Order::Embed { id, .. } = &order {
                    current.begin(*id);
                }
                if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = orders.try_send(order) {
                    return false;
                }
            }
            Err(FrameError::Ended) => return true,
            Err(FrameError::TooLong(_) | FrameError::Garbage) => return false,
        }
    }
}

fn work(orders: &Receiver<Order>, current: &Current) {
    let mut session: Option<Session> = None;
    while let Ok(order) = orders.recv() {
        let word = match order {
            Order::Load { path, memory_bytes, threads, context_tokens, runner } => {
                session = None;
                let memory_budget_bytes = Some(memory_bytes);
                let options = LoadOptions { path, memory_budget_bytes, threads, context_length: context_tokens };
                match loaded(runner, &options) {
                    Ok((made, word)) => {
                        session = Some(made);
                        Word::Loaded(word)
                    }
                    Err(error) => refusal(None, &error),
                }
            }
            Order::Ask { id, ask } => {
                let word = asked(session.as_mut(), id, &ask, &current.cancelled);
                current.end();
                word
            }
            Order::Embed { id, texts } => {
                let word = embedded(session.as_mut(), id, &texts, &current.cancelled);
                current.end();
                word
            }
            Order::Unload => {
                session = None;
                Word::Unloaded
            }
            Order::Report => Word::Holds(session.as_ref().map(held).unwrap_or_default()),
            Order::Cancel { .. } => continue,
        };
        say(&word);
    }
}

fn loaded(runner: Runner, options: &LoadOptions) -> Result<(Session, Loaded), EngineError> {
    let session = Session::new(runner.load(options)?)?;
    let (facts, memory) = (session.model().facts(), session.model().memory());
    let word = Loaded {
        name: facts.name.clone(),
        architecture: facts.architecture.clone(),
        context_tokens: facts.context_tokens,
        embedding_length: facts.embedding_length,
        way: memory.path,
        resident_layers: memory.resident_layers,
        layers: memory.layers,
        threads: options.threads,
        fallback_template: session.has_fallback_template(),
    };
    Ok((session, word))
}

fn held(session: &Session) -> Held {
    let memory = session.model().memory();
    Held { weight_bytes: memory.weight_bytes, cache_bytes: memory.cache_bytes, read_bytes: memory.bytes_read }
}

fn asked(session: Option<&mut Session>, id: u64, ask: &Ask, cancel: &AtomicBool) -> Word {
    let Some(session) = session else { return without_model(id) };
    let mut on = |step: Step| {
        say(&match step {
            Step::Read(tokens, of) => Word::Read { id, tokens, of },
            Step::Begun => Word::Begun { id },
            Step::Text(text) => Word::Text { id, text },
        });
    };
    match session.answer(ask, cancel, &mut on) {
        Ok(answer) => Word::Answered { id, answer },
        Err(error) => refusal(Some(id), &error),
    }
}

fn embedded(session: Option<&mut Session>, id: u64, texts: &[String], cancel: &AtomicBool) -> Word {
    let Some(session) = session else { return without_model(id) };
    if texts.len() > TEXTS_MAX {
        let what = format!("{} texts at once, over {TEXTS_MAX}", texts.len());
        return refusal(Some(id), &EngineError::BadRequest(what));
    }
    let (mut vectors, mut numbers, mut tokens) = (Vec::new(), 0, 0);
    for text in texts {
        if cancel.load(Ordering::Relaxed) {
            return refusal(Some(id), &EngineError::Cancelled);
        }
        let (vector, read) = match session.embed(text) {
            Ok(made) => made,
            Err(error) => return refusal(Some(id), &error),
        };
        // Known with the first one, before any is told.
        if texts.len().saturating_mul(vector.len()) > VECTOR_NUMBERS_MAX {
            return refusal(Some(id), &too_many(texts.len(), vector.len()));
        }
        if numbers + vector.len() > FRAME_NUMBERS_MAX && !vectors.is_empty() {
            say(&Word::Vectors { id, vectors: std::mem::take(&mut vectors) });
            numbers = 0;
        }
        numbers += vector.len();
        vectors.push(vector);
        tokens += read;
    }
    Word::Embedded { id, vectors, tokens }
}

fn too_many(texts: usize, length: usize) -> EngineError {
    let most = VECTOR_NUMBERS_MAX / length.max(1);
    EngineError::BadRequest(format!(
        "{texts} texts at once, over the {most} there may be with vectors of {length} numbers"
    ))
}

fn without_model(id: u64) -> Word {
    refusal(Some(id), &EngineError::BadRequest("no model is loaded".to_owned()))
}

fn refusal(id: Option<u64>, error: &EngineError) -> Word {
    Word::Refused { id, kind: Refusal::of(error), what: timmy_domain::text::one_line(&error.to_string()) }
}

/// Tells it. When nobody reads any more, the other thread hears of it as well, and everything is given up.
fn say(word: &Word) {
    say_to(&mut stdout().lock(), word);
}

fn say_to(out: &mut impl Write, word: &Word) {
    let said = match frame::write(out, word) {
        Err(error @ (FrameError::TooLong(_) | FrameError::Garbage)) => {
            // Nothing of it was written, and whoever asked would wait for it in vain.
            let what = format!("what it made cannot be told: {error}");
            frame::write(out, &Word::Refused { id: word.id(), kind: Refusal::Fault, what })
        }
        said => said,
    };
    if said.is_err() {
        out.flush().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: engine: a word of the worker that is too long for a frame becomes a typed failure at once
    #[test]
    fn what_does_not_fit_into_a_frame_is_told_as_a_failure() {
        let mut out = Vec::new();
        say_to(&mut out, &Word::Text { id: 7, text: "x".repeat(frame::FRAME_BYTES_MAX) });
        let word = frame::read(&mut out.as_slice()).expect("a word");
        let Word::Refused { id, kind, what } = word else { panic!("{word:?}") };
        assert_eq!((id, kind), (Some(7), Refusal::Fault));
        assert!(what.contains("cannot be told") && what.contains("over 33554432"), "{what}");
    }

    #[test]
    fn the_longest_numbers_fit_into_the_frame_of_their_part() {
        let longest = [f32::MIN_POSITIVE, -f32::MIN_POSITIVE, f32::MIN, -1.234_567_8e-38, -0.001_234_567_8];
        let bytes = longest.map(|number| serde_json::to_string(&number).expect("a number").len() + 1);
        assert!(bytes.iter().all(|bytes| bytes * FRAME_NUMBERS_MAX < frame::FRAME_BYTES_MAX - 1_024), "{bytes:?}");
    }
}
