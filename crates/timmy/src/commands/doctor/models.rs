//! The models: asked directly when no server does it, and told in one finding when none answers.

use std::time::Duration;

use serde_json::Value;
use timmy_domain::text::{cut, one_line};
use timmy_llm::{Failure, ProviderState};

use super::Finding;
use crate::commands::{safe, text};
use crate::config::Config;
use crate::home::Home;
use crate::wire;

/// How long one provider may take to say that it is there, in milliseconds.
const PROBE_MS: u64 = 3_000;

/// One provider: its name, its version or what runs its models, whether it answers, why not, and what helps.
pub(super) struct Asked {
    pub name: String,
    pub version: String,
    pub up: bool,
    pub why: String,
    pub hint: String,
}

/// Asks every provider of the configuration whether it is there.
pub(super) async fn ask(home: &Home, config: &Config, findings: &mut Vec<Finding>) {
    let cascade = match wire::cascade(home, config, None) {
        Ok(cascade) => cascade,
        Err(error) => {
            return findings.push(Finding::fault("model", format!("{error:#}"), "Mend the line in timmy.toml."));
        }
    };
    cascade.probe_all(Duration::from_millis(PROBE_MS)).await;
    let asked = cascade.status().into_iter().map(|status| Asked {
        up: matches!(status.state, ProviderState::Up),
        why: match &status.state {
            ProviderState::Down { why, .. } => cut(&one_line(why), 200),
            _ => String::new(),
        },
        hint: match (&status.state, status.kind) {
            (ProviderState::Down { hint, .. }, _) if !hint.is_empty() => hint.clone(),
            (_, "engine") => {
                "Get a model: `timmy model list` shows them, `timmy model pull NAME` fetches one.".to_owned()
            }
            (_, "ollama") => "Start Ollama and run `ollama pull llama3.1:8b-instruct`.".to_owned(),
            _ => "Check its url, and that its server runs.".to_owned(),
        },
        version: status.version,
        name: status.name,
    });
    findings.extend(told(asked.collect()));
}

/// Each model that is not asked because nobody knows what it costs. A line of the configuration that is wrong is told
/// elsewhere.
pub(super) fn prices(home: &Home, config: &Config, findings: &mut Vec<Finding>) {
    let Ok(cascade) = wire::cascade(home, config, None) else { return };
    // Nobody was asked which models there are: one that is not known yet may have a price.
    let known = |model: &String| !model.ends_with("/*") || config.cascade.prices.is_empty();
    let unpriced = cascade.status().into_iter().flat_map(|p| p.unpriced.models).filter(known);
    findings.extend(unpriced.map(|model| {
        let what = format!("{model} is not asked: it has no price, so that no budget could hold it");
        Finding::note("price", what, Failure::NoPrice { model }.hint())
    }));
}

/// The same from the answer of a server.
pub(super) fn of_answer(providers: &[Value]) -> Vec<Finding> {
    let asked = providers.iter().map(|p| Asked {
        name: safe(text(p, "name"), 60),
        version: safe(text(p, "version"), 60),
        up: text(p, "status") == "up",
        why: safe(text(p, "why"), 200),
        hint: safe(text(p, "hint"), 200),
    });
    told(asked.collect())
}

/// One finding for each that answers. Of those that do not, one each while another does, and one together
/// when none does: then there is one thing to do, not several.
fn told(asked: Vec<Asked>) -> Vec<Finding> {
    let models: Vec<Asked> = asked.into_iter().filter(|a| a.name != "reflex").collect();
    let any = models.iter().any(|a| a.up);
    if any {
        return models
            .into_iter()
            .map(|a| {
                if a.up {
                    let version = if a.version.is_empty() { String::new() } else { format!(" ({})", a.version) };
                    Finding::well("model", format!("{} answers{version}", a.name))
                } else {
                    Finding::note("model", because(&a), a.hint)
                }
            })
            .collect();
    }
    let whys: Vec<String> = models.iter().map(because).collect();
    let why = if whys.is_empty() { String::new() } else { format!(" ({})", whys.join("; ")) };
    let what = format!("no language model answers{why}; reflex does, and says so");
    let step = models.into_iter().map(|a| a.hint).find(|hint| !hint.is_empty());
    vec![Finding::note("model", what, step.unwrap_or_else(|| "Put a provider into [cascade] providers.".to_owned()))]
}

fn because(asked: &Asked) -> String {
    let why = asked.why.trim_end_matches('.');
    if why.is_empty() { format!("{} does not answer", asked.name) } else { format!("{}: {why}", asked.name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(name: &str, up: bool) -> Asked {
        let why = if up { String::new() } else { "nobody listens.".to_owned() };
        Asked {
            name: name.into(),
            version: String::new(),
            up,
            why,
            hint: if up { String::new() } else { format!("Start {name}.") },
        }
    }

    #[test]
    fn a_missing_model_is_told_once_with_one_step() {
        let lines = |list: Vec<Asked>| told(list).into_iter().map(|f| (f.what, f.step)).collect::<Vec<_>>();
        let none = lines(vec![asked("ollama", false), asked("reflex", true)]);
        assert_eq!(
            none,
            [(
                "no language model answers (ollama: nobody listens); reflex does, and says so".into(),
                "Start ollama.".into()
            )]
        );
        let one = lines(vec![asked("ollama", false), asked("den", true), asked("reflex", true)]);
        assert_eq!(one.len(), 2);
        assert_eq!(one[0], ("ollama: nobody listens".into(), "Start ollama.".into()));
        assert_eq!(lines(vec![asked("reflex", true)]).len(), 1);
    }
}
