//! Tool calls in the text of an answer, in the marks that models were taught.
//!
//! Known are `<tool_call>{…}</tool_call>` (Hermes, Qwen), `[TOOL_CALLS]` with a list or with a name and `[ARGS]`
//! (Mistral), and a bare JSON object with or without `<|python_tag|>` (Llama 3). Arguments that were cut short stay as
//! far as they came.

use timmy_llm::{ARGUMENTS_BYTES_MAX, TOOL_CALLS_MAX};

use crate::ask::CallMade;
use crate::stop::overlap;

/// Opens a call in the form of Hermes and Qwen.
pub const CALL_OPEN: &str = "<tool_call>";
/// Closes it.
pub const CALL_CLOSE: &str = "</tool_call>";
/// Opens calls in the form of Mistral.
pub const LIST_OPEN: &str = "[TOOL_CALLS]";
/// Stands between name and arguments in its newer form.
const LIST_ARGUMENTS: &str = "[ARGS]";
/// Opens a call in the form of Llama 3.
pub const TAG_OPEN: &str = "<|python_tag|>";

/// Characters of the name of a tool.
const NAME_CHARS_MAX: usize = 200;
/// Bytes of one call as it was written; what is beyond is forgotten.
const WRITTEN_BYTES_MAX: usize = ARGUMENTS_BYTES_MAX + 4_096;

/// Where in the answer the stream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the first word; a bare object may begin.
    #[default]
    Beginning,
    /// In words for the reader.
    Words,
    /// Between the marks of Hermes.
    Call,
    /// Behind a call; white space is nothing for the reader there.
    After,
    /// In what may be a bare call, to the end.
    Bare,
    /// Behind a mark that has no end.
    ToTheEnd,
}

/// Parts the words of an answer from its calls while it streams.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    names: Vec<String>,
    at: At,
    held: String,
    calls: Vec<CallMade>,
}

impl Listener {
    /// Listens for calls of these tools; without any, everything is words.
    #[must_use]
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self { names: names.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }

    /// Whether a call with [`CALL_OPEN`] is being written, and what of it came so far.
    #[must_use]
    pub fn in_call(&self) -> Option<&str> {
        (self.at == At::Call).then_some(self.held.as_str())
    }

    /// The words that are certain with `piece`.
    pub fn pass(&mut self, piece: &str) -> String {
        if self.names.is_empty() {
            return piece.to_owned();
        }
        if self.held.len() + piece.len() <= WRITTEN_BYTES_MAX {
            self.held.push_str(piece);
        }
        let mut words = String::new();
        while self.step(&mut words) {}
        words
    }

    /// One step; whether there may be another.
    fn step(&mut self, words: &mut String) -> bool {
        match self.at {
            At::Beginning => {
                let begun = self.held.trim_start();
                if begun.is_empty() {
                    return false;
                }
                self.at = if begun.starts_with('{') { At::Bare } else { At::Words };
                true
            }
            At::Words => self.words(words),
            At::Call => {
                let Some(end) = self.held.find(CALL_CLOSE) else { return false };
                let written: String = self.held.drain(..end + CALL_CLOSE.len()).collect();
                self.add(&written[..end]);
                self.at = At::After;
                true
            }
            At::After => {
                let blank = self.held.len() - self.held.trim_start().len();
                self.held.drain(..blank);
                if !self.held.is_empty() {
                    self.at = At::Words;
                }
                self.at == At::Words
            }
            At::Bare | At::ToTheEnd => false,
        }
    }

    fn words(&mut self, words: &mut String) -> bool {
        let marks = [(CALL_OPEN, At::Call), (LIST_OPEN, At::ToTheEnd), (TAG_OPEN, At::ToTheEnd)];
        let found = marks.iter().filter_map(|(mark, next)| Some((self.held.find(mark)?, mark, *next)));
        if let Some((at, mark, next)) = found.min_by_key(|(at, ..)| *at) {
            words.push_str(self.held[..at].trim_end());
            self.held.drain(..at + mark.len());
            self.at = next;
            return true;
        }
        let keep = marks.iter().map(|(mark, _)| overlap(&self.held, mark)).max().unwrap_or(0);
        // White space waits for what it stands before: before a call it is nothing for the reader.
        let certain = self.held[..self.held.len() - keep].trim_end().len();
        words.extend(self.held.drain(..certain));
        false
    }

    /// What was held back, when the answer has ended, and the calls.
    pub fn end(mut self) -> (String, Vec<CallMade>) {
        let held = std::mem::take(&mut self.held);
        let words = match self.at {
            At::Beginning | At::Words | At::After => held,
            At::Call => {
                self.add(&held);
                String::new()
            }
            At::Bare => match read(&held).filter(|(name, _)| self.names.contains(name)) {
                Some(_) => {
                    self.add(&held);
                    String::new()
                }
                None => held,
            },
            At::ToTheEnd => {
                self.add_list(&held);
                String::new()
            }
        };
        (words, self.calls)
    }

    fn add(&mut self, written: &str) {
        if let Some((name, arguments)) = read(written) {
            self.push(&name, &arguments);
        }
    }

    fn push(&mut self, name: &str, arguments: &str) {
        if self.calls.len() < TOOL_CALLS_MAX && !name.is_empty() {
            let id = format!("call_{}", self.calls.len() + 1);
            let name = name.chars().take(NAME_CHARS_MAX).collect();
            let end = arguments.floor_char_boundary(ARGUMENTS_BYTES_MAX);
            self.calls.push(CallMade { id, name, arguments: arguments[..end].to_owned() });
        }
    }

    /// What stands behind `[TOOL_CALLS]` or `<|python_tag|>`: objects, or names with their arguments, one after the
    /// other. Marks and semicolons within a value belong to the value.
    fn add_list(&mut self, written: &str) {
        let mut rest = written;
        loop {
            rest = rest.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ';' | ','));
            if let Some(behind) = rest.strip_prefix(LIST_OPEN) {
                rest = behind;
                continue;
            }
            let object = rest.find('{').unwrap_or(rest.len());
            if let Some(at) = rest[..object].find(LIST_ARGUMENTS) {
                let value = rest[at + LIST_ARGUMENTS.len()..].trim_start();
                let whole = if value.starts_with('{') { value_end(value) } else { value.find(LIST_OPEN) };
                let (arguments, behind) = value.split_at(whole.unwrap_or(value.len()));
                self.push(rest[..at].trim(), arguments.trim());
                rest = behind;
            } else if object < rest.len() {
                let (call, behind) = rest[object..].split_at(value_end(&rest[object..]).unwrap_or(rest.len() - object));
                self.add(call);
                rest = behind;
            } else {
                return;
            }
        }
    }
}

/// Name and arguments of a call, also of one that was cut short.
fn read(written: &str) -> Option<(String, String)> {
    let text = written.trim();
    let mut rest = text.strip_prefix('{')?;
    let (mut name, mut arguments) = (None, None);
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        let Some(end) = rest.starts_with('"').then(|| value_end(rest)).flatten() else { break };
        let key: String = serde_json::from_str(&rest[..end]).ok()?;
        let Some(value) = rest[end..].trim_start().strip_prefix(':').map(str::trim_start) else { break };
        let end = value_end(value);
        let raw = value[..end.unwrap_or(value.len())].trim_end();
        match key.as_str() {
            "name" => name = serde_json::from_str::<String>(raw).ok(),
            "arguments" | "parameters" => arguments = Some(raw.to_owned()),
            // Some models write the whole of OpenAI's form.
            "function" => {
                if let Some((inner, given)) = read(raw) {
                    name = Some(inner);
                    arguments = Some(given);
                } else {
                    name = name.or_else(|| serde_json::from_str::<String>(raw).ok());
                }
            }
            _ => {}
        }
        match end {
            Some(end) => rest = &value[end..],
            None => break,
        }
    }
    // A call without arguments takes none; one that was cut short before them may have been about to have some.
    let none = || if value_end(text).is_some() { "{}".to_owned() } else { String::new() };
    let mut arguments = arguments.unwrap_or_else(none);
    // Arguments may be an object written as text.
    if arguments.starts_with('"') {
        arguments = serde_json::from_str(&arguments).unwrap_or(arguments);
    }
    Some((name?, arguments))
}

/// Where the JSON value at the beginning of `text` ends; `None` when it does not.
fn value_end(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        if quoted {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    quoted = false;
                    if depth == 0 {
                        return Some(at + 1);
                    }
                }
                _ => {}
            }
            continue;
        }
        match c {
            '"' => quoted = true,
            '{' | '[' => depth += 1,
            '}' | ']' if depth <= 1 => return Some(if depth == 0 { at } else { at + 1 }),
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and calls of `text` cut into pieces of `size` letters.
    fn run(text: &str, size: usize) -> (String, Vec<(String, String)>) {
        let mut listener = Listener::new(["look", "act"]);
        let letters: Vec<char> = text.chars().collect();
        let mut words: String = letters.chunks(size).map(|c| listener.pass(&c.iter().collect::<String>())).collect();
        let (rest, calls) = listener.end();
        words.push_str(&rest);
        (words, calls.into_iter().map(|c| (c.name, c.arguments)).collect())
    }

    // shows: engine: a call of a tool keeps its arguments whole whatever stands in them, and what was cut short is never taken for a call without any
    #[test]
    fn every_usual_mark_is_understood_however_the_text_is_cut() {
        type Row<'t> = (&'t str, &'t str, &'t [(&'t str, &'t str)]);
        let rows: [Row<'_>; 19] = [
            ("Just words.", "Just words.", &[]),
            ("a <b> c <tool", "a <b> c <tool", &[]),
            (
                "I look.\n<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\": \"}\\\"x\"}}\n</tool_call>",
                "I look.",
                &[("look", "{\"at\": \"}\\\"x\"}")],
            ),
            (
                "<tool_call>{\"name\":\"look\",\"arguments\":{}}</tool_call>\n<tool_call>{\"name\":\"act\"}</tool_call>",
                "",
                &[("look", "{}"), ("act", "{}")],
            ),
            ("<tool_call>{\"name\":\"look\",\"arguments\":{\"at\": 1", "", &[("look", "{\"at\": 1")]),
            ("<tool_call>{\"arguments\":{\"at\":1},\"name\":\"look\"}</tool_call>", "", &[("look", "{\"at\":1}")]),
            ("<tool_call>{\"name\":\"lo", "", &[]),
            ("{\"name\": \"look\", \"parameters\": {\"at\": 2}}", "", &[("look", "{\"at\": 2}")]),
            ("{\"name\": \"Ada\", \"age\": 36}", "{\"name\": \"Ada\", \"age\": 36}", &[]),
            ("<|python_tag|>{\"name\": \"act\", \"parameters\": {}}", "", &[("act", "{}")]),
            (
                "[TOOL_CALLS] [{\"name\": \"look\", \"arguments\": {\"a\": [1]}}, {\"name\": \"act\", \"arguments\": {}}]",
                "",
                &[("look", "{\"a\": [1]}"), ("act", "{}")],
            ),
            ("[TOOL_CALLS]look[ARGS]{\"a\": 1}[TOOL_CALLS]act[ARGS]{", "", &[("look", "{\"a\": 1}"), ("act", "{")]),
            (
                "<tool_call>{\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"{\\\"a\\\":1}\"}}</tool_call>",
                "",
                &[("look", "{\"a\":1}")],
            ),
            ("<tool_call>not json</tool_call> and on", "and on", &[]),
            ("<tool_call>{\"name\":\"look\"", "", &[("look", "")]),
            ("<tool_call>{\"name\":\"look\", \"argu", "", &[("look", "")]),
            (
                "<|python_tag|>{\"name\": \"act\", \"parameters\": {\"q\": \"a; b\"}}; {\"name\": \"look\"}",
                "",
                &[("act", "{\"q\": \"a; b\"}"), ("look", "{}")],
            ),
            (
                "[TOOL_CALLS][{\"name\": \"act\", \"arguments\": {\"q\": \"[TOOL_CALLS]; [ARGS]\"}}]",
                "",
                &[("act", "{\"q\": \"[TOOL_CALLS]; [ARGS]\"}")],
            ),
            (
                "[TOOL_CALLS]look[ARGS]{\"q\": \"a; b\"}; act[ARGS]{\"q\": \"[TOOL_CALLS]",
                "",
                &[("look", "{\"q\": \"a; b\"}"), ("act", "{\"q\": \"[TOOL_CALLS]")],
            ),
        ];
        for (text, words, calls) in rows {
            let calls: Vec<(String, String)> = calls.iter().map(|(n, a)| ((*n).into(), (*a).into())).collect();
            for size in [1, 2, 7, 1_000] {
                assert_eq!(run(text, size), (words.to_owned(), calls.clone()), "{text} by {size}");
            }
        }
    }

    #[test]
    fn without_tools_a_mark_is_text_like_any_other() {
        let mut listener = Listener::new([]);
        assert_eq!(listener.pass("<tool_call>{}"), "<tool_call>{}");
        assert_eq!(listener.end(), (String::new(), Vec::new()));
    }

    #[test]
    fn an_endless_call_takes_bounded_room_and_a_flood_of_calls_is_cut() {
        let mut listener = Listener::new(["look"]);
        listener.pass("<tool_call>{\"name\":\"look\",\"arguments\":{\"a\":\"");
        for _ in 0..2_000 {
            listener.pass(&"x".repeat(1_000));
        }
        assert!(listener.held.len() <= WRITTEN_BYTES_MAX);
        let flood = "<tool_call>{\"name\":\"look\"}</tool_call>".repeat(TOOL_CALLS_MAX + 9);
        assert_eq!(run(&flood, 1_000).1.len(), TOOL_CALLS_MAX);
    }
}
