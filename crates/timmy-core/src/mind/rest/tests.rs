//! Every reason to rest, one row each.

use super::*;

const HOUR: u64 = 3_600;

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Duration::from_secs(seconds))
}

fn usual() -> Situation {
    Situation {
        now: at(100 * HOUR),
        enabled: true,
        paused: None,
        quiet_until: None,
        disk_full: false,
        spent_until: None,
        started_at: at(99 * HOUR),
        last_try: Some(at(100 * HOUR - 300)),
        failures: 0,
        silences: 0,
        nudged_at: None,
        interval: Duration::from_secs(300),
        adaptive: true,
        similarity: 0.0,
        owner_seen: at(100 * HOUR),
        load: 0.1,
        queued: None,
    }
}

fn until(decision: Decision) -> (u64, String) {
    match decision {
        Decision::Think => (0, "think".to_owned()),
        Decision::Rest { until, why } => (until.map_or(u64::MAX, |u| u.since(at(100 * HOUR)).as_secs()), why),
    }
}

/// Name, situation, seconds until the next decision (0: think now), and the reason shown.
#[expect(clippy::too_many_lines, reason = "one table, one row for each reason")]
fn rows() -> Vec<(&'static str, Situation, u64, &'static str)> {
    let now = at(100 * HOUR);
    vec![
        ("due", usual(), 0, "think"),
        ("off", Situation { enabled: false, ..usual() }, u64::MAX, "thinking is switched off in the settings"),
        ("paused", Situation { paused: Some(Pause::Open), ..usual() }, u64::MAX, "you paused it"),
        (
            "paused for a while",
            Situation { paused: Some(Pause::Until(at(101 * HOUR))), ..usual() },
            HOUR,
            "you paused it",
        ),
        ("a pause that ended", Situation { paused: Some(Pause::Until(now)), ..usual() }, 0, "think"),
        ("disk full", Situation { disk_full: true, ..usual() }, 3, "the disk is full"),
        ("set back before the first", Situation { started_at: at(200 * HOUR), last_try: None, ..usual() }, 0, "think"),
        ("quiet", Situation { quiet_until: Some(at(107 * HOUR)), ..usual() }, 7 * HOUR, "quiet hours"),
        (
            "spent",
            Situation { spent_until: Some(at(110 * HOUR)), ..usual() },
            10 * HOUR,
            "today's thinking budget is spent",
        ),
        (
            "not due",
            Situation { last_try: Some(at(100 * HOUR - 100)), ..usual() },
            200,
            "until the next thought is due",
        ),
        (
            "nudged",
            Situation { last_try: Some(at(100 * HOUR - 100)), nudged_at: Some(now), ..usual() },
            2,
            "until the next thought is due",
        ),
        (
            "failed once",
            Situation { last_try: Some(now), failures: 1, ..usual() },
            300,
            "the last thought did not come",
        ),
        (
            "failed often",
            Situation { last_try: Some(now), failures: 30, ..usual() },
            2_400,
            "the last thought did not come",
        ),
        (
            "alike",
            Situation { last_try: Some(now), similarity: 0.7, ..usual() },
            600,
            "the last two thoughts were alike",
        ),
        (
            "away",
            Situation { last_try: Some(now), owner_seen: at(80 * HOUR), ..usual() },
            600,
            "you have been away for a while",
        ),
        (
            "long away",
            Situation { last_try: Some(now), owner_seen: at(0), ..usual() },
            1_200,
            "you have been away for a while",
        ),
        (
            "a machine that is always busy",
            Situation { load: 2.0, last_try: Some(at(100 * HOUR - 900)), ..usual() },
            0,
            "think",
        ),
        ("busy machine", Situation { load: 2.0, ..usual() }, 60, "the machine is busy"),
        (
            "nothing new",
            Situation { last_try: Some(now), silences: 3, ..usual() },
            300,
            "nothing has changed since the last thought",
        ),
    ]
}

#[test]
fn each_reason_gives_its_rest() {
    for (name, situation, seconds, why) in rows() {
        assert_eq!(until(decide(&situation)), (seconds, why.to_owned()), "{name}");
    }
}

#[test]
fn without_adaptive_rest_only_the_interval_counts() {
    let s = Situation { adaptive: false, similarity: 1.0, owner_seen: at(0), load: 9.0, ..usual() };
    assert_eq!(decide(&s), Decision::Think);
}

#[test]
fn the_first_thought_comes_at_once_whatever_the_interval() {
    let s = Situation { started_at: at(100 * HOUR), last_try: None, load: 9.0, ..usual() };
    assert!(
        matches!(decide(&s), Decision::Rest { until: Some(u), .. } if u == at(100 * HOUR).plus(Duration::from_millis(500)))
    );
    assert_eq!(decide(&Situation { now: at(100 * HOUR + 1), ..s }), Decision::Think);
}

#[test]
fn a_short_interval_is_not_stretched_below_the_failure_wait_of_one_interval() {
    let s = Situation { last_try: Some(at(100 * HOUR)), failures: 9, interval: Duration::from_secs(1), ..usual() };
    assert_eq!(until(decide(&s)).0, 8, "the longest rest is eight intervals");
}

#[test]
fn likeness_is_about_shared_phrases() {
    assert!(similarity("the archive opens cleanly today", "The archive opens cleanly today!") > 0.99);
    assert!(similarity("the archive opens cleanly", "a cellar drain blocks in november") < 0.01);
    assert_eq!(similarity("", ""), 0.0);
}

#[test]
fn a_thought_in_the_queue_keeps_another_one_out_and_the_owners_word_comes_first() {
    let going = Situation { queued: Some(Queued::Going), ..usual() };
    assert_eq!(until(decide(&going)), (QUEUED_SECONDS, QUEUED.to_owned()));
    let held = Situation { queued: Some(Queued::Held), ..usual() };
    assert_eq!(until(decide(&held)), (QUEUED_SECONDS, HELD.to_owned()));
    let paused = Situation { paused: Some(Pause::Open), ..going };
    assert_eq!(until(decide(&paused)).1, PAUSED);
    assert!(forbidden(&usual()).is_none() && forbidden(&paused).is_some());
}
