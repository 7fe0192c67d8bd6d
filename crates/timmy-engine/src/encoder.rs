//! Models that read a text as a whole and make one vector of it: BERT, and Nomic's, which is stored like it. They look
//! ahead as well as back, remember nothing, and write no text.
//!
//! Devlin et al., <https://arxiv.org/abs/1810.04805>. Names of tensors and keys are those of llama.cpp.

mod layer;
mod shape;

use timmy_domain::model::running::Way;

use crate::error::EngineError;
use crate::file::{ModelFile, Tensors, Through};
use crate::gguf::{Header, TensorInfo};
use crate::load::{Estimate, LoadOptions, context_tokens, pool, quantisation};
use crate::math;
use crate::model::{MemoryReport, Model, ModelFacts};
use crate::plan::OVERHEAD_BYTES;
use crate::room::Room;
use crate::shape::Architecture;
use crate::turn::Angles;
use crate::vocabulary::Vocabulary;
use layer::{Layer, Norm};
pub(crate) use shape::Shape;

/// Layouts that make vectors and write nothing: those of this engine, and further ones of llama.cpp.
const LAYOUTS: [&str; 9] = [
    "bert",
    "nomic-bert",
    "nomic-bert-moe",
    "jina-bert-v2",
    "jina-bert-v3",
    "modern-bert",
    "neo-bert",
    "eurobert",
    "gemma-embedding",
];

/// Whether models of this layout make vectors and write nothing.
pub(crate) fn makes_only_vectors(architecture: &str) -> bool {
    LAYOUTS.contains(&architecture)
}

/// Rows of words, positions and kinds of sentences.
const WORDS: &str = "token_embd.weight";
const POSITIONS: &str = "position_embd.weight";
const KINDS: &str = "token_types.weight";

/// A loaded model. All of it stays: such models are small, and a text goes through it once.
struct Encoder {
    file: ModelFile,
    room: Room,
    shape: Shape,
    facts: ModelFacts,
    vocabulary: Vocabulary,
    /// What each text ends with.
    separator: u32,
    /// The row of the first kind of sentence, which all texts are.
    kind: Option<Vec<f32>>,
    norm: Norm,
    layers: Vec<Layer>,
    weight_bytes: u64,
    pool: Option<rayon::ThreadPool>,
}

/// Loads a model whose header says that it is one of these.
///
/// # Errors
/// What is missing or has other sides, a vocabulary that is none of words and their parts, too little memory.
pub(crate) fn load(file: ModelFile, shape: Shape, options: &LoadOptions) -> Result<Box<dyn Model>, EngineError> {
    let vocabulary = Vocabulary::read(&file.header)?;
    let separator = vocabulary.separator().ok_or_else(|| {
        EngineError::Corrupt(
            "its vocabulary has no token that ends a text, as one of words and their parts has".to_owned(),
        )
    })?;
    let context = context_tokens(shape.trained_context_tokens, options.context_length);
    let weight_bytes = weight_bytes(&file);
    let needed_bytes = needed_bytes(&file, &shape, context);
    if let Some(budget_bytes) = options.memory_budget_bytes.filter(|budget| *budget < needed_bytes) {
        return Err(EngineError::TooLarge { needed_bytes, budget_bytes });
    }
    let facts = facts(&file, &shape, &vocabulary, context)?;
    let mut room = Room::default();
    let tensors = Tensors::new(&file, String::new(), Through::Cache, &mut room);
    let kinds = tensors.info(KINDS).map(TensorInfo::rows);
    let kind = kinds.map(|rows| tensors.row(KINDS, 0, rows, shape.width)).transpose()?;
    let norm = Norm::read(&tensors, "token_embd_norm", shape.width)?;
    let mut layers = Vec::with_capacity(shape.layers);
    for number in 0..shape.layers {
        let tensors = Tensors::new(&file, format!("blk.{number}."), Through::Cache, &mut room).at_once(None)?;
        layers.push(Layer::read(&tensors, &shape)?);
    }
    let pool = pool(options.threads)?;
    let room = Room::default();
    Ok(Box::new(Encoder { file, room, shape, facts, vocabulary, separator, kind, norm, layers, weight_bytes, pool }))
}

/// Whether the header of a file says that it is one of these.
pub(crate) fn is_one(file: &std::path::Path) -> bool {
    Header::of_file(file).is_ok_and(|header| Shape::read(&header).is_ok_and(|shape| shape.is_some()))
}

/// What a load would mean.
///
/// # Errors
/// Too little memory.
pub(crate) fn estimate(
    file: &ModelFile,
    shape: &Shape,
    budget_bytes: Option<u64>,
    context_length: Option<usize>,
) -> Result<Estimate, EngineError> {
    let context = context_tokens(shape.trained_context_tokens, context_length);
    let needed_bytes = needed_bytes(file, shape, context);
    if let Some(budget_bytes) = budget_bytes.filter(|budget| *budget < needed_bytes) {
        return Err(EngineError::TooLarge { needed_bytes, budget_bytes });
    }
    Ok(Estimate {
        resident_layers: shape.layers,
        layers: shape.layers,
        weights_per_token_bytes: weight_bytes(file),
        bytes_read_per_token: 0,
        seconds_per_token: 0.0,
        needed_bytes,
        whole_bytes: needed_bytes,
    })
}

/// Bytes of the layers. Rows of words are read from the file as they are needed.
fn weight_bytes(file: &ModelFile) -> u64 {
    file.header.tensors.iter().filter(|(name, _)| name.starts_with("blk.")).map(|(_, info)| info.bytes).sum()
}

/// The layers, and the states and scores of one text as long as it may be.
fn needed_bytes(file: &ModelFile, shape: &Shape, context: usize) -> u64 {
    let states = context as u64 * (8 * shape.width as u64 + 2 * shape.inner as u64 + context as u64);
    weight_bytes(file).saturating_add(states.saturating_mul(size_of::<f32>() as u64)).saturating_add(OVERHEAD_BYTES)
}

fn facts(
    file: &ModelFile,
    shape: &Shape,
    vocabulary: &Vocabulary,
    context_tokens: usize,
) -> Result<ModelFacts, EngineError> {
    let header = &file.header;
    let rows = file.tensor(WORDS).map(TensorInfo::rows).unwrap_or(0);
    if rows < vocabulary.len() {
        return Err(EngineError::Corrupt(format!("{} tokens, and {rows} rows for them", vocabulary.len())));
    }
    if shape.has_positions() {
        let rows = file.tensor(POSITIONS).map(TensorInfo::rows).unwrap_or(0);
        if rows < shape.trained_context_tokens {
            let most = shape.trained_context_tokens;
            return Err(EngineError::Corrupt(format!("{most} positions, and {rows} rows for them")));
        }
    }
    Ok(ModelFacts {
        name: header.text("general.name").unwrap_or_default().to_owned(),
        architecture: shape.name().to_owned(),
        trained_context_tokens: shape.trained_context_tokens,
        context_tokens,
        vocabulary_tokens: rows,
        layers: shape.layers,
        embedding_length: shape.width,
        file_bytes: header.file_bytes,
        quantisation: quantisation(header),
        chat_template: None,
        bos: vocabulary.bos(),
        add_bos: vocabulary.adds_bos(),
        end: vocabulary.end(),
    })
}

impl Model for Encoder {
    fn forward(&mut self, _: &[u32], _: usize) -> Result<Vec<f32>, EngineError> {
        Err(EngineError::OnlyVectors)
    }

    fn truncate(&mut self, _: usize) {}

    fn length(&self) -> usize {
        0
    }

    /// The tokens as one text, which ends with the token that texts of this model end with.
    fn embed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        let tokens = self.ended(tokens);
        self.facts.check(&tokens, 0)?;
        let mut states = self.beginnings(&tokens)?;
        let shape = &self.shape;
        // Pairs of the two halves of a head are turned, as in all but the oldest layouts.
        let turned = |turning| Angles::new(turning, Architecture::Qwen2, None, 0, tokens.len());
        let angles = shape.turning.as_ref().map(turned);
        for layer in &self.layers {
            match &self.pool {
                Some(pool) => pool.install(|| layer.pass(&mut states, shape, angles.as_ref()))?,
                None => layer.pass(&mut states, shape, angles.as_ref())?,
            }
        }
        let mut vector = shape.pooling.of(&states, shape.width);
        math::to_length_one(&mut vector);
        Ok(vector)
    }

    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn memory(&self) -> MemoryReport {
        MemoryReport {
            path: Way::Resident,
            resident_layers: self.shape.layers,
            layers: self.shape.layers,
            weight_bytes: self.weight_bytes,
            cache_bytes: 0,
            bytes_read_per_pass: 0,
            bytes_read: 0,
        }
    }
}

impl Encoder {
    /// Puts the last token there; in a text that is cut at the context it takes the place of the last word.
    fn ended(&self, tokens: &[u32]) -> Vec<u32> {
        let mut tokens = tokens.to_vec();
        if tokens.last().is_some_and(|last| *last != self.separator) {
            tokens.truncate(self.facts.context_tokens.saturating_sub(1).max(1));
            tokens.push(self.separator);
        }
        tokens
    }

    /// What tokens begin with: what their words mean, and where they stand.
    fn beginnings(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        let (width, known) = (self.shape.width, self.facts.vocabulary_tokens);
        let mut states = Vec::with_capacity(tokens.len() * width);
        let tensors = Tensors::new(&self.file, String::new(), Through::Cache, &mut self.room);
        for (place, token) in tokens.iter().enumerate() {
            let mut state = tensors.row(WORDS, *token as usize, known, width)?;
            if let Some(kind) = &self.kind {
                math::add(&mut state, kind);
            }
            if self.shape.has_positions() {
                let rows = tensors.info(POSITIONS).map_or(0, TensorInfo::rows);
                math::add(&mut state, &tensors.row(POSITIONS, place, rows, width)?);
            }
            states.extend(state);
        }
        self.norm.rows(&mut states, self.shape.epsilon);
        Ok(states)
    }
}

#[cfg(test)]
mod tests;
