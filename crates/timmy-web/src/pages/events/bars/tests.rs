use time::UtcOffset;

use super::*;

fn clock() -> Clock {
    let now = Timestamp::parse("2026-11-21T12:34:56Z").unwrap_or_default();
    Clock { now, offset: UtcOffset::from_hms(5, 30, 0).unwrap_or(UtcOffset::UTC) }
}

fn grid(seconds: u64) -> Grid {
    Grid::over(clock().now.minus(Duration::from_secs(seconds)), clock().now, &clock())
}

#[test]
fn stretches_lie_on_round_times_of_the_house_and_cover_what_is_wanted() {
    for seconds in [0, 1, 59, 61, 600, 3_600, 86_400, 604_800, 86_400 * 40, 86_400 * 400, 86_400 * 20_000] {
        let grid = grid(seconds);
        assert!(grid.stretches <= STRETCHES_MAX, "{seconds}: {grid:?}");
        assert!(grid.from <= clock().now.minus(Duration::from_secs(seconds)), "{seconds}: {grid:?}");
        assert!(grid.edge(grid.bars()) >= clock().now, "{seconds}: {grid:?}");
        let local = grid.from.unix_seconds() + i64::from(clock().offset.whole_seconds());
        assert_eq!(local % i64::try_from(grid.step_seconds).unwrap_or(1), 0, "{seconds}: {grid:?}");
        assert_eq!(grid.edges().len() as u64, grid.bars() + 1);
    }
    assert_eq!((grid(3_600).step_seconds, grid(86_400).step_seconds, grid(604_800).step_seconds), (300, 7_200, 86_400));
}

#[test]
fn a_stretch_narrows_the_list_and_a_span_widens_it_again() {
    let filter = EventFilter::parse_in("severity:error since:24h", clock().now, clock().offset);
    let filter = filter.unwrap_or_else(|e| panic!("{e}"));
    let wanted = Wanted::new(&filter, Span::Week, clock());
    let grid = Grid::over(filter.since().unwrap_or_default(), clock().now, &clock());
    let mut bars = vec![Bar::default(); usize::try_from(grid.bars()).unwrap_or(0)];
    (bars[0], bars[5]) = (Bar { count: 1, trouble: 1 }, Bar { count: 1_200, trouble: 0 });
    let drawn = wanted.drawn(&Counted { grid, bars, complete: false });
    // The first stretch begins before the filter does.
    let hrefs: Vec<Option<&str>> = drawn.stretches.iter().take(3).map(|s| s.href.as_deref()).collect();
    assert_eq!(
        hrefs,
        [
            Some("/swarm/events?q=severity:error%20since:24h%20until:2026-11-20T20:00"),
            Some("/swarm/events?q=severity:error%20since:2026-11-20T20:00%20until:2026-11-20T22:00"),
            None,
        ]
    );
    assert_eq!(drawn.stretches[0].label, "20 Nov 18:00 to 20 Nov 20:00: 1 event, 1 of trouble");
    assert_eq!(
        drawn.label,
        "1,201 events that fit in this time, 1 of them a warning or an error. Only the newest of them were counted."
    );
    assert_eq!(
        (drawn.axis.first().map(String::as_str), drawn.axis.last().map(String::as_str)),
        (Some("20 Nov 18:00"), Some("now"))
    );
    let spans: Vec<(&str, bool)> = drawn.spans.iter().map(|c| (c.href.as_str(), c.current)).collect();
    assert_eq!(spans[0], ("/swarm/events?q=severity:error&span=1h", false));
    assert_eq!(spans[1], ("/swarm/events?q=severity:error", false));
}

#[test]
fn a_tally_moves_on_with_its_grid_and_forgets_what_left() {
    let before = grid(3_600);
    let later = Grid { from: before.edge(before.bars_each), ..before };
    let bars: Vec<Bar> = (0..before.bars()).map(|count| Bar { count, trouble: 0 }).collect();
    let tally = Tally { filter: String::new(), grid: before, bars, complete: true, to: 9, made: clock().now };
    let moved = tally.clone().moved(later).unwrap_or_else(|| panic!("the same grid"));
    assert_eq!((moved.bars[0].count, moved.bars.len() as u64), (before.bars_each, before.bars()));
    assert_eq!(moved.bars.last(), Some(&Bar::default()));
    assert!(tally.clone().moved(grid(86_400)).is_none());
    assert!(Tally { grid: later, ..tally }.moved(before).is_none(), "time does not run backwards");
    let tallies = Tallies::default();
    for n in 0..=TALLIES_MAX {
        tallies.keep(Tally { filter: n.to_string(), ..moved.clone() });
    }
    assert!(tallies.take("0", clock().now).is_none() && tallies.take("8", clock().now).is_some());
    assert!(tallies.take("7", clock().now.plus(Duration::from_secs(TALLY_SECONDS_MAX))).is_none());
}
