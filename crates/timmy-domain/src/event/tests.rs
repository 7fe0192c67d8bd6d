//! The catalogue keeps its promises.

use super::*;

#[test]
fn names_are_unique_dotted_words() {
    let mut names: Vec<_> = Event::catalogue().into_iter().map(|(name, ..)| name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name stands twice");
    for name in names {
        let ok = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(name.contains('.') && name.split('.').all(ok), "{name}");
    }
}

#[test]
fn an_event_reads_back_as_it_was_written() {
    let event: Event = WatchAdded { folder_id: 7, path: "/home/me/kelp".into() }.into();
    assert_eq!(Event::decode(event.name(), &event.data_json()), event);
    assert_eq!(event.sentence(), "Watching /home/me/kelp");
}

#[test]
fn unknown_names_and_bodies_of_other_versions_are_kept_not_refused() {
    let newer = Event::decode("task.dreamed", r#"{"depth":3}"#);
    assert_eq!(newer.name(), "task.dreamed");
    assert_eq!(newer.data_json(), r#"{"depth":3}"#);
    let reshaped = Event::decode("watch.added", r#"{"folder":"moved"}"#);
    assert!(matches!(&reshaped, Event::Unknown { name, .. } if name == "watch.added"));
    assert!(matches!(Event::decode("watch.added", "not json"), Event::Unknown { .. }));
}

#[test]
fn every_sentence_is_one_safe_line_whatever_the_text_says() {
    let nasty = "a\nb\u{1b}[2J\u{202e}c";
    let event: Event = MessageReceived {
        message_id: crate::MessageId::new(1, &[0; 10]),
        channel: "cli".into(),
        content: nasty.into(),
    }
    .into();
    assert!(!event.sentence().contains(['\n', '\u{1b}', '\u{202e}']));
}
