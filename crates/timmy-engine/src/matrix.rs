//! Weights as they lie in the file, and multiplying with them.
//!
//! Nothing is unpacked to 32-bit numbers to stay so: rows are read from the blocks they are stored in. The products
//! are candle's, taken below its tensors: [`QuantizedType`] works on plain slices, needs no second copy in another
//! order, and picks the instructions of the processor at run time.

use std::borrow::Cow;

use candle_core::CpuStorage;
use candle_core::quantized::{GgmlDType, QuantizedType};

#[cfg(target_arch = "x86_64")]
use crate::eight::Kernel;
use crate::error::EngineError;
use crate::room::Piece;

/// A matrix of weights: `rows` answers for `columns` numbers.
pub(crate) struct Matrix {
    blocks: Blocks,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

enum Blocks {
    /// As candle holds them.
    Candle(Box<dyn QuantizedType>),
    /// Bytes of Q8_0 as they were read, and the kernel for them.
    #[cfg(target_arch = "x86_64")]
    Eight(Piece, Kernel),
}

impl Matrix {
    /// Takes the blocks of a matrix.
    ///
    /// # Errors
    /// When the bytes are not as many as the sides need.
    pub(crate) fn new(kind: GgmlDType, bytes: &[u8], rows: usize, columns: usize) -> Result<Self, EngineError> {
        check(kind, bytes.len(), rows, columns)?;
        // candle looks at the bytes as blocks before it copies them, so they must lie where such a block may.
        if bytes.as_ptr().align_offset(if kind == GgmlDType::F32 { 4 } else { 2 }) != 0 {
            return Err(EngineError::Compute("weights lie at an odd address".to_owned()));
        }
        Ok(Self { blocks: Blocks::Candle(kind.from_data(Cow::Borrowed(bytes))), rows, columns })
    }

    /// Whether matrices of this kind are used where they were read to.
    pub(crate) fn keeps(kind: GgmlDType) -> bool {
        #[cfg(target_arch = "x86_64")]
        return kind == GgmlDType::Q8_0 && Kernel::find().is_some();
        #[cfg(not(target_arch = "x86_64"))]
        return false;
    }

    /// Takes the blocks of a matrix together with the memory they were read into, when this engine has a kernel that
    /// works on them there; gives the memory back otherwise.
    ///
    /// # Errors
    /// As for [`Matrix::new`].
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn keep(
        kind: GgmlDType,
        piece: impl FnOnce() -> Result<Piece, EngineError>,
        rows: usize,
        columns: usize,
    ) -> Result<Option<Self>, EngineError> {
        let Some(kernel) = Kernel::find().filter(|_| Self::keeps(kind)) else { return Ok(None) };
        let piece = piece()?;
        check(kind, piece.bytes().len(), rows, columns)?;
        Ok(Some(Self { blocks: Blocks::Eight(piece, kernel), rows, columns }))
    }

    /// Without a kernel of its own for this processor, the engine keeps nothing so.
    ///
    /// # Errors
    /// None.
    #[cfg(not(target_arch = "x86_64"))]
    pub(crate) fn keep(
        _kind: GgmlDType,
        _piece: impl FnOnce() -> Result<Piece, EngineError>,
        _rows: usize,
        _columns: usize,
    ) -> Result<Option<Self>, EngineError> {
        Ok(None)
    }

    /// Multiplies each of the `inputs` (rows of `columns` numbers) into `outputs` (rows of `rows` numbers).
    pub(crate) fn times(&self, inputs: &[f32], outputs: &mut [f32]) -> Result<(), EngineError> {
        let count = inputs.len() / self.columns;
        if inputs.len() != count * self.columns || outputs.len() != count * self.rows {
            return Err(EngineError::Compute(format!(
                "{} and {} numbers for {} times {}",
                inputs.len(),
                outputs.len(),
                self.rows,
                self.columns
            )));
        }
        match &self.blocks {
            Blocks::Candle(blocks) => Ok(blocks.matmul_t((count, self.columns, self.rows), inputs, outputs)?),
            #[cfg(target_arch = "x86_64")]
            Blocks::Eight(piece, kernel) => {
                kernel.times(piece.bytes(), self.columns, inputs, outputs);
                Ok(())
            }
        }
    }
}

fn check(kind: GgmlDType, bytes: usize, rows: usize, columns: usize) -> Result<(), EngineError> {
    let wanted = columns
        .checked_div(kind.block_size())
        .and_then(|blocks| blocks.checked_mul(kind.type_size()))
        .and_then(|row| row.checked_mul(rows));
    if wanted != Some(bytes) || !columns.is_multiple_of(kind.block_size()) {
        return Err(EngineError::Corrupt(format!("{bytes} bytes for {rows} rows of {columns}")));
    }
    Ok(())
}

/// Unpacks one row of numbers, such as those of a norm.
///
/// # Errors
/// When the bytes are not as many as `count` needs.
pub(crate) fn numbers(kind: GgmlDType, bytes: &[u8], count: usize) -> Result<Vec<f32>, EngineError> {
    match Matrix::new(kind, bytes, 1, count)?.blocks {
        Blocks::Candle(blocks) => match blocks.dequantize(count)? {
            CpuStorage::F32(numbers) => Ok(numbers),
            _ => Err(EngineError::Compute("a row came in another kind of number".to_owned())),
        },
        #[cfg(target_arch = "x86_64")]
        Blocks::Eight(..) => Err(EngineError::Compute("a row was kept as it lies in the file".to_owned())),
    }
}
