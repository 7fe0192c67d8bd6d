//! What may go, and how much of the file.

use super::*;

#[test]
fn days_become_moments_and_zero_means_for_ever() {
    let now = Timestamp::from_micros(100 * 86_400_000_000);
    let at = |day: i64| Some(Timestamp::from_micros(day * 86_400_000_000));
    for (operator_days, debug_days, operator_before, debug_before) in
        [(30, 7, at(70), at(93)), (0, 7, None, at(93)), (30, 0, at(70), None), (0, 0, None, None)]
    {
        let found = expiry(&RetentionSettings { operator_days, debug_days }, now, 9);
        assert_eq!(found, Expiry { operator_before, debug_before, stay_from: 9 });
    }
}

#[test]
fn pages_are_given_back_only_when_far_more_are_free_than_needed() {
    let space = |pages, free_pages, shrinks| Space { page_bytes: 8_192, pages, free_pages, shrinks };
    for (found, expected) in [
        (space(100, 90, true), 0),
        (space(1_000, 512, true), 0),
        (space(1_000, 600, true), 344),
        (space(100_000, 10_000, true), 0),
        (space(100_000, 30_000, true), 25_000),
        (space(100_000, 30_000, false), 0),
    ] {
        assert_eq!(surplus(&found), expected, "{found:?}");
    }
}
