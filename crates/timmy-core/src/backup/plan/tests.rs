//! The nights of a year, with their two odd ones, wrong clocks, and what is kept.

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn hours(h: i8) -> UtcOffset {
    UtcOffset::from_hms(h, 0, 0).unwrap()
}

/// Central Europe in 2026: summer time from 29 March 01:00 UTC to 25 October 01:00 UTC.
fn berlin(at_: Timestamp) -> UtcOffset {
    if (at("2026-03-29T01:00:00Z")..at("2026-10-25T01:00:00Z")).contains(&at_) { hours(2) } else { hours(1) }
}

fn situation(now: &str, last: Option<&str>, minute: u32) -> Situation {
    let now = at(now);
    Situation {
        now,
        offset: berlin(now),
        minute_of_day: Some(minute),
        last: last.map(at).map(|l| (l, berlin(l))),
        failed_at: None,
        failures: 0,
        started_at: at("2020-01-01T00:00:00Z"),
    }
}

#[test]
fn a_night_is_due_once_and_made_up_for_when_it_was_slept_through() {
    let cases = [
        // now, last, at minute, step
        ("2026-06-10T01:29:00Z", Some("2026-06-09T01:30:00Z"), 210, Step::Rest), // 03:29 local
        ("2026-06-10T01:30:00Z", Some("2026-06-09T01:30:00Z"), 210, Step::Make), // 03:30 local
        ("2026-06-10T01:31:00Z", Some("2026-06-10T01:30:00Z"), 210, Step::Rest), // just made
        ("2026-06-10T20:00:00Z", Some("2026-06-10T01:30:00Z"), 210, Step::Rest), // later that day
        ("2026-06-10T09:00:00Z", Some("2026-06-09T01:30:00Z"), 210, Step::Make), // the machine slept at 03:30
        ("2026-06-30T09:00:00Z", Some("2026-06-09T01:30:00Z"), 210, Step::Make), // and for three weeks
        ("2026-06-30T09:05:00Z", Some("2026-06-30T09:00:00Z"), 210, Step::Rest), // which is one backup
        ("2026-07-01T01:30:00Z", Some("2026-06-30T09:00:00Z"), 210, Step::Make), // then the usual hour again
        ("2026-06-10T00:00:00Z", None, 210, Step::Note),                         // a home never seen before
        ("2026-06-09T22:00:00Z", Some("2026-06-08T22:00:00Z"), 0, Step::Make),   // at midnight
        ("2026-06-10T21:59:00Z", Some("2026-06-09T21:59:00Z"), 1_439, Step::Make), // at 23:59
        ("2026-06-10T21:58:00Z", Some("2026-06-09T21:59:00Z"), 1_439, Step::Rest),
    ];
    for (now, last, minute, step) in cases {
        assert_eq!(decide(&situation(now, last, minute)), step, "{now} after {last:?}");
    }
    assert_eq!(decide(&Situation { minute_of_day: None, ..situation("2026-06-10T03:00:00Z", None, 0) }), Step::Rest);
}

#[test]
fn every_night_of_the_year_has_exactly_one_backup_also_when_the_clocks_change() {
    // At 02:30, the hour that is missing in March and there twice in October.
    for minute in [0, 90, 150, 210, 1_439] {
        let mut last = at("2026-01-01T12:00:00Z");
        let mut now = last;
        let mut made = Vec::new();
        while now < at("2026-12-31T12:00:00Z") {
            now = now.plus(Duration::from_secs(300));
            let s = Situation { last: Some((last, berlin(last))), ..situation(&now.to_string(), None, minute) };
            if decide(&s) == Step::Make {
                made.push(now.to_utc().to_offset(berlin(now)).date());
                last = now;
            }
        }
        assert_eq!(made.len(), 364, "at minute {minute}");
        made.dedup();
        assert_eq!(made.len(), 364, "two in one night, at minute {minute}");
    }
}

#[test]
fn a_clock_that_was_wrong_neither_stops_the_backups_nor_makes_many() {
    // Set forward by a year: one backup. Set back: the note in the future is taken back, and the nights go on.
    let wrong = situation("2027-06-10T08:00:00Z", Some("2026-06-10T01:30:00Z"), 210);
    assert_eq!(decide(&wrong), Step::Make);
    let back = situation("2026-06-10T08:10:00Z", Some("2027-06-10T08:00:00Z"), 210);
    assert_eq!(decide(&back), Step::Note);
    let after = situation("2026-06-11T01:30:00Z", Some("2026-06-10T08:10:00Z"), 210);
    assert_eq!(decide(&after), Step::Make);
    // Set back by some hours: at most that night waits for its hour again.
    let hours_back = situation("2026-06-10T00:30:00Z", Some("2026-06-10T01:30:00Z"), 210);
    assert_eq!(decide(&hours_back), Step::Rest);
    // The owner travels west over the date line: no second backup for the same night.
    let west = Situation { offset: hours(-8), ..situation("2026-06-10T02:00:00Z", Some("2026-06-10T01:30:00Z"), 210) };
    assert_eq!(decide(&west), Step::Rest);
}

#[test]
fn a_failure_is_tried_again_later_and_later_and_never_at_the_start() {
    assert_eq!([1, 2, 3, 4, 5, 99].map(|n| retry(n).as_secs() / 3_600), [1, 2, 4, 8, 12, 12]);
    let failed = |minutes: u64, failures| {
        let s = situation("2026-06-10T04:00:00Z", Some("2026-06-09T01:30:00Z"), 210);
        let failed_at = Some(s.now.minus(Duration::from_secs(minutes * 60)));
        decide(&Situation { failed_at, failures, ..s })
    };
    assert_eq!(
        (failed(59, 1), failed(60, 1), failed(119, 2), failed(120, 2)),
        (Step::Rest, Step::Make, Step::Rest, Step::Make)
    );
    let s = situation("2026-06-10T04:00:00Z", Some("2026-06-09T01:30:00Z"), 210);
    let ahead = Some(s.now.plus(Duration::from_secs(9_000)));
    assert_eq!(decide(&Situation { failed_at: ahead, failures: 5, ..s }), Step::Make, "the clock was set back since");
    let started_at = s.now.minus(Duration::from_secs(SETTLE_SECONDS - 1));
    assert_eq!(decide(&Situation { started_at, ..s }), Step::Rest);
    let started_at = s.now.minus(Duration::from_secs(SETTLE_SECONDS));
    assert_eq!(decide(&Situation { started_at, ..s }), Step::Make);
}

/// Each of them checked as `proof` says.
fn each(names: &[String], proof: Proof) -> Vec<(String, Proof)> {
    names.iter().map(|name| (name.clone(), proof)).collect()
}

fn nights(from: &str, count: u64) -> Vec<String> {
    (0..count).map(|n| file_name(NIGHTLY, at(from).plus(Duration::from_secs(n * 86_400)), 0)).collect()
}

#[test]
fn seven_days_and_four_weeks_stay() {
    let names = nights("2026-06-01T01:30:00Z", 60);
    let now = at("2026-07-30T12:00:00Z");
    let gone = superfluous(&each(&names, Proof::Proven), now, berlin, 7, 4);
    let stay: Vec<&str> = names.iter().filter(|n| !gone.contains(n)).map(|n| &n[14..24]).collect();
    // 30 July 2026 is a Thursday: seven days, and the Sundays of the weeks before.
    assert_eq!(
        stay,
        [
            "2026-07-12",
            "2026-07-19",
            "2026-07-24",
            "2026-07-25",
            "2026-07-26",
            "2026-07-27",
            "2026-07-28",
            "2026-07-29",
            "2026-07-30"
        ]
    );
    // Night after night, the same holds: never more than eleven, and no gap is torn.
    let mut there: Vec<String> = Vec::new();
    for name in nights("2026-01-01T01:30:00Z", 300) {
        let now = read_name(&name).unwrap().1;
        there.push(name);
        let gone = superfluous(&each(&there, Proof::Proven), now, berlin, 7, 4);
        there.retain(|n| !gone.contains(n));
        assert!(there.len() <= 11, "{there:?}");
    }
    assert!(there.len() >= 9);
}

#[test]
fn what_the_owner_made_and_what_lies_ahead_is_never_removed() {
    let now = at("2026-07-30T12:00:00Z");
    let mut names = vec![
        file_name(ASKED, at("2020-01-01T00:00:00Z"), 0),
        file_name("timmy-thoughts-", at("2020-01-01T00:00:00Z"), 0),
        "holiday.tar.gz".to_owned(),
        "timmy-nightly-2020-99-99T9999Z.tar.gz".to_owned(),
        "timmy-nightly-2020-01-01T0000Z.tar.gz.new".to_owned(),
    ];
    // Ten nights of a clock that was a year ahead must not push out the real ones.
    names.extend(nights("2027-07-01T01:30:00Z", 10));
    names.extend(nights("2026-07-24T01:30:00Z", 7));
    for proof in [Proof::Proven, Proof::Unproven] {
        assert!(superfluous(&each(&names, proof), now, berlin, 7, 4).is_empty());
        // Nothing to keep still keeps the newest.
        assert_eq!(superfluous(&each(&names, proof), now, berlin, 0, 0).len(), 6);
    }
    // Several of one day: the newest of them.
    let day: Vec<String> = (0..4).map(|n| file_name(NIGHTLY, at("2026-07-30T01:30:00Z"), n)).collect();
    assert_eq!(superfluous(&each(&day, Proof::Proven), now, berlin, 7, 0), [&*day[2], &*day[1], &*day[0]]);
}

// shows: backup: nights whose backups would not restore, or were never checked, push out none that proved good
#[test]
fn what_did_not_prove_good_pushes_out_nothing_that_did() {
    let good = nights("2026-05-01T01:30:00Z", 31);
    let now = at("2026-05-31T12:00:00Z");
    let mut there = each(&good, Proof::Proven);
    let gone = superfluous(&there, now, berlin, 7, 4);
    there.retain(|(name, _)| !gone.contains(name));
    let proven = there.clone();
    assert_eq!(proven.len(), 10);
    for (proof, most) in [(Proof::Failed, FAILED_KEPT_MAX), (Proof::Unproven, 11)] {
        let mut there = proven.clone();
        for name in nights("2026-06-01T01:30:00Z", 60) {
            let now = read_name(&name).unwrap().1;
            there.push((name, proof));
            let gone = superfluous(&there, now, berlin, 7, 4);
            there.retain(|(name, _)| !gone.contains(name));
            assert!(proven.iter().all(|one| there.contains(one)), "{there:?}");
            assert!(there.len() <= proven.len() + most, "{there:?}");
        }
        // The next that proves good takes its place among them, and the others are still few.
        let next = nights("2026-07-31T01:30:00Z", 1).remove(0);
        there.push((next.clone(), Proof::Proven));
        let gone = superfluous(&there, at("2026-07-31T01:30:00Z"), berlin, 7, 4);
        there.retain(|(name, _)| !gone.contains(name));
        assert!(there.contains(&(next, Proof::Proven)) && there.len() <= 11 + most, "{there:?}");
    }
    // One day and no week are kept: still the one that proved good, and the newest.
    let mut two = each(&good[..1], Proof::Proven);
    two.extend(each(&good[1..10], Proof::Failed));
    let gone = superfluous(&two, now, berlin, 1, 0);
    two.retain(|(name, _)| !gone.contains(name));
    let left: Vec<&str> = two.iter().map(|(name, _)| &name[14..24]).collect();
    assert_eq!(left, ["2026-05-01", "2026-05-09", "2026-05-10"]);
}

#[test]
fn names_are_read_back_and_others_are_not_ours() {
    let moment = at("2026-11-21T03:30:59Z");
    assert_eq!(file_name(ASKED, moment, 0), "timmy-backup-2026-11-21T0330Z.tar.gz");
    assert_eq!(file_name(ASKED, moment, 1), "timmy-backup-2026-11-21T0330Z-2.tar.gz");
    for beginning in [ASKED, NIGHTLY, "timmy-thoughts-"] {
        for again in [0, 1, 12] {
            let name = file_name(beginning, moment, again);
            assert_eq!(read_name(&name), Some((beginning, at("2026-11-21T03:30:00Z"))), "{name}");
            assert_eq!(age(&name), Some((at("2026-11-21T03:30:00Z"), again + 1)), "{name}");
        }
    }
    for bad in [
        "",
        "x.tar.gz",
        "timmy-backup-.tar.gz",
        "timmy-backup-2026-11-21T0330Z",
        "timmy-backup-2026-13-21T0330Z.tar.gz",
        "timmy-backup-2026-11-21T0330Z-x.tar.gz",
        "timmy-backup-2026-11-21T03é0Z.tar.gz",
        "evil-2026-11-21T0330Z.tar.gz",
    ] {
        assert_eq!(read_name(bad), None, "{bad}");
    }
}
