//! One layer: look at all tokens, then think. What is added is brought to one measure after each of the two.

use rayon::prelude::*;

use super::shape::Shape;
use crate::error::EngineError;
use crate::file::Tensors;
use crate::layer::Stack;
use crate::math;
use crate::turn::Angles;

/// Numbers brought to mean zero and one measure, then scaled and moved.
pub(super) struct Norm {
    weights: Vec<f32>,
    bias: Vec<f32>,
}

/// A layer.
pub(super) struct Layer {
    asking: Stack,
    answer: Stack,
    after_look: Norm,
    open: Stack,
    close: Stack,
    after_thought: Norm,
}

impl Norm {
    pub(super) fn read(tensors: &Tensors<'_>, name: &str, width: usize) -> Result<Self, EngineError> {
        let weights = tensors.needed_list(&format!("{name}.weight"), width)?;
        Ok(Self { weights, bias: tensors.needed_list(&format!("{name}.bias"), width)? })
    }

    pub(super) fn rows(&self, rows: &mut [f32], epsilon: f32) {
        rows.chunks_exact_mut(self.weights.len()).for_each(|row| math::centre(row, &self.weights, &self.bias, epsilon));
    }
}

impl Layer {
    /// Reads a layer.
    ///
    /// # Errors
    /// A tensor that is missing or has other sides than the shape of the model needs.
    pub(super) fn read(tensors: &Tensors<'_>, shape: &Shape) -> Result<Self, EngineError> {
        let (width, inner) = (shape.width, shape.inner);
        let part = |name: &str, rows, columns| -> Result<_, EngineError> {
            let matrix = tensors.matrix(&format!("{name}.weight"), rows, columns)?;
            Ok((matrix, tensors.list(&format!("{name}.bias"), rows)?))
        };
        let asking = if tensors.info("attn_qkv.weight").is_some() {
            vec![part("attn_qkv", 3 * width, width)?]
        } else {
            vec![part("attn_q", width, width)?, part("attn_k", width, width)?, part("attn_v", width, width)?]
        };
        let open = if shape.has_gate() {
            vec![part("ffn_gate", inner, width)?, part("ffn_up", inner, width)?]
        } else {
            vec![part("ffn_up", inner, width)?]
        };
        Ok(Self {
            asking: Stack::new(asking),
            answer: Stack::new(vec![part("attn_output", width, width)?]),
            after_look: Norm::read(tensors, "attn_output_norm", width)?,
            open: Stack::new(open),
            close: Stack::new(vec![part("ffn_down", width, inner)?]),
            after_thought: Norm::read(tensors, "layer_output_norm", width)?,
        })
    }

    /// Carries the states of all tokens of a text through the layer.
    pub(super) fn pass(
        &self,
        states: &mut Vec<f32>,
        shape: &Shape,
        angles: Option<&Angles>,
    ) -> Result<(), EngineError> {
        let count = states.len() / shape.width;
        let asked = self.asking.times(states, count)?;
        let mut looked = self.answer.times(&look(&asked, count, shape, angles), count)?;
        math::add(&mut looked, states);
        self.after_look.rows(&mut looked, shape.epsilon);
        let mut thought = self.close.times(&self.opened(&looked, count, shape)?, count)?;
        math::add(&mut thought, &looked);
        self.after_thought.rows(&mut thought, shape.epsilon);
        *states = thought;
        Ok(())
    }

    fn opened(&self, states: &[f32], count: usize, shape: &Shape) -> Result<Vec<f32>, EngineError> {
        let mut opened = self.open.times(states, count)?;
        if shape.has_gate() {
            let both = opened.chunks_exact_mut(2 * shape.inner).flat_map(|row| {
                let (gate, up) = row.split_at_mut(shape.inner);
                math::gate_silu(gate, up);
                gate.to_vec()
            });
            return Ok(both.collect());
        }
        let ones = vec![1.0; opened.len()];
        math::gate_gelu(&mut opened, &ones);
        Ok(opened)
    }
}

/// What each token takes from all tokens: for each head the mix of values by how well keys answer questions.
fn look(asked: &[f32], count: usize, shape: &Shape, angles: Option<&Angles>) -> Vec<f32> {
    let one = |head| look_with(asked, count, shape, angles, head);
    let heads: Vec<Vec<f32>> = match rayon::current_thread_index() {
        Some(_) => (0..shape.heads).into_par_iter().map(one).collect(),
        None => (0..shape.heads).map(one).collect(),
    };
    let across = shape.width / shape.heads;
    let mut mixed = Vec::with_capacity(count * shape.width);
    for token in 0..count {
        for head in &heads {
            mixed.extend_from_slice(&head[token * across..(token + 1) * across]);
        }
    }
    mixed
}

/// The part of [`look`] that concerns one head.
fn look_with(asked: &[f32], count: usize, shape: &Shape, angles: Option<&Angles>, head: usize) -> Vec<f32> {
    let across = shape.width / shape.heads;
    // Questions, keys and values stand one behind the other.
    let part = |number: usize| -> Vec<f32> {
        let start = number * shape.width + head * across;
        asked.chunks_exact(3 * shape.width).flat_map(|row| &row[start..start + across]).copied().collect()
    };
    let (mut questions, mut keys, values) = (part(0), part(1), part(2));
    if let Some(angles) = angles {
        for list in [&mut questions, &mut keys] {
            list.chunks_exact_mut(across).enumerate().for_each(|(place, head)| angles.turn(head, place));
        }
    }
    let scale = 1.0 / (across as f32).sqrt();
    let mut mixed = vec![0.0; count * across];
    for (question, out) in questions.chunks_exact(across).zip(mixed.chunks_exact_mut(across)) {
        let mut shares: Vec<f32> = keys.chunks_exact(across).map(|key| math::dot(question, key) * scale).collect();
        math::shares(&mut shares);
        for (share, value) in shares.iter().zip(values.chunks_exact(across)) {
            math::add_scaled(out, *share, value);
        }
    }
    mixed
}
