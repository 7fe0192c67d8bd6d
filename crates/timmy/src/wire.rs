//! Turns configuration into an engine.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use timmy_core::chance::Chance;
use timmy_core::clock::Clock;
use timmy_core::{App, Parts, restore};
use timmy_domain::Secret;
use timmy_engine::{EngineParts, EngineProvider, Places};
use timmy_llm::{
    Anthropic, BadAddress, Cascade, ModelFiles, Ollama, OpenAi, Provider, Recorder, Reflex, Replay, Rules, Scripted,
    Speaks,
};
use timmy_store::{Options, Store};

use crate::clock::SystemClock;
use crate::commands::refused;
use crate::config::desk::Flags;
use crate::config::{Config, Inputs, ProviderSettings, fill, opens_home};
use crate::home::{self, Home};

/// The version of this binary.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Bytes of a configuration file that are read; one more than it may have, so that a longer one is noticed.
const CONFIG_BYTES_MAX: u64 = 256 * 1024 + 1;

/// The file of recorded calls, in the home.
const TRAFFIC_FILE: &str = "traffic.jsonl";

/// Reads the configuration of `home` with `flags` on top.
///
/// # Errors
/// When a file cannot be read, secrets are open to others, or the configuration has faults.
pub fn load_config(home: &Home, flags: Flags) -> Result<Config> {
    let mut config = Config::load(&inputs(home, flags)?)?;
    fill(&mut config, home::variable);
    Ok(config)
}

/// What the configuration of `home` is made from, with `flags` on top.
///
/// # Errors
/// When a file cannot be read, or secrets are open to others.
pub fn inputs(home: &Home, flags: Flags) -> Result<Inputs> {
    let secrets = read_optional(&home.secrets())?;
    if secrets.is_some() && home::open_to_others(&home.secrets())? {
        bail!("others can read {}; close it with: chmod 600 {}", home.secrets().display(), home.secrets().display());
    }
    Ok(Inputs { file: read_optional(&home.config())?, secrets, environment: home::config_variables(), flags })
}

fn read_optional(path: &Path) -> Result<Option<String>> {
    use std::io::Read;
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut text = String::new();
    file.take(CONFIG_BYTES_MAX)
        .read_to_string(&mut text)
        .with_context(|| format!("{} is not readable text in UTF-8", path.display()))?;
    Ok(Some(text))
}

/// The system's randomness.
///
/// # Errors
/// When the system has none, checked once here so that later calls cannot fail.
pub fn chance() -> Result<Chance> {
    getrandom::fill(&mut [0; 8]).context("the system gives no randomness")?;
    Ok(Chance::new(Arc::new(|out: &mut [u8]| {
        // After the first success the system call cannot fail on the systems Timmy runs on (getrandom(2)).
        let _ = getrandom::fill(out);
    })))
}

/// The providers in the order of the configuration, the engine with the models of `home`. `traffic` is the file of recorded calls; without one nothing is
/// recorded, and the provider that answers from it is left out.
///
/// # Errors
/// When a provider cannot be made, such as one with an address that is none.
pub fn cascade(home: &Home, config: &Config, traffic: Option<&Path>) -> Result<Cascade> {
    let mut names = config.cascade.providers.clone();
    if let Some(at) = names.iter().position(|n| *n == config.cascade.prefer) {
        let first = names.remove(at);
        names.insert(0, first);
    }
    let rules = rules(config, traffic)?;
    let mut providers: Vec<Arc<dyn Provider>> = Vec::new();
    for name in &names {
        providers.push(match name.as_str() {
            "ollama" => Arc::new(Ollama::new(&config.ollama).map_err(|e| anyhow::anyhow!("[ollama] url: {e}"))?),
            "engine" => Arc::new(engine_provider(home, config, rules.files.clone())?),
            "scripted" => Arc::new(Scripted::new(&config.scripted)),
            "reflex" => Arc::new(Reflex::new(&config.ollama.model)),
            "replay" => match traffic {
                Some(path) => {
                    Arc::new(Replay::open(path).with_context(|| format!("cannot read the record {}", path.display()))?)
                }
                None => continue,
            },
            other => {
                let Some(p) = config.providers.get(other) else { bail!("unknown provider {other:?}") };
                api(p).map_err(|e| anyhow::anyhow!("[provider.{other}] url: {e}"))?
            }
        });
    }
    Ok(Cascade::with(providers, rules))
}

/// Models that run in a worker of this program; `registered` are files of the owner's that lie elsewhere.
fn engine_provider(home: &Home, config: &Config, registered: ModelFiles) -> Result<EngineProvider> {
    let program = std::env::current_exe().context("this program does not know where it lies")?;
    let places = Places { models: home.models(), ollama: home::ollama_folders(), registered };
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).context("the system gives no randomness")?;
    Ok(EngineProvider::new(&config.engine, EngineParts { program, places, seed: u64::from_le_bytes(seed) }))
}

/// What the cascade goes by.
fn rules(config: &Config, traffic: Option<&Path>) -> Result<Rules> {
    let mut rules = Rules::of(&config.cascade).map_err(|why| anyhow::anyhow!(why))?;
    rules.made_of = config.providers.iter().map(|(name, p)| (name.clone(), made_of(p))).collect();
    if let Some(path) = traffic.filter(|_| config.cascade.record) {
        let recorder = Recorder::open(path).with_context(|| format!("cannot write the record {}", path.display()))?;
        rules.recorder = Some(recorder);
    }
    Ok(rules)
}

/// A number that is another one when the settings of a provider change, its key included.
fn made_of(provider: &ProviderSettings) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (&provider.kind, &provider.url, &provider.model, &provider.place, provider.api_key.expose()).hash(&mut hasher);
    hasher.finish()
}

/// The provider behind an API that `p` describes.
fn api(p: &ProviderSettings) -> Result<Arc<dyn Provider>, BadAddress> {
    let (settings, key) = (p.api(), p.api_key.clone());
    Ok(match settings.preset().speaks {
        Speaks::OpenAi => Arc::new(OpenAi::new(&settings, key)?),
        Speaks::Anthropic => Arc::new(Anthropic::new(&settings, key)?),
    })
}

/// Opens the store of `home`.
///
/// # Errors
/// When the file is damaged, foreign or of a newer version. It is left as it is.
pub fn open_store(home: &Home, clock: &Arc<SystemClock>, chance: &Chance) -> Result<Store> {
    // A restore that was cut off is finished before anything is opened.
    let restored = restore::finish(&home.path).map_err(refused)?;
    let time = Arc::clone(clock);
    let opened = Store::open(&home.database(), Arc::new(move || time.now()), chance.source(), Options::default());
    let store = opened.map_err(|error| refused(error.problem()))?;
    if let Some(plan) = restored {
        restore::tell(&store, &home.path, &plan).map_err(|error| refused(error.problem()))?;
    }
    Ok(store)
}

/// The engine of `home`. Nothing runs yet.
///
/// # Errors
/// When store, randomness or a provider cannot be had.
pub fn engine(home: &Home, config: &Config, run_token: Secret) -> Result<App> {
    if let Some((name, folder)) = opens_home(config, &home.path) {
        let folder = folder.display();
        bail!("[mcp.{name}] would be given {folder}, which holds or lies in the home of Timmy; name another folder");
    }
    let clock = Arc::new(SystemClock::default());
    let chance = chance()?;
    let store = open_store(home, &clock, &chance)?;
    Ok(App::new(Parts {
        store,
        cascade: cascade(home, config, Some(&home.path.join(TRAFFIC_FILE)))?,
        clock,
        chance,
        settings: config.engine(),
        mind_dir: home.mind(),
        user_home: home::user_home(),
        run_token,
    }))
}
