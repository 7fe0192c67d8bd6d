//! Further providers of models: `[provider.NAME]` in `timmy.toml`, their keys in `secrets.toml`.

use std::collections::BTreeMap;

use timmy_domain::Secret;
use timmy_domain::settings::Value;
use timmy_llm::{ApiSettings, PRESETS};
use timmy_web::desk::{Holder, Kind, Section, Setting};
use toml::de::{DeTable, DeValue};

use super::file::{line_of, parse, to_value};
use super::{Config, Explained, SERVER_TABLE, servers, unknown};

/// The table under which providers stand.
pub const PROVIDER_TABLE: &str = "provider";

/// The keys of a provider.
const KEYS: [&str; 5] = ["kind", "url", "model", "embed_model", "place"];

/// What each of them is.
const DOC_KIND: &str = "What kind of server it is; its usual address and its manners follow from it.";
const DOC_URL: &str = "The base of its address; empty for the usual one of its kind.";
const DOC_MODEL: &str = "The model to ask for.";
const DOC_EMBED: &str = "The model that turns text into vectors; empty for the same.";
const DOC_PLACE: &str = "\"local\" when the address is a machine of yours; empty to tell by the address.";
const DOC_KEY: &str = "Its key, from secrets.toml.";

/// One provider behind an API.
#[derive(Clone, Debug, Default)]
pub struct ProviderSettings {
    /// Its name in the cascade.
    pub name: String,
    /// What kind of server it is; empty for `openai`.
    pub kind: String,
    /// The base of its address, such as `https://api.example.com/v1`.
    pub url: String,
    /// The model to ask for.
    pub model: String,
    /// The model that turns text into vectors.
    pub embed_model: String,
    /// `local` when the owner says that the address is a machine of his own; empty to tell by the address.
    pub place: String,
    /// Its key, from `secrets.toml`.
    pub api_key: Secret,
    /// The line on which each key stands.
    lines: BTreeMap<&'static str, usize>,
}

impl ProviderSettings {
    /// Its keys as `timmy config explain` shows them.
    pub(super) fn explain(&self) -> Vec<Explained> {
        let row = |key: &str, value: String, doc: &str| Explained {
            key: format!("provider.{}.{key}", self.name),
            value,
            source: match self.lines.get(key) {
                Some(line) => format!("timmy.toml line {line}"),
                None if key == "api_key" && !self.api_key.is_empty() => "secrets.toml".to_owned(),
                None => "default".to_owned(),
            },
            default: "\"\"".to_owned(),
            doc: doc.to_owned(),
        };
        let key = if self.api_key.is_empty() { "not set" } else { "set, not shown" };
        vec![
            row("kind", format!("{:?}", self.api().preset().kind), DOC_KIND),
            row("url", format!("{:?}", self.url), DOC_URL),
            row("model", format!("{:?}", self.model), DOC_MODEL),
            row("embed_model", format!("{:?}", self.embed_model), DOC_EMBED),
            row("place", format!("{:?}", self.place), DOC_PLACE),
            row("api_key", key.to_owned(), DOC_KEY),
        ]
    }

    /// What a provider is made from.
    #[must_use]
    pub fn api(&self) -> ApiSettings {
        ApiSettings {
            name: self.name.clone(),
            kind: self.kind.clone(),
            url: self.url.clone(),
            model: self.model.clone(),
            embed_model: self.embed_model.clone(),
            place: self.place.clone(),
        }
    }

    /// Its keys for the desk; `running` is what this run works with, when it knows the provider.
    pub(super) fn section(&self, running: Option<&Self>) -> Section {
        let setting = |key: &'static str, kind: Kind, value: &str, runs: Option<&str>, doc: &str| Setting {
            key: format!("{PROVIDER_TABLE}.{}.{key}", self.name),
            doc: doc.to_owned(),
            kind,
            running: runs.map_or_else(|| "not there".to_owned(), |runs| format!("{runs:?}")),
            next: format!("{value:?}"),
            field: value.to_owned(),
            default: "\"\"".to_owned(),
            holder: self.lines.get(key).map_or(Holder::Default, |line| Holder::File(*line)),
        };
        let word = |secret: &Secret| if secret.is_empty() { "not set" } else { "set, not shown" }.to_owned();
        let places = ["", "local", "remote"].map(str::to_owned).to_vec();
        let kinds = std::iter::once("").chain(PRESETS.iter().map(|p| p.kind)).map(str::to_owned).collect();
        let text = Kind::Text(None);
        let api_key = Setting {
            running: running.map_or_else(|| "not there".to_owned(), |r| word(&r.api_key)),
            next: word(&self.api_key),
            field: String::new(),
            holder: Holder::Secrets,
            ..setting("api_key", Kind::Secret, "", None, DOC_KEY)
        };
        Section {
            name: format!("{PROVIDER_TABLE}.{}", self.name),
            doc: "A further provider of models.".to_owned(),
            settings: vec![
                setting("kind", Kind::Word(kinds), &self.kind, running.map(|r| r.kind.as_str()), DOC_KIND),
                setting("url", text.clone(), &self.url, running.map(|r| r.url.as_str()), DOC_URL),
                setting("model", text.clone(), &self.model, running.map(|r| r.model.as_str()), DOC_MODEL),
                setting("embed_model", text, &self.embed_model, running.map(|r| r.embed_model.as_str()), DOC_EMBED),
                setting("place", Kind::Word(places), &self.place, running.map(|r| r.place.as_str()), DOC_PLACE),
                api_key,
            ],
        }
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        let Value::Text(text) = value else { return Err(format!("{key}: expected a text in quotes, not {value}")) };
        match key {
            "kind" if text.is_empty() || PRESETS.iter().any(|p| p.kind == text) => text.clone_into(&mut self.kind),
            "kind" => {
                let kinds: Vec<&str> = PRESETS.iter().map(|p| p.kind).collect();
                return Err(format!("kind: {}", unknown("kind", text, &kinds)));
            }
            "url" => self.url = text.trim_end_matches('/').to_owned(),
            "model" => text.clone_into(&mut self.model),
            "embed_model" => text.clone_into(&mut self.embed_model),
            "place" if ["", "local", "remote"].contains(&text.as_str()) => text.clone_into(&mut self.place),
            "place" => return Err(format!("place: expected \"local\" or \"remote\", not {text:?}")),
            _ => return Err(unknown("key in [provider]", key, &KEYS)),
        }
        Ok(())
    }
}

/// Reads every `[provider.NAME]`.
pub(super) fn read(config: &mut Config, table: &DeTable<'_>, text: &str, faults: &mut Vec<String>) {
    for (name, value) in table {
        let line = line_of(text, name.span().start);
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let (DeValue::Table(keys), true) = (value.get_ref(), name.get_ref().chars().all(good)) else {
            faults.push(format!("timmy.toml line {line}: a provider stands under [provider.NAME], with a name of small letters, digits and dashes"));
            continue;
        };
        if ["ollama", "engine", "scripted", "replay", "reflex", "auto"].contains(&name.get_ref().as_ref()) {
            faults.push(format!(
                "timmy.toml line {line}: {:?} is the name of a built-in provider; choose another",
                name.get_ref()
            ));
            continue;
        }
        let mut provider = ProviderSettings { name: name.get_ref().to_string(), ..ProviderSettings::default() };
        for (key, value) in keys {
            let line = line_of(text, key.span().start);
            if let Some(known) = KEYS.iter().find(|k| **k == key.get_ref().as_ref()) {
                provider.lines.insert(known, line);
            }
            if let Err(fault) = to_value(value.get_ref()).and_then(|v| provider.set(key.get_ref(), &v)) {
                faults.push(format!("timmy.toml line {line}: {fault}"));
            }
        }
        // A kind that was not named says nothing about the address either.
        let usual = !provider.kind.is_empty() && provider.url.is_empty() && !provider.api().url().is_empty();
        if !usual && !provider.url.starts_with("http://") && !provider.url.starts_with("https://") {
            faults.push(format!(
                "timmy.toml line {line}: [provider.{}] needs url = \"https://…\" or \"http://…\"",
                provider.name
            ));
        }
        config.providers.insert(provider.name.clone(), provider);
    }
}

/// Reads the keys. A fault never shows a value.
pub(super) fn read_secrets(config: &mut Config, text: &str, faults: &mut Vec<String>) {
    let mut own = Vec::new();
    let table = parse("secrets.toml", text, &mut own);
    // The parser's message could quote the line, and with it a secret.
    faults.extend(own.iter().map(|f| format!("{}: it is not TOML", f.split(": ").next().unwrap_or("secrets.toml"))));
    let Some(table) = table else { return };
    for (name, value) in &table {
        let line = line_of(text, name.span().start);
        let of_servers = name.get_ref() == SERVER_TABLE;
        let (DeValue::Table(providers), true) = (value.get_ref(), of_servers || name.get_ref() == PROVIDER_TABLE)
        else {
            faults
                .push(format!("secrets.toml line {line}: expected [provider.NAME] or [mcp.NAME] with api_key = \"…\""));
            continue;
        };
        for (name, value) in providers {
            let line = line_of(text, name.span().start);
            if of_servers {
                let secret = |value: &DeValue<'_>| value.as_str().map(|text| Secret::new(text.to_owned()));
                let given = match value.get_ref() {
                    DeValue::Table(keys) => {
                        keys.iter().map(|(key, value)| (key.get_ref().to_string(), secret(value.get_ref()))).collect()
                    }
                    _ => Vec::new(),
                };
                if let Err(fault) = servers::take_keys(config, name.get_ref(), given) {
                    faults.push(format!("secrets.toml line {line}: {fault}"));
                }
                continue;
            }
            let key = match value.get_ref() {
                DeValue::Table(keys) if keys.len() == 1 => keys.get("api_key").map(|v| v.get_ref().clone()),
                _ => None,
            };
            match (config.providers.get_mut(name.get_ref().as_ref()), key) {
                (Some(provider), Some(DeValue::String(key))) => provider.api_key = Secret::new(key.to_string()),
                (None, _) => {
                    faults.push(format!("secrets.toml line {line}: timmy.toml has no [provider.{}]", name.get_ref()));
                }
                _ => faults.push(format!(
                    "secrets.toml line {line}: [provider.{}] has one key, api_key = \"…\"",
                    name.get_ref()
                )),
            }
        }
    }
}
