//! Commits: the last ones at the first look, the new ones later, and history that was rewritten.

use std::path::Path;

use timmy_domain::observation::ObservationKind;
use timmy_domain::{Timestamp, text};
use tokio::time::Instant;

use super::mark::GitMark;
use super::repo::{Repo, ask};
use super::{Seen, words};
use crate::ToolError;

/// Commits told one by one.
const COMMITS_TOLD_MAX: &str = "--max-count=5";

/// How far back "the last week" goes.
const WEEK_SECONDS: i64 = 7 * 24 * 60 * 60;

/// Fields of one commit in git's answer: hash, time, author, subject. No message can hold a zero byte.
const FORMAT: &str = "--format=%H%x00%ct%x00%an%x00%s";
const FIELDS: usize = 4;

/// Digits of a hash that are shown.
const HASH_DIGITS_SHOWN: usize = 7;

/// One commit, made safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    /// Its hash.
    pub hash: String,
    at_ns: i64,
    /// Who made it.
    pub author: String,
    /// Its first line.
    pub subject: String,
}

/// What the commits of the repository have to tell since the look that gave `before`.
pub(super) async fn tell(
    path: &Path,
    name: &str,
    repo: &Repo,
    before: Option<&GitMark>,
    now: Timestamp,
    deadline: Instant,
) -> Result<Option<Seen>, ToolError> {
    let Some(head) = repo.head.as_deref() else { return Ok(None) };
    let place = repo.on_branch();
    let (range, what) = match before {
        None => {
            let since = format!("--max-age={}", now.unix_seconds() - WEEK_SECONDS);
            let what = match count(path, &["rev-list", "--count", &since, head], deadline).await? {
                0 => format!("no commit in the last week {place}"),
                n => format!("{} in the last week {place}", text::plural(n, "commit", "commits")),
            };
            (head.to_owned(), what)
        }
        Some(GitMark { head: None, .. }) => {
            let n = count(path, &["rev-list", "--count", head], deadline).await?;
            (head.to_owned(), format!("the first {} {place}", text::plural(n, "commit", "commits")))
        }
        Some(GitMark { head: Some(old), branch, .. }) => {
            let switched = *branch != repo.branch;
            if old == head {
                return Ok(switched.then(|| same_commit(name, &place, repo.branch.is_some())));
            }
            let ancestor = ask(path, &["merge-base", "--is-ancestor", old, head], deadline).await?;
            if !ancestor.status.success() {
                // A vanished old commit gives another failing status; the history was rewritten then, too.
                let what = if switched { "now" } else { "the history was rewritten" };
                (head.to_owned(), format!("{what} {place}"))
            } else {
                let range = format!("{old}..{head}");
                let n = count(path, &["rev-list", "--count", &range], deadline).await?;
                let moved = if switched { "now " } else { "" };
                let what = format!("{} {moved}{place}", text::plural(n, "new commit", "new commits"));
                (range, what)
            }
        }
    };
    let commits = log(path, &range, deadline).await?;
    Ok(commits.first().map(|latest| {
        let Commit { subject, author, at_ns, .. } = latest;
        let summary = format!("{name}: {what}, latest “{subject}” by {author} {}.", words::day(now, *at_ns));
        let lines = commits.iter().map(|c| {
            let shown = &c.hash[..c.hash.len().min(HASH_DIGITS_SHOWN)];
            format!("{shown}, {}, {}: {}\n", words::day(now, c.at_ns), c.author, c.subject)
        });
        words::seen(ObservationKind::Commits, &summary, &lines.collect::<String>())
    }))
}

fn same_commit(name: &str, place: &str, is_branch: bool) -> Seen {
    let what = if is_branch { "now" } else { "at the same commit, now" };
    words::seen(ObservationKind::Commits, &format!("{name}: {what} {place}, with no new commit."), "")
}

async fn count(path: &Path, args: &[&str], deadline: Instant) -> Result<u64, ToolError> {
    let output = ask(path, args, deadline).await?.whole()?;
    Ok(String::from_utf8_lossy(&output).trim().parse().unwrap_or(0))
}

async fn log(path: &Path, range: &str, deadline: Instant) -> Result<Vec<Commit>, ToolError> {
    let args = [
        "log",
        "-z",
        "--no-color",
        "--no-decorate",
        "--no-mailmap",
        "--no-notes",
        "--no-patch",
        "--no-show-signature",
        "--encoding=UTF-8",
        COMMITS_TOLD_MAX,
        FORMAT,
        range,
    ];
    Ok(parse(&ask(path, &args, deadline).await?.whole()?))
}

pub(super) fn parse(output: &[u8]) -> Vec<Commit> {
    let fields: Vec<String> = output.split(|b| *b == 0).map(|f| String::from_utf8_lossy(f).into_owned()).collect();
    let commits = fields.chunks_exact(FIELDS).filter_map(|f| {
        let seconds: i64 = f[1].parse().ok()?;
        let or = |text: String, empty: &str| if text.is_empty() { empty.to_owned() } else { text };
        Some(Commit {
            hash: words::short(&f[0], 64),
            at_ns: seconds.saturating_mul(1_000_000_000),
            author: or(words::short(&f[2], words::NAME_CHARS_MAX), "nobody"),
            subject: or(words::short(&f[3], words::TITLE_CHARS_MAX), "(no subject)"),
        })
    });
    commits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_made_to_confuse_stays_one_commit_on_one_line() {
        let commits =
            parse(b"aa\x0012\x00Eve\x1b[31m\x00fix\x1f\x1e\xe2\x80\xae all\x00bb\x00x\x00\x00\x00cc\x0013\x00\x00\x00");
        let rows: Vec<_> = commits.iter().map(|c| (c.hash.as_str(), c.author.as_str(), c.subject.as_str())).collect();
        assert_eq!(rows, [("aa", "Eve [31m", "fix all"), ("cc", "nobody", "(no subject)")]);
    }
}
