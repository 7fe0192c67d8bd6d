//! Keeps one server connected: greets it, learns its tools, hears when they change or it falls silent, tries again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use timmy_domain::digest::Digest;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::describe::{self, Described};
use super::peer::Peer;
use super::pipe::Fate;
use super::server::{Identity, Server};

/// Seconds from starting a server to its greeting. Some fetch themselves first.
const GREETING_SECONDS: u64 = 30;
/// Seconds listing tools may take.
const LIST_SECONDS: u64 = 20;
/// Seconds between two looks whether a silent server is there.
const PING_SECONDS: u64 = 60;
/// Seconds it may take to say so.
const PONG_SECONDS: u64 = 20;
/// Seconds between two lists of a server that says again and again that they changed.
const RELIST_SECONDS: u64 = 5;
/// Seconds before the first new try, and the longest wait between two.
const WAIT_SECONDS: (u64, u64) = (1, 300);
/// Seconds a connection must have lasted for the next wait to be the first one again.
const STEADY_SECONDS: u64 = 60;

/// How it stands with a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is being greeted.
    Connecting,
    /// It is there.
    Connected {
        /// How many tools it offers.
        tools: usize,
        /// One line for each that was left out.
        left_out: Vec<String>,
    },
    /// It is not there.
    Failing {
        /// Why.
        why: String,
        /// Seconds until it is tried again, counted from when it failed; `None` when it is not.
        again_seconds: Option<u64>,
    },
}

/// One server and what is known of it.
pub(super) struct Link {
    pub(super) server: Server,
    now: Mutex<Now>,
    changes: watch::Sender<u64>,
}

struct Now {
    state: State,
    up: Option<Up>,
    /// How each tool described itself when this process first met it.
    first: BTreeMap<String, Digest>,
}

/// A server that is there.
#[derive(Clone)]
pub(super) struct Up {
    pub(super) peer: Arc<Peer>,
    pub(super) identity: Digest,
    pub(super) tools: Arc<Vec<Described>>,
}

impl Link {
    pub(super) fn new(server: Server, changes: watch::Sender<u64>) -> Self {
        let now = Now { state: State::Connecting, up: None, first: BTreeMap::new() };
        Self { server, now: Mutex::new(now), changes }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Now) -> T) -> T {
        look(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn stands(&self, state: State, up: Option<Up>) {
        self.with(|now| {
            for tool in up.iter().flat_map(|up| up.tools.iter()) {
                now.first.entry(tool.name.clone()).or_insert(tool.sha256);
            }
            (now.state, now.up) = (state, up);
        });
        self.changes.send_modify(|count| *count += 1);
    }

    pub(super) fn state(&self) -> State {
        self.with(|now| now.state.clone())
    }

    pub(super) fn up(&self) -> Option<Up> {
        self.with(|now| now.up.clone())
    }

    /// Whether `tool` describes itself as it did when it was first met.
    pub(super) fn is_as_first(&self, tool: &Described) -> bool {
        self.with(|now| now.first.get(&tool.name).is_none_or(|first| *first == tool.sha256))
    }
}

/// Keeps `link` connected until the future is dropped.
pub(super) async fn keep(link: Arc<Link>) {
    let (first, longest) = WAIT_SECONDS;
    let mut wait_seconds = first;
    loop {
        let began = Instant::now();
        let why = life(&link).await;
        if began.elapsed() >= Duration::from_secs(STEADY_SECONDS) {
            wait_seconds = first;
        }
        link.stands(State::Failing { why, again_seconds: Some(wait_seconds) }, None);
        sleep(Duration::from_secs(wait_seconds)).await;
        wait_seconds = (wait_seconds * 2).min(longest);
    }
}

/// Tries `server` once, for at most `limit`: how it stands afterwards.
pub(super) async fn try_once(server: &Server, limit: Duration) -> State {
    let tried = async {
        let (peer, _) = greeted(server, limit).await?;
        listed(server, &peer).await
    };
    match tried.await {
        Ok((tools, left_out)) => State::Connected { tools: tools.len(), left_out },
        Err(why) => State::Failing { why, again_seconds: None },
    }
}

/// One connection from greeting to end; why it ended.
async fn life(link: &Link) -> String {
    let (peer, identity) = match greeted(&link.server, Duration::from_secs(GREETING_SECONDS)).await {
        Ok((peer, identity)) => (Arc::new(peer), identity),
        Err(why) => return why,
    };
    loop {
        let (tools, left_out) = match listed(&link.server, &peer).await {
            Ok(listed) => listed,
            Err(why) => return why,
        };
        let state = State::Connected { tools: tools.len(), left_out };
        let up = Up { peer: Arc::clone(&peer), identity: identity.sha256, tools: Arc::new(tools) };
        link.stands(state, Some(up));
        sleep(Duration::from_secs(RELIST_SECONDS)).await;
        if let Some(why) = until_changed(&peer).await {
            return why;
        }
    }
}

/// Waits until its tools changed, which gives `None`, or it is gone.
async fn until_changed(peer: &Peer) -> Option<String> {
    let told = |fallback: &str| {
        let words = peer.fate.words();
        Some(if words.is_empty() { fallback.to_owned() } else { words })
    };
    loop {
        if peer.is_closed() {
            return told("the connection was closed");
        }
        tokio::select! {
            () = peer.fate.ended.cancelled() => return told("it ended"),
            () = peer.changed() => return None,
            () = sleep(Duration::from_secs(PING_SECONDS)) => {}
        }
        if !peer.is_busy() && !peer.is_there(Duration::from_secs(PONG_SECONDS)).await && !peer.is_busy() {
            return told("it does not answer any more");
        }
    }
}

async fn greeted(server: &Server, limit: Duration) -> Result<(Peer, Identity), String> {
    let asked = server.clone();
    let looked = tokio::task::spawn_blocking(move || asked.identify()).await.map_err(|error| error.to_string())?;
    let identity = looked.map_err(|error| error.to_string())?;
    let fate = Fate::hiding(server.hidden());
    let opened = timeout(limit, Peer::open(server, &identity, fate.clone())).await;
    let why = match opened {
        Ok(Ok(peer)) => return Ok((peer, identity)),
        Ok(Err(why)) => why,
        Err(_) => format!("it did not greet within {limit:?}"),
    };
    // Complaints may lie in the pipe still.
    tokio::task::yield_now().await;
    let words = fate.words();
    Err(if words.is_empty() { why } else { format!("{why}; {words}") })
}

async fn listed(server: &Server, peer: &Peer) -> Result<(Vec<Described>, Vec<String>), String> {
    match timeout(Duration::from_secs(LIST_SECONDS), peer.list()).await {
        Ok(Ok(tools)) => Ok(describe::all(&server.name, tools)),
        Ok(Err(why)) => Err(format!("it did not list its tools: {why}")),
        Err(_) => Err(format!("it did not list its tools within {LIST_SECONDS} seconds")),
    }
}
