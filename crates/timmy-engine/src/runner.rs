//! Which engine runs a model: this one, or llama.cpp where that is built in.

use std::path::Path;

use serde::{Deserialize, Serialize};
use timmy_domain::model::running::{By, Way, Weighed};

use crate::encoder;
use crate::error::EngineError;
use crate::gguf::Header;
use crate::load::{self, LoadOptions};
use crate::model::Model;

/// Whether llama.cpp is built in.
pub const HAS_LLAMA: bool = cfg!(feature = "engine-llama");
/// What helps where it is not, and the setting asks for it.
pub(crate) const HINT_BUILD: &str = "Set [engine] runner = \"auto\" in timmy.toml, or build Timmy from source with `cargo build --release --package timmy --features engine-llama`.";
/// The words of the setting, see [`Runner::of`].
pub(crate) const RUNNERS: &[&str] = &["auto", "own", "llama.cpp"];

/// Memory that llama.cpp takes besides the weights, in bytes: what it looks back on, and room for its arithmetic.
const BESIDE_BYTES: u64 = 128 << 20;

/// Which engine runs a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Runner {
    /// This one where it knows the file, llama.cpp for any other.
    #[default]
    Auto,
    /// This one.
    Own,
    /// llama.cpp.
    Llama,
}

impl Runner {
    /// The one that the setting means.
    #[must_use]
    pub fn of(word: &str) -> Self {
        match word {
            "own" => Self::Own,
            "llama.cpp" => Self::Llama,
            _ => Self::Auto,
        }
    }

    /// What runs models, for the owner: a clause without a verb.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Llama => "llama.cpp",
            Self::Auto if HAS_LLAMA => "Timmy's own engine, and llama.cpp where that does not know the file",
            Self::Auto | Self::Own => "Timmy's own engine",
        }
    }

    /// Whether it is built in.
    ///
    /// # Errors
    /// [`EngineError::NotBuiltIn`] when it is not.
    pub const fn built(self) -> Result<(), EngineError> {
        match self {
            Self::Llama if !HAS_LLAMA => Err(EngineError::NotBuiltIn),
            _ => Ok(()),
        }
    }

    /// Loads a model.
    ///
    /// # Errors
    /// As for [`load`](crate::load()), and [`EngineError::NotBuiltIn`].
    pub fn load(self, options: &LoadOptions) -> Result<Box<dyn Model>, EngineError> {
        self.for_file(&options.path).with(|| load::load(options), || llama(options))
    }

    /// Says what a load would mean, from the header alone.
    ///
    /// # Errors
    /// As for [`Runner::load`].
    pub fn weigh(self, file: &Path, budget_bytes: u64, context: Option<usize>) -> Result<Weighed, EngineError> {
        self.for_file(file).with(|| own_weight(file, budget_bytes, context), || mapped(file, budget_bytes))
    }

    /// Models that make vectors only are run by this engine in any case: it knows how each of them makes its vector, and
    /// llama.cpp has no words to give for them.
    fn for_file(self, file: &Path) -> Self {
        if self == Self::Llama && HAS_LLAMA && encoder::is_one(file) { Self::Own } else { self }
    }

    fn with<T>(
        self,
        own: impl FnOnce() -> Result<T, EngineError>,
        llama: impl FnOnce() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.built()?;
        match self {
            Self::Own => own(),
            Self::Llama => llama(),
            Self::Auto => match own() {
                Err(error) if HAS_LLAMA && error.is_unknown_kind() => llama(),
                done => done,
            },
        }
    }
}

#[cfg(feature = "engine-llama")]
fn llama(options: &LoadOptions) -> Result<Box<dyn Model>, EngineError> {
    crate::llama::load(options)
}

#[cfg(not(feature = "engine-llama"))]
fn llama(_: &LoadOptions) -> Result<Box<dyn Model>, EngineError> {
    Err(EngineError::NotBuiltIn)
}

fn own_weight(file: &Path, budget_bytes: u64, context: Option<usize>) -> Result<Weighed, EngineError> {
    let found = load::estimate(file, Some(budget_bytes), context, 0.0)?;
    let streams = found.bytes_read_per_token > 0;
    Ok(Weighed {
        by: By::Own,
        way: if streams { Way::Streamed } else { Way::Resident },
        budget_bytes,
        needed_bytes: found.needed_bytes,
        whole_bytes: found.whole_bytes,
        layers: found.layers as u64,
        resident_layers: found.resident_layers as u64,
        weights_per_token_bytes: found.weights_per_token_bytes,
        read_per_token_bytes: found.bytes_read_per_token,
    })
}

/// llama.cpp maps the file: what does not fit into memory the system reads again when it is needed.
fn mapped(file: &Path, budget_bytes: u64) -> Result<Weighed, EngineError> {
    let header = Header::of_file(file)?;
    let way = mapping(header.file_bytes, budget_bytes);
    let layers = header.text("general.architecture").and_then(|name| header.count(&format!("{name}.block_count")));
    let layers = layers.unwrap_or(0) as u64;
    Ok(Weighed {
        by: By::Llama,
        way,
        budget_bytes,
        needed_bytes: BESIDE_BYTES,
        whole_bytes: header.file_bytes.saturating_add(BESIDE_BYTES),
        layers,
        resident_layers: if way == Way::Resident { layers } else { 0 },
        weights_per_token_bytes: header.file_bytes,
        read_per_token_bytes: if way == Way::Resident { 0 } else { header.file_bytes },
    })
}

/// The way of a file that is mapped.
pub(crate) fn mapping(file_bytes: u64, budget_bytes: u64) -> Way {
    if file_bytes.saturating_add(BESIDE_BYTES) <= budget_bytes { Way::Resident } else { Way::Mapped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_setting_is_a_runner() {
        let all: Vec<Runner> = RUNNERS.iter().map(|word| Runner::of(word)).collect();
        assert_eq!(all, [Runner::Auto, Runner::Own, Runner::Llama]);
    }

    #[test]
    fn what_this_engine_does_not_know_is_left_to_llama_cpp_only_where_that_is_built_in() {
        let unknown = || Err::<u8, _>(EngineError::UnsupportedArchitecture("new".to_owned()));
        let damaged = || Err::<u8, _>(EngineError::Corrupt("cut".to_owned()));
        assert_eq!(Runner::Auto.with(unknown, || Ok(2)).ok(), HAS_LLAMA.then_some(2));
        assert!(Runner::Auto.with(damaged, || Ok(2)).is_err(), "what is damaged is damaged for both");
        assert!(Runner::Own.with(unknown, || Ok(2)).is_err());
        assert_eq!(Runner::Auto.with(|| Ok(1), || Ok(2)).ok(), Some(1));
        assert_eq!(Runner::Llama.with(|| Ok(1), || Ok(2)).ok(), HAS_LLAMA.then_some(2));
    }
}
