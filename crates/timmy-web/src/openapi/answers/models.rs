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

/// How a registered file would be run here, as its header and what was measured say, before it is loaded.
#[derive(ToSchema)]
pub struct ModelRunning {
    /// The model.
    name: String,
    /// What would run it: `own`, the engine of the house, or `llama.cpp`. Nothing when it cannot be run.
    #[schema(required)]
    by: Option<String>,
    /// `resident`: it stays in memory whole. `streamed`: some layers are read from the disk for each token. `mapped`:
    /// llama.cpp leaves it to the system what is read. Nothing when it cannot be run.
    #[schema(required)]
    way: Option<String>,
    /// Memory that may be taken, in bytes; 0 when it cannot be run, as the next six.
    budget_bytes: u64,
    /// The least memory it can be run with, in bytes.
    needed_bytes: u64,
    /// Memory from which on all of it stays, in bytes.
    whole_bytes: u64,
    /// Its layers.
    layers: u64,
    /// Those that stay in memory.
    resident_layers: u64,
    /// Bytes read from the disk for a token; with `mapped` the most it may be.
    read_per_token_bytes: u64,
    /// What a token takes at least, in milliseconds; 0 while disk or memory are not measured.
    milliseconds_per_token: u64,
    /// All of that in words, or why it cannot be run.
    words: String,
}

/// What there is to get, beside what the machine has.
#[derive(ToSchema)]
pub struct Catalogue {
    /// The models, small to large.
    items: Vec<CatalogueEntry>,
    /// Nothing: the list is whole.
    #[schema(required)]
    next: Option<u64>,
    /// How each registered file would be run here; empty where nobody runs files.
    here: Vec<ModelRunning>,
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
