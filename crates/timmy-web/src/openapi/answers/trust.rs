//! Approvals, rules, and what the policy says.

use utoipa::ToSchema;

use crate::openapi::words::{Id, Moment};

/// Something that waits for the owner's word, or waited.
#[derive(ToSchema)]
pub struct Approval {
    /// Its id.
    id: Id,
    /// The question in one line.
    title: String,
    /// Why it is asked.
    description: String,
    /// What will be done after a yes, made from the plan.
    proposed_action: String,
    /// Where it stands; what is overdue has expired.
    #[schema(pattern = "^(pending|approved|rejected|expired|superseded|withdrawn|consumed|revoked|unknown)$")]
    status: String,
    /// How risky it is.
    #[schema(minimum = 0, maximum = 100)]
    risk: u64,
    /// What such a risk asks for.
    #[schema(pattern = "^(quiet|undoable|ask|step_up)$")]
    band: String,
    /// Why it is that risky, the heaviest reason first.
    factors: Vec<RiskFactor>,
    /// What makes it milder.
    mitigations: Vec<String>,
    /// The rule by which it is always asked for.
    #[schema(required)]
    floor: Option<String>,
    /// Files it touches.
    files: Vec<TouchedFile>,
    /// Hosts it speaks to.
    hosts: Vec<String>,
    /// How it can be undone.
    #[schema(required)]
    undo: Option<String>,
    /// SHA-256 of the plan that a yes is bound to.
    #[schema(required)]
    plan_hash: Option<String>,
    /// What it is about.
    subject: ApprovalSubject,
    /// Whether a yes needs the owner's password, where one is set.
    step_up: bool,
    /// From when on a yes counts.
    not_before: Moment,
    /// When it lapses.
    expires_at: Moment,
    /// When it was asked.
    created_at: Moment,
    /// Who asked.
    created_by: String,
    /// When it was decided.
    #[schema(required)]
    decided_at: Option<Moment>,
    /// Who decided, and through which key.
    #[schema(required)]
    decided_by: Option<String>,
    /// Why, in their words.
    #[schema(required)]
    reason: Option<String>,
}

/// One reason for a risk.
#[derive(ToSchema)]
pub struct RiskFactor {
    /// A stable word.
    name: String,
    /// The reason in words.
    words: String,
    /// How much it weighs by itself, from 0 to 1.
    weight: f64,
    /// Its part of the score.
    points: f64,
}

/// A file that a plan touches.
#[derive(ToSchema)]
pub struct TouchedFile {
    /// Its path.
    path: String,
    /// `read`, `write`, `create` or `delete`.
    how: String,
}

/// What an approval is about.
#[derive(ToSchema)]
pub struct ApprovalSubject {
    /// What kind of thing: `task`, `call`.
    kind: String,
    /// Its id.
    id: String,
}

/// Something of middling risk that a rule let run.
#[derive(ToSchema)]
pub struct RuledRun {
    /// When it began.
    at: Moment,
    /// What, in one line.
    title: String,
    /// The tool.
    tool: String,
    /// How risky it is.
    #[schema(minimum = 0, maximum = 100)]
    risk: u64,
    /// The rule.
    rule_id: Id,
    /// The task it belongs to.
    #[schema(required)]
    task_id: Option<String>,
    /// How it is undone, in words.
    #[schema(required)]
    undo: Option<String>,
    /// SHA-256 of the plan that was carried out.
    plan_hash: String,
}

/// How one of several was decided.
#[derive(ToSchema)]
pub struct BatchItem {
    /// Which approval.
    id: String,
    /// The approval, when it was decided.
    #[schema(required, value_type = Option<Object>)]
    approval: Option<Approval>,
    /// Why it was not.
    #[schema(required, value_type = Option<Object>)]
    error: Option<String>,
}

/// What a rule allows.
#[derive(ToSchema)]
pub struct RuleShape {
    /// The tool.
    tool: String,
    /// The program.
    #[schema(required)]
    exe: Option<String>,
    /// The words that follow it.
    words: Vec<String>,
    /// Whether more may follow.
    more_words: bool,
    /// Folders of which one holds each file.
    folders: Vec<String>,
    /// Hosts that may be spoken to.
    hosts: Vec<String>,
    /// SHA-256 of how a tool of others described itself when the rule was made; not there for tools of the house.
    described_sha256: Option<String>,
}

/// A rule of the owner.
#[derive(ToSchema)]
pub struct Rule {
    /// Its id.
    id: Id,
    /// What it allows, in one line.
    title: String,
    /// What it allows, exactly.
    shape: RuleShape,
    /// Only within this task.
    #[schema(required)]
    task_id: Option<String>,
    /// The sandbox tier it needs at least.
    tier_min: u64,
    /// Whether it is good now.
    live: bool,
    /// When it was made.
    created_at: Moment,
    /// Who made it.
    created_by: String,
    /// When it ends.
    expires_at: Moment,
    /// How often it may be used.
    max_uses: u64,
    /// How often it was used.
    uses: u64,
    /// When it was last used.
    #[schema(required)]
    used_at: Option<Moment>,
    /// When it was taken back.
    #[schema(required)]
    revoked_at: Option<Moment>,
}

/// A rule that was taken back.
#[derive(ToSchema)]
pub struct RuleRevoked {
    /// Its id.
    id: Id,
    /// `true`.
    revoked: bool,
}

/// A rule that the owner's answers suggest.
#[derive(ToSchema)]
pub struct RuleSuggestion {
    /// What it would allow, in one line.
    title: String,
    /// What it would allow, exactly.
    shape: RuleShape,
    /// How often the owner said yes to it.
    approvals: u64,
    /// Questions of the past thirty days it would have answered.
    would_have_matched: Vec<String>,
}

/// What the policy says: `auto` with `rule`, `ask` with `because` and `offers`, or `deny` with `denial`.
#[derive(ToSchema)]
pub struct Explained {
    /// `auto`, `ask` or `deny`.
    verdict: String,
    /// How risky it is, with its reasons.
    #[schema(value_type = Object)]
    risk: Approval,
    /// The rule that allows it.
    rule: Option<String>,
    /// Why it is asked.
    because: Option<String>,
    /// What can be answered besides no.
    offers: Option<Vec<String>>,
    /// The rule that refuses it, why, and what can be done instead.
    #[schema(value_type = Option<Object>)]
    denial: Option<String>,
}
