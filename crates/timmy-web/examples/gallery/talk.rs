//! A conversation as it might be.

use timmy_domain::message::{Message, MessageStatus, Speaker};
use timmy_domain::thought::Place;
use timmy_domain::{Life, MessageId};
use timmy_web::look::talk::{Quote, TalkDay, TalkPage, Turn};
use timmy_web::look::{Absent, Theme};

use crate::sample::{ago, clock, models, shell};

fn message(n: u64, speaker: Speaker, status: MessageStatus, content: &str, seconds: u64) -> Message {
    let id = |n| MessageId::new(1_700_000_000_000 + n, &[3; 10]);
    let timmy = speaker == Speaker::Timmy;
    let answered = timmy && status != MessageStatus::Failed;
    Message {
        id: id(n),
        speaker,
        content: content.into(),
        status,
        answers: timmy.then(|| id(n - 1)),
        about_thought: None,
        channel: "browser".into(),
        created_at: ago(seconds),
        provider: if answered { "ollama".into() } else { String::new() },
        model: if answered { "qwen3:14b".into() } else { String::new() },
        place: answered.then_some(Place::Local),
        duration_ms: if answered { 6_200 } else { 0 },
        tokens: if answered { 842 } else { 0 },
    }
}

pub fn talk(theme: Theme, kind: &str) -> TalkPage {
    let clock = clock();
    let quote = Quote {
        id: "0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11".into(),
        text: "Three of them belong together. The fourth, the import test, looks like the flaky one from Tuesday."
            .into(),
        at: clock.minute(ago(1_010)),
    };
    let m = |n, speaker, status, text: &str, seconds| message(n, speaker, status, text, seconds);
    let (me, him) = (Speaker::Owner, Speaker::Timmy);
    let open = m(7, me, MessageStatus::Open, "Show me the smallest test that would prove it.", 12);
    let turn = |message: Message, about| Turn::of(&message, about, &clock);
    let mut turns = vec![
        turn(m(1, me, MessageStatus::Answered, "Is the import test in kelp flaky or wrong?", 900), Some(quote.clone())),
        turn(
            m(
                2,
                him,
                MessageStatus::Done,
                "Wrong, I think. It sorts by the time a file was written, and two files written in the same second have no order.\n\nYou can see it without luck:\n\n```\ntouch -d @1700000000 a.txt b.txt\ncargo test import -- --nocapture\n```\nOn this machine the file system keeps nanoseconds, so it fails about once in forty runs here and more often on the build machine.",
                890,
            ),
            None,
        ),
        turn(m(3, me, MessageStatus::Answered, "And what do the archives say about it?", 600), None),
        turn(
            m(
                4,
                him,
                MessageStatus::Failed,
                "Ollama refused the connection, and reflex has nothing to say to a question. Nothing left this machine.",
                595,
            ),
            None,
        ),
        turn(m(5, me, MessageStatus::Answered, "List everything that changed since Tuesday", 300), None),
        turn(
            m(
                6,
                him,
                MessageStatus::Stopped,
                "Since Tuesday there were 41 commits in tideline and 3 in kelp. In tideline:",
                290,
            ),
            None,
        ),
        turn(open.clone(), None),
    ];
    let coming = kind.is_empty();
    if coming {
        turns.push(Turn::coming(&open, &clock));
    }
    let empty = kind == "empty";
    TalkPage {
        shell: shell("/talk", Life::Working, "Answering what you asked about the flaky import test", "12 s", theme),
        days: if empty { Vec::new() } else { vec![TalkDay { label: "Today".into(), turns }] },
        absent: Absent::empty(
            "Nothing was said yet",
            "Ask something, or tell Timmy what you are working on. The conversation stays on this machine.",
        ),
        older: (!empty).then(|| "/talk?before=1".into()),
        newest: None,
        about: (kind == "reply").then_some(quote),
        draft: String::new(),
        models: models(!empty),
    }
}
