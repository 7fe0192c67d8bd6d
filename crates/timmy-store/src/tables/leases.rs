//! Leases: the right to carry out one plan, once, within minutes. Only the hash of the secret is stored.

use rusqlite::{OptionalExtension, params};
use timmy_domain::approval::{Act, Decision};
use timmy_domain::plan::PlanHash;
use timmy_domain::problem::Kind;
use timmy_domain::{Actor, ApprovalId, Digest, Problem, RuleId, Timestamp};

use crate::row::{id, optional_text, optional_time, text, time};
use crate::tables::thoughts::LIST_LIMIT_MAX;
use crate::{Reader, StoreError, Tx};

/// A lease about to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLease {
    /// SHA-256 of its secret.
    pub hash: Digest,
    /// The plan it allows, and no other.
    pub plan_hash: PlanHash,
    /// The yes it stands on.
    pub approval_id: Option<ApprovalId>,
    /// The rule it stands on.
    pub rule_id: Option<RuleId>,
    /// The lease it was made from; its scopes are never wider, its life never longer. `None` for every call of a tool
    /// in this version: each call has a plan of its own, is judged by itself and gets a lease of its own, and what a
    /// program starts stays inside the fence of its call instead of carrying a lease. It is here, checked and tested,
    /// for work that is handed on to another worker with less than the first one may do.
    pub parent: Option<Digest>,
    /// What may be done under it, by the names of risk classes.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A lease as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseRow {
    /// The plan it allows.
    pub plan_hash: Option<PlanHash>,
    /// The yes it stands on.
    pub approval_id: Option<ApprovalId>,
    /// What may be done under it.
    pub scopes: Vec<String>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// One answer for all that is wrong with a lease: whoever forges one learns nothing.
fn refused() -> StoreError {
    StoreError::Refused(Problem::new(
        Kind::Forbidden,
        "no_lease",
        "There is no good lease for exactly this. Nothing was done.",
        "It is asked for again, as what it is now; decide it on the page Approvals.",
    ))
}

impl Reader<'_> {
    /// The lease whose secret has this `hash`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn lease(&self, hash: &Digest) -> Result<Option<LeaseRow>, StoreError> {
        Ok(self
            .conn()
            .prepare_cached(
                "SELECT plan_hash, approval_id, scopes, expires_at, used_at, revoked_at FROM leases WHERE hash = ?1",
            )?
            .query_row([hash.bytes().as_slice()], |row| {
                Ok(LeaseRow {
                    plan_hash: optional_text(row, 0)?.and_then(|hash| hash.parse().ok()),
                    approval_id: id(row, 1)?,
                    scopes: text(row, 2)?.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
                    expires_at: time(row, 3)?,
                    used_at: optional_time(row, 4)?,
                    revoked_at: optional_time(row, 5)?,
                })
            })
            .optional()?)
    }

    /// The notes of leases that were used at or after `since`, newest first, each with when it was used.
    ///
    /// # Errors
    /// What the disk said.
    pub fn leases_noted(&self, since: Timestamp, limit: usize) -> Result<Vec<(Timestamp, String)>, StoreError> {
        let mut statement = self.conn().prepare_cached(
            "SELECT used_at, note FROM leases INDEXED BY leases_noted
             WHERE note IS NOT NULL AND used_at IS NOT NULL AND used_at >= ?1 ORDER BY used_at DESC LIMIT ?2",
        )?;
        let limit = limit.min(LIST_LIMIT_MAX) as i64;
        let rows = statement.query_map(params![since.micros(), limit], |row| Ok((time(row, 0)?, text(row, 1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Tx<'_> {
    /// Notes with a lease what it is for, so that it can be told for a day after its use.
    ///
    /// # Errors
    /// What the disk said.
    pub fn lease_note(&mut self, hash: &Digest, note: &str) -> Result<(), StoreError> {
        let mut statement = self.conn().prepare_cached("UPDATE leases SET note = ?2 WHERE hash = ?1")?;
        statement.execute(params![hash.bytes().as_slice(), note])?;
        Ok(())
    }

    /// Gives a lease. One that stands on a yes needs that yes to be good and for this plan, and to have no other lease
    /// that is; one made from another has no wider scopes and no longer life.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when any of that does not hold.
    pub fn lease_issue(&mut self, new: &NewLease) -> Result<(), StoreError> {
        let now = self.now();
        let mut expires_at = new.expires_at;
        if let Some(id) = new.approval_id {
            let approval = self.approval(id)?.ok_or_else(refused)?;
            let good = approval.standing(now) == timmy_domain::approval::ApprovalStatus::Approved;
            if !good || approval.plan_hash != Some(new.plan_hash) || approval.plan.is_none() {
                return Err(refused());
            }
            expires_at = expires_at.min(approval.expires_at);
            // A yes is good for one time, so an earlier lease that was not used ends here.
            self.conn()
                .prepare_cached("UPDATE leases SET revoked_at = ?2 WHERE approval_id = ?1 AND used_at IS NULL")?
                .execute(params![id.to_string(), now.micros()])?;
        }
        if let Some(parent) = &new.parent {
            let parent = self.lease(parent)?.ok_or_else(refused)?;
            let wider = new.scopes.iter().any(|scope| !parent.scopes.contains(scope));
            if wider || parent.revoked_at.is_some() || parent.expires_at <= now {
                return Err(refused());
            }
            expires_at = expires_at.min(parent.expires_at);
        }
        self.conn()
            .prepare_cached(
                "INSERT INTO leases (hash, plan_hash, approval_id, rule_id, parent, scopes, issued_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                new.hash.bytes().as_slice(),
                new.plan_hash.to_string(),
                new.approval_id.map(|id| id.to_string()),
                new.rule_id.map(|id| id.to_string()),
                new.parent.map(|hash| hash.bytes().to_vec()),
                new.scopes.join(" "),
                now.micros(),
                expires_at.micros(),
            ])?;
        Ok(())
    }

    /// Uses the lease whose secret has this `hash` for the plan `plan_hash`: once, in time, for that plan alone. The
    /// yes it stands on is consumed in the same transaction.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for anything else, always in the same words.
    pub fn lease_use(&mut self, hash: &Digest, plan_hash: &PlanHash, scope: &str) -> Result<(), StoreError> {
        let now = self.now();
        let lease = self.lease(hash)?.ok_or_else(refused)?;
        let fits = lease.plan_hash == Some(*plan_hash)
            && lease.used_at.is_none()
            && lease.revoked_at.is_none()
            && lease.expires_at > now
            && lease.scopes.iter().any(|known| known == scope);
        if !fits {
            return Err(refused());
        }
        let changed = self
            .conn()
            .prepare_cached(
                "UPDATE leases SET used_at = ?2 WHERE hash = ?1 AND used_at IS NULL AND revoked_at IS NULL",
            )?
            .execute(params![hash.bytes().as_slice(), now.micros()])?;
        if changed == 0 {
            return Err(refused());
        }
        if let Some(id) = lease.approval_id {
            let decision = Decision { act: Act::Consume, actor: Actor::Timmy, through: String::new(), reason: None };
            self.approval_decide(id, &decision, now).map_err(|_| refused())?;
        }
        Ok(())
    }

    /// Removes leases that ended before `before`; answers how many.
    ///
    /// # Errors
    /// What the disk said.
    pub fn prune_leases(&mut self, before: Timestamp) -> Result<usize, StoreError> {
        let mut statement = self.conn().prepare_cached("DELETE FROM leases WHERE expires_at < ?1")?;
        Ok(statement.execute([before.micros()])?)
    }
}
