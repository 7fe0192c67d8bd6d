//! What stands at the head of an archive.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use timmy_domain::Timestamp;
use timmy_domain::text::{cut, one_line};

use super::{ENTRIES_MAX, UNPACKED_BYTES_MAX, is_plain};

/// The name of the manifest; it is the first file of every archive.
pub const MANIFEST: &str = "manifest.json";

/// The format this version writes, and the newest it reads.
const FORMAT: u32 = 1;

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its path inside the archive.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// Whether its owner may run it.
    #[serde(default)]
    pub executable: bool,
}

/// What an archive holds, and what it must hash to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the archive.
    pub format: u32,
    /// The version of Timmy that wrote it.
    pub timmy_version: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who asked for it: `owner` or `nightly`.
    pub why: String,
    /// What is in it: `home` for everything, or names of areas.
    pub areas: Vec<String>,
    /// The version of the database's schema.
    pub schema_version: i64,
    /// The last event of the log.
    pub last_seq: i64,
    /// The hash of that event, in hexadecimal.
    pub head_hash: String,
    /// Rows of each table of the database, or lines of each exported area.
    pub tables: BTreeMap<String, i64>,
    /// What lies in the home and could not be packed, such as links; at most 100 are named.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The folders.
    pub folders: Vec<String>,
    /// The files, in the order of the archive.
    pub files: Vec<FileEntry>,
}

impl Manifest {
    /// A manifest of nothing yet, made at `created_at` because of `why`.
    #[must_use]
    pub fn new(created_at: Timestamp, why: &str, timmy_version: &str) -> Self {
        Self {
            format: FORMAT,
            timmy_version: timmy_version.to_owned(),
            created_at,
            why: why.to_owned(),
            areas: Vec::new(),
            schema_version: 0,
            last_seq: 0,
            head_hash: String::new(),
            tables: BTreeMap::new(),
            left_out: Vec::new(),
            folders: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Whether it is a backup of a whole home.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.areas.iter().any(|area| area == "home")
    }

    /// Bytes of all its files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Reads a manifest and refuses one whose entries an archive must not have.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let found: Self = serde_json::from_slice(text)
            .map_err(|e| format!("its manifest cannot be read: {}", cut(&e.to_string(), 120)))?;
        if found.format > FORMAT {
            return Err(format!("it was written by a newer Timmy ({})", cut(&one_line(&found.timmy_version), 40)));
        }
        if found.files.len() + found.folders.len() > ENTRIES_MAX {
            return Err(format!("it names more than {ENTRIES_MAX} files"));
        }
        if found.bytes() > UNPACKED_BYTES_MAX {
            return Err(format!("it would unpack to more than {} GiB", UNPACKED_BYTES_MAX >> 30));
        }
        let mut seen = BTreeSet::new();
        for path in found.files.iter().map(|f| &f.path).chain(&found.folders) {
            let shown = cut(&one_line(path), 80);
            if !is_plain(path) {
                return Err(format!("it names a file outside of a home: {shown:?}"));
            }
            if !seen.insert(path.as_str()) {
                return Err(format!("it names {shown:?} twice"));
            }
        }
        Ok(found)
    }
}
