//! The digest: what the owner's rules let run in the last day although it is of middling risk.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use timmy_domain::plan::{Plan, PlanHash};
use timmy_domain::risk::Assessment;
use timmy_domain::{RuleId, Timestamp};
use timmy_store::{Reader, StoreError};

/// Hours the digest goes back. What a lease was for is kept as long.
pub const DIGEST_HOURS: u64 = 24;
/// Things the digest names.
pub const DIGEST_MAX: usize = 200;

/// One thing that a rule let run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruled {
    /// When it began.
    #[serde(default = "epoch")]
    pub at: Timestamp,
    /// What, in one line made from the plan.
    pub title: String,
    /// The tool.
    pub tool: String,
    /// How risky it is, from 0 to 100.
    pub risk: u8,
    /// The rule.
    pub rule_id: RuleId,
    /// The task it belongs to, if any.
    pub task_id: Option<String>,
    /// How it is undone, in words, where it can be.
    pub undo: Option<String>,
    /// The hash of what exactly was done.
    pub plan_hash: PlanHash,
}

const fn epoch() -> Timestamp {
    Timestamp::EPOCH
}

impl Ruled {
    /// The line for `plan`, which `rule_id` lets run.
    pub(super) fn of(plan: &Plan, title: String, rule_id: RuleId, risk: &Assessment) -> Self {
        Self {
            at: Timestamp::EPOCH,
            title,
            tool: plan.tool.clone(),
            risk: risk.score,
            rule_id,
            task_id: plan.task_id.clone(),
            undo: plan.undo.clone(),
            plan_hash: plan.hash(),
        }
    }
}

/// What ran by a rule in the last [`DIGEST_HOURS`], newest first, at most `limit`.
///
/// # Errors
/// What the disk said.
pub fn digest(r: &Reader<'_>, now: Timestamp, limit: usize) -> Result<Vec<Ruled>, StoreError> {
    let since = now.minus(Duration::from_secs(DIGEST_HOURS * 3_600));
    let noted = r.leases_noted(since, limit.min(DIGEST_MAX))?;
    let read = |(at, note): (Timestamp, String)| Some(Ruled { at, ..serde_json::from_str(&note).ok()? });
    Ok(noted.into_iter().filter_map(read).collect())
}
