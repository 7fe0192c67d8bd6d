//! A loaded model at work: tokens in, logits out, keys and values remembered in between.

use std::sync::Arc;

use timmy_domain::model::running::Way;

use crate::attention::Memory;
use crate::error::EngineError;
use crate::file::{ModelFile, Tensors, Through};
use crate::layer::Layer;
use crate::math;
use crate::matrix::Matrix;
use crate::model::{MemoryReport, Model, ModelFacts};
use crate::plan::Plan;
use crate::room::Room;
use crate::shape::{Architecture, Shape};
use crate::stage::Stage;
use crate::stream::Ring;
use crate::turn::Angles;
use crate::vocabulary::Vocabulary;

/// Tokens that go through the layers together; longer prompts go in several passes.
const PASS_TOKENS_MAX: usize = 512;

/// A loaded model.
pub(crate) struct Runner {
    pub(crate) file: Arc<ModelFile>,
    pub(crate) shape: Arc<Shape>,
    pub(crate) facts: ModelFacts,
    pub(crate) vocabulary: Vocabulary,
    pub(crate) plan: Plan,
    /// The stages that stay; `None` for those that are read.
    pub(crate) stages: Vec<Option<Stage>>,
    pub(crate) output_norm: Vec<f32>,
    /// What divides the frequencies of each pair of a head, where the model says so.
    pub(crate) factors: Option<Vec<f32>>,
    pub(crate) memories: Vec<Memory>,
    pub(crate) length: usize,
    pub(crate) ring: Option<Ring>,
    pub(crate) pool: Option<rayon::ThreadPool>,
    pub(crate) room: Room,
    pub(crate) bytes_before_passes: u64,
}

/// What is wanted of a pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Logits,
    States,
}

impl Model for Runner {
    fn forward(&mut self, tokens: &[u32], position: usize) -> Result<Vec<f32>, EngineError> {
        self.check(tokens, position)?;
        self.truncate(position);
        let passes = tokens.len().div_ceil(PASS_TOKENS_MAX);
        let mut logits = Vec::new();
        for (number, part) in tokens.chunks(PASS_TOKENS_MAX).enumerate() {
            let wanted = if number + 1 == passes { Wanted::Logits } else { Wanted::Nothing };
            logits = self.pass(part, wanted)?;
        }
        Ok(logits)
    }

    fn truncate(&mut self, length: usize) {
        if length < self.length {
            self.length = length;
            for memory in &mut self.memories {
                memory.truncate(length, &self.shape);
            }
        }
    }

    fn length(&self) -> usize {
        self.length
    }

    fn embed(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        self.check(tokens, 0)?;
        self.truncate(0);
        let width = self.shape.width;
        let mut sum = vec![0.0; width];
        for part in tokens.chunks(PASS_TOKENS_MAX) {
            for state in self.pass(part, Wanted::States)?.chunks_exact(width) {
                math::add(&mut sum, state);
            }
        }
        math::to_length_one(&mut sum);
        Ok(sum)
    }

    fn facts(&self) -> &ModelFacts {
        &self.facts
    }

    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn memory(&self) -> MemoryReport {
        let layers = self.shape.layers;
        MemoryReport {
            path: if self.plan.streams() { Way::Streamed } else { Way::Resident },
            resident_layers: self.plan.stays.iter().take(layers).filter(|stays| **stays).count(),
            layers,
            weight_bytes: self.plan.weight_bytes,
            cache_bytes: self.memories.iter().map(|memory| memory.bytes() as u64).sum(),
            bytes_read_per_pass: self.plan.read_bytes,
            bytes_read: self.file.read_bytes().saturating_sub(self.bytes_before_passes),
        }
    }
}

impl Runner {
    fn check(&self, tokens: &[u32], position: usize) -> Result<(), EngineError> {
        if position > self.length {
            return Err(EngineError::BadRequest(format!("position {position} after {} tokens", self.length)));
        }
        self.facts.check(tokens, position)
    }

    /// Carries tokens through all stages. After a failure nothing of them is remembered.
    fn pass(&mut self, tokens: &[u32], wanted: Wanted) -> Result<Vec<f32>, EngineError> {
        let before = self.length;
        // Taken out here and put back at the end, so that a failure on the way starts a new one next time.
        let ring = self.ring.take();
        let outcome = self.pass_with(ring, tokens, wanted);
        match outcome {
            Ok((numbers, ring)) => {
                self.ring = ring;
                Ok(numbers)
            }
            Err(error) => {
                self.length = before + tokens.len();
                self.truncate(before);
                Err(error)
            }
        }
    }

    fn pass_with(
        &mut self,
        ring: Option<Ring>,
        tokens: &[u32],
        wanted: Wanted,
    ) -> Result<(Vec<f32>, Option<Ring>), EngineError> {
        let ring = match ring {
            None if self.plan.streams() => Some(self.start_ring()?),
            ring => ring,
        };
        let mut states = self.embeddings(tokens)?;
        let shape = Arc::clone(&self.shape);
        let angles = |turning, factors| Angles::new(turning, shape.architecture, factors, self.length, tokens.len());
        let all = angles(&shape.turning, self.factors.as_deref());
        let near = shape.window.as_ref().map(|(turning, window)| (angles(turning, None), *window));
        let mut numbers = Vec::new();
        for number in 0..self.stages.len() {
            let read;
            let stage = match &self.stages[number] {
                Some(stage) => stage,
                None => {
                    read = ring.as_ref().map_or_else(|| Err(no_ring()), |ring| ring.next(number))?;
                    &read
                }
            };
            match stage {
                Stage::Layer(layer) => {
                    let (angles, window) = match &near {
                        Some((angles, window)) if shape.has_window(number) => (angles, Some(*window)),
                        _ => (&all, None),
                    };
                    let memory = &mut self.memories[number];
                    through(self.pool.as_ref(), layer, &mut states, &shape, angles, window, memory)?;
                }
                Stage::Head(head) => numbers = self.finish(head, &mut states, wanted)?,
            }
        }
        self.length += tokens.len();
        Ok((numbers, ring))
    }

    fn start_ring(&self) -> Result<Ring, EngineError> {
        let order = (0..self.stages.len()).filter(|number| self.stages[*number].is_none()).collect();
        Ring::start(Arc::clone(&self.file), Arc::clone(&self.shape), order)
    }

    /// The states tokens begin with: rows of the embedding table, read from the file, where the table stays.
    fn embeddings(&mut self, tokens: &[u32]) -> Result<Vec<f32>, EngineError> {
        let width = self.shape.width;
        let mut states = Vec::with_capacity(tokens.len() * width);
        let rows = self.facts.vocabulary_tokens;
        let tensors = Tensors::new(&self.file, String::new(), Through::Cache, &mut self.room);
        for token in tokens {
            states.extend(tensors.row("token_embd.weight", *token as usize, rows, width)?);
        }
        if self.shape.architecture == Architecture::Gemma3 {
            states.iter_mut().for_each(|number| *number *= self.shape.embedding_scale);
        }
        Ok(states)
    }

    fn finish(&self, head: &Matrix, states: &mut Vec<f32>, wanted: Wanted) -> Result<Vec<f32>, EngineError> {
        let width = self.shape.width;
        let first = match wanted {
            Wanted::Nothing => return Ok(Vec::new()),
            Wanted::Logits => states.len() - width,
            Wanted::States => 0,
        };
        let mut last = states.split_off(first);
        last.chunks_exact_mut(width).for_each(|state| math::norm(state, &self.output_norm, self.shape.epsilon));
        if wanted == Wanted::States {
            return Ok(last);
        }
        let mut logits = vec![0.0; head.rows];
        head.times(&last, &mut logits)?;
        if let Some(bend) = self.shape.logit_bend {
            logits.iter_mut().for_each(|logit| *logit = (*logit / bend).tanh() * bend);
        }
        Ok(logits)
    }
}

fn no_ring() -> EngineError {
    EngineError::Compute("a layer is neither in memory nor read".to_owned())
}

/// Carries states through a layer, with the threads that were asked for.
fn through(
    pool: Option<&rayon::ThreadPool>,
    layer: &Layer,
    states: &mut [f32],
    shape: &Shape,
    angles: &Angles,
    window: Option<usize>,
    memory: &mut Memory,
) -> Result<(), EngineError> {
    match pool {
        Some(pool) => pool.install(|| layer.pass(states, shape, angles, window, memory)),
        None => layer.pass(states, shape, angles, window, memory),
    }
}

#[cfg(test)]
mod tests;
