//! Models: those that are registered, those there are to get, and those that come.

use utoipa::ToSchema;

use super::super::words::Moment;

/// A registered model.
#[derive(ToSchema)]
pub struct Model {
    /// Its name.
    name: String,
    /// How it lies on the disk: `gguf`, `safetensors`, `hf` or `ollama`.
    format: String,
    /// Where; empty for a model of an Ollama server.
    path: String,
    /// What it is for: `general`, `reward`, `teacher` or `judge`.
    role: String,
    /// Tokens it reads and writes in one request.
    context_window: u64,
    /// What it is, in words.
    description: String,
    /// When it was registered.
    registered_at: Moment,
    /// Whether it may be asked.
    active: bool,
    /// How freely it chooses its words, unless it is said.
    default_temperature: f64,
    /// Tokens of an answer, unless it is said.
    max_tokens: u64,
    /// Bytes of its file; 0 when it has none.
    bytes: u64,
    /// The checksum of its file, where it was made when it came; else empty.
    sha256: String,
}

/// Which model an agent works with.
#[derive(ToSchema)]
pub struct ModelAssignment {
    /// The agent.
    agent_id: String,
    /// The model.
    model_name: String,
    /// Since when.
    assigned_at: Moment,
}

/// An agent without a model of its own.
#[derive(ToSchema)]
pub struct ModelUnassigned {
    /// The agent.
    agent_id: String,
    /// Nothing.
    #[schema(required)]
    model_name: Option<String>,
}

/// A model that Ollama keeps on this disk.
#[derive(ToSchema)]
pub struct FoundModel {
    /// What Ollama calls it.
    name: String,
    /// Where its weights lie.
    path: String,
    /// Their bytes.
    bytes: u64,
}

/// A model there is to get.
#[derive(ToSchema)]
pub struct CatalogueEntry {
    /// Its name.
    name: String,
    /// Its family, with the maker.
    family: String,
    /// Its parameters, in millions.
    parameters_millions: u64,
    /// How its weights are packed.
    quantisation: String,
    /// Tokens it can read and write at most.
    context: u64,
    /// Its licence.
    licence: String,
    /// Whether it turns text into vectors instead of writing.
    embeds: bool,
    /// Its bytes; 0 when they are not known for certain.
    bytes: u64,
    /// Memory it needs to lie there whole, in bytes; 0 when that is not known.
    memory_bytes: u64,
    /// Its checksum; empty when it can only be imported by its path.
    sha256: String,
    /// How it fits this machine: `memory`, `too_large`, `no_room`, `unknown`, or an object `streams` with
    /// `tenths_per_token`.
    #[schema(value_type = serde_json::Value)]
    fit: String,
    /// Tenths of a token that it can write here in a second at most, since for each all of it is read; 0 while unknown.
    tenths_of_tokens_per_second: u64,
    /// Whether a model of that name is registered.
    installed: bool,
    /// Bytes of it that came before.
    bytes_here: u64,
}

/// What there is to get, beside what the machine has.
#[derive(ToSchema)]
pub struct Catalogue {
    /// The models, small to large.
    items: Vec<CatalogueEntry>,
    /// Nothing: the list is whole.
    #[schema(required)]
    next: Option<u64>,
    /// The largest that lies in memory whole.
    #[schema(required)]
    advice: Option<String>,
    /// Memory of the machine, in bytes; 0 while unknown, as the next three.
    memory_bytes: u64,
    /// Memory that can be had now, in bytes.
    available_bytes: u64,
    /// What may still be written, in bytes.
    disk_free_bytes: u64,
    /// Whether disk and memory are being measured now.
    measuring: bool,
    /// When they were measured, in this run.
    #[schema(required)]
    measured_at: Option<Moment>,
    /// How fast the disk reads, in bytes a second; 0 while unknown.
    disk_read_bytes_per_second: u64,
    /// How fast all processors together read memory, in bytes a second; 0 while unknown.
    memory_read_bytes_per_second: u64,
}

/// A model that is being fetched, or was in this run.
#[derive(ToSchema)]
pub struct ModelPull {
    /// The model.
    name: String,
    /// `waiting`, `fetching`, `stopping`, `done`, `cancelled` or `failed`.
    state: String,
    /// Bytes that are here.
    bytes_here: u64,
    /// All bytes; 0 while only the server knows them.
    bytes: u64,
    /// Whether what comes is checked against a checksum that was known before. Without one nothing is verified.
    checksum_known: bool,
    /// The SHA-256 of what came; empty until it is here.
    sha256: String,
    /// Bytes that come in a second; 0 while unknown.
    bytes_per_second: u64,
    /// When it was asked for.
    started_at: Moment,
    /// Why it failed; else empty.
    why: String,
    /// What can be done; else empty.
    hint: String,
}
