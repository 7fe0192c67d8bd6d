//! The breaker under a virtual clock: named faults of the past, and what holds for every history.

use proptest::prelude::*;

use super::*;

const THRESHOLD: u32 = 5;

fn opened(at: u64) -> Breaker {
    let mut breaker = Breaker::new(THRESHOLD);
    for _ in 0..THRESHOLD {
        breaker.failed(at, None, 0);
    }
    assert_eq!(breaker.circuit(at), Circuit::Open);
    breaker
}

fn probe(breaker: &mut Breaker, now: u64) -> u64 {
    match breaker.admit(now) {
        Admit::Probe(number) => number,
        other => panic!("expected a try, got {other:?}"),
    }
}

// shows: models: a single failure of a fresh provider never shuts it out
#[test]
fn r1_one_failure_of_a_fresh_provider_shuts_nothing() {
    let mut breaker = Breaker::new(THRESHOLD);
    for n in 1..THRESHOLD {
        assert!(!breaker.failed(0, None, 0), "failure {n}");
        assert_eq!(breaker.admit(0), Admit::Go);
    }
    assert!(breaker.failed(0, None, 0));
    assert_eq!(breaker.admit(0), Admit::Wait(48_000), "a rest has an end from its first moment");
}

// shows: models: two answers close an open circuit whatever its past was
#[test]
fn r2_two_answers_close_it_whatever_its_past() {
    let mut breaker = opened(0);
    for now in [100_000, 100_001] {
        let number = probe(&mut breaker, now);
        breaker.succeeded(now, Some(number));
    }
    assert_eq!(breaker.circuit(100_001), Circuit::Closed);
    assert!(!breaker.failed(100_002, None, 0), "one failure after that is one failure");
    assert_eq!(breaker.admit(100_002), Admit::Go);
}

// shows: models: a circuit that recovers is tried by one call at a time
#[test]
fn r3_one_call_at_a_time_tries_it_out() {
    let mut breaker = opened(0);
    let first = probe(&mut breaker, 100_000);
    assert_eq!(breaker.admit(100_000), Admit::Tried);
    assert_eq!(breaker.admit(150_000), Admit::Tried);
    breaker.gave_up(first);
    let second = probe(&mut breaker, 150_000);
    breaker.gave_up(first);
    assert_eq!(breaker.admit(150_000), Admit::Tried, "only the one that has the place gives it back");
    breaker.failed(150_000, Some(second), 0);
    assert_eq!(breaker.circuit(150_000), Circuit::Open);
}

#[test]
fn half_of_a_window_opens_it_too_and_old_attempts_do_not_count() {
    let mut breaker = Breaker::new(THRESHOLD);
    let attempts = [true, false, true, false, false];
    let opens: Vec<bool> = attempts
        .iter()
        .map(|well| {
            if *well {
                breaker.succeeded(0, None);
                false
            } else {
                breaker.failed(0, None, 0)
            }
        })
        .collect();
    assert_eq!(opens, [false, false, false, false, true]);
    let mut breaker = Breaker::new(100);
    for n in 0..20 {
        assert!(!breaker.failed(n * WINDOW_MS, None, 0), "one failure each five minutes is not half of anything");
    }
}

// shows: models: a threshold that the owner raised is waited for, and one that he lowered is not
#[test]
fn it_opens_at_the_threshold_that_was_set() {
    for threshold in [1, 2, 5, 6, 10, 40, 100] {
        let mut breaker = Breaker::new(threshold);
        let opened = (1..=200).find(|n| breaker.failed(u64::from(*n), None, 0));
        assert_eq!(opened, Some(threshold));
    }
}

#[test]
fn each_rest_is_longer_up_to_a_bound_and_good_times_forgive() {
    let mut breaker = opened(0);
    let mut rests = Vec::new();
    let mut now = 0;
    for _ in 0..6 {
        rests.push(breaker.left_ms(now));
        now += breaker.left_ms(now);
        let number = probe(&mut breaker, now);
        breaker.failed(now, Some(number), 0);
    }
    assert_eq!(rests, [48_000, 96_000, 192_000, 384_000, 480_000, 480_000]);
    now += breaker.left_ms(now);
    for _ in 0..CLOSE_SUCCESSES {
        let number = probe(&mut breaker, now);
        breaker.succeeded(now, Some(number));
    }
    now += 10 * FORGIVE_MS;
    for _ in 0..THRESHOLD {
        breaker.failed(now, None, 0);
    }
    assert_eq!(breaker.left_ms(now), 48_000, "as the first time");
}

#[test]
fn what_was_stored_comes_back_shorter_and_never_longer_than_a_rest_may_be() {
    let stored = opened(0).store(8_000);
    assert_eq!(stored, Stored { circuit: Circuit::Open, in_a_row: 5, rests: 1, left_ms: 40_000 });
    let restored = |stored, ago| {
        let mut breaker = Breaker::new(THRESHOLD);
        breaker.restore(stored, 1_000, ago);
        breaker.left_ms(1_000)
    };
    assert_eq!((restored(stored, 0), restored(stored, 30_000), restored(stored, u64::MAX)), (40_000, 10_000, 0));
    assert_eq!(restored(Stored { left_ms: u64::MAX, ..stored }, 0), 720_000);
}

// shows: models: failures that lie far apart are not failures in a row, with or without a restart between them
#[test]
fn failures_far_apart_are_no_row() {
    const MINUTE: u64 = 60_000;
    const WEEK: u64 = 7 * 24 * 60 * MINUTE;
    for (in_a_row, quiet, left) in [
        (4, 0, 4),
        (4, ROW_MS - 1, 4),
        (4, ROW_MS, 2),
        (5, 2 * ROW_MS, 1),
        (5, 3 * ROW_MS, 0),
        (u32::MAX, 31 * ROW_MS, 1),
        (u32::MAX, 32 * ROW_MS, 0),
        (u32::MAX, u64::MAX, 0),
    ] {
        assert_eq!(faded(in_a_row, quiet), left, "{in_a_row} failures, {quiet} ms ago");
    }
    // The time between two failures, and which one of them opens it.
    for (apart, opens) in [(0, Some(5)), (5 * MINUTE, Some(5)), (29 * MINUTE, Some(5)), (WEEK, None)] {
        let mut lasting = Breaker::new(THRESHOLD);
        let opened = (1..=50_u64).find(|n| lasting.failed(n * apart, None, 0));
        assert_eq!(opened, opens, "{apart} ms apart");
        // Each failure in a run of its own, whose clock begins anew.
        let mut stored = None;
        let opened = (1..=50_u64).find(|_| {
            let mut breaker = Breaker::new(THRESHOLD);
            stored.into_iter().for_each(|stored| breaker.restore(stored, 3, apart));
            let opened = breaker.failed(3, None, 0);
            stored = Some(breaker.store(3));
            opened
        });
        assert_eq!(opened, opens, "{apart} ms apart, with a restart between two");
    }
    let mut breaker = Breaker::new(THRESHOLD);
    for now in 0..4 {
        breaker.failed(now, None, 0);
    }
    assert_eq!((breaker.in_a_row(3), breaker.in_a_row(3 + WEEK)), (4, 0), "what is shown fades as well");
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Pass(u64),
    Ask,
    Answer(usize),
    Fail(usize, u64),
    GiveUp(usize),
    Look,
    Restart(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (0..200_000_u64).prop_map(Step::Pass),
        4 => Just(Step::Ask),
        2 => any::<usize>().prop_map(Step::Answer),
        3 => (any::<usize>(), any::<u64>()).prop_map(|(which, roll)| Step::Fail(which, roll)),
        1 => any::<usize>().prop_map(Step::GiveUp),
        1 => Just(Step::Look),
        1 => (0..1_000_000_u64).prop_map(Step::Restart),
    ]
}

/// Whether a closed breaker must open behind `history`, said once more and differently than the code says it.
fn must_open(history: &[bool], threshold: usize) -> bool {
    let in_a_row = history.iter().rev().take_while(|well| !**well).count();
    let window = &history[history.len().saturating_sub(WINDOW_MAX.max(2 * threshold))..];
    let bad = window.iter().filter(|well| !**well).count();
    let half = window.len() >= WINDOW_MIN.max(threshold) && 2 * bad >= window.len();
    history.last() == Some(&false) && (in_a_row >= threshold || half)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    // shows: models: a circuit opens after so many failures in a row or at half of a window, and not otherwise
    #[test]
    fn it_opens_exactly_when_it_must(threshold in 1..30_u32, outcomes in proptest::collection::vec(any::<bool>(), 1..120)) {
        let mut breaker = Breaker::new(threshold);
        let threshold = usize::try_from(threshold).expect("small");
        for (n, well) in outcomes.iter().enumerate() {
            let now = u64::try_from(n).expect("small");
            let opened = if *well {
                breaker.succeeded(now, None);
                false
            } else {
                breaker.failed(now, None, 0)
            };
            prop_assert_eq!(opened, must_open(&outcomes[..=n], threshold), "attempt {}", n);
            if opened {
                break;
            }
        }
    }

    // shows: models: in every history one call at a time tries a resting model out, and it always comes back
    #[test]
    fn in_every_history_there_is_one_probe_at_most_and_a_way_back(steps in proptest::collection::vec(any_step(), 0..120)) {
        let mut breaker = Breaker::new(THRESHOLD);
        let mut now = 0;
        let mut flying: Vec<Option<u64>> = Vec::new();
        for step in steps {
            match step {
                Step::Pass(ms) => now += ms,
                Step::Ask => match breaker.admit(now) {
                    Admit::Go => flying.push(None),
                    Admit::Probe(number) => {
                        // An hour is over before a place is taken from a call that never ended.
                        prop_assert!(flying.iter().flatten().count() == 0 || now >= PROBE_MS_MAX);
                        flying.push(Some(number));
                    }
                    Admit::Wait(ms) => prop_assert!((1..=720_000).contains(&ms)),
                    Admit::Tried => prop_assert!(flying.iter().flatten().count() > 0, "nobody tries it, and nobody may"),
                },
                Step::Answer(which) if !flying.is_empty() => {
                    let probe = flying.swap_remove(which % flying.len());
                    breaker.succeeded(now, probe);
                }
                Step::Fail(which, roll) if !flying.is_empty() => {
                    let probe = flying.swap_remove(which % flying.len());
                    breaker.failed(now, probe, roll);
                }
                Step::GiveUp(which) if !flying.is_empty() => {
                    let probe = flying.swap_remove(which % flying.len());
                    probe.into_iter().for_each(|number| breaker.gave_up(number));
                }
                Step::Look => breaker.came_back(),
                Step::Restart(ago) => {
                    let stored = breaker.store(now);
                    breaker = Breaker::new(THRESHOLD);
                    breaker.restore(stored, now, ago);
                    flying.clear();
                }
                Step::Answer(_) | Step::Fail(..) | Step::GiveUp(_) => {}
            }
        }
        // Whatever happened: once calls have ended and the longest rest is over, two answers make it well.
        flying.into_iter().flatten().for_each(|number| breaker.gave_up(number));
        now += 720_000;
        for _ in 0..CLOSE_SUCCESSES {
            match breaker.admit(now) {
                Admit::Go => breaker.succeeded(now, None),
                Admit::Probe(number) => breaker.succeeded(now, Some(number)),
                other => prop_assert!(false, "shut out: {other:?}"),
            }
        }
        prop_assert_eq!(breaker.circuit(now), Circuit::Closed);
    }
}
