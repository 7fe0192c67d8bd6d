//! The configuration: defaults, then `timmy.toml`, then the environment, then flags; later wins.

use std::collections::BTreeMap;
use std::fmt;

use timmy_core::settings::{
    BackupSettings, ErrorFeedbackSettings, PrivacySettings, RetentionSettings, Settings, TalkSettings,
    TelemetrySettings, ThinkingSettings, ToolsSettings, TrustSettings, WatchSettings,
};
use timmy_domain::settings::{KeyInfo, Section, Value};
use timmy_domain::text::one_line;
use timmy_engine::EngineSettings;
use timmy_llm::{CascadeSettings, OllamaSettings, ScriptedSettings};
use timmy_tools::mcp::Server;
use timmy_web::settings::{FeedSettings, ServerSettings};

use crate::log::{ErrorLogSettings, LogSettings};

pub mod desk;
pub mod edit;
mod file;
mod providers;
mod servers;
pub use providers::{PROVIDER_TABLE, ProviderSettings};
pub use servers::{SERVER_TABLE, fill, opens_home};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// A line of `timmy.toml`.
    File(usize),
    /// A variable of the environment.
    Environment(String),
    /// A flag of the command line.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(line) => write!(f, "timmy.toml line {line}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// A section behind one face, whatever its type.
pub trait AnySection {
    /// The name of its table.
    fn name(&self) -> &'static str;
    /// What it is about.
    fn doc(&self) -> &'static str;
    /// Its keys.
    fn keys(&self) -> Vec<KeyInfo>;
    /// The value of a key.
    fn get(&self, key: &str) -> Option<Value>;
    /// Sets a key.
    ///
    /// # Errors
    /// A sentence that says what was expected.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), String>;
}

impl<T: Section> AnySection for T {
    fn name(&self) -> &'static str {
        T::NAME
    }
    fn doc(&self) -> &'static str {
        T::DOC
    }
    fn keys(&self) -> Vec<KeyInfo> {
        T::keys()
    }
    fn get(&self, key: &str) -> Option<Value> {
        Section::get(self, key)
    }
    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        Section::set(self, key, value)
    }
}

/// Everything that can be configured, with where each value comes from.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Where and for whom the server listens.
    pub server: ServerSettings,
    /// The live feed.
    pub feed: FeedSettings,
    /// In which order models are asked.
    pub cascade: CascadeSettings,
    /// The Ollama server.
    pub ollama: OllamaSettings,
    /// The engine: models that run inside Timmy.
    pub engine: EngineSettings,
    /// The scripted provider.
    pub scripted: ScriptedSettings,
    /// The always-on thinking loop.
    pub thinking: ThinkingSettings,
    /// The conversation.
    pub talk: TalkSettings,
    /// Watched folders.
    pub watch: WatchSettings,
    /// What may leave this machine.
    pub privacy: PrivacySettings,
    /// The nightly backup.
    pub backup: BackupSettings,
    /// How long events are kept.
    pub retention: RetentionSettings,
    /// How faults are captured.
    pub error_feedback: ErrorFeedbackSettings,
    /// What is logged, and how it looks.
    pub log: LogSettings,
    /// Traces for a collector.
    pub telemetry: TelemetrySettings,
    /// What Timmy may do without being asked.
    pub trust: TrustSettings,
    /// The tools, and where they may work.
    pub tools: ToolsSettings,
    /// The file of warnings and errors.
    pub error_log: ErrorLogSettings,
    /// Further providers, by name.
    pub providers: BTreeMap<String, ProviderSettings>,
    /// Servers of tools, by name.
    pub servers: BTreeMap<String, Server>,
    sources: BTreeMap<(String, String), Source>,
}

/// One line of `timmy config explain`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Explained {
    /// Section and key with a dot between.
    pub key: String,
    /// The value as it would stand in the file.
    pub value: String,
    /// Where it comes from.
    pub source: String,
    /// The default.
    pub default: String,
    /// What it does.
    pub doc: String,
}

/// What is wrong with the configuration: one sentence for each fault, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration has faults; nothing was started or changed")?;
        for fault in &self.0 {
            write!(f, "\n  {fault}")?;
        }
        Ok(())
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The text of `timmy.toml`, when there is one.
    pub file: Option<String>,
    /// The text of `secrets.toml`, when there is one.
    pub secrets: Option<String>,
    /// `TIMMY__SECTION__KEY` and their values.
    pub environment: Vec<(String, String)>,
    /// Section, key and value of flags.
    pub flags: Vec<(&'static str, &'static str, Value)>,
}

impl Config {
    /// All sections: one line each.
    pub fn sections(&mut self) -> [&mut dyn AnySection; 18] {
        [
            &mut self.server,
            &mut self.cascade,
            &mut self.ollama,
            &mut self.engine,
            &mut self.scripted,
            &mut self.thinking,
            &mut self.talk,
            &mut self.watch,
            &mut self.privacy,
            &mut self.tools,
            &mut self.backup,
            &mut self.retention,
            &mut self.error_feedback,
            &mut self.log,
            &mut self.error_log,
            &mut self.telemetry,
            &mut self.trust,
            &mut self.feed,
        ]
    }

    /// Reads the inputs in their order.
    ///
    /// # Errors
    /// Every fault found, each with its place and, for an unknown name, the nearest known one.
    pub fn load(inputs: &Inputs) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut faults = Vec::new();
        if let Some(text) = &inputs.file {
            file::read(&mut config, text, &mut faults);
        }
        if let Some(text) = &inputs.secrets {
            providers::read_secrets(&mut config, text, &mut faults);
        }
        for (name, value) in &inputs.environment {
            if let Err(fault) = config.set_variable(name, value) {
                faults.push(format!("environment {name}: {fault}"));
            }
        }
        for (section, key, value) in &inputs.flags {
            if let Err(fault) = config.set(section, key, value, Source::Flag) {
                faults.push(format!("--{}: {fault}", key.replace('_', "-")));
            }
        }
        config.check_names(&mut faults);
        // A fault repeats what stands in the file or the environment, and is one line.
        let faults: Vec<String> = faults.iter().map(|fault| one_line(fault)).collect();
        if faults.is_empty() { Ok(config) } else { Err(ConfigError(faults)) }
    }

    fn set(&mut self, section: &str, key: &str, value: &Value, source: Source) -> Result<(), String> {
        let mut sections = self.sections();
        let names: Vec<&str> = sections.iter().map(|s| s.name()).collect();
        let Some(found) = sections.iter_mut().find(|s| s.name() == section) else {
            return Err(unknown("section", section, &names));
        };
        let keys: Vec<&str> = found.keys().iter().map(|k| k.key).collect();
        if !keys.contains(&key) {
            return Err(unknown(&format!("key in [{section}]"), key, &keys));
        }
        found.set(key, value).map_err(|expected| format!("[{section}] {key}: {expected}"))?;
        self.sources.insert((section.to_owned(), key.to_owned()), source);
        Ok(())
    }

    fn set_variable(&mut self, name: &str, text: &str) -> Result<(), String> {
        let path = name.strip_prefix("TIMMY__").unwrap_or(name).to_lowercase();
        let (section, key) =
            path.split_once("__").ok_or("expected TIMMY__SECTION__KEY, such as TIMMY__THINKING__INTERVAL_SECONDS")?;
        let mut sections = self.sections();
        let like = sections.iter_mut().find(|s| s.name() == section).and_then(|s| s.get(key));
        let value = match like {
            Some(like) => Value::parse_like(&like, text)?,
            // Unknown; `set` says so with the nearest name.
            None => Value::Text(text.to_owned()),
        };
        self.set(section, key, &value, Source::Environment(name.to_owned()))
    }

    /// What no single key can check: names of providers, and keys that only make sense together.
    fn check_names(&self, faults: &mut Vec<String>) {
        let mut known: Vec<&str> = vec!["ollama", "engine", "scripted", "replay", "reflex"];
        known.extend(self.providers.keys().map(String::as_str));
        for name in &self.cascade.providers {
            if !known.contains(&name.as_str()) {
                faults.push(format!("[cascade] providers: {}", unknown("provider", name, &known)));
            }
        }
        let mut preferable: Vec<&str> = self.cascade.providers.iter().map(String::as_str).collect();
        preferable.push("auto");
        if !preferable.contains(&self.cascade.prefer.as_str()) {
            faults.push(format!(
                "[cascade] prefer: {}",
                unknown("provider of [cascade] providers", &self.cascade.prefer, &preferable)
            ));
        }
        if let Err(why) = timmy_llm::Rules::of(&self.cascade) {
            faults.push(why);
        }
        if self.thinking.quiet_from.is_empty() != self.thinking.quiet_until.is_empty() {
            faults.push("[thinking] quiet_from and quiet_until: set both for quiet hours, or neither".to_owned());
        }
        if let Err(why) = self.telemetry.check() {
            faults.push(format!("[telemetry] otlp_endpoint: {why}"));
        }
        if self.server.bind.parse::<std::net::IpAddr>().is_err() {
            faults.push(format!(
                "[server] bind: {:?} is no address; use 127.0.0.1 for this machine only",
                self.server.bind
            ));
        }
    }

    /// Every key with value, source and documentation. Secrets do not appear.
    #[must_use]
    pub fn explain(&self) -> Vec<Explained> {
        let mut config = self.clone();
        let sources = &self.sources;
        let mut lines = Vec::new();
        for section in config.sections() {
            for info in section.keys() {
                let place = (section.name().to_owned(), info.key.to_owned());
                let value = section.get(info.key).unwrap_or_else(|| info.default.clone());
                lines.push(Explained {
                    key: format!("{}.{}", section.name(), info.key),
                    value: value.to_string(),
                    source: sources.get(&place).unwrap_or(&Source::Default).to_string(),
                    default: info.default.to_string(),
                    doc: info.doc,
                });
            }
        }
        lines.extend(self.providers.values().flat_map(ProviderSettings::explain));
        lines.extend(self.servers.values().flat_map(servers::explain));
        lines
    }

    /// The settings of the engine.
    #[must_use]
    pub fn engine(&self) -> Settings {
        Settings {
            thinking: self.thinking.clone(),
            talk: self.talk.clone(),
            watch: self.watch.clone(),
            privacy: self.privacy.clone(),
            backup: self.backup.clone(),
            retention: self.retention.clone(),
            error_feedback: self.error_feedback.clone(),
            telemetry: self.telemetry.clone(),
            trust: self.trust.clone(),
            tools: self.tools.clone(),
            servers: self.servers.values().cloned().collect(),
        }
    }
}

/// `unknown section "thinkng"; did you mean "thinking"?`
fn unknown(what: &str, name: &str, known: &[&str]) -> String {
    let shown = timmy_domain::text::cut(&timmy_domain::text::one_line(name), 60);
    let nearest = known.iter().map(|k| (strsim::damerau_levenshtein(name, k), k)).min();
    match nearest {
        Some((distance, nearest)) if distance <= 3 => format!("unknown {what} {shown:?}; did you mean {nearest:?}?"),
        _ => format!("unknown {what} {shown:?}; known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests;
