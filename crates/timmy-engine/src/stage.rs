//! What a pass goes through: the layers, and at the end the head that turns a state into logits.

use crate::error::EngineError;
use crate::file::{ModelFile, Tensors, Through};
use crate::gguf::TensorInfo;
use crate::layer::Layer;
use crate::matrix::Matrix;
use crate::room::{Room, Shelf};
use crate::shape::Shape;

/// A stage of a pass.
pub(crate) enum Stage {
    /// A layer.
    Layer(Box<Layer>),
    /// The table of what speaks for each token.
    Head(Matrix),
}

impl Stage {
    /// Reads a stage: a layer, or behind the last layer the head. A layer is read at once where that is possible, with a
    /// shelf into memory that was used before.
    ///
    /// # Errors
    /// Tensors that are missing, have other sides than the shape needs, or cannot be read.
    pub(crate) fn read(
        file: &ModelFile,
        shape: &Shape,
        number: usize,
        through: Through,
        room: &mut Room,
        shelf: Option<&Shelf>,
    ) -> Result<Self, EngineError> {
        if number < shape.layers {
            let tensors = Tensors::new(file, format!("blk.{number}."), through, room).at_once(shelf)?;
            return Ok(Self::Layer(Box::new(Layer::build(&tensors, shape)?)));
        }
        let (name, info) = head(file)?;
        let rows = info.rows();
        let tensors = Tensors::new(file, String::new(), through, room).those_at_once(name, shelf)?;
        Ok(Self::Head(tensors.matrix(name, rows, shape.width)?))
    }
}

/// The tensor of the head. Many models use the embedding table for it.
pub(crate) fn head(file: &ModelFile) -> Result<(&'static str, &TensorInfo), EngineError> {
    ["output.weight", "token_embd.weight"]
        .into_iter()
        .find_map(|name| file.tensor(name).map(|info| (name, info)))
        .ok_or_else(|| EngineError::Corrupt("the tensor token_embd.weight is missing".to_owned()))
}

/// Bytes of each stage in the file, for [`plan`](crate::plan::plan).
pub(crate) fn stage_bytes(file: &ModelFile, shape: &Shape) -> Result<Vec<u64>, EngineError> {
    let mut stages = vec![0_u64; shape.layers];
    for (name, info) in &file.header.tensors {
        let layer = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
        if let Some(stage) = layer.and_then(|(number, _)| stages.get_mut(number.parse::<usize>().ok()?)) {
            *stage += info.bytes;
        }
    }
    stages.push(head(file)?.1.bytes);
    Ok(stages)
}
