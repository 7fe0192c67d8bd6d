//! From a path to a model that answers, within a budget of memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::attention::Memory;
use crate::encoder;
use crate::error::EngineError;
use crate::file::{ModelFile, Tensors, Through};
use crate::gguf::Header;
use crate::model::{Model, ModelFacts};
use crate::plan::plan;
use crate::room::Room;
use crate::run::Runner;
use crate::shape::{Architecture, Shape};
use crate::stage::{Stage, head, stage_bytes};
use crate::vocabulary::Vocabulary;

/// The longest context that is taken when none is asked for, in tokens.
pub const CONTEXT_TOKENS_DEFAULT_MAX: usize = 8_192;

/// How a model is to be loaded.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The GGUF file.
    pub path: PathBuf,
    /// Bytes the model may hold: weights, the ring of the reader and the memory of a full context. `None` keeps all.
    pub memory_budget_bytes: Option<u64>,
    /// Threads for the arithmetic; 0 counts as 1. The products of weights use as many threads as the process was
    /// started with, by `CANDLE_NUM_THREADS` in its environment: a worker is to be started with the same number here
    /// and there, and without the variable all cores are taken.
    pub threads: usize,
    /// Tokens to look back on; `None` takes what the model was made for, up to [`CONTEXT_TOKENS_DEFAULT_MAX`].
    pub context_length: Option<usize>,
}

/// What to expect of a model before it is loaded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Layers that would stay in memory.
    pub resident_layers: usize,
    /// All layers.
    pub layers: usize,
    /// Bytes of weights that a token goes through; of experts only those that are asked.
    pub weights_per_token_bytes: u64,
    /// Bytes read from the disk for each token.
    pub bytes_read_per_token: u64,
    /// Seconds of reading for each token, which is the least a token takes; 0 when nothing is read.
    pub seconds_per_token: f64,
    /// The least budget this file can be run with, in bytes.
    pub needed_bytes: u64,
    /// The budget from which on nothing need be read, in bytes.
    pub whole_bytes: u64,
}

/// Loads a model.
///
/// # Errors
/// Each variant of [`EngineError`] that is about a file or about memory.
pub fn load(options: &LoadOptions) -> Result<Box<dyn Model>, EngineError> {
    let file = ModelFile::open(&options.path)?;
    if let Some(shape) = encoder::Shape::read(&file.header)? {
        return encoder::load(file, shape, options);
    }
    let file = Arc::new(file);
    let shape = Shape::read(&file.header)?;
    let vocabulary = Vocabulary::read(&file.header)?;
    let context_tokens = context(&shape, options.context_length);
    let facts = facts(&file, &shape, &vocabulary, context_tokens)?;
    let plan = plan(&stage_bytes(&file, &shape)?, context_bytes(&shape, context_tokens), options.memory_budget_bytes)?;
    let mut room = Room::default();
    // What stays is read past the cache, too, when memory is tight: its pages would be held twice.
    let through = if options.memory_budget_bytes.is_some() { Through::Past } else { Through::Cache };
    let mut stages = Vec::with_capacity(plan.stays.len());
    for (number, stays) in plan.stays.iter().enumerate() {
        let stage = if *stays { Some(Stage::read(&file, &shape, number, through, &mut room, None)?) } else { None };
        stages.push(stage);
    }
    let tensors = Tensors::new(&file, String::new(), through, &mut room);
    let output_norm = tensors.needed_list("output_norm.weight", shape.width)?;
    let factors = factors(&tensors, &shape, context_tokens)?;
    let mut memories = Vec::new();
    memories.resize_with(shape.layers, Memory::default);
    let bytes_before_passes = file.read_bytes();
    Ok(Box::new(Runner {
        shape: Arc::new(shape),
        facts,
        vocabulary,
        plan,
        stages,
        output_norm,
        factors,
        memories,
        length: 0,
        ring: None,
        pool: pool(options.threads)?,
        room: Room::default(),
        bytes_before_passes,
        file,
    }))
}

/// Says what a load would mean: how much stays, how much is read each time, how long that takes at a disk's speed.
///
/// # Errors
/// As for [`load`], without reading more than the header.
pub fn estimate(
    path: &Path,
    memory_budget_bytes: Option<u64>,
    context_length: Option<usize>,
    disk_bytes_per_second: f64,
) -> Result<Estimate, EngineError> {
    let file = ModelFile::open(path)?;
    if let Some(shape) = encoder::Shape::read(&file.header)? {
        return encoder::estimate(&file, &shape, memory_budget_bytes, context_length);
    }
    let shape = Shape::read(&file.header)?;
    let context_bytes = context_bytes(&shape, context(&shape, context_length));
    let stages = stage_bytes(&file, &shape)?;
    let plan = plan(&stages, context_bytes, memory_budget_bytes)?;
    let speed = if disk_bytes_per_second > 0.0 { disk_bytes_per_second } else { f64::INFINITY };
    Ok(Estimate {
        resident_layers: plan.stays.iter().take(shape.layers).filter(|stays| **stays).count(),
        layers: shape.layers,
        weights_per_token_bytes: stages.iter().sum::<u64>() - unasked_bytes(&file, &shape),
        bytes_read_per_token: plan.read_bytes,
        seconds_per_token: plan.read_bytes as f64 / speed,
        needed_bytes: plan.needed_bytes,
        whole_bytes: stages.iter().sum::<u64>() + context_bytes + crate::plan::OVERHEAD_BYTES,
    })
}

/// Bytes of experts that a token does not ask.
fn unasked_bytes(file: &ModelFile, shape: &Shape) -> u64 {
    let Some(experts) = &shape.experts else { return 0 };
    let all = file.header.tensors.iter().filter(|(name, _)| name.contains("_exps.")).map(|(_, info)| info.bytes);
    all.sum::<u64>() / experts.count.max(1) as u64 * experts.count.saturating_sub(experts.used) as u64
}

fn context(shape: &Shape, asked: Option<usize>) -> usize {
    context_tokens(shape.trained_context_tokens, asked)
}

/// Tokens to look back on, of a model made for `trained`.
pub(crate) fn context_tokens(trained: usize, asked: Option<usize>) -> usize {
    asked.map_or(trained.min(CONTEXT_TOKENS_DEFAULT_MAX), |asked| asked.clamp(1, trained))
}

/// Bytes of keys and values of a full context.
fn context_bytes(shape: &Shape, tokens: usize) -> u64 {
    2 * tokens as u64 * shape.layers as u64 * shape.cache_width() as u64
}

fn facts(
    file: &ModelFile,
    shape: &Shape,
    vocabulary: &Vocabulary,
    context_tokens: usize,
) -> Result<ModelFacts, EngineError> {
    let header = &file.header;
    let (_, head) = head(file)?;
    if head.rows() < vocabulary.len() || file.tensor("token_embd.weight").map(|info| info.rows()) != Some(head.rows()) {
        return Err(EngineError::Corrupt(format!("{} tokens, and {} rows for them", vocabulary.len(), head.rows())));
    }
    Ok(ModelFacts {
        name: header.text("general.name").unwrap_or_default().to_owned(),
        architecture: shape.architecture.name().to_owned(),
        trained_context_tokens: shape.trained_context_tokens,
        context_tokens,
        vocabulary_tokens: head.rows(),
        layers: shape.layers,
        embedding_length: shape.width,
        file_bytes: header.file_bytes,
        quantisation: quantisation(header),
        chat_template: header.text("tokenizer.chat_template").map(str::to_owned),
        bos: vocabulary.bos(),
        add_bos: vocabulary.adds_bos(),
        end: vocabulary.end(),
    })
}

/// The kind of number that most of the file is stored in.
pub(crate) fn quantisation(header: &Header) -> String {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for info in header.tensors.values() {
        let name = format!("{:?}", info.kind);
        match kinds.iter_mut().find(|(kind, _)| *kind == name) {
            Some((_, bytes)) => *bytes += info.bytes,
            None => kinds.push((name, info.bytes)),
        }
    }
    kinds.into_iter().max_by_key(|(_, bytes)| *bytes).map(|(kind, _)| kind).unwrap_or_default()
}

/// What divides the frequencies of positions. Phi has one list for short and one for long contexts.
fn factors(tensors: &Tensors<'_>, shape: &Shape, context_tokens: usize) -> Result<Option<Vec<f32>>, EngineError> {
    let pairs = shape.turning.width / 2;
    let long = context_tokens > shape.original_context_tokens;
    let name = if shape.architecture != Architecture::Phi3 {
        "rope_freqs.weight"
    } else if long {
        "rope_factors_long.weight"
    } else {
        "rope_factors_short.weight"
    };
    let factors = tensors.list(name, pairs)?;
    match &factors {
        Some(factors) if factors.iter().any(|factor| !factor.is_finite() || *factor <= 0.0) => {
            Err(EngineError::Corrupt(format!("the tensor {name} divides by what is no positive number")))
        }
        _ => Ok(factors),
    }
}

/// Threads for the arithmetic between the products; none for one.
pub(crate) fn pool(threads: usize) -> Result<Option<rayon::ThreadPool>, EngineError> {
    if threads <= 1 {
        return Ok(None);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|n| format!("engine-{n}")).build();
    pool.map(Some).map_err(|error| EngineError::Compute(error.to_string()))
}
