//! Rules by which the owner lets things happen without being asked. A rule is revoked, never changed.

use rusqlite::{Row, params};
use serde_json::{Value, json};
use timmy_domain::policy::rule::{RULES_MAX, Rule, Shape};
use timmy_domain::{Actor, NewEvent, Problem, RuleId, Timestamp, event};

use crate::row::{id, optional_time, readable, text, time};
use crate::{Reader, StoreError, Tx};

/// A rule about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRule {
    /// What it allows, exactly.
    pub shape: Shape,
    /// Only within this task; `None` for all.
    pub task_id: Option<String>,
    /// The sandbox tier it needs at least.
    pub tier_min: u8,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How often it may be used.
    pub max_uses: u32,
    /// The key through which the owner makes it.
    pub through: String,
}

/// `None` when the row cannot be read: what is not understood allows nothing.
fn rule(row: &Row<'_>) -> rusqlite::Result<Option<Rule>> {
    let body: Value = serde_json::from_str(&text(row, 2)?).unwrap_or_default();
    let (Some(own_id), Ok(shape)) = (id(row, 0)?, serde_json::from_value::<Shape>(body["shape"].clone())) else {
        return Ok(None);
    };
    let Some(tier_min) = body["tier_min"].as_u64().and_then(|tier| u8::try_from(tier).ok()) else { return Ok(None) };
    Ok(Some(Rule {
        id: own_id,
        title: text(row, 1)?,
        shape,
        task_id: body["task_id"].as_str().map(str::to_owned),
        tier_min,
        created_at: time(row, 3)?,
        created_by: text(row, 4)?,
        expires_at: time(row, 5)?,
        max_uses: row.get(6)?,
        uses: row.get(7)?,
        used_at: optional_time(row, 8)?,
        revoked_at: optional_time(row, 9)?,
    }))
}

const RULE: &str =
    "SELECT id, title, rule, created_at, created_by, expires_at, max_uses, uses, used_at, revoked_at FROM rules";

impl Reader<'_> {
    /// All rules, also those that ended, newest first, at most a thousand.
    ///
    /// # Errors
    /// What the disk said.
    pub fn rules(&self) -> Result<Vec<Rule>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!("{RULE} ORDER BY id DESC LIMIT 1000"))?;
        let rows = statement.query_map([], rule)?;
        Ok(readable(rows, "rules")?)
    }

    /// The rules that are good at `now`, oldest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn live_rules(&self, now: Timestamp) -> Result<Vec<Rule>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!(
            "{RULE} WHERE revoked_at IS NULL AND expires_at > ?1 AND uses < max_uses ORDER BY id LIMIT ?2"
        ))?;
        let rows = statement.query_map(params![now.micros(), RULES_MAX as i64], rule)?;
        Ok(readable(rows, "rules")?)
    }
}

impl Tx<'_> {
    /// Makes a rule of the owner, and tells it.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when `actor` is not the owner or the shape cannot be a rule; [`StoreError::Full`] when
    /// there are too many.
    pub fn rule_create(&mut self, new: &NewRule, actor: &Actor) -> Result<Rule, StoreError> {
        if *actor != Actor::Owner {
            return Err(owner_only("make"));
        }
        if let Some(why) = new.shape.refusal() {
            return Err(StoreError::Refused(Problem::invalid(
                "rule_refused",
                format!("This cannot be a rule: {why}."),
                "Make it narrower, or decide each time.",
            )));
        }
        let now = self.now();
        if self.live_rules(now)?.len() >= RULES_MAX {
            return Err(StoreError::Full { what: "rules", max: RULES_MAX });
        }
        let made = Rule {
            id: self.new_rule_id(),
            title: timmy_domain::text::cut(&new.shape.line(), 200),
            shape: new.shape.clone(),
            task_id: new.task_id.clone(),
            tier_min: new.tier_min,
            created_at: now,
            created_by: format!("{actor}:{}", new.through),
            expires_at: new.expires_at,
            max_uses: new.max_uses,
            uses: 0,
            used_at: None,
            revoked_at: None,
        };
        let body = json!({"shape": made.shape, "task_id": made.task_id, "tier_min": made.tier_min}).to_string();
        self.conn()
            .prepare_cached(
                "INSERT INTO rules (id, title, rule, created_at, created_by, expires_at, max_uses)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                made.id.to_string(),
                made.title,
                body,
                now.micros(),
                made.created_by,
                made.expires_at.micros(),
                made.max_uses
            ])?;
        let told = event::RuleCreated { rule_id: made.id, title: made.title.clone(), by: made.created_by.clone() };
        self.append(NewEvent::new("policy", told).by(actor.clone()))?;
        Ok(made)
    }

    /// Takes the rule `id` back, and tells it. A rule that was taken back before stays so.
    ///
    /// # Errors
    /// [`StoreError::Unknown`] when there is none; [`StoreError::Refused`] when `actor` is not the owner.
    pub fn rule_revoke(&mut self, id: RuleId, actor: &Actor, through: &str) -> Result<(), StoreError> {
        if *actor != Actor::Owner {
            return Err(owner_only("take back"));
        }
        let Some(rule) = self.rules()?.into_iter().find(|rule| rule.id == id) else {
            return Err(StoreError::Unknown { what: format!("rule {id}") });
        };
        let (now, by) = (self.now(), format!("{actor}:{through}"));
        let changed = self
            .conn()
            .prepare_cached("UPDATE rules SET revoked_at = ?2, revoked_by = ?3 WHERE id = ?1 AND revoked_at IS NULL")?
            .execute(params![id.to_string(), now.micros(), by])?;
        if changed > 0 {
            let told = event::RuleRevoked { rule_id: id, title: rule.title, by };
            self.append(NewEvent::new("policy", told).by(actor.clone()))?;
        }
        Ok(())
    }

    /// Counts one use of the rule `id`; answers whether it was still good.
    ///
    /// # Errors
    /// What the disk said.
    pub fn rule_use(&mut self, id: RuleId) -> Result<bool, StoreError> {
        let now = self.now().micros();
        let mut statement = self.conn().prepare_cached(
            "UPDATE rules SET uses = uses + 1, used_at = ?2
             WHERE id = ?1 AND revoked_at IS NULL AND expires_at > ?2 AND uses < max_uses",
        )?;
        Ok(statement.execute(params![id.to_string(), now])? > 0)
    }
}

fn owner_only(verb: &str) -> StoreError {
    StoreError::Refused(Problem::new(
        timmy_domain::problem::Kind::Forbidden,
        "owner_only",
        format!("Only the owner can {verb} a rule. Nothing was changed."),
        "Do it on the page Approvals, or with `timmy approvals rules`.",
    ))
}
