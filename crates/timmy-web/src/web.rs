//! What every handler gets handed: the engine, the settings, the feed, and how the server is known.

use std::net::SocketAddr;
use std::sync::Arc;

use rustix::process::{Resource, getrlimit};
use timmy_core::App;
use timmy_domain::text::{cut, one_line};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::gateway::{CALLS_MAX, Tally};
use crate::desk::Desk;
use crate::guard::Hosts;
use crate::live::ring::Ring;
use crate::pages::events::bars::Tallies;
use crate::pages::events::export::EXPORTS_MAX;
use crate::pages::events::newest::Newest;
use crate::resources::Lately;
use crate::settings::{FeedSettings, ServerSettings};
use crate::surface::Surface;
use crate::{live, look};

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
    /// Where settings are read and written; `None` where no configuration file stands behind.
    pub desk: Option<Arc<dyn Desk>>,
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
    /// Where settings are read and written.
    pub desk: Option<Arc<dyn Desk>>,
    /// The name of the machine, as it is shown.
    pub machine: String,
    /// The names under which it may be reached.
    pub hosts: Hosts,
    /// The newest events, serialized once for all clients.
    pub ring: Ring,
    /// What is counted.
    pub surface: Surface,
    /// What had been used a little while ago.
    pub lately: Lately,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
    /// Sockets of the live feed, and what else must end before the server does.
    pub sockets: TaskTracker,
    /// Places for sockets of the live feed.
    pub places: Arc<Semaphore>,
    /// The newest rows of the log, drawn.
    pub newest: Newest,
    /// What histograms of the log have counted.
    pub tallies: Tallies,
    /// Places for exports of the log.
    pub exports: Arc<Semaphore>,
    /// Places for calls of the gateway.
    pub gateway: Arc<Semaphore>,
    /// What keys without a bound have asked of the models, until it is written down.
    pub spending: Tally,
    /// Held while the whole chain is verified: once at a time.
    pub verifying: Arc<tokio::sync::Mutex<()>>,
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
            desk: parts.desk,
            machine: machine.ok().filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".to_owned()),
            ring,
            surface: Surface::default(),
            lately: Lately::default(),
            stop,
            sockets: TaskTracker::new(),
            places: Arc::new(Semaphore::new(live::sockets_max(getrlimit(Resource::Nofile).current))),
            newest: Newest::default(),
            tallies: Tallies::default(),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            gateway: Arc::new(Semaphore::new(CALLS_MAX)),
            spending: Tally::default(),
            verifying: Arc::default(),
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
