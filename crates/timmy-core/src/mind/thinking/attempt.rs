//! One attempt at a thought: seed, question, answer, and everything it changes in one transaction.

use std::sync::Arc;
use std::time::Duration;

use timmy_domain::event::{ThoughtMissed, ThoughtStopped};
use timmy_domain::text::cut;
use timmy_domain::thought::{Place, Thought};
use timmy_domain::{Actor, NewEvent, SeedType, Seq, Timestamp};
use timmy_llm::{Answer, Attempt, Brief, Call, CascadeError, Failure, Finish, Manner, Stage};
use timmy_store::{NewThought, StoreError, Tx};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Doing, PURPOSE, Thinking};
use crate::fault::Fault;
use crate::mind::prompt::{self, SelfTexts};
use crate::mind::seed::{self, Lists, Seed};
use crate::scene::{KeyedFact, Scene, WOKE_WEIGHT};
use crate::selfhood;
use crate::telemetry::{Kind, Live, Value};

/// The store's key for what reflex has already said: a JSON list of fact keys.
const SAID_KEY: &str = "reflex.said";
/// Fact keys that are remembered as said.
const SAID_MAX: usize = 200;
/// New facts one reflex thought speaks of.
const REFLEX_FACTS_MAX: usize = 3;
/// Thoughts of which the owner wanted fewer that are shown to the model.
const FEWER_LIKE_MAX: usize = 3;

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A thought, stored.
    Thought(Box<Thought>),
    /// Nothing new to say; Timmy rests.
    Silent(String),
    /// The owner spoke; the thought was given up and comes later.
    Yielded,
    /// The owner stopped it.
    Stopped,
    /// The thought did not come.
    Missed(String),
}

/// Ends a task with what came of it, or why nothing did.
pub type Land = dyn Fn(&mut Tx<'_>, Result<&str, &str>) -> Result<(), StoreError> + Send + Sync;

/// On what errand a thought is made: the task it is, which ends together with it.
#[derive(Clone)]
pub struct Errand {
    /// Cancelled when the owner stops, pauses, shelves or vetoes the task.
    pub stop: CancellationToken,
    /// Ends the task with what came of it, in the transaction in which the thought is stored. Refused when the task is
    /// not the worker's any more; then nothing is stored.
    pub land: Arc<Land>,
}

impl Errand {
    /// Lands `errand`, when there is one.
    fn end(errand: Option<&Self>, tx: &mut Tx<'_>, how: Result<&str, &str>) -> Result<(), StoreError> {
        errand.map_or(Ok(()), |errand| (errand.land)(tx, how))
    }
}

/// A thought in flight. Dropped before it landed (the owner spoke, or whoever asked went away), it leaves the rhythm
/// as it was, so that the thought is due again.
struct Flight<'a> {
    engine: &'a Thinking,
    held: Option<tokio::sync::MutexGuard<'a, ()>>,
    before: Option<(Option<Timestamp>, Option<Timestamp>)>,
}

impl Flight<'_> {
    fn landed(&mut self) {
        self.before = None;
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some((last_try, nudged_at)) = self.before {
            self.engine.memory(|m| (m.last_try, m.nudged_at) = (last_try, m.nudged_at.or(nudged_at)));
        }
        self.held.take();
        self.engine.say(Doing::Resting { until: None, why: "deciding what to do next".to_owned() });
        self.engine.0.look_again.notify_one();
    }
}

struct Prepared {
    seed: Seed,
    request: timmy_llm::ChatRequest,
    /// The new facts a reflex thought would speak of.
    news: Vec<KeyedFact>,
    /// What reflex said before.
    said: Vec<String>,
    /// The event that led to this thought.
    cause: Option<Seq>,
    day: String,
}

impl Thinking {
    /// Begins a thought; `None` when one is in flight already. A nudge that comes from here on asks for the next one.
    fn take_off(&self) -> Option<Flight<'_>> {
        let held = self.0.flight.try_lock().ok()?;
        let began = self.0.ctx.now();
        let before = self.memory(|m| (m.last_try.replace(began), m.nudged_at.take()));
        Some(Flight { engine: self, held: Some(held), before: Some(before) })
    }

    /// Makes one thought, with the given seed or the one chance picks. `None` when one is being made already.
    ///
    /// # Errors
    /// When the store fails; a model that fails is an [`Outcome`].
    pub async fn attempt(&self, wanted: Option<SeedType>) -> Result<Option<Outcome>, Fault> {
        self.attempt_for(wanted, None).await
    }

    /// The same for the task of an errand.
    ///
    /// # Errors
    /// As [`Self::attempt`]; and when the task was taken away at the very end.
    pub async fn attempt_for(
        &self,
        wanted: Option<SeedType>,
        errand: Option<Errand>,
    ) -> Result<Option<Outcome>, Fault> {
        let Some(mut flight) = self.take_off() else {
            return Ok(None);
        };
        let ctx = &self.0.ctx;
        let began = ctx.now();
        let prepared = self.prepare(wanted).await?;
        let seed_type = prepared.seed.seed_type;
        self.say(Doing::Thinking { seed_type, note: prepared.seed.note.clone(), since: began });
        let mut span = ctx.telemetry.begin("thought", Kind::Internal);
        span.set("timmy.seed_type", Value::Word(seed_type.name()));
        span.fail("given_up");
        let cancel = ctx.stop.child_token();
        let deadline = Instant::now() + Duration::from_secs(ctx.settings.thinking.deadline_seconds);
        let call =
            Call { cancel: cancel.clone(), deadline, first_word_by: None, deltas: None, manner: Manner::default() };
        let asked = tokio::select! {
            biased;
            () = ctx.stop.cancelled() => Err(Outcome::Stopped),
            asked = span.within(ctx.ask("thinking", &prepared.request, &call)) => Ok(asked),
            () = ctx.attention.until_busy() => Err(Outcome::Yielded),
            () = self.0.stop_thought.notified() => Err(Outcome::Stopped),
            () = stopped(errand.as_ref()) => Err(Outcome::Stopped),
        };
        cancel.cancel();
        let outcome = match asked {
            Err(given_up) => {
                // What took the task of an errand away is told as of the task.
                let told = errand.as_ref().is_some_and(|errand| errand.stop.is_cancelled());
                if given_up == Outcome::Stopped && !told && !ctx.stop.is_cancelled() {
                    let told = NewEvent::new("thinking", ThoughtStopped { seed_type }).by(Actor::Owner);
                    ctx.tell(told).await?;
                }
                self.pay_for_nothing(prepared.day).await?;
                given_up
            }
            Ok(Ok(answer)) => self.keep(prepared, answer, errand).await?,
            Ok(Err(error)) => self.miss(seed_type, prepared.day, &error, errand).await?,
        };
        if outcome != Outcome::Yielded {
            flight.landed();
        }
        self.remember(&outcome);
        self.count(&outcome, &mut span);
        Ok(Some(outcome))
    }

    /// Counts the call of a thought that was given up: the model had begun to work.
    async fn pay_for_nothing(&self, day: String) -> Result<(), Fault> {
        if self.0.ctx.cascade.has_model() {
            self.0.ctx.store.write(move |tx| tx.spend(&day, PURPOSE, 1, 0).map(|_| ())).await?;
        }
        Ok(())
    }

    fn remember(&self, outcome: &Outcome) {
        self.memory(|m| match outcome {
            // Reflex spoke while a model hung: the thought counts, and the model is asked later each time.
            Outcome::Thought(t) if t.place == Place::Reflex && m.model_stuck => {
                (m.failures, m.silences) = (m.failures.saturating_add(1), 0);
            }
            Outcome::Thought(_) => (m.failures, m.silences) = (0, 0),
            Outcome::Silent(_) => (m.failures, m.silences) = (0, m.silences.saturating_add(1)),
            Outcome::Missed(_) => m.failures = m.failures.saturating_add(1),
            Outcome::Yielded | Outcome::Stopped => {}
        });
    }

    /// Counts what became of an attempt, and says it in its trace.
    fn count(&self, outcome: &Outcome, span: &mut Live) {
        let meters = &self.0.ctx.meters;
        match outcome {
            Outcome::Thought(thought) => {
                meters.thought(thought.place);
                span.well();
                span.set("timmy.thought_id", Value::name(&thought.id.to_string()));
                span.set("timmy.place", Value::Word(thought.place.name()));
            }
            Outcome::Silent(_) => {
                meters.silent.one();
                span.well();
            }
            Outcome::Yielded | Outcome::Stopped => meters.given_up.one(),
            Outcome::Missed(_) => {
                meters.missed.one();
                span.fail("missed");
            }
        }
    }

    async fn prepare(&self, wanted: Option<SeedType>) -> Result<Prepared, Fault> {
        let ctx = &self.0.ctx;
        let scene = Scene::look(ctx).await?;
        let (weights, fewer_like, said) = ctx
            .store
            .read(|r| {
                let marked = r.fewer_counts()?;
                let weights = SeedType::ALL.map(|s| seed::weight_percent(marked.get(&s).copied().unwrap_or(0)));
                Ok((weights, r.fewer_thoughts(FEWER_LIKE_MAX)?, r.state(SAID_KEY)?))
            })
            .await?;
        let dir = &ctx.mind_dir;
        let lists = Lists {
            existential: selfhood::list(dir, "seeds/existential.md").await,
            creative: selfhood::list(dir, "seeds/creative.md").await,
            scripture: selfhood::list(dir, "seeds/scripture.md").await,
        };
        let seed_type = wanted.unwrap_or_else(|| seed::choose(&weights, &lists, has_news(&scene), &ctx.chance));
        let seed = seed::fill(seed_type, &lists, &scene, &ctx.chance);
        let said: Vec<String> = said.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
        let (news, brief) = brief(scene.facts(), &said);
        let texts = SelfTexts {
            persona: selfhood::text(dir, "persona.md").await,
            ask: selfhood::text(dir, "prompts/thinking.md").await,
        };
        let fewer_like: Vec<String> = fewer_like.iter().map(|t| cut(&t.content, 200)).collect();
        let request =
            prompt::request(&texts, &scene.date_words, &seed, &scene.thoughts, &fewer_like, brief, &ctx.settings);
        let cause = cause(&scene);
        Ok(Prepared { seed, request, news, said, cause, day: scene.day })
    }

    /// Stores the thought, its event, its cost and what reflex said in one transaction.
    async fn keep(&self, prepared: Prepared, answer: Answer, errand: Option<Errand>) -> Result<Outcome, Fault> {
        let content = prompt::tidy(&answer.content);
        let content = if answer.finish == Finish::Length { format!("{content} …") } else { content };
        self.memory(|m| m.model_stuck = answer.attempts.iter().any(|a| is_stuck(&a.failure)));
        let Prepared { seed, news, mut said, cause, day, .. } = prepared;
        let tokens = i64::try_from(answer.usage.prompt_tokens + answer.usage.completion_tokens).unwrap_or(i64::MAX);
        let reflex = answer.place == Place::Reflex;
        let calls = i64::from(!reflex) + paid_calls(&answer.attempts);
        if content.is_empty() {
            let why = "the model said nothing".to_owned();
            return self.record_miss(seed.seed_type, why, (day, calls, tokens), errand).await;
        }
        if reflex {
            said.extend(news.into_iter().map(|f| f.key));
            said.drain(..said.len().saturating_sub(SAID_MAX));
        }
        let new = NewThought {
            content,
            seed_type: if reflex { SeedType::Swarm } else { seed.seed_type },
            seed_note: if reflex { "what changed, without a model".to_owned() } else { seed.note },
            provider: answer.provider,
            model: answer.model,
            place: answer.place,
            duration_ms: i64::try_from(answer.duration_ms).unwrap_or(i64::MAX),
            tokens,
            actor: Actor::Timmy,
            cause,
        };
        let thought = self
            .0
            .ctx
            .store
            .write(move |tx| {
                let thought = tx.insert_thought(&new)?;
                tx.spend(&day, PURPOSE, calls, tokens)?;
                Errand::end(errand.as_ref(), tx, Ok(&format!("A thought: {}", thought.id)))?;
                if reflex {
                    tx.set_state(SAID_KEY, &serde_json::to_string(&said).unwrap_or_else(|_| "[]".to_owned()))?;
                }
                Ok(thought)
            })
            .await?;
        Ok(Outcome::Thought(Box::new(thought)))
    }

    async fn miss(
        &self,
        seed_type: SeedType,
        day: String,
        error: &CascadeError,
        errand: Option<Errand>,
    ) -> Result<Outcome, Fault> {
        let silent = error.attempts.last().is_some_and(|a| matches!(a.failure, Failure::NothingToSay));
        let paid = paid_calls(&error.attempts);
        let stuck = error.attempts.iter().find(|a| is_stuck(&a.failure));
        match stuck {
            // Models that are simply not there are no failure of this thought when reflex has nothing to add.
            None if silent => Ok(Outcome::Silent("nothing has changed since the last thought".to_owned())),
            _ => self.record_miss(seed_type, error.to_string(), (day, paid, 0), errand).await,
        }
    }

    async fn record_miss(
        &self,
        seed_type: SeedType,
        why: String,
        (day, calls, tokens): (String, i64, i64),
        errand: Option<Errand>,
    ) -> Result<Outcome, Fault> {
        let event = NewEvent::new("thinking", ThoughtMissed { seed_type, why: cut(&why, 400) }).by(Actor::Timmy);
        let told = why.clone();
        self.0
            .ctx
            .store
            .write(move |tx| {
                tx.append(event)?;
                Errand::end(errand.as_ref(), tx, Err(&told))?;
                tx.spend(&day, PURPOSE, calls, tokens)
            })
            .await?;
        Ok(Outcome::Missed(why))
    }
}

/// Ends when the task of the errand is to stop; never without one.
async fn stopped(errand: Option<&Errand>) {
    match errand {
        Some(errand) => errand.stop.cancelled().await,
        None => std::future::pending().await,
    }
}

/// Attempts that reached a model and so cost a call.
fn paid_calls(attempts: &[Attempt]) -> i64 {
    attempts.iter().filter(|a| is_stuck(&a.failure)).count() as i64
}

/// Whether a model was there and failed, as opposed to not being there.
fn is_stuck(failure: &Failure) -> bool {
    !matches!(
        failure,
        Failure::Unreachable { .. }
            | Failure::NoModel { .. }
            | Failure::Privacy { .. }
            | Failure::NothingToSay
            | Failure::Cancelled
            | Failure::Timeout { stage: Stage::Connect }
            | Failure::Unsupported { .. }
    )
}

/// What led to the next thought: what was seen since the last one, else the thought the owner has just put in.
fn cause(scene: &Scene) -> Option<Seq> {
    let last = scene.thoughts.first();
    let seen = scene.events.iter().find(|r| r.name == "watch.observed");
    let newer = seen.filter(|r| last.is_none_or(|t| r.seq > t.seq)).map(|r| r.seq);
    newer.or_else(|| last.filter(|t| t.place == Place::Owner).map(|t| t.seq))
}

/// Something new was seen since the last thought, and the last two were not both about such news.
fn has_news(scene: &Scene) -> bool {
    let Some(seen) = scene.observations.first() else { return false };
    let newer = scene.thoughts.first().is_none_or(|t| t.created_at < seen.seen_at);
    let dwelling = scene.thoughts.iter().take(2).filter(|t| t.seed_type == SeedType::Swarm).count() == 2;
    newer && !dwelling
}

/// The facts for reflex: the weightiest new ones, and everything else as known.
fn brief(facts: Vec<KeyedFact>, said: &[String]) -> (Vec<KeyedFact>, Brief) {
    let (fresh, known): (Vec<_>, Vec<_>) = facts.into_iter().partition(|f| !said.contains(&f.key));
    let mut news: Vec<KeyedFact> = fresh.iter().take(REFLEX_FACTS_MAX).cloned().collect();
    if news.iter().any(|f| f.weight > WOKE_WEIGHT) {
        news.retain(|f| f.weight > WOKE_WEIGHT);
    }
    let mut all: Vec<timmy_llm::Fact> = news.iter().map(|f| f.to_fact(true)).collect();
    all.extend(fresh.iter().chain(&known).filter(|f| !news.contains(f)).map(|f| f.to_fact(false)));
    (news, Brief { facts: all, question: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(key: &str, weight: u32) -> KeyedFact {
        KeyedFact { key: key.to_owned(), text: format!("{key}."), weight }
    }

    #[test]
    fn reflex_gets_the_weightiest_new_facts_and_each_only_once() {
        let facts = || vec![fact("a", 90), fact("b", 80), fact("c", 70), fact("d", 60)];
        let keys = |n: &[KeyedFact]| n.iter().map(|f| f.key.clone()).collect::<Vec<_>>();
        let (news, brief) = super::brief(facts(), &["b".to_owned()]);
        assert_eq!(keys(&news), ["a", "c", "d"]);
        assert_eq!(brief.facts.iter().filter(|f| f.fresh).count(), 3);
        assert_eq!(brief.facts.len(), 4);
        let all_said = ["a", "b", "c", "d"].map(str::to_owned);
        assert!(super::brief(facts(), &all_said).0.is_empty());
    }
}
