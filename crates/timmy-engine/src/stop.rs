//! Text as it grows out of tokens: whole letters only, and never past a text that ends the answer.

/// Bytes of one stopping text that are looked for; a longer one is never found.
pub const STOP_BYTES_MAX: usize = 1_024;

/// Joins pieces of bytes into text, and holds back what may turn out to be the beginning of a stop.
#[derive(Clone, Debug, Default)]
pub struct Speech {
    stops: Vec<String>,
    bytes: Vec<u8>,
    held: String,
    stopped: bool,
}

impl Speech {
    /// Nothing yet. Empty texts and those over [`STOP_BYTES_MAX`] end nothing.
    #[must_use]
    pub fn new(stops: &[String]) -> Self {
        let stops = stops.iter().filter(|s| !s.is_empty() && s.len() <= STOP_BYTES_MAX).cloned().collect();
        Self { stops, ..Self::default() }
    }

    /// The text that is certain with these bytes. After a stop there is none any more.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        if self.stopped {
            return String::new();
        }
        self.bytes.extend_from_slice(bytes);
        let text = whole_letters(&mut self.bytes);
        self.held.push_str(&text);
        self.certain()
    }

    /// Whether a stop was met.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.stopped
    }

    /// What was held back, when nothing more comes. A letter that stays cut becomes the mark for it.
    pub fn end(&mut self) -> String {
        if self.stopped {
            return String::new();
        }
        let rest = std::mem::take(&mut self.bytes);
        self.held.push_str(&String::from_utf8_lossy(&rest));
        let mut said = self.certain();
        if !self.stopped {
            said.push_str(&std::mem::take(&mut self.held));
        }
        said
    }

    fn certain(&mut self) -> String {
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.stopped = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let keep = self.stops.iter().map(|stop| overlap(&self.held, stop)).max().unwrap_or(0);
        let certain = self.held.len() - keep;
        self.held.drain(..certain).collect()
    }
}

/// Bytes at the end of `text` that are the beginning of `mark`, the whole mark not counted.
#[must_use]
pub fn overlap(text: &str, mark: &str) -> usize {
    let longest = text.len().min(mark.len().saturating_sub(1));
    (1..=longest).rev().find(|n| mark.is_char_boundary(*n) && text.ends_with(&mark[..*n])).unwrap_or(0)
}

/// Takes what is whole out of `bytes`. What can never become a letter turns into the mark for it.
fn whole_letters(bytes: &mut Vec<u8>) -> String {
    let mut text = String::new();
    loop {
        match std::str::from_utf8(bytes) {
            Ok(rest) => {
                text.push_str(rest);
                bytes.clear();
                return text;
            }
            Err(error) => {
                let good = error.valid_up_to();
                text.push_str(&String::from_utf8_lossy(&bytes[..good]));
                let Some(bad) = error.error_len() else {
                    bytes.drain(..good);
                    return text;
                };
                text.push(char::REPLACEMENT_CHARACTER);
                bytes.drain(..good + bad);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of `bytes` cut into pieces of `size`.
    fn run(stops: &[&str], bytes: &[u8], size: usize) -> (String, bool) {
        let stops: Vec<String> = stops.iter().map(|s| (*s).to_owned()).collect();
        let mut speech = Speech::new(&stops);
        let mut out: String = bytes.chunks(size).map(|piece| speech.push(piece)).collect();
        out.push_str(&speech.end());
        (out, speech.stopped())
    }

    #[test]
    fn however_the_bytes_are_cut_the_text_is_the_same() {
        let rows: [(&[&str], &[u8], &str, bool); 10] = [
            (&[], "Grüße 🦀".as_bytes(), "Grüße 🦀", false),
            (&["STOP"], b"one STOP two", "one ", true),
            (&["STOP"], b"one STO", "one STO", false),
            (&["STOP"], b"SSTOSTOP!", "SSTO", true),
            (&["\n\n", "b"], b"a\nb", "a\n", true),
            (&["ü"], "Grüße".as_bytes(), "Gr", true),
            (&[""], b"x", "x", false),
            (&[], b"a\xffb", "a\u{fffd}b", false),
            (&[], b"a\xf0\x9f\xa6", "a\u{fffd}", false),
            (&["aab"], b"aaab", "a", true),
        ];
        for (stops, bytes, expected, stopped) in rows {
            for size in [1, 2, 3, 5, 100] {
                assert_eq!(run(stops, bytes, size), (expected.to_owned(), stopped), "{stops:?} by {size}");
            }
        }
    }

    #[test]
    fn nothing_is_held_back_that_cannot_become_a_stop() {
        let mut speech = Speech::new(&["</s>".to_owned()]);
        assert_eq!(speech.push(b"Hello"), "Hello");
        assert_eq!(speech.push(b" <"), " ");
        assert_eq!(speech.push(b"b>"), "<b>");
    }
}
