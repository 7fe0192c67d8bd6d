//! Which browsers are logged in: named by short handles that open nothing, ended one by one or all but one.

use sha2::{Digest, Sha256};
use timmy_domain::event::LoginSessionsEnded;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Actor, NewEvent, Problem, Timestamp};
use timmy_store::SessionRow;

use super::access::{Access, Principal};
use crate::chance::hex;

/// Sessions that are listed and found by their handle, those used last first.
pub const SESSIONS_MAX: usize = 1_000;
/// Bytes of a handle; they are written as twice as many hexadecimal digits.
const HANDLE_BYTES: usize = 6;
/// Characters of a browser's own words that are kept when nothing in them is known.
const BROWSER_CHARS_MAX: usize = 60;

/// A session as people and programs see it: nothing in it opens the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What it is called. Made from the stored hash by another hash, so it leads neither to that nor to the cookie.
    pub handle: String,
    /// Which browser on which system, as far as it said so.
    pub browser: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used; a use is noted once an hour.
    pub seen_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// Whether it is that of whoever asks.
    pub own: bool,
}

/// The public handle of the session with this stored hash.
fn handle(hash: &[u8; 32]) -> String {
    let whole: [u8; 32] = Sha256::new().chain_update(b"timmy session handle").chain_update(hash).finalize().into();
    hex(&whole[..HANDLE_BYTES])
}

/// Which browser on which system a `User-Agent` names; its own words, shortened, where none is known in it.
#[must_use]
pub fn browser(agent: &str) -> String {
    /// What browsers call themselves; those that also claim to be another stand before it.
    const BROWSERS: [(&str, &str); 11] = [
        ("Edg/", "Edge"),
        ("EdgA/", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    /// The same for systems.
    const SYSTEMS: [(&str, &str); 7] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let named = |table: &[(&str, &'static str)]| table.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, n)| *n);
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        // "Firefox on Linux", as it is stored, is said as it is.
        (None, Some(system)) if agent.starts_with("Mozilla/") => format!("A browser on {system}"),
        _ => cut(&one_line(agent), BROWSER_CHARS_MAX),
    }
}

impl Access {
    /// Who is logged in with a browser, used last first: [`SESSIONS_MAX`] at most. `by` is whoever asks.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sessions(&self, by: &Principal) -> Result<Vec<Seen>, Problem> {
        let (now, own) = (self.ctx.now(), by.key);
        let rows = self.ctx.store.read(move |r| r.sessions(now, SESSIONS_MAX)).await.map_err(|e| e.problem())?;
        let seen = |row: SessionRow| Seen {
            handle: handle(&row.hash),
            browser: browser(&row.label),
            created_at: row.created_at,
            seen_at: row.seen_at,
            expires_at: row.expires_at,
            own: row.hash == own,
        };
        Ok(rows.into_iter().map(seen).collect())
    }

    /// Ends the session with this handle; what it had open is closed at once.
    ///
    /// # Errors
    /// When there is no such session, or the store fails.
    pub async fn end_session(&self, wanted: &str) -> Result<(), Problem> {
        let (now, wanted) = (self.ctx.now(), wanted.to_owned());
        let ended = self.ctx.store.write(move |tx| {
            let rows = tx.sessions(now, SESSIONS_MAX)?;
            let Some(row) = rows.into_iter().find(|row| handle(&row.hash) == wanted) else { return Ok(false) };
            tx.delete_session(&row.hash)?;
            let body = LoginSessionsEnded { sessions_ended: 1, session: Some(wanted) };
            tx.append(NewEvent::new("trust", body).by(Actor::Owner))?;
            Ok(true)
        });
        if ended.await.map_err(|e| e.problem())? {
            self.withdrew();
            return Ok(());
        }
        Err(Problem::unknown(
            "unknown_session",
            "There is no such session, or it has ended.",
            "`timmy sessions` and the page Settings show those that are open.",
        ))
    }

    /// Ends every session but that of `by`; answers how many. A program has none, so for it all of them end.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_other_sessions(&self, by: &Principal) -> Result<u64, Problem> {
        let (now, spared) = (self.ctx.now(), by.key);
        let ended = self.ctx.store.write(move |tx| {
            // What has run out is not counted as ended.
            tx.prune_sessions(now)?;
            let ended = tx.end_other_sessions(Some(&spared))? as u64;
            if ended > 0 {
                let body = LoginSessionsEnded { sessions_ended: ended, session: None };
                tx.append(NewEvent::new("trust", body).by(Actor::Owner))?;
            }
            Ok(ended)
        });
        let ended = ended.await.map_err(|e| e.problem())?;
        self.withdrew();
        Ok(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_by_what_it_says_of_itself() {
        let table = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            // As an earlier version stored it: cut off before the browser is named.
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)",
                "A browser on Windows",
            ),
            ("curl/8.9", "curl"),
            ("Firefox on Linux", "Firefox on Linux"),
            ("a browser", "a browser"),
            ("", ""),
        ];
        for (agent, wanted) in table {
            assert_eq!(browser(agent), wanted, "{agent}");
        }
        let strange = browser(&format!("\u{1b}[31m<script>{}", "x".repeat(500)));
        assert!(strange.chars().count() <= BROWSER_CHARS_MAX && !strange.contains('\u{1b}'), "{strange}");
    }

    #[test]
    fn a_handle_is_short_and_shows_nothing_of_the_hash() {
        let hash = [0xab; 32];
        assert_eq!(handle(&hash).len(), HANDLE_BYTES * 2);
        assert!(!hex(&hash).contains(&handle(&hash)));
        assert_ne!(handle(&hash), handle(&[0xac; 32]));
    }
}
