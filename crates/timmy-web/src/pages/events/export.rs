//! The log as a file: one envelope a line, written while it is read, so that a million events need no more memory
//! than a few hundred.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use futures_util::stream;
use timmy_domain::{Problem, Seq};
use timmy_store::{EVENTS_LIMIT_MAX, EventQuery, StoreError};
use tokio::sync::OwnedSemaphorePermit;

use super::Narrow;
use crate::ask::Asked;
use crate::auth::Visit;
use crate::errors::{Answer, Refusal};
use crate::web::Web;

/// Exports at the same time; each holds one reader of the store from time to time.
pub const EXPORTS_MAX: usize = 2;
/// Positions one look at the store goes through. A filter that fits nothing is left after that many when the client
/// goes.
const SCAN_ROWS_MAX: usize = 20_000;
/// The type of a file with one JSON value a line.
const NDJSON: &str = "application/x-ndjson; charset=utf-8";

/// How far an export has come.
struct Export {
    web: Web,
    query: EventQuery,
    /// The position behind which it goes on.
    after: Seq,
    /// The last position it looks at: that of the moment it began.
    end: Seq,
    /// Its place among the exports, free again when it ends or the client goes.
    _place: OwnedSemaphorePermit,
}

impl Export {
    /// The next lines; none at the end.
    async fn lines(&mut self) -> Result<Vec<u8>, StoreError> {
        while self.after < self.end {
            let query = EventQuery {
                after: Some(self.after),
                before: Some(self.end.saturating_add(1)),
                limit: EVENTS_LIMIT_MAX,
                ..self.query.clone()
            };
            let read = self.web.app.ctx.store.read(move |r| {
                let page = r.events_page(&query, SCAN_ROWS_MAX)?;
                let mut lines = Vec::with_capacity(page.records.len() * 256);
                for record in &page.records {
                    record.write_envelope(&mut lines);
                }
                Ok((lines, page.searched_to))
            });
            let (lines, searched_to) = read.await?;
            self.after = searched_to.unwrap_or(self.end);
            if !lines.is_empty() {
                return Ok(lines);
            }
        }
        Ok(Vec::new())
    }
}

fn busy() -> Refusal {
    Refusal(Problem::new(
        timmy_domain::problem::Kind::TooMany,
        "exports_busy",
        format!("{EXPORTS_MAX} exports are running already."),
        "Wait until one of them has ended, or end it.",
    ))
}

/// `GET /swarm/events/export?q=`: every event that fits, oldest first, one envelope a line. It ends where the log ended
/// when it began; when the house stops before, the download breaks off instead of ending early.
pub async fn export(State(web): State<Web>, _: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    let window = narrow.window();
    let mut query = narrow.wanted(&web.clock())?;
    (query.newest_first, query.limit) = (false, EVENTS_LIMIT_MAX);
    let after = [query.after, window.after()?].into_iter().flatten().max().unwrap_or(0);
    let before = [query.before, window.before()?].into_iter().flatten().min().unwrap_or(Seq::MAX);
    let end = web.app.ctx.store.last_seq().min(before.saturating_sub(1));
    let place = web.exports.clone().try_acquire_owned().map_err(|_| busy())?;
    let stop = web.stop.clone();
    let name = format!("timmy-events-{}.ndjson", web.clock().file_name());
    let export = Export { web, query, after, end, _place: place };
    let lines = stream::try_unfold(export, move |mut export| {
        let stop = stop.clone();
        async move {
            let lines = tokio::select! {
                lines = export.lines() => lines.map_err(|error| std::io::Error::other(error.to_string()))?,
                () = stop.cancelled() => return Err(std::io::Error::other("the house stops")),
            };
            Ok((!lines.is_empty()).then(|| (Bytes::from(lines), export)))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, NDJSON.to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}
