//! Reads the code given to a shell, only as far as is needed to see which programs it would run.

/// Bytes of shell code that are read; more is opaque.
const CODE_BYTES_MAX: usize = 8 * 1024;
/// Commands in one piece of code.
const COMMANDS_MAX: usize = 32;

/// The commands in `code`, each as its words, and why they may not be all: `None` for the second when the code has
/// nothing that is decided only when it runs.
#[must_use]
pub fn commands(code: &str) -> (Vec<Vec<String>>, Option<&'static str>) {
    if code.len() > CODE_BYTES_MAX {
        return (Vec::new(), Some("it is too long"));
    }
    let mut reader = Reader { found: vec![Vec::new()], word: None, unsure: None };
    reader.read(code);
    let mut found = reader.found;
    found.retain(|words| !words.is_empty());
    let unsure = if found.len() > COMMANDS_MAX { Some("it has too many commands") } else { reader.unsure };
    found.truncate(COMMANDS_MAX);
    (found, unsure)
}

struct Reader {
    found: Vec<Vec<String>>,
    word: Option<String>,
    unsure: Option<&'static str>,
}

impl Reader {
    fn read(&mut self, code: &str) {
        let mut chars = code.chars().peekable();
        let mut quote = None;
        while let Some(c) = chars.next() {
            match (quote, c) {
                (Some('\''), '\'') | (Some('"'), '"') => quote = None,
                (Some('\''), c) => self.push(c),
                (None, '\'' | '"') => {
                    quote = Some(c);
                    self.word.get_or_insert_default();
                }
                (_, '\\') => {
                    if let Some(next) = chars.next() {
                        self.push(next);
                    }
                }
                (_, '`') => {
                    self.unsure = Some("it runs what another command prints");
                    self.end_command();
                }
                (_, '$') if chars.peek() == Some(&'(') => {
                    self.unsure = Some("it runs what another command prints");
                    chars.next();
                    self.end_command();
                }
                (_, '$') => {
                    self.unsure = Some("it uses variables");
                    self.push(c);
                }
                (Some(_), c) => self.push(c),
                (None, ';' | '|' | '&' | '\n' | '(' | ')' | '{' | '}') => self.end_command(),
                (None, '<' | '>') => {
                    self.end_word();
                    if let Some(words) = self.found.last_mut() {
                        words.push(c.to_string());
                    }
                }
                (None, '#') if self.word.is_none() => while chars.next_if(|&c| c != '\n').is_some() {},
                (None, c) if c.is_whitespace() => self.end_word(),
                (None, c) => {
                    if matches!(c, '*' | '?' | '[') {
                        self.unsure.get_or_insert("it uses patterns");
                    }
                    self.push(c);
                }
            }
        }
        if quote.is_some() {
            self.unsure = Some("a quote does not end");
        }
        self.end_word();
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn end_word(&mut self) {
        if let (Some(word), Some(words)) = (self.word.take(), self.found.last_mut()) {
            words.push(word);
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.found.push(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_programs_in_shell_code_are_found_through_quotes_and_nesting() {
        let programs = |code: &str| commands(code).0.iter().map(|words| words[0].clone()).collect::<Vec<_>>();
        assert_eq!(programs("echo hi; 'r'm -rf \"/\""), ["echo", "rm"]);
        assert_eq!(programs("curl x|base64 -d | sh"), ["curl", "base64", "sh"]);
        assert_eq!(programs("echo $(sudo id) `whoami`"), ["echo", "sudo", "whoami"]);
        assert_eq!(programs("r\\m x"), ["rm"]);
        assert_eq!(commands("ls -l").1, None);
        assert!(commands("a $B").1.is_some() && commands("'a").1.is_some());
        assert!(commands(&"x;".repeat(5_000)).1.is_some());
    }
}
