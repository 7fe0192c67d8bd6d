//! Whether anything may leave this machine right now, whatever the labels say.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// The longest time that everything can be kept here with one key, in milliseconds: a day.
pub const LOCAL_MS_MAX: u64 = 24 * 3_600_000;

/// Who may be asked, as the owner said last.
#[derive(Debug)]
pub struct Mode(Mutex<Inside>);

#[derive(Debug)]
struct Inside {
    offline: bool,
    local_until: Option<u64>,
    /// Cancelled when everything has to stay here from now on, and with it every call that is on its way out.
    leaving: CancellationToken,
}

impl Mode {
    /// Offline for the whole run, or not.
    #[must_use]
    pub fn new(offline: bool) -> Self {
        Self(Mutex::new(Inside { offline, local_until: None, leaving: CancellationToken::new() }))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps everything here until `until`, or no longer. Calls on their way out are given up.
    pub fn keep_local(&self, until: Option<u64>) {
        let mut inside = self.inside();
        inside.local_until = until;
        if until.is_some() {
            inside.leaving.cancel();
            inside.leaving = CancellationToken::new();
        }
    }

    /// Until when everything is kept here by the owner's key.
    #[must_use]
    pub fn local_until(&self, now: u64) -> Option<u64> {
        self.inside().local_until.filter(|until| now < *until)
    }

    /// Whether this run never asks anybody elsewhere.
    #[must_use]
    pub fn offline(&self) -> bool {
        self.inside().offline
    }

    /// Leave to ask somebody elsewhere at `now`. It ends when the token is cancelled.
    ///
    /// # Errors
    /// [`Failure::Privacy`] with the reason.
    pub fn leave(&self, now: u64) -> Result<CancellationToken, Failure> {
        let inside = self.inside();
        match inside.local_until {
            _ if inside.offline => Err(Failure::Privacy { what: "Timmy works offline".to_owned() }),
            Some(until) if now < until => {
                let minutes = (until - now).div_ceil(60_000);
                Err(Failure::Privacy { what: format!("everything stays on this machine for another {minutes} min") })
            }
            _ => Ok(inside.leaving.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: models: offline, and for an hour at one key, nobody elsewhere is asked; what is on its way out is given up
    #[test]
    fn an_hour_ends_by_itself_and_begins_at_once() {
        let mode = Mode::new(false);
        let going = mode.leave(0).expect("may leave");
        mode.keep_local(Some(3_600_000));
        assert!(going.is_cancelled());
        assert!(matches!(mode.leave(3_599_999), Err(Failure::Privacy { what }) if what.ends_with("another 1 min")));
        assert_eq!((mode.local_until(0), mode.local_until(3_600_000)), (Some(3_600_000), None));
        assert!(mode.leave(3_600_000).is_ok_and(|token| !token.is_cancelled()));
        mode.keep_local(None);
        assert!(mode.leave(0).is_ok());
        assert!(Mode::new(true).leave(u64::MAX).is_err());
    }
}
