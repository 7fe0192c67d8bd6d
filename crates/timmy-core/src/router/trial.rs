//! Trying a provider out: one tiny question to that one alone, within a deadline, at the owner's word.
//!
//! The question is open and says nothing of the house. It counts as a call like any other, so a provider that rests
//! or is switched off says so instead of being asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use timmy_domain::event::ProviderTested;
use timmy_domain::{NewEvent, Problem, Sensitivity, Timestamp};
use timmy_llm::{
    Answer, Brief, Call, CascadeError, ChatMessage, ChatRequest, Failure, Manner, Part, Role, Sampling, TaskClass,
};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Router, lock};

/// How long a trial may take, in milliseconds. A large model is loaded first.
pub const TRIAL_MS: u64 = 60_000;
/// What is asked.
const QUESTION: &str = "Answer with the one word: ready";
/// Tokens the answer may have. Some models think before they speak.
const TOKENS_MAX: u32 = 64;

/// Trials by provider: the one that runs, else the last one of this run.
#[derive(Clone, Default)]
pub(super) struct Trials(Arc<Mutex<BTreeMap<String, (Trial, CancellationToken)>>>);

/// One trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Of which provider.
    pub provider: String,
    /// When it began.
    pub began: Timestamp,
    /// How it ended; nothing while it runs.
    pub end: Option<TrialEnd>,
}

/// How a trial ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialEnd {
    /// An answer came.
    Answered {
        /// Of which model.
        model: String,
        /// When its first word came, in milliseconds; nothing when none did.
        first_token_ms: Option<u64>,
        /// How long all of it took, in milliseconds.
        took_ms: u64,
    },
    /// None came.
    Failed {
        /// Why, in one word.
        word: &'static str,
        /// Why, in words.
        why: String,
        /// What the owner can do.
        hint: String,
        /// How long it took, in milliseconds.
        took_ms: u64,
    },
    /// The owner gave it up.
    Cancelled,
}

impl Router {
    /// Begins to try a provider out, and does not wait for it. The handle gives how it ended.
    ///
    /// # Errors
    /// When there is no such provider, it is reflex, or it is being tried out already.
    pub fn begin_trial(&self, name: &str, cancel: CancellationToken) -> Result<JoinHandle<Trial>, Problem> {
        let provider = self.steered(name)?.name;
        let trial = Trial { provider: provider.clone(), began: self.ctx.now(), end: None };
        {
            let mut trials = lock(&self.trials.0);
            if trials.get(&provider).is_some_and(|(trial, _)| trial.end.is_none()) {
                let message = format!("{provider} is being tried out already.");
                return Err(Problem::conflict("trial_runs", message, "Wait for it, or cancel it."));
            }
            trials.insert(provider, (trial.clone(), cancel.clone()));
        }
        let router = self.clone();
        Ok(tokio::spawn(async move { router.try_out(trial, cancel).await }))
    }

    /// Gives up the trial of a provider.
    ///
    /// # Errors
    /// When none runs.
    pub fn cancel_trial(&self, name: &str) -> Result<(), Problem> {
        let trials = lock(&self.trials.0);
        let running = trials.get(name).filter(|(trial, _)| trial.end.is_none());
        let Some((_, cancel)) = running else {
            return Err(Problem::conflict(
                "no_trial",
                format!("{name} is not being tried out."),
                "Nothing needs to be done.",
            ));
        };
        cancel.cancel();
        Ok(())
    }

    /// The trials that run, and the last ones that ended in this run.
    #[must_use]
    pub fn trials(&self) -> Vec<Trial> {
        lock(&self.trials.0).values().map(|(trial, _)| trial.clone()).collect()
    }

    async fn try_out(&self, mut trial: Trial, cancel: CancellationToken) -> Trial {
        let began = Instant::now();
        let manner = Manner { models_only: true, only: Some(trial.provider.clone()), ..Manner::default() };
        let deadline = began + Duration::from_millis(TRIAL_MS);
        let call = Call { manner, ..Call::until(deadline, cancel.clone()) };
        let asked = self.ctx.ask("test", &question(), &call).await;
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let end = if cancel.is_cancelled() { TrialEnd::Cancelled } else { ended(asked, took_ms) };
        trial.end = Some(end.clone());
        lock(&self.trials.0).insert(trial.provider.clone(), (trial.clone(), cancel));
        let (model, why) = match end {
            TrialEnd::Answered { model, .. } => (model, String::new()),
            TrialEnd::Failed { why, .. } => (String::new(), why),
            TrialEnd::Cancelled => (String::new(), "the owner gave it up".to_owned()),
        };
        let ms = i64::try_from(took_ms).unwrap_or(i64::MAX);
        let event = ProviderTested { provider: trial.provider.clone(), model, why, ms };
        if let Err(error) = self.ctx.store.append(vec![NewEvent::new("router", event)]).await {
            tracing::warn!(component = trial.provider, %error, "a trial is not in the log");
        }
        trial
    }
}

fn ended(asked: Result<Answer, CascadeError>, took_ms: u64) -> TrialEnd {
    match asked {
        Ok(answer) => TrialEnd::Answered {
            model: answer.model,
            first_token_ms: answer.first_token_ms,
            took_ms: answer.duration_ms,
        },
        Err(error) => {
            // Asked again within the call, the first reason is the one that says most; none means nobody was asked.
            let failure = error.attempts.into_iter().next().map_or(Failure::Cancelled, |attempt| attempt.failure);
            TrialEnd::Failed { word: failure.word(), why: failure.to_string(), hint: failure.hint(), took_ms }
        }
    }
}

fn question() -> ChatRequest {
    let part = Part { text: QUESTION.to_owned(), sensitivity: Sensitivity::Open, droppable: false };
    let message =
        ChatMessage { role: Role::User, parts: vec![part], tool_calls: vec![], tool_call_id: None, images: vec![] };
    ChatRequest {
        messages: vec![message],
        tools: vec![],
        class: TaskClass::Chat,
        max_tokens: TOKENS_MAX,
        temperature: None,
        model: None,
        sampling: Sampling::default(),
        brief: Brief::default(),
    }
}
