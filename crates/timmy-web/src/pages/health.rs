//! Health: the verdict, every part, the store, the machine, the models.

use axum::extract::State;
use timmy_core::report::{Part, PartKind as Kind, PartState};
use timmy_domain::bus::Pattern;
use timmy_domain::{Event, Record, Timestamp};
use timmy_llm::ProviderState;
use timmy_store::{EventQuery, StoreError, StoreStats};
use timmy_tools::machine::{self, Machine};

use super::{gather, models, see, shell};
use crate::api;
use crate::auth::Visit;
use crate::errors::{Answer, Refusal, page};
use crate::look::health::{HealthPage, HealthPart, PartKind, PartRow, Verdict};
use crate::look::mind::ModelRow;
use crate::look::{Clock, Fact, Gauge, State as Word, words};
use crate::web::Web;

fn row(part: &Part, clock: &Clock) -> PartRow {
    let state = match &part.state {
        PartState::Restarting { .. } => Word::failed("Starts again"),
        PartState::Stopped => Word::off("Stopped"),
        PartState::Running if part.troubled => Word::degraded("Complains"),
        PartState::Running => Word::well("Well"),
    };
    let note = match &part.state {
        PartState::Restarting { why, .. } => timmy_domain::text::cut(&timmy_domain::text::one_line(why), 300),
        PartState::Running | PartState::Stopped => part.note.clone(),
    };
    let kind = match part.kind {
        Kind::Component => PartKind::Component,
        Kind::Reconciler => PartKind::Reconciler,
        Kind::Reactor => PartKind::Reactor,
    };
    PartRow {
        name: part.name.to_owned(),
        kind,
        state,
        last: Some(clock.ago(part.ran_at.unwrap_or(part.since))),
        restarts: Some(part.restarts),
        note,
    }
}

fn store_facts(stats: &StoreStats, checks: &[Record], clock: &Clock) -> Vec<Fact> {
    let count = |n: i64| words::count(u64::try_from(n).unwrap_or(0));
    let mut facts = vec![
        Fact::new("File", stats.path.display().to_string()).mono(),
        Fact::new(
            "Size",
            format!("{}, and {} in its journal", words::bytes(stats.file_bytes), words::bytes(stats.wal_bytes)),
        ),
        Fact::new("Events", count(stats.last_seq)),
        Fact::new(
            "Last commit",
            format!("{} µs, {} in the queue", count(stats.last_commit_micros), stats.writer_queue),
        ),
    ];
    let checked = checks.iter().find_map(|record| match record.event() {
        Event::StoreChecked(e) if e.check == "chain" => Some((record, e)),
        _ => None,
    });
    facts.push(match checked {
        Some((record, check)) => {
            let when = clock.short(record.at).text;
            let events = if check.looked_at == 1 { "event" } else { "events" };
            Fact::new("Chain", format!("whole, {} {events} verified at {when}", count(check.looked_at)))
                .to(format!("/swarm/events/{}", record.seq))
        }
        None => Fact::new("Chain", "not verified as a whole yet"),
    });
    facts
}

fn machine_gauges(machine: &Machine) -> Vec<Gauge> {
    let mut gauges = Vec::new();
    if let (Some(load), Some(cores)) = (machine.load, machine.cores) {
        // Tenths, rounded, never negative; a load that does not fit reads as full.
        let tenths = format!("{:.0}", load[0] * 10.0).parse::<u64>().unwrap_or(u64::MAX);
        let cores = cores as u64;
        gauges.push(Gauge::new(
            "Load",
            format!("{:.1} on {cores} {}", load[0], if cores == 1 { "core" } else { "cores" }),
            tenths,
            cores * 10,
        ));
    }
    let used = |label: &str, total: Option<u64>, free: Option<u64>| {
        let (total, free) = (total?, free?);
        let used = total.saturating_sub(free);
        Some(Gauge::new(label, format!("{} of {}", words::bytes(used), words::bytes(total)), used, total))
    };
    gauges.extend(used("Memory", machine.memory_total_bytes, machine.memory_available_bytes));
    gauges.extend(used("Disk", machine.disk_total_bytes, machine.disk_free_bytes));
    if let (Some(own), Some(total)) = (machine.process_bytes, machine.memory_total_bytes) {
        gauges.push(Gauge::new("Timmy", words::bytes(own), own, total));
    }
    gauges
}

/// Measures the machine without holding up other requests.
pub async fn measure(web: &Web) -> Machine {
    let path = web.app.ctx.store.path().to_owned();
    tokio::task::spawn_blocking(move || machine::measure(&path)).await.unwrap_or_default()
}

fn verdict(web: &Web, parts: &[Part], unreadable: usize, clock: &Clock) -> Verdict {
    let checked = clock.second(clock.now);
    let broken: Vec<&str> =
        parts.iter().filter(|p| matches!(p.state, PartState::Restarting { .. })).map(|p| p.name).collect();
    let providers = web.app.ctx.cascade.status();
    let down: Vec<&str> =
        providers.iter().filter(|p| matches!(p.state, ProviderState::Down { .. })).map(|p| p.name.as_str()).collect();
    if let Some(finding) = web.app.ctx.store.writes_stopped() {
        let detail =
            "Reading goes on; nothing new is stored. Stop Timmy, keep the file as it is, and restore a backup.";
        return Verdict {
            state: Word::failed("Failed"),
            sentence: format!("Writing has stopped: {finding}."),
            detail: detail.to_owned(),
            checked,
        };
    }
    if !broken.is_empty() {
        let sentence = format!("{} failed and starts again.", broken.join(", "));
        return Verdict {
            state: Word::degraded("Degraded"),
            sentence,
            detail: "Everything else goes on.".to_owned(),
            checked,
        };
    }
    if unreadable > 0 || !web.app.ctx.cascade.has_model() {
        let mut said = Vec::new();
        if !web.app.ctx.cascade.has_model() {
            said.push("no language model answers, so reflex does".to_owned());
        }
        if unreadable > 0 {
            said.push(format!("{} cannot be read", timmy_domain::text::plural(unreadable as u64, "folder", "folders")));
        }
        let sentence = super::doing::capital(&said.join(", and "));
        let mut detail = Vec::new();
        if !web.app.ctx.cascade.has_model() && !down.is_empty() {
            detail.push(format!("Timmy asks {} again every few seconds.", down.join(" and ")));
        }
        if unreadable > 0 {
            detail.push("Home names the folder. Timmy looks again at every round.".to_owned());
        }
        let detail = detail.join(" ");
        return Verdict { state: Word::degraded("Limited"), sentence, detail, checked };
    }
    let running = timmy_domain::text::plural(parts.len() as u64, "part runs", "parts run");
    let detail = format!("{running}, a language model answers, and the database takes what is written.");
    Verdict { state: Word::well("Well"), sentence: "Everything Timmy relies on is well.".to_owned(), detail, checked }
}

fn last_checks(r: &timmy_store::Reader<'_>) -> Result<Vec<Record>, StoreError> {
    let pattern = Pattern::Exact("store.checked".to_owned());
    r.events(&EventQuery { pattern, limit: 4, newest_first: true, ..EventQuery::default() })
}

fn part(web: &Web, visit: &Visit, unreadable: usize, checks: &[Record], machine: &Machine) -> HealthPart {
    let clock = web.clock();
    let parts = web.app.ctx.reports.all();
    let models: Vec<ModelRow> = models::rows(web);
    HealthPart {
        verdict: verdict(web, &parts, unreadable, &clock),
        parts: parts.iter().map(|p| row(p, &clock)).collect(),
        models,
        store: store_facts(&web.app.ctx.store.stats(), checks, &clock),
        machine: machine_gauges(machine),
        csrf: visit.csrf(),
    }
}

/// How long ago, as a date in words.
fn up_since(at: Timestamp, clock: &Clock) -> String {
    clock.short(at).full
}

async fn read(web: &Web) -> Result<(super::Around, Vec<Record>, Machine, usize), Refusal> {
    let (around, checks) = gather(web, last_checks).await?;
    let unreadable = around.folders.iter().filter(|f| !f.error.is_empty()).count();
    Ok((around, checks, measure(web).await, unreadable))
}

/// `GET /health/page`.
pub async fn health(State(web): State<Web>, visit: Visit) -> Answer {
    let (around, checks, machine, unreadable) = read(&web).await?;
    let clock = web.clock();
    page(&HealthPage {
        shell: shell(&web, &visit, &around, "/health/page"),
        part: part(&web, &visit, unreadable, &checks, &machine),
        house: vec![
            Fact::new("Home", web.home.clone()).mono(),
            Fact::new("Version", web.version.clone()),
            Fact::new("Address", web.address.to_string()).mono(),
            Fact::new("Up since", up_since(web.app.ctx.started_at, &clock)),
        ],
    })
}

/// `GET /health/page/parts`.
pub async fn parts(State(web): State<Web>, visit: Visit) -> Answer {
    let (_, checks, machine, unreadable) = read(&web).await?;
    page(&part(&web, &visit, unreadable, &checks, &machine))
}

/// `POST /health/check`: asks every provider whether it is there, and looks again.
pub async fn check(State(web): State<Web>, visit: Visit) -> Answer {
    api::health::probe(&web).await?;
    if visit.script { parts(State(web), visit).await } else { Ok(see("/health/page")) }
}
