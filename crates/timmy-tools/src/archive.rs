//! Backups as files: one pressed tar archive with a manifest at its head, which says what is in it and
//! what every file must hash to. Any system can open it without Timmy.
//!
//! Reading one trusts nothing: an archive may come from anywhere.

mod capture;
mod manifest;
mod pack;
mod unpack;

#[cfg(test)]
mod tests;

pub use capture::{Tree, capture};
pub use manifest::{FileEntry, MANIFEST, Manifest};
pub use pack::{Body, Source, pack};
pub use unpack::{make_durable, read_manifest, unpack};

/// Files and folders one archive may hold.
pub const ENTRIES_MAX: usize = 100_000;

/// Bytes the files of one archive may have together once unpacked: 256 GiB.
pub const UNPACKED_BYTES_MAX: u64 = 256 * 1024 * 1024 * 1024;

/// Bytes of the manifest: 32 MiB, enough for [`ENTRIES_MAX`] entries.
pub const MANIFEST_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// Bytes a path inside an archive may have; longer ones are left out and named.
pub const PATH_BYTES_MAX: usize = 200;

/// What may lie at the top of an archive. Nothing else is packed, and nothing else is unpacked.
pub const ROOTS: [&str; 5] = ["timmy.db", "timmy.toml", "mind", "blobs", "areas"];

/// How work that was given up looks on its way out. Not `Interrupted`: copying tries again after that.
const GIVEN_UP: std::io::ErrorKind = std::io::ErrorKind::ConnectionAborted;

/// Bytes that are moved at once.
const PIECE_BYTES: usize = 128 * 1024;

/// Called now and then with the bytes that are done and the bytes there are; `false` gives the work up.
pub type OnProgress<'a> = &'a (dyn Fn(u64, u64) -> bool + Sync);

/// Whether `path` is one that an archive may hold: relative, plain, below one of [`ROOTS`].
#[must_use]
pub fn is_plain(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let plain = |part: &&str| !part.is_empty() && *part != "." && *part != "..";
    path.len() <= PATH_BYTES_MAX
        && parts.iter().all(plain)
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && ROOTS.contains(&parts[0])
}
