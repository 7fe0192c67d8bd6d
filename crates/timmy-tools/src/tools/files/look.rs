//! Looking at files: what is in a folder, what is in a file, and where something stands.

use std::fmt::Write as _;

use regex::{Regex, RegexBuilder};
use timmy_domain::text;

use super::tree::{self, ENTRIES_MAX, Kind, Rules, list};
use super::way::{self, Want};
use crate::ToolError;
use crate::folder::{is_left_out, is_secret};
use crate::tool::outcome::{Outcome, TEXT_BYTES_MAX, TOUCHED_MAX, Touched, head};
use crate::tool::scope::{Grants, Within, shown};

/// Bytes one search reads.
const SEARCH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of a file that is searched; larger ones are passed over.
const SEARCH_FILE_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Levels a search goes down.
const SEARCH_LEVELS_MAX: usize = 24;

/// Characters that are told of a line.
const LINE_CHARS_MAX: usize = 300;

/// Bytes the automaton of a pattern may take.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Lists the folder `within` names.
///
/// # Errors
/// What the way to it gives.
pub fn folder(
    grants: &Grants,
    within: &Within<'_>,
    levels: usize,
    stopped: &dyn Fn() -> bool,
) -> Result<Outcome, ToolError> {
    // Whatever git keeps for itself is of no use to anybody else.
    let rules = Rules { levels, entries: 2_000, leaves_out: |name, is_folder| is_folder && name == ".git", stopped };
    let tree = list(grants, within, &rules)?;
    let mut out =
        format!("{}, {}:\n", shown(&within.path()), text::plural(tree.entries.len() as u64, "entry", "entries"));
    for entry in &tree.entries {
        // Writing into a string cannot fail.
        let _ = match entry.kind {
            Kind::Folder => writeln!(out, "{}/", shown(&entry.path())),
            Kind::File(bytes) => writeln!(out, "{} ({})", shown(&entry.path()), text::plural(bytes, "byte", "bytes")),
            Kind::Link => writeln!(out, "{} (a link, not followed)", shown(&entry.path())),
            Kind::Other => writeln!(out, "{} (no regular file)", shown(&entry.path())),
        };
    }
    let (text, cut) = head(&out, TEXT_BYTES_MAX);
    Ok(Outcome { text, truncated: cut || !tree.complete, ..Outcome::default() })
}

/// Reads lines of the file `within` names, from the line `from`, counted from 1.
///
/// # Errors
/// What the way to it gives, and [`ToolError::Permanent`] for what is no text.
pub fn file(grants: &Grants, within: &Within<'_>, from: usize, lines: usize) -> Result<Outcome, ToolError> {
    let spot = way::spot(grants, within, Want::Read, false)?;
    let snapshot = spot.snapshot()?;
    let path = shown(&spot.path);
    let text = match std::str::from_utf8(&snapshot.bytes) {
        Ok(text) if !text.contains('\0') => text,
        _ => {
            let message = format!(
                "{path} is no text: {} of something else.",
                text::plural(snapshot.bytes.len() as u64, "byte", "bytes")
            );
            return Err(ToolError::permanent("not_text", message, "Use a program that knows this kind of file."));
        }
    };
    if text.contains("PRIVATE KEY-----") {
        let message = format!("{path} holds a private key; tools do not open it.");
        return Err(ToolError::refused("secret_file", message, "Do this by hand."));
    }
    let all = text.lines().count();
    let chosen: Vec<&str> = text.lines().skip(from.saturating_sub(1)).take(lines).collect();
    let until = from.saturating_sub(1) + chosen.len();
    let title =
        if all == 0 { format!("{path} is empty.\n") } else { format!("{path}, lines {from} to {until} of {all}:\n") };
    let (told, cut) = head(&format!("{title}{}", chosen.join("\n")), TEXT_BYTES_MAX);
    let touched = Touched {
        path: spot.path.clone(),
        identity: Some(snapshot.identity),
        before_sha256: Some(snapshot.sha256),
        after_sha256: None,
    };
    Ok(Outcome {
        text: told,
        truncated: cut || until < all,
        bytes_in: snapshot.bytes.len() as u64,
        touched: vec![touched],
        ..Outcome::default()
    })
}

/// What is searched for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pattern: Regex,
    files: Option<glob::Pattern>,
    matches_max: usize,
}

impl Wanted {
    /// `pattern`, literally or as a regular expression, in files whose path or name fits the shell pattern `files`.
    ///
    /// # Errors
    /// Which argument is wrong, and what is wrong with it.
    pub fn new(
        pattern: &str,
        is_regex: bool,
        ignore_case: bool,
        files: Option<&str>,
        matches_max: usize,
    ) -> Result<Self, (&'static str, String)> {
        let literal = regex::escape(pattern);
        let built = RegexBuilder::new(if is_regex { pattern } else { &literal })
            .case_insensitive(ignore_case)
            .size_limit(PATTERN_BYTES_MAX)
            .dfa_size_limit(PATTERN_BYTES_MAX)
            .build();
        let why = |error: regex::Error| match error {
            regex::Error::CompiledTooBig(_) => "is too large a regular expression".to_owned(),
            other => {
                let last = other.to_string();
                format!("is no regular expression: {}", text::one_line(last.lines().last().unwrap_or_default()))
            }
        };
        let pattern = built.map_err(|error| ("pattern", why(error)))?;
        let files = files.map(glob::Pattern::new).transpose();
        let files = files.map_err(|error| ("files", format!("is no pattern of names: {}", error.msg)))?;
        Ok(Self { pattern, files, matches_max })
    }

    fn wants(&self, entry: &tree::Entry) -> bool {
        let Some(files) = &self.files else { return true };
        let exact = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::default() };
        files.matches_with(&entry.path(), exact)
            || entry.parts.last().is_some_and(|name| files.matches_with(name, exact))
    }
}

/// Searches the files below the folder `within` names. Hidden files, what tools made and what looks secret is passed
/// over, as are large files and those that are no text.
///
/// # Errors
/// What the way to the folder gives.
pub fn search(
    grants: &Grants,
    within: &Within<'_>,
    wanted: &Wanted,
    stopped: &dyn Fn() -> bool,
) -> Result<Outcome, ToolError> {
    let rules = Rules { levels: SEARCH_LEVELS_MAX, entries: ENTRIES_MAX, leaves_out: is_left_out, stopped };
    let tree = list(grants, within, &rules)?;
    let mut found = Found { out: String::new(), matches: 0, bytes: 0, complete: tree.complete, touched: Vec::new() };
    for entry in tree.entries.iter().filter(|entry| wanted.wants(entry)) {
        let Kind::File(bytes) = entry.kind else { continue };
        if bytes > SEARCH_FILE_BYTES_MAX || entry.parts.iter().any(|part| is_secret(part)) {
            continue;
        }
        let full = found.matches >= wanted.matches_max || found.out.len() >= TEXT_BYTES_MAX;
        if full || found.bytes + bytes > SEARCH_BYTES_MAX || stopped() {
            found.complete = false;
            break;
        }
        found.look_into(grants, within, entry, wanted);
    }
    let count = text::plural(found.matches as u64, "line", "lines");
    let title = format!(
        "{count} below {}{}\n",
        shown(&within.path()),
        if found.complete { ":" } else { ", and perhaps more:" }
    );
    let (text, cut) = head(&(title + &found.out), TEXT_BYTES_MAX);
    Ok(Outcome {
        text,
        truncated: cut || !found.complete,
        bytes_in: found.bytes,
        touched: found.touched,
        ..Outcome::default()
    })
}

struct Found {
    out: String,
    matches: usize,
    bytes: u64,
    complete: bool,
    touched: Vec<Touched>,
}

impl Found {
    fn look_into(&mut self, grants: &Grants, within: &Within<'_>, entry: &tree::Entry, wanted: &Wanted) {
        let mut there = within.clone();
        there.parts.extend(entry.parts.iter().cloned());
        // Gone or changed into something else meanwhile: as if it had never been there.
        let Ok(snapshot) = way::spot(grants, &there, Want::Read, false).and_then(|spot| spot.snapshot()) else {
            return;
        };
        self.bytes += snapshot.bytes.len() as u64;
        let Ok(text) = std::str::from_utf8(&snapshot.bytes) else { return };
        if text.contains('\0') || text.contains("PRIVATE KEY-----") {
            return;
        }
        let before = self.matches;
        for (n, line) in text.lines().enumerate().filter(|(_, line)| wanted.pattern.is_match(line)) {
            if self.matches >= wanted.matches_max {
                self.complete = false;
                break;
            }
            self.matches += 1;
            let line = text::cut(&text::one_line(line), LINE_CHARS_MAX);
            // Writing into a string cannot fail.
            let _ = writeln!(self.out, "{}:{}: {line}", shown(&entry.path()), n + 1);
        }
        if self.matches > before && self.touched.len() < TOUCHED_MAX {
            let identity = Some(snapshot.identity);
            let before_sha256 = Some(snapshot.sha256);
            self.touched.push(Touched { path: there.path(), identity, before_sha256, after_sha256: None });
        }
    }
}
