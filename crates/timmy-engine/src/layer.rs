//! One layer: look back, then think. One shape for all architectures; what a file lacks is left out.

use crate::attention::{Memory, look};
use crate::error::EngineError;
use crate::experts::FeedForward;
use crate::file::Tensors;
use crate::math;
use crate::matrix::Matrix;
use crate::shape::{Architecture, Shape};
use crate::turn::Angles;

/// Matrices that read one input, and whose outputs stand side by side.
pub(crate) struct Stack {
    parts: Vec<(Matrix, Option<Vec<f32>>)>,
    pub(crate) rows: usize,
}

impl Stack {
    pub(crate) fn new(parts: Vec<(Matrix, Option<Vec<f32>>)>) -> Self {
        let rows = parts.iter().map(|(matrix, _)| matrix.rows).sum();
        Self { parts, rows }
    }

    /// The outputs of all parts for each of `count` inputs: `rows` numbers for each.
    pub(crate) fn times(&self, inputs: &[f32], count: usize) -> Result<Vec<f32>, EngineError> {
        let mut outputs = vec![0.0; count * self.rows];
        let mut start = 0;
        for (matrix, bias) in &self.parts {
            if count == 1 || self.parts.len() == 1 {
                let whole = &mut outputs[start * count..(start + matrix.rows) * count];
                matrix.times(inputs, whole)?;
                add_to_rows(whole, bias.as_deref());
            } else {
                let mut part = vec![0.0; count * matrix.rows];
                matrix.times(inputs, &mut part)?;
                add_to_rows(&mut part, bias.as_deref());
                let rows = part.chunks_exact(matrix.rows);
                for (row, output) in rows.zip(outputs.chunks_exact_mut(self.rows)) {
                    output[start..start + matrix.rows].copy_from_slice(row);
                }
            }
            start += matrix.rows;
        }
        Ok(outputs)
    }
}

fn add_to_rows(rows: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        rows.chunks_exact_mut(bias.len()).for_each(|row| math::add(row, bias));
    }
}

/// One layer of a model.
pub(crate) struct Layer {
    attention_norm: Vec<f32>,
    asking: Stack,
    question_norm: Option<Vec<f32>>,
    key_norm: Option<Vec<f32>>,
    answer: Stack,
    after_attention: Option<Vec<f32>>,
    feed_norm: Vec<f32>,
    feed: FeedForward,
    after_feed: Option<Vec<f32>>,
}

impl Layer {
    /// Builds a layer from its tensors.
    ///
    /// # Errors
    /// A tensor that is missing or has other sides than the shape of the model needs.
    pub(crate) fn build(tensors: &Tensors<'_>, shape: &Shape) -> Result<Self, EngineError> {
        let width = shape.width;
        let mixed = shape.heads * shape.value_width;
        let qk_norm = |name| tensors.list(name, shape.key_width);
        let gemma = shape.architecture == Architecture::Gemma3;
        Ok(Self {
            attention_norm: tensors.needed_list("attn_norm.weight", width)?,
            asking: asking(tensors, shape)?,
            question_norm: qk_norm("attn_q_norm.weight")?,
            key_norm: qk_norm("attn_k_norm.weight")?,
            answer: Stack::new(vec![(
                tensors.matrix("attn_output.weight", width, mixed)?,
                tensors.list("attn_output.bias", width)?,
            )]),
            after_attention: if gemma { tensors.list("post_attention_norm.weight", width)? } else { None },
            feed_norm: tensors.needed_list("ffn_norm.weight", width)?,
            feed: FeedForward::build(tensors, shape)?,
            after_feed: if gemma { tensors.list("post_ffw_norm.weight", width)? } else { None },
        })
    }

    /// Carries the hidden states of consecutive tokens through the layer.
    pub(crate) fn pass(
        &self,
        states: &mut [f32],
        shape: &Shape,
        angles: &Angles,
        window: Option<usize>,
        memory: &mut Memory,
    ) -> Result<(), EngineError> {
        let count = states.len() / shape.width;
        let mut normed = states.to_vec();
        norm_rows(&mut normed, &self.attention_norm, shape.epsilon);
        let asked = self.asking.times(&normed, count)?;
        let mut looked = self.look(&asked, count, shape, angles, window, memory)?;
        if let Some(weights) = &self.after_attention {
            norm_rows(&mut looked, weights, shape.epsilon);
        }
        math::add(states, &looked);
        normed.copy_from_slice(states);
        norm_rows(&mut normed, &self.feed_norm, shape.epsilon);
        let mut thought = self.feed.pass(&normed, count, shape)?;
        if let Some(weights) = &self.after_feed {
            norm_rows(&mut thought, weights, shape.epsilon);
        }
        math::add(states, &thought);
        Ok(())
    }

    fn look(
        &self,
        asked: &[f32],
        count: usize,
        shape: &Shape,
        angles: &Angles,
        window: Option<usize>,
        memory: &mut Memory,
    ) -> Result<Vec<f32>, EngineError> {
        let q = shape.heads * shape.key_width;
        let k = shape.key_heads * shape.key_width;
        let mut questions = Vec::with_capacity(count * q);
        for (index, row) in asked.chunks_exact(self.asking.rows).enumerate() {
            questions.extend_from_slice(&row[..q]);
            let start = questions.len() - q;
            ready(&mut questions[start..], index, shape, angles, self.question_norm.as_deref());
            let mut keys = row[q..q + k].to_vec();
            ready(&mut keys, index, shape, angles, self.key_norm.as_deref());
            memory.push(&keys, &row[q + k..]);
        }
        self.answer.times(&look(memory, &questions, count, shape, window), count)
    }
}

/// Norms each head, where the layout does, and turns it to its position.
fn ready(heads: &mut [f32], index: usize, shape: &Shape, angles: &Angles, weights: Option<&[f32]>) {
    for head in heads.chunks_exact_mut(shape.key_width) {
        if let Some(weights) = weights {
            math::norm(head, weights, shape.epsilon);
        }
        angles.turn(head, index);
    }
}

fn norm_rows(rows: &mut [f32], weights: &[f32], epsilon: f32) {
    rows.chunks_exact_mut(weights.len()).for_each(|row| math::norm(row, weights, epsilon));
}

/// Questions, keys and values: three matrices, or one that some layouts store them in.
fn asking(tensors: &Tensors<'_>, shape: &Shape) -> Result<Stack, EngineError> {
    let q = shape.heads * shape.key_width;
    let k = shape.key_heads * shape.key_width;
    let v = shape.key_heads * shape.value_width;
    if tensors.info("attn_qkv.weight").is_some() {
        let matrix = tensors.matrix("attn_qkv.weight", q + k + v, shape.width)?;
        return Ok(Stack::new(vec![(matrix, tensors.list("attn_qkv.bias", q + k + v)?)]));
    }
    let part = |name: &str, rows| -> Result<_, EngineError> {
        let matrix = tensors.matrix(&format!("attn_{name}.weight"), rows, shape.width)?;
        Ok((matrix, tensors.list(&format!("attn_{name}.bias"), rows)?))
    };
    Ok(Stack::new(vec![part("q", q)?, part("k", k)?, part("v", v)?]))
}
