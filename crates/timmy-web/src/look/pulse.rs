//! The Pulse: sixty minutes as sixty bars, then the state and the current act in words.

use askama::Template;
use timmy_domain::Life;

use super::{State, Tone, asset, icon};

/// Minutes the Pulse shows.
pub const PULSE_MINUTES: usize = 60;
/// The tallest bar, in steps.
pub const BAR_STEPS_MAX: u8 = 10;

/// One minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// How much happened, 0 to [`BAR_STEPS_MAX`].
    pub height: u8,
    /// The worst state of the minute.
    pub tone: Tone,
    /// Whether Timmy asked the owner something in it.
    pub spark: bool,
}

/// The last sixty minutes, earliest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// One bar a minute.
    pub bars: [Bar; PULSE_MINUTES],
    /// The whole in one sentence, for those who do not see it.
    pub label: String,
    /// Times below the tall drawing from left to right, the last one being now.
    pub axis: Vec<String>,
}

/// A bar ready to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Left edge, as a percentage.
    pub x: String,
    /// Top, in pixels.
    pub y: u8,
    /// Height, in pixels.
    pub height: u8,
    /// Where the spark stands, in pixels, when there is one.
    pub spark: Option<u8>,
    /// The class.
    pub class: &'static str,
}

/// `at` of `of` as a percentage with two decimals.
pub(super) fn percent(at: usize, of: usize) -> String {
    let hundredths = at * 10_000 / of.max(1);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

impl Pulse {
    /// Nothing happened.
    #[must_use]
    pub fn quiet() -> Self {
        Self { bars: [Bar::default(); PULSE_MINUTES], label: "Last 60 minutes: quiet.".to_owned(), axis: Vec::new() }
    }

    /// The bars for a drawing `tall` pixels high; 8 of them are kept free on top for sparks. A minute in which nothing
    /// happened has none: one dashed line stands for all of those.
    #[must_use]
    pub fn drawn(&self, tall: u8) -> Vec<Drawn> {
        let room = u16::from(tall.saturating_sub(8));
        let bar = |(at, bar): (usize, &Bar)| {
            if bar.height == 0 && !bar.spark {
                return None;
            }
            let steps = u16::from(bar.height.min(BAR_STEPS_MAX));
            let height = u8::try_from(steps * room / u16::from(BAR_STEPS_MAX)).unwrap_or(0).max(2);
            let y = tall.saturating_sub(height);
            Some(Drawn {
                x: percent(at, PULSE_MINUTES),
                y,
                height,
                spark: bar.spark.then(|| y.saturating_sub(4)),
                class: bar.tone.name(),
            })
        };
        self.bars.iter().enumerate().filter_map(bar).collect()
    }
}

/// What Timmy is and does at this moment; stands on every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// The state.
    pub life: Life,
    /// What Timmy does, in words, without a full stop.
    pub act: String,
    /// A detail beside the state, such as how long the act has run; may be empty.
    pub aside: String,
    /// The page that tells why, such as the event that led here.
    pub why: Option<String>,
    /// How many things wait for the owner.
    pub waiting: usize,
    /// The last sixty minutes.
    pub pulse: Pulse,
}

impl Now {
    /// The state as shape, word and tone.
    #[must_use]
    pub fn state(&self) -> State {
        State::of_life(self.life)
    }

    /// The address of the small icon of the tab for this state.
    #[must_use]
    pub fn favicon(&self) -> &'static str {
        match self.life {
            Life::Idle => asset("state-idle.svg"),
            Life::Thinking => asset("state-thinking.svg"),
            Life::Working => asset("state-working.svg"),
            Life::Waiting => asset("state-waiting.svg"),
            Life::Degraded => asset("state-degraded.svg"),
        }
    }
}

/// The Pulse alone, as a fragment: `GET /pulse`, and `GET /pulse?hero=1` for Home.
#[derive(Template)]
#[template(path = "parts/pulse.html")]
pub struct PulsePart {
    /// What Timmy is and does.
    pub now: Now,
    /// Whether it is the tall one of Home.
    pub hero: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_line_and_leave_room_for_sparks() {
        let mut pulse = Pulse::quiet();
        pulse.bars[0] = Bar { height: 10, tone: Tone::Voice, spark: false };
        pulse.bars[59] = Bar { height: 200, tone: Tone::Ember, spark: true };
        let drawn = pulse.drawn(24);
        assert_eq!(drawn.len(), 2, "quiet minutes have no bar");
        assert!(drawn.iter().all(|bar| bar.y + bar.height == 24));
        assert_eq!((drawn[0].y, drawn[0].class), (8, "voice"));
        assert_eq!(drawn[1].spark, Some(4));
        assert_eq!(drawn[1].x, "98.33%");
    }
}
