//! A watched folder with files of any name and content: what is told is safe, bounded, and told once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use timmy_domain::Timestamp;
use timmy_domain::observation::OBSERVATION_CHARS_MAX;
use timmy_domain::text::is_harmful;
use timmy_tools::folder::{Limits, Look, MARK_BYTES_MAX, look};

/// Files of one folder.
const FILES_MAX: usize = 8;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 60;
/// The present moment of the check: 2026-11-21T08:00:00Z.
const NOW_MICROS: i64 = 1_795_248_000_000_000;
/// Files that must never be quoted.
const SECRETS: [&str; 5] = ["id_ed25519", ".env", "server.pem", "credentials.json", "secrets/plan.md"];

/// Looks at a folder whose files stand in `bytes`, one after another: a line with the name, the content, a zero byte.
pub fn check(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    // Made of the bytes, so that it does not stand among them.
    let secret: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let look_at = |mark| look_at(folder.path(), mark, &secret);
    fs::create_dir(folder.path().join("secrets")).expect("a folder");
    for name in SECRETS {
        fs::write(folder.path().join(name), &secret).expect("a secret");
    }
    let first = look_at(None);
    for file in bytes.split(|byte| *byte == 0).take(FILES_MAX) {
        let Some(at) = file.iter().position(|byte| *byte == b'\n') else { continue };
        write(folder.path(), &file[..at], &file[at + 1..]);
    }
    let second = look_at(Some(&first.mark));
    let third = look_at(Some(&second.mark));
    assert!(third.observations.is_empty(), "told twice: {:?}", third.observations);
    look_at(std::str::from_utf8(bytes).ok());
}

fn write(folder: &Path, name: &[u8], content: &[u8]) {
    let Ok(name) = std::str::from_utf8(&name[..name.len().min(NAME_BYTES_MAX)]) else { return };
    if SECRETS.contains(&name) {
        return;
    }
    // Git is another check; a name that leads elsewhere is none of a folder.
    if name.split('/').any(|part| part.is_empty() || part == "." || part == ".." || part.starts_with(".git")) {
        return;
    }
    let path = folder.join(name);
    if let Some(above) = path.parent() {
        let _ = fs::create_dir_all(above);
    }
    // A name that the system does not take is no file.
    let _ = fs::write(path, content);
}

fn look_at(folder: &Path, mark: Option<&str>, secret: &str) -> Look {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let limits = Limits { time: Duration::from_secs(60), file_bytes: 4_096, total_bytes: 16_384, ..Limits::default() };
    let looked = runtime.block_on(look(folder, mark, Timestamp::from_micros(NOW_MICROS), &limits));
    let looked = looked.expect("a plain folder can be looked at");
    assert!(looked.mark.len() <= MARK_BYTES_MAX, "{} bytes", looked.mark.len());
    for seen in &looked.observations {
        assert!(!seen.summary.contains(is_harmful) && !seen.summary.contains('\n'), "{:?}", seen.summary);
        assert!(!seen.detail.replace(['\n', '\t'], "").contains(is_harmful), "{:?}", seen.detail);
        for text in [&seen.summary, &seen.detail] {
            assert!(text.chars().count() <= OBSERVATION_CHARS_MAX && !text.contains(secret), "{text:?}");
        }
    }
    looked
}
