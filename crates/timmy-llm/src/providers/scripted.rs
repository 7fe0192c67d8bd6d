//! Answers from a list, always named scripted: for tests, demonstrations and trying the house out without a model.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_domain::settings;
use timmy_domain::text::tokens_estimate;
use timmy_domain::thought::Place;
use tokio::time::sleep;

use crate::deltas::Deltas;
use crate::failure::{Failure, Stage};
use crate::provider::{BoxFuture, Call, Completion, Finish, Health, Provider, ProviderInfo, Usage};
use crate::request::{ChatRequest, ToolCall};
use crate::wire::ANSWER_BYTES_MAX;

/// Requests that are remembered; the oldest go first.
pub const REQUESTS_MAX: usize = 1_000;

settings! {
    /// The scripted provider: fixed replies, always labelled, without any model.
    pub struct ScriptedSettings in "scripted" {
        /// The replies, given in turn, again from the first after the last.
        replies: Vec<String> = vec![
            "Scripted reply 1: no model wrote this.".to_owned(),
            "Scripted reply 2: this line stands in a list.".to_owned(),
            "Scripted reply 3: the list begins again after this.".to_owned(),
        ], Free;
        /// How long a reply takes to begin, in milliseconds.
        delay_ms: u64 = 0, Range(0, 600_000);
        /// How long each word of a reply takes, in milliseconds; 0 gives the reply at once.
        chunk_ms: u64 = 0, Range(0, 60_000);
    }
}

/// One act of a script. Each request takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Answers with this text.
    Reply(String),
    /// Fails for this reason.
    Fail(Failure),
    /// Says nothing until the call is given up or its time is over.
    Hang,
    /// Answers piece by piece, with a pause after each.
    Slow {
        /// The pieces.
        chunks: Vec<String>,
        /// The pause.
        every: Duration,
    },
    /// Wants these tools to be called.
    Tool(Vec<ToolCall>),
}

/// A provider that follows a script.
#[derive(Debug)]
pub struct Scripted {
    info: ProviderInfo,
    delay: Duration,
    acts: Mutex<Acts>,
}

#[derive(Debug)]
struct Acts {
    steps: VecDeque<Step>,
    cycle: bool,
    requests: VecDeque<ChatRequest>,
}

impl Scripted {
    /// Gives the replies of `settings` in turn.
    #[must_use]
    pub fn new(settings: &ScriptedSettings) -> Self {
        let every = Duration::from_millis(settings.chunk_ms);
        let steps = settings.replies.iter().map(|reply| match settings.chunk_ms {
            0 => Step::Reply(reply.clone()),
            _ => Step::Slow { chunks: reply.split_inclusive(' ').map(str::to_owned).collect(), every },
        });
        Self { delay: Duration::from_millis(settings.delay_ms), ..Self::acting(steps.collect(), true) }
    }

    /// Follows `steps` once. After the last one it has nothing to say.
    #[must_use]
    pub fn script(steps: Vec<Step>) -> Self {
        Self::acting(steps.into(), false)
    }

    fn acting(steps: VecDeque<Step>, cycle: bool) -> Self {
        Self {
            info: ProviderInfo { name: "scripted".to_owned(), kind: "scripted", place: Place::Local },
            delay: Duration::ZERO,
            acts: Mutex::new(Acts { steps, cycle, requests: VecDeque::new() }),
        }
    }

    /// The same script under another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.info.name);
        self
    }

    /// The same script at `place`. At [`Place::Remote`] it is asked only what may leave.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.info.place = place;
        self
    }

    /// The requests it got, oldest first, at most [`REQUESTS_MAX`].
    #[must_use]
    pub fn requests(&self) -> Vec<ChatRequest> {
        self.acts().requests.iter().cloned().collect()
    }

    fn acts(&self) -> MutexGuard<'_, Acts> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, request: &ChatRequest) -> Option<Step> {
        let mut acts = self.acts();
        if acts.requests.len() == REQUESTS_MAX {
            acts.requests.pop_front();
        }
        acts.requests.push_back(request.clone());
        let step = acts.steps.pop_front()?;
        if acts.cycle {
            acts.steps.push_back(step.clone());
        }
        Some(step)
    }

    async fn perform(&self, step: Step, request: &ChatRequest, deltas: &mut Deltas) -> Result<Completion, Failure> {
        sleep(self.delay).await;
        let said = |content: String, tool_calls: Vec<ToolCall>| {
            let read: usize = request.messages.iter().flat_map(|m| &m.parts).map(|p| tokens_estimate(&p.text)).sum();
            let usage = Usage { prompt_tokens: read as u64, completion_tokens: tokens_estimate(&content) as u64 };
            let finish = if tool_calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
            Completion { content, tool_calls, model: "script".to_owned(), usage, finish }
        };
        match step {
            Step::Reply(text) => {
                deltas.push(&text);
                Ok(said(text, Vec::new()))
            }
            Step::Fail(failure) => Err(failure),
            Step::Hang => std::future::pending().await,
            Step::Slow { chunks, every } => {
                let mut bytes = 0;
                for chunk in &chunks {
                    bytes += chunk.len();
                    if bytes > ANSWER_BYTES_MAX {
                        return Err(Failure::TooLarge { what: format!("it is over {ANSWER_BYTES_MAX} bytes") });
                    }
                    deltas.push(chunk);
                    sleep(every).await;
                }
                Ok(said(chunks.concat(), Vec::new()))
            }
            Step::Tool(calls) => {
                deltas.begin();
                Ok(said(String::new(), calls))
            }
        }
    }

    async fn ask(&self, request: &ChatRequest, call: &Call) -> Result<Completion, Failure> {
        request.for_place(self.info.place)?;
        let step = self.take(request).ok_or(Failure::NothingToSay)?;
        let mut deltas = Deltas::new(call.deltas.clone());
        let done = tokio::select! {
            biased;
            () = call.cancel.cancelled() => Err(Failure::Cancelled),
            done = self.perform(step, request, &mut deltas) => done,
            () = tokio::time::sleep_until(call.deadline) => Err(Failure::Timeout { stage: Stage::Total }),
        };
        deltas.flush(&call.cancel).await;
        match done {
            Err(Failure::Timeout { .. }) if !deltas.begun() => Err(Failure::Timeout { stage: Stage::FirstToken }),
            done => done,
        }
    }
}

impl Provider for Scripted {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn chat<'a>(&'a self, request: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(self.ask(request, call))
    }

    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        let model = "script".to_owned();
        Box::pin(async { Ok(Health { models: vec![model.clone()], version: None, model_in_use: model }) })
    }
}

#[cfg(test)]
mod tests;
