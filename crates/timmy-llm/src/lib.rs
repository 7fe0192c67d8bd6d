//! Floor 1: ask a model, choose which, survive its failure.
//!
//! A [`ChatRequest`] carries labels on every part; a [`Provider`] answers it or gives a typed [`Failure`]; a
//! [`Cascade`] asks providers in order within one deadline. Providers: [`Ollama`] and [`OpenAi`] over HTTP,
//! [`Scripted`] from a list, [`Reflex`] from real state without a model.

pub mod cascade;
pub mod deltas;
pub mod dry;
pub mod failure;
pub mod outbound;
pub mod provider;
pub mod providers;
pub mod request;
mod wire;

pub use cascade::{
    Answer, Attempt, Cascade, CascadeError, CascadeSettings, ProbeChange, ProviderFigures, ProviderState,
    ProviderStatus,
};
pub use failure::{Failure, Stage};
pub use outbound::{OutMessage, Outbound};
pub use provider::{BoxFuture, Call, Completion, Finish, Health, Provider, ProviderInfo, Usage};
pub use providers::ollama::{Ollama, OllamaSettings};
pub use providers::openai::{OpenAi, OpenAiSettings};
pub use providers::reflex::Reflex;
pub use providers::scripted::{Scripted, ScriptedSettings, Step};
pub use request::{Brief, ChatMessage, ChatRequest, Fact, Part, Role, TaskClass, ToolCall, ToolSpec};
pub use wire::address::BadAddress;
pub use wire::growing::{ARGUMENTS_BYTES_MAX, TOOL_CALLS_MAX};
pub use wire::lines::FRAME_BYTES_MAX;
pub use wire::{ANSWER_BYTES_MAX, CONNECT_MS, STALL_MS};
