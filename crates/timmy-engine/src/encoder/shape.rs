//! What a header says about the shape of a model that makes vectors.

use crate::error::EngineError;
use crate::gguf::Header;
use crate::shape::{CONTEXT_TOKENS_MAX, HEADS_MAX, Keys, LAYERS_MAX, Turning, WIDTH_MAX, turning};

/// Widest inner state, in numbers.
const INNER_MAX: usize = 1 << 20;
/// Numbers for the epsilon where a file names none.
const EPSILON: f32 = 1e-12;

/// The layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// BERT: positions have rows of their own.
    Bert,
    /// Nomic's: positions turn the heads, and the thinking part has a gate.
    Nomic,
}

/// How the states of all tokens become one vector, by the numbers of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    First,
    Last,
}

/// The shape of a model.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    kind: Kind,
    pub(super) layers: usize,
    pub(super) width: usize,
    pub(super) heads: usize,
    pub(super) inner: usize,
    pub(super) epsilon: f32,
    /// How positions turn the heads, where they do.
    pub(super) turning: Option<Turning>,
    pub(super) pooling: Pooling,
    pub(super) trained_context_tokens: usize,
}

impl Shape {
    /// Reads and checks the shape; `None` where the file says that it is no such model.
    ///
    /// # Errors
    /// A number that is missing or out of bounds, and a way to a vector that is none.
    pub(crate) fn read(header: &Header) -> Result<Option<Self>, EngineError> {
        let name = header.text("general.architecture").unwrap_or_default();
        let kind = match name {
            "bert" => Kind::Bert,
            "nomic-bert" => Kind::Nomic,
            _ => return Ok(None),
        };
        let keys = Keys::new(header, name);
        let width = keys.within("embedding_length", 1, WIDTH_MAX)?;
        let heads = keys.within("attention.head_count", 1, HEADS_MAX)?;
        if !width.is_multiple_of(heads) {
            return Err(EngineError::Corrupt(format!("{width} numbers cannot be shared by {heads} heads")));
        }
        let epsilon = keys.number("attention.layer_norm_epsilon").unwrap_or(EPSILON);
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(EngineError::Corrupt("its epsilon is no small number".to_owned()));
        }
        Ok(Some(Self {
            kind,
            layers: keys.within("block_count", 1, LAYERS_MAX)?,
            width,
            heads,
            inner: keys.within("feed_forward_length", 1, INNER_MAX)?,
            epsilon,
            turning: if kind == Kind::Nomic { Some(turning(&keys, width / heads)?) } else { None },
            pooling: pooling(&keys)?,
            trained_context_tokens: keys.within("context_length", 2, CONTEXT_TOKENS_MAX)?,
        }))
    }

    /// The name of the layout in a file.
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Bert => "bert",
            Kind::Nomic => "nomic-bert",
        }
    }

    /// Whether each position has a row of numbers.
    pub(super) fn has_positions(&self) -> bool {
        self.kind == Kind::Bert
    }

    /// Whether the thinking part has a gate.
    pub(super) fn has_gate(&self) -> bool {
        self.kind == Kind::Nomic
    }
}

fn pooling(keys: &Keys<'_>) -> Result<Pooling, EngineError> {
    match keys.count("pooling_type") {
        // Without one each token has its own vector, and the mean is what others make of them.
        None | Some(0 | 1) => Ok(Pooling::Mean),
        Some(2) => Ok(Pooling::First),
        Some(3) => Ok(Pooling::Last),
        Some(4) => Err(EngineError::Unsupported("ranks instead of vectors (it is a reranker)".to_owned())),
        Some(other) => Err(EngineError::Corrupt(format!("{other} is no way from tokens to a vector"))),
    }
}

impl Pooling {
    /// The vector of these states of `width` numbers each.
    pub(super) fn of(self, states: &[f32], width: usize) -> Vec<f32> {
        match self {
            Self::First => states[..width].to_vec(),
            Self::Last => states[states.len() - width..].to_vec(),
            Self::Mean => {
                let mut sum = vec![0.0; width];
                states.chunks_exact(width).for_each(|state| crate::math::add(&mut sum, state));
                // A mean but for its length, which becomes one in any case.
                sum
            }
        }
    }
}
