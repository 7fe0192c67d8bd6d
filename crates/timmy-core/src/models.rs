//! Looks after the providers of models: one that was down at boot is found when it comes up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::{ProviderDown, ProviderUp};
use timmy_domain::model::{ANSWER_TOKENS_USUAL, Model, ModelFormat, TEMPERATURE_USUAL};
use timmy_domain::task::birth::AGENT;
use timmy_domain::{NewEvent, Seq};
use timmy_llm::Said;

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// Seconds between two looks at the providers.
pub const PROBE_SECONDS: u64 = 15;
/// How long one provider may take to say that it is there, in milliseconds.
const PROBE_MS: u64 = 3_000;
/// Names of models in one event.
const MODELS_MAX: usize = 20;
/// Agents whose wish is remembered.
const AGENTS_MAX: usize = 64;
/// The provider that runs model files.
const ENGINE: &str = "engine";

/// Asks each provider whether it is there, again and again. Costs no tokens.
pub struct Prober;

/// Looks at every provider once, tells which came or went, and writes down what is known of them.
///
/// # Errors
/// When the store cannot write.
pub(crate) async fn look(ctx: &Ctx) -> Result<(), Fault> {
    tell_files(ctx).await?;
    let changes = ctx.cascade.probe_all(Duration::from_millis(PROBE_MS)).await;
    let mut events = Vec::new();
    for change in changes {
        events.push(if change.up {
            let models = change.models.into_iter().take(MODELS_MAX).collect();
            NewEvent::new("router", ProviderUp { provider: change.provider, models })
        } else {
            NewEvent::new("router", ProviderDown { provider: change.provider, why: change.why })
        });
    }
    if !events.is_empty() {
        ctx.store.append(events).await?;
    }
    crate::router::save(ctx).await
}

/// Tells whoever runs model files where those lie that the owner registered, and whoever asks what he said of them.
pub(crate) async fn tell_files(ctx: &Ctx) -> Result<(), Fault> {
    let mut models = ctx.store.read_here(|r| r.models(None)).await?;
    models.retain(|model| model.active);
    let rules = ctx.cascade.rules();
    rules.registered.set(models.iter().map(|model| (model.name.clone(), said(model))));
    rules.files.set(models.into_iter().filter_map(file));
    Ok(())
}

/// What a call asks for to get this model. A file is run by the engine, whoever else is there; any other model is asked
/// of those who have it.
fn asked_as(model: &Model) -> String {
    if is_file(model) { format!("{ENGINE}/{}", model.name) } else { model.name.clone() }
}

fn said(model: &Model) -> Said {
    Said {
        asked_as: asked_as(model),
        role: model.role,
        temperature: Some(model.default_temperature).filter(|said| *said != TEMPERATURE_USUAL).map(|said| said as f32),
        max_tokens: u32::try_from(model.max_tokens).ok().filter(|said| u64::from(*said) != ANSWER_TOKENS_USUAL),
    }
}

/// What calls of an agent ask for, and the position of the log at which it was read. A model that is given to an agent
/// is told in the log, so while nothing new stands there nothing has changed, and no call has to ask the store.
#[derive(Debug, Default)]
pub struct Wishes(Mutex<BTreeMap<String, (Seq, Option<String>)>>);

impl Wishes {
    fn inside(&self) -> MutexGuard<'_, BTreeMap<String, (Seq, Option<String>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read for `agent` when the log ended at `at`; nothing when that is not known.
    fn read_at(&self, agent: &str, at: Seq) -> Option<Option<String>> {
        self.inside().get(agent).filter(|(read, _)| *read == at).map(|(_, wish)| wish.clone())
    }

    fn note(&self, agent: &str, at: Seq, wish: Option<String>) {
        let mut inside = self.inside();
        if inside.len() >= AGENTS_MAX {
            inside.clear();
        }
        inside.insert(agent.to_owned(), (at, wish));
    }
}

/// Whether it is one file, which the engine runs.
fn is_file(model: &Model) -> bool {
    model.format == ModelFormat::Gguf && !model.path.is_empty()
}

/// The name and place of a model that is one file; nothing for any other.
fn file(model: Model) -> Option<(String, PathBuf)> {
    is_file(&model).then(|| (model.name, PathBuf::from(model.path)))
}

impl Ctx {
    /// What a call asks for that names no model: the one the owner gave to `agent`, else the usual one of the house.
    pub(crate) async fn wish_of(&self, agent: &str) -> Option<String> {
        match self.own_wish(agent).await {
            None if agent != AGENT => self.own_wish(AGENT).await,
            wish => wish,
        }
    }

    async fn own_wish(&self, agent: &str) -> Option<String> {
        let at = self.store.last_seq();
        if let Some(known) = self.wishes.read_at(agent, at) {
            return known;
        }
        // Without an answer of the store the usual model does the work.
        let asked = agent.to_owned();
        let model = self.store.read_here(move |r| r.model_of(&asked)).await.ok()?;
        let wish = model.map(|model| {
            let wish = asked_as(&model);
            if let Some((name, path)) = file(model) {
                self.cascade.rules().files.put(name, path);
            }
            wish
        });
        self.wishes.note(agent, at, wish.clone());
        wish
    }
}

impl Prober {
    async fn probe(ctx: &Ctx) -> Result<Found, Fault> {
        look(ctx).await?;
        if ctx.cascade.has_model() {
            Ok(Found::Well("a language model answers".to_owned()))
        } else {
            Ok(Found::Well("no language model answers; reflex does".to_owned()))
        }
    }
}

impl Reconciler for Prober {
    fn name(&self) -> &'static str {
        "models"
    }

    fn period(&self, _: &Ctx) -> Duration {
        Duration::from_secs(PROBE_SECONDS)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        // A model that came or went is known at once.
        ["model.registered", "model.removed", "model.switched"].map(|name| Pattern::Exact(name.to_owned())).into()
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(Self::probe(ctx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A model that was fetched, or registered without a word about it, cut answers at 2,048 tokens whatever the settings
    // said.
    #[test]
    fn what_the_owner_did_not_say_of_a_model_overrides_nothing() {
        let model = |default_temperature, max_tokens| Model {
            name: "m".into(),
            format: ModelFormat::Gguf,
            path: "/models/m.gguf".into(),
            role: timmy_domain::model::ModelRole::General,
            context_window: 4_096,
            description: String::new(),
            registered_at: timmy_domain::Timestamp::from_micros(0),
            active: true,
            default_temperature,
            max_tokens,
            bytes: 0,
            sha256: String::new(),
        };
        let left_out = said(&model(TEMPERATURE_USUAL, ANSWER_TOKENS_USUAL));
        assert_eq!((left_out.asked_as.as_str(), left_out.temperature, left_out.max_tokens), ("engine/m", None, None));
        let told = said(&model(0.25, 4_096));
        assert_eq!((told.temperature, told.max_tokens), (Some(0.25), Some(4_096)));
        let kept_by_ollama = Model { format: ModelFormat::Ollama, path: String::new(), ..model(0.25, 1) };
        assert_eq!(said(&kept_by_ollama).asked_as, "m");
    }

    #[test]
    fn a_wish_is_known_as_long_as_the_log_says_nothing_new() {
        let wishes = Wishes::default();
        assert_eq!(wishes.read_at("agent", 7), None);
        wishes.note("agent", 7, Some("small".to_owned()));
        assert_eq!(wishes.read_at("agent", 7), Some(Some("small".to_owned())));
        assert_eq!((wishes.read_at("agent", 8), wishes.read_at("other", 7)), (None, None));
        wishes.note("agent", 8, None);
        assert_eq!(wishes.read_at("agent", 8), Some(None), "that it has none is known too");
    }
}
