//! Answers of models: the same, whatever pieces the network makes of them; within bounds; and never with the key.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use timmy_domain::Secret;
use timmy_llm::dry::{self, Format};
use timmy_llm::{ARGUMENTS_BYTES_MAX, Completion, Failure, TOOL_CALLS_MAX};

/// The key that was sent along.
const KEY: &str = "sk-kelp-0192f0c1";
/// Bytes of an answer up to which it is also read byte by byte.
const SMALL_BYTES_MAX: usize = 4_096;

/// Reads one answer: the first byte tells how it is written, the second where it is split.
pub fn check(bytes: &[u8]) {
    let [format, split, answer @ ..] = bytes else { return };
    let format = match format % 3 {
        0 => Format::Ollama,
        1 => Format::OpenAi,
        _ => Format::Anthropic,
    };
    let whole = read(format, &[answer]);
    let step = usize::from(*split).max(1);
    let pieces: Vec<&[u8]> = answer.chunks(step).collect();
    same(&whole, &read(format, &pieces));
    if answer.len() <= SMALL_BYTES_MAX {
        let bytes: Vec<&[u8]> = answer.chunks(1).collect();
        same(&whole, &read(format, &bytes));
    }
    match &whole {
        Ok(completion) => bounded(completion, answer.len()),
        Err(failure) => {
            let said = format!("{failure} {}", failure.hint());
            assert!(!said.contains(KEY), "the key is repeated: {said}");
            assert!(said.chars().count() < 2_000, "{said}");
        }
    }
}

fn read(format: Format, pieces: &[&[u8]]) -> Result<Completion, Failure> {
    let key = Secret::new(KEY.to_owned());
    let reading = pin!(dry::read(format, pieces, &key));
    match reading.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(read) => read,
        Poll::Pending => panic!("reading waits for something"),
    }
}

fn same(whole: &Result<Completion, Failure>, pieces: &Result<Completion, Failure>) {
    assert_eq!(format!("{whole:?}"), format!("{pieces:?}"), "pieces make a difference");
}

fn bounded(completion: &Completion, bytes: usize) {
    assert!(completion.content.len() <= 3 * bytes, "an answer has no more text than was sent");
    assert!(completion.tool_calls.len() <= TOOL_CALLS_MAX);
    for call in &completion.tool_calls {
        assert!(call.arguments.len() <= ARGUMENTS_BYTES_MAX);
        assert!(call.name.chars().count() <= 200 && call.id.chars().count() <= 200);
    }
    assert!(completion.model.chars().count() <= 200);
}
