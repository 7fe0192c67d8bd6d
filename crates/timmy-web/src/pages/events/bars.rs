//! The histogram above the log: which stretch of time is drawn, in how many bars, and what they count.
//!
//! A look at the page must not count a million rows each time. What was counted is remembered for each filter, and
//! only what the log has grown by since is counted anew.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use timmy_domain::filter::{EventFilter, Key, Moment, Token};
use timmy_domain::text::plural;
use timmy_domain::{Record, Seq, Severity, Timestamp};
use timmy_store::{EVENTS_LIMIT_MAX, EventQuery, Reader, StoreError};

use super::narrow::query;
use crate::look::filter::{self, address};
use crate::look::histogram::{Bar, Histogram, Stretch};
use crate::look::{Choice, Clock, words};

/// Stretches that are drawn at most: each is a link that a thumb can hit on a narrow phone.
const STRETCHES_MAX: u64 = 14;
/// How long a stretch may be, in seconds, and how many bars it has.
const STEPS: [(u64, u64); 18] = [
    (5, 5),
    (10, 5),
    (15, 5),
    (30, 5),
    (60, 4),
    (120, 4),
    (300, 5),
    (600, 5),
    (900, 3),
    (1_800, 3),
    (3_600, 4),
    (7_200, 4),
    (10_800, 3),
    (21_600, 3),
    (43_200, 4),
    (86_400, 4),
    (172_800, 4),
    (604_800, 4),
];
/// Rows that are looked at for one histogram.
const SCAN_ROWS_MAX: usize = 1_000_000;
/// Rows that are looked at when each of them is searched for words, which takes far longer.
const SEARCH_ROWS_MAX: usize = 100_000;
/// Events since the last look that are read one by one; for more of them the log is counted anew from there.
const NEWS_ROWS_MAX: Seq = 1_000;
/// Filters whose counts are remembered.
const TALLIES_MAX: usize = 8;
/// How long counts are remembered, in seconds: retention takes rows away meanwhile.
const TALLY_SECONDS_MAX: u64 = 600;

/// How much of the past is drawn when the filter names no time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// The last hour.
    Hour,
    /// The last day.
    #[default]
    Day,
    /// The last seven days.
    Week,
    /// All there is.
    All,
}

impl Span {
    const EACH: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::All];

    /// The span as the address says it; anything else is the last day.
    #[must_use]
    pub fn of(said: Option<&str>) -> Self {
        Self::EACH.into_iter().find(|span| Some(span.name()) == said).unwrap_or_default()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::All => "all",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Hour => "1 h",
            Self::Day => "24 h",
            Self::Week => "7 d",
            Self::All => "All",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Hour => "in the last hour",
            Self::Day => "in the last 24 hours",
            Self::Week => "in the last 7 days",
            Self::All => "in all",
        }
    }

    const fn back(self) -> Option<Duration> {
        match self {
            Self::Hour => Some(Duration::from_secs(3_600)),
            Self::Day => Some(Duration::from_secs(86_400)),
            Self::Week => Some(Duration::from_secs(604_800)),
            Self::All => None,
        }
    }
}

/// The stretches that are drawn: equally long, on round times of the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    from: Timestamp,
    step_seconds: u64,
    bars_each: u64,
    stretches: u64,
}

impl Grid {
    /// The stretches that cover `from` to `to`.
    fn over(from: Timestamp, to: Timestamp, clock: &Clock) -> Self {
        let seconds = to.since(from).as_secs().max(1);
        let fits = |step: u64| seconds.div_ceil(step) < STRETCHES_MAX;
        let found = STEPS.into_iter().find(|(step, _)| fits(*step));
        // A log that spans years: whole weeks, as many as it takes.
        let weeks = || (seconds.div_ceil(604_800 * (STRETCHES_MAX - 1)) * 604_800, 4);
        let (step_seconds, bars_each) = found.unwrap_or_else(weeks);
        let step = i64::try_from(step_seconds).unwrap_or(i64::MAX / 2);
        let local = from.unix_seconds().saturating_add(i64::from(clock.offset.whole_seconds()));
        let round = local.div_euclid(step).saturating_mul(step) - i64::from(clock.offset.whole_seconds());
        let from = Timestamp::from_micros(round.saturating_mul(1_000_000));
        let stretches = to.since(from).as_secs().div_ceil(step_seconds).clamp(1, STRETCHES_MAX);
        Self { from, step_seconds, bars_each, stretches }
    }

    fn bars(&self) -> u64 {
        self.stretches * self.bars_each
    }

    /// The edge after `bars` bars.
    fn edge(&self, bars: u64) -> Timestamp {
        self.from.plus(Duration::from_micros(bars * self.step_seconds * 1_000_000 / self.bars_each))
    }

    fn edges(&self) -> Vec<Timestamp> {
        (0..=self.bars()).map(|bar| self.edge(bar)).collect()
    }
}

/// What was counted for one filter.
#[derive(Clone, Debug)]
struct Tally {
    filter: String,
    grid: Grid,
    bars: Vec<Bar>,
    complete: bool,
    /// The last position that was counted.
    to: Seq,
    made: Timestamp,
}

impl Tally {
    /// The same counts on a grid that has moved on; `None` when it is another one.
    fn moved(mut self, grid: Grid) -> Option<Self> {
        let like = (self.grid.step_seconds, self.grid.bars_each) == (grid.step_seconds, grid.bars_each);
        if !like || grid.from < self.grid.from {
            return None;
        }
        let gone = grid.from.since(self.grid.from).as_secs() / grid.step_seconds * grid.bars_each;
        self.bars.drain(..usize::try_from(gone).unwrap_or(usize::MAX).min(self.bars.len()));
        self.bars.resize(usize::try_from(grid.bars()).ok()?, Bar::default());
        Some(Self { grid, ..self })
    }
}

impl Tally {
    /// Counts one event more.
    fn take(&mut self, record: &Record) {
        let micros = record.at.micros().saturating_sub(self.grid.from.micros());
        let width = self.grid.step_seconds.saturating_mul(1_000_000) / self.grid.bars_each;
        let at = u64::try_from(micros).ok().map(|micros| micros / width.max(1));
        let bar = at.and_then(|at| usize::try_from(at).ok()).and_then(|at| self.bars.get_mut(at));
        if let Some(bar) = bar {
            bar.count += 1;
            bar.trouble += u64::from(record.severity >= Severity::Warning);
        }
    }
}

/// What was counted, for a few filters.
#[derive(Debug, Default)]
pub struct Tallies(Mutex<Vec<Tally>>);

impl Tallies {
    /// Whether the histogram of `filter` over `span` needs no more than a look at what is new.
    #[must_use]
    pub fn know(&self, filter: &EventFilter, span: Span, now: Timestamp) -> bool {
        let name = name_of(filter, span);
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().any(|tally| tally.filter == name && now.since(tally.made).as_secs() < TALLY_SECONDS_MAX)
    }

    fn take(&self, filter: &str, now: Timestamp) -> Option<Tally> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|tally| now.since(tally.made).as_secs() < TALLY_SECONDS_MAX);
        let at = all.iter().position(|tally| tally.filter == filter)?;
        Some(all.remove(at))
    }

    fn keep(&self, tally: Tally) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.filter != tally.filter);
        all.insert(0, tally);
        all.truncate(TALLIES_MAX);
    }
}

/// What is to be drawn, before the store was asked.
#[derive(Clone, Debug)]
pub struct Wanted {
    filter: EventFilter,
    span: Span,
    clock: Clock,
}

/// What is drawn, after it was.
#[derive(Debug)]
pub struct Counted {
    grid: Grid,
    bars: Vec<Bar>,
    complete: bool,
}

impl Wanted {
    /// The histogram of what `filter` wants.
    #[must_use]
    pub fn new(filter: &EventFilter, span: Span, clock: Clock) -> Self {
        Self { filter: filter.clone(), span, clock }
    }

    /// Counts what is not yet counted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn count(&self, tallies: &Tallies, r: &Reader<'_>) -> Result<Counted, StoreError> {
        let now = self.clock.now;
        let (since, until) = (self.filter.since(), self.filter.until());
        let timed = since.is_some() || until.is_some();
        let back = if timed { None } else { self.span.back() };
        let from = match since.or_else(|| back.map(|back| now.minus(back))) {
            Some(from) => from,
            None => first(r)?.unwrap_or(now),
        };
        let grid = Grid::over(from, until.map_or(now, |until| until.min(now)).max(from), &self.clock);
        let name = name_of(&self.filter, self.span);
        let last = r.last_seq()?;
        // A window that moves takes rows away at its beginning, which no tally knows of.
        let known = if timed { None } else { tallies.take(&name, now).and_then(|tally| tally.moved(grid)) };
        let mut tally = known.filter(|tally| tally.to <= last).unwrap_or_else(|| Tally {
            filter: name,
            grid,
            bars: vec![Bar::default(); usize::try_from(grid.bars()).unwrap_or(0)],
            complete: true,
            to: 0,
            made: now,
        });
        self.add(&mut tally, last, r)?;
        let counted = Counted { grid, bars: tally.bars.clone(), complete: tally.complete };
        if !timed {
            tallies.keep(tally);
        }
        Ok(counted)
    }

    /// Adds what lies behind the tally.
    fn add(&self, tally: &mut Tally, last: Seq, r: &Reader<'_>) -> Result<(), StoreError> {
        if tally.to >= last {
            return Ok(());
        }
        let mut query = query(&self.filter);
        query.after = Some(query.after.unwrap_or(0).max(tally.to));
        query.before = Some(query.before.unwrap_or(Seq::MAX).min(last.saturating_add(1)));
        if tally.to > 0 && last - tally.to <= NEWS_ROWS_MAX {
            query.limit = EVENTS_LIMIT_MAX;
            for record in r.events(&query)? {
                tally.take(&record);
            }
            tally.to = last;
            return Ok(());
        }
        let rows_max = if query.texts.is_empty() { SCAN_ROWS_MAX } else { SEARCH_ROWS_MAX };
        let edges = tally.grid.edges();
        let all = r.event_counts(&query, &edges, rows_max)?;
        let severe = query.severity_min.is_some_and(|severity| severity >= Severity::Warning);
        let bad = if severe {
            all.clone()
        } else {
            let query = EventQuery { severity_min: Some(Severity::Warning), ..query };
            r.event_counts(&query, &edges, rows_max)?
        };
        for ((bar, count), trouble) in tally.bars.iter_mut().zip(&all.counts).zip(&bad.counts) {
            bar.count += count;
            bar.trouble += trouble.min(count);
        }
        tally.complete &= all.complete && bad.complete;
        tally.to = last;
        Ok(())
    }

    /// The histogram as it is drawn.
    #[must_use]
    pub fn drawn(&self, counted: &Counted) -> Histogram {
        let timed = self.filter.since().is_some() || self.filter.until().is_some();
        let total = counted.bars.iter().map(|bar| bar.count).sum::<u64>();
        let trouble = counted.bars.iter().map(|bar| bar.trouble).sum::<u64>();
        let when = if timed { "in this time" } else { self.span.words() };
        let of = if self.filter.is_empty() { "" } else { " that fit" };
        let many = if total == 1 { "event" } else { "events" };
        let bad = match trouble {
            0 if total == 0 => String::new(),
            0 => ", none of them a warning".to_owned(),
            n => format!(
                ", {} of them {}",
                words::count(n),
                if n == 1 { "a warning or an error" } else { "warnings or errors" }
            ),
        };
        let partly = if counted.complete { "" } else { " Only the newest of them were counted." };
        Histogram {
            stretches: self.stretches(counted),
            label: format!("{} {many}{of} {when}{bad}.{partly}", words::count(total)),
            axis: self.axis(&counted.grid),
            spans: self.spans(timed),
            bars: counted.bars.clone(),
        }
    }

    fn stretches(&self, counted: &Counted) -> Vec<Stretch> {
        let Grid { step_seconds: step, bars_each, stretches, .. } = counted.grid;
        let each = usize::try_from(bars_each).unwrap_or(1).max(1);
        let stretch = |(at, bars): (u64, &[Bar])| {
            let (from, to) = (counted.grid.edge(at * bars_each), counted.grid.edge((at + 1) * bars_each));
            let count = bars.iter().map(|bar| bar.count).sum::<u64>();
            let trouble = bars.iter().map(|bar| bar.trouble).sum::<u64>();
            let mut label = format!(
                "{} to {}: {}",
                self.clock.edge(from, step),
                self.clock.edge(to, step),
                plural(count, "event", "events")
            );
            if trouble > 0 {
                label.push_str(&format!(", {} of trouble", words::count(trouble)));
            }
            let href = (count > 0).then(|| address(&self.between(from, to)));
            Stretch { label, href }
        };
        (0..stretches).zip(counted.bars.chunks(each)).map(stretch).collect()
    }

    /// The filter narrowed to a stretch, which never reaches beyond what it was narrowed to before.
    fn between(&self, from: Timestamp, to: Timestamp) -> EventFilter {
        let mut filter = self.filter.clone();
        if self.filter.since().is_none_or(|since| since < from) {
            filter = filter.with(Token::Since(Moment::of(from, self.clock.offset)));
        }
        if self.filter.until().is_none_or(|until| until > to) {
            filter = filter.with(Token::Until(Moment::of(to, self.clock.offset)));
        }
        filter
    }

    /// Times below the first edge, the last one, and some between.
    fn axis(&self, grid: &Grid) -> Vec<String> {
        let marks = grid.stretches.clamp(1, 4);
        let seconds = grid.stretches * grid.step_seconds;
        let text = |mark: u64| {
            // The marks stand at equal distances, so they say exactly what time lies there.
            let at = grid.from.plus(Duration::from_secs(seconds * mark / marks));
            if mark == marks && at >= self.clock.now {
                "now".to_owned()
            } else {
                self.clock.edge(at, grid.step_seconds)
            }
        };
        (0..=marks).map(text).collect()
    }

    fn spans(&self, timed: bool) -> Vec<Choice> {
        let open = self.filter.without_keys(&[Key::Since, Key::Until]);
        let query = filter::query(&open);
        let choice = |span: Span| {
            let own = if span == Span::default() { String::new() } else { format!("span={}", span.name()) };
            let parts: Vec<&str> = [query.as_str(), own.as_str()].into_iter().filter(|p| !p.is_empty()).collect();
            let rest = if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) };
            let current = !timed && span == self.span;
            Choice { label: span.label().to_owned(), href: format!("/swarm/events{rest}"), count: None, current }
        };
        Span::EACH.into_iter().map(choice).collect()
    }
}

/// What counts are remembered by.
fn name_of(filter: &EventFilter, span: Span) -> String {
    format!("{} {filter}", span.name())
}

/// When the log begins.
fn first(r: &Reader<'_>) -> Result<Option<Timestamp>, StoreError> {
    let oldest = EventQuery { limit: 1, ..EventQuery::default() };
    Ok(r.events(&oldest)?.first().map(|record| record.at))
}

#[cfg(test)]
mod tests;
