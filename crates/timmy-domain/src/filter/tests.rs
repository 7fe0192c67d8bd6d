use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-21T12:00:00Z").unwrap_or_default()
}

fn at(text: &str) -> Option<Timestamp> {
    Timestamp::parse(text).ok()
}

fn read(text: &str) -> EventFilter {
    EventFilter::parse(text, now()).unwrap_or_else(|e| panic!("{text}: {e} {}", e.hint))
}

// shows: dashboard: one text says which events are wanted: names, severity, actor, source, task, agent, cause, times, words
#[test]
fn every_token_says_what_is_wanted() {
    let f = read(
        r#"type:watch.* -type:pulse.* -type:watch.observed severity:Warning actor:timmy source:thinking task:t-1 agent:a-2
           cause:123 since:1h until:2026-11-21T10:00 after:5 before:#900 text:"disk full" free words"#,
    );
    assert_eq!(f.pattern(), Some(&Pattern::Below("watch".into())));
    let excluded: Vec<String> = f.excluded().map(ToString::to_string).collect();
    assert_eq!(excluded, ["pulse.*", "watch.observed"]);
    assert_eq!((f.severity(), f.actor()), (Some(Severity::Warning), Some(&Actor::Timmy)));
    assert_eq!((f.source(), f.task(), f.agent()), (Some("thinking"), Some("t-1"), Some("a-2")));
    assert_eq!((f.cause(), f.after(), f.before()), (Some(123), Some(5), Some(900)));
    assert_eq!((f.since(), f.until()), (at("2026-11-21T11:00:00Z"), at("2026-11-21T10:00:00Z")));
    assert_eq!(f.texts().collect::<Vec<_>>(), ["disk full", "free", "words"]);
    assert!(read("  \n ").is_empty());
}

#[test]
fn times_are_read_at_the_place_of_the_house() {
    let offset = UtcOffset::from_hms(2, 0, 0).unwrap_or(UtcOffset::UTC);
    let rows = [
        ("since:30s", "2026-11-21T11:59:30Z"),
        ("since:2w", "2026-11-07T12:00:00Z"),
        ("since:10:30", "2026-11-21T08:30:00Z"),
        ("since:10:30:05", "2026-11-21T08:30:05Z"),
        ("since:2026-11-20", "2026-11-19T22:00:00Z"),
        ("until:2026-11-20", "2026-11-20T21:59:59.999999Z"),
        ("since:2026-11-20T10:00", "2026-11-20T08:00:00Z"),
        ("since:2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"),
        ("since:2026-11-20T10:00:00.5+01:00", "2026-11-20T09:00:00.5Z"),
    ];
    for (text, wanted) in rows {
        let f = EventFilter::parse_in(text, now(), offset).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(f.since().or(f.until()), at(wanted), "{text}");
        assert_eq!(f.to_string(), text);
    }
    let moment = Moment::of(at("2026-11-20T08:00:07.9Z").unwrap_or_default(), offset);
    assert_eq!(moment.to_string(), "2026-11-20T10:00:07");
    let again = EventFilter::parse_in(&format!("since:{moment}"), now(), offset);
    assert_eq!(again.ok().and_then(|f| f.since()), Some(moment.at()));
}

// shows: dashboard: a filter that makes no sense names the place, what is wrong, and the nearest right thing
#[test]
fn what_makes_no_sense_is_named_with_its_place() {
    let long = "x".repeat(FILTER_BYTES_MAX + 1);
    let many = "-type:a ".repeat(TOKENS_MAX + 1);
    let wide = "ä".repeat(TEXT_CHARS_MAX + 1);
    let rows: &[(&str, usize, &str)] = &[
        ("typ:watch.*", 1, "`type:`"),
        ("a severty:error", 3, "`severity:`"),
        ("level:error", 1, "`severity:`"),
        ("severity:warnin", 10, "warning"),
        ("severity:bad", 10, "debug, info, warning, error"),
        ("actor:ownr", 7, "owner"),
        ("type:Watch..Added", 6, "watch"),
        ("type:watch.aded!", 6, "watch.added"),
        ("-actor:timmy", 1, "without a minus"),
        ("ö -loud", 3, "quote"),
        ("http://x", 1, "\"http://x\""),
        ("type:", 6, "type:watch.*"),
        ("text:\"\"", 6, "disk full"),
        ("\"\"", 1, "between"),
        ("a \"open", 3, "second"),
        ("\"a\"b", 4, "space"),
        ("\"a\\", 1, "second"),
        ("since:soon", 7, "1h"),
        ("since:25:00", 7, "14:00"),
        ("since:2026-02-30", 7, "2026-11-21"),
        ("since:999999d", 7, "7d"),
        ("after:-1", 7, "123"),
        ("cause:99999999999999999999", 7, "123"),
        ("type:a type:b", 8, "one of them"),
        (&long, 1, "fewer"),
        (&many, 1 + 8 * TOKENS_MAX, "some"),
        (&wide, 1, "fewer"),
    ];
    for (text, column, hint) in rows {
        let error = EventFilter::parse(text, now()).err().unwrap_or_else(|| panic!("{text} was read"));
        assert_eq!(error.column, *column, "{text}: {error}");
        assert!(error.hint.contains(hint), "{text}: {error} {}", error.hint);
        assert!(error.to_string().chars().count() < 120, "{error}");
    }
}

#[test]
fn what_cannot_be_seen_reads_as_a_space() {
    assert_eq!(read("\"a\u{1b}b\" c\0d text:e\u{202e}").to_string(), "\"a b\" c d e");
    assert_eq!(EventFilter::parse("ä\u{200b} -loud", now()).map_err(|error| error.column), Err(4));
}

#[test]
fn tokens_come_and_go() {
    let f = read("type:a.b severity:error \"two words\" -type:c");
    assert_eq!(f.without(1).to_string(), "type:a.b \"two words\" -type:c");
    assert_eq!(f.without(9), f);
    assert_eq!(f.with(Token::Type(Pattern::All)).to_string(), "severity:error \"two words\" -type:c type:*");
    assert_eq!(f.with(Token::NotType(Pattern::Exact("c".into()))).to_string(), f.to_string());
    assert_eq!(f.without_keys(&[Key::Type, Key::NotType]).to_string(), "severity:error \"two words\"");
    assert_eq!(nearest_name("timmy.thoght"), Some("timmy.thought"));
    assert_eq!(nearest_name("timmy.thought"), None);
}

fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z:\" \\\\-]{1,12}",
        "\\PC{1,20}",
        any::<String>().prop_filter("bounded", |s| !s.is_empty() && s.chars().count() <= 60)
    ]
    .prop_filter("seen", |s| can_be_seen(s))
}

/// Whether nothing in it reads as a space: the separators of lines and paragraphs are no control characters, and
/// cannot be seen either.
fn can_be_seen(s: &str) -> bool {
    !s.contains(crate::text::is_harmful)
}

fn a_name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9_-]{1,20}", "\\PC{1,20}"].prop_filter("seen", |s| can_be_seen(s))
}

fn a_pattern() -> impl Strategy<Value = Pattern> {
    let parts = "[a-z][a-z_]{0,5}(\\.[a-z_]{1,5}){0,3}";
    prop_oneof![Just(Pattern::All), parts.prop_map(Pattern::Exact), parts.prop_map(Pattern::Below)]
}

fn a_token() -> impl Strategy<Value = Token> {
    let moment = || {
        prop_oneof!["[0-9]{1,5}[smhdw]", "2026-1[0-2]-[12][0-9](T[01][0-9]:[0-5][0-9](:[0-5][0-9])?)?"]
            .prop_map(|said| Moment::read(&said, now(), UtcOffset::UTC, true).unwrap_or_else(|| panic!("{said}")))
    };
    let early = moment().prop_map(|m| Moment::read(&m.to_string(), now(), UtcOffset::UTC, false).unwrap_or(m));
    prop_oneof![
        a_pattern().prop_map(Token::Type),
        a_pattern().prop_map(Token::NotType),
        (0..4_usize).prop_map(|n| Token::Severity(Severity::ALL[n])),
        (0..Actor::ALL.len()).prop_map(|n| Token::Actor(Actor::ALL[n].clone())),
        a_name().prop_map(Token::Source),
        a_name().prop_map(Token::Task),
        a_name().prop_map(Token::Agent),
        (0..Seq::MAX).prop_map(Token::Cause),
        (0..Seq::MAX).prop_map(Token::After),
        (0..Seq::MAX).prop_map(Token::Before),
        early.prop_map(Token::Since),
        moment().prop_map(Token::Until),
        a_text().prop_map(Token::Text),
    ]
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(tokens in prop::collection::vec(a_token(), 0..9)) {
        let mut filter = EventFilter::default();
        for token in tokens {
            filter = filter.with(token);
        }
        let printed = filter.to_string();
        prop_assume!(printed.len() <= FILTER_BYTES_MAX);
        prop_assert_eq!(EventFilter::parse(&printed, now()), Ok(filter));
    }

    #[test]
    fn no_text_breaks_the_reader(text in any::<String>()) {
        match EventFilter::parse(&text, now()) {
            Ok(filter) => {
                let printed = filter.to_string();
                // What was quoted may need more room when it is printed.
                prop_assume!(printed.len() <= FILTER_BYTES_MAX);
                prop_assert_eq!(EventFilter::parse(&printed, now()), Ok(filter));
            }
            Err(error) => prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1),
        }
    }

    #[test]
    fn nothing_like_a_filter_breaks_the_reader(
        words in prop::collection::vec("-?(type|since|until|text|cause|xyz)?:?\"?[a-z0-9.*:T\\\\\" é-]{0,12}\"?", 0..6)
    ) {
        let text = words.join(" ");
        if let Err(error) = EventFilter::parse(&text, now()) {
            prop_assert!(error.column >= 1 && error.column <= text.chars().count() + 1, "{} {error}", text);
        }
    }
}
