//! The owner's rules, and what their answers suggest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use timmy_domain::approval::{Approval, ApprovalStatus};
use timmy_domain::policy::rule::{PREVIEW_DAYS, RULE_DAYS, RULE_USES, Rule, SUGGEST_AFTER, Shape};
use timmy_domain::{Actor, Problem, RuleId, Timestamp};
use timmy_store::{NewRule, ShapeAnswer};

use crate::ctx::Ctx;

/// Questions a preview lists.
const PREVIEW_MAX: usize = 50;

/// Since when the past counts for suggestions and previews.
pub(super) fn past(now: Timestamp) -> Timestamp {
    now.minus(Duration::from_secs(PREVIEW_DAYS * 86_400))
}

/// A shape the owner said yes to again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What the rule would allow, in one line.
    pub title: String,
    /// What it would allow, exactly.
    pub shape: Shape,
    /// The same as stored text, which names it.
    #[serde(skip)]
    pub shape_json: String,
    /// How often the owner said yes to it.
    pub approvals: u64,
    /// Questions of the past thirty days it would have answered, newest first, at most fifty.
    pub would_have_matched: Vec<String>,
}

/// What `answers`, newest first, suggest: each shape with [`SUGGEST_AFTER`] yeses or more and no no, which no live rule
/// has yet.
pub(super) fn suggestions(answers: &[ShapeAnswer], rules: &[Rule]) -> Vec<Suggestion> {
    let mut by_shape: BTreeMap<&str, Vec<&ShapeAnswer>> = BTreeMap::new();
    for answer in answers {
        by_shape.entry(&answer.shape).or_default().push(answer);
    }
    let yes = |answer: &&&ShapeAnswer| matches!(answer.status, ApprovalStatus::Approved | ApprovalStatus::Consumed);
    let no = |answer: &&ShapeAnswer| matches!(answer.status, ApprovalStatus::Rejected | ApprovalStatus::Revoked);
    let mut found = Vec::new();
    for (json, answers) in by_shape {
        let approvals = answers.iter().filter(yes).count();
        let Ok(shape) = serde_json::from_str::<Shape>(json) else { continue };
        let known = rules.iter().any(|rule| rule.shape == shape);
        if approvals >= SUGGEST_AFTER && !answers.iter().any(no) && !known && shape.refusal().is_none() {
            let titles = answers.iter().take(PREVIEW_MAX).map(|a| format!("{} · {}", a.created_at, a.title)).collect();
            found.push(Suggestion {
                title: shape.line(),
                shape,
                shape_json: json.to_owned(),
                approvals: approvals as u64,
                would_have_matched: titles,
            });
        }
    }
    found
}

/// A rule to make; what is left out has its usual bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it allows.
    pub shape: Shape,
    /// Only within this task.
    pub task_id: Option<String>,
    /// The sandbox tier it needs at least.
    pub tier_min: u8,
    /// Days it lasts, at most [`RULE_DAYS`].
    pub days: Option<u64>,
    /// How often it may be used, at most [`RULE_USES`].
    pub max_uses: Option<u32>,
}

/// Seconds after which suggestions are worked out anew though nobody answered anything: the thirty days move on.
const SUGGESTED_SECONDS_MAX: u64 = 3_600;

/// What the answers suggested when they were last read: when that was, when the last of them was given, and under
/// which rules.
struct Suggested {
    at: Timestamp,
    answered_at: Option<Timestamp>,
    rules: Vec<RuleId>,
    found: Vec<Suggestion>,
}

/// The rules. Cheap to clone.
#[derive(Clone)]
pub struct Rules {
    ctx: Ctx,
    suggested: Arc<Mutex<Option<Suggested>>>,
}

impl Rules {
    /// The rules over `ctx`.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        Self { ctx, suggested: Arc::default() }
    }

    /// All rules, also those that ended, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<Rule>, Problem> {
        self.ctx.store.read(|r| r.rules()).await.map_err(|e| e.problem())
    }

    /// Makes a rule for the owner, who came in through `through`.
    ///
    /// # Errors
    /// When the shape cannot be a rule, when there are too many, or when the store fails.
    pub async fn create(&self, wanted: Wanted, through: &str) -> Result<Rule, Problem> {
        let days = wanted.days.unwrap_or(RULE_DAYS).clamp(1, RULE_DAYS);
        let new = NewRule {
            shape: wanted.shape,
            task_id: wanted.task_id,
            tier_min: wanted.tier_min,
            expires_at: self.ctx.now().plus(Duration::from_secs(days * 86_400)),
            max_uses: wanted.max_uses.unwrap_or(RULE_USES).clamp(1, RULE_USES),
            through: through.to_owned(),
        };
        self.ctx.store.write(move |tx| tx.rule_create(&new, &Actor::Owner)).await.map_err(|e| e.problem())
    }

    /// Takes a rule back.
    ///
    /// # Errors
    /// When there is none, or the store fails.
    pub async fn revoke(&self, id: RuleId, through: &str) -> Result<(), Problem> {
        let through = through.to_owned();
        self.ctx.store.write(move |tx| tx.rule_revoke(id, &Actor::Owner, &through)).await.map_err(|e| e.problem())
    }

    /// What the owner's answers of the past thirty days suggest.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn suggestions(&self) -> Result<Vec<Suggestion>, Problem> {
        let now = self.ctx.now();
        let read = self.ctx.store.read(move |r| Ok((r.approvals_answered_at()?, r.live_rules(now)?)));
        let (answered_at, rules) = read.await.map_err(|e| e.problem())?;
        let ids: Vec<RuleId> = rules.iter().map(|rule| rule.id).collect();
        if let Some(known) = self.known(now, answered_at, &ids) {
            return Ok(known);
        }
        let answers = self.ctx.store.read(move |r| r.approval_answers(past(now))).await.map_err(|e| e.problem())?;
        let found = suggestions(&answers, &rules);
        let mut suggested = self.suggested.lock().unwrap_or_else(PoisonError::into_inner);
        *suggested = Some(Suggested { at: now, answered_at, rules: ids, found: found.clone() });
        Ok(found)
    }

    /// What was suggested before, when nothing has changed since.
    fn known(&self, now: Timestamp, answered_at: Option<Timestamp>, rules: &[RuleId]) -> Option<Vec<Suggestion>> {
        let suggested = self.suggested.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |known: &&Suggested| {
            known.answered_at == answered_at
                && known.rules == rules
                && known.at <= now
                && now.since(known.at) < Duration::from_secs(SUGGESTED_SECONDS_MAX)
        };
        suggested.as_ref().filter(fresh).map(|known| known.found.clone())
    }

    /// The questions of the past thirty days that a rule of this shape would have answered, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn preview(&self, shape: &Shape) -> Result<Vec<Approval>, Problem> {
        let since = past(self.ctx.now());
        let asked = self.ctx.store.read(move |r| r.approvals_since(since)).await.map_err(|e| e.problem())?;
        let fits = |asked: &Approval| asked.plan.as_ref().is_some_and(|plan| shape.fits(plan));
        Ok(asked.into_iter().filter(fits).take(PREVIEW_MAX).collect())
    }
}
