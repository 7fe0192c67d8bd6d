//! Who may come in: one-time codes, sessions and tokens. Secrets are stored as hashes only.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use timmy_domain::event::{LoginEnded, LoginFailed, LoginSucceeded, TokenCreated, TokenRevoked};
use timmy_domain::problem::Kind;
use timmy_domain::text::plural;
use timmy_domain::{Actor, NewEvent, Problem, Secret};
use timmy_store::{SessionRow, StoreError, TokenRow, Tx};
use tokio::sync::{Semaphore, watch};

use super::code::Codes;
use super::known::Known;
use super::throttle::Throttle;
use crate::chance::hex;
use crate::ctx::Ctx;

/// How long a session lasts, in days.
pub const SESSION_DAYS: u64 = 30;
/// How often a use is noted, in seconds: a write for each request would cost more than it tells.
const TOUCH_SECONDS: u64 = 3_600;
/// Passwords that are hashed at once; each takes about 19 MiB and a core for some 20 milliseconds.
pub const HASHING_MAX: usize = 2;
/// Tokens that may exist.
pub const TOKENS_MAX: usize = 100;
/// Characters of a token's name.
pub const TOKEN_NAME_CHARS_MAX: usize = 64;

/// Tokens of models a day that can be given to one token.
pub const MODEL_TOKENS_PER_DAY_MAX: u64 = 1_000_000_000;

/// What somebody may do. Each scope includes the ones before it, but that looking does not include asking the models,
/// which costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Ask the models through the gateway, and nothing else.
    Models,
    /// Look.
    Read,
    /// Talk, steer, decide.
    Operate,
    /// Let others in, and end things.
    Admin,
}

impl Scope {
    /// All scopes, the smallest first.
    pub const ALL: [Self; 4] = [Self::Models, Self::Read, Self::Operate, Self::Admin];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Models => "models",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// Whether somebody with this scope may do what needs `needed`.
    #[must_use]
    pub fn covers(self, needed: Self) -> bool {
        match needed {
            Self::Models => self == Self::Models || self >= Self::Operate,
            Self::Read | Self::Operate | Self::Admin => self >= needed,
        }
    }

    /// The scope of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// Somebody who came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Who it is: `browser`, the name of a token, or `command line`. Never a secret.
    pub name: String,
    /// What they may do.
    pub scope: Scope,
    /// For a browser: the word every form carries against cross-site posts.
    pub csrf: Option<String>,
    /// The stored hash of what they showed; a session or token that is withdrawn is found by it.
    pub key: [u8; 32],
    /// Tokens of models this key may have read and written in one day (UTC); `None` for no bound of its own.
    pub model_tokens_per_day: Option<u64>,
}

/// A new session: the secret goes into the cookie and nowhere else.
pub struct NewSession {
    /// The cookie's value.
    pub cookie: Secret,
    /// How long it is good.
    pub lifetime: Duration,
}

/// The door. Cheap to clone.
#[derive(Clone)]
pub struct Access {
    pub(super) ctx: Ctx,
    /// The hash of the token that this start of the server wrote into `run.json`.
    run_token: [u8; 32],
    door: Arc<Mutex<Door>>,
    /// Sessions that need not be looked up again.
    known: Arc<Mutex<Known>>,
    /// Places where a password is hashed; each takes a thread and its memory for as long.
    pub(super) hashing: Arc<Semaphore>,
    /// Counts keys that were withdrawn, so that whoever holds a connection open looks at its own at once.
    withdrawn: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Door {
    codes: Codes,
    throttle: Throttle,
}

/// A try to come in that was counted as failed beforehand: tries that run side by side cannot outrun the throttle.
pub(super) struct Try {
    /// Failures in a row with this one, should it fail.
    pub(super) failures: u32,
}

/// The refusal of a try while the door is closed for `wait`.
fn throttled(wait: Duration) -> Problem {
    // Rounded up: a try that comes when it was told to must not find the door still closed.
    let seconds = wait.as_millis().div_ceil(1_000).try_into().unwrap_or(u64::MAX).max(1);
    let when = plural(seconds, "second", "seconds");
    Problem::new(
        Kind::TooMany,
        "login_throttled",
        format!("Too many tries failed. The door opens again in {when}."),
        "Wait that long, then try again. `timmy login` on the machine prints a fresh code.",
    )
    .retry_after(seconds)
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

impl Access {
    /// The door over `ctx`; `run_token` is the admin token of this start.
    #[must_use]
    pub fn new(ctx: Ctx, run_token: &Secret) -> Self {
        Self {
            ctx,
            run_token: hash(run_token.expose()),
            door: Arc::default(),
            known: Arc::default(),
            hashing: Arc::new(Semaphore::new(HASHING_MAX)),
            withdrawn: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Changes whenever a key was withdrawn: a token revoked, a session ended. What is open looks again then whether
    /// it still may be.
    #[must_use]
    pub fn withdrawals(&self) -> watch::Receiver<u64> {
        self.withdrawn.subscribe()
    }

    /// A key was withdrawn.
    pub(super) fn withdrew(&self) {
        self.withdrawn.send_modify(|count| *count += 1);
    }

    /// Begins a try to come in, when the door is not closed after too many failures.
    pub(super) fn try_door(&self) -> Result<Try, Problem> {
        let now = self.ctx.now();
        let mut door = self.door();
        let wait = door.throttle.wait(now);
        if wait > Duration::ZERO {
            return Err(throttled(wait));
        }
        door.throttle = door.throttle.failed(now);
        Ok(Try { failures: door.throttle.failures() })
    }

    /// The try was good: the count of failures starts again.
    pub(super) fn tried_well(&self) {
        let mut door = self.door();
        door.throttle = door.throttle.succeeded();
    }

    fn door(&self) -> std::sync::MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new one-time code, good for [`CODE_SECONDS`](super::code::CODE_SECONDS).
    #[must_use]
    pub fn mint_code(&self) -> String {
        let now = self.ctx.now();
        self.door().codes.mint(now, &self.ctx.chance)
    }

    /// Exchanges a one-time code for a session.
    ///
    /// # Errors
    /// When the code is wrong or too old, when too many tries failed, or when the store fails.
    pub async fn log_in(&self, code: &str, label: &str) -> Result<NewSession, Problem> {
        let tried = self.try_door()?;
        let now = self.ctx.now();
        if !self.door().codes.redeem(now, code) {
            self.tell_failed("code", &tried).await?;
            return Err(Problem::new(
                Kind::Unauthenticated,
                "wrong_code",
                "The code is wrong, used up or older than 60 seconds.",
                "Run `timmy login` on the machine; it prints a fresh one.",
            ));
        }
        self.tried_well();
        self.begin_session("code", label).await
    }

    /// Stores a new session for whoever came in by `how`.
    pub(super) async fn begin_session(&self, how: &'static str, label: &str) -> Result<NewSession, Problem> {
        let now = self.ctx.now();
        let cookie = Secret::new(hex(&self.ctx.chance.bytes::<32>()));
        let csrf = hex(&self.ctx.chance.bytes::<16>());
        let lifetime = Duration::from_secs(SESSION_DAYS * 86_400);
        let (key, label, until) = (hash(cookie.expose()), label.to_owned(), now.plus(lifetime));
        let stored = self.ctx.store.write(move |tx| {
            tx.prune_sessions(now)?;
            tx.insert_session(&key, &csrf, now, until, &label)?;
            let body = LoginSucceeded { how: how.to_owned() };
            tx.append(NewEvent::new("trust", body).by(Actor::Owner)).map(|_| ())
        });
        stored.await.map_err(|e| e.problem())?;
        Ok(NewSession { cookie, lifetime })
    }

    /// Writes down that somebody failed to come in by `how`.
    pub(super) async fn tell_failed(&self, how: &'static str, tried: &Try) -> Result<(), Problem> {
        let body = LoginFailed { how: how.to_owned(), failures: u64::from(tried.failures) };
        self.tell(NewEvent::new("trust", body).by(Actor::Stranger)).await
    }

    async fn tell(&self, event: NewEvent) -> Result<(), Problem> {
        self.ctx.store.append(vec![event]).await.map(|_| ()).map_err(|e| e.problem())
    }

    /// Who shows this cookie; `None` when nobody does, or no longer.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn by_cookie(&self, cookie: &str) -> Result<Option<Principal>, Problem> {
        let (key, now) = (hash(cookie), self.ctx.now());
        let row = self.session(key).await?;
        if row.as_ref().is_some_and(|s| now.since(s.seen_at) > Duration::from_secs(TOUCH_SECONDS)) {
            self.touch(move |tx| tx.touch_session(&key, now)).await;
            // What is known still has the old time of use, and would be touched again and again.
            *self.known() = Known::default();
        }
        Ok(row.filter(|s| s.expires_at > now).map(|s| Principal {
            name: "browser".to_owned(),
            scope: Scope::Admin,
            csrf: Some(s.csrf),
            key,
            model_tokens_per_day: None,
        }))
    }

    /// The session of `key`, also when it has run out.
    async fn session(&self, key: [u8; 32]) -> Result<Option<SessionRow>, Problem> {
        // The end of the log is looked at first: an event that comes in between makes what is read here old, not new.
        let end = self.ctx.store.last_seq();
        let known = self.known().at(end, &key);
        if known.is_some() {
            return Ok(known);
        }
        let row = self.ctx.store.read_here(move |r| r.session(&key)).await.map_err(|e| e.problem())?;
        if let Some(row) = &row {
            self.known().note(end, row.clone());
        }
        Ok(row)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who shows this bearer token; `None` when nobody does, or no longer.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn by_token(&self, token: &str) -> Result<Option<Principal>, Problem> {
        let key = hash(token);
        if key == self.run_token {
            let name = "command line".to_owned();
            return Ok(Some(Principal { name, scope: Scope::Admin, csrf: None, key, model_tokens_per_day: None }));
        }
        let row = self.ctx.store.read_here(move |r| r.token_by_hash(&key)).await.map_err(|e| e.problem())?;
        let now = self.ctx.now();
        let stale = |t: &TokenRow| t.used_at.is_none_or(|at| now.since(at) > Duration::from_secs(TOUCH_SECONDS));
        if let Some(name) = row.as_ref().filter(|t| stale(t)).map(|t| t.name.clone()) {
            self.touch(move |tx| tx.touch_token(&name, now)).await;
        }
        Ok(row.and_then(|t| {
            let (scope, bound) = (Scope::named(&t.scope)?, t.model_tokens_per_day);
            Some(Principal { scope, name: t.name, csrf: None, key, model_tokens_per_day: bound })
        }))
    }

    /// Notes a use. Whoever comes in must not be kept out because a disk that is full cannot note it.
    async fn touch(&self, note: impl FnOnce(&mut Tx<'_>) -> Result<(), StoreError> + Send + 'static) {
        if let Err(error) = self.ctx.store.write(note).await {
            tracing::warn!(%error, "a use could not be noted");
        }
    }

    /// Whether what `principal` showed is still good. Open sockets ask this.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn still_good(&self, principal: &Principal) -> Result<bool, Problem> {
        let (key, now) = (principal.key, self.ctx.now());
        if key == self.run_token {
            return Ok(true);
        }
        let found = self.ctx.store.read_here(move |r| {
            Ok(r.session(&key)?.is_some_and(|s| s.expires_at > now) || r.token_by_hash(&key)?.is_some())
        });
        found.await.map_err(|e| e.problem())
    }

    /// Ends the session of `principal`.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn log_out(&self, principal: &Principal) -> Result<(), Problem> {
        let key = principal.key;
        let ended = self.ctx.store.write(move |tx| {
            tx.delete_session(&key)?;
            tx.append(NewEvent::new("trust", LoginEnded {}).by(Actor::Owner)).map(|_| ())
        });
        ended.await.map_err(|e| e.problem())?;
        self.withdrew();
        Ok(())
    }

    /// Makes a token. The secret is returned once and stored as a hash.
    ///
    /// # Errors
    /// When the name is empty, too long or taken, when there are too many, or when the store fails.
    pub async fn create_token(&self, name: &str, scope: Scope) -> Result<Secret, Problem> {
        self.create_bounded_token(name, scope, None).await
    }

    /// [`Self::create_token`] with a bound on what it may ask of the models in one day, in tokens.
    ///
    /// # Errors
    /// The same, and when the bound is zero or over [`MODEL_TOKENS_PER_DAY_MAX`].
    pub async fn create_bounded_token(
        &self,
        name: &str,
        scope: Scope,
        model_tokens_per_day: Option<u64>,
    ) -> Result<Secret, Problem> {
        if model_tokens_per_day.is_some_and(|n| n == 0 || n > MODEL_TOKENS_PER_DAY_MAX) {
            return Err(Problem::invalid(
                "token_bound",
                format!("A bound on model tokens is a number from 1 to {MODEL_TOKENS_PER_DAY_MAX}."),
                "Leave it out for no bound.",
            ));
        }
        let name = timmy_domain::text::one_line(name);
        if name.is_empty() || name.chars().count() > TOKEN_NAME_CHARS_MAX {
            return Err(Problem::invalid(
                "token_name",
                format!("A token's name has from 1 to {TOKEN_NAME_CHARS_MAX} characters."),
                "Name it by who uses it, such as --name phone.",
            ));
        }
        let secret = Secret::new(format!("timmy_{}", hex(&self.ctx.chance.bytes::<32>())));
        let key = hash(secret.expose());
        let made = self.ctx.store.write(move |tx| {
            let known = tx.tokens()?;
            if known.iter().any(|t| t.name == name) {
                return Ok(Err(Problem::conflict(
                    "token_exists",
                    format!("There is a token named {name} already."),
                    "Choose another name, or revoke that one with `timmy token revoke`.",
                )));
            }
            if known.len() >= TOKENS_MAX {
                return Ok(Err(Problem::conflict(
                    "too_many_tokens",
                    format!("There are {TOKENS_MAX} tokens already."),
                    "Revoke one that is no longer used: `timmy token list` shows them.",
                )));
            }
            tx.insert_token(&name, scope.name(), &key, model_tokens_per_day)?;
            let body = TokenCreated { name, scope: scope.name().to_owned() };
            tx.append(NewEvent::new("trust", body).by(Actor::Owner))?;
            Ok(Ok(()))
        });
        made.await.map_err(|e| e.problem())?.map(|()| secret)
    }

    /// All tokens, without their secrets.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn tokens(&self) -> Result<Vec<TokenRow>, Problem> {
        self.ctx.store.read(|r| r.tokens()).await.map_err(|e| e.problem())
    }

    /// Withdraws a token; it is refused from then on.
    ///
    /// # Errors
    /// When there is no such token, or the store fails.
    pub async fn revoke_token(&self, name: &str) -> Result<(), Problem> {
        let (wanted, told) = (name.to_owned(), name.to_owned());
        let revoked = self.ctx.store.write(move |tx| {
            let known = tx.revoke_token(&wanted)?;
            if known {
                tx.append(NewEvent::new("trust", TokenRevoked { name: wanted }).by(Actor::Owner))?;
            }
            Ok(known)
        });
        if revoked.await.map_err(|e| e.problem())? {
            self.withdrew();
            return Ok(());
        }
        Err(Problem::unknown(
            "unknown_token",
            format!("There is no token named {told}."),
            "`timmy token list` shows them.",
        ))
    }
}
