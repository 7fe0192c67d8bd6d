//! Floor 1: ask a model, choose which, survive its failure.
//!
//! A [`ChatRequest`] carries labels on every part; a [`Provider`] answers it or gives a typed [`Failure`]; a
//! [`Cascade`] asks providers in order within one deadline. Providers: [`Ollama`], [`OpenAi`] and [`Anthropic`] over HTTP,
//! [`Scripted`] from a list, [`Reflex`] from real state without a model.

pub mod cascade;
pub mod deltas;
pub mod dry;
pub mod failure;
pub mod files;
pub mod outbound;
pub mod provider;
pub mod providers;
pub mod pull;
pub mod registered;
pub mod request;
mod wire;

pub use cascade::breaker::Circuit;
pub use cascade::money::{Books, Caps, Leaving};
pub use cascade::recent::Recent;
pub use cascade::record::{Recorder, Replay};
pub use cascade::{
    Answer, Attempt, Cascade, CascadeError, CascadeSettings, Change, Control, Embedded, Errand, LOCAL_MS_MAX, LOOK,
    ModelStatus, PULL, ProbeChange, ProviderFigures, ProviderState, ProviderStatus, Rules, StoredModel, Unpriced,
};
pub use failure::{Failure, Stage};
pub use files::ModelFiles;
pub use outbound::{OutMessage, OutTexts, Outbound};
pub use provider::{
    AGAIN_MARK, BoxFuture, Call, Capabilities, Completion, Embedder, Embeddings, Finish, Health, Manner, Provider,
    ProviderInfo, Usage,
};
pub use providers::anthropic::Anthropic;
pub use providers::ollama::{Loaded, Ollama, OllamaSettings, PullStep};
pub use providers::openai::OpenAi;
pub use providers::preset::{ApiSettings, PRESETS, Preset, Speaks};
pub use providers::reflex::Reflex;
pub use providers::scripted::{Scripted, ScriptedSettings, Step};
pub use registered::{Registered, Said};
pub use request::{
    AnswerFormat, Brief, ChatMessage, ChatRequest, Fact, Image, Part, Role, STOPS_MAX, Sampling, TaskClass, ToolCall,
    ToolChoice, ToolSpec,
};
pub use wire::address::BadAddress;
pub use wire::growing::{ARGUMENTS_BYTES_MAX, TOOL_CALLS_MAX};
pub use wire::lines::FRAME_BYTES_MAX;
pub use wire::reasoning;
pub use wire::{ANSWER_BYTES_MAX, CONNECT_MS, STALL_MS};
