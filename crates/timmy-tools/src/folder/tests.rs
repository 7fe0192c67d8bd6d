use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use crate::testing::{folder, now, raw_git, repository, touch, write};

mod hostile;
mod repositories;

async fn first(path: &Path) -> Look {
    look(path, None, now(), &Limits::default()).await.unwrap()
}

async fn again(path: &Path, before: &Look) -> Look {
    look(path, Some(&before.mark), now(), &Limits::default()).await.unwrap()
}

fn summaries(look: &Look) -> Vec<&str> {
    look.observations.iter().map(|o| o.summary.as_str()).collect()
}

fn only(look: &Look) -> &Seen {
    assert_eq!(look.observations.len(), 1, "{look:#?}");
    &look.observations[0]
}

#[tokio::test]
async fn a_first_look_tells_what_a_plain_folder_is_and_what_is_recent() {
    let (_outer, notes) = folder("notes");
    write(&notes, "README.txt", "My notes\n\nAll of them.\n", 90_000);
    write(&notes, "ideas.md", "# Ideas\n\nA kite that sings.\n", 7_300);
    write(&notes, "old/plan.md", "Plan\n", 1_000_000);
    write(&notes, "picture.png", [0x89, b'P', 0, 0], 60);
    let look = first(&notes).await;
    assert_eq!(
        summaries(&look),
        [
            "notes: a folder with 3 text files, Markdown and plain text; its read-me begins “My notes”.",
            "notes: the most recently changed file is ideas.md, on 18 May; before it README.txt and old/plan.md.",
        ]
    );
    assert_eq!(look.observations[0].detail, "Markdown 2, plain text 1\nRead-me:\nMy notes\n\nAll of them.");
    assert!(look.observations[1].detail.starts_with("ideas.md (on 18 May)\n# Ideas\nA kite that sings.\nREADME.txt"));
    assert_eq!(again(&notes, &look).await.observations, []);
}

#[tokio::test]
async fn a_later_look_tells_only_what_changed_in_content() {
    let (_outer, notes) = folder("notes");
    write(&notes, "diary.md", "Monday: rain.\n", 9_000);
    write(&notes, "list.txt", "milk\n", 9_000);
    let one = first(&notes).await;
    touch(&notes.join("list.txt"), 100);
    let two = again(&notes, &one).await;
    assert_eq!(two.observations, [], "a touch changes no content");

    write(&notes, "diary.md", "Monday: rain.\nTuesday: sun.\n", 300);
    write(&notes, "fresh.md", "Hello.\n", 1_000_000);
    write(&notes, "blob.md", b"a\0b", 10);
    let three = again(&notes, &two).await;
    let seen = only(&three);
    assert_eq!(seen.summary, "notes: 1 file changed and 1 new file since the last look: diary.md and fresh.md.");
    assert_eq!(seen.kind, ObservationKind::Files);
    assert_eq!(seen.detail, "diary.md (on 18 May)\n+ Tuesday: sun.\nfresh.md (on 6 May)\nHello.");
    assert_eq!(again(&notes, &three).await.observations, []);
}

#[tokio::test]
async fn an_old_mark_of_another_form_begins_anew() {
    let (_outer, notes) = folder("notes");
    write(&notes, "a.md", "A\n", 10);
    let look = look(&notes, Some("{\"form\":99}"), now(), &Limits::default()).await.unwrap();
    assert_eq!(look.observations.len(), 2, "{look:#?}");
}

#[tokio::test]
async fn five_thousand_files_are_counted_and_one_more_is_noticed() {
    let (_outer, big) = folder("big");
    for i in 0..5_000 {
        write(&big, &format!("d{}/{i}.txt", i % 50), format!("number {i}\n"), 10_000);
    }
    let one = first(&big).await;
    assert!(one.observations[0].summary.contains("with 5000 text files"), "{:?}", summaries(&one));
    assert!(one.mark.len() <= MARK_BYTES_MAX);
    let two = again(&big, &one).await;
    assert_eq!(two.observations, []);
    write(&big, "d7/late.txt", "late\n", 50);
    write(&big, "d8/8.txt", "number eight\n", 60);
    let three = again(&big, &two).await;
    let summary = &only(&three).summary;
    assert!(summary.contains("d7/late.txt and d8/8.txt"), "{summary}");
    assert_eq!(again(&big, &three).await.observations, []);
}

#[tokio::test]
async fn the_bounds_on_entries_and_bytes_hold() {
    let (_outer, notes) = folder("notes");
    for i in 0..50 {
        write(&notes, &format!("{i}.md"), format!("{i} {}\n", "x".repeat(10_000)), 1_000);
    }
    let few = Limits { entries: 10, ..Limits::default() };
    let some = look(&notes, None, now(), &few).await.unwrap();
    assert!(some.observations[0].summary.contains("at least 10 text files"), "{:?}", summaries(&some));
    let small = Limits { total_bytes: 25_000, ..Limits::default() };
    let one = look(&notes, None, now(), &small).await.unwrap();
    let two = look(&notes, Some(&one.mark), now(), &small).await.unwrap();
    assert_eq!(two.observations, [], "what was not read has not changed");
    for seen in one.observations {
        assert!(seen.detail.chars().count() <= timmy_domain::observation::OBSERVATION_CHARS_MAX);
    }
}

#[tokio::test]
async fn of_a_huge_file_only_the_beginning_is_read() {
    let (_outer, logs) = folder("logs");
    let line = "all is well\n";
    write(&logs, "big.log", line.repeat(100_000), 5_000);
    fs::File::create(logs.join("sparse")).unwrap().set_len(50 * 1024 * 1024 * 1024).unwrap();
    let one = first(&logs).await;
    assert!(one.observations[1].detail.contains("all is well"));
    write(&logs, "big.log", line.repeat(100_001), 50);
    let two = again(&logs, &one).await;
    assert_eq!(only(&two).summary, "logs: 1 file changed since the last look: big.log.");
}

#[tokio::test]
async fn a_folder_that_is_gone_or_became_a_link_is_an_error() {
    let (outer, notes) = folder("notes");
    symlink(&notes, outer.path().join("link")).unwrap();
    for path in [outer.path().join("gone"), outer.path().join("link")] {
        let error = look(&path, None, now(), &Limits::default()).await.unwrap_err();
        assert!(matches!(error, ToolError::NotAFolder { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_empty_folder_says_so() {
    let (_outer, empty) = folder("empty");
    let look = first(&empty).await;
    assert_eq!(only(&look).summary, "empty: a folder without files to read.");
    assert_eq!(again(&empty, &look).await.observations, []);
}

#[test]
fn a_listing_that_is_stopped_says_that_it_is_not_complete() {
    let (_outer, notes) = folder("notes");
    write(&notes, "a/b.md", "x", 5);
    let root = open_root(&notes).unwrap();
    let rules = || Rules { entries: 10, depth: 1, leaves_out: kind::is_left_out };
    let all = list(&root, &rules(), &|| false);
    assert_eq!((all.files.len(), all.complete), (1, true));
    let none = list(&root, &rules(), &|| true);
    assert_eq!((none.files.len(), none.complete), (0, false));
    let shallow = list(&root, &Rules { depth: 0, ..rules() }, &|| false);
    assert_eq!(shallow.files.len(), 0);
}
