//! What a key of the metadata holds.

use std::io::Read;

use super::read::Reader;
use super::{LIST_ITEMS_MAX, bounded, corrupt};
use crate::error::EngineError;

/// What a key of the metadata holds. Lists hold one kind of item and never lists.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number, with or without sign.
    Whole(i128),
    /// A number with a fraction.
    Number(f64),
    /// A yes or no.
    Flag(bool),
    /// A text from outside.
    Text(String),
    /// Whole numbers and flags.
    Wholes(Vec<i64>),
    /// Numbers with fractions.
    Numbers(Vec<f32>),
    /// Texts from outside.
    Texts(Vec<String>),
}

const TEXT: u32 = 8;
const LIST: u32 = 9;

impl Value {
    /// Reads the kind of a value, and the value.
    pub(super) fn read<R: Read>(reader: &mut Reader<R>) -> Result<Self, EngineError> {
        match reader.u32()? {
            LIST => list(reader),
            kind => single(reader, kind),
        }
    }

    /// The whole number, when it is one and not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Whole(whole) => u64::try_from(*whole).ok(),
            _ => None,
        }
    }

    /// The number, whole or not.
    #[must_use]
    pub fn as_f32(&self) -> Option<f32> {
        match self {
            Self::Whole(whole) => Some(*whole as f32),
            Self::Number(number) => Some(*number as f32),
            _ => None,
        }
    }

    /// The yes or no.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The texts of a list.
    #[must_use]
    pub fn as_texts(&self) -> Option<&[String]> {
        match self {
            Self::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    /// The whole numbers of a list.
    #[must_use]
    pub fn as_wholes(&self) -> Option<&[i64]> {
        match self {
            Self::Wholes(wholes) => Some(wholes),
            _ => None,
        }
    }

    /// The numbers of a list.
    #[must_use]
    pub fn as_numbers(&self) -> Option<&[f32]> {
        match self {
            Self::Numbers(numbers) => Some(numbers),
            _ => None,
        }
    }
}

fn single<R: Read>(reader: &mut Reader<R>, kind: u32) -> Result<Value, EngineError> {
    Ok(match kind {
        0 => Value::Whole(u8::from_le_bytes(reader.bytes()?).into()),
        1 => Value::Whole(i8::from_le_bytes(reader.bytes()?).into()),
        2 => Value::Whole(u16::from_le_bytes(reader.bytes()?).into()),
        3 => Value::Whole(i16::from_le_bytes(reader.bytes()?).into()),
        4 => Value::Whole(u32::from_le_bytes(reader.bytes()?).into()),
        5 => Value::Whole(i32::from_le_bytes(reader.bytes()?).into()),
        6 => Value::Number(f32::from_le_bytes(reader.bytes()?).into()),
        7 => Value::Flag(reader.bytes::<1>()? != [0]),
        TEXT => Value::Text(reader.text()?),
        10 => Value::Whole(u64::from_le_bytes(reader.bytes()?).into()),
        11 => Value::Whole(i64::from_le_bytes(reader.bytes()?).into()),
        12 => Value::Number(f64::from_le_bytes(reader.bytes()?)),
        other => return Err(corrupt(format!("a key holds something of the unknown kind {other}"))),
    })
}

/// The least bytes an item of a kind takes in the file, so that a count can be held against what is left.
fn least_bytes(kind: u32) -> u64 {
    match kind {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        _ => 8,
    }
}

fn list<R: Read>(reader: &mut Reader<R>) -> Result<Value, EngineError> {
    let kind = reader.u32()?;
    let count = bounded(reader.u64()?, LIST_ITEMS_MAX, "items of a list")?;
    reader.expect(count.saturating_mul(least_bytes(kind)))?;
    match kind {
        TEXT => (0..count).map(|_| reader.text()).collect::<Result<_, _>>().map(Value::Texts),
        LIST => Err(corrupt("a list holds lists")),
        6 | 12 => {
            let mut numbers = Vec::new();
            for _ in 0..count {
                numbers.push(single(reader, kind)?.as_f32().unwrap_or(0.0));
            }
            Ok(Value::Numbers(numbers))
        }
        _ => {
            let mut wholes = Vec::new();
            for _ in 0..count {
                wholes.push(match single(reader, kind)? {
                    Value::Whole(whole) => i64::try_from(whole).unwrap_or(i64::MAX),
                    Value::Flag(flag) => i64::from(flag),
                    _ => 0,
                });
            }
            Ok(Value::Wholes(wholes))
        }
    }
}
