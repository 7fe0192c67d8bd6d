//! Those who answer. Each file is one of them.

pub mod anthropic;
mod catalog;
pub mod ollama;
pub mod openai;
pub mod preset;
pub mod reflex;
pub mod scripted;
mod vectors;

use serde_json::Value;
use timmy_domain::text::{cut, one_line};

use crate::wire::growing::NAME_CHARS_MAX;

/// Models a provider may list.
pub const MODELS_MAX: usize = 200;

/// The text `name` in `value`; empty when there is none. A pointer, which says the same, is cut and unescaped anew for
/// each frame of an answer.
fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// A name as a server gives it, safe to show.
fn name(text: &str) -> String {
    cut(&one_line(text), NAME_CHARS_MAX)
}
