use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use super::*;
use crate::error::Failing;
use crate::testing::{Bench, folder, lay};

/// What happens to a file between plan and act.
type Swap<'a> = (&'a str, &'a dyn Fn(&Path));

fn text(outcome: Result<Outcome, ToolError>) -> String {
    outcome.map_or_else(|error| format!("refused: {error}"), |outcome| outcome.text)
}

// shows: hands: Files are listed, read by lines, searched and written in granted folders
#[tokio::test]
async fn files_are_listed_read_searched_and_written() {
    let (_outer, notes) = folder("notes");
    lay(&notes, "a.md", "one\ntwo\nthree\n");
    lay(&notes, "sub/b.txt", "Two kelp\n");
    let bench = Bench::new(&[(&notes, true)]);
    let listed = text(bench.call("list_files", json!({"levels": 2})).await);
    assert!(listed.ends_with("3 entries:\na.md (14 bytes)\nsub/\nsub/b.txt (9 bytes)\n"), "{listed}");
    let read = text(bench.call("read_file", json!({"path": "a.md", "from_line": 2, "lines": 1})).await);
    assert_eq!(read, format!("{}/a.md, lines 2 to 2 of 3:\ntwo", notes.display()));
    let found = text(bench.call("search_files", json!({"pattern": "TWO", "ignore_case": true})).await);
    assert!(found.ends_with("a.md:2: two\nsub/b.txt:1: Two kelp\n"), "{found}");
    let found =
        text(bench.call("search_files", json!({"pattern": "^t(wo|hree)$", "regex": true, "files": "*.md"})).await);
    assert!(found.starts_with("2 lines below ") && found.ends_with("a.md:2: two\na.md:3: three\n"), "{found}");

    let write = async |how: &str, path: &str, content: &str, find: &str| {
        bench.call("write_file", json!({"path": path, "how": how, "content": content, "find": find})).await
    };
    let made = write("create", "new/deep/c.md", "fresh\n", "").await.unwrap();
    assert_eq!(fs::read_to_string(notes.join("new/deep/c.md")).unwrap(), "fresh\n");
    assert_eq!((made.touched[0].before_sha256, made.touched[0].after_sha256), (None, Some(Digest::of(b"fresh\n"))));
    assert_eq!(made.artifacts.iter().map(|kept| kept.bytes.as_slice()).collect::<Vec<_>>(), [b"fresh\n"]);
    fs::set_permissions(notes.join("a.md"), fs::Permissions::from_mode(0o640)).unwrap();
    let changed = write("replace", "a.md", "TWO", "two").await.unwrap();
    assert_eq!(fs::read_to_string(notes.join("a.md")).unwrap(), "one\nTWO\nthree\n");
    assert_eq!(fs::metadata(notes.join("a.md")).unwrap().permissions().mode() & 0o777, 0o640, "permissions stay");
    assert_eq!(changed.artifacts[0].bytes, b"one\ntwo\nthree\n", "what was there is kept");
    assert_eq!(changed.touched[0].before_sha256, Some(Digest::of(b"one\ntwo\nthree\n")));
    write("append", "a.md", "four\n", "").await.unwrap();
    assert!(fs::read_to_string(notes.join("a.md")).unwrap().ends_with("three\nfour\n"));
    write("overwrite", "a.md", "all new", "").await.unwrap();
    assert_eq!(fs::read_to_string(notes.join("a.md")).unwrap(), "all new");
    for (how, path, find, wanted) in [
        ("create", "a.md", "", "file_exists"),
        ("append", "none.md", "", "no_such_file"),
        ("replace", "a.md", "l", "not_one_place"),
        ("replace", "a.md", "", "not_one_place"),
        ("replace", "a.md", "absent", "not_one_place"),
    ] {
        let error = write(how, path, "x", find).await.unwrap_err();
        assert_eq!((error.problem().code, error.failing()), (wanted, Failing::Permanent), "{how} {path}");
    }
    let left: Vec<_> = fs::read_dir(&notes).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("draft")), "{left:?}");
}

// shows: hands: Links, second names, devices, upward paths and the system's own ways do not lead out of a granted folder
#[tokio::test]
async fn no_way_leads_out_of_a_granted_folder() {
    let (outer, notes) = folder("notes");
    let outside = notes.with_file_name("outside");
    lay(&outside, "plan.txt", "SECRET\n");
    lay(&notes, "fine.txt", "fine\n");
    symlink(outside.join("plan.txt"), notes.join("link.txt")).unwrap();
    symlink(&outside, notes.join("linked")).unwrap();
    symlink("/proc/self/root", notes.join("root")).unwrap();
    symlink("/proc/self/cwd", notes.join("cwd")).unwrap();
    symlink("fine.txt", notes.join("inner.txt")).unwrap();
    fs::hard_link(outside.join("plan.txt"), notes.join("second.txt")).unwrap();
    crate::testing::pipe(&notes.join("pipe"));
    lay(&notes, "kept/governs.toml", "allow = no\n");
    let bench = Bench::closed(&[(&notes, true)], &[&notes.join("kept")]);
    let absolute = outside.join("plan.txt").display().to_string();
    let root = format!("root{absolute}");
    let doubled = format!("{}/../outside/plan.txt", notes.display());
    let proc = format!("/proc/self/root{}/fine.txt", notes.display());
    for path in [
        "link.txt",
        "linked/plan.txt",
        &root,
        "cwd/Cargo.toml",
        "inner.txt",
        "second.txt",
        "../outside/plan.txt",
        &absolute,
        &doubled,
        &proc,
        "pipe",
        "kept/governs.toml",
        "./kept//governs.toml",
        "",
        "fine.txt/x",
        "/etc/passwd",
        "link.txt/",
        "/proc/self/environ",
        "/dev/zero",
    ] {
        let read = bench.call("read_file", json!({"path": path})).await;
        let told = text(read);
        assert!(told.starts_with("refused: "), "read {path}: {told}");
        for how in ["create", "overwrite", "append"] {
            let error = bench.call("write_file", json!({"path": path, "how": how, "content": "x"})).await.unwrap_err();
            assert_ne!(error.failing(), Failing::Transient, "{how} {path}: {error}");
        }
        let made =
            bench.call("write_file", json!({"path": format!("{path}/new"), "how": "create", "content": "x"})).await;
        assert!(made.is_err() || path.is_empty(), "below {path}");
    }
    for pattern in ["SECRET", "allow"] {
        let found = text(bench.call("search_files", json!({"pattern": pattern})).await);
        assert!(found.starts_with("0 lines"), "{found}");
    }
    let deep = text(bench.call("list_files", json!({"levels": 8})).await);
    assert!(
        deep.contains("linked (a link, not followed)") && !deep.contains("plan.txt") && !deep.contains("governs"),
        "{deep}"
    );
    assert_eq!(fs::read_to_string(outside.join("plan.txt")).unwrap(), "SECRET\n");
    assert_eq!(fs::read_to_string(notes.join("kept/governs.toml")).unwrap(), "allow = no\n");
    assert!(fs::read_dir(&outside).unwrap().count() == 1 && outer.path().exists());
}

#[tokio::test]
async fn what_is_not_granted_secret_or_gits_own_is_not_written() {
    let (_outer, notes) = folder("notes");
    for path in ["a.md", ".git/config", "id_rsa", ".env", "pem.md"] {
        lay(&notes, path, "-----BEGIN RSA PRIVATE KEY-----\nx\n");
    }
    let bench = Bench::new(&[(&notes, true)]);
    for path in [
        ".git/config",
        ".git/hooks/pre-commit",
        ".GIT/config",
        "sub/.git/config",
        "id_rsa",
        ".env",
        ".env.local",
        "x.pem",
    ] {
        let call = bench.call("write_file", json!({"path": path, "how": "overwrite", "content": "x"}));
        assert_eq!(call.await.unwrap_err().failing(), Failing::Refused, "{path}");
    }
    for path in ["id_rsa", ".env", "pem.md"] {
        assert_eq!(
            bench.call("read_file", json!({"path": path})).await.unwrap_err().problem().code,
            "secret_file",
            "{path}"
        );
    }
    assert!(text(bench.call("search_files", json!({"pattern": "PRIVATE"})).await).starts_with("0 lines"));
    let reader = Bench::new(&[(&notes, false)]);
    let call = reader.call("write_file", json!({"path": "b.md", "how": "create", "content": "x"}));
    assert_eq!(call.await.unwrap_err().problem().code, "read_only_grant");
    let nothing = Bench::new(&[]);
    assert_eq!(nothing.call("list_files", json!({})).await.unwrap_err().problem().code, "no_folder_granted");
}

// shows: hands: A file that changed, or was swapped, between plan and act is not written and not read
#[tokio::test]
async fn a_file_that_changed_after_the_plan_is_left_alone() {
    let (_outer, notes) = folder("notes");
    let bench = Bench::new(&[(&notes, true)]);
    let (a, outside) = (notes.join("a.md"), notes.with_file_name("outside.md"));
    fs::write(&outside, "outside").unwrap();
    let swaps: [Swap<'_>; 5] = [
        ("edited", &|a| fs::write(a, "edited").unwrap()),
        ("replaced by an equal one", &|a| {
            fs::copy(a, a.with_extension("new")).unwrap();
            fs::rename(a.with_extension("new"), a).unwrap();
        }),
        ("gone", &|a| fs::remove_file(a).unwrap()),
        ("a link now", &|a| {
            fs::remove_file(a).unwrap();
            symlink(&outside, a).unwrap();
        }),
        ("named twice now", &|a| fs::hard_link(a, a.with_extension("twice")).unwrap()),
    ];
    for (what, swap) in swaps {
        let _ = fs::remove_file(&a);
        let _ = fs::remove_file(a.with_extension("twice"));
        fs::write(&a, "planned").unwrap();
        let write = bench.plan("write_file", json!({"path": "a.md", "how": "append", "content": "!"})).await.unwrap();
        let read = bench.plan("read_file", json!({"path": "a.md"})).await.unwrap();
        swap(&a);
        let before = fs::read(&a).ok();
        assert!(bench.run(&write).await.is_err(), "{what}");
        assert!(what == "edited" || bench.run(&read).await.is_err(), "{what}");
        assert_eq!(fs::read(&a).ok(), before, "{what}");
        assert_eq!(fs::read_to_string(&outside).unwrap(), "outside", "{what}");
    }
    // A file that appears where one was to be made stays as it is.
    let create = bench.plan("write_file", json!({"path": "new.md", "how": "create", "content": "mine"})).await.unwrap();
    fs::write(notes.join("new.md"), "theirs").unwrap();
    assert_eq!(bench.run(&create).await.unwrap_err().problem().code, "file_changed");
    assert_eq!(fs::read_to_string(notes.join("new.md")).unwrap(), "theirs");
    // A plan whose arguments were changed after it was made is no plan any more.
    let mut forged =
        bench.plan("write_file", json!({"path": "new.md", "how": "append", "content": "!"})).await.unwrap();
    forged.args["content"] = "other".into();
    assert!(bench.run(&forged).await.is_err());
    forged.args["path"] = "a.md".into();
    assert_eq!(bench.run(&forged).await.unwrap_err().problem().code, "plan_foreign");
}

// shows: hands: A write that was cut off after its effect is not done twice
#[tokio::test]
async fn the_same_plan_run_twice_has_its_effect_once() {
    let (_outer, notes) = folder("notes");
    lay(&notes, "a.md", "one\n");
    let bench = Bench::new(&[(&notes, true)]);
    for (how, find) in [("append", ""), ("replace", "one"), ("overwrite", "")] {
        let args = json!({"path": "a.md", "how": how, "content": "two\n", "find": find});
        let plan = bench.plan("write_file", args).await.unwrap();
        // What a run that died before its rename left behind does not matter.
        fs::write(notes.join(format!(".timmy-{}.draft", plan.hash().short())), "half").unwrap();
        assert!(!bench.run(&plan).await.unwrap().was_done);
        let after = fs::read(notes.join("a.md")).unwrap();
        assert!(bench.run(&plan).await.unwrap().was_done, "{how}");
        assert_eq!(fs::read(notes.join("a.md")).unwrap(), after);
        assert_eq!(fs::read_dir(&notes).unwrap().count(), 1, "no draft is left");
        fs::write(notes.join("a.md"), "one\n").unwrap();
    }
}

#[tokio::test]
async fn what_is_no_text_or_too_much_is_told_plainly() {
    let (_outer, notes) = folder("notes");
    lay(&notes, "pic", b"\x89PNG\0\xff");
    lay(&notes, "latin", b"caf\xe9");
    lay(&notes, "empty", "");
    lay(&notes, "long", "line of text\n".repeat(20_000));
    fs::File::create(notes.join("huge")).unwrap().set_len(100 << 30).unwrap();
    let bench = Bench::new(&[(&notes, true)]);
    for (path, code) in
        [("pic", "not_text"), ("latin", "not_text"), ("huge", "file_too_large"), ("none", "no_such_file")]
    {
        assert_eq!(bench.call("read_file", json!({"path": path})).await.unwrap_err().problem().code, code, "{path}");
    }
    assert!(text(bench.call("read_file", json!({"path": "empty"})).await).ends_with("is empty.\n"));
    let long = bench.call("read_file", json!({"path": "long", "lines": 2000})).await.unwrap();
    assert!(long.truncated && long.text.contains("lines 1 to 2000 of 20000") && long.text.len() <= 40_000);
    assert!(text(bench.call("search_files", json!({"pattern": "PNG"})).await).starts_with("0 lines"));
    for (args, wrong) in [
        (json!({"pattern": "(", "regex": true}), "pattern of search_files is no regular expression"),
        (json!({"pattern": "(((a{1,100}){1,100}){1,100})", "regex": true}), "pattern of search_files is too large"),
        (json!({"pattern": "x", "files": "[" }), "files of search_files is no pattern of names"),
        (json!({"pattern": "a\u{202e}b"}), "pattern of search_files holds the character U+202E"),
    ] {
        let error = bench.call("search_files", args).await.unwrap_err();
        assert!(error.to_string().starts_with(wrong), "{error}");
    }
}

/// What paths are spelled from; the first five are harmless.
const PIECES: [&str; 38] = [
    "fine.txt",
    "sub",
    ".",
    "",
    "..",
    "plan.txt",
    "linked",
    "root",
    "second.txt",
    "notes",
    "outside",
    "proc",
    "self",
    "cwd",
    "fd",
    "3",
    "etc",
    "passwd",
    "~",
    "%2e%2e",
    "..%2f",
    "\u{ff0e}\u{ff0e}",
    "\u{2024}\u{2024}",
    "..\\",
    "\\",
    "..;",
    "FINE.TXT",
    "fine.txt.",
    "fine.txt ",
    "fi\u{200b}ne.txt",
    "\u{202e}txt.enif",
    "f\u{131}ne.txt",
    "a\0b",
    "-",
    "--",
    "*",
    "$HOME",
    "file:",
];

// shows: hands: Of 10,000 adversarial spellings of a path none leads out of the granted folder
#[test]
fn ten_thousand_spellings_lead_nowhere_else() {
    let (_outer, notes) = folder("notes");
    let outside = notes.with_file_name("outside");
    lay(&outside, "plan.txt", "SECRET\n");
    lay(&notes, "fine.txt", "fine\n");
    lay(&notes, "sub/fine.txt", "fine\n");
    symlink(&outside, notes.join("linked")).unwrap();
    symlink(outside.join("plan.txt"), notes.join("sub/plan.txt")).unwrap();
    symlink("/", notes.join("root")).unwrap();
    fs::hard_link(outside.join("plan.txt"), notes.join("second.txt")).unwrap();
    let (base, far) = (notes.display().to_string(), outside.display().to_string());
    let pieces: Vec<&str> = PIECES.iter().copied().chain([base.as_str(), far.as_str()]).collect();
    let bench = Bench::new(&[(&notes, true)]);
    // A generator of numbers that is the same each time (Knuth, "MMIX").
    let mut state = 42_u64;
    let mut next = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..10_000 {
        let start = ["", "/", "//", "./", "../", &base, "/proc/self/root", "/proc/self/cwd"][next(8)];
        let rest: Vec<&str> = {
            let mut piece = || {
                let among = [5, pieces.len()][next(2)];
                pieces[next(among)]
            };
            let count = piece().len() % 4;
            (0..=count).map(|_| piece()).collect()
        };
        let path =
            format!("{start}{}{}", if start.ends_with('/') || start.is_empty() { "" } else { "/" }, rest.join("/"));
        let grants = &bench.scope.grants;
        let opened =
            grants.within(&path).and_then(|within| way::spot(grants, &within, way::Want::Read, false)?.snapshot());
        match opened {
            Ok(snapshot) => {
                assert_eq!(snapshot.bytes, b"fine\n", "{path:?}");
                read += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(read > 30 && refused > 5_000, "the spellings try something: {read} read, {refused} refused");
}
