//! Work that is not committed: found by the index's times and sizes, settled by comparing contents here.
//!
//! Git's own comparison would run the repository's clean filters, so git only gives the old
//! contents and the comparison is made in this file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use timmy_domain::observation::ObservationKind;
use timmy_domain::text;
use tokio::time::Instant;

use super::mark::WORKS_MARKED_MAX;
use super::read::{self, Budget, Content, Text, hash};
use super::repo::{Repo, Stat, ask};
use super::walk::{Entry, Listing};
use super::{Scene, Seen, kind, words};

/// Files whose contents are compared in one look, newest first.
const COMPARED_MAX: usize = 40;

/// How a file differs from the last commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Changed,
    New,
    Deleted,
    Conflicted,
}

impl State {
    const ALL: [Self; 4] = [Self::Changed, Self::New, Self::Deleted, Self::Conflicted];

    const fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::New => "new",
            Self::Deleted => "deleted",
            Self::Conflicted => "in conflict",
        }
    }
}

/// A file that may differ from the last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    path: String,
    state: State,
    changed_ns: i64,
    bytes: u64,
    /// The object to compare with.
    base: Option<String>,
    /// Whether it differs for certain; otherwise only its time does.
    sure: bool,
}

/// A file that differs from the last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Work {
    /// Its path.
    pub path: String,
    state: State,
    changed_ns: i64,
    lines: String,
    /// A hash of path, state and content; a mere touch does not change it.
    pub version: String,
}

/// The files that may differ from the last commit, the newest first.
pub(super) fn candidates(listing: &Listing, repo: &Repo, depth: usize) -> Vec<Candidate> {
    let files: HashMap<&str, &Entry> = listing.files.iter().map(|e| (e.path.as_str(), e)).collect();
    let mut found = BTreeMap::new();
    for (path, tracked) in &repo.tracked {
        let entry = files.get(path.as_str()).copied();
        let base = Some(tracked.object.clone());
        let candidate = match entry {
            Some(_) if tracked.conflicted => of(path, State::Conflicted, entry, None, true),
            Some(_) if repo.head.is_none() => of(path, State::New, entry, None, true),
            Some(entry) => match differs(entry, tracked.stat) {
                Difference::None => continue,
                Difference::Time => of(path, State::Changed, Some(entry), base, false),
                Difference::Size => of(path, State::Changed, Some(entry), base, true),
            },
            None if listing.complete && !kind::is_path_left_out(path, depth) => {
                of(path, State::Deleted, None, None, true)
            }
            None => continue,
        };
        found.insert(path.as_str(), candidate);
    }
    for staged in &repo.staged {
        let entry = files.get(staged.path.as_str()).copied();
        let left_out = entry.is_none() && kind::is_path_left_out(&staged.path, depth);
        if left_out || found.get(staged.path.as_str()).is_some_and(|c| c.state == State::Conflicted) {
            continue;
        }
        let candidate = match (staged.letter, entry) {
            ('A', Some(_)) => of(&staged.path, State::New, entry, None, true),
            (_, Some(_)) => of(&staged.path, State::Changed, entry, Some(staged.object.clone()), true),
            ('A', None) => continue,
            (_, None) => of(&staged.path, State::Deleted, None, None, true),
        };
        found.insert(&staged.path, candidate);
    }
    for path in &repo.untracked {
        let entry = files.get(path.as_str()).copied();
        if entry.is_some() && !found.contains_key(path.as_str()) {
            found.insert(path, of(path, State::New, entry, None, true));
        }
    }
    let mut all: Vec<Candidate> = found.into_values().collect();
    all.sort_by(|a, b| b.changed_ns.cmp(&a.changed_ns).then_with(|| a.path.cmp(&b.path)));
    all
}

fn of(path: &str, state: State, entry: Option<&Entry>, base: Option<String>, sure: bool) -> Candidate {
    let (changed_ns, bytes) = entry.map_or((0, 0), |e| (e.changed_ns, e.bytes));
    Candidate { path: path.to_owned(), state, changed_ns, bytes, base, sure }
}

enum Difference {
    None,
    Time,
    Size,
}

fn differs(entry: &Entry, stat: Option<Stat>) -> Difference {
    let Some(stat) = stat else { return Difference::Time };
    // The index keeps sizes modulo 2³², and zero where it does not trust what it has.
    let size = entry.bytes & u64::from(u32::MAX);
    if stat.bytes != 0 && u64::from(stat.bytes) != size {
        return Difference::Size;
    }
    let (seconds, nanoseconds) =
        (entry.changed_ns.div_euclid(1_000_000_000), entry.changed_ns.rem_euclid(1_000_000_000));
    let same_time = stat.seconds == seconds && (stat.nanoseconds == nanoseconds || stat.nanoseconds == 0);
    if same_time && u64::from(stat.bytes) == size { Difference::None } else { Difference::Time }
}

/// The old texts of the newest candidates, by their object. What git cannot give in time is absent.
pub(super) async fn bases(
    path: &Path,
    candidates: &[Candidate],
    bytes_max: usize,
    deadline: Instant,
) -> HashMap<String, String> {
    let mut bases = HashMap::new();
    for object in candidates.iter().take(COMPARED_MAX).filter_map(|c| c.base.as_deref()) {
        if bases.contains_key(object) {
            continue;
        }
        let Ok(output) = ask(path, &["cat-file", "blob", object], deadline).await else { continue };
        let Ok(bytes) = output.whole() else { continue };
        if bytes.len() <= bytes_max
            && let Content::Text(text) = read::text_of(bytes, true)
        {
            bases.insert(object.to_owned(), text.text);
        }
    }
    bases
}

/// The candidates that do differ, the newest first.
pub(super) fn compare(
    scene: &Scene,
    candidates: Vec<Candidate>,
    bases: &HashMap<String, String>,
    budget: &mut Budget,
) -> Vec<Work> {
    let mut works = Vec::new();
    for (i, candidate) in candidates.into_iter().enumerate() {
        let content = if i < COMPARED_MAX && candidate.state != State::Deleted && may_be_text(&candidate.path) {
            read::read(&scene.root, &candidate.path, budget)
        } else {
            Content::OverBudget
        };
        let base = candidate.base.as_ref().and_then(|object| bases.get(object));
        let lines = match (&content, base) {
            (Content::Text(new), Some(old)) if new.whole && same_text(old, &new.text) => continue,
            (Content::Text(Text { text, .. }), Some(old)) => words::changed_lines(old, text),
            (Content::Text(Text { text, .. }), None) if candidate.state == State::New => words::excerpt(text),
            _ if !candidate.sure => continue,
            _ => String::new(),
        };
        let text = match &content {
            Content::Text(text) => text.text.as_bytes(),
            Content::Nothing | Content::OverBudget => b"",
        };
        let size = candidate.bytes.to_le_bytes();
        let Candidate { path, state, changed_ns, .. } = candidate;
        let version = hash([path.as_bytes(), b"\0", state.word().as_bytes(), &size, text]);
        works.push(Work { path, state, changed_ns, lines, version });
    }
    works
}

fn may_be_text(path: &str) -> bool {
    kind::of(path) != kind::Kind::NotText
}

/// Whether two texts are the same but for line endings, which git may convert on checkout.
fn same_text(old: &str, new: &str) -> bool {
    old == new || (new.contains('\r') && old.lines().eq(new.lines()))
}

/// What the uncommitted work has to tell: all of it at the first look, later what `known` does not
/// hold; nothing when there is none.
pub(super) fn tell(scene: &Scene, works: &[Work], known: Option<&[String]>) -> Option<Seen> {
    let is_news = |work: &&Work| known.is_none_or(|known| !known.contains(&work.version));
    // Beyond what a mark remembers, nobody can tell what is news.
    let works: Vec<&Work> = works.iter().take(WORKS_MARKED_MAX).filter(is_news).collect();
    if works.is_empty() {
        return None;
    }
    let counts = State::ALL.into_iter().filter_map(|state| {
        let count = works.iter().filter(|w| w.state == state).count();
        (count > 0).then(|| format!("{count} {}", state.word()))
    });
    let summary = format!(
        "{}: {} {}not committed ({}): {}.",
        scene.name,
        text::plural(works.len() as u64, "file", "files"),
        if known.is_some() { "touched since the last look and " } else { "" },
        counts.collect::<Vec<_>>().join(", "),
        words::files(works.iter().map(|w| w.path.as_str())),
    );
    let quotes = works.iter().take(words::FILES_QUOTED_MAX).map(|work| {
        let path = words::short(&work.path, words::TITLE_CHARS_MAX);
        match work.state {
            State::Deleted => format!("{path} (deleted)\n"),
            state => format!("{path} ({}, {})\n{}", state.word(), words::day(scene.now, work.changed_ns), work.lines),
        }
    });
    Some(words::seen(ObservationKind::Uncommitted, &summary, &quotes.collect::<String>()))
}
