//! The room of talk: one identity and one remembered conversation, whatever door it comes through.

pub mod answer;
pub mod conversation;
pub mod prompt;
pub mod turn;
