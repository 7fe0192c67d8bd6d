//! The rows of Health, from what was gathered.

use timmy_core::report::{Part, PartKind as Kind, PartState};
use timmy_domain::text::{cut, one_line};
use timmy_domain::thought::Place;
use timmy_domain::{Event, Problem, Record};
use timmy_llm::ProviderStatus;
use timmy_store::{EgressSum, StoreStats};
use timmy_tools::mcp::{Standing, Way};
use timmy_tools::sandbox::Fence;
use timmy_tools::tool::scope::Grants;

use super::gathered::{Gathered, Routine};
use crate::look::health::{LeaveRow, PartKind, PartRow, ResourceRow, RoutineRow};
use crate::look::{Clock, Fact, Gauge, State, words};
use crate::resources::{Grade, Resource};
use crate::web::Web;

/// One part of the house.
pub fn part(part: &Part, faults: &[Record], clock: &Clock) -> PartRow {
    let state = match &part.state {
        PartState::Restarting { .. } => State::failed("Starts again"),
        PartState::Stopped => State::off("Stopped"),
        PartState::Running if part.troubled => State::degraded("Complains"),
        PartState::Running => State::well("Well"),
    };
    let note = match &part.state {
        PartState::Restarting { why, .. } => cut(&one_line(why), 300),
        PartState::Running | PartState::Stopped => part.note.clone(),
    };
    let kind = match part.kind {
        Kind::Component => PartKind::Component,
        Kind::Reconciler => PartKind::Reconciler,
        Kind::Reactor => PartKind::Reactor,
    };
    let cause = faults.iter().find(|record| match record.event() {
        Event::ErrorCaptured(fault) => fault.component == part.name,
        Event::ReactorParked(parked) => parked.reactor == part.name,
        _ => false,
    });
    PartRow {
        name: part.name.to_owned(),
        kind,
        state,
        since: Some(clock.short(part.since)),
        last: Some(clock.ago(part.ran_at.unwrap_or(part.since))),
        took: part.took_micros.map_or_else(String::new, words::micros),
        next: part.next_at.map(|at| clock.short(at)),
        restarts: Some(part.restarts),
        note,
        cause: cause.map(|record| format!("/swarm/events/{}", record.seq)),
    }
}

/// Something Timmy lives on.
pub fn resource(resource: &Resource) -> ResourceRow {
    let state = match resource.grade {
        Grade::Well => State::well("Well"),
        Grade::Tight => State::degraded("Look here"),
        Grade::Failing => State::failed("Failing"),
        Grade::Silent => State::off("Not told"),
    };
    let gauge = resource.share.map(|(used, all)| Gauge::new(resource.name, resource.used.clone(), used, all));
    ResourceRow {
        name: resource.name.to_owned(),
        state,
        used: resource.used.clone(),
        gauge,
        waits: resource.waits.clone(),
        faults: resource.faults.clone(),
    }
}

/// Something that is done regularly.
pub fn routine(routine: &Routine, clock: &Clock) -> RoutineRow {
    let Some((good, record)) = &routine.last else {
        let state = if routine.enabled { State::resting("Not yet") } else { State::off("Off") };
        return RoutineRow {
            name: routine.name.to_owned(),
            state,
            when: None,
            text: if routine.enabled { routine.never } else { routine.off }.to_owned(),
            href: None,
        };
    };
    let state = if *good { State::well("Done") } else { State::degraded("Failed") };
    RoutineRow {
        name: routine.name.to_owned(),
        // What is switched off may still have been done once.
        state: if routine.enabled { state } else { State::off("Off") },
        when: Some(clock.short(record.at)),
        text: record.event().sentence(),
        href: Some(format!("/swarm/events/{}", record.seq)),
    }
}

/// What may leave this machine: only what the owner switched on.
pub fn leaves(web: &Web, providers: &[ProviderStatus], parts: &[Part], left: &[EgressSum]) -> Vec<LeaveRow> {
    let ctx = &web.app.ctx;
    let privacy = &ctx.settings.privacy;
    let row = |name: &str, state, text: String| LeaveRow { name: name.to_owned(), state, text };
    let mut rows = Vec::new();
    for provider in providers.iter().filter(|p| p.place == Place::Remote) {
        let more = match (privacy.thoughts_may_leave, privacy.folders_may_leave) {
            (false, false) => "thoughts and watched folders stay here",
            (true, false) => "thoughts too; watched folders stay here",
            (false, true) => "what was seen in folders too; thoughts stay here",
            (true, true) => "thoughts and what was seen in folders too",
        };
        let text = format!("To {} when it is asked: the conversation; {more}.", provider.name);
        rows.push(row("Questions to a model", State::new(crate::look::Tone::Warn, "remote", "May leave"), text));
    }
    if rows.is_empty() {
        let text = "No provider elsewhere is configured; models on this machine answer, or reflex.";
        rows.push(row("Questions to a model", State::off("Off"), text.to_owned()));
    }
    rows.extend(ctx.settings.servers.iter().filter_map(|server| {
        let far = match &server.way {
            Way::Url { .. } => format!("To {} when it is called: what the call says.", server.place()),
            Way::Command { network: true, .. } => "It may reach the internet while it runs.".to_owned(),
            Way::Command { .. } => return None,
        };
        let state = State::new(crate::look::Tone::Warn, "remote", "May leave");
        Some(row(&format!("Tools of {}", server.name), state, far))
    }));
    rows.extend(left.iter().map(|sum| {
        let text = format!("{} since midnight UTC. Router shows each of them.", crate::look::router::sum(sum));
        row(&format!("To {} today", sum.of), State::new(crate::look::Tone::Warn, "remote", "Left"), text)
    }));
    rows.push(match ctx.telemetry.endpoint() {
        None => row("Traces", State::off("Off"), "No collector is named in [telemetry] otlp_endpoint.".to_owned()),
        Some(endpoint) => {
            let part = parts.iter().find(|part| part.name == timmy_core::telemetry::export::PART);
            let state = match part {
                Some(part) if part.troubled || part.state != PartState::Running => State::degraded("Not reached"),
                _ => State::new(crate::look::Tone::Warn, "remote", "Leaves"),
            };
            let figures = ctx.telemetry.figures();
            let (sent, dropped) = figures.map_or((0, 0), |f| (f.sent.get(), f.dropped.get()));
            let text = format!(
                "To {endpoint}: names, ids, durations and counts, no words. {} sent, {} left out since the start.",
                words::count(sent),
                words::count(dropped)
            );
            row("Traces", state, text)
        }
    });
    let rest = "Nothing else: no updates, no reports, no downloads that start by themselves.";
    rows.push(row("Everything else", State::off("Stays"), rest.to_owned()));
    rows
}

/// How strong the fence around child processes is on this machine, and what helps where something is missing.
pub fn sandbox(fence: &Fence) -> String {
    if fence.hint.is_empty() { fence.line() } else { format!("{} {}", fence.line(), fence.hint) }
}

/// The servers of tools: how each stands.
pub fn servers(standings: &[Standing]) -> Vec<Fact> {
    standings.iter().map(|one| Fact::new("Server of tools", format!("{}: {}", one.name, one.words()))).collect()
}

/// The folders granted to tools: how many, and what is wrong with any of them.
pub fn granted((grants, problems): &(Grants, Vec<Problem>)) -> Vec<Fact> {
    let count = timmy_domain::text::plural(grants.folders().len() as u64, "folder", "folders");
    let mut facts = vec![Fact::new("Tools may work in", count)];
    facts.extend(problems.iter().map(|one| Fact::new("Granted folder", format!("{} {}", one.message, one.hint))));
    facts
}

/// The store in figures.
pub fn store(stats: &StoreStats, gathered: &Gathered, clock: &Clock) -> Vec<Fact> {
    let count = |n: i64| words::count(u64::try_from(n).unwrap_or(0));
    let mut facts = vec![
        Fact::new("File", stats.path.display().to_string()).mono(),
        Fact::new(
            "Size",
            format!("{}, and {} in its journal", words::bytes(stats.file_bytes), words::bytes(stats.wal_bytes)),
        ),
        Fact::new("Events", count(stats.last_seq)),
    ];
    let checked = gathered.checks.iter().find_map(|record| match record.event() {
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
