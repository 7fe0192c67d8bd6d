//! What leaves this machine and is no question to a model: looking whether a provider is there, fetching a file, and
//! traces for a collector. It needs the same leave, and stands in the same books.

use std::time::Duration;

use timmy_domain::thought::Place;
use tokio_util::sync::CancellationToken;

use super::attempt::given_up;
use super::climb::stays_here;
use super::member::Member;
use super::money::{Caps, Leaving};
use super::{Cascade, Inner, lock};
use crate::failure::Failure;
use crate::provider::Health;

/// What stands in the books for looking whether a provider is there. One line stands for all looks of a day, since
/// they repeat themselves and carry no words.
pub const LOOK: &str = "look";
/// What stands in the books for fetching a file.
pub const PULL: &str = "pull";
/// What stands in the books for traces that a collector is given.
pub const TRACE: &str = "trace";
/// A day, in microseconds.
const DAY_MICROS: i64 = 86_400_000_000;

/// Leave to go somewhere else, entered in the books. Given back with [`Cascade::back`].
#[derive(Debug)]
pub struct Errand {
    /// Cancelled when everything has to stay here from now on.
    pub leave: CancellationToken,
    line: Option<i64>,
}

impl Cascade {
    /// Leave to fetch `what` from `host`, entered in the books. Only the address is told there, which has so many bytes.
    ///
    /// # Errors
    /// [`Failure::Privacy`] while everything stays here; [`Failure::Budget`] when it cannot be entered.
    pub async fn fetches(&self, what: &str, host: &str, bytes: u64) -> Result<Errand, Failure> {
        self.errand(&leaving("models", what, host.to_owned(), PULL, bytes)).await
    }

    /// Leave to give `bytes` of traces to the collector at `host`, entered in the books.
    ///
    /// # Errors
    /// As [`Cascade::errand`].
    pub async fn traces(&self, host: &str, bytes: u64) -> Result<Errand, Failure> {
        self.errand(&leaving("telemetry", "", host.to_owned(), TRACE, bytes)).await
    }

    /// So many bytes more leave with an errand that is not over, entered in the books.
    ///
    /// # Errors
    /// As [`Cascade::errand`].
    pub async fn carry(&self, errand: &Errand, more_bytes: u64) -> Result<(), Failure> {
        if let (Some(books), Some(line)) = (self.0.books.get(), errand.line) {
            books.carry(line, more_bytes).await.map_err(|what| Failure::Budget { what })?;
        }
        if errand.leave.is_cancelled() { Err(stays_here()) } else { Ok(()) }
    }

    /// Leave for what costs nothing and is no question to a model, entered in the books.
    ///
    /// # Errors
    /// [`Failure::Privacy`] while everything stays here; [`Failure::Budget`] when it cannot be entered.
    pub async fn errand(&self, leaving: &Leaving) -> Result<Errand, Failure> {
        let leave = self.leave()?;
        let line = self.0.enter(leaving).await?;
        if leave.is_cancelled() {
            // The books may have taken a while, and nothing has left yet.
            self.0.settle(line, 0, false);
            return Err(stays_here());
        }
        Ok(Errand { leave, line })
    }

    /// The errand is over; `well` says whether it brought what it was for.
    pub fn back(&self, errand: &Errand, well: bool) {
        self.0.settle(errand.line, 0, well);
    }
}

fn leaving(provider: &str, model: &str, host: String, why: &'static str, bytes: u64) -> Leaving {
    Leaving {
        provider: provider.to_owned(),
        model: model.to_owned(),
        host,
        why,
        task: String::new(),
        bytes,
        reserved_micros: 0,
        caps: Caps::default(),
    }
}

impl Inner {
    /// Writes down that this leaves; nothing where nobody keeps books.
    async fn enter(&self, leaving: &Leaving) -> Result<Option<i64>, Failure> {
        let Some(books) = self.books.get() else { return Ok(None) };
        books.enter(leaving).await.map(Some).map_err(|what| Failure::Budget { what })
    }

    /// Whether `member` is there, asked within `each`; nothing when it may not be asked now, or no longer.
    pub(super) async fn look(&self, member: &Member, each: Duration) -> Option<Result<Health, Failure>> {
        if member.place() != Place::Remote {
            return Some(member.provider().probe(each).await);
        }
        let leave = self.mode.leave(self.now()).ok()?;
        let day = self.day();
        let line = if member.was_looked_at(day) {
            None
        } else {
            let host = member.provider().host();
            match self.enter(&leaving(member.name(), "", host, LOOK, 0)).await {
                Ok(line) => line,
                // What cannot be written down does not leave.
                Err(failure) => return Some(Err(failure)),
            }
        };
        let found = tokio::select! {
            biased;
            () = given_up(Some(&leave)) => Err(stays_here()),
            found = member.provider().probe(each) => found,
        };
        self.settle(line, 0, found.is_ok());
        if line.is_some() {
            member.look_is_booked(day);
        }
        Some(found).filter(|found| !matches!(found, Err(Failure::Privacy { .. })))
    }

    /// The day by the wall clock; nothing while that is not known.
    fn day(&self) -> Option<i64> {
        let (then, wall) = (*lock(&self.wall))?;
        let now = wall.plus(Duration::from_millis(self.now().saturating_sub(then)));
        Some(now.micros().div_euclid(DAY_MICROS))
    }
}
