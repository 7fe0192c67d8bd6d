//! A strict reader of the Prometheus text format, version 0.0.4, as its specification words it. It shares no line
//! with what writes.

use std::collections::{BTreeMap, BTreeSet};

/// A sample: its name, its labels and its number.
pub type Sample = (String, BTreeMap<String, String>, f64);

/// A family: its kind and its samples.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    pub samples: Vec<Sample>,
}

impl Family {
    /// The sum of the samples with all of these labels.
    pub fn sum(&self, labels: &[(&str, &str)]) -> f64 {
        let fits = |has: &BTreeMap<String, String>| labels.iter().all(|(k, v)| has.get(*k).is_some_and(|x| x == v));
        self.samples.iter().filter(|(_, has, _)| fits(has)).map(|(_, _, n)| n).sum()
    }
}

/// Reads a page; panics with the line that is wrong.
pub fn read(text: &str) -> BTreeMap<String, Family> {
    assert!(text.ends_with('\n'), "the last line ends with a line break");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut helped, mut seen, mut open) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let name = help.split(' ').next().expect("a name").to_owned();
            assert!(helped.insert(name.clone()), "{name} has two HELP lines");
            open = name;
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and a kind");
            assert_eq!(name, open, "TYPE follows HELP");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            let before = families.insert(name.to_owned(), Family { kind: kind.to_owned(), samples: Vec::new() });
            assert!(before.is_none(), "all lines of {name} stand together");
        } else {
            assert!(!line.starts_with('#') && !line.is_empty(), "{line:?}");
            let sample = sample(line);
            let family = families.get_mut(&open).unwrap_or_else(|| panic!("{line:?} has no TYPE"));
            let base = sample.0.strip_prefix(&open).unwrap_or_else(|| panic!("{line:?} stands below {open}"));
            let may = if family.kind == "histogram" { &["_bucket", "_sum", "_count"][..] } else { &[""][..] };
            assert!(may.contains(&base), "{line:?}");
            assert!(seen.insert((sample.0.clone(), sample.1.clone())), "{line:?} stands twice");
            assert!(family.kind == "gauge" || sample.2 >= 0.0, "{line:?} is negative");
            family.samples.push(sample);
        }
    }
    families.values().filter(|f| f.kind == "histogram").for_each(classes);
    families
}

/// Classes of a histogram grow, end with the whole, and agree with the count.
fn classes(family: &Family) {
    let mut of: BTreeMap<BTreeMap<String, String>, Vec<(f64, f64)>> = BTreeMap::new();
    for (name, labels, number) in &family.samples {
        let mut labels = labels.clone();
        if let Some(le) = labels.remove("le") {
            let bound = if le == "+Inf" { f64::INFINITY } else { le.parse().expect("a bound") };
            of.entry(labels).or_default().push((bound, *number));
        } else if name.ends_with("_count") {
            let classes = of.get(&labels).expect("classes before the count");
            assert!(classes.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1), "{classes:?}");
            assert_eq!(classes.last(), Some(&(f64::INFINITY, *number)), "{name} {labels:?}");
        }
    }
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("{line:?}"));
    let (name, mut rest) = line.split_at(end);
    let word = |w: &str| {
        !w.is_empty()
            && w.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !w.starts_with(|c: char| c.is_ascii_digit())
    };
    assert!(word(name), "{line:?}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line:?}"));
            assert!(word(label), "{line:?}");
            let (value, after) = quoted(after).unwrap_or_else(|| panic!("{line:?}"));
            assert!(labels.insert(label.to_owned(), value).is_none(), "{line:?} names a label twice");
            match after.strip_prefix(',') {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix('}').unwrap_or_else(|| panic!("{line:?}"));
                    break;
                }
            }
        }
    }
    let number = rest.strip_prefix(' ').unwrap_or_else(|| panic!("{line:?}"));
    (name.to_owned(), labels, number.parse().unwrap_or_else(|e| panic!("{line:?}: {e}")))
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            c => value.push(c),
        }
    }
    None
}
