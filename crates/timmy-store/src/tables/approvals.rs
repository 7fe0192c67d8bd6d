//! Approvals: what waits for the owner's word. The state machine is [`timmy_domain::approval`]; here it meets the disk.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};
use timmy_domain::approval::{
    Act, Approval, ApprovalStatus, DESCRIPTION_CHARS_MAX, Decision, NewApproval, REASON_CHARS_MAX, Subject,
    TITLE_CHARS_MAX, expiry, not_before,
};
use timmy_domain::plan::{PLAN_BYTES_MAX, Plan};
use timmy_domain::risk::Assessment;
use timmy_domain::text::cut;
use timmy_domain::{ApprovalId, Digest, Event, NewEvent, Problem, Seq, Timestamp, event};

use super::thoughts::LIST_LIMIT_MAX;
use crate::row::{id, optional_text, optional_time, readable, text, time, word};
use crate::{Reader, StoreError, Tx};

const APPROVAL: &str = "SELECT id, subject_kind, subject_id, title, description, proposed_action, status, version, risk, plan, plan_hash, not_before, expires_at, created_at, created_by, decided_at, decided_by, reason, seq FROM approvals";

/// The source of the events of approvals.
const SOURCE: &str = "approvals";

/// Overdue approvals that one sweep writes down; the next sweep takes more.
pub const OVERDUE_BATCH_MAX: usize = 200;

/// Which approvals are wanted, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalQuery {
    /// Only those that stand like this at `now`: an overdue one counts as expired.
    pub status: Option<ApprovalStatus>,
    /// Only those about this.
    pub subject: Option<Subject>,
    /// Only those whose [`Approval::seq`] lies before this.
    pub before: Option<Seq>,
    /// The moment for which overdue is meant.
    pub now: Timestamp,
    /// How many at most, up to [`LIST_LIMIT_MAX`].
    pub limit: usize,
}

impl ApprovalQuery {
    /// The newest hundred at `now`.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { status: None, subject: None, before: None, now, limit: 100 }
    }
}

/// One decided question of a shape, as suggestions of rules read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeAnswer {
    /// The shape, as the policy wrote it.
    pub shape: String,
    /// The question in one line.
    pub title: String,
    /// Where it stands.
    pub status: ApprovalStatus,
    /// When it was asked.
    pub created_at: Timestamp,
}

/// `None` when the id itself cannot be read.
fn approval(row: &Row<'_>) -> rusqlite::Result<Option<Approval>> {
    let Some(own_id) = id(row, 0)? else { return Ok(None) };
    let plan_hash: Option<Digest> = id(row, 10)?;
    // A plan that does not fit its hash is no plan: nothing can be carried out by it.
    let plan = optional_text(row, 9)?
        .and_then(|json| serde_json::from_str::<Plan>(&json).ok())
        .filter(|plan| Some(plan.hash()) == plan_hash);
    Ok(Some(Approval {
        id: own_id,
        subject: Subject { kind: text(row, 1)?, id: text(row, 2)? },
        title: text(row, 3)?,
        description: text(row, 4)?,
        proposed_action: text(row, 5)?,
        status: word(row, 6, ApprovalStatus::Unknown)?,
        version: row.get(7)?,
        risk: serde_json::from_str(&text(row, 8)?).unwrap_or_else(|_| Assessment::unreadable()),
        plan,
        plan_hash,
        not_before: time(row, 11)?,
        expires_at: time(row, 12)?,
        created_at: time(row, 13)?,
        created_by: text(row, 14)?,
        decided_at: optional_time(row, 15)?,
        decided_by: optional_text(row, 16)?,
        reason: optional_text(row, 17)?,
        seq: row.get(18)?,
    }))
}

/// The condition that says which stored rows stand like `status`; `?2` is now.
const fn standing(status: ApprovalStatus) -> &'static str {
    match status {
        ApprovalStatus::Pending => " AND status = 'pending' AND expires_at > ?2",
        ApprovalStatus::Approved => " AND status = 'approved' AND (expires_at > ?2 OR plan_hash IS NULL)",
        ApprovalStatus::Expired => {
            " AND (status = 'expired' OR (status = 'pending' AND expires_at <= ?2)
              OR (status = 'approved' AND plan_hash IS NOT NULL AND expires_at <= ?2))"
        }
        ApprovalStatus::Rejected => " AND status = 'rejected' AND ?2 = ?2",
        ApprovalStatus::Superseded => " AND status = 'superseded' AND ?2 = ?2",
        ApprovalStatus::Withdrawn => " AND status = 'withdrawn' AND ?2 = ?2",
        ApprovalStatus::Consumed => " AND status = 'consumed' AND ?2 = ?2",
        ApprovalStatus::Revoked => " AND status = 'revoked' AND ?2 = ?2",
        ApprovalStatus::Unknown => {
            " AND status NOT IN ('pending', 'approved', 'rejected', 'expired', 'superseded', 'withdrawn',
              'consumed', 'revoked') AND ?2 = ?2"
        }
    }
}

fn body(approval: &Approval, decision: &Decision, reason: &str) -> Event {
    macro_rules! decided {
        ($body:ident) => {
            event::$body {
                approval_id: approval.id,
                subject: cut(&approval.subject.to_string(), TITLE_CHARS_MAX),
                title: approval.title.clone(),
                by: decision.decided_by(),
                reason: reason.to_owned(),
            }
            .into()
        };
    }
    match decision.act {
        Act::Approve => decided!(ApprovalApproved),
        Act::Reject => decided!(ApprovalRejected),
        Act::Expire => decided!(ApprovalExpired),
        Act::Supersede => decided!(ApprovalSuperseded),
        Act::Withdraw => decided!(ApprovalWithdrawn),
        Act::Consume => decided!(ApprovalConsumed),
        Act::Revoke => decided!(ApprovalRevoked),
    }
}

/// The same event, belonging to the task that the approval is about or whose plan it holds.
fn of_task(mut event: NewEvent, subject: &Subject, plan: Option<&Plan>) -> NewEvent {
    event.task_id = subject.as_task().map(str::to_owned).or_else(|| plan.and_then(|plan| plan.task_id.clone()));
    event
}

impl Reader<'_> {
    fn approvals_where(&self, rest: &str, values: Vec<Value>) -> Result<Vec<Approval>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!("{APPROVAL} {rest}"))?;
        let rows = statement.query_map(params_from_iter(values), approval)?;
        Ok(readable(rows, "approvals")?)
    }

    /// The approval `id`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn approval(&self, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
        Ok(self.approvals_where("WHERE id = ?1", vec![id.to_string().into()])?.pop())
    }

    /// The approvals that `query` wants, newest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn approvals_page(&self, query: &ApprovalQuery) -> Result<Vec<Approval>, StoreError> {
        let mut values: Vec<Value> =
            vec![query.before.unwrap_or(Seq::MAX).into(), query.now.micros().into(), limit(query.limit)];
        let mut rest = String::from("WHERE seq < ?1");
        rest.push_str(query.status.map_or(" AND ?2 = ?2", standing));
        if let Some(subject) = &query.subject {
            values.push(subject.kind.clone().into());
            values.push(subject.id.clone().into());
            rest.push_str(" AND subject_kind = ?4 AND subject_id = ?5");
        }
        rest.push_str(" ORDER BY seq DESC LIMIT ?3");
        self.approvals_where(&rest, values)
    }

    /// The question about `subject` that waits, also when it is overdue.
    ///
    /// # Errors
    /// What the disk said.
    pub fn approval_pending(&self, subject: &Subject) -> Result<Option<Approval>, StoreError> {
        let values = vec![subject.kind.clone().into(), subject.id.clone().into()];
        let rest = "WHERE subject_kind = ?1 AND subject_id = ?2 AND status = 'pending'";
        Ok(self.approvals_where(rest, values)?.pop())
    }

    /// Those that are overdue at `now` and not yet written down as expired, at most [`OVERDUE_BATCH_MAX`].
    ///
    /// # Errors
    /// What the disk said.
    pub fn approvals_overdue(&self, now: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let rest = "WHERE expires_at <= ?1 AND (status = 'pending' OR (status = 'approved' AND plan_hash IS NOT NULL))
                    ORDER BY expires_at LIMIT ?2";
        self.approvals_where(rest, vec![now.micros().into(), limit(OVERDUE_BATCH_MAX)])
    }

    /// How many wait at `now`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn approvals_waiting(&self, now: Timestamp) -> Result<u64, StoreError> {
        let count: i64 = self
            .conn()
            .prepare_cached("SELECT count(*) FROM approvals WHERE status = 'pending' AND expires_at > ?1")?
            .query_row([now.micros()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many of those that were asked since `since` wait at `now`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn approvals_waiting_since(&self, since: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        let count: i64 = self
            .conn()
            .prepare_cached(
                "SELECT count(*) FROM approvals WHERE status = 'pending' AND expires_at > ?1 AND created_at >= ?2",
            )?
            .query_row([now.micros(), since.micros()], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The answers to questions of a known shape asked since `since`, newest first, at most [`LIST_LIMIT_MAX`].
    ///
    /// # Errors
    /// What the disk said.
    pub fn approval_answers(&self, since: Timestamp) -> Result<Vec<ShapeAnswer>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT shape, title, status, created_at FROM approvals
             WHERE shape IS NOT NULL AND created_at >= ?1 ORDER BY created_at DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![since.micros(), LIST_LIMIT_MAX as i64], |row| {
            Ok(ShapeAnswer {
                shape: text(row, 0)?,
                title: text(row, 1)?,
                status: word(row, 2, ApprovalStatus::Unknown)?,
                created_at: time(row, 3)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// When something that a rule could answer was last decided; nothing suggests anything else before that changes.
    ///
    /// # Errors
    /// What the disk said.
    pub fn approvals_answered_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT decided_at FROM approvals WHERE shape IS NOT NULL AND decided_at > 0
             ORDER BY decided_at DESC LIMIT 1",
        )?;
        Ok(statement.query_row([], |row| optional_time(row, 0)).optional()?.flatten())
    }

    /// The plans that were asked about since `since`, newest first, at most [`LIST_LIMIT_MAX`].
    ///
    /// # Errors
    /// What the disk said.
    pub fn approvals_since(&self, since: Timestamp) -> Result<Vec<Approval>, StoreError> {
        let rest = "WHERE shape IS NOT NULL AND created_at >= ?1 ORDER BY created_at DESC LIMIT ?2";
        self.approvals_where(rest, vec![since.micros().into(), limit(LIST_LIMIT_MAX)])
    }
}

fn limit(wanted: usize) -> Value {
    (wanted.min(LIST_LIMIT_MAX) as i64).into()
}

impl Tx<'_> {
    /// Asks: stores the question and its `approval.requested`. A question about the same subject that still waits is
    /// superseded, or has expired when it is overdue.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the plan is over [`PLAN_BYTES_MAX`]; else what the disk said.
    pub fn approval_open(&mut self, new: &NewApproval) -> Result<Approval, StoreError> {
        self.approval_open_shaped(new, None)
    }

    /// The same for a question whose plan has the `shape` that a rule could allow.
    ///
    /// # Errors
    /// As [`Tx::approval_open`].
    pub fn approval_open_shaped(&mut self, new: &NewApproval, shape: Option<&str>) -> Result<Approval, StoreError> {
        let now = self.now();
        let plan = new.plan.as_ref().map(Plan::canonical);
        if plan.as_ref().is_some_and(|plan| plan.len() > PLAN_BYTES_MAX) {
            return Err(StoreError::Refused(Problem::invalid(
                "plan_too_large",
                format!("What is to be done takes more than {PLAN_BYTES_MAX} bytes to say. It was not asked for."),
                "Split it into smaller steps.",
            )));
        }
        if let Some(waiting) = self.approval_pending(&new.subject)? {
            let overdue = waiting.expires_at <= now;
            let act = if overdue { Act::Expire } else { Act::Supersede };
            self.approval_decide(waiting.id, &Decision::by_system(act, "asked again"), now)?;
        }
        let stored = Approval {
            id: self.new_approval_id(),
            subject: new.subject.clone(),
            title: cut(&new.title, TITLE_CHARS_MAX),
            description: cut(&new.description, DESCRIPTION_CHARS_MAX),
            proposed_action: cut(&new.proposed_action, DESCRIPTION_CHARS_MAX),
            status: ApprovalStatus::Pending,
            version: 1,
            risk: new.risk.clone(),
            plan: new.plan.clone(),
            plan_hash: plan.as_ref().map(|json| Digest::of(json.as_bytes())),
            not_before: not_before(&new.risk, now),
            expires_at: new.expires_at.unwrap_or_else(|| expiry(now)),
            created_at: now,
            created_by: new.by.to_string(),
            decided_at: None,
            decided_by: None,
            reason: None,
            seq: 0,
        };
        let asked = event::ApprovalRequested {
            approval_id: stored.id,
            subject: cut(&stored.subject.to_string(), TITLE_CHARS_MAX),
            title: stored.title.clone(),
            risk: stored.risk.score,
            plan_hash: stored.plan_hash,
            expires_at: stored.expires_at,
        };
        let event = NewEvent::new(SOURCE, asked).by(new.by.clone()).caused_by(new.cause);
        let seq = self.append(of_task(event, &stored.subject, stored.plan.as_ref()))?;
        let stored = Approval { seq, ..stored };
        self.insert_approval(&stored, plan.as_deref(), shape)?;
        Ok(stored)
    }

    fn insert_approval(&mut self, new: &Approval, plan: Option<&str>, shape: Option<&str>) -> Result<(), StoreError> {
        let risk = serde_json::to_string(&new.risk).unwrap_or_default();
        self.conn()
            .prepare_cached(
                "INSERT INTO approvals (seq, id, subject_kind, subject_id, title, description, proposed_action, status,
                 version, score, risk, tool, plan, plan_hash, shape, not_before, expires_at, created_at, created_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
            )?
            .execute(params![
                new.seq,
                new.id.to_string(),
                new.subject.kind,
                new.subject.id,
                new.title,
                new.description,
                new.proposed_action,
                new.status.name(),
                new.version,
                new.risk.score,
                risk,
                new.plan.as_ref().map_or("", |plan| plan.tool.as_str()),
                plan,
                new.plan_hash.map(|hash| hash.to_string()),
                shape,
                new.not_before.micros(),
                new.expires_at.micros(),
                new.created_at.micros(),
                new.created_by,
            ])?;
        Ok(())
    }

    /// Decides the approval `id` at `now`, and appends the event that says so. Only one of two decisions that come at
    /// once is carried out; the other finds another state.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is none; [`StoreError::Refused`] when state, actor or time forbids it.
    pub fn approval_decide(
        &mut self,
        id: ApprovalId,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Approval, StoreError> {
        let Some(was) = self.approval(id)? else {
            return Err(StoreError::Unknown { what: format!("approval {id}") });
        };
        let to = was.step(decision.act, &decision.actor, now).map_err(|refusal| refusal.problem())?;
        let reason = decision.reason.as_deref().map(|reason| cut(reason, REASON_CHARS_MAX));
        let answers = decision.act.is_the_owners() || was.decided_at.is_none();
        let is = Approval {
            status: to,
            version: was.version.saturating_add(1),
            // What happens to a yes later does not change who gave it.
            decided_at: if answers { Some(now) } else { was.decided_at },
            decided_by: if answers { Some(decision.decided_by()) } else { was.decided_by.clone() },
            reason: if answers { reason.clone() } else { was.reason.clone() },
            ..was.clone()
        };
        let changed = self
            .conn()
            .prepare_cached(
                "UPDATE approvals SET status = ?3, version = min(version, 9223372036854775806) + 1, decided_at = ?5, decided_by = ?6, reason = ?7
                 WHERE id = ?1 AND version = ?2 AND status = ?4",
            )?
            .execute(params![
                id.to_string(),
                was.version,
                to.name(),
                was.status.name(),
                is.decided_at.map(Timestamp::micros),
                is.decided_by,
                is.reason,
            ])?;
        if changed == 0 {
            return Err(StoreError::Refused(Problem::conflict(
                "approval_state",
                "The approval was changed by somebody else at the same moment. Nothing was changed by you.",
                "Look at it again.",
            )));
        }
        let event = NewEvent::new(SOURCE, body(&is, decision, reason.as_deref().unwrap_or_default()))
            .by(decision.actor.clone())
            .caused_by(is.seq);
        self.append(of_task(event, &is.subject, is.plan.as_ref()))?;
        Ok(is)
    }
}
