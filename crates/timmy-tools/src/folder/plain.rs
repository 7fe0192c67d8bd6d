//! Text files without git's help: the most recent ones, and those that changed since the last look.

use std::time::Duration;

use timmy_domain::observation::ObservationKind;
use timmy_domain::text;

use super::kind::{self, Kind};
use super::mark::{FILES_MARKED_MAX, FileMark, Mark};
use super::read::{self, Budget, Content, Text, hash};
use super::walk::Entry;
use super::{Scene, Seen, words};

/// How far ahead of the clock a file's time may lie and still count as the newest one.
const CLOCK_AHEAD_SECONDS_MAX: u64 = 24 * 60 * 60;

/// The mark of a file in which there was no text.
const NO_TEXT: &str = "-";

/// A text file that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Changed {
    path: String,
    changed_ns: i64,
    is_new: bool,
    lines: String,
}

/// The files that may be text, the most recently changed ones first.
fn newest_first(scene: &Scene) -> Vec<&Entry> {
    let may_be_text = |e: &&Entry| kind::of(&e.path) != Kind::NotText;
    let mut files: Vec<&Entry> = scene.listing.files.iter().filter(may_be_text).collect();
    files.sort_by(|a, b| b.changed_ns.cmp(&a.changed_ns).then_with(|| a.path.cmp(&b.path)));
    files
}

/// The most recently changed text files, of those that are `ours` to tell about.
pub(super) fn recent(scene: &Scene, ours: &dyn Fn(&str) -> bool, budget: &mut Budget) -> Option<Seen> {
    let files = newest_first(scene).into_iter().filter(|e| e.bytes > 0 && ours(&e.path)).take(FILES_MARKED_MAX);
    let texts = files.filter_map(|e| match read::read(&scene.root, &e.path, budget) {
        Content::Text(text) => Some((e, text)),
        _ => None,
    });
    let texts: Vec<(&Entry, Text)> = texts.take(words::FILES_QUOTED_MAX).collect();
    let (newest, _) = texts.first()?;
    let mut summary = format!(
        "{}: the most recently changed file is {}, {}",
        scene.name,
        words::short(&newest.path, words::NAME_CHARS_MAX),
        words::day(scene.now, newest.changed_ns)
    );
    if texts.len() > 1 {
        summary += &format!("; before it {}", words::files(texts[1..].iter().map(|(e, _)| e.path.as_str())));
    }
    let quotes = texts.iter().map(|(e, text)| quote(scene, &e.path, e.changed_ns, &words::excerpt(&text.text)));
    Some(words::seen(ObservationKind::Files, &(summary + "."), &quotes.collect::<String>()))
}

fn quote(scene: &Scene, path: &str, changed_ns: i64, lines: &str) -> String {
    format!("{} ({})\n{lines}", words::short(path, words::TITLE_CHARS_MAX), words::day(scene.now, changed_ns))
}

/// The text files that changed since the last look, and the mark for the next one.
///
/// A file the last mark remembers has changed when its content has. A file it does not remember is
/// new when the mark remembers all there were, and otherwise when it is newer than all of them.
pub(super) fn changes(scene: &Scene, budget: &mut Budget) -> (Vec<Changed>, Mark) {
    let last = scene.last.as_ref();
    let latest = scene.now.plus(Duration::from_secs(CLOCK_AHEAD_SECONDS_MAX)).micros().saturating_mul(1_000);
    let times = scene.listing.files.iter().map(|e| e.changed_ns).filter(|ns| *ns <= latest);
    let newest_ns = times.chain(last.map(|m| m.newest_ns)).max().unwrap_or(0);
    let mut mark = Mark::of_folder(newest_ns);
    mark.whole = scene.listing.complete;
    let mut changed = Vec::new();
    for (i, entry) in newest_first(scene).into_iter().enumerate() {
        let before = last.and_then(|m| m.file(&entry.path));
        if let Some(before) = before.as_ref().filter(|b| b.changed_ns == entry.changed_ns && b.bytes == entry.bytes) {
            mark.remember(entry, &before.hash);
            continue;
        }
        let is_old = before.is_none() && last.is_none_or(|m| !m.whole && entry.changed_ns <= m.newest_ns);
        if i >= FILES_MARKED_MAX && is_old {
            mark.whole = false;
            continue;
        }
        let content = read::read(&scene.root, &entry.path, budget);
        let now = match &content {
            Content::Text(text) => hash([text.text.as_bytes()]),
            Content::Nothing => NO_TEXT.to_owned(),
            Content::OverBudget => String::new(),
        };
        mark.remember(entry, &now);
        let same = before.as_ref().is_some_and(|b| b.hash == now && b.bytes == entry.bytes && !now.is_empty());
        if !is_old && !same && now != NO_TEXT && entry.bytes > 0 {
            let lines =
                if changed.len() < words::FILES_QUOTED_MAX { new_lines(&content, before.as_ref()) } else { None };
            changed.push(Changed {
                path: entry.path.clone(),
                changed_ns: entry.changed_ns,
                is_new: before.is_none(),
                lines: lines.unwrap_or_default(),
            });
        }
    }
    (changed, mark)
}

/// What to quote of a changed file: what was added, where it only grew; its beginning otherwise.
fn new_lines(content: &Content, before: Option<&FileMark>) -> Option<String> {
    let Content::Text(Text { text, .. }) = content else { return None };
    let grown = before.and_then(|b| {
        let (old, added) = text.split_at_checked(usize::try_from(b.bytes).ok()?)?;
        (hash([old.as_bytes()]) == b.hash).then_some(added)
    });
    Some(grown.map_or_else(|| words::excerpt(text), |added| words::changed_lines("", added)))
}

/// What the changed files have to tell; nothing when there are none.
pub(super) fn tell(scene: &Scene, changed: &[Changed]) -> Option<Seen> {
    if changed.is_empty() {
        return None;
    }
    let new = changed.iter().filter(|c| c.is_new).count();
    let old = changed.len() - new;
    let mut parts = Vec::new();
    if old > 0 {
        parts.push(format!("{} changed", text::plural(old as u64, "file", "files")));
    }
    if new > 0 {
        parts.push(text::plural(new as u64, "new file", "new files"));
    }
    let summary = format!(
        "{}: {} since the last look: {}.",
        scene.name,
        words::joined(&parts),
        words::files(changed.iter().map(|c| c.path.as_str()))
    );
    let quotes = changed.iter().take(words::FILES_QUOTED_MAX);
    let quotes: String = quotes.map(|c| quote(scene, &c.path, c.changed_ns, &c.lines)).collect();
    Some(words::seen(ObservationKind::Files, &summary, &quotes))
}
