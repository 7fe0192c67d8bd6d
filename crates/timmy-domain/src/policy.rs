//! Policy: whether something may be done at once, is asked for, or is refused. Pure: all that was looked up comes in.
//!
//! The order is fixed: what is refused to everybody, the hard floor, the owner's rules, the strict profile, the score.

pub mod command;
mod find;
pub mod path;
pub mod rule;
pub mod shell;
pub mod show;
pub mod task;

use serde::Serialize;

pub use find::{Findings, find};
use rule::{Rule, matching};

use crate::plan::Plan;
use crate::risk::{Assessment, Band, assess};
use crate::{RuleId, Timestamp};

/// The sandbox tier from which code that is not trusted may run at all.
pub const UNTRUSTED_TIER_MIN: u8 = 2;

/// A path as it was written, and where it leads: looked up at the rim, right before judging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// As it stands in the arguments.
    pub written: String,
    /// After every link was followed.
    pub path: String,
    /// Number of the device.
    pub dev: u64,
    /// The inode.
    pub inode: u64,
}

/// What is known besides the plan.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Whether the strict profile, `GOLDEN_TIMMY`, is on.
    pub golden: bool,
    /// The sandbox tier measured at start, from 0 for none to 3.
    pub tier: u8,
    /// Timmy's own working folders, resolved.
    pub own: Vec<String>,
    /// Folders the owner granted, resolved.
    pub granted: Vec<String>,
    /// Timmy's data folder, resolved.
    pub home: String,
    /// The owner's home folder, resolved.
    pub user_home: String,
    /// Device and inode of what must not be touched under any name.
    pub guarded: Vec<(u64, u64)>,
    /// Where the paths among the arguments lead.
    pub resolved: Vec<Resolved>,
    /// Hosts the owner allowed.
    pub known_hosts: Vec<String>,
    /// How often the owner said yes to exactly this shape.
    pub prior_approvals: u32,
    /// Whether any of those was regretted: rejected, revoked or undone.
    pub regretted: bool,
    /// Whether the owner is usually asleep now.
    pub off_hours: bool,
    /// Whether the spending is over its limit.
    pub over_limit: bool,
    /// The owner's rules.
    pub rules: Vec<Rule>,
    /// Now.
    pub now: Timestamp,
}

/// What can be offered beside a plain no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// Say yes to exactly this, once.
    AllowOnce,
    /// Make a rule for this shape.
    AlwaysThisShape,
    /// Run it in a stronger sandbox, without network.
    Sandbox,
}

/// A refusal that nobody was asked about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Denial {
    /// The rule that refuses, by its stable name.
    pub rule: &'static str,
    /// What it found, in words.
    pub why: String,
    /// What can be done instead; empty when nothing can.
    pub offers: Vec<Offer>,
}

/// What the policy says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// It may be done at once.
    Auto {
        /// How risky it is.
        risk: Assessment,
        /// The owner's rule that allows it; `None` when its risk alone does.
        rule: Option<RuleId>,
    },
    /// The owner is asked.
    Ask {
        /// How risky it is.
        risk: Assessment,
        /// Why it is asked, in words.
        because: String,
        /// What the owner can answer besides no.
        offers: Vec<Offer>,
    },
    /// It is refused.
    Deny {
        /// Why.
        denial: Denial,
        /// How risky it would have been.
        risk: Assessment,
    },
}

impl Verdict {
    /// Whether it may be done without a yes.
    #[must_use]
    pub const fn is_auto(&self) -> bool {
        matches!(self, Self::Auto { .. })
    }

    /// How risky it is.
    #[must_use]
    pub const fn risk(&self) -> &Assessment {
        match self {
            Self::Auto { risk, .. } | Self::Ask { risk, .. } | Self::Deny { risk, .. } => risk,
        }
    }
}

/// What may be offered for these findings: nothing that a wrapper or the floor forbids to make a habit of.
fn offers(plan: &Plan, found: &Findings, tier: u8) -> Vec<Offer> {
    let mut offers = vec![Offer::AllowOnce];
    if found.can_be_ruled() && rule::shape(plan).is_some() {
        offers.push(Offer::AlwaysThisShape);
    }
    if tier < 3 && !plan.argv.is_empty() {
        offers.push(Offer::Sandbox);
    }
    offers
}

/// Judges `plan`.
#[must_use]
pub fn judge(plan: &Plan, ctx: &Context) -> Verdict {
    let found = find(plan, ctx);
    let risk = assess(&found.signals, &found.mitigations(plan, ctx), found.floor.clone());
    if let Some((rule, why)) = found.denied {
        return Verdict::Deny { denial: Denial { rule, why, offers: Vec::new() }, risk };
    }
    if !plan.argv.is_empty() && ctx.tier < UNTRUSTED_TIER_MIN && (found.opaque.is_some() || found.runs_code) {
        let why = format!("the sandbox of this machine is tier {}, too weak for code that is not trusted", ctx.tier);
        return Verdict::Deny { denial: Denial { rule: "sandbox_tier", why, offers: vec![Offer::Sandbox] }, risk };
    }
    let offers = offers(plan, &found, ctx.tier);
    let ask = |risk: Assessment, because: String| Verdict::Ask { risk, because, offers: offers.clone() };
    if let Some(floor) = &found.floor {
        let because = format!("always asked for: {floor}");
        return ask(risk, because);
    }
    if found.can_be_ruled()
        && let Some(rule) = matching(&ctx.rules, plan, ctx)
    {
        return Verdict::Auto { rule: Some(rule.id), risk };
    }
    if let Some(why) = found.opaque {
        return ask(risk, format!("what it does cannot be seen beforehand: {why}"));
    }
    if let Some(why) = found.outside.first().filter(|_| ctx.golden) {
        return ask(risk, format!("it has an effect outside: {why}"));
    }
    match risk.band {
        Band::Quiet | Band::Undoable => Verdict::Auto { risk, rule: None },
        Band::Ask | Band::StepUp => {
            let because = format!("its risk is {} of 100", risk.score);
            ask(risk, because)
        }
    }
}

#[cfg(test)]
mod tests;
