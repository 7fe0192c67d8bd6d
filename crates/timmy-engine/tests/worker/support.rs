//! What the tests share: a home with a model, a provider over it, and questions.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use timmy_domain::Sensitivity;
use timmy_engine::fixture::Fixture;
use timmy_engine::shape::Architecture;
use timmy_engine::{EngineParts, EngineProvider, EngineSettings, Places};
use timmy_llm::{
    Brief, Call, ChatMessage, ChatRequest, Completion, Failure, Part, Provider, Role, Sampling, TaskClass,
};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The worker as it is.
pub const WORKER: &str = env!("CARGO_BIN_EXE_timmy-engine-worker");
/// One that misbehaves.
pub const VILLAIN: &str = env!("CARGO_BIN_EXE_timmy-engine-villain");

/// How long a test waits for what must come. Far more than it takes, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A home with models and the provider over it.
pub struct House {
    pub folder: TempDir,
    pub provider: Arc<EngineProvider>,
}

impl House {
    /// A house whose worker is `program`.
    pub fn new(program: &str, settings: &EngineSettings) -> Self {
        timmy_tools::sandbox::use_helper(WORKER);
        let folder = tempfile::tempdir().expect("a folder");
        let (models, ollama) = (folder.path().join("models"), vec![folder.path().join("ollama")]);
        let places = Places { models, ollama, ..Places::default() };
        fs::create_dir_all(&places.models).expect("a folder for models");
        let parts = EngineParts { program: PathBuf::from(program), places, seed: 1 };
        Self { provider: Arc::new(EngineProvider::new(settings, parts)), folder }
    }

    /// A house with the tiny model.
    pub fn tiny() -> Self {
        Self::tiny_with(&EngineSettings::default())
    }

    /// A house with the tiny model and these settings.
    pub fn tiny_with(settings: &EngineSettings) -> Self {
        let settings = EngineSettings { memory_mb: 512, threads: 1, ..settings.clone() };
        let house = Self::new(WORKER, &settings);
        write_tiny(&house.models().join("tiny.gguf"));
        house
    }

    /// A house whose worker misbehaves in this manner.
    pub fn villain(manner: &str) -> Self {
        let house = Self::new(VILLAIN, &EngineSettings { memory_mb: 64, ..EngineSettings::default() });
        fs::write(house.models().join(format!("{manner}.gguf")), b"x").expect("written");
        house
    }

    /// The folder for models.
    pub fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    /// Asks and waits.
    pub async fn ask(&self, request: &ChatRequest) -> Result<Completion, Failure> {
        self.provider.chat(request, &call()).await
    }

    /// The numbers of the workers of this house, the innermost last.
    pub fn workers(&self) -> Vec<i32> {
        let own = i32::try_from(std::process::id()).expect("a number");
        let mut found = Vec::new();
        let mut parents = vec![own];
        while let Some(parent) = parents.pop() {
            for child in children(parent) {
                parents.push(child);
                found.push(child);
            }
        }
        let folder = fs::canonicalize(self.folder.path()).expect("a folder").display().to_string();
        found.retain(|id| {
            let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains("engine-worker\0") && line.contains(&folder)
        });
        found
    }
}

fn children(parent: i32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Makes the tiny model.
pub fn write_tiny(at: &Path) {
    let file = File::create(at).expect("a file");
    Fixture::tiny(Architecture::Llama).write(&mut BufWriter::new(file)).expect("a model");
}

/// A call with all the time in the world.
pub fn call() -> Call {
    Call::until(Instant::now() + PATIENCE, CancellationToken::new())
}

/// A call whose words can be read as they come.
pub fn streaming() -> (Call, mpsc::Receiver<String>) {
    let (sender, words) = mpsc::channel(1_000);
    (Call { deltas: Some(sender), ..call() }, words)
}

/// A question of one message, answered without chance in at most so many tokens.
pub fn question(text: &str, max_tokens: u32) -> ChatRequest {
    let part = Part { text: text.to_owned(), sensitivity: Sensitivity::LocalOnly, droppable: false };
    let message = ChatMessage {
        role: Role::User,
        parts: vec![part],
        tool_calls: Vec::new(),
        tool_call_id: None,
        images: Vec::new(),
    };
    ChatRequest {
        messages: vec![message],
        tools: Vec::new(),
        class: TaskClass::Chat,
        max_tokens,
        temperature: Some(0.0),
        model: None,
        sampling: Sampling::default(),
        brief: Brief::default(),
    }
}

/// Waits until `holds`.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} never came");
        // The clock may stand still, so this gives way instead of sleeping.
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
}
