//! Who can answer, as the pages show it.

use timmy_domain::thought::Place;
use timmy_llm::{ProviderState, ProviderStatus};

use crate::look::State;
use crate::look::home::NoModel;
use crate::look::mind::ModelRow;
use crate::look::router::rung::{self, USUAL_MODEL};
use crate::web::Web;

/// The providers in the order they are asked.
#[must_use]
pub fn rows(web: &Web) -> Vec<ModelRow> {
    let cascade = &web.app.ctx.cascade;
    let stays = cascade.offline() || cascade.local_for().is_some();
    cascade.status().iter().map(|provider| row(provider, stays)).collect()
}

/// The same word as on the rung of the router.
fn row(provider: &ProviderStatus, stays: bool) -> ModelRow {
    let state = match rung::state(provider, stays) {
        // The list is narrow, and it is always so.
        state if provider.place == Place::Reflex && state.word == "Always ready" => State::well("Ready"),
        state => state,
    };
    let note = match &provider.state {
        _ if provider.disabled => String::new(),
        ProviderState::Down { why, .. } => why.clone(),
        _ if !provider.held.is_empty() => provider.held.clone(),
        ProviderState::Up if provider.kind == "engine" && provider.last_failure.is_empty() => {
            format!("run by {}", provider.version)
        }
        ProviderState::Unknown | ProviderState::Up => provider.last_failure.clone(),
    };
    ModelRow { name: provider.name.clone(), state, place: provider.place, model: provider.model_in_use.clone(), note }
}

/// The one step that gets a model; `None` when one answers, or when nobody was asked yet.
#[must_use]
pub fn missing(web: &Web) -> Option<NoModel> {
    let providers = web.app.ctx.cascade.status();
    let models: Vec<&ProviderStatus> = providers.iter().filter(|p| p.place != Place::Reflex).collect();
    // An owner who names no model has chosen reflex; there is nothing to repair.
    if models.is_empty() || models.iter().any(|p| !matches!(p.state, ProviderState::Down { .. })) {
        return None;
    }
    let why = models.iter().filter_map(|p| match &p.state {
        ProviderState::Down { why, .. } => Some(format!("{}: {}.", p.name, why.trim_end_matches('.'))),
        ProviderState::Up | ProviderState::Unknown => None,
    });
    let mut text = why.collect::<Vec<_>>().join(" ");
    text.push_str(" Until a model answers, reflex speaks: short sentences made by rules from what is really there.");
    let model = models.iter().map(|p| p.model_in_use.as_str()).find(|m| !m.is_empty()).unwrap_or(USUAL_MODEL);
    Some(NoModel {
        text: text.trim().to_owned(),
        step: "Start Ollama, then fetch one model:".to_owned(),
        command: format!("ollama pull {model}"),
    })
}
