//! Risk: what an act may do, and how much of that speaks for asking first, in words a person can check.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of act a tool is, mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RiskClass {
    /// Looks at what Timmy may look at.
    Read,
    /// Computes; touches nothing.
    Compute,
    /// Writes within Timmy's own working folder or to his own lists.
    WriteOwn,
    /// Writes within a folder the owner granted.
    WriteGranted,
    /// Runs a program.
    Execute,
    /// Reads from the network.
    NetworkRead,
    /// Sends something to somebody.
    NetworkWrite,
    /// Spends money.
    Spend,
    /// Changes what Timmy may do, or Timmy himself.
    Governance,
}

impl RiskClass {
    /// All of them, mildest first.
    pub const ALL: [Self; 9] = [
        Self::Read,
        Self::Compute,
        Self::WriteOwn,
        Self::WriteGranted,
        Self::Execute,
        Self::NetworkRead,
        Self::NetworkWrite,
        Self::Spend,
        Self::Governance,
    ];

    /// The wire and storage word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Compute => "compute",
            Self::WriteOwn => "write_own",
            Self::WriteGranted => "write_granted",
            Self::Execute => "execute",
            Self::NetworkRead => "network_read",
            Self::NetworkWrite => "network_write",
            Self::Spend => "spend",
            Self::Governance => "governance",
        }
    }

    /// What it does, for people.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Compute => "computes",
            Self::WriteOwn => "writes in Timmy's own place",
            Self::WriteGranted => "writes in a folder you granted",
            Self::Execute => "runs a program",
            Self::NetworkRead => "reads from the network",
            Self::NetworkWrite => "sends to the network",
            Self::Spend => "spends money",
            Self::Governance => "changes what Timmy may do",
        }
    }
}

impl fmt::Display for RiskClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a score asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Below 20: done, and written down.
    Quiet,
    /// 20 to 49: done, with a time to undo it and a line in the digest.
    Undoable,
    /// 50 to 79: asked for.
    Ask,
    /// 80 and more: asked for, with the password and a time to cool down.
    StepUp,
}

impl Band {
    /// The band of a score from 0 to 100.
    #[must_use]
    pub const fn of(score: u8) -> Self {
        match score {
            0..20 => Self::Quiet,
            20..50 => Self::Undoable,
            50..80 => Self::Ask,
            _ => Self::StepUp,
        }
    }

    /// The wire word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Undoable => "undoable",
            Self::Ask => "ask",
            Self::StepUp => "step_up",
        }
    }
}

/// One reason for a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// A stable word for programs, such as `irreversible`.
    pub name: String,
    /// The reason in words, with what it was found in.
    pub words: String,
    /// How much it weighs by itself, from 0 to 1.
    pub weight: f64,
    /// Its part of the score, in points; all parts together make the score before mitigation.
    pub points: f64,
}

/// How risky something is, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Assessment {
    /// From 0 to 100.
    pub score: u8,
    /// What the score asks for.
    pub band: Band,
    /// Why, the heaviest reason first.
    pub factors: Vec<Factor>,
    /// What makes it milder, in words.
    #[serde(default)]
    pub mitigations: Vec<String>,
    /// The rule of the hard floor that forbids deciding this by a rule; `None` when there is none.
    #[serde(default)]
    pub floor: Option<String>,
}

impl Assessment {
    /// An assessment whose reason is a single sentence, for what is asked without a plan: `score` is bounded to 100.
    #[must_use]
    pub fn plain(score: u8, name: &str, words: impl Into<String>) -> Self {
        let score = score.min(100);
        let points = f64::from(score);
        let factor = Factor { name: name.to_owned(), words: words.into(), weight: points / 100.0, points };
        Self { score, band: Band::of(score), factors: vec![factor], mitigations: Vec::new(), floor: None }
    }

    /// What a stored assessment reads as that this version cannot read: the most careful one.
    #[must_use]
    pub fn unreadable() -> Self {
        Self::plain(100, "unreadable", "this version cannot read how the risk was judged")
    }
}

/// One reason that was found, before it is weighed.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// Which reason.
    pub reason: Reason,
    /// How much of it there is, from 0 to 1.
    pub amount: f64,
    /// What it was found in, in words.
    pub words: String,
}

macro_rules! reasons {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal, $weight:literal; )*) => {
        /// The reasons there are, each with its weight: the chance that it alone would make somebody regret the act.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $( $(#[doc = $doc])+ $variant, )* }

        impl Reason {
            /// All of them.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )*];

            /// A stable word for programs.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )* }
            }

            /// From 0 to 1.
            #[must_use]
            pub const fn weight(self) -> f64 {
                match self { $( Self::$variant => $weight, )* }
            }

            /// What it means, in words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => [$($doc),+][0], )* }
            }
        }
    };
}

reasons! {
    /// It cannot be taken back.
    Irreversible = "irreversible", 0.60;
    /// It changes something outside Timmy's own place.
    Outside = "outside_effect", 0.45;
    /// It touches secrets or proofs of identity.
    Secrets = "secrets", 0.70;
    /// It touches what governs Timmy, or his own source.
    Governance = "governance", 0.70;
    /// It runs code that nobody has looked at.
    NewCode = "new_code", 0.50;
    /// It speaks to a host for the first time.
    NewHost = "new_host", 0.40;
    /// Text from outside had a part in it.
    Tainted = "tainted", 0.45;
    /// It takes more rights than Timmy has.
    Privilege = "privilege", 0.80;
    /// It spends more than the limit.
    OverLimit = "over_limit", 0.60;
    /// It touches many files.
    BlastRadius = "blast_radius", 0.35;
    /// It is done while you usually sleep.
    OffHours = "off_hours", 0.10;
    /// It was never done before.
    Novel = "novel", 0.25;
    /// It is spelt so that it looks like something else.
    Disguised = "disguised", 0.70;
}

impl Reason {
    /// The signal that this was found, in full, in `words`.
    pub fn found(self, words: impl Into<String>) -> Signal {
        Signal { reason: self, amount: 1.0, words: words.into() }
    }
}

/// What makes an act milder, and by which factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mitigation {
    /// It runs in the strongest sandbox.
    Sandboxed,
    /// It can be undone.
    Undoable,
    /// The owner said yes to exactly this at least five times and regretted none.
    Familiar,
}

impl Mitigation {
    /// What the score is multiplied by.
    #[must_use]
    pub const fn factor(self) -> f64 {
        match self {
            Self::Sandboxed => 0.6,
            Self::Undoable | Self::Familiar => 0.7,
        }
    }

    /// What it means, in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Sandboxed => "it runs in the strongest sandbox",
            Self::Undoable => "it can be undone",
            Self::Familiar => "you said yes to exactly this five times or more and regretted none",
        }
    }
}

/// The score of `signals`: `100 · (1 − Π(1 − wᵢxᵢ))`, a noisy-or, so that no reason hides another and each makes it
/// worse. A reason counts once, with its largest amount. Mitigations multiply the score, and are not applied where the
/// hard `floor` asks anyway.
#[must_use]
pub fn assess(signals: &[Signal], mitigations: &[Mitigation], floor: Option<String>) -> Assessment {
    let mut each: Vec<&Signal> = Vec::new();
    for signal in signals {
        match each.iter_mut().find(|known| known.reason == signal.reason) {
            Some(known) if known.amount < signal.amount => *known = signal,
            Some(_) => {}
            None => each.push(signal),
        }
    }
    let weight = |signal: &Signal| (signal.reason.weight() * signal.amount.clamp(0.0, 1.0)).clamp(0.0, 0.99);
    let safe: f64 = each.iter().map(|signal| 1.0 - weight(signal)).product();
    let raw = 100.0 * (1.0 - safe);
    let all_logs = safe.ln();
    let mut factors: Vec<Factor> = each
        .iter()
        .map(|signal| Factor {
            name: signal.reason.name().to_owned(),
            words: format!("{} ({})", signal.reason.meaning().trim().trim_end_matches('.'), signal.words),
            weight: weight(signal),
            points: if all_logs < 0.0 { round(raw * (1.0 - weight(signal)).ln() / all_logs) } else { 0.0 },
        })
        .collect();
    factors.sort_by(|a, b| b.points.total_cmp(&a.points));
    let applied = if floor.is_some() { &[] } else { mitigations };
    let score = applied.iter().fold(raw, |score, mitigation| score * mitigation.factor());
    // Between 0 and 100 by construction; what is always asked for is never shown as harmless.
    let score = (score.round().clamp(0.0, 100.0) as u8).max(if floor.is_some() { 50 } else { 0 });
    Assessment {
        score,
        band: Band::of(score),
        factors,
        mitigations: applied.iter().map(|mitigation| mitigation.words().to_owned()).collect(),
        floor,
    }
}

fn round(points: f64) -> f64 {
    (points * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_grows_with_every_reason_and_the_parts_make_the_whole() {
        let mut signals = Vec::new();
        let mut before = 0;
        for reason in Reason::ALL {
            signals.push(reason.found("x"));
            let now = assess(&signals, &[], None);
            assert!(now.score >= before, "{reason:?}");
            let sum: f64 = now.factors.iter().map(|factor| factor.points).sum();
            assert!((sum - f64::from(now.score)).abs() < 1.5, "{sum} {}", now.score);
            before = now.score;
        }
        assert_eq!(assess(&[Reason::Irreversible.found("x")], &[], None).score, 60);
        let both = [Reason::Irreversible.found("x"), Reason::Outside.found("y")];
        assert_eq!(assess(&both, &[], None).score, 78);
        assert_eq!(assess(&[both[0].clone(), both[0].clone()], &[], None).score, 60, "a reason counts once");
    }

    #[test]
    fn mitigations_never_soften_the_floor() {
        let signals = [Reason::Privilege.found("sudo")];
        let all = [Mitigation::Sandboxed, Mitigation::Undoable, Mitigation::Familiar];
        assert_eq!(assess(&signals, &all, None).score, 24);
        let floored = assess(&signals, &all, Some("rights".into()));
        assert_eq!((floored.score, floored.mitigations.len()), (80, 0));
        assert_eq!(assess(&[], &[], Some("x".into())).band, Band::Ask);
    }

    #[test]
    fn the_bands_begin_where_the_design_says() {
        let at = |score| Band::of(score);
        assert_eq!([at(0), at(19), at(20), at(49)], [Band::Quiet, Band::Quiet, Band::Undoable, Band::Undoable]);
        assert_eq!([at(50), at(79), at(80), at(100)], [Band::Ask, Band::Ask, Band::StepUp, Band::StepUp]);
    }
}
