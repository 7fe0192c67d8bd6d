//! Words for the terminal. A reader that went away (`timmy events tail | head`) is no fault.
//!
//! What is said may hold names, paths and errors from outside. Whatever steers a terminal is shown instead of obeyed,
//! here, so that no command can forget it.

use std::io::{IsTerminal, Write};

use timmy_domain::text::shown;

/// Writes one line to standard output; `false` when nobody reads any more.
pub fn line(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(shown(text).as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()).is_ok()
}

/// Writes text without a line break to standard output; `false` when nobody reads any more.
pub fn part(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(shown(text).as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// Writes bytes to standard output as they are; for a person at a terminal what would steer it is shown instead.
/// `false` when nobody reads any more.
pub fn bytes(bytes: &[u8]) -> bool {
    let mut out = std::io::stdout().lock();
    if out.is_terminal() {
        return out.write_all(shown(&String::from_utf8_lossy(bytes)).as_bytes()).and_then(|()| out.flush()).is_ok();
    }
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// Writes text without a line break to standard error. Nothing can be done when that fails.
pub fn aside_part(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// Writes one line to standard error. Nothing can be done when that fails.
pub fn aside(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(shown(text).as_bytes()).and_then(|()| err.write_all(b"\n"));
}

/// Writes a question without a line break to standard error, where it does not mix with what is answered.
pub fn prompt(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(shown(text).as_bytes()).and_then(|()| err.flush());
}
