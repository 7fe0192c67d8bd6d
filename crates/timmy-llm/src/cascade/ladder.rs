//! Who is asked next: the rungs in order, those that are worth a second try, and reflex at the very end.

use std::time::Duration;

use tokio::time::Instant;

use super::action::Then;
use crate::failure::Failure;

/// What is left of a call, in milliseconds, that a second try must find at least.
const LEFT_MS_MIN: u64 = 250;

/// One model of one provider, as a call may ask it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rung {
    /// Which member of the cascade.
    pub member: usize,
    /// The model it is asked for; `None` for its own.
    pub model: Option<String>,
    /// Why it is not asked at all.
    pub skip: Option<Failure>,
    /// Whether it speaks without a model.
    pub reflex: bool,
    /// Tokens it reads at once, where that is known; 0 otherwise.
    pub context_tokens: u64,
    /// How often this call asked it.
    pub tries: u32,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Asks this rung.
    Ask(usize),
    /// Asks this rung again, at that time.
    Again(usize, Instant),
    /// Passes this rung by.
    Skip(usize, Failure),
    /// Nobody is left.
    Over,
}

/// The rungs of one call.
#[derive(Debug)]
pub struct Ladder {
    rungs: Vec<Rung>,
    at: usize,
    later: Vec<(Instant, usize)>,
    context_min: u64,
    over: bool,
}

impl Ladder {
    /// A ladder of these rungs, reflex last.
    #[must_use]
    pub fn new(rungs: Vec<Rung>) -> Self {
        Self { rungs, at: 0, later: Vec::new(), context_min: 0, over: false }
    }

    /// The rung of this number.
    #[must_use]
    pub fn rung(&self, number: usize) -> Option<&Rung> {
        self.rungs.get(number)
    }

    /// The models above that could still be asked.
    pub fn others(&self) -> impl Iterator<Item = (usize, &Rung)> {
        let above = self.rungs.iter().enumerate().skip(self.at);
        above.filter(|(_, rung)| rung.skip.is_none() && !rung.reflex)
    }

    /// The next step at `now`, of a call that ends at `deadline`.
    pub fn next(&mut self, now: Instant, deadline: Instant) -> Next {
        if self.over {
            return Next::Over;
        }
        if let Some(rung) = self.rungs.get(self.at).filter(|r| !r.reflex) {
            let number = self.at;
            self.at += 1;
            if let Some(why) = &rung.skip {
                return Next::Skip(number, why.clone());
            }
            if self.context_min > 0 && rung.context_tokens > 0 && rung.context_tokens <= self.context_min {
                let what = "its model reads no more than the one before".to_owned();
                return Next::Skip(number, Failure::Unsupported { what });
            }
            return self.ask(number);
        }
        if let Some((at, number)) = self.second_try(now, deadline) {
            self.rungs.get_mut(number).into_iter().for_each(|r| r.tries += 1);
            return Next::Again(number, at);
        }
        let number = self.at;
        self.at += 1;
        if number < self.rungs.len() { self.ask(number) } else { Next::Over }
    }

    /// Takes the next model out of its turn, for a race. Nothing when there is none.
    pub fn take_another(&mut self) -> Option<usize> {
        let number = self.others().next().map(|(n, _)| n).filter(|n| *n == self.at)?;
        self.at += 1;
        self.rungs.get_mut(number).into_iter().for_each(|r| r.tries += 1);
        Some(number)
    }

    /// A rung failed at `now`: what follows from it.
    pub fn failed(&mut self, number: usize, then: Then, now: Instant) {
        match then {
            Then::Next => {}
            Then::NextThenSame(after) => self.later.push((now + after, number)),
            Then::NextLarger => {
                let read = self.rungs.get(number).map_or(0, |r| r.context_tokens);
                self.context_min = self.context_min.max(read);
            }
            Then::Fail => self.over = true,
        }
    }

    fn ask(&mut self, number: usize) -> Next {
        self.rungs.get_mut(number).into_iter().for_each(|r| r.tries += 1);
        Next::Ask(number)
    }

    /// The earliest second try that leaves half of the time for an answer.
    fn second_try(&mut self, now: Instant, deadline: Instant) -> Option<(Instant, usize)> {
        let left = deadline.saturating_duration_since(now);
        let by = now + left / 2;
        let enough = left >= Duration::from_millis(LEFT_MS_MIN);
        self.later.retain(|(at, _)| enough && *at <= by);
        let first = self.later.iter().enumerate().min_by_key(|(_, (at, _))| *at).map(|(n, _)| n)?;
        Some(self.later.swap_remove(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(member: usize) -> Rung {
        Rung { member, model: None, skip: None, reflex: false, context_tokens: 0, tries: 0 }
    }

    #[test]
    fn those_worth_a_second_try_come_after_all_others_and_before_reflex() {
        let now = Instant::now();
        let deadline = now + Duration::from_secs(20);
        let skipped = Rung { skip: Some(Failure::Auth), ..rung(1) };
        let mut ladder = Ladder::new(vec![rung(0), skipped, rung(2), Rung { reflex: true, ..rung(3) }]);
        assert_eq!(ladder.next(now, deadline), Next::Ask(0));
        ladder.failed(0, Then::NextThenSame(Duration::from_secs(7)), now);
        assert_eq!(ladder.next(now, deadline), Next::Skip(1, Failure::Auth));
        assert_eq!(ladder.next(now, deadline), Next::Ask(2));
        ladder.failed(2, Then::NextThenSame(Duration::from_secs(11)), now);
        assert_eq!(ladder.next(now, deadline), Next::Again(0, now + Duration::from_secs(7)));
        ladder.failed(0, Then::Next, now);
        assert_eq!(ladder.next(now, deadline), Next::Ask(3), "11 s would leave less than half of the time");
        assert_eq!(ladder.next(now, deadline), Next::Over);
    }

    #[test]
    fn a_request_that_was_too_long_goes_on_only_to_those_who_read_more() {
        let now = Instant::now();
        let reads = |member, context_tokens| Rung { context_tokens, ..rung(member) };
        let mut ladder = Ladder::new(vec![reads(0, 8_192), reads(1, 4_096), reads(2, 0), reads(3, 131_072)]);
        assert_eq!(ladder.next(now, now), Next::Ask(0));
        ladder.failed(0, Then::NextLarger, now);
        assert!(matches!(ladder.next(now, now), Next::Skip(1, Failure::Unsupported { .. })));
        assert_eq!((ladder.next(now, now), ladder.next(now, now)), (Next::Ask(2), Next::Ask(3)));
        ladder.failed(3, Then::Fail, now);
        assert_eq!(ladder.next(now, now), Next::Over);
    }
}
