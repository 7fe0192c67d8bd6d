//! Which piece of work is in hand, and how other programs name theirs: W3C Trace Context, level 1.

tokio::task_local! {
    static CURRENT: Context;
}

/// A place in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The trace; never all zeros.
    pub trace: [u8; 16],
    /// The piece of work; never all zeros.
    pub span: [u8; 8],
}

/// The piece of work in hand.
#[must_use]
pub fn current() -> Option<Context> {
    CURRENT.try_with(|context| *context).ok()
}

/// Runs `work` as part of `context`.
pub(super) async fn within<F: Future>(context: Context, work: F) -> F::Output {
    CURRENT.scope(context, work).await
}

impl Context {
    /// Reads the value of a `traceparent` header, such as
    /// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`. `None` for anything else: a trace that cannot be
    /// read is begun anew, as the standard wants it.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let version: [u8; 1] = bytes(parts.next()?)?;
        let (trace, span): ([u8; 16], [u8; 8]) = (bytes(parts.next()?)?, bytes(parts.next()?)?);
        let _flags: [u8; 1] = bytes(parts.next()?)?;
        // Version 0 has four parts; a later one may have more, and 255 is forbidden.
        let whole = if version == [0] { parts.next().is_none() } else { version != [255] };
        (whole && trace != [0; 16] && span != [0; 8]).then_some(Self { trace, span })
    }
}

/// Exactly `N` bytes in lower-case hexadecimal.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |d: u8| match d {
        b'0'..=b'9' => Some(d - b'0'),
        b'a'..=b'f' => Some(d - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks_exact(2);
    let all: Option<Vec<u8>> = pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect();
    (text.len() == 2 * N).then_some(())?;
    all?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_of_another_program_is_read_and_nonsense_is_none() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = Context::parse(good).expect("read");
        assert_eq!((context.trace[0], context.trace[15], context.span[1]), (0x4b, 0x36, 0xf0));
        assert!(Context::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later").is_some());
        let zeros = "0".repeat(32);
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            &format!("00-{zeros}-00f067aa0ba902b7-01"),
            "00-ä4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Context::parse(bad), None, "{bad:?}");
        }
    }

    #[tokio::test]
    async fn what_begins_inside_a_piece_of_work_knows_it() {
        assert_eq!(current(), None);
        let outer = Context { trace: [1; 16], span: [2; 8] };
        let seen = within(outer, async { current() }).await;
        assert_eq!((seen, current()), (Some(outer), None));
    }
}
