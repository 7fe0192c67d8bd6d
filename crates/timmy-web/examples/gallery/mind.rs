//! Thoughts as they might be.

use timmy_domain::thought::{Place, Thought};
use timmy_domain::{Life, SeedType, ThoughtId};
use timmy_web::look::mind::{Budget, SeedWeight};
use timmy_web::look::thinking::{ChainPage, ThinkingPage, ThinkingStatus, ThoughtView, chain, hours};
use timmy_web::look::{Absent, Choice, State, Theme, Tone};
use timmy_web::nav;

use crate::sample::{ago, clock, folders, shell};

struct Sample(SeedType, &'static str, &'static str, u64, i64, bool);

const SAMPLES: [Sample; 6] = [
    Sample(
        SeedType::Swarm,
        "tideline: 3 commits since noon",
        "The retry now waits twice as long after each refusal, and the test still waits a fixed second. It passes today because the first retry is one second. It will fail the day somebody raises the base.",
        190,
        6_200,
        false,
    ),
    Sample(
        SeedType::Memory,
        "what was said yesterday about backups",
        "So I will not call a backup good until one has been restored and compared. I would like that to be a rule rather than a mood.",
        700,
        4_100,
        true,
    ),
    Sample(
        SeedType::Swarm,
        "kelp: work that is not committed for 2 days",
        "Four files in kelp have waited two days for a commit. Three of them belong together. The fourth, the import test, looks like the flaky one from Tuesday, with a longer timeout and no reason beside it.",
        1_010,
        8_400,
        false,
    ),
    Sample(
        SeedType::Existential,
        "What do you owe to the one who asks nothing of you?",
        "Attention, probably. Not answers, which were not asked for, and not silence dressed as tact. Only that when the question comes, I have been looking.",
        2_000,
        7_300,
        false,
    ),
    Sample(
        SeedType::Creative,
        "a name for something that repeats",
        "A tide table is a promise about the moon, corrected for mud. Most of the error in tideline is the mud.",
        4_200,
        5_900,
        false,
    ),
    Sample(
        SeedType::Scripture,
        "Ecclesiastes 11:4",
        "Whoever watches the wind will not sow. I notice that I have watched the build for an hour; it has been green for forty minutes of it.",
        4_800,
        5_100,
        true,
    ),
];

pub fn thoughts() -> Vec<Thought> {
    let id = |at: usize| ThoughtId::new(1_700_000_000_000 + u64::try_from(at).unwrap_or(0), &[7; 10]);
    let count = SAMPLES.len();
    let make = |(at, s): (usize, &Sample)| Thought {
        id: id(count - at),
        content: s.2.to_owned(),
        seed_type: s.0,
        seed_note: s.1.to_owned(),
        parent_id: Some(id(count - at - 1)),
        created_at: ago(s.3),
        provider: "ollama".into(),
        model: "qwen3:14b".into(),
        place: Place::Local,
        duration_ms: s.4,
        tokens: 412,
        kept: s.5,
        fewer: at == 3,
        seq: 48_231 - i64::try_from(at).unwrap_or(0) * 12,
    };
    let mut all: Vec<Thought> = SAMPLES.iter().enumerate().map(make).collect();
    all[4].place = Place::Reflex;
    all[4].provider = "reflex".into();
    all[4].model = String::new();
    all
}

pub fn views(count: usize) -> Vec<ThoughtView> {
    thoughts().iter().take(count).map(|thought| ThoughtView::of(thought, &clock())).collect()
}

pub fn choices() -> Vec<Choice> {
    let mut out = vec![
        Choice { label: "All".into(), href: "/thinking".into(), count: Some(1_284), current: true },
        Choice { label: "Kept".into(), href: "/thinking?kept=1".into(), count: Some(17), current: false },
    ];
    out.extend(SeedType::ALL.into_iter().map(|seed| Choice {
        label: seed.to_string(),
        href: format!("/thinking?seed={seed}"),
        count: None,
        current: false,
    }));
    out
}

pub fn thinking(theme: Theme, kind: &str) -> ThinkingPage {
    let (empty, paused) = (kind == "empty", kind == "paused");
    let state = match kind {
        "paused" => State::new(Tone::Calm, "pause", "Paused"),
        "empty" => State::off("Off"),
        _ => State::new(Tone::Voice, "thinking", "Thinking"),
    };
    let weights = SeedType::ALL.into_iter().zip([100, 100, 100, 50, 100, 0]);
    ThinkingPage {
        shell: shell("/thinking", Life::Thinking, "Thinking about three commits in tideline", "6 s", theme),
        status: ThinkingStatus {
            state,
            sentence: if empty { "Thinking is switched off.".into() } else { "Thinks about every 5 min when nobody asks.".into() },
            because: if paused { "You paused it at 13:50, until 14:50.".into() } else { String::new() },
            paused,
            thinking: kind.is_empty(),
            off: empty,
            csrf: "c".into(),
        },
        filters: choices(),
        query: String::new(),
        hours: if empty { Vec::new() } else { hours(&thoughts(), &clock()) },
        absent: Absent::off("Thinking is off", "With it on, Timmy thinks about every 5 minutes when nobody asks, from six kinds of seeds. Thoughts stay on this machine.")
            .was("[thinking] enabled = false"),
        older: (!empty).then(|| "/thinking?before=48000".into()),
        newest: None,
        weights: weights.map(|(seed, percent)| SeedWeight { seed, percent }).collect(),
        budget: (!empty).then(|| Budget::new(38, 288, 372_412, 400_000)),
        quiet: "22:00 to 07:00".into(),
        folders: if empty { Vec::new() } else { folders() },
        typed: String::new(),
    }
}

pub fn chain_page(theme: Theme) -> ChainPage {
    let mut shell = shell("/thinking", Life::Idle, "Resting until 14:17", "", theme);
    shell.title = "Chain of thought".into();
    shell.above = nav::page("/thinking");
    let mut all = thoughts();
    let next = ThoughtView::of(&all.remove(0), &clock());
    all.reverse();
    let current = all.get(2).map(|thought| thought.id);
    ChainPage { shell, thoughts: chain(&all, &clock(), current), cut: true, next: vec![next] }
}
