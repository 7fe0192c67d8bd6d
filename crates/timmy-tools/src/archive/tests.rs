//! What is packed comes out again the same, and a hostile or damaged archive is refused with nothing outside.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;
use timmy_domain::Timestamp;

use super::*;
use crate::ToolError;

fn go_on(_: u64, _: u64) -> bool {
    true
}

fn manifest() -> Manifest {
    Manifest::new(Timestamp::from_micros(1_795_248_000_000_000), "owner", "1.2.3")
}

/// A folder with a mind, packed.
fn packed(dir: &Path) -> (PathBuf, Manifest) {
    let mind = dir.join("mind");
    fs::create_dir_all(mind.join(".git/refs")).unwrap();
    fs::write(mind.join("persona.md"), "You are Timmy.").unwrap();
    fs::write(mind.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(mind.join("run.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(mind.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", mind.join("link")).unwrap();
    fs::write(dir.join("big"), vec![7; 700_000]).unwrap();
    let tree = capture(&mind, "mind", 1 << 20, true).unwrap();
    let mut manifest = manifest();
    manifest.folders = tree.folders;
    manifest.left_out = tree.left_out;
    let mut sources = tree.files;
    sources.push(Source { path: "timmy.db".into(), executable: false, body: Body::File(dir.join("big")) });
    let to = dir.join("backup.tar.gz");
    let written = pack(&to, manifest, &sources, &go_on).unwrap();
    (to, written)
}

fn into(dir: &TempDir) -> PathBuf {
    let into = dir.path().join("out");
    fs::create_dir(&into).unwrap();
    into
}

#[test]
fn what_is_packed_comes_out_again_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (file, written) = packed(dir.path());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!dir.path().join("backup.tar.gz.new").exists());
    assert_eq!(read_manifest(&file).unwrap(), written);
    let out = into(&dir);
    assert_eq!(unpack(&file, &out, &go_on).unwrap(), written);
    make_durable(&out).unwrap();
    assert_eq!(fs::read(out.join("timmy.db")).unwrap(), vec![7; 700_000]);
    assert_eq!(fs::read_to_string(out.join("mind/persona.md")).unwrap(), "You are Timmy.");
    assert!(out.join("mind/.git/refs").is_dir(), "empty folders belong to it");
    assert!(!out.join("mind/link").exists(), "a link is left out");
    assert_eq!(written.left_out, ["mind/link"]);
    assert_eq!(fs::metadata(out.join("mind/run.sh")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(out.join("mind/persona.md")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_archive_that_stands_already_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = packed(dir.path());
    let before = fs::read(&file).unwrap();
    assert!(matches!(pack(&file, manifest(), &[], &go_on), Err(ToolError::Io { .. })));
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn stopping_at_any_piece_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (_, written) = packed(dir.path());
    for pieces in 0..12 {
        let left = AtomicU64::new(pieces);
        let tire = |_: u64, _: u64| left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        let body = Body::File(dir.path().join("big"));
        let source = Source { path: "timmy.db".into(), executable: false, body };
        let to = dir.path().join("stopped.tar.gz");
        let tried = pack(&to, Manifest { folders: vec![], ..written.clone() }, &[source], &tire);
        if pieces < 11 {
            assert!(matches!(tried, Err(ToolError::Stopped)), "after {pieces} pieces: {tried:?}");
            assert!(!to.exists() && !dir.path().join("stopped.tar.gz.new").exists());
        }
    }
}

#[test]
fn every_cut_and_every_changed_byte_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (file, written) = packed(dir.path());
    let whole = fs::read(&file).unwrap();
    let hurt = dir.path().join("hurt.tar.gz");
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&hurt, bytes).unwrap();
        let out = TempDir::new_in(dir.path()).unwrap();
        match unpack(&hurt, out.path(), &go_on) {
            Err(ToolError::BadArchive { .. }) => {}
            Ok(found) => assert_eq!(found, written, "{what}: taken, and not the same"),
            Err(other) => panic!("{what}: {other}"),
        }
    };
    for part in 0..40 {
        refused(&whole[..whole.len() * part / 40], &format!("cut at {part}/40"));
    }
    assert!(matches!(
        {
            fs::write(&hurt, &whole[..whole.len() - 1]).unwrap();
            unpack(&hurt, TempDir::new_in(dir.path()).unwrap().path(), &go_on)
        },
        Err(ToolError::BadArchive { .. })
    ));
    for at in (10..whole.len()).step_by(whole.len() / 60) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        refused(&bytes, &format!("byte {at}"));
    }
}

/// Writes an archive by hand: a manifest, then entries that need not fit it.
fn by_hand(dir: &Path, named: &[(&str, &[u8])], entries: &[(&str, EntryType, &[u8], &str)]) -> PathBuf {
    let mut manifest = manifest();
    manifest.files = named
        .iter()
        .map(|(path, bytes)| {
            use sha2::Digest;
            let sha256 = sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            FileEntry { path: (*path).to_owned(), bytes: bytes.len() as u64, sha256, executable: false }
        })
        .collect();
    raw(dir, &serde_json::to_vec(&manifest).unwrap(), entries)
}

fn raw(dir: &Path, manifest: &[u8], entries: &[(&str, EntryType, &[u8], &str)]) -> PathBuf {
    let to = dir.join("hostile.tar.gz");
    let mut tar = Builder::new(GzEncoder::new(fs::File::create(&to).unwrap(), Compression::fast()));
    for (path, kind, bytes, link) in [(MANIFEST, EntryType::Regular, manifest, "")].iter().chain(entries) {
        let mut header = Header::new_ustar();
        // Written by hand: the library refuses such names, as it should.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o777);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    to
}

// shows: backup: an archive that would write outside, through a link, or more than it says is refused
#[test]
fn a_hostile_archive_writes_nothing_outside_and_is_refused() {
    let x: &[u8] = b"x";
    let regular = EntryType::Regular;
    type Named<'a> = Vec<(&'a str, &'a [u8])>;
    type Entries<'a> = Vec<(&'a str, EntryType, &'a [u8], &'a str)>;
    type Case<'a> = (&'a str, Named<'a>, Entries<'a>);
    let cases: Vec<Case<'_>> = vec![
        ("up", vec![], vec![("mind/../../evil", regular, x, "")]),
        ("far up", vec![], vec![("../../../../tmp/evil", regular, x, "")]),
        ("absolute", vec![], vec![("/tmp/evil", regular, x, "")]),
        ("secrets", vec![], vec![("secrets.toml", regular, x, "")]),
        ("run file", vec![], vec![("run.json", regular, x, "")]),
        ("backslash", vec![], vec![("mind\\..\\evil", regular, x, "")]),
        ("unnamed", vec![], vec![("mind/evil", regular, x, "")]),
        ("twice", vec![("mind/a", x)], vec![("mind/a", regular, x, ""), ("mind/a", regular, x, "")]),
        (
            "symlink",
            vec![("mind/a/b", x)],
            vec![("mind/a", EntryType::Symlink, b"", "/tmp"), ("mind/a/b", regular, x, "")],
        ),
        ("hard link", vec![("mind/a", x)], vec![("mind/a", EntryType::Link, b"", "/etc/passwd")]),
        ("device", vec![("mind/a", x)], vec![("mind/a", EntryType::Char, b"", "")]),
        ("pipe", vec![("mind/a", x)], vec![("mind/a", EntryType::Fifo, b"", "")]),
        ("long name", vec![("mind/a", x)], vec![("mind/a", EntryType::GNULongName, b"../../evil", "")]),
        ("pax", vec![("mind/a", x)], vec![("mind/a", EntryType::XHeader, b"20 path=../../evil\n", "")]),
        ("larger", vec![("mind/a", x)], vec![("mind/a", regular, b"xxxx", "")]),
        ("other content", vec![("mind/a", x)], vec![("mind/a", regular, b"y", "")]),
        ("missing", vec![("mind/a", x), ("mind/b", x)], vec![("mind/a", regular, x, "")]),
        (
            "file below file",
            vec![("mind/a", x), ("mind/a/b", x)],
            vec![("mind/a", regular, x, ""), ("mind/a/b", regular, x, "")],
        ),
    ];
    for (what, named, entries) in cases {
        let dir = tempfile::tempdir().unwrap();
        let file = by_hand(dir.path(), &named, &entries);
        let out = into(&dir);
        let refused = unpack(&file, &out, &go_on);
        assert!(matches!(refused, Err(ToolError::BadArchive { .. } | ToolError::Io { .. })), "{what}: {refused:?}");
        let mut beside: Vec<String> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
        beside.sort();
        assert_eq!(beside, ["hostile.tar.gz", "out"], "{what}: something was written outside");
        assert!(!Path::new("/tmp/evil").exists(), "{what}");
    }
}

#[test]
fn a_manifest_that_promises_too_much_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let bomb = Manifest {
        files: vec![FileEntry {
            path: "timmy.db".into(),
            bytes: UNPACKED_BYTES_MAX + 1,
            sha256: String::new(),
            executable: false,
        }],
        ..manifest()
    };
    let too_new = Manifest { format: 9, ..manifest() };
    for (what, text) in [
        ("bomb", serde_json::to_vec(&bomb).unwrap()),
        ("newer", serde_json::to_vec(&too_new).unwrap()),
        ("no JSON", b"hello".to_vec()),
        ("empty", Vec::new()),
    ] {
        let file = raw(dir.path(), &text, &[]);
        let out = TempDir::new_in(dir.path()).unwrap();
        assert!(matches!(unpack(&file, out.path(), &go_on), Err(ToolError::BadArchive { .. })), "{what}");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }
    for garbage in [&b""[..], b"\x1f\x8b", b"PK\x03\x04", &[0; 4_096]] {
        let file = dir.path().join("garbage");
        fs::write(&file, garbage).unwrap();
        assert!(matches!(read_manifest(&file), Err(ToolError::BadArchive { .. })));
    }
}

#[test]
fn only_paths_of_a_home_are_plain() {
    for good in ["timmy.db", "mind/.git/objects/ab/cd", "areas/thoughts.ndjson", "blobs/x"] {
        assert!(is_plain(good), "{good}");
    }
    let long = format!("mind/{}", "x".repeat(PATH_BYTES_MAX));
    for bad in ["", "/", "mind/", "mind//a", "mind/./a", "mind/..", "../timmy.db", "etc/passwd", "mind/a\nb", &long] {
        assert!(!is_plain(bad), "{bad:?}");
    }
}

#[test]
fn a_mind_over_its_bound_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), vec![0; 3_000]).unwrap();
    assert!(matches!(capture(dir.path(), "mind", 2_000, true), Err(ToolError::TooLarge { .. })));
    assert!(capture(dir.path(), "mind", 4_000, true).is_ok());
    assert!(matches!(capture(&dir.path().join("gone"), "mind", 1, true), Err(ToolError::Io { .. })));
}
