use std::os::unix::net::UnixListener;

use super::*;
use crate::testing::{lay_traps, pipe as make_pipe};

/// Stands in everything that must not be read.
const CANARY: &str = "canary-8d1f";

fn assert_untold(look: &Look, words: &[&str]) {
    let told = format!("{look:?}");
    for word in words {
        assert!(!told.contains(word), "{word} in {told}");
    }
}

#[tokio::test]
async fn secrets_are_neither_read_nor_named() {
    let secrets = [
        ".env",
        ".env.local",
        "server.pem",
        "tls.key",
        "id_rsa",
        "id_rsa.old",
        "store.p12",
        "vault.kdbx",
        "secrets.toml",
        "credentials.json",
        ".ssh/config.txt",
        "node_modules/x.js",
        "secrets/plan.md",
        "password-list.txt",
    ];
    for with_git in [false, true] {
        let (_outer, home) = if with_git { repository("home") } else { folder("home") };
        write(&home, "plan.md", "A plan.\n", 500);
        let one = first(&home).await;
        for secret in secrets {
            write(&home, secret, CANARY, 5);
        }
        let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n");
        write(&home, "harmless.md", key, 5);
        if with_git {
            raw_git(&home, 0, &["add", "--force", "tls.key", "credentials.json"]);
        }
        let afresh = first(&home).await;
        let later = again(&home, &one).await;
        for look in [&afresh, &later] {
            assert_untold(look, &[CANARY]);
            assert_untold(look, &secrets);
        }
        assert!(format!("{afresh:?}").contains("plan.md"));
    }
}

#[tokio::test]
async fn nothing_outside_the_folder_is_reached() {
    let (outer, notes) = folder("notes");
    write(outer.path(), "outside/private.md", CANARY, 5);
    symlink(outer.path().join("outside"), notes.join("linked")).unwrap();
    symlink(outer.path().join("outside/private.md"), notes.join("private.md")).unwrap();
    symlink("../outside/private.md", notes.join("README.md")).unwrap();
    symlink(".", notes.join("loop")).unwrap();
    write(&notes, "a.md", "A\n", 100);
    let one = first(&notes).await;
    assert_untold(&one, &[CANARY, "private.md", "linked", "loop"]);
    assert!(one.observations[0].summary.contains("with 1 text file"), "{:?}", summaries(&one));
    write(outer.path(), "outside/private.md", "another", 1);
    assert_eq!(again(&notes, &one).await.observations, []);
}

#[tokio::test]
async fn a_tracked_file_behind_a_link_is_not_read() {
    let (outer, repo) = repository("kelp");
    let one = first(&repo).await;
    fs::remove_dir_all(repo.join("src")).unwrap();
    write(outer.path(), "outside/a.rs", CANARY, 5);
    symlink(outer.path().join("outside"), repo.join("src")).unwrap();
    let two = again(&repo, &one).await;
    assert_untold(&two, &[CANARY]);
    assert!(only(&two).summary.contains("1 deleted"), "{:?}", summaries(&two));
}

#[test]
fn a_path_with_a_link_on_the_way_is_not_opened() {
    let (outer, notes) = folder("notes");
    write(outer.path(), "outside/private.md", CANARY, 5);
    symlink(outer.path().join("outside"), notes.join("linked")).unwrap();
    write(&notes, "real/a.md", "A", 5);
    let root = open_root(&notes).unwrap();
    assert!(walk::open_file(&root, "real/a.md").is_ok());
    for path in ["linked/private.md", "linked", "../outside/private.md", "real/../real/a.md", "/etc/passwd", "", "real"]
    {
        assert!(walk::open_file(&root, path).is_err(), "{path:?}");
    }
}

#[tokio::test]
async fn pipes_sockets_and_binaries_are_left_alone() {
    let (_outer, notes) = folder("notes");
    let pipe = notes.join("README.md");
    make_pipe(&pipe);
    let _socket = UnixListener::bind(notes.join("socket.md")).unwrap();
    write(&notes, "fake.md", b"MZ\0\0", 5);
    write(&notes, "a.md", "A\n", 100);
    let look = first(&notes).await;
    assert_untold(&look, &["README", "socket.md", "fake.md"]);
    assert!(summaries(&look)[1].contains("a.md, on 18 May"), "{look:#?}");
    let root = open_root(&notes).unwrap();
    assert!(walk::open_file(&root, "README.md").is_err(), "a pipe that takes a file's place does not hold the look up");
}

#[tokio::test]
async fn nothing_a_repository_names_is_run() {
    let (outer, repo) = repository("kelp");
    let one = first(&repo).await;
    write(&repo, "src/a.rs", "fn a() {}\nfn B() {}\nfn c() {}\n", 300);
    write(&repo, "new.rs", "fn n() {}\n", 200);
    fs::write(repo.join(".gitattributes"), "* filter=evil diff=evil\n*.md filter=worse\n").unwrap();
    let marker = lay_traps(outer.path(), &repo);
    raw_git(&repo, 0, &["status"]);
    assert!(fs::remove_file(&marker).is_ok(), "the traps work without the fence");
    let afresh = first(&repo).await;
    let later = again(&repo, &one).await;
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap_or_default());
    assert_eq!(afresh.observations.len(), 4, "{afresh:#?}");
    assert!(only(&later).detail.contains("- fn b() {}\n+ fn B() {}"), "{later:#?}");
}

#[tokio::test]
async fn a_look_writes_nothing_into_the_folder() {
    let (_outer, repo) = repository("kelp");
    touch(&repo.join("README.md"), 10);
    let state = || {
        let root = open_root(&repo).unwrap();
        let rules = Rules { entries: 1_000, depth: 9, leaves_out: |_, _| false };
        list(&root, &rules, &|| false).files
    };
    let before = state();
    assert!(before.iter().any(|e| e.path == ".git/index"));
    let look = first(&repo).await;
    again(&repo, &look).await;
    assert_eq!(before, state());
}

#[tokio::test]
async fn names_and_subjects_cannot_forge_lines_or_instructions_out_of_sight() {
    let (_outer, repo) = repository("ke\nlp");
    write(&repo, "a\u{202e}b\n.md", "text \u{1b}[31m\u{202e}\r\n", 60);
    raw_git(&repo, 60, &["commit", "--quiet", "--allow-empty", "-m", "x\u{202e}\u{1b}[2J y"]);
    let look = first(&repo).await;
    for seen in &look.observations {
        assert!(!seen.summary.chars().any(char::is_control), "{seen:?}");
        assert!(!seen.detail.contains(['\u{1b}', '\u{202e}', '\r']), "{seen:?}");
        assert!(seen.summary.starts_with("ke lp: "), "{seen:?}");
    }
}

#[tokio::test]
async fn a_repository_git_cannot_read_is_a_folder_with_a_remark() {
    let (_outer, notes) = folder("notes");
    write(&notes, "a.md", "A\n", 100);
    fs::create_dir(notes.join(".git")).unwrap();
    let one = first(&notes).await;
    let survey = summaries(&one)[0];
    assert!(survey.contains("a git repository with 1 text file") && survey.contains("cannot be read"), "{survey}");
    write(&notes, "a.md", "B\n", 50);
    assert_eq!(summaries(&again(&notes, &one).await), ["notes: 1 file changed since the last look: a.md."]);
}

#[tokio::test]
async fn a_repository_that_was_readable_and_is_not_any_more_is_an_error() {
    let (_outer, repo) = repository("kelp");
    let one = first(&repo).await;
    fs::write(repo.join(".git/config"), "[core\n").unwrap();
    let error = look(&repo, Some(&one.mark), now(), &Limits::default()).await.unwrap_err();
    assert!(matches!(error, ToolError::Failed { .. }), "{error}");
}

#[tokio::test]
async fn a_repository_that_holds_git_up_is_given_up() {
    let (_outer, repo) = repository("kelp");
    fs::remove_file(repo.join(".git/config")).unwrap();
    make_pipe(&repo.join(".git/config"));
    let short = Limits { time: Duration::from_millis(800), ..Limits::default() };
    let look = look(&repo, None, now(), &short).await.unwrap();
    assert!(summaries(&look)[0].contains("cannot be read"), "{look:#?}");
}

#[tokio::test]
async fn a_repository_behind_a_link_is_not_followed() {
    let (outer, repo) = repository("kelp");
    let bait = fs::canonicalize(outer.path()).unwrap().join("bait");
    write(&bait, "a.md", "A\n", 100);
    symlink(repo.join(".git"), bait.join(".git")).unwrap();
    let look = first(&bait).await;
    assert!(summaries(&look)[0].starts_with("bait: a folder with 1 text file"), "{look:#?}");
    assert_untold(&look, &["importer"]);
}
