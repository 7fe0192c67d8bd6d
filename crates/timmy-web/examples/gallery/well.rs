//! Health as it might be.

use timmy_domain::Life;
use timmy_web::look::health::{HealthPage, HealthPart, LeaveRow, PartKind, PartRow, ResourceRow, RoutineRow, Verdict};
use timmy_web::look::{Fact, Gauge, State, Theme, Tone};

use crate::sample::{ago, clock, models, shell};

pub fn health(theme: Theme, kind: &str) -> HealthPage {
    let bad = kind == "bad";
    HealthPage {
        shell: shell(
            "/health/page",
            if bad { Life::Degraded } else { Life::Idle },
            if bad { "Ollama does not answer" } else { "Resting until 14:17" },
            "",
            theme,
        ),
        part: HealthPart {
            verdict: verdict(bad),
            parts: parts(bad),
            models: models(!bad),
            store: vec![
                Fact::new("File", "/home/ines/.timmy/timmy.db").mono(),
                Fact::new("Size", "38.2 MB, 1.1 MB waiting to be folded in"),
                Fact::new("Events", "48,236"),
                Fact::new("Chain", "whole up to 48,236"),
                Fact::new("Checked", "14:10, 48,100 rows in 0.4 s"),
            ],
            resources: resources(bad),
            routines: routines(bad),
            leaves: leaves(),
            csrf: "c".into(),
        },
        house: vec![
            Fact::new("Home", "/home/ines/.timmy").mono(),
            Fact::new("Version", "0.1.0, built for x86-64 Linux"),
            Fact::new("Up since", "Tuesday 17 November, 08:14"),
        ],
    }
}

fn verdict(bad: bool) -> Verdict {
    let checked = clock().second(clock().now);
    let (state, sentence, detail) = if bad {
        (
            State::degraded("Degraded"),
            "Ollama does not answer, and one event was put aside.",
            "Chat and thoughts go on by reflex. Ollama is asked again every 30 s; the event stays in the log.",
        )
    } else {
        (
            State::well("Well"),
            "Everything Timmy relies on is well.",
            "Seven parts run, one model answers, and the event log is whole.",
        )
    };
    Verdict { state, sentence: sentence.into(), detail: detail.into(), checked }
}

fn resources(bad: bool) -> Vec<ResourceRow> {
    let row = |name: &str, used: &str, share: (u64, u64), waits: &str, faults: &str| ResourceRow {
        name: name.into(),
        state: if share.0 * 10 > share.1 * 9 { State::degraded("Look here") } else { State::well("Well") },
        used: used.into(),
        gauge: Some(Gauge::new(name, used, share.0, share.1)),
        waits: waits.into(),
        faults: faults.into(),
    };
    vec![
        row("Processor", "0.4 % of a core; machine load 1.4 on 8 cores", (14, 80), "nothing", ""),
        row("Memory", "19 MB by Timmy; 21.4 GB of 32 GB on the machine", (214, 320), "nothing", ""),
        row("Disk", "63 GB free; the home takes 41 MB", (890, 953), "commits 1.1 ms usually, 9.4 ms at worst", "none"),
        row(
            "Models",
            "0 calls in flight",
            (0, 1),
            "not told",
            if bad { "5 calls failed; 1 not reachable" } else { "none" },
        ),
    ]
}

fn routines(bad: bool) -> Vec<RoutineRow> {
    let row = |name: &str, state, text: &str| RoutineRow {
        name: name.into(),
        state,
        when: Some(clock().short(ago(40_000))),
        text: text.into(),
        href: Some("/swarm/events/48000".into()),
    };
    let drill = if bad { State::degraded("Failed") } else { State::well("Done") };
    vec![
        row("Backup", State::well("Done"), "Backed up the home, 6.1 MB."),
        row("Restore drill", drill, "The backup would restore: 48,100 events verified."),
    ]
}

fn leaves() -> Vec<LeaveRow> {
    vec![LeaveRow {
        name: "Traces".into(),
        state: State::off("Off"),
        text: "No collector is named in [telemetry] otlp_endpoint.".into(),
    }]
}

fn parts(bad: bool) -> Vec<PartRow> {
    let clock = clock();
    let part = |name: &str, kind, state, seconds, restarts, note: &str| PartRow {
        name: name.into(),
        kind,
        state,
        since: Some(clock.short(ago(86_000))),
        last: Some(clock.ago(ago(seconds))),
        took: if kind == PartKind::Component { String::new() } else { "4.2 ms".into() },
        next: None,
        restarts,
        note: note.into(),
        cause: None,
    };
    let (component, reconciler, reactor) = (PartKind::Component, PartKind::Reconciler, PartKind::Reactor);
    let models = if bad { State::degraded("Degraded") } else { State::well("Well") };
    let memory = if bad { State::failed("Parked 1") } else { State::well("Well") };
    let thinking = State::new(Tone::Voice, "thinking", "Thinking");
    vec![
        part("store", component, State::well("Well"), 1, Some(0), "writes are durable, queue empty"),
        part("server", component, State::well("Well"), 1, Some(0), "127.0.0.1:8000"),
        part("thinking", reconciler, thinking, 6, Some(0), "next at 14:17"),
        part("watch", reconciler, State::well("Well"), 95, Some(1), "3 folders, every 5 min"),
        part("models", reconciler, models, 20, Some(0), "asks each provider every 30 s"),
        part("talk", reactor, State::running("Working"), 12, Some(0), "caught up to 48,236"),
        part("memory", reactor, memory, 40, Some(0), "caught up to 48,236"),
    ]
}
