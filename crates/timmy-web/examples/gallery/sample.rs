//! A house as it might be at 14:12 on a Friday: clock, shell, models, folders.

use std::time::Duration;

use time::UtcOffset;
use timmy_domain::observation::{Observation, ObservationKind, WatchedFolder};
use timmy_domain::thought::Place;
use timmy_domain::{Life, Timestamp};
use timmy_web::keys::OwnKeys;
use timmy_web::look::folders::{FolderView, SeenView};
use timmy_web::look::mind::ModelRow;
use timmy_web::look::{Bar, Clock, Density, Now, Pulse, Shell, Side, State, Theme, Tone};
use timmy_web::nav;

pub fn clock() -> Clock {
    let now = Timestamp::parse("2026-11-20T13:12:40Z").unwrap_or_default();
    Clock { now, offset: UtcOffset::from_hms(1, 0, 0).unwrap_or(UtcOffset::UTC) }
}

pub fn ago(seconds: u64) -> Timestamp {
    clock().now.minus(Duration::from_secs(seconds))
}

pub fn shell(route: &str, life: Life, act: &str, aside: &str, theme: Theme) -> Shell {
    let page = nav::page(route);
    let waiting = if life == Life::Waiting { 2 } else { 0 };
    Shell {
        page,
        title: page.map_or("Not here", |page| page.title).to_owned(),
        above: None,
        path: route.to_owned(),
        now: Now {
            life,
            act: act.to_owned(),
            aside: aside.to_owned(),
            why: Some("/swarm/events/48231".into()),
            waiting,
            pulse: pulse(),
        },
        theme,
        density: Density::Comfortable,
        side: Side::Wide,
        keys: OwnKeys::default(),
        csrf: "csrf-of-this-session".into(),
        version: "0.1.0".into(),
        host: "hearth.lan".into(),
        live_seq: 48_236,
        notice: None,
        told: None,
    }
}

pub fn models(well: bool) -> Vec<ModelRow> {
    let reflex = ModelRow {
        name: "reflex".into(),
        state: State::well("Ready"),
        place: Place::Reflex,
        model: String::new(),
        note: String::new(),
    };
    let ollama = ModelRow {
        name: "ollama".into(),
        state: if well { State::well("Answers") } else { State::degraded("Unreachable") },
        place: Place::Local,
        model: if well { "qwen3:14b".into() } else { String::new() },
        note: if well { String::new() } else { "refused the connection since 12:58".into() },
    };
    vec![ollama, reflex]
}

pub fn folders() -> Vec<FolderView> {
    let folder = |id, path: &str, name: &str, seen: Option<u64>, error: &str| WatchedFolder {
        id,
        path: path.into(),
        name: name.into(),
        added_at: ago(900_000),
        scanned_at: seen.map(ago),
        mark: None,
        error: error.into(),
    };
    [
        folder(1, "/home/ines/code/tideline", "tideline", Some(95), ""),
        folder(2, "/home/ines/code/kelp", "kelp", Some(95), ""),
        folder(
            3,
            "/media/archive/photos-and-everything-that-came-before-2019",
            "photos-and-everything-that-came-before-2019",
            Some(5_000),
            "The folder is not there. Is the disk connected?",
        ),
    ]
    .iter()
    .map(|folder| FolderView::of(folder, &clock()))
    .collect()
}

pub fn seen() -> Vec<SeenView> {
    let item = |folder: &str, kind, summary: &str, at| {
        let seen = Observation {
            id: 1,
            folder_id: 1,
            folder: folder.into(),
            kind,
            summary: summary.into(),
            detail: String::new(),
            seen_at: ago(at),
        };
        SeenView::of(&seen, &clock())
    };
    vec![
        item(
            "tideline",
            ObservationKind::Commits,
            "3 commits by Ines, the last one “Double the retry after each refusal”",
            240,
        ),
        item("kelp", ObservationKind::Uncommitted, "4 files changed and not committed for 2 days", 1_100),
        item("tideline", ObservationKind::Files, "CHANGELOG.md and 2 other text files changed", 8_000),
    ]
}

/// One letter and one digit a minute: tone and height.
const HOUR: &str = "v3 v2 .0 .0 .0 v4 v2 l4 l7 l9 l8 l6 v3 v2 .0 .0 .0 v3 .0 .0 w4 w5 .2 .0 v3 .0 .0 .0 .0 v3 \
    v2 .0 .0 l5 l8 l6 l2 .0 v3 .0 .0 .0 e6 l4 .0 .0 v3 v2 .0 .0 .0 v4 .0 .2 l5 l9 l9 l7 v4 v5";

/// An hour as it might have been.
pub fn pulse() -> Pulse {
    let mut pulse = Pulse::quiet();
    for (bar, minute) in pulse.bars.iter_mut().zip(HOUR.split_whitespace()) {
        let tone = match minute.as_bytes()[0] {
            b'v' => Tone::Voice,
            b'l' => Tone::Live,
            b'w' => Tone::Warn,
            b'e' => Tone::Ember,
            _ => Tone::Calm,
        };
        let height = minute[1..].parse().unwrap_or(0);
        *bar = Bar { height, tone, spark: tone == Tone::Ember };
    }
    pulse.label =
        "Last 60 minutes: thinking in 17, answering in 13, quiet in 27. Asked you once. One fault at 13:33.".into();
    pulse.axis = ["13:12", "13:27", "13:42", "13:57", "now"].map(String::from).into();
    pulse
}
