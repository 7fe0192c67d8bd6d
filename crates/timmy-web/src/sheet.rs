//! Sheets that pages are drawn on, kept for the next page.
//!
//! A page is drawn into one text that grows to some fifty thousand bytes and is gone a moment later, pressed. Giving
//! that room back and asking for it anew, each time from a small beginning, took about a twentieth of a page's time.

use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;

/// Sheets that wait for the next page.
const SHEETS_MAX: usize = 2;
/// Bytes of a sheet that is kept; a longer one was an exception, and its room goes back.
const SHEET_BYTES_MAX: usize = 192 * 1024;

static KEPT: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A text to draw on. Its room is kept when it is dropped.
pub struct Sheet(String);

impl Sheet {
    /// An empty one.
    #[must_use]
    pub fn take() -> Self {
        Self(KEPT.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default())
    }

    /// What is drawn on it.
    pub fn text(&mut self) -> &mut String {
        &mut self.0
    }

    /// The drawn page as a body. The room comes back when the last part of it is sent.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Sheet {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Drop for Sheet {
    fn drop(&mut self) {
        if self.0.capacity() > SHEET_BYTES_MAX {
            return;
        }
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SHEETS_MAX {
            self.0.clear();
            kept.push(std::mem::take(&mut self.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_sheet_is_blank_and_long_ones_are_not_kept() {
        for round in 0..10 {
            let mut sheets: Vec<Sheet> = (0..5).map(|_| Sheet::take()).collect();
            assert!(sheets.iter().all(|sheet| sheet.as_ref().is_empty()), "round {round}");
            sheets.iter_mut().for_each(|sheet| sheet.text().push_str("what another person reads"));
            let bodies: Vec<Bytes> = sheets.into_iter().map(Sheet::into_bytes).collect();
            assert!(bodies.iter().all(|body| body.as_ref() == b"what another person reads"));
        }
        let mut long = Sheet::take();
        long.text().push_str(&"x".repeat(SHEET_BYTES_MAX * 2));
        drop(long);
        let kept = KEPT.lock().expect("kept");
        assert!(kept.len() <= SHEETS_MAX && kept.iter().all(|s| s.capacity() <= SHEET_BYTES_MAX));
    }
}
