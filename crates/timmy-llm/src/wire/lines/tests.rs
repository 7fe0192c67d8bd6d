//! Frames are the same however the bytes are cut.

use proptest::prelude::*;

use super::*;

/// Every frame of `text` when it comes in pieces that end at `cuts`, and whether it was refused.
fn frames<D: Decoder + Default>(bytes: &[u8], cuts: &[usize]) -> Result<Vec<String>, Failure> {
    let mut decoder = D::default();
    let mut out = Vec::new();
    let mut emit = |frame: &[u8]| {
        out.push(String::from_utf8_lossy(frame).into_owned());
        Ok(Flow::More)
    };
    let mut from = 0;
    for cut in cuts.iter().copied().chain([bytes.len()]) {
        let to = cut.clamp(from, bytes.len());
        decoder.feed(&bytes[from..to], &mut emit)?;
        from = to;
    }
    decoder.end(&mut emit)?;
    Ok(out)
}

fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\n\n".to_owned()),
        Just("data: ".to_owned()),
        Just("data:".to_owned()),
        Just(": comment".to_owned()),
        Just("event: x".to_owned()),
        Just("[DONE]".to_owned()),
        "[a-zäöü€🦀 {}:]{0,12}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_cutting_gives_the_same_frames(bytes in any_stream(), cuts in proptest::collection::vec(0..400_usize, 0..30)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let each: Vec<usize> = (0..bytes.len()).collect();
        let lines = frames::<Lines>(&bytes, &[]);
        prop_assert_eq!(&frames::<Lines>(&bytes, &cuts), &lines);
        prop_assert_eq!(&frames::<Lines>(&bytes, &each), &lines);
        let events = frames::<Events>(&bytes, &[]);
        prop_assert_eq!(&frames::<Events>(&bytes, &cuts), &events);
        prop_assert_eq!(&frames::<Events>(&bytes, &each), &events);
        // The reference: normalise the line ends, split, and drop the empty rest.
        let text = String::from_utf8(bytes).expect("made of text").replace("\r\n", "\n").replace('\r', "\n");
        let mut expected: Vec<&str> = text.split('\n').collect();
        if expected.last() == Some(&"") {
            expected.pop();
        }
        prop_assert_eq!(lines.expect("short"), expected);
    }
}

#[test]
fn an_empty_piece_between_cr_and_lf_makes_no_line() {
    assert_eq!(frames::<Lines>(b"a\r\nb", &[2, 2]), Ok(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn events_follow_the_standard() {
    let rows: &[(&str, &[&str])] = &[
        ("data: a\n\ndata:b\n\n", &["a", "b"]),
        ("data: a\ndata: b\n\n", &["a\nb"]),
        (": keep-alive\n\nevent: x\nid: 1\ndata: a\nretry: 5\n\n", &["a"]),
        ("data:  two spaces\r\n\r\n", &[" two spaces"]),
        ("data: without an end", &["without an end"]),
        ("data\n\ndatax: no\n\n\n\n", &[]),
        ("data:\n\n", &[""]),
    ];
    for (text, expected) in rows {
        assert_eq!(frames::<Events>(text.as_bytes(), &[]).expect("short"), *expected, "{text:?}");
    }
}

#[test]
fn nothing_is_read_after_the_end_was_told() {
    let mut lines = Lines::default();
    let mut seen = 0;
    let mut emit = |_: &[u8]| {
        seen += 1;
        Ok(Flow::Done)
    };
    assert_eq!(lines.feed(b"one\ntwo\n", &mut emit), Ok(Flow::Done));
    assert_eq!(seen, 1);
}

#[test]
fn a_frame_over_the_bound_is_refused_and_one_at_the_bound_is_not() {
    let line = |bytes: usize| [vec![b'x'; bytes], b"\n".to_vec()].concat();
    for cuts in [vec![], vec![FRAME_BYTES_MAX / 2]] {
        assert_eq!(frames::<Lines>(&line(FRAME_BYTES_MAX), &cuts).expect("at the bound").len(), 1);
        assert!(matches!(frames::<Lines>(&line(FRAME_BYTES_MAX + 1), &cuts), Err(Failure::TooLarge { .. })));
    }
    let event = "data: 0123456789\n".repeat(FRAME_BYTES_MAX / 10);
    assert!(matches!(frames::<Events>(event.as_bytes(), &[]), Err(Failure::TooLarge { .. })), "many short lines");
}
