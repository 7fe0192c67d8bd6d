//! A log as it might be.

use std::error::Error;
use std::sync::Arc;

use timmy_domain::event::Thought as ThoughtBorn;
use timmy_domain::filter::EventFilter;
use timmy_domain::thought::Place;
use timmy_domain::{Event, Life, Record};
use timmy_web::look::event_page::{EventPage, chain, fields};
use timmy_web::look::events::{DrawnRow, EventRow, EventsPage};
use timmy_web::look::filter::{FilterBox, query};
use timmy_web::look::histogram::{Bar, Histogram, Stretch};
use timmy_web::look::{Absent, Theme};
use timmy_web::nav;

use crate::mind::thoughts;
use crate::sample::{ago, clock, shell};

fn record(seq: i64, seconds: u64, actor: &str, cause: Option<i64>, event: impl Into<Event>) -> Record {
    let event = event.into();
    Record {
        seq,
        id: "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11".into(),
        name: event.name().to_owned(),
        source: "thinking".into(),
        actor: actor.into(),
        cause,
        task_id: None,
        agent_id: None,
        severity: event.severity(),
        data: event.data_json(),
        at: ago(seconds),
        hash: [0x9f; 32],
    }
}

/// Position, age in seconds, actor, cause, name, body.
const LOG: [(i64, u64, &str, i64, &str, &str); 11] = [
    (
        48_236,
        12,
        "owner",
        0,
        "message.received",
        r#"{"message_id":"ID","channel":"browser","content":"Show me the smallest test that would prove it."}"#,
    ),
    (
        48_229,
        240,
        "timmy",
        48_102,
        "watch.observed",
        r#"{"folder_id":1,"folder":"tideline","kind":"commits","summary":"3 commits in tideline by Ines, the last one “Double the retry after each refusal”"}"#,
    ),
    (48_226, 290, "owner", 48_224, "message.stopped", r#"{"message_id":"ID","answers":"ID"}"#),
    (
        48_219,
        595,
        "timmy",
        48_217,
        "message.failed",
        r#"{"message_id":"ID","answers":"ID","why":"no provider could answer"}"#,
    ),
    (
        48_217,
        598,
        "system",
        0,
        "router.provider_down",
        r#"{"provider":"ollama","why":"connection refused at 127.0.0.1:11434"}"#,
    ),
    (
        48_210,
        890,
        "timmy",
        48_208,
        "message.replied",
        r#"{"message_id":"ID","answers":"ID","content":"Wrong, I think. It sorts by the time a file was written","provider":"ollama","model":"qwen3:14b","place":"local","duration_ms":6200}"#,
    ),
    (
        48_120,
        1_400,
        "system",
        48_119,
        "reactor.parked",
        r#"{"reactor":"memory","event_seq":48119,"message":"the body could not be read: missing field `kind`"}"#,
    ),
    (48_111, 2_200, "timmy", 0, "thinking.rested", r#"{"why":"nothing changed since the last thought","until":null}"#),
    (48_104, 2_300, "system", 0, "store.checked", r#"{"check":"chain","looked_at":48100,"duration_ms":412}"#),
    (48_102, 86_000, "owner", 0, "watch.added", r#"{"folder_id":1,"path":"/home/ines/code/tideline"}"#),
    (48_090, 86_400, "stranger", 0, "login.failed", r#"{"how":"code","failures":3}"#),
];

/// A message's id, for the bodies above.
const ID: &str = "018bcfe5-6807-7303-8303-030303030303";

fn records() -> Vec<Record> {
    let thought = &thoughts()[0];
    let born = ThoughtBorn {
        thought_id: thought.id,
        seed_type: thought.seed_type,
        content: thought.content.clone(),
        parent_id: thought.parent_id,
        provider: "ollama".into(),
        model: "qwen3:14b".into(),
        place: Place::Local,
    };
    let read = |(seq, age, actor, cause, name, body): (i64, u64, &str, i64, &str, &str)| {
        let cause = (cause > 0).then_some(cause);
        record(seq, age, actor, cause, Event::decode(name, &body.replace("ID", ID)))
    };
    let mut all: Vec<Record> = LOG.into_iter().map(read).collect();
    all.insert(1, record(48_231, 190, "timmy", Some(48_229), born));
    all
}

pub fn events(theme: Theme, kind: &str) -> EventsPage {
    let clock = clock();
    let empty = kind == "empty";
    let wave = [5_u64, 2, 2, 6, 4, 1, 4, 8, 3, 1, 5, 6, 1, 3, 7, 4, 0, 4, 9, 3, 1, 6, 5, 0, 3, 7, 4, 1, 5, 6];
    let mut bars: Vec<Bar> = wave.iter().chain(&wave).map(|&count| Bar { count, trouble: 0 }).collect();
    (bars[34], bars[35]) = (Bar { count: 12, trouble: 9 }, Bar { count: 7, trouble: 7 });
    let text = if empty { "type:watch.failed severity:warning" } else { "" };
    let filter = EventFilter::parse(text, clock.now).unwrap_or_default();
    let typed = if kind == "refused" { EventFilter::parse("typ:watch.added", clock.now) } else { Ok(filter.clone()) };
    EventsPage {
        shell: shell("/swarm/events", Life::Degraded, "Working on, without a model", "since 14:02", theme),
        filter: match typed {
            Ok(filter) => FilterBox::of(&filter),
            Err(error) => FilterBox::refused("typ:watch.added", &error),
        },
        query: query(&filter),
        live: "*".into(),
        still: false,
        histogram: (!empty).then(|| Histogram {
            stretches: (0..12)
                .map(|n| Stretch { label: format!("13:{:02}: 9 events", n * 5), href: Some("/swarm/events".into()) })
                .collect(),
            bars,
            label: "214 events in the last hour, 16 of them warnings or errors.".into(),
            axis: ["13:12", "13:27", "13:42", "13:57", "now"].map(String::from).into(),
            spans: Vec::new(),
        }),
        rows: if empty {
            Vec::new()
        } else {
            records().iter().map(|record| Arc::new(DrawnRow::of(EventRow::of(record, &clock)))).collect()
        },
        absent: Absent::empty(
            "No event fits this filter",
            "Names match exactly, or below a prefix with a star: watch.* finds watch.added.",
        )
        .act("Show all events", "/swarm/events"),
        summary: if empty {
            "None of 48,236 events.".into()
        } else {
            "12 of 48,236 events. Hash chain verified to 48,200 at 14:10.".into()
        },
        older: (!empty).then(|| "/swarm/events?before=48090".into()),
        newer: None,
        cli: "timmy events --after 48089".into(),
    }
}

pub fn event(theme: Theme) -> Result<EventPage, Box<dyn Error>> {
    let clock = clock();
    let all = records();
    let find = |seq| all.iter().find(|record| record.seq == seq).cloned();
    let (this, cause, root) =
        (find(48_231).ok_or("48231")?, find(48_229).ok_or("48229")?, find(48_102).ok_or("48102")?);
    let kept =
        record(48_233, 100, "owner", Some(48_231), timmy_domain::event::ThoughtKept { thought_id: thoughts()[0].id });
    let mut shell = shell("/swarm/events", Life::Thinking, "Thinking about three commits in tideline", "6 s", theme);
    shell.title = "Event 48231".into();
    shell.above = nav::page("/swarm/events");
    Ok(EventPage {
        shell,
        row: EventRow::of(&this, &clock),
        fields: fields(&this, &clock),
        source: this.source.clone(),
        hash: "9f3c2ab1e07d4415".repeat(4),
        raw: serde_json::to_string_pretty(&this.envelope())?,
        chain: chain(&[root, cause], &this, &[kept, find(48_236).ok_or("48236")?], &clock),
        beyond: None,
        effects_left: 0,
        previous: Some(48_190),
        next: None,
    })
}
