//! Backups from anywhere: unpacked exactly as they say, or refused; and nothing lies beside.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};
use timmy_tools::archive::{self, Manifest, is_plain};

/// Bytes of a block of a tar file.
const BLOCK: usize = 512;
/// Where in the first block of an entry its size and its checksum stand, as octal digits.
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// `bytes` with the checksums that belong to them, so that changes of a header are not refused for the checksum alone.
fn summed(bytes: &[u8]) -> Vec<u8> {
    let (mut bytes, mut at) = (bytes.to_vec(), 0);
    while let Some(header) = bytes.get_mut(at..at + BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            break;
        }
        header[CHECKSUM].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let digits: String =
            header[SIZE].iter().map(|byte| char::from(*byte)).filter(|c| ('0'..'8').contains(c)).collect();
        let size = usize::from_str_radix(&digits, 8).unwrap_or(0);
        at = at.saturating_add(BLOCK).saturating_add(size.div_ceil(BLOCK).saturating_mul(BLOCK));
    }
    bytes
}

/// Unpacks a tar file of these bytes, and reads them as a manifest.
pub fn check(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        sound(&manifest);
        let written = serde_json::to_vec(&manifest).expect("a manifest is JSON");
        assert_eq!(Manifest::parse(&written).as_ref(), Ok(&manifest), "what is written is read as the same");
    }
    let place = tempfile::tempdir().expect("a folder");
    let (from, into) = (place.path().join("a.tar.gz"), place.path().join("into"));
    fs::create_dir(&into).expect("a folder");
    let mut pressed = GzEncoder::new(Vec::new(), Compression::none());
    pressed.write_all(&summed(bytes)).expect("into memory");
    fs::write(&from, pressed.finish().expect("into memory")).expect("a file");
    let told = archive::read_manifest(&from);
    let unpacked = archive::unpack(&from, &into, &|_, _| true);
    let beside = fs::read_dir(place.path()).expect("readable").count();
    assert_eq!(beside, 2, "something lies beside the folder");
    let Ok(manifest) = unpacked else { return };
    assert_eq!(told.as_ref().ok(), Some(&manifest));
    sound(&manifest);
    let mut found = BTreeSet::new();
    files(&into, &into, &mut found);
    let named: BTreeSet<String> = manifest.files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(found, named, "the files are those of the manifest");
    for file in &manifest.files {
        let content = fs::read(into.join(&file.path)).expect("it is there");
        let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!((content.len() as u64, &hash), (file.bytes, &file.sha256), "{}", file.path);
    }
}

fn sound(manifest: &Manifest) {
    for path in manifest.files.iter().map(|file| &file.path).chain(&manifest.folders) {
        assert!(is_plain(path) && !path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path:?}");
    }
}

fn files(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        let kind = fs::symlink_metadata(&path).expect("readable").file_type();
        assert!(kind.is_dir() || kind.is_file(), "{} is neither file nor folder", path.display());
        if kind.is_dir() {
            files(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).expect("below").to_str().expect("text").to_owned());
        }
    }
}
