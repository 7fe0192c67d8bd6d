//! Metrics as Prometheus reads them: the text format, version 0.0.4.

use std::fmt::{Display, Write};

use timmy_domain::tally::Spread;

use super::families::Family;

/// The type of the answer.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics in the making.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
    /// The family whose head stands last.
    last: &'static str,
}

impl Text {
    /// The page.
    #[must_use]
    pub fn finish(self) -> String {
        self.out
    }

    /// Writes the head of `family`, once. All samples of a family follow each other, as the format wants it.
    fn head(&mut self, family: &'static Family) {
        if self.last == family.name {
            return;
        }
        self.last = family.name;
        let help = family.help.replace('\\', r"\\").replace('\n', r"\n");
        let (name, kind) = (family.name, family.kind.name());
        // Writing to a text cannot fail.
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample; `values` are those of the labels, in their order.
    pub fn sample(&mut self, family: &'static Family, values: &[&str], number: impl Display) {
        self.head(family);
        self.line(family, "", values, None, number);
    }

    /// A sample that is there only when its figure is.
    pub fn maybe(&mut self, family: &'static Family, values: &[&str], number: Option<impl Display>) {
        if let Some(number) = number {
            self.sample(family, values, number);
        }
    }

    /// A histogram with all its classes.
    pub fn spread(&mut self, family: &'static Family, values: &[&str], spread: &Spread) {
        self.head(family);
        for (bound, count) in &spread.upto {
            self.line(family, "_bucket", values, Some(&bound.to_string()), count);
        }
        self.line(family, "_bucket", values, Some("+Inf"), spread.count);
        self.line(family, "_sum", values, None, spread.sum_seconds);
        self.line(family, "_count", values, None, spread.count);
    }

    fn line(&mut self, family: &Family, suffix: &str, values: &[&str], le: Option<&str>, number: impl Display) {
        debug_assert_eq!(family.labels.len(), values.len(), "{} has other labels", family.name);
        let pairs = family.labels.iter().copied().zip(values.iter().copied()).chain(le.map(|le| ("le", le)));
        let mut mark = '{';
        let _ = write!(self.out, "{}{suffix}", family.name);
        for (label, value) in pairs {
            let _ = write!(self.out, "{mark}{label}=\"");
            self.escape(value);
            self.out.push('"');
            mark = ',';
        }
        let close = if mark == ',' { "}" } else { "" };
        let _ = writeln!(self.out, "{close} {number}");
    }

    /// The value of a label: a backslash, a quote and a line break are written with a backslash before them.
    fn escape(&mut self, value: &str) {
        for c in value.chars() {
            match c {
                '\\' => self.out.push_str(r"\\"),
                '"' => self.out.push_str("\\\""),
                '\n' => self.out.push_str(r"\n"),
                c => self.out.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::families::Kind;

    const ODD: &Family =
        &Family { name: "odd_total", kind: Kind::Counter, labels: &["a", "b"], help: "A \\ and\na line." };
    const TOOK: &Family = &Family { name: "took_seconds", kind: Kind::Histogram, labels: &[], help: "Time." };

    #[test]
    fn heads_stand_once_and_text_from_settings_is_escaped() {
        let mut text = Text::default();
        text.sample(ODD, &["x\"y\\z\n", "1"], 7);
        text.sample(ODD, &["", "2"], 8.5);
        text.maybe(ODD, &["", "3"], None::<u64>);
        let expected = "# HELP odd_total A \\\\ and\\na line.\n# TYPE odd_total counter\n\
             odd_total{a=\"x\\\"y\\\\z\\n\",b=\"1\"} 7\nodd_total{a=\"\",b=\"2\"} 8.5\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_histogram_has_growing_classes_and_ends_with_the_whole() {
        let mut text = Text::default();
        text.spread(TOOK, &[], &Spread { upto: vec![(0.0001, 1), (2.5, 3)], count: 4, sum_seconds: 9.25 });
        let expected = "# HELP took_seconds Time.\n# TYPE took_seconds histogram\n\
             took_seconds_bucket{le=\"0.0001\"} 1\ntook_seconds_bucket{le=\"2.5\"} 3\n\
             took_seconds_bucket{le=\"+Inf\"} 4\ntook_seconds_sum 9.25\ntook_seconds_count 4\n";
        assert_eq!(text.finish(), expected);
    }
}
