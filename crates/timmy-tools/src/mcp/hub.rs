//! All servers of tools of the house: keeps them connected, and gives their tools.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::keep::{self, Link};
use super::server::Server;
use super::tool::Foreign;
use crate::tool::Tool;

pub use super::keep::State;

/// How it stands with one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its program or host.
    pub place: String,
    /// How it stands.
    pub state: State,
}

impl Standing {
    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.state {
            State::Connecting => "connecting".to_owned(),
            State::Connected { tools, left_out } => {
                let tools = timmy_domain::text::plural(*tools as u64, "tool", "tools");
                let out =
                    if left_out.is_empty() { String::new() } else { format!("; left out: {}", left_out.join(", ")) };
                format!("connected with {tools}{out}")
            }
            State::Failing { why, again_seconds: Some(seconds) } => {
                format!("failing: {why}; tried again {seconds} s later")
            }
            State::Failing { why, again_seconds: None } => format!("failing: {why}"),
        }
    }

    /// Whether it is not as it should be.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        matches!(self.state, State::Failing { .. })
    }
}

/// The servers. Cheap to clone.
#[derive(Clone)]
pub struct Hub {
    links: Arc<Vec<Arc<Link>>>,
    changes: watch::Receiver<u64>,
}

impl Hub {
    /// A hub of these servers. Nothing is started yet.
    #[must_use]
    pub fn new(servers: Vec<Server>) -> Self {
        let (sender, changes) = watch::channel(0);
        let link = |server| Arc::new(Link::new(server, sender.clone()));
        Self { links: Arc::new(servers.into_iter().map(link).collect()), changes }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Keeps all of them connected until the future is dropped, which ends them.
    pub async fn run(&self) {
        let mut tasks = JoinSet::new();
        for link in self.links.iter() {
            tasks.spawn(keep::keep(Arc::clone(link)));
        }
        while tasks.join_next().await.is_some() {}
        std::future::pending::<()>().await;
    }

    /// A view that tells when something changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// How it stands with each.
    #[must_use]
    pub fn standings(&self) -> Vec<Standing> {
        self.links.iter().map(|link| standing(&link.server, link.state())).collect()
    }

    /// How many are there now.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.links.iter().filter(|link| link.up().is_some()).count()
    }

    /// The tools that can be called now.
    #[must_use]
    pub fn tools(&self) -> Vec<Arc<dyn Tool>> {
        let of = |link: &Arc<Link>| {
            let link = Arc::clone(link);
            let up = link.up();
            let tools = up.map(|up| (up.identity, up.tools));
            tools.into_iter().flat_map(move |(identity, tools)| {
                let one = |tool| Arc::new(Foreign::new(Arc::clone(&link), identity, tool)) as Arc<dyn Tool>;
                tools.iter().cloned().map(one).collect::<Vec<_>>()
            })
        };
        self.links.iter().flat_map(of).collect()
    }
}

fn standing(server: &Server, state: State) -> Standing {
    Standing { name: server.name.clone(), place: server.place(), state }
}

/// Tries each of `servers` once, side by side, for at most `limit` until it greets, and lets it go again.
pub async fn try_all(servers: &[Server], limit: Duration) -> Vec<Standing> {
    let mut tasks = JoinSet::new();
    for server in servers {
        let server = server.clone();
        tasks.spawn(async move {
            let state = keep::try_once(&server, limit).await;
            standing(&server, state)
        });
    }
    let mut all: Vec<Standing> = tasks.join_all().await;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}
