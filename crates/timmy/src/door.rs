//! The way from a command to Timmy: through the running server, else straight into the home.
//!
//! Both ways speak the same JSON: without a server the same router answers in this process, so every
//! command is written once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::Value;
use timmy_core::App;
use timmy_core::chance::hex;
use timmy_domain::Secret;
use timmy_web::WebParts;
use timmy_web::client::{Client, ClientError};

use crate::commands::Global;
use crate::config::Config;
use crate::config::desk::Desk;
use crate::home::{Home, Lock};
use crate::wire;

/// How long a stopped answer may take to be stored, in milliseconds.
const SETTLE_MS_MAX: u64 = 2_000;

/// What the door refused, in the words of the house.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// A word for programs.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What the owner can do.
    pub hint: String,
}

impl Refusal {
    /// From the `error` object of an answer.
    #[must_use]
    pub fn from_json(error: &Value) -> Self {
        let field = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self { code: field("code"), message: field("message"), hint: field("hint") }
    }
}

/// The way to Timmy.
pub struct Door {
    client: Client,
    address: String,
    here: Option<Here>,
}

/// An engine in this process.
struct Here {
    app: App,
    running: Option<tokio::task::JoinHandle<()>>,
    _lock: Lock,
}

/// `text` as one segment or value of a path.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl Door {
    /// To the running server; `None` when none runs.
    ///
    /// # Errors
    /// When a process holds the home without listening.
    pub async fn if_running(home: &Home) -> Result<Option<Self>> {
        let Some(run) = home.running()? else { return Ok(None) };
        let client = Client::to_server(&format!("http://{}", run.address), Secret::new(run.token))?;
        Ok(Some(Self { client, address: run.address, here: None }))
    }

    /// To the running server.
    ///
    /// # Errors
    /// When none runs.
    pub async fn to_server(home: &Home) -> Result<Self> {
        match Self::if_running(home).await? {
            Some(door) => Ok(door),
            None => bail!("Timmy is not running on {}; start him with `timmy serve`", home.path.display()),
        }
    }

    /// To the running server, else into the home.
    ///
    /// # Errors
    /// When neither way is open.
    pub async fn open(global: &Global) -> Result<Self> {
        Self::open_with(global, &[], None).await
    }

    /// Like [`Self::open`], into a home whose configuration is `config`, whatever stands in its file.
    ///
    /// # Errors
    /// When neither way is open.
    pub async fn open_as(global: &Global, config: Config) -> Result<Self> {
        Self::open_with(global, &[], Some(config)).await
    }

    /// Like [`Self::open`], with somebody at home who answers messages.
    ///
    /// # Errors
    /// When neither way is open.
    pub async fn with_talk(global: &Global) -> Result<Self> {
        Self::open_with(global, &["talk.answer"], None).await
    }

    async fn open_with(global: &Global, parts: &[&str], config: Option<Config>) -> Result<Self> {
        if let Some(door) = Self::if_running(&global.home).await? {
            return Ok(door);
        }
        let home = &global.home;
        home.create()?;
        let Some(lock) = home.lock()? else { bail!("another timmy has just taken {}; try again", home.path.display()) };
        let config = config.map_or_else(|| wire::load_config(home, Vec::new()), Ok)?;
        let token = Secret::new(hex(&wire::chance()?.bytes::<32>()));
        let app = wire::engine(home, &config, token.clone())?;
        let web = WebParts {
            app: app.clone(),
            server: config.server.clone(),
            feed: config.feed.clone(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            version: wire::VERSION.to_owned(),
            home: home.path.display().to_string(),
            desk: Some(Arc::new(Desk::new(home.clone(), Vec::new(), config.clone()))),
        };
        let client = Client::in_process(timmy_web::router(web), token);
        let running = (!parts.is_empty()).then(|| tokio::spawn(app.run_only(parts)));
        Ok(Self { client, address: String::new(), here: Some(Here { app, running, _lock: lock }) })
    }

    /// Whether a server is at the other end.
    #[must_use]
    pub const fn is_server(&self) -> bool {
        self.here.is_none()
    }

    /// Where the server listens; empty when there is none.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Asks for `path`.
    ///
    /// # Errors
    /// [`Refusal`] when Timmy refuses; otherwise what went wrong on the way.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.client.get(path).await.map_err(words)
    }

    /// Sends `body` to `path`.
    ///
    /// # Errors
    /// [`Refusal`] when Timmy refuses; otherwise what went wrong on the way.
    pub async fn post(&self, path: &str, body: Value) -> Result<Value> {
        self.client.post(path, &body).await.map_err(words)
    }

    /// Puts `body` in place of what is at `path`.
    ///
    /// # Errors
    /// [`Refusal`] when Timmy refuses; otherwise what went wrong on the way.
    pub async fn put(&self, path: &str, body: Value) -> Result<Value> {
        self.client.put(path, &body).await.map_err(words)
    }

    /// Deletes `path`.
    ///
    /// # Errors
    /// [`Refusal`] when Timmy refuses; otherwise what went wrong on the way.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        self.client.delete(path).await.map_err(words)
    }

    /// Sends `body` to `path` and hands on each event of the answer as it comes. Dropping the future stops it.
    ///
    /// # Errors
    /// [`Refusal`] when Timmy refuses; otherwise what went wrong on the way.
    pub async fn stream(&self, path: &str, body: Value, on_event: impl FnMut(Value)) -> Result<()> {
        self.client.stream(path, &body, on_event).await.map_err(words)
    }

    /// Asks for `path` and hands on each piece of the answer as it comes, until `on_piece` wants no more. Answers
    /// whether the answer was taken to its end.
    ///
    /// # Errors
    /// [`Refusal`] when Timmy refuses; otherwise what went wrong on the way.
    pub async fn download(&self, path: &str, on_piece: impl FnMut(&[u8]) -> bool) -> Result<bool> {
        self.client.download(path, on_piece).await.map_err(words)
    }

    /// Ends what was begun in this process.
    pub async fn close(self) {
        if let Some(here) = self.here {
            drop(self.client);
            // An answer that was stopped is stored before the house goes, or the next start would answer it after all.
            let began = tokio::time::Instant::now();
            while here.app.talk.turns.count() > 0 && began.elapsed() < Duration::from_millis(SETTLE_MS_MAX) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            here.app.ctx.stop.cancel();
            if let Some(running) = here.running {
                // A part that failed has reported it already.
                let _ = running.await;
            }
            here.app.ctx.store.close().await;
        }
    }
}

fn words(error: ClientError) -> anyhow::Error {
    match error {
        ClientError::Refused { code, message, hint } => Refusal { code, message, hint }.into(),
        other => anyhow::Error::new(other),
    }
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn a_path_segment_cannot_break_out() {
        assert_eq!(encode("a/../b?c#d é%"), "a%2F..%2Fb%3Fc%23d%20%C3%A9%25");
    }
}
