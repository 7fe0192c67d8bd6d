//! How fast this machine reads its disk and its memory: measured once in a run, beside everything else, when somebody
//! first wants to know.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use timmy_domain::event::ModelSpeedMeasured;
use timmy_domain::{NewEvent, Timestamp};
use timmy_tools::machine;

use crate::ctx::Ctx;

/// Room that has to be free on the disk before it is measured, in bytes.
const ROOM_BYTES: u64 = 256 * 1024 * 1024;

/// What is known of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Speeds {
    /// Whether it is being measured now.
    pub measuring: bool,
    /// How fast the disk that holds the models is read, in bytes a second; 0 while unknown.
    pub disk_read_bytes_per_second: u64,
    /// How fast memory is read, in bytes a second; 0 while unknown.
    pub memory_read_bytes_per_second: u64,
    /// When that was measured.
    pub measured_at: Option<Timestamp>,
}

/// Measures, and remembers. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    known: Arc<Mutex<Speeds>>,
}

impl Meter {
    /// What is known, at once. When nothing is, measuring begins on a thread that may wait, and the next look tells.
    pub fn look(&self, ctx: &Ctx, folder: PathBuf) -> Speeds {
        let mut known = self.known();
        if !known.measuring && known.measured_at.is_none() {
            known.measuring = true;
            let (meter, ctx) = (self.clone(), ctx.clone());
            tokio::spawn(async move {
                let (measuring, clock) = (meter.clone(), ctx.clone());
                // A measurement that fails halfway is told as ended too.
                let _ = tokio::task::spawn_blocking(move || measuring.measure(&clock, &folder)).await;
                let known = *meter.known();
                let told = ModelSpeedMeasured {
                    memory_read_bytes_per_second: known.memory_read_bytes_per_second,
                    disk_read_bytes_per_second: known.disk_read_bytes_per_second,
                };
                // Pages that wait for it hear of it by this. When the store cannot write, the next look tells.
                let _ = ctx.tell(NewEvent::new("models", told)).await;
            });
        }
        *known
    }

    /// Measures, which takes a second or two.
    fn measure(&self, ctx: &Ctx, folder: &Path) {
        // A measurement that fails halfway must not be told as going on for ever.
        let _done = Done(self, ctx);
        let room = machine::disk_free_bytes(folder).is_some_and(|free| free > ROOM_BYTES);
        let disk = if room { machine::disk_read_bytes_per_second(folder) } else { None };
        let memory = machine::memory_read_bytes_per_second();
        let mut known = self.known();
        known.disk_read_bytes_per_second = disk.unwrap_or(0);
        known.memory_read_bytes_per_second = memory;
    }

    fn known(&self) -> MutexGuard<'_, Speeds> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says at its end that measuring has ended.
struct Done<'a>(&'a Meter, &'a Ctx);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut known = self.0.known();
        known.measuring = false;
        known.measured_at = Some(self.1.now());
    }
}
