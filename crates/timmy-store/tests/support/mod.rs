//! A store in a folder of its own, with a clock and a chance that the test holds.

#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use tempfile::TempDir;
use timmy_domain::event::{LoginFailed, MindChanged, ReactorParked};
use timmy_domain::{NewEvent, Timestamp};
use timmy_store::{Options, Store, StoreError};

/// The time at which every test begins.
pub const BEGIN: i64 = 1_780_000_000_000_000;

/// Goes on over restarts, as real chance does.
static CHANCE: AtomicU64 = AtomicU64::new(0);

pub struct House {
    pub dir: TempDir,
    pub clock: Arc<AtomicI64>,
}

impl House {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::new(AtomicI64::new(BEGIN)) }
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().join("timmy.db")
    }

    pub fn set_clock(&self, micros: i64) {
        self.clock.store(micros, Ordering::SeqCst);
    }

    pub fn open(&self) -> Store {
        self.try_open(Options::default()).unwrap()
    }

    pub fn try_open(&self, options: Options) -> Result<Store, StoreError> {
        let clock = Arc::clone(&self.clock);
        open_at(&self.path(), Arc::new(move || at(clock.load(Ordering::SeqCst))), options)
    }

    pub fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }
}

pub fn open_at(
    path: &Path,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    options: Options,
) -> Result<Store, StoreError> {
    let random = Arc::new(|out: &mut [u8]| {
        for byte in out {
            let next = CHANCE.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            *byte = (next ^ (next >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9).to_be_bytes()[0];
        }
    });
    Store::open(path, clock, random, options)
}

pub fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

/// A mild event.
pub fn login(failures: u64) -> NewEvent {
    NewEvent::new("web", LoginFailed { how: "code".into(), failures })
}

/// An event of some other type.
pub fn mind(file: &str) -> NewEvent {
    NewEvent::new("mind", MindChanged { files: vec![file.into()] })
}

/// An error.
pub fn parked(message: &str) -> NewEvent {
    let body = ReactorParked { reactor: "r".into(), event_seq: 1, message: message.into() };
    NewEvent::new("core", body)
}

/// Waits for a future on this thread.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
