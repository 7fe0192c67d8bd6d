//! Health as it might be.

use timmy_domain::Life;
use timmy_web::look::health::{HealthPage, HealthPart, PartKind, PartRow, Verdict};
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
            machine: vec![
                Gauge::new("Load", "1.4 of 8 cores", 14, 80),
                Gauge::new("Memory", "21.4 of 32 GB", 214, 320),
                Gauge::new("Disk", "890 of 953 GB", 890, 953),
            ],
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

fn parts(bad: bool) -> Vec<PartRow> {
    let clock = clock();
    let part = |name: &str, kind, state, seconds, restarts, note: &str| PartRow {
        name: name.into(),
        kind,
        state,
        last: Some(clock.ago(ago(seconds))),
        restarts,
        note: note.into(),
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
