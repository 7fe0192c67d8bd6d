//! Floor 2: the local mind. Runs open-weight models from GGUF files inside Timmy, with nothing else installed.
//!
//! From below: [`gguf`] reads a file within bounds, [`vocabulary`] turns text into tokens, [`model`] says what a
//! loaded model is asked, [`error`] why it may refuse.

pub mod ask;
mod attention;
pub mod calls;
pub mod constrain;
#[cfg(target_arch = "x86_64")]
mod eight;
mod encoder;
pub mod error;
mod experts;
mod file;
pub mod find;
pub mod fixture;
pub mod generate;
pub mod gguf;
mod layer;
#[cfg(feature = "engine-llama")]
mod llama;
pub mod load;
mod math;
mod matrix;
pub mod model;
pub mod plan;
pub mod provider;
mod room;
mod run;
pub mod runner;
pub mod sample;
pub mod settings;
pub mod shape;
mod stage;
pub mod stop;
mod stream;
pub mod template;
mod turn;
pub mod vocabulary;
mod weights;
pub mod worker;

pub use error::EngineError;
pub use find::{Found, Places, Source};
pub use load::{Estimate, LoadOptions, estimate, load};
pub use model::{MemoryReport, Model, ModelFacts};
pub use provider::{ENGINE_NAME, EngineParts, EngineProvider};
pub use runner::Runner;
pub use settings::EngineSettings;
pub use vocabulary::Vocabulary;
