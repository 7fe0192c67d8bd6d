//! What the owner can do with thinking: put a thought in, keep one, ask for fewer, pause, resume, ask for one now.

use std::time::Duration;

use timmy_domain::event::{ThinkingPaused, ThinkingResumed, ThoughtFewer, ThoughtKept, ThoughtReleased};
use timmy_domain::text::{clean, plural};
use timmy_domain::thought::{Place, THOUGHT_CHARS_MAX, Thought};
use timmy_domain::{Actor, Event, NewEvent, Problem, SeedType, ThoughtId, Timestamp};
use timmy_store::{NewThought, StoreError};

use super::{Doing, Outcome, PAUSED_KEY, Thinking, read_pause};
use crate::mind::rest::Pause;
use crate::mind::seed::weight_percent;

/// The longest pause that ends by itself, in minutes: 30 days.
pub const PAUSE_MINUTES_MAX: u64 = 30 * 24 * 60;

fn unknown(id: ThoughtId) -> Problem {
    Problem::unknown(
        "unknown_thought",
        format!("There is no thought {id}."),
        "`timmy thoughts` and the page /thinking list the thoughts with their ids.",
    )
}

impl Thinking {
    /// Puts the owner's own thought into the chain; Timmy goes on from it soon.
    ///
    /// # Errors
    /// When the text is empty or too long, or the store fails.
    pub async fn inject(&self, text: &str) -> Result<Thought, Problem> {
        let content = clean(text).trim().to_owned();
        let chars = content.chars().count();
        if content.is_empty() {
            return Err(Problem::invalid("empty_thought", "The thought is empty.", "Write at least one word."));
        }
        if chars > THOUGHT_CHARS_MAX {
            return Err(Problem::invalid(
                "long_thought",
                format!(
                    "The thought has {}; at most {THOUGHT_CHARS_MAX} fit.",
                    plural(chars as u64, "character", "characters")
                ),
                "Shorten it, or say it in Talk, where more fits.",
            ));
        }
        let new = NewThought {
            content,
            seed_type: SeedType::Freeform,
            seed_note: "put in by you".to_owned(),
            provider: "owner".to_owned(),
            model: String::new(),
            place: Place::Owner,
            duration_ms: 0,
            tokens: 0,
            actor: Actor::Owner,
            cause: None,
        };
        let stored = self.0.ctx.store.write(move |tx| tx.insert_thought(&new)).await;
        self.owner_was_here();
        self.nudge();
        stored.map_err(|e| e.problem())
    }

    /// Keeps a thought, or lets it go again.
    ///
    /// # Errors
    /// When there is no such thought, or the store fails.
    pub async fn keep_thought(&self, id: ThoughtId, kept: bool) -> Result<Thought, Problem> {
        let event = move |t: &Thought| -> Event {
            let thought_id = t.id;
            if kept { ThoughtKept { thought_id }.into() } else { ThoughtReleased { thought_id }.into() }
        };
        self.mark(
            id,
            move |tx| tx.set_kept(id, kept),
            move |tx, t| tx.append(NewEvent::new("thinking", event(t)).by(Actor::Owner).caused_by(t.seq)).map(|_| ()),
        )
        .await
    }

    /// Asks for fewer thoughts like one, or takes that back.
    ///
    /// # Errors
    /// When there is no such thought, or the store fails.
    pub async fn fewer_like(&self, id: ThoughtId, fewer: bool) -> Result<Thought, Problem> {
        self.mark(
            id,
            move |tx| tx.set_fewer(id, fewer),
            |tx, t| {
                let marked = tx.fewer_counts()?.get(&t.seed_type).copied().unwrap_or(0);
                let body = ThoughtFewer {
                    thought_id: t.id,
                    seed_type: t.seed_type,
                    weight_percent: i64::from(weight_percent(marked)),
                };
                tx.append(NewEvent::new("thinking", body).by(Actor::Owner).caused_by(t.seq)).map(|_| ())
            },
        )
        .await
    }

    /// Marks a thought and tells it in one transaction; a mark that is there already changes nothing.
    async fn mark(
        &self,
        id: ThoughtId,
        set: impl FnOnce(&mut timmy_store::Tx<'_>) -> Result<Option<Thought>, StoreError> + Send + 'static,
        tell: impl FnOnce(&mut timmy_store::Tx<'_>, &Thought) -> Result<(), StoreError> + Send + 'static,
    ) -> Result<Thought, Problem> {
        self.owner_was_here();
        let marked = self
            .0
            .ctx
            .store
            .write(move |tx| {
                let before = tx.thought(id)?;
                let after = set(tx)?;
                if let (Some(before), Some(after)) = (&before, &after)
                    && (before.kept, before.fewer) != (after.kept, after.fewer)
                {
                    tell(tx, after)?;
                }
                Ok(after)
            })
            .await
            .map_err(|e| e.problem())?;
        marked.ok_or_else(|| unknown(id))
    }

    /// Pauses thinking for `minutes`, or until the owner resumes it. A thought in the making is finished.
    ///
    /// # Errors
    /// When `minutes` is out of bounds, or the store fails.
    pub async fn pause(&self, minutes: Option<u64>) -> Result<Option<Timestamp>, Problem> {
        if minutes.is_some_and(|m| m == 0 || m > PAUSE_MINUTES_MAX) {
            return Err(Problem::invalid(
                "pause_length",
                format!("A pause lasts from 1 to {PAUSE_MINUTES_MAX} minutes."),
                "Leave the length out to pause until you resume.",
            ));
        }
        let until = minutes.map(|m| self.0.ctx.now().plus(Duration::from_secs(m * 60)));
        let stored = until.map_or_else(|| "open".to_owned(), |u| u.to_string());
        let told = self.0.ctx.store.write(move |tx| {
            tx.set_state(PAUSED_KEY, &stored)?;
            tx.append(NewEvent::new("thinking", ThinkingPaused { until }).by(Actor::Owner))
        });
        told.await.map_err(|e| e.problem())?;
        self.owner_was_here();
        self.0.look_again.notify_one();
        Ok(until)
    }

    /// Ends a pause and answers which one, so that it can be taken up again; `None` when there was none.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resume(&self) -> Result<Option<Pause>, Problem> {
        let told = self.0.ctx.store.write(|tx| {
            let Some(paused) = tx.state(PAUSED_KEY)? else { return Ok(None) };
            tx.clear_state(PAUSED_KEY)?;
            let pause = read_pause(&paused);
            if matches!(pause, Pause::Until(until) if until <= tx.now()) {
                // It ended by itself; nobody resumes anything.
                return Ok(None);
            }
            tx.append(NewEvent::new("thinking", ThinkingResumed {}).by(Actor::Owner)).map(|_| Some(pause))
        });
        let ended = told.await.map_err(|e| e.problem())?;
        self.owner_was_here();
        self.0.look_again.notify_one();
        Ok(ended)
    }

    /// Stops the thought in the making; the next one comes in its usual time.
    ///
    /// # Errors
    /// When none is being made.
    pub fn stop_thought(&self) -> Result<(), Problem> {
        self.owner_was_here();
        if !matches!(self.doing(), Doing::Thinking { .. }) {
            return Err(Problem::conflict(
                "no_thought",
                "No thought is being made right now; there is nothing to stop.",
                "Nothing needs to be done.",
            ));
        }
        // Only an attempt that waits hears it, so a late press cannot stop the next thought.
        self.0.stop_thought.notify_waiters();
        Ok(())
    }

    /// Makes one thought now because the owner asked, whatever the rhythm says.
    ///
    /// # Errors
    /// When one is being made already, when no thought came, or when the store fails.
    pub async fn think_now(&self, seed: Option<SeedType>) -> Result<Thought, Problem> {
        self.owner_was_here();
        let outcome = self.attempt(seed).await.map_err(|fault| {
            Problem::unavailable(
                "store_failed",
                format!("The thought could not be stored: {fault}."),
                "Run `timmy doctor`.",
            )
        })?;
        match outcome {
            Some(Outcome::Thought(thought)) => Ok(*thought),
            Some(Outcome::Silent(why)) => Err(Problem::conflict(
                "nothing_new",
                format!("No new thought: {why}, and without a language model Timmy only says what changed."),
                "Start Ollama and run `ollama pull` for a model, or point Timmy at a folder with `timmy watch add DIR`.",
            )),
            Some(Outcome::Yielded) => Err(Problem::conflict(
                "yielded",
                "The thought was given up because you are talking with Timmy.",
                "Ask again when the answer is there.",
            )),
            Some(Outcome::Stopped) => {
                Err(Problem::conflict("stopped", "The thought was stopped.", "Ask again when you want one."))
            }
            Some(Outcome::Missed(why)) => Err(Problem::unavailable(
                "no_thought",
                format!("The thought did not come: {why}."),
                "`timmy doctor` says which models answer; Timmy tries again by himself.",
            )),
            None => Err(Problem::conflict(
                "thinking_already",
                "A thought is being made right now.",
                "It appears on /thinking within a moment; never more than one is made at a time.",
            )),
        }
    }
}
