//! Thoughts as tasks: the handler that has a thought made when its turn in the queue comes. It lies beside the rooms,
//! since it joins the mind with the work.
//!
//! Thought and task end in one transaction, so a crash in between leaves neither: the task is begun again and makes the
//! one thought. Whatever takes the task away stops the call of the model, and nothing of it is kept.

use std::sync::Arc;

use timmy_domain::Actor;
use timmy_domain::task::THOUGHT;
use timmy_domain::task::step::{Act, Outcome};
use timmy_store::{StoreError, Tx};

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::mind::thinking::{Errand, Outcome as Made, Thinking};
use crate::work::processor::{Handler, Job};
use crate::work::queue;

/// Has thoughts made.
pub struct Thoughts {
    ctx: Ctx,
    thinking: Thinking,
}

impl Thoughts {
    /// Thoughts of `thinking`.
    #[must_use]
    pub fn new(ctx: Ctx, thinking: Thinking) -> Self {
        Self { ctx, thinking }
    }

    async fn think(&self, job: &Job) -> Outcome {
        loop {
            // A thought gives way to the owner, and takes its turn up again afterwards.
            tokio::select! {
                () = self.ctx.attention.until_free() => {}
                () = job.stop.cancelled() => return Outcome::Interrupted,
            }
            match self.thinking.forbidden().await {
                Ok(None) => {}
                Ok(Some(why)) => return Outcome::Done(format!("No thought was made: {why}.")),
                Err(fault) => return Outcome::Transient(fault.0),
            }
            return match self.thinking.attempt_for(None, Some(errand(job))).await {
                Ok(Some(Made::Yielded)) => continue,
                Ok(Some(Made::Thought(thought))) => Outcome::Done(format!("A thought: {}", thought.id)),
                Ok(Some(Made::Silent(why))) => Outcome::Done(format!("No thought was made: {why}.")),
                Ok(Some(Made::Missed(why))) => Outcome::Failed(why),
                Ok(Some(Made::Stopped)) if self.ctx.stop.is_cancelled() => Outcome::Interrupted,
                Ok(Some(Made::Stopped)) => Outcome::Failed("you stopped it".to_owned()),
                Ok(None) => Outcome::Done("Another thought was being made at that moment.".to_owned()),
                Err(fault) => Outcome::Transient(fault.0),
            };
        }
    }
}

/// The errand of a job: it is over together with the thought, or with the reason why none came.
fn errand(job: &Job) -> Errand {
    let (id, holder) = (job.taken.task.id, job.taken.holder.clone());
    let land = move |tx: &mut Tx<'_>, how: Result<&str, &str>| -> Result<(), StoreError> {
        let outcome = match how {
            Ok(result) => Outcome::Done(result.to_owned()),
            Err(why) => Outcome::Failed(why.to_owned()),
        };
        queue::step_alone(tx, id, Act::Finish { holder: holder.clone(), outcome }, &Actor::System).map(drop)
    };
    Errand { stop: job.stop.clone(), land: Arc::new(land) }
}

impl Handler for Thoughts {
    fn kinds(&self) -> &'static [&'static str] {
        &[THOUGHT]
    }

    fn work<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let outcome = self.think(job).await;
            self.thinking.look_again();
            outcome
        })
    }
}
