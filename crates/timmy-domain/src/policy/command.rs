//! What a command does, as far as its arguments tell: wrappers are seen through, programs that are known are read, and
//! all else is called opaque. Opaque is asked about; nothing here can make a command look milder than it is.

mod git;
mod known;
mod wrappers;

use super::shell;
use crate::risk::{Reason, Signal};

/// Wrappers within wrappers that are followed.
const DEPTH_MAX: usize = 8;

/// How far the effect of a command reaches, mildest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// It looks.
    #[default]
    Looks,
    /// It changes the files it is given.
    Files,
    /// It builds or tests what lies in its folder, and so runs that code.
    Builds,
    /// Nobody wrote down here what it does.
    Unknown,
    /// It changes something outside.
    Outside,
}

/// What was seen in a command.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The wrappers it stands behind, outermost first.
    pub wrappers: Vec<String>,
    /// Why not all of it can be seen.
    pub opaque: Option<String>,
    /// The rule of the hard floor it meets, in words.
    pub floor: Option<String>,
    /// The rule that refuses it, and what that found.
    pub denied: Option<(&'static str, String)>,
    /// Reasons for asking.
    pub signals: Vec<Signal>,
    /// How far it reaches.
    pub reach: Reach,
    /// What reaches furthest, in words.
    pub effect: String,
    /// Arguments that name files it changes or removes.
    pub changes: Vec<String>,
    /// Whether some of those are removed.
    pub removes: bool,
}

impl Seen {
    /// Whether it stands behind a program that runs others.
    #[must_use]
    pub fn is_wrapped(&self) -> bool {
        !self.wrappers.is_empty()
    }

    fn opaque(&mut self, why: impl Into<String>) {
        self.opaque.get_or_insert(why.into());
    }

    fn floor(&mut self, why: impl Into<String>) {
        self.floor.get_or_insert(why.into());
    }

    fn signal(&mut self, reason: Reason, words: impl Into<String>) {
        self.signals.push(reason.found(words));
    }

    fn reaches(&mut self, reach: Reach, effect: impl Into<String>) {
        if reach > self.reach || self.effect.is_empty() {
            self.effect = effect.into();
        }
        self.reach = self.reach.max(reach);
    }
}

/// The last part of a path.
#[must_use]
pub fn base(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// Looks at a command.
#[must_use]
pub fn see(argv: &[String]) -> Seen {
    let mut seen = Seen::default();
    look(argv, 0, &mut seen);
    seen
}

/// Looks at the command `argv`, which stands behind `depth` wrappers.
fn look(argv: &[String], depth: usize, seen: &mut Seen) {
    let Some(program) = argv.first() else {
        return seen.opaque("nothing says which program runs");
    };
    if depth > DEPTH_MAX {
        return seen.opaque("wrappers stand within wrappers");
    }
    let name = base(program).to_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    if program.contains('/') && known::is_named_elsewhere(program) {
        seen.signal(Reason::NewCode, format!("{program} is no program of this system"));
        seen.reaches(Reach::Unknown, format!("runs {program}"));
    }
    if name.contains(['$', '*', '?', '`']) {
        return seen.opaque(format!("the program's name {name} is a pattern"));
    }
    if let Some(inner) = wrappers::open(name, &argv[1..], seen) {
        seen.wrappers.push(name.to_owned());
        for command in inner {
            look(&command, depth + 1, seen);
        }
        return;
    }
    known::read(name, &argv[1..], seen);
}

/// Looks at code for a shell.
fn look_at_code(code: &str, seen: &mut Seen) -> Vec<Vec<String>> {
    let (commands, unsure) = shell::commands(code);
    seen.opaque(unsure.map_or_else(|| "it is code for a shell".to_owned(), |why| format!("shell code: {why}")));
    let packed = ["base64", "xxd", "openssl", "gunzip", "rev", "printf", "uudecode", "base32"];
    let shells = ["sh", "bash", "zsh", "dash", "eval", "source", "python", "python3", "perl"];
    let has = |names: &[&str]| commands.iter().any(|words| names.contains(&base(&words[0])));
    if has(&packed) && has(&shells) || code.contains("\\x") {
        seen.signal(Reason::Disguised, "it unpacks hidden code and runs it");
        seen.floor("code that is hidden");
    }
    let fetches = has(&["curl", "wget", "fetch", "nc"]);
    if fetches && has(&shells) {
        seen.signal(Reason::NewCode, "it fetches code and runs it");
        seen.floor("running what was just fetched");
    }
    if code.contains(":(){") || code.contains(":|:") {
        seen.signal(Reason::Irreversible, "it multiplies itself without end");
        seen.floor("a command that multiplies itself");
    }
    commands
}

/// Whether the argument `given` is the long option `--option`, or a shortening of it that GNU programs take for it.
fn is_long(given: &str, option: &str) -> bool {
    let Some(given) = given.strip_prefix("--") else { return false };
    let given = given.split('=').next().unwrap_or(given);
    !given.is_empty() && option.starts_with(given)
}

/// Whether the argument `given` holds the short option `letter`, alone, glued to others or to its value.
fn is_short(given: &str, letter: char) -> bool {
    given.starts_with('-') && !given.starts_with("--") && given[1..].contains(letter)
}

#[cfg(test)]
mod tests;
