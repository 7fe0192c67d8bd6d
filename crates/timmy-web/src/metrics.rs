//! `GET /metrics`: what the house counts and measures, for a Prometheus that asks with a token of scope `read`.
//!
//! Every figure is read where it is kept; nothing is counted twice and nothing is computed between two questions.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use timmy_core::report::{Part, PartKind, PartState};
use timmy_domain::Timestamp;
use timmy_llm::ProviderFigures;
use timmy_tools::usage::Usage;

use crate::auth::Visit;
use crate::errors::Answer;
use crate::server::CONNECTIONS_MAX;
use crate::web::Web;

pub mod families;
mod text;

use families as f;
use text::Text;

/// `GET /metrics`.
pub async fn metrics(State(web): State<Web>, _: Visit) -> Answer {
    let (readings, now) = (&web.app.ctx.readings, web.app.ctx.now());
    let (usage, machine) = (readings.usage(now).await, readings.machine(now).await);
    let mut text = Text::default();
    process(&mut text, &web, &usage);
    text.sample(f::SANDBOX, &[], timmy_tools::sandbox::fence().await.tier.number());
    text.maybe(f::DISK_SIZE, &[], machine.disk_total_bytes);
    text.maybe(f::DISK_FREE, &[], machine.disk_free_bytes);
    surface(&mut text, &web);
    store(&mut text, &web);
    parts(&mut text, &web.app.ctx.reports.all());
    providers(&mut text, &web.app.ctx.cascade.figures());
    mind(&mut text, &web);
    itself(&mut text, &web);
    Ok(([(header::CONTENT_TYPE, text::CONTENT_TYPE)], text.finish()).into_response())
}

/// Seconds since 1970, with their fraction.
fn seconds(at: Timestamp) -> f64 {
    at.since(Timestamp::EPOCH).as_secs_f64()
}

fn process(text: &mut Text, web: &Web, usage: &Usage) {
    text.sample(f::BUILD, &[&web.version], 1);
    text.sample(f::START, &[], seconds(web.app.ctx.started_at));
    text.sample(f::CPU, &[], usage.cpu.as_secs_f64());
    text.maybe(f::RESIDENT, &[], usage.resident_bytes);
    text.maybe(f::SHARE, &[], usage.share_bytes);
    text.maybe(f::OPEN_FDS, &[], usage.open_files);
    text.maybe(f::MAX_FDS, &[], usage.open_files_max);
    text.maybe(f::THREADS, &[], usage.threads);
    let runtime = tokio::runtime::Handle::current().metrics();
    let busy = (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker).as_secs_f64());
    text.sample(f::WORKERS, &[], runtime.num_workers());
    text.sample(f::TASKS, &[], runtime.num_alive_tasks());
    text.sample(f::TASKS_WAITING, &[], runtime.global_queue_depth());
    text.sample(f::BUSY, &[], busy.sum::<f64>());
}

fn surface(text: &mut Text, web: &Web) {
    let surface = &web.surface;
    let requests = surface.requests();
    for answered in &requests {
        for (class, count) in &answered.classes {
            text.sample(f::REQUESTS, &[answered.route, answered.method, class], count);
        }
    }
    for answered in &requests {
        text.spread(f::DURATION, &[answered.route, answered.method], &answered.took);
    }
    text.sample(f::IN_FLIGHT, &[], surface.in_flight.get());
    text.sample(f::ABORTED, &[], surface.aborted.get());
    text.sample(f::CONNECTIONS, &[], surface.connections.get());
    text.sample(f::CONNECTIONS_MAX, &[], CONNECTIONS_MAX);
    text.sample(f::SOCKETS, &[], surface.sockets.get());
    text.sample(f::BEHIND, &[], surface.behind.get());
    text.sample(f::FRAMES, &[], surface.frames.get());
    text.sample(f::RESUMES, &[], surface.resumes.get());
    text.sample(f::GAPS, &[], surface.gaps.get());
    for (code, count) in surface.closes() {
        text.sample(f::CLOSES, &[code], count);
    }
}

fn store(text: &mut Text, web: &Web) {
    let (stats, pace) = (web.app.ctx.store.stats(), web.app.ctx.store.pace());
    text.sample(f::BATCHES, &[], stats.batches);
    text.sample(f::FAILED_BATCHES, &[], pace.failed_batches);
    text.sample(f::ROWS, &[], stats.rows);
    text.spread(f::COMMIT, &[], &pace.commits);
    text.spread(f::READ, &[], &pace.reads);
    text.sample(f::FAILED_READS, &[], pace.failed_reads);
    text.sample(f::WRITER_QUEUE, &[], stats.writer_queue);
    text.sample(f::READERS, &[], stats.readers);
    text.sample(f::READERS_BUSY, &[], pace.readers_busy);
    text.sample(f::READS_WAITING, &[], pace.reads_waiting);
    text.sample(f::FILE_BYTES, &[], stats.file_bytes);
    text.sample(f::WAL_BYTES, &[], stats.wal_bytes);
    text.sample(f::LAST_SEQ, &[], stats.last_seq);
    text.sample(f::WRITES_STOPPED, &[], u8::from(stats.writes_stopped.is_some()));
    for (severity, count) in web.app.ctx.meters.events() {
        text.sample(f::EVENTS, &[severity], count);
    }
}

/// The word of a kind of part.
const fn kind(kind: PartKind) -> &'static str {
    match kind {
        PartKind::Component => "component",
        PartKind::Reconciler => "reconciler",
        PartKind::Reactor => "reactor",
    }
}

fn parts(text: &mut Text, parts: &[Part]) {
    let each = |text: &mut Text, sample: &dyn Fn(&mut Text, &Part, &[&str])| {
        for part in parts {
            sample(text, part, &[part.name, kind(part.kind)]);
        }
    };
    each(text, &|t, p, labels| t.sample(f::PART_UP, labels, u8::from(p.state == PartState::Running)));
    each(text, &|t, p, labels| t.sample(f::PART_RESTARTS, labels, p.restarts));
    each(text, &|t, p, labels| t.maybe(f::PART_FAILED, labels, p.failed_at.map(seconds)));
    // What runs all the time has no runs.
    let ran = |p: &Part| p.kind != PartKind::Component;
    each(text, &|t, p, labels| t.maybe(f::PART_RUNS, labels, ran(p).then_some(p.runs)));
    each(text, &|t, p, labels| t.maybe(f::PART_RAN, labels, p.ran_at.filter(|_| p.runs > 0).map(seconds)));
    let took = |p: &Part| p.took_micros.map(|micros| std::time::Duration::from_micros(micros).as_secs_f64());
    each(text, &|t, p, labels| t.maybe(f::PART_TOOK, labels, took(p)));
    each(text, &|t, p, labels| t.maybe(f::PART_WELL, labels, (p.runs > 0).then_some(u8::from(!p.troubled))));
}

fn providers(text: &mut Text, providers: &[ProviderFigures]) {
    let each = |text: &mut Text, sample: &dyn Fn(&mut Text, &ProviderFigures, &[&str; 2])| {
        for provider in providers {
            sample(text, provider, &[&provider.name, provider.place.name()]);
        }
    };
    each(text, &|t, p, labels| t.maybe(f::PROVIDER_UP, labels, p.up.map(u8::from)));
    each(text, &|t, p, labels| t.sample(f::PROVIDER_BUSY, labels, p.busy));
    each(text, &|t, p, labels| t.sample(f::PROVIDER_ANSWERS, labels, p.answers));
    each(text, &|t, p, [name, place]| {
        for (reason, count) in &p.failures {
            t.sample(f::PROVIDER_FAILURES, &[name, place, reason], count);
        }
    });
    each(text, &|t, p, [name, place]| {
        t.sample(f::PROVIDER_TOKENS, &[name, place, "read"], p.usage.prompt_tokens);
        t.sample(f::PROVIDER_TOKENS, &[name, place, "written"], p.usage.completion_tokens);
    });
    each(text, &|t, p, labels| t.spread(f::PROVIDER_FIRST, labels, &p.first_word));
    each(text, &|t, p, labels| t.spread(f::PROVIDER_TOOK, labels, &p.took));
}

fn mind(text: &mut Text, web: &Web) {
    let meters = &web.app.ctx.meters;
    for (place, count) in meters.thoughts() {
        text.sample(f::THOUGHTS, &[place], count);
    }
    text.sample(f::MISSED, &[], meters.missed.get());
    text.sample(f::GIVEN_UP, &[], meters.given_up.get());
    text.sample(f::SILENT, &[], meters.silent.get());
    for (reason, count) in meters.rests() {
        text.sample(f::RESTS, &[reason], count);
    }
    for (outcome, count) in meters.turns() {
        text.sample(f::TURNS, &[outcome], count);
    }
    text.sample(f::TURNS_NOW, &[], web.app.talk.turns.count());
}

/// How the measuring itself fares.
fn itself(text: &mut Text, web: &Web) {
    let ctx = &web.app.ctx;
    text.sample(f::LOG_DROPPED, &[], ctx.meters.log_lines_dropped.get().map_or(0, |dropped| dropped.get()));
    if let Some(figures) = ctx.telemetry.figures() {
        text.sample(f::SPANS_SENT, &[], figures.sent.get());
        text.sample(f::SPANS_DROPPED, &[], figures.dropped.get());
        text.sample(f::SPANS_QUEUED, &[], ctx.telemetry.queued());
        text.sample(f::POST_FAILURES, &[], figures.failures.get());
    }
}
