//! What git knows about a repository, as values: head, branch, index, staged and untracked files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::time::Instant;

use super::words;
use crate::ToolError;
use crate::git::{GIT_BOUNDS, git};
use crate::process::{Bounds, Output};

/// The mode bit pattern of a regular file in the index.
const MODE_REGULAR: &str = "100";

/// A repository at one moment.
#[derive(Debug, Default)]
pub(super) struct Repo {
    /// The commit that is checked out; `None` before the first one.
    pub head: Option<String>,
    /// The branch; `None` when none is checked out.
    pub branch: Option<String>,
    /// The regular files of the index.
    pub tracked: BTreeMap<String, Tracked>,
    /// What the index adds to, changes in or takes from the head.
    pub staged: Vec<Staged>,
    /// Files git neither has nor ignores.
    pub untracked: BTreeSet<String>,
}

/// A file of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracked {
    /// The object with its content.
    pub object: String,
    /// The file as it was when git last compared it.
    pub stat: Option<Stat>,
    /// Whether a merge left it in conflict.
    pub conflicted: bool,
}

/// Time and size of a file, as the index keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// When it changed: seconds since the epoch.
    pub seconds: i64,
    /// And nanoseconds; zero where git was built without them.
    pub nanoseconds: i64,
    /// Size in bytes, modulo 2³²; zero when git does not trust it.
    pub bytes: u32,
}

/// A difference between the head and the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Staged {
    /// `A`, `M`, `D` or `T`.
    pub letter: char,
    /// The object of the head.
    pub object: String,
    /// The path.
    pub path: String,
}

impl Repo {
    /// Asks git. Takes a handful of short commands.
    pub(super) async fn read(path: &Path, deadline: Instant) -> Result<Self, ToolError> {
        // This one also tells a repository without commits from something git cannot read at all.
        let branch = ask(path, &["symbolic-ref", "--quiet", "--short", "HEAD"], deadline).await?;
        let branch = one_line(branch, 1)?.map(|b| words::short(&b, words::NAME_CHARS_MAX));
        let head = ask(path, &["rev-parse", "--verify", "--quiet", "--end-of-options", "HEAD^{commit}"], deadline);
        let head = one_line(head.await?, 1)?;
        let index = ask(path, &["ls-files", "-z", "-s", "-t", "--debug"], deadline).await?.whole()?;
        let untracked = ask(path, &["ls-files", "-z", "--others", "--exclude-standard"], deadline).await?.whole()?;
        let staged = match &head {
            None => Vec::new(),
            Some(head) => parse_staged(&ask(path, &diff_index(head), deadline).await?.whole()?),
        };
        let untracked = untracked.split(|b| *b == 0).filter_map(|p| std::str::from_utf8(p).ok());
        let untracked = untracked.filter(|p| !p.is_empty()).map(str::to_owned).collect();
        Ok(Self { head, branch, tracked: parse_index(&index), staged, untracked })
    }

    /// Whether git has or would take this file: it is not an ignored one.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.tracked.contains_key(path) || self.untracked.contains(path)
    }

    /// `on main`, or `on no branch`.
    pub(super) fn on_branch(&self) -> String {
        self.branch.as_ref().map_or_else(|| "on no branch".to_owned(), |branch| format!("on {branch}"))
    }
}

/// Asks git within what is left of the look.
pub(super) async fn ask(path: &Path, args: &[&str], deadline: Instant) -> Result<Output, ToolError> {
    let left = deadline.saturating_duration_since(Instant::now());
    git(path, args, Bounds { time: GIT_BOUNDS.time.min(left), ..GIT_BOUNDS }).await
}

fn diff_index(head: &str) -> [&str; 9] {
    ["diff-index", "-z", "--cached", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv", head]
}

/// The one line of an answer; `None` when git ended with the status that means "there is none".
fn one_line(output: Output, none_status: i32) -> Result<Option<String>, ToolError> {
    if output.status.code() == Some(none_status) {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&output.whole()?).trim().to_owned()))
}

/// Reads `ls-files -z -s -t --debug`: for each file `TAG MODE OBJECT STAGE<tab>PATH`, a zero byte and
/// indented lines about the file. Where those lines are not as expected, `stat` is `None`.
pub(super) fn parse_index(output: &[u8]) -> BTreeMap<String, Tracked> {
    let mut tracked = BTreeMap::new();
    let mut parts = output.split(|b| *b == 0);
    let mut head = parts.next().unwrap_or_default().to_vec();
    for part in parts {
        // The debug lines of one file and the head of the next stand in the same part.
        let lines_end = part.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let (about, next) = split_debug(part, lines_end);
        if let Some((path, file)) = parse_file(&head, about) {
            tracked.insert(path, file);
        }
        head = next.to_vec();
    }
    tracked
}

/// A path may itself hold line breaks, so the debug lines end after the last line that is indented.
fn split_debug(part: &[u8], lines_end: usize) -> (&[u8], &[u8]) {
    let mut end = 0;
    while part[end..lines_end].starts_with(b"  ") {
        end += part[end..lines_end].iter().position(|b| *b == b'\n').map_or(lines_end - end, |at| at + 1);
    }
    part.split_at(end)
}

fn parse_file(head: &[u8], about: &[u8]) -> Option<(String, Tracked)> {
    let (facts, path) = std::str::from_utf8(head).ok()?.split_once('\t')?;
    let mut facts = facts.split(' ');
    let (tag, mode, object, stage) = (facts.next()?, facts.next()?, facts.next()?, facts.next()?);
    // `S` is a file that a sparse checkout leaves out of the work tree.
    if tag == "S" || !mode.starts_with(MODE_REGULAR) {
        return None;
    }
    let stat = std::str::from_utf8(about).ok().and_then(parse_stat);
    Some((path.to_owned(), Tracked { object: object.to_owned(), stat, conflicted: stage != "0" }))
}

fn parse_stat(about: &str) -> Option<Stat> {
    let field = |name: &str| about.lines().find_map(|line| line.trim_start().strip_prefix(name));
    let (seconds, nanoseconds) = field("mtime: ")?.split_once(':')?;
    let bytes = field("size: ")?.split_whitespace().next()?;
    Some(Stat {
        seconds: seconds.parse().ok()?,
        nanoseconds: nanoseconds.trim().parse().ok()?,
        bytes: bytes.parse().ok()?,
    })
}

/// Reads `diff-index -z --raw`: `:OLDMODE NEWMODE OLDOBJECT NEWOBJECT LETTER`, zero, path, zero.
pub(super) fn parse_staged(output: &[u8]) -> Vec<Staged> {
    let parts: Vec<&[u8]> = output.split(|b| *b == 0).collect();
    let pairs = parts.chunks_exact(2).filter_map(|pair| {
        let facts: Vec<&str> = std::str::from_utf8(pair[0]).ok()?.split(' ').collect();
        let [modes, new_mode, object, _, letter] = facts[..] else { return None };
        // A link or a submodule is not a file; for a deleted file the new mode is zero.
        let mode = if letter.starts_with('D') { modes.trim_start_matches(':') } else { new_mode };
        let path = std::str::from_utf8(pair[1]).ok()?.to_owned();
        let letter = letter.chars().next()?;
        mode.starts_with(MODE_REGULAR).then(|| Staged { letter, object: object.to_owned(), path })
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_read_with_names_that_try_to_confuse() {
        let about =
            "  ctime: 1:2\n  mtime: 1795227976:724508149\n  dev: 1\tino: 2\n  uid: 0\tgid: 0\n  size: 3\tflags: 0\n";
        let text = format!(
            "H 100644 aa 0\tplain\0{about}H 100644 bb 0\tline\n  mtime: 9:9\0{about}H 120000 cc 0\tlink\0{about}\
             S 100644 dd 0\tsparse\0{about}M 100755 ee 2\tclash\0  new form\n"
        );
        let index = parse_index(text.as_bytes());
        let stat = Some(Stat { seconds: 1_795_227_976, nanoseconds: 724_508_149, bytes: 3 });
        assert_eq!(index.keys().collect::<Vec<_>>(), ["clash", "line\n  mtime: 9:9", "plain"]);
        assert_eq!(index["plain"], Tracked { object: "aa".into(), stat, conflicted: false });
        assert_eq!(index["line\n  mtime: 9:9"].stat, stat);
        assert_eq!(index["clash"], Tracked { object: "ee".into(), stat: None, conflicted: true });
        assert!(parse_index(b"").is_empty() && parse_index(b"nonsense\0\0").is_empty());
    }

    #[test]
    fn staged_files_are_read_and_links_are_not() {
        let text = ":100644 100644 aa bb M\0a b\0:000000 120000 00 cc A\0link\0:100644 000000 dd 00 D\0gone\0";
        let staged = parse_staged(text.as_bytes());
        let rows: Vec<_> = staged.iter().map(|s| (s.letter, s.object.as_str(), s.path.as_str())).collect();
        assert_eq!(rows, [('M', "aa", "a b"), ('D', "dd", "gone")]);
    }
}
