//! Taking the model's reasoning out of its answer while it streams.
//!
//! Models that reason aloud open their answer with `<think>…</think>`. Only blocks at the beginning are taken out:
//! later in the text the tag is something the answer speaks about.

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// Where in the answer the stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the first word; a block may open.
    #[default]
    Beginning,
    /// Inside a block.
    Inside,
    /// In the answer proper.
    Answer,
}

/// Takes leading blocks of reasoning and the blank space around them out.
#[derive(Debug, Default)]
pub struct Reasoning {
    at: At,
    held: String,
}

impl Reasoning {
    /// The part of the answer that is certain with `piece`.
    pub fn pass(&mut self, piece: &str) -> String {
        if self.at == At::Answer {
            return piece.to_owned();
        }
        self.held.push_str(piece);
        loop {
            match self.at {
                At::Beginning => {
                    self.held.drain(..self.held.len() - self.held.trim_start().len());
                    if self.held.starts_with(OPEN) {
                        self.held.drain(..OPEN.len());
                        self.at = At::Inside;
                    } else if OPEN.starts_with(self.held.as_str()) {
                        return String::new();
                    } else {
                        self.at = At::Answer;
                    }
                }
                At::Inside => {
                    let Some(end) = self.held.find(CLOSE) else {
                        self.forget();
                        return String::new();
                    };
                    self.held.drain(..end + CLOSE.len());
                    self.at = At::Beginning;
                }
                At::Answer => return std::mem::take(&mut self.held),
            }
        }
    }

    /// Drops reasoning that can no longer be part of the closing tag.
    fn forget(&mut self) {
        let keep = (1..CLOSE.len()).rev().find(|n| self.held.ends_with(&CLOSE[..*n])).unwrap_or(0);
        self.held.drain(..self.held.len() - keep);
    }

    /// What was held back in case it was a tag, when the answer ends.
    pub fn end(&mut self) -> String {
        let rest = std::mem::take(&mut self.held);
        if self.at == At::Beginning { rest } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&str]) -> String {
        let mut filter = Reasoning::default();
        let mut out: String = pieces.iter().map(|p| filter.pass(p)).collect();
        out.push_str(&filter.end());
        out
    }

    #[test]
    fn leading_blocks_go_and_everything_else_stays_however_it_is_cut() {
        let rows = [
            ("<think>no</think>\n\nYes.", "Yes."),
            ("\n <think>a < b </thin </think><think></think>Yes <think>aloud</think>.", "Yes <think>aloud</think>."),
            ("<think>cut short", ""),
            ("<thin air", "<thin air"),
            ("<th", "<th"),
            ("Plain. ", "Plain. "),
            ("<think>ä</think>ö", "ö"),
            ("", ""),
        ];
        for (text, expected) in rows {
            assert_eq!(all(&[text]), expected);
            let single: Vec<String> = text.chars().map(String::from).collect();
            assert_eq!(all(&single.iter().map(String::as_str).collect::<Vec<_>>()), expected, "one by one: {text}");
        }
    }

    #[test]
    fn endless_reasoning_takes_no_room() {
        let mut filter = Reasoning::default();
        filter.pass("<think>");
        for _ in 0..1_000 {
            filter.pass("on and on < / and on </thin");
        }
        assert!(filter.held.len() < CLOSE.len());
    }
}
