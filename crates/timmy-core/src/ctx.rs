//! What every part of the engine gets handed: store, models, time, chance, settings.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use timmy_domain::{NewEvent, Timestamp};
use timmy_llm::Cascade;
use timmy_store::Store;
use timmy_tools::readings::Readings;
use tokio_util::sync::CancellationToken;

use crate::attention::Attention;
use crate::chance::Chance;
use crate::clock::Clock;
use crate::fault::{Fault, Faults};
use crate::meters::Meters;
use crate::report::Reports;
use crate::settings::Settings;
use crate::telemetry::Telemetry;

/// The context. Cheap to clone.
#[derive(Clone)]
pub struct Ctx(Arc<Inside>);

/// What a context is made of.
pub struct Inside {
    /// The one database.
    pub store: Store,
    /// Models, in the order in which they are asked.
    pub cascade: Cascade,
    /// The only source of time.
    pub clock: Arc<dyn Clock>,
    /// The only source of randomness.
    pub chance: Chance,
    /// The settings of the engine.
    pub settings: Settings,
    /// The folder of the version-controlled self.
    pub mind_dir: PathBuf,
    /// When this run began.
    pub started_at: Timestamp,
    /// Cancelled when the house stops.
    pub stop: CancellationToken,
    /// Whether the owner speaks right now.
    pub attention: Attention,
    /// What the parts say about themselves.
    pub reports: Reports,
    /// Which faults were seen.
    pub faults: Faults,
    /// What is counted.
    pub meters: Meters,
    /// What was last read of the machine.
    pub readings: Readings,
    /// Where traces go.
    pub telemetry: Telemetry,
    /// What was last written down of the models, so that the same is not written again.
    pub router_saved: std::sync::Mutex<Option<Vec<timmy_llm::StoredModel>>>,
    /// What calls of agents ask for, as it was last read.
    pub wishes: crate::models::Wishes,
}

impl std::ops::Deref for Ctx {
    type Target = Inside;
    fn deref(&self) -> &Inside {
        &self.0
    }
}

impl Ctx {
    /// A context of these parts.
    #[must_use]
    pub fn new(inside: Inside) -> Self {
        Self(Arc::new(inside))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Waits for `duration` on the context's clock.
    pub async fn sleep(&self, duration: Duration) {
        self.clock.sleep_until(self.now().plus(duration)).await;
    }

    /// Writes one event by itself. For changes, append within the transaction of the change instead.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn tell(&self, event: NewEvent) -> Result<i64, Fault> {
        let seqs = self.store.append(vec![event]).await?;
        Ok(seqs.first().copied().unwrap_or(0))
    }

    /// Captures a fault: counts it and, unless the same one was told lately, writes `error.captured`.
    pub async fn capture(&self, component: &str, message: &str, action: &str) {
        tracing::error!(component, fault = message, "fault captured");
        let window = Duration::from_secs(self.settings.error_feedback.dedup_window_seconds);
        let event = self.faults.capture(component, message, action, self.now(), window);
        if let (Some(event), true) = (event, self.settings.error_feedback.enabled)
            && let Err(error) = self.tell(event).await
        {
            tracing::error!(component, %error, "the fault could not be written to the log");
        }
    }
}
