//! The owner's password at the door: set, taken away, and used to come in. Hashing never runs on a serving thread.

use std::sync::Arc;

use timmy_domain::event::{LoginPasswordRemoved, LoginPasswordSet};
use timmy_domain::problem::Kind;
use timmy_domain::{Actor, NewEvent, Problem, Secret};
use tokio::sync::OwnedSemaphorePermit;

use super::access::{Access, HASHING_MAX, NewSession, Principal};
use super::password::{self, PASSWORD_BYTES_MAX};

/// Where the stored form of the password is.
const PASSWORD_KEY: &str = "login.password";
/// Seconds after which it is worth trying again when all places for hashing are taken.
const BUSY_SECONDS: u64 = 1;

fn wrong() -> Problem {
    Problem::new(
        Kind::Unauthenticated,
        "wrong_password",
        "The password is wrong.",
        "Try again, or run `timmy login` on the machine for a code. `timmy password set` there sets another one.",
    )
}

fn none_set() -> Problem {
    Problem::conflict(
        "no_password",
        "No password is set.",
        "Log in with a code from `timmy login`; a password is set on the page Settings, or with `timmy password set`.",
    )
}

impl Access {
    /// Whether the owner has set a password.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn has_password(&self) -> Result<bool, Problem> {
        Ok(self.stored_password().await?.is_some())
    }

    async fn stored_password(&self) -> Result<Option<String>, Problem> {
        self.ctx.store.read(|r| r.state(PASSWORD_KEY)).await.map_err(|e| e.problem())
    }

    /// A place for hashing: at most [`HASHING_MAX`] at once, so that guesses take neither all memory nor all threads.
    fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.hashing).try_acquire_owned().map_err(|_| {
            Problem::new(
                Kind::TooMany,
                "login_busy",
                format!("{HASHING_MAX} passwords are being checked already."),
                "Try again in a second.",
            )
            .retry_after(BUSY_SECONDS)
        })
    }

    /// Runs `work`, which hashes, on a thread of its own. The place is kept until it is done, also when nobody waits.
    async fn hashed<T: Send + 'static>(
        place: OwnedSemaphorePermit,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await.map_err(|_| {
            Problem::unavailable(
                "password_unusable",
                "The password could not be checked.",
                "Log in with `timmy login`.",
            )
        })
    }

    /// Looks whether `typed` is the password. Counts as a try at the door, like a code.
    async fn prove(&self, typed: &Secret, stored: String) -> Result<(), Problem> {
        let place = self.place()?;
        let tried = self.try_door()?;
        let fits = typed.expose().len() <= PASSWORD_BYTES_MAX && {
            let typed = typed.clone();
            Self::hashed(place, move || password::fits(typed.expose(), &stored)).await?
        };
        if fits {
            self.tried_well();
            return Ok(());
        }
        self.tell_failed("password", &tried).await?;
        Err(wrong())
    }

    /// Exchanges the password for a session.
    ///
    /// # Errors
    /// When none is set, when it is wrong, when too many tries failed or run at once, or when the store fails.
    pub async fn log_in_by_password(&self, typed: &Secret, label: &str) -> Result<NewSession, Problem> {
        let Some(stored) = self.stored_password().await? else { return Err(none_set()) };
        self.prove(typed, stored).await?;
        self.begin_session("password", label).await
    }

    /// Looks whether somebody who is in already knows the password that is to be changed; fine when none is set.
    ///
    /// # Errors
    /// When it is wrong, when too many tries failed or run at once, or when the store fails.
    pub async fn prove_current(&self, typed: &Secret) -> Result<(), Problem> {
        let Some(stored) = self.stored_password().await? else { return Ok(()) };
        self.prove(typed, stored).await.map_err(|problem| {
            // Whoever asks is logged in; a 401 would send them to the door.
            if problem.kind == Kind::Unauthenticated {
                return Problem::new(Kind::Forbidden, problem.code, "The current password is wrong.", problem.hint);
            }
            problem
        })
    }

    /// Sets the password, and ends every session but that of `by`. Tokens of programs stay good.
    ///
    /// # Errors
    /// When it may not be set, when two are being hashed already, or when the store fails.
    pub async fn set_password(&self, password: &Secret, by: &Principal) -> Result<u64, Problem> {
        password::check(password.expose())?;
        let (place, salt, typed) = (self.place()?, self.ctx.chance.bytes::<16>(), password.clone());
        let stored = Self::hashed(place, move || password::stored_form(typed.expose(), &salt)).await??;
        let spared = by.key;
        let ended = self.ctx.store.write(move |tx| {
            let ended = tx.end_other_sessions(Some(&spared))? as u64;
            tx.set_state(PASSWORD_KEY, &stored)?;
            tx.append(NewEvent::new("trust", LoginPasswordSet { sessions_ended: ended }).by(Actor::Owner))?;
            Ok(ended)
        });
        let ended = ended.await.map_err(|e| e.problem())?;
        self.withdrew();
        Ok(ended)
    }

    /// Takes the password away, and ends every session but that of `by`.
    ///
    /// # Errors
    /// When none is set, or when the store fails.
    pub async fn remove_password(&self, by: &Principal) -> Result<u64, Problem> {
        let spared = by.key;
        let ended = self.ctx.store.write(move |tx| {
            if tx.state(PASSWORD_KEY)?.is_none() {
                return Ok(None);
            }
            let ended = tx.end_other_sessions(Some(&spared))? as u64;
            tx.clear_state(PASSWORD_KEY)?;
            tx.append(NewEvent::new("trust", LoginPasswordRemoved { sessions_ended: ended }).by(Actor::Owner))?;
            Ok(Some(ended))
        });
        let ended = ended.await.map_err(|e| e.problem())?.ok_or_else(none_set)?;
        self.withdrew();
        Ok(ended)
    }
}
