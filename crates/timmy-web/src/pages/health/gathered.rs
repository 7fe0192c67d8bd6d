//! Everything Health is drawn from, gathered in one go: for the page and for programs.

use serde_json::{Value, json};
use timmy_domain::Record;
use timmy_domain::bus::Pattern;
use timmy_store::{EgressSum, EventQuery, Reader, StoreError};
use timmy_tools::machine::Machine;
use timmy_tools::usage::Usage;
use tokio::time::Instant;

use crate::errors::Refusal;
use crate::pages::{Around, gather};
use crate::resources::{self, Figures, Resource};
use crate::server::CONNECTIONS_MAX;
use crate::web::Web;

/// Faults that are searched for the cause of a part's trouble.
const FAULTS_MAX: usize = 50;

/// Something that is done regularly, as the log tells it.
#[derive(Clone, Debug)]
pub struct Routine {
    /// What.
    pub name: &'static str,
    /// Whether it is switched on.
    pub enabled: bool,
    /// What became of it last: whether it went well, and the event; `None` when it never happened.
    pub last: Option<(bool, Record)>,
    /// What is said while it never happened.
    pub never: &'static str,
    /// What is said while it is switched off.
    pub off: &'static str,
}

/// Everything Health is drawn from.
pub struct Gathered {
    /// What surrounds the page.
    pub around: Around,
    /// The last checks of the store, newest first.
    pub checks: Vec<Record>,
    /// The last faults, newest first.
    pub faults: Vec<Record>,
    /// What left for models today, by provider.
    pub left: Vec<EgressSum>,
    /// What is done regularly.
    pub routines: Vec<Routine>,
    /// The machine.
    pub machine: Machine,
    /// What Timmy lives on.
    pub resources: Vec<Resource>,
}

/// What the log is asked for: name, the event that says it went well, those that say it did not, and the words for
/// when there is neither.
const ROUTINES: [(&str, &str, &[&str], &str); 5] = [
    ("Backup", "backup.made", &["backup.failed", "backup.skipped"], "No backup has been made yet."),
    ("Restore drill", "backup.drilled", &["backup.drill_failed"], "No backup has been tried out yet."),
    ("Check of the store", "store.checked", &["store.damaged"], "Not checked as a whole yet."),
    ("Retention", "store.pruned", &[], "Nothing was old enough to be removed yet."),
    ("Checkpoint", "store.checkpoint", &[], "No checkpoint was signed yet."),
];

fn newest(r: &Reader<'_>, name: &str, limit: usize) -> Result<Vec<Record>, StoreError> {
    let pattern = Pattern::Exact(name.to_owned());
    r.events(&EventQuery { pattern, limit, newest_first: true, ..EventQuery::default() })
}

/// Read for Health: checks, faults, the last of each routine, and what left today.
type Told = (Vec<Record>, Vec<Record>, Vec<Option<(bool, Record)>>, Vec<EgressSum>);

fn told(r: &Reader<'_>, day: &str) -> Result<Told, StoreError> {
    let mut faults = newest(r, "error.captured", FAULTS_MAX)?;
    faults.extend(newest(r, "reactor.parked", FAULTS_MAX)?);
    faults.sort_by_key(|record| std::cmp::Reverse(record.seq));
    let mut lasts = Vec::new();
    for (_, good, bad, _) in ROUTINES {
        let mut found: Vec<(bool, Record)> = newest(r, good, 1)?.into_iter().map(|record| (true, record)).collect();
        for name in bad {
            found.extend(newest(r, name, 1)?.into_iter().map(|record| (false, record)));
        }
        lasts.push(found.into_iter().max_by_key(|(_, record)| record.seq));
    }
    Ok((newest(r, "store.checked", 4)?, faults, lasts, r.egress_by_provider(day)?))
}

/// Gathers everything.
///
/// # Errors
/// When the store cannot be read.
pub async fn everything(web: &Web) -> Result<Gathered, Refusal> {
    let day = web.app.ctx.now().to_utc().date().to_string();
    let (around, (checks, faults, lasts, left)) = gather(web, move |r| told(r, &day)).await?;
    let (readings, now) = (&web.app.ctx.readings, web.app.ctx.now());
    let (machine, usage) = (readings.machine(now).await, readings.usage(now).await);
    let home_bytes = readings.home_bytes(now).await;
    let enabled = |name: &str| match name {
        "Backup" | "Restore drill" => web.app.ctx.settings.backup.enabled,
        _ => true,
    };
    let routine = |((name, _, _, never), last): ((&'static str, _, _, &'static str), _)| Routine {
        name,
        enabled: enabled(name),
        last,
        never,
        off: "The nightly backup is switched off in [backup] enabled.",
    };
    let routines = ROUTINES.into_iter().zip(lasts).map(routine).collect();
    let resources = live_on(web, &machine, &usage, home_bytes);
    Ok(Gathered { around, checks, faults, left, routines, machine, resources })
}

/// What Timmy lives on, in rows.
fn live_on(web: &Web, machine: &Machine, usage: &Usage, home_bytes: Option<(u64, bool)>) -> Vec<Resource> {
    let ctx = &web.app.ctx;
    let runtime = tokio::runtime::Handle::current().metrics();
    let busy = (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker)).sum();
    let surface = &web.surface;
    let sockets = surface.sockets.get();
    let five =
        |a: &crate::surface::Answered| a.classes.iter().filter(|(c, _)| *c == "5xx").map(|(_, n)| n).sum::<u64>();
    let providers = ctx.cascade.figures();
    resources::all(&Figures {
        machine,
        usage,
        recent: web.lately.since(Instant::now(), usage.cpu, busy),
        home_bytes,
        stats: &ctx.store.stats(),
        pace: &ctx.store.pace(),
        uptime: ctx.now().since(ctx.started_at),
        connections: (surface.connections.get(), CONNECTIONS_MAX),
        in_flight: surface.in_flight.get(),
        server_errors: surface.requests().iter().map(five).sum(),
        sockets: (sockets, web.places.available_permits() + usize::try_from(sockets).unwrap_or(0)),
        behind: surface.behind.get(),
        too_slow: surface.closes().iter().find(|(code, _)| *code == "1013").map_or(0, |(_, count)| *count),
        providers: &providers,
        workers: (runtime.num_workers(), runtime.global_queue_depth()),
        restarts: ctx.reports.all().iter().map(|part| part.restarts).sum(),
        log_dropped: ctx.meters.log_lines_dropped.get().map_or(0, |dropped| dropped.get()),
    })
}

/// A routine for programs.
#[must_use]
pub fn routine(routine: &Routine) -> Value {
    let last = routine.last.as_ref();
    json!({
        "name": routine.name,
        "enabled": routine.enabled,
        "ok": last.map(|(good, _)| good),
        "at": last.map(|(_, record)| record.at),
        "seq": last.map(|(_, record)| record.seq),
        "result": last.map_or_else(|| routine.never.to_owned(), |(_, record)| record.event().sentence()),
    })
}
