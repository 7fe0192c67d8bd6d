//! What was last read of the machine and of this process. However often pages, scrapes and the thinking loop ask, the
//! system is read at most once a second for each of them together: what it tells of memory costs it a walk through all
//! pages of the process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use timmy_domain::Timestamp;

use crate::machine::{self, Machine};
use crate::usage::{self, Usage};

/// What was read is told again for this long, in milliseconds.
pub const KEPT_MS: u64 = 1_000;

/// Files of the home that are looked at for its size.
const HOME_ENTRIES_MAX: usize = 5_000;

/// Readings of one machine. Cheap to clone; all clones keep the same ones.
#[derive(Clone, Debug)]
pub struct Readings(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    /// The database: its folder is the home, its disk the one that is looked at.
    store: PathBuf,
    machine: Kept<Machine>,
    usage: Kept<Usage>,
    load: Kept<Option<f64>>,
    home: Kept<Option<(u64, bool)>>,
}

/// What was read, and when.
type Kept<T> = Mutex<Option<(Timestamp, T)>>;

/// Whether what was read at `read_at` is too old at `now`, or lies ahead of a clock that was set back.
#[must_use]
pub fn stale(read_at: Option<Timestamp>, now: Timestamp) -> bool {
    read_at.is_none_or(|at| at > now || now.since(at) >= Duration::from_millis(KEPT_MS))
}

impl Readings {
    /// Readings for the database at `store`; nothing is read yet.
    #[must_use]
    pub fn of(store: PathBuf) -> Self {
        Self(Arc::new(Inside {
            store,
            machine: Kept::default(),
            usage: Kept::default(),
            load: Kept::default(),
            home: Kept::default(),
        }))
    }

    /// The machine as it was within the last second before `now`.
    pub async fn machine(&self, now: Timestamp) -> Machine {
        self.look(now, |inside| &inside.machine, |inside| machine::measure(&inside.store)).await
    }

    /// What this process used within the last second before `now`; its processor time is that of this moment.
    pub async fn usage(&self, now: Timestamp) -> Usage {
        let kept = self.look(now, |inside| &inside.usage, |_| usage::measure()).await;
        Usage { cpu: usage::cpu(), ..kept }
    }

    /// Load of the last minute for each processor, within the last second before `now`; `None` where the system does not
    /// tell. Reads nothing else.
    pub async fn load_per_core(&self, now: Timestamp) -> Option<f64> {
        self.look(now, |inside| &inside.load, |_| machine::load_per_core()).await
    }

    /// Bytes of the home within the last second before `now`, and whether that is all of it.
    pub async fn home_bytes(&self, now: Timestamp) -> Option<(u64, bool)> {
        let read = |inside: &Inside| inside.store.parent().map(|home| machine::folder_bytes(home, HOME_ENTRIES_MAX));
        self.look(now, |inside| &inside.home, read).await
    }

    /// What is kept, or else what `read` finds now: on a thread that may wait, and once when several ask together.
    async fn look<T: Clone + Default + Send + 'static>(
        &self,
        now: Timestamp,
        of: fn(&Inside) -> &Kept<T>,
        read: fn(&Inside) -> T,
    ) -> T {
        if let Some(kept) = kept(of(&self.0), now) {
            return kept;
        }
        let inside = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || take(of(&inside), now, || read(&inside))).await.unwrap_or_default()
    }
}

/// What is kept and not too old. Waits for nobody: where it is being read right now, that is waited for elsewhere.
fn kept<T: Clone>(kept: &Kept<T>, now: Timestamp) -> Option<T> {
    let kept = kept.try_lock().ok()?;
    kept.as_ref().filter(|(at, _)| !stale(Some(*at), now)).map(|(_, value)| value.clone())
}

/// What is kept, read anew when it is too old.
fn take<T: Clone>(kept: &Kept<T>, now: Timestamp, read: impl FnOnce() -> T) -> T {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    match &*kept {
        Some((at, value)) if !stale(Some(*at), now) => value.clone(),
        _ => {
            let value = read();
            *kept = Some((now, value.clone()));
            value
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Duration::from_millis(millis))
    }

    #[test]
    fn a_reading_is_too_old_after_a_second_and_when_the_clock_was_set_back() {
        for (read_at, now, expected) in [
            (None, 5_000, true),
            (Some(5_000), 5_000, false),
            (Some(5_000), 5_999, false),
            (Some(5_000), 6_000, true),
            (Some(5_000), 90_000, true),
            (Some(5_000), 4_999, true),
        ] {
            assert_eq!(stale(read_at.map(at), at(now)), expected, "{read_at:?} at {now}");
        }
    }

    #[test]
    fn ten_minutes_of_a_hundred_questions_a_second_read_once_a_second() {
        let (kept, mut reads) = (Kept::default(), 0_u32);
        for millis in (0..600_000).step_by(10) {
            let told = take(&kept, at(millis), || {
                reads += 1;
                millis
            });
            assert!(millis - told < KEPT_MS, "{told} at {millis}");
        }
        assert_eq!(reads, 600);
    }

    #[tokio::test]
    async fn what_is_kept_is_told_until_it_is_too_old_and_processor_time_is_never_kept() {
        let readings = Readings::of(PathBuf::from("."));
        let first = readings.machine(at(0)).await;
        assert!(first.cores.is_some());
        *readings.0.machine.lock().expect("free") = Some((at(0), Machine::default()));
        assert_eq!(readings.machine(at(999)).await, Machine::default());
        assert_eq!(readings.machine(at(1_000)).await.cores, first.cores);
        let before = readings.usage(at(0)).await.cpu;
        while usage::cpu() <= before {
            std::hint::spin_loop();
        }
        assert!(readings.usage(at(0)).await.cpu > before);
        assert!(readings.load_per_core(at(0)).await.is_none_or(|load| load >= 0.0));
    }
}
