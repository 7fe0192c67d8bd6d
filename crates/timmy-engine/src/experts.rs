//! The part of a layer that thinks about each token by itself: one pair of matrices, or experts of which a few are
//! asked.

use std::collections::BTreeMap;

use crate::error::EngineError;
use crate::file::Tensors;
use crate::gguf::TensorInfo;
use crate::layer::Stack;
use crate::math;
use crate::matrix::Matrix;
use crate::shape::{Architecture, Experts, Shape};

/// Widest inner state, in numbers.
const INNER_MAX: usize = 1 << 20;

/// The thinking part of a layer.
pub(crate) enum FeedForward {
    /// One for all tokens.
    One(Expert),
    /// Several, and what chooses among them.
    Many { choice: Matrix, experts: Vec<Expert>, used: usize },
}

/// Opens a state wide, bends it, and closes it again.
pub(crate) struct Expert {
    open: Stack,
    close: Matrix,
    gelu: bool,
}

impl FeedForward {
    pub(crate) fn build(tensors: &Tensors<'_>, shape: &Shape) -> Result<Self, EngineError> {
        match shape.experts {
            Some(experts) => many(tensors, shape, experts),
            None => one(tensors, shape).map(Self::One),
        }
    }

    /// What is to be added to each of `count` states.
    pub(crate) fn pass(&self, states: &[f32], count: usize, shape: &Shape) -> Result<Vec<f32>, EngineError> {
        match self {
            Self::One(expert) => expert.pass(states, count),
            Self::Many { choice, experts, used } => {
                let mut chances = vec![0.0; count * experts.len()];
                choice.times(states, &mut chances)?;
                let mut asked: BTreeMap<usize, Vec<(usize, f32)>> = BTreeMap::new();
                for (token, chances) in chances.chunks_exact_mut(experts.len()).enumerate() {
                    for (expert, share) in choose(chances, *used) {
                        asked.entry(expert).or_default().push((token, share));
                    }
                }
                let mut sum = vec![0.0; states.len()];
                for (expert, tokens) in asked {
                    let width = shape.width;
                    let mine: Vec<f32> = tokens
                        .iter()
                        .flat_map(|(token, _)| &states[token * width..(token + 1) * width])
                        .copied()
                        .collect();
                    let said = experts[expert].pass(&mine, tokens.len())?;
                    for ((token, share), said) in tokens.iter().zip(said.chunks_exact(width)) {
                        math::add_scaled(&mut sum[token * width..(token + 1) * width], *share, said);
                    }
                }
                Ok(sum)
            }
        }
    }
}

/// The likeliest experts and their shares, which sum to one.
fn choose(chances: &mut [f32], used: usize) -> Vec<(usize, f32)> {
    math::shares(chances);
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*b].total_cmp(&chances[*a]).then(a.cmp(b)));
    order.truncate(used);
    let sum: f32 = order.iter().map(|expert| chances[*expert]).sum();
    order.into_iter().map(|expert| (expert, chances[expert] / sum)).collect()
}

impl Expert {
    fn pass(&self, states: &[f32], count: usize) -> Result<Vec<f32>, EngineError> {
        let inner = self.open.rows / 2;
        let mut opened = self.open.times(states, count)?;
        for row in opened.chunks_exact_mut(2 * inner) {
            let (gate, up) = row.split_at_mut(inner);
            if self.gelu { math::gate_gelu(gate, up) } else { math::gate_silu(gate, up) }
        }
        if count > 1 {
            for row in 1..count {
                opened.copy_within(row * 2 * inner..row * 2 * inner + inner, row * inner);
            }
        }
        let mut closed = vec![0.0; count * self.close.rows];
        self.close.times(&opened[..count * inner], &mut closed)?;
        Ok(closed)
    }
}

fn one(tensors: &Tensors<'_>, shape: &Shape) -> Result<Expert, EngineError> {
    let inner = tensors.info("ffn_down.weight").map(TensorInfo::columns).filter(|inner| *inner <= INNER_MAX);
    let inner = inner.ok_or_else(|| EngineError::Corrupt("the tensor ffn_down.weight is missing".to_owned()))?;
    let gelu = shape.architecture == Architecture::Gemma3;
    let open = if tensors.info("ffn_gate.weight").is_some() {
        vec![
            (tensors.matrix("ffn_gate.weight", inner, shape.width)?, None),
            (tensors.matrix("ffn_up.weight", inner, shape.width)?, None),
        ]
    } else {
        vec![(tensors.matrix("ffn_up.weight", 2 * inner, shape.width)?, None)]
    };
    Ok(Expert { open: Stack::new(open), close: tensors.matrix("ffn_down.weight", shape.width, inner)?, gelu })
}

fn many(tensors: &Tensors<'_>, shape: &Shape, experts: Experts) -> Result<FeedForward, EngineError> {
    let inner = tensors.info("ffn_down_exps.weight").map(TensorInfo::columns).filter(|inner| *inner <= INNER_MAX);
    let inner = inner.ok_or_else(|| EngineError::Corrupt("the tensor ffn_down_exps.weight is missing".to_owned()))?;
    let mut gates = tensors.matrices("ffn_gate_exps.weight", experts.count, inner, shape.width)?;
    let mut ups = tensors.matrices("ffn_up_exps.weight", experts.count, inner, shape.width)?;
    let mut downs = tensors.matrices("ffn_down_exps.weight", experts.count, shape.width, inner)?;
    let mut all = Vec::with_capacity(experts.count);
    while let (Some(gate), Some(up), Some(close)) = (gates.pop(), ups.pop(), downs.pop()) {
        all.push(Expert { open: Stack::new(vec![(gate, None), (up, None)]), close, gelu: false });
    }
    all.reverse();
    Ok(FeedForward::Many {
        choice: tensors.matrix("ffn_gate_inp.weight", experts.count, shape.width)?,
        experts: all,
        used: experts.used,
    })
}
