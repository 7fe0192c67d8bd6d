//! What every handler gets handed: the engine, the settings, the feed, and how the server is known.

use std::net::SocketAddr;
use std::sync::Arc;

use timmy_core::App;
use timmy_domain::text::{cut, one_line};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::guard::Hosts;
use crate::live::ring::Ring;
use crate::look;
use crate::settings::{FeedSettings, ServerSettings};

/// Where Linux tells the name of the machine.
const HOSTNAME_FILE: &str = "/proc/sys/kernel/hostname";
/// Characters of the machine's name that are shown.
const HOSTNAME_CHARS_MAX: usize = 64;

/// What the web server is made of.
pub struct WebParts {
    /// The engine.
    pub app: App,
    /// Where and for whom it listens.
    pub server: ServerSettings,
    /// The live feed.
    pub feed: FeedSettings,
    /// The address it listens on; port 0 when nobody listens.
    pub address: SocketAddr,
    /// The version of the binary.
    pub version: String,
    /// The home folder, as it is shown.
    pub home: String,
}

/// The web server's state. Cheap to clone.
#[derive(Clone)]
pub struct Web(Arc<Inside>);

/// What the state holds.
pub struct Inside {
    /// The engine.
    pub app: App,
    /// The live feed's settings.
    pub feed: FeedSettings,
    /// The address it listens on.
    pub address: SocketAddr,
    /// The version of the binary.
    pub version: String,
    /// The home folder, as it is shown.
    pub home: String,
    /// The name of the machine, as it is shown.
    pub machine: String,
    /// The names under which it may be reached.
    pub hosts: Hosts,
    /// The newest events, serialized once for all clients.
    pub ring: Ring,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
    /// Sockets of the live feed.
    pub sockets: TaskTracker,
    /// Held while the whole chain is verified: once at a time.
    pub verifying: tokio::sync::Mutex<()>,
}

impl std::ops::Deref for Web {
    type Target = Inside;
    fn deref(&self) -> &Inside {
        &self.0
    }
}

impl Web {
    /// A state of these parts that ends with `stop`.
    #[must_use]
    pub fn new(parts: WebParts, stop: CancellationToken) -> Self {
        let machine = std::fs::read_to_string(HOSTNAME_FILE).map(|name| cut(&one_line(&name), HOSTNAME_CHARS_MAX));
        let ring = Ring::new(&parts.app.ctx.store, stop.clone());
        Self(Arc::new(Inside {
            hosts: Hosts::new(parts.address.ip(), &parts.server.allowed_hosts),
            app: parts.app,
            feed: parts.feed,
            address: parts.address,
            version: parts.version,
            home: parts.home,
            machine: machine.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned()),
            ring,
            stop,
            sockets: TaskTracker::new(),
            verifying: tokio::sync::Mutex::new(()),
        }))
    }

    /// The present moment at the place of the house, for drawing.
    #[must_use]
    pub fn clock(&self) -> look::Clock {
        let now = self.app.ctx.now();
        look::Clock { now, offset: self.app.ctx.clock.offset_at(now) }
    }

    /// Seconds since this run began.
    #[must_use]
    pub fn uptime_seconds(&self) -> u64 {
        self.app.ctx.now().since(self.app.ctx.started_at).as_secs()
    }
}
