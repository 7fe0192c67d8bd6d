//! Reads the header of a GGUF file within bounds: what the file says about its model, and where each tensor lies.
//!
//! The file comes from outside. No number of it is used for an allocation, an offset or a loop before it was held
//! against the length of the file and against a bound of this house.

mod read;
mod value;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use candle_core::quantized::GgmlDType;

use crate::error::EngineError;
use read::Reader;
pub use value::Value;

/// Most bytes a header may take: the largest vocabularies take a fifth of it.
pub const HEADER_BYTES_MAX: u64 = 64 << 20;
/// Most keys of metadata.
pub const KEYS_MAX: u64 = 4_096;
/// Keys among which a layout is looked for where nothing else of a header is read.
const LAYOUT_KEYS_MAX: u64 = 16;
/// Most tensors.
pub const TENSORS_MAX: u64 = 65_536;
/// Most bytes of one text; chat templates are the longest.
pub const STRING_BYTES_MAX: u64 = 1 << 20;
/// Most items of one list; vocabularies are the longest.
pub const LIST_ITEMS_MAX: u64 = 4 << 20;
/// Most rows or columns of a tensor.
pub const SIDE_MAX: u64 = 1 << 31;
/// Bytes at which tensors are aligned where the file does not say otherwise.
const ALIGNMENT_BYTES: u64 = 32;

/// Where a tensor lies in its file, and how its numbers are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// How its numbers are stored.
    pub kind: GgmlDType,
    /// Its sides, outermost first: rows, then columns.
    pub shape: Vec<usize>,
    /// Its first byte, from the beginning of the file.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

impl TensorInfo {
    /// Numbers in one row.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.shape.last().copied().unwrap_or(0)
    }

    /// Rows, over all outer sides.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.iter().rev().skip(1).product()
    }
}

/// What stands before the weights.
#[derive(Clone, Debug)]
pub struct Header {
    /// What the file says about its model.
    pub metadata: BTreeMap<String, Value>,
    /// Its tensors by name.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// Length of the whole file, in bytes.
    pub file_bytes: u64,
}

/// The layout that a file names, read without the rest of its header; nothing where it names none among its first
/// [`LAYOUT_KEYS_MAX`] keys. Writers put it first.
pub(crate) fn architecture(source: impl Read, file_bytes: u64) -> Option<String> {
    let mut reader = Reader::new(source, file_bytes.min(HEADER_BYTES_MAX), file_bytes);
    let keys = begin(&mut reader).ok()?.1;
    for _ in 0..keys.min(LAYOUT_KEYS_MAX) {
        let key = reader.text().ok()?;
        let value = Value::read(&mut reader).ok()?;
        if key == "general.architecture" {
            return value.as_text().map(str::to_owned);
        }
    }
    None
}

/// Reads how many tensors and keys there are.
fn begin<R: Read>(reader: &mut Reader<R>) -> Result<(u64, u64), EngineError> {
    if reader.bytes::<4>()? != *b"GGUF" {
        return Err(corrupt("it does not begin with GGUF"));
    }
    let version = reader.u32()?;
    if !(2..=3).contains(&version) {
        return Err(EngineError::Unsupported(format!("version {version} of the format")));
    }
    Ok((bounded(reader.u64()?, TENSORS_MAX, "tensors")?, bounded(reader.u64()?, KEYS_MAX, "keys")?))
}

impl Header {
    /// Reads a header from its first byte. `file_bytes` is the length of the whole file.
    ///
    /// # Errors
    /// A file that breaks a rule of the format or a bound, that is cut short, or that stores numbers in a way this
    /// engine cannot read.
    pub fn read(source: impl Read, file_bytes: u64) -> Result<Self, EngineError> {
        Self::read_with(source, file_bytes, place)
    }

    /// The header of a file that something else runs, as well: where it stores numbers in a way this engine cannot read,
    /// no tensor is listed.
    ///
    /// # Errors
    /// As for [`Header::read`], but for that, and what the operating system says.
    pub fn of_file(path: &Path) -> Result<Self, EngineError> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if !about.is_file() {
            return Err(corrupt("it is no file"));
        }
        let lenient = |announced, start, alignment, file_bytes| match place(announced, start, alignment, file_bytes) {
            Err(EngineError::UnsupportedQuantisation(_)) => Ok(BTreeMap::new()),
            placed => placed,
        };
        Self::read_with(BufReader::new(&file), about.len(), lenient)
    }

    fn read_with(
        source: impl Read,
        file_bytes: u64,
        place: impl FnOnce(Vec<Announced>, u64, u64, u64) -> Result<BTreeMap<String, TensorInfo>, EngineError>,
    ) -> Result<Self, EngineError> {
        let mut reader = Reader::new(source, file_bytes.min(HEADER_BYTES_MAX), file_bytes);
        let (tensors, keys) = begin(&mut reader)?;
        let mut metadata = BTreeMap::new();
        for _ in 0..keys {
            let key = reader.text()?;
            let value = Value::read(&mut reader)?;
            if metadata.insert(key.clone(), value).is_some() {
                return Err(corrupt(format!("the key {key:?} is there twice")));
            }
        }
        let announced = read_tensors(&mut reader, tensors)?;
        let alignment = match metadata.get("general.alignment") {
            None => ALIGNMENT_BYTES,
            Some(value) => value
                .as_u64()
                .filter(|at| at.is_power_of_two() && *at <= 1 << 16)
                .ok_or_else(|| corrupt("the alignment is no power of two up to 65536"))?,
        };
        let start = reader.position().next_multiple_of(alignment);
        let tensors = place(announced, start, alignment, file_bytes)?;
        Ok(Self { metadata, tensors, file_bytes })
    }

    /// A text of the metadata.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).and_then(Value::as_text)
    }

    /// A count of the metadata.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<usize> {
        self.metadata.get(key).and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok())
    }

    /// A number of the metadata.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<f32> {
        self.metadata.get(key).and_then(Value::as_f32)
    }

    /// A yes or no of the metadata.
    #[must_use]
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.metadata.get(key).and_then(Value::as_bool)
    }
}

/// A tensor as the header announces it, before it was held against the file.
struct Announced {
    name: String,
    sides: Vec<u64>,
    kind: u32,
    offset: u64,
}

fn read_tensors<R: Read>(reader: &mut Reader<R>, count: u64) -> Result<Vec<Announced>, EngineError> {
    let mut announced = Vec::new();
    for _ in 0..count {
        let name = reader.text()?;
        let sides = reader.u32()?;
        if !(1..=4).contains(&sides) {
            return Err(corrupt(format!("tensor {name:?} has {sides} sides")));
        }
        let sides = (0..sides).map(|_| reader.u64()).collect::<Result<Vec<_>, _>>()?;
        announced.push(Announced { name, sides, kind: reader.u32()?, offset: reader.u64()? });
    }
    Ok(announced)
}

fn place(
    announced: Vec<Announced>,
    start: u64,
    alignment: u64,
    file_bytes: u64,
) -> Result<BTreeMap<String, TensorInfo>, EngineError> {
    let mut tensors = BTreeMap::new();
    let mut total = 0_u64;
    for Announced { name, sides, kind, offset } in announced {
        let kind = kind_of(kind)?;
        let bytes = size_of_tensor(&sides, kind)
            .ok_or_else(|| corrupt(format!("tensor {name:?} has the impossible sides {sides:?}")))?;
        if !offset.is_multiple_of(alignment) {
            return Err(corrupt(format!("tensor {name:?} is not aligned")));
        }
        let offset = start.checked_add(offset).ok_or_else(|| corrupt(format!("tensor {name:?} lies nowhere")))?;
        let end = offset.saturating_add(bytes);
        total = total.saturating_add(bytes);
        if end > file_bytes {
            return Err(EngineError::Truncated { needed_bytes: end, file_bytes });
        }
        if total > file_bytes {
            return Err(corrupt("its tensors lie over each other"));
        }
        let shape = sides.iter().rev().map(|side| usize::try_from(*side).unwrap_or(usize::MAX)).collect();
        if tensors.insert(name.clone(), TensorInfo { kind, shape, offset, bytes }).is_some() {
            return Err(corrupt(format!("tensor {name:?} is there twice")));
        }
    }
    apart(&tensors)?;
    Ok(tensors)
}

/// Refuses tensors that share bytes: no writer makes such a file, and what one tensor says would change another.
fn apart(tensors: &BTreeMap<String, TensorInfo>) -> Result<(), EngineError> {
    let mut placed: Vec<_> = tensors.iter().map(|(name, info)| (info.offset, info.bytes, name)).collect();
    placed.sort();
    for pair in placed.windows(2) {
        if let [(offset, bytes, first), (next, _, second)] = pair
            && offset.saturating_add(*bytes) > *next
        {
            return Err(corrupt(format!("the tensors {first:?} and {second:?} lie over each other")));
        }
    }
    Ok(())
}

/// Bytes of a tensor, or `None` when its sides make no sense for how its numbers are stored.
fn size_of_tensor(sides: &[u64], kind: GgmlDType) -> Option<u64> {
    if sides.iter().any(|side| *side == 0 || *side > SIDE_MAX) {
        return None;
    }
    let block = kind.block_size() as u64;
    let row = sides.first().filter(|side| side.is_multiple_of(block))? / block;
    let blocks = sides.iter().skip(1).try_fold(row, |all, side| all.checked_mul(*side))?;
    blocks.checked_mul(kind.type_size() as u64)
}

/// How numbers are stored, by the number of the format.
fn kind_of(number: u32) -> Result<GgmlDType, EngineError> {
    Ok(match number {
        0 => GgmlDType::F32,
        1 => GgmlDType::F16,
        2 => GgmlDType::Q4_0,
        3 => GgmlDType::Q4_1,
        6 => GgmlDType::Q5_0,
        7 => GgmlDType::Q5_1,
        8 => GgmlDType::Q8_0,
        10 => GgmlDType::Q2K,
        11 => GgmlDType::Q3K,
        12 => GgmlDType::Q4K,
        13 => GgmlDType::Q5K,
        14 => GgmlDType::Q6K,
        30 => GgmlDType::BF16,
        other => return Err(EngineError::UnsupportedQuantisation(foreign_name(other))),
    })
}

fn foreign_name(number: u32) -> String {
    let name = match number {
        9 => "Q8_1",
        15 => "Q8_K",
        16 => "IQ2_XXS",
        17 => "IQ2_XS",
        18 => "IQ3_XXS",
        19 => "IQ1_S",
        20 => "IQ4_NL",
        21 => "IQ3_S",
        22 => "IQ2_S",
        23 => "IQ4_XS",
        24..=27 => "whole numbers",
        28 => "F64",
        29 => "IQ1_M",
        34 => "TQ1_0",
        35 => "TQ2_0",
        39 => "MXFP4",
        _ => return format!("number {number}"),
    };
    name.to_owned()
}

fn bounded(count: u64, most: u64, what: &str) -> Result<u64, EngineError> {
    if count > most {
        return Err(corrupt(format!("it announces {count} {what}, and {most} are the most")));
    }
    Ok(count)
}

fn corrupt(reason: impl Into<String>) -> EngineError {
    EngineError::Corrupt(reason.into())
}

#[cfg(test)]
mod tests;
