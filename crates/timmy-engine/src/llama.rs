//! llama.cpp behind the same trait, for whoever builds it in with the feature `engine-llama`: every layout it knows, at
//! the price of a library in C++ within the worker.
//!
//! A file is read by this engine's own reader first, so what breaks the format or a bound never reaches llama.cpp. Words,
//! templates, choices and forms are this engine's as well; only tokens go there, and only logits and states come back.
//! Model and context live on a thread of their own: a context borrows its model, and both stay where they are.

use std::num::NonZeroU32;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{LlamaContextParams, LlamaPoolingType};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use timmy_domain::model::running::Way;

use crate::error::EngineError;
use crate::gguf::Header;
use crate::load::{LoadOptions, context_tokens, quantisation};
use crate::math;
use crate::model::{MemoryReport, Model, ModelFacts};
use crate::runner::mapping;
use crate::vocabulary::Vocabulary;

/// Tokens that go through the layers together; longer prompts go in several passes.
const PASS_TOKENS_MAX: usize = 512;
/// Bytes of a number that is remembered: keys and values are kept in 16 bits.
const REMEMBERED_BYTES: u64 = 2;

/// What the thread is told.
enum Order {
    Forward { tokens: Vec<u32>, position: usize },
    Embed { tokens: Vec<u32> },
}

/// What llama.cpp says about a model that it loaded.
struct About {
    vocabulary_tokens: usize,
    layers: usize,
    width: usize,
    weight_bytes: u64,
    /// Bytes of keys and values of one token.
    token_bytes: u64,
}

/// A model that llama.cpp holds.
struct Llama {
    facts: ModelFacts,
    vocabulary: Vocabulary,
    about: About,
    way: Way,
    length: usize,
    /// `None` once the thread is to end.
    orders: Option<SyncSender<Order>>,
    answers: Receiver<Result<Vec<f32>, EngineError>>,
    thread: Option<JoinHandle<()>>,
}

/// Loads a model. The memory of a full context is taken at once.
///
/// # Errors
/// What this engine's reader says against the file, and [`EngineError::Compute`] when llama.cpp refuses it.
pub(crate) fn load(options: &LoadOptions) -> Result<Box<dyn Model>, EngineError> {
    let header = Header::of_file(&options.path)?;
    let vocabulary = Vocabulary::read(&header)?;
    let architecture = header.text("general.architecture").unwrap_or_default().to_owned();
    let trained = header.count(&format!("{architecture}.context_length")).filter(|tokens| *tokens > 0);
    let trained = trained.ok_or_else(|| EngineError::Corrupt("the length of its context is missing".to_owned()))?;
    let context = context_tokens(trained, options.context_length);
    let way = mapping(header.file_bytes, options.memory_budget_bytes.unwrap_or(u64::MAX));
    let (ready, told) = sync_channel(1);
    let (orders, waiting) = sync_channel(1);
    let (answer, answers) = sync_channel(1);
    let (path, threads) = (options.path.clone(), options.threads);
    let thread = std::thread::Builder::new().name("engine-llama".to_owned()).spawn(move || {
        let loaded = backend().and_then(|backend| {
            let model = LlamaModel::load_from_file(backend, &path, &LlamaModelParams::default());
            Ok((backend, model.map_err(|_| refused("the file"))?))
        });
        match loaded {
            Ok((backend, model)) => keep(backend, &model, Asked { context, threads }, &ready, &waiting, &answer),
            Err(error) => drop(ready.send(Err(error))),
        }
    })?;
    let about = told.recv().map_err(|_| gone())??;
    if vocabulary.len() > about.vocabulary_tokens {
        return Err(EngineError::Corrupt(format!("{} tokens, {} known", vocabulary.len(), about.vocabulary_tokens)));
    }
    let facts = ModelFacts {
        name: header.text("general.name").unwrap_or_default().to_owned(),
        architecture,
        trained_context_tokens: trained,
        context_tokens: context,
        vocabulary_tokens: about.vocabulary_tokens,
        layers: about.layers,
        embedding_length: about.width,
        file_bytes: header.file_bytes,
        quantisation: quantisation(&header),
        chat_template: header.text("tokenizer.chat_template").map(str::to_owned),
        bos: vocabulary.bos(),
        add_bos: vocabulary.adds_bos(),
        end: vocabulary.end(),
    };
    let (orders, thread) = (Some(orders), Some(thread));
    Ok(Box::new(Llama { facts, vocabulary, about, way, length: 0, orders, answers, thread }))
}

impl Model for Llama {
    fn forward(&mut self, tokens: &[u32], position: usize) -> Result<Vec<f32>, EngineError> {
        self.check(tokens, position)?;
        let logits = self.told(Order::Forward { tokens: tokens.to_vec(), position });
        // A failure leaves nothing behind.
        self.length = if logits.is_ok() { position + tokens.len() } else { 0 };
        logits
    }

    fn truncate(&mut self, length: usize) {
        // The next pass says where it begins, and what stands behind that is forgotten then.
        self.length = self.length.min(length);
    }

    fn length(&self) -> usize {
        self.length
    }

    fn embed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        self.check(tokens, 0)?;
        self.length = 0;
        self.told(Order::Embed { tokens: tokens.to_vec() })
    }

    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn memory(&self) -> MemoryReport {
        let layers = self.about.layers;
        MemoryReport {
            path: self.way,
            resident_layers: if self.way == Way::Resident { layers } else { 0 },
            layers,
            weight_bytes: self.about.weight_bytes,
            cache_bytes: self.about.token_bytes.saturating_mul(self.facts.context_tokens as u64),
            // What the system reads again is known to it alone.
            bytes_read_per_pass: 0,
            bytes_read: 0,
        }
    }
}

impl Llama {
    fn check(&self, tokens: &[u32], position: usize) -> Result<(), EngineError> {
        if position > self.length {
            return Err(EngineError::BadRequest(format!("position {position} after {} tokens", self.length)));
        }
        self.facts.check(tokens, position)
    }

    fn told(&self, order: Order) -> Result<Vec<f32>, EngineError> {
        self.orders.as_ref().and_then(|orders| orders.send(order).ok()).ok_or_else(gone)?;
        self.answers.recv().map_err(|_| gone())?
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            // It ends as nobody orders any more; a panic in it was told to the one who waited for an answer.
            let _ = thread.join();
        }
    }
}

/// The library itself, made ready once in a process and silent: what it would say goes to nobody.
fn backend() -> Result<&'static LlamaBackend, EngineError> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let made = BACKEND.get_or_init(|| {
        let mut backend = LlamaBackend::init().map_err(|error| error.to_string())?;
        backend.void_logs();
        Ok(backend)
    });
    made.as_ref().map_err(|why| EngineError::Compute(why.clone()))
}

/// How a context is to be.
#[derive(Clone, Copy)]
struct Asked {
    context: usize,
    threads: usize,
}

/// Tells what the model is, then does what is ordered until nobody orders any more.
fn keep(
    backend: &LlamaBackend,
    model: &LlamaModel,
    asked: Asked,
    ready: &SyncSender<Result<About, EngineError>>,
    orders: &Receiver<Order>,
    answers: &SyncSender<Result<Vec<f32>, EngineError>>,
) {
    let kept = model.new_context(backend, parameters(asked)).map_err(|_| refused("the memory of a context"));
    let mut kept = match kept {
        Ok(context) => Kept { backend, model, asked, context, batch: batch(), read: Vec::new() },
        Err(error) => return drop(ready.send(Err(error))),
    };
    if ready.send(Ok(about(model))).is_err() {
        return;
    }
    while let Ok(order) = orders.recv() {
        let done = match order {
            Order::Forward { tokens, position } => kept.forward(&named(&tokens), position),
            Order::Embed { tokens } => kept.embed(&named(&tokens)),
        };
        if answers.send(done).is_err() {
            return;
        }
    }
}

fn about(model: &LlamaModel) -> About {
    let count = |number: i32| usize::try_from(number).unwrap_or(0);
    let width = count(model.n_embd());
    let head = (width as u64).checked_div(u64::from(model.n_head())).unwrap_or(0);
    About {
        vocabulary_tokens: count(model.n_vocab()),
        layers: model.n_layer() as usize,
        width,
        weight_bytes: model.size(),
        token_bytes: 2 * REMEMBERED_BYTES * u64::from(model.n_layer()) * u64::from(model.n_head_kv()) * head,
    }
}

fn parameters(asked: Asked) -> LlamaContextParams {
    let threads = i32::try_from(asked.threads.max(1)).unwrap_or(1);
    LlamaContextParams::default()
        .with_n_ctx(u32::try_from(asked.context).ok().and_then(NonZeroU32::new))
        .with_n_batch(PASS_TOKENS_MAX as u32)
        .with_n_ubatch(PASS_TOKENS_MAX as u32)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
}

fn batch() -> LlamaBatch<'static> {
    LlamaBatch::new(PASS_TOKENS_MAX, 1)
}

/// A model with its context, on its thread.
struct Kept<'model> {
    backend: &'model LlamaBackend,
    model: &'model LlamaModel,
    asked: Asked,
    context: LlamaContext<'model>,
    batch: LlamaBatch<'static>,
    /// The tokens that are remembered.
    read: Vec<LlamaToken>,
}

impl Kept<'_> {
    fn forward(&mut self, tokens: &[LlamaToken], position: usize) -> Result<Vec<f32>, EngineError> {
        self.forget(position)?;
        let done = self.feed(tokens);
        if done.is_err() {
            self.context.clear_kv_cache();
            self.read.clear();
        }
        Ok(self.context.get_logits_ith(done?).to_vec())
    }

    /// Reads tokens behind those that were read. Gives the place in the batch of the last one, whose logits are there.
    fn feed(&mut self, tokens: &[LlamaToken]) -> Result<i32, EngineError> {
        let mut last = 0;
        for part in tokens.chunks(PASS_TOKENS_MAX) {
            fill(&mut self.batch, part, self.read.len(), false)?;
            self.context.decode(&mut self.batch).map_err(computed)?;
            self.read.extend_from_slice(part);
            last = self.batch.n_tokens() - 1;
        }
        Ok(last)
    }

    /// Forgets all but the first `length` tokens.
    fn forget(&mut self, length: usize) -> Result<(), EngineError> {
        if length >= self.read.len() {
            return Ok(());
        }
        if self.context.clear_kv_cache_seq(Some(0), u32::try_from(length).ok(), None).map_err(computed)? {
            self.read.truncate(length);
            return Ok(());
        }
        // A model that carries one state along cannot go back; it reads again what is to stay.
        let stays = self.read[..length].to_vec();
        self.context.clear_kv_cache();
        self.read.clear();
        self.feed(&stays).map(|_| ())
    }

    /// The mean of the last hidden states, scaled to length one, in a context of its own: one that gives states gives no
    /// logits.
    fn embed(&mut self, tokens: &[LlamaToken]) -> Result<Vec<f32>, EngineError> {
        self.context.clear_kv_cache();
        self.read.clear();
        let parameters = parameters(Asked { context: tokens.len(), ..self.asked });
        let parameters = parameters.with_embeddings(true).with_pooling_type(LlamaPoolingType::None);
        let context = self.model.new_context(self.backend, parameters);
        let mut context = context.map_err(|_| refused("the memory of a context"))?;
        let mut sum = Vec::new();
        for (number, part) in tokens.chunks(PASS_TOKENS_MAX).enumerate() {
            fill(&mut self.batch, part, number * PASS_TOKENS_MAX, true)?;
            context.decode(&mut self.batch).map_err(computed)?;
            for place in 0..self.batch.n_tokens() {
                let state = context.embeddings_ith(place).map_err(computed)?;
                sum.resize(state.len(), 0.0);
                math::add(&mut sum, state);
            }
        }
        math::to_length_one(&mut sum);
        Ok(sum)
    }
}

/// Puts tokens into a batch, the first at `position`. Something is given for the last one, or for `each`.
fn fill(batch: &mut LlamaBatch<'_>, tokens: &[LlamaToken], position: usize, each: bool) -> Result<(), EngineError> {
    batch.clear();
    for (place, token) in tokens.iter().enumerate() {
        let wanted = each || place + 1 == tokens.len();
        let at = i32::try_from(position + place).map_err(computed)?;
        batch.add(*token, at, &[0], wanted).map_err(computed)?;
    }
    Ok(())
}

fn named(tokens: &[u32]) -> Vec<LlamaToken> {
    tokens.iter().map(|token| LlamaToken::new(i32::try_from(*token).unwrap_or(i32::MAX))).collect()
}

fn computed(error: impl std::fmt::Display) -> EngineError {
    EngineError::Compute(format!("llama.cpp: {error}"))
}

fn refused(what: &str) -> EngineError {
    EngineError::Unsupported(format!("what llama.cpp cannot give: it refuses {what}"))
}

fn gone() -> EngineError {
    EngineError::Compute("llama.cpp has stopped".to_owned())
}
