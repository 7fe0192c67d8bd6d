//! Home as it might be.

use timmy_domain::Life;
use timmy_web::look::home::{Doing, HomePage, NoModel, NowPart, RailPart, WaitingRow};
use timmy_web::look::mind::Budget;
use timmy_web::look::{Absent, Pulse, State, Theme, Tone, Way};

use crate::mind::views;
use crate::sample::{ago, clock, folders, models, seen, shell};

fn doing(kind: &str) -> Doing {
    let clock = clock();
    match kind {
        "answering" => Doing {
            state: State::running("Answering"),
            title: "Answering: is the import test in kelp flaky or wrong?".into(),
            sub: "ollama, qwen3:14b, on this machine".into(),
            since: Some(clock.ago(ago(12))),
            stop: Some("/talk/0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11/stop".into()),
        },
        "first" => Doing {
            state: State::resting("Resting"),
            title: "Resting until a folder is watched or you say something".into(),
            sub: "Because nothing changed since the last look.".into(),
            since: None,
            stop: None,
        },
        _ => Doing {
            state: State::new(Tone::Voice, "thinking", "Thinking"),
            title: "A thought about swarm, tideline: 3 commits since noon".into(),
            sub: "ollama, qwen3:14b, on this machine".into(),
            since: Some(clock.ago(ago(6))),
            stop: Some("/thinking/stop".into()),
        },
    }
}

pub fn home(theme: Theme, kind: &str) -> HomePage {
    let first = kind == "first";
    let waiting = kind == "waiting";
    let life = match kind {
        "waiting" => Life::Waiting,
        "answering" => Life::Working,
        "first" => Life::Idle,
        _ => Life::Thinking,
    };
    let (act, aside) = match kind {
        "waiting" => ("Two things need a decision from you", "since 13:54"),
        "answering" => ("Answering what you asked about the flaky import test", "12 s"),
        "first" => ("Resting until there is something to think about", ""),
        _ => ("Thinking about three commits in tideline", "6 s"),
    };
    let row = |title: &str, sub: &str, label: &str| WaitingRow {
        state: State::new(Tone::Ember, "waiting", "Waiting for you"),
        title: title.into(),
        href: "/swarm/events/48120".into(),
        sub: sub.into(),
        act: Some(Way::new(label, "/health/page")),
    };
    let mut latest = views(2);
    latest[0].linked = true;
    let mut shell = shell("/", life, act, aside, theme);
    if first {
        shell.now.pulse = Pulse { axis: shell.now.pulse.axis, ..Pulse::quiet() };
    }
    HomePage {
        shell,
        part: NowPart {
            waiting: if waiting {
                vec![
                    row("The folder photos-and-everything-that-came-before-2019 cannot be read", "The folder is not there. Timmy looks again every 5 minutes.", "See folder"),
                    row("One event was put aside after five tries", "Reactor memory, event 48,120: the body could not be read", "Look"),
                ]
            } else {
                Vec::new()
            },
            ruled: Vec::new(),
            lit: !first,
            doing: doing(kind),
            thoughts: if first { Vec::new() } else { latest },
            no_thought: Absent::empty("No thought yet", "Timmy thinks about every 5 minutes when nobody asks. The first thought appears here.")
                .act("Think now", "/thinking"),
            seen: if first { Vec::new() } else { seen() },
            watches: !first,
            csrf: "c".into(),
        },
        rail: RailPart {
            models: models(!first),
            budget: Some(Budget::new(38, 288, 17_412, 400_000)),
            next: if first { "when something changes".into() } else { "14:17".into() },
            next_why: "About every 5 min when idle. Quiet from 22:00 to 07:00.".into(),
            off: false,
            paused: false,
            csrf: String::new(),
        },
        folders: if first { Vec::new() } else { folders() },
        path_typed: String::new(),
        path_problem: String::new(),
        no_model: first.then(|| NoModel {
            text: "Ollama at 127.0.0.1:11434 does not answer. Until a model does, reflex speaks: short sentences made by rules from what is really there.".into(),
            step: "Start Ollama, then fetch one model:".into(),
            command: "ollama pull llama3.1:8b-instruct".into(),
        }),
    }
}
