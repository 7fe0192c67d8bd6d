//! Bars over time, drawn by the server; each stretch of them is a link that narrows the list to it.

use super::{Choice, pulse};

/// Pixels the tallest bar takes.
const HEIGHT_PX: u64 = 40;
/// Pixels a bar with an event has at least.
const BAR_PX_MIN: u64 = 3;

/// One bar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bar {
    /// Events in it.
    pub count: u64,
    /// Warnings and errors among them.
    pub trouble: u64,
}

/// A few bars together, as a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From when to when, and how many events, in words.
    pub label: String,
    /// The list narrowed to it; `None` when there is nothing in it.
    pub href: Option<String>,
}

/// Bars over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// The bars, earliest first.
    pub bars: Vec<Bar>,
    /// Neighbouring bars as links, from left to right; each has as many bars as the others.
    pub stretches: Vec<Stretch>,
    /// The whole in one sentence.
    pub label: String,
    /// Words below the bars, from left to right.
    pub axis: Vec<String>,
    /// How much of the past is drawn: links.
    pub spans: Vec<Choice>,
}

/// A rectangle ready to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Left edge, as a percentage.
    pub x: String,
    /// Width, as a percentage.
    pub width: String,
    /// Top, in pixels.
    pub y: u64,
    /// Height, in pixels.
    pub height: u64,
    /// What it means.
    pub class: &'static str,
}

impl Histogram {
    /// The rectangles on a drawing of 40 pixels: first all events of a bar, then the trouble among them.
    #[must_use]
    pub fn drawn(&self) -> Vec<Drawn> {
        let tallest = self.bars.iter().map(|bar| bar.count).max().unwrap_or(0).max(1);
        let slices = self.bars.len().max(1);
        let width = format!("{}.{:02}%", 72 / slices, 72 * 100 / slices % 100);
        let mut out = Vec::with_capacity(slices + slices / 4);
        let mut rect = |at: usize, count: u64, class| {
            let height = count.saturating_mul(HEIGHT_PX).div_ceil(tallest).clamp(BAR_PX_MIN, HEIGHT_PX);
            out.push(Drawn {
                x: pulse::percent(at, slices),
                width: width.clone(),
                y: HEIGHT_PX - height,
                height,
                class,
            });
        };
        for (at, bar) in self.bars.iter().enumerate() {
            if bar.count > bar.trouble {
                rect(at, bar.count, "calm");
            }
            if bar.trouble > 0 {
                rect(at, bar.trouble, "warn");
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_on_the_line_and_trouble_stands_in_them() {
        let bar = |count, trouble| Bar { count, trouble };
        let histogram = Histogram {
            bars: vec![bar(0, 0), bar(1, 0), bar(1_000, 250), bar(4, 4)],
            stretches: Vec::new(),
            label: String::new(),
            axis: Vec::new(),
            spans: Vec::new(),
        };
        let drawn = histogram.drawn();
        let seen: Vec<_> = drawn.iter().map(|d| (d.x.as_str(), d.height, d.class)).collect();
        let wanted = [("25.00%", 3, "calm"), ("50.00%", 40, "calm"), ("50.00%", 10, "warn"), ("75.00%", 3, "warn")];
        assert_eq!(seen, wanted);
        assert!(drawn.iter().all(|d| d.y + d.height == 40 && d.width == "18.00%"));
    }
}
