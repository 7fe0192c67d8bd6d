//! Reading an answer without a connection: for whoever searches for bytes that confuse a reader.

use std::time::Duration;

use timmy_domain::Secret;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::provider::{Call, Completion, Manner};
use crate::providers::{anthropic, ollama, openai};
use crate::wire::ReadFrame;
use crate::wire::lines::{Decoder, Events, Flow, Lines};
use crate::wire::reading::Reading;

/// How long the end of an answer may take; nothing is waited for here, so it never does.
const END_SECONDS: u64 = 60;

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object on each line, as Ollama writes it.
    Ollama,
    /// Server-sent events, as OpenAI writes them.
    OpenAi,
    /// Server-sent events, as Anthropic writes them.
    Anthropic,
}

/// What a provider makes of an answer that comes in these pieces. `key` is the key that was sent along.
///
/// # Errors
/// As a provider's.
pub async fn read(format: Format, pieces: &[&[u8]], key: &Secret) -> Result<Completion, Failure> {
    match format {
        Format::Ollama => read_frames::<Lines>(ollama::format::read, pieces, key).await,
        Format::OpenAi => read_frames::<Events>(openai::format::read, pieces, key).await,
        Format::Anthropic => read_frames::<Events>(anthropic::format::read, pieces, key).await,
    }
}

async fn read_frames<D: Decoder + Default>(
    read: ReadFrame,
    pieces: &[&[u8]],
    key: &Secret,
) -> Result<Completion, Failure> {
    let deadline = Instant::now() + Duration::from_secs(END_SECONDS);
    let call = Call {
        cancel: CancellationToken::new(),
        deadline,
        first_word_by: None,
        deltas: None,
        manner: Manner::default(),
    };
    let mut reading = Reading::<D>::new(read, key, &call);
    for piece in pieces {
        if reading.piece(piece)? == Flow::Done {
            return Ok(reading.growing.finish("", &call).await);
        }
    }
    Ok(reading.end()?.finish("", &call).await)
}
