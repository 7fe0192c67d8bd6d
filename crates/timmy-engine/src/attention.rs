//! Looking back: the memory of keys and values of one layer, and the weighing of what is in it.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use crate::math;
use crate::shape::Shape;

/// Numbers of keys below which handing a token to other threads costs more than it brings.
const PARALLEL_NUMBERS_MIN: usize = 1 << 18;
/// Tokens by which the memory grows at a time.
const GROWTH_TOKENS: usize = 256;

/// What one layer remembers: a key and a value for each token and head, in 16 bits.
#[derive(Default)]
pub(crate) struct Memory {
    keys: Vec<f16>,
    values: Vec<f16>,
}

impl Memory {
    /// Remembers the keys and values of the next tokens.
    pub(crate) fn push(&mut self, keys: &[f32], values: &[f32]) {
        append(&mut self.keys, keys);
        append(&mut self.values, values);
    }

    /// Forgets all tokens past the first `length`.
    pub(crate) fn truncate(&mut self, length: usize, shape: &Shape) {
        self.keys.truncate(length * shape.key_heads * shape.key_width);
        self.values.truncate(length * shape.key_heads * shape.value_width);
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        (self.keys.capacity() + self.values.capacity()) * size_of::<f16>()
    }
}

fn append(list: &mut Vec<f16>, numbers: &[f32]) {
    if list.capacity() < list.len() + numbers.len() {
        list.reserve_exact(numbers.len().max(numbers.len().min(1_024) * GROWTH_TOKENS));
    }
    let start = list.len();
    list.resize(start + numbers.len(), f16::ZERO);
    list[start..].convert_from_f32_slice(numbers);
}

/// For each token of `questions` (heads × key width numbers each), the mix of the values it looks at. The last
/// question belongs to the last token of the memory. With a window, each token sees that many tokens, itself included.
pub(crate) fn look(memory: &Memory, questions: &[f32], count: usize, shape: &Shape, window: Option<usize>) -> Vec<f32> {
    let heads: Vec<Vec<f32>> =
        if rayon::current_thread_index().is_none() || (count == 1 && memory.keys.len() < PARALLEL_NUMBERS_MIN) {
            (0..shape.key_heads).map(|head| look_with(memory, questions, count, shape, window, head)).collect()
        } else {
            (0..shape.key_heads)
                .into_par_iter()
                .map(|head| look_with(memory, questions, count, shape, window, head))
                .collect()
        };
    let width = shape.heads / shape.key_heads * shape.value_width;
    let mut mixed = Vec::with_capacity(count * shape.heads * shape.value_width);
    for token in 0..count {
        for head in &heads {
            mixed.extend_from_slice(&head[token * width..(token + 1) * width]);
        }
    }
    mixed
}

/// The part of [`look`] that concerns the heads sharing one key head.
fn look_with(
    memory: &Memory,
    questions: &[f32],
    count: usize,
    shape: &Shape,
    window: Option<usize>,
    key_head: usize,
) -> Vec<f32> {
    let group = shape.heads / shape.key_heads;
    let length = memory.keys.len() / (shape.key_heads * shape.key_width);
    let before = length - count;
    let first = window.map_or(0, |window| (before + 1).saturating_sub(window));
    let keys = unpack(&memory.keys, key_head, shape.key_heads, shape.key_width, first);
    let values = unpack(&memory.values, key_head, shape.key_heads, shape.value_width, first);
    let mut mixed = vec![0.0; count * group * shape.value_width];
    let mut scores = Vec::with_capacity(length - first);
    for token in 0..count {
        let end = before + token + 1 - first;
        let start = window.map_or(0, |window| end.saturating_sub(window));
        for member in 0..group {
            let question = (token * shape.heads + key_head * group + member) * shape.key_width;
            let question = &questions[question..question + shape.key_width];
            scores.clear();
            let seen = keys[start * shape.key_width..end * shape.key_width].chunks_exact(shape.key_width);
            scores.extend(seen.map(|key| math::dot(question, key) * shape.attention_scale));
            math::shares(&mut scores);
            let out = (token * group + member) * shape.value_width;
            let out = &mut mixed[out..out + shape.value_width];
            let seen = values[start * shape.value_width..end * shape.value_width].chunks_exact(shape.value_width);
            for (share, value) in scores.iter().zip(seen) {
                math::add_scaled(out, *share, value);
            }
        }
    }
    mixed
}

/// One head of all remembered tokens from `first`, in 32 bits.
fn unpack(list: &[f16], head: usize, heads: usize, width: usize, first: usize) -> Vec<f32> {
    let tokens = list.len() / (heads * width) - first;
    let mut out = vec![0.0; tokens * width];
    let rows = list[first * heads * width..].chunks_exact(heads * width);
    for (row, out) in rows.zip(out.chunks_exact_mut(width)) {
        row[head * width..(head + 1) * width].convert_to_f32_slice(out);
    }
    out
}
