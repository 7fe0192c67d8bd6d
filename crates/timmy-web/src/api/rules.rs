//! The owner's rules for programs, and what the policy would say.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::trust::policy::Surroundings;
use timmy_core::trust::rules::Wanted;
use timmy_domain::digest::Digest;
use timmy_domain::plan::{FileTouch, How, Place, Plan};
use timmy_domain::policy::rule::{RULE_DAYS, RULE_USES, Rule, Shape};
use timmy_domain::risk::RiskClass;
use timmy_domain::{Problem, RuleId, Timestamp};
use utoipa::ToSchema;

use super::{created, json as answer};
use crate::ask::{Fields, Named};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

/// A rule as it travels.
pub(crate) fn shown(rule: &Rule, now: Timestamp) -> Value {
    json!({
        "id": rule.id,
        "title": rule.title,
        "shape": rule.shape,
        "task_id": rule.task_id,
        "tier_min": rule.tier_min,
        "live": rule.is_live(now),
        "created_at": rule.created_at,
        "created_by": rule.created_by,
        "expires_at": rule.expires_at,
        "max_uses": rule.max_uses,
        "uses": rule.uses,
        "used_at": rule.used_at,
        "revoked_at": rule.revoked_at,
    })
}

/// `GET /api/rules`: newest first, also those that ended.
pub async fn rules(State(web): State<Web>, _: Visit) -> Answer {
    let now = web.app.ctx.now();
    let items: Vec<Value> = web.app.rules.list().await?.iter().map(|rule| shown(rule, now)).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// A rule to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RuleToMake)]
pub struct New {
    /// The tool.
    #[schema(min_length = 1, examples("shell"))]
    tool: String,
    /// The program, as its resolved path; left out for tools that run none.
    #[schema(examples("/usr/bin/cargo"))]
    exe: Option<String>,
    /// The words that follow the program, in order; at most 32.
    #[serde(default)]
    words: Vec<String>,
    /// Whether more words may follow.
    #[serde(default)]
    more_words: bool,
    /// Folders of which one holds each file that is touched; at most 32.
    #[serde(default)]
    folders: Vec<String>,
    /// Hosts that may be spoken to; at most 32.
    #[serde(default)]
    hosts: Vec<String>,
    /// SHA-256 of how a tool of others describes itself, as its plan names it; left out for tools of the house.
    #[schema(pattern = "^[0-9a-fA-F]{64}$")]
    described_sha256: Option<String>,
    /// Only within this task.
    task_id: Option<String>,
    /// The sandbox tier it needs at least; 2 when left out.
    #[schema(minimum = 0, maximum = 3)]
    tier_min: Option<u8>,
    /// Days it lasts, at most and usually 90.
    #[schema(minimum = 1, maximum = 90)]
    days: Option<u64>,
    /// How often it may be used, at most and usually 1,000.
    #[schema(minimum = 1, maximum = 1000)]
    max_uses: Option<u32>,
}

fn described(text: &str) -> Result<Digest, Problem> {
    text.parse().map_err(|_| {
        Problem::invalid("bad_rule", "`described_sha256` is no SHA-256.", "Take it from the plan, or leave it out.")
    })
}

impl New {
    fn wanted(self) -> Result<Wanted, Problem> {
        if self.tool.is_empty() || self.tier_min.is_some_and(|tier| tier > 3) {
            return Err(Problem::invalid("bad_rule", "A rule names a tool and a tier up to 3.", "Say which tool."));
        }
        if !self.days.is_none_or(|days| (1..=RULE_DAYS).contains(&days))
            || !self.max_uses.is_none_or(|uses| (1..=RULE_USES).contains(&uses))
        {
            let bounds = format!("A rule lasts 1 to {RULE_DAYS} days and is used 1 to {RULE_USES} times.");
            return Err(Problem::invalid("bad_rule", bounds, "Leave them out for the most."));
        }
        let shape = Shape {
            tool: self.tool,
            exe: self.exe,
            words: self.words,
            more_words: self.more_words,
            folders: self.folders,
            hosts: self.hosts,
            described_sha256: self.described_sha256.as_deref().map(described).transpose()?,
        };
        let tier_min = self.tier_min.unwrap_or(timmy_domain::policy::UNTRUSTED_TIER_MIN);
        Ok(Wanted { shape, task_id: self.task_id, tier_min, days: self.days, max_uses: self.max_uses })
    }
}

/// `POST /api/rules`.
pub async fn create(State(web): State<Web>, visit: Visit, Fields(new): Fields<New>) -> Answer {
    let rule = web.app.rules.create(new.wanted()?, &visit.who.principal.name).await?;
    Ok(created(&shown(&rule, web.app.ctx.now())))
}

/// `POST /api/rules/preview`: the questions of the past thirty days that such a rule would have answered.
pub async fn preview(State(web): State<Web>, _: Visit, Fields(new): Fields<New>) -> Answer {
    let now = web.app.ctx.now();
    let asked = web.app.rules.preview(&new.wanted()?.shape).await?;
    let items: Vec<Value> = asked.iter().map(|approval| super::approvals::shown(approval, now)).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// `POST /api/rules/{id}/revoke`.
pub async fn revoke(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let id: RuleId = name.0.parse().map_err(|_| super::approvals::no_rule(&name))?;
    web.app.rules.revoke(id, &visit.who.principal.name).await?;
    Ok(answer(&json!({"id": id, "revoked": true})))
}

/// `GET /api/rules/suggestions`: shapes the owner said yes to five times or more, and never no.
pub async fn suggestions(State(web): State<Web>, _: Visit) -> Answer {
    Ok(answer(&json!({"items": web.app.rules.suggestions().await?, "next": null})))
}

/// An act to explain.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ActToExplain)]
pub struct Explain {
    /// The tool.
    #[schema(examples("shell"))]
    tool: Option<String>,
    /// What kind of act it is; `execute` with arguments, else `read`.
    #[schema(pattern = "^(read|compute|write_own|write_granted|execute|network_read|network_write|spend|governance)$")]
    class: Option<String>,
    /// The program and its arguments.
    #[serde(default)]
    argv: Vec<String>,
    /// The folder it happens in, as an absolute path; taken as Timmy's own.
    cwd: Option<String>,
    /// Files that are changed.
    #[serde(default)]
    files: Vec<String>,
    /// Hosts that are spoken to.
    #[serde(default)]
    hosts: Vec<String>,
}

/// `POST /api/policy/explain`: what would be decided about an act, and why. Nothing is done and nothing looked up, so
/// links are not followed.
pub async fn explain(State(web): State<Web>, _: Visit, Fields(act): Fields<Explain>) -> Answer {
    let usual = if act.argv.is_empty() { "read" } else { "execute" };
    let word = act.class.as_deref().unwrap_or(usual);
    let class = RiskClass::ALL.into_iter().find(|class| class.name() == word).ok_or_else(|| {
        Problem::invalid("bad_class", format!("{usual} and the like are kinds of acts; this is none."), "Leave it out.")
    })?;
    let now = web.app.ctx.now();
    let mut plan = Plan::new(act.tool.unwrap_or_else(|| "shell".to_owned()), class, Value::Null, "explain", now);
    plan.argv = act.argv;
    plan.hosts = act.hosts;
    let touch = |path| FileTouch { path, dev: 0, inode: 0, how: How::Write, before_sha256: None };
    plan.files = act.files.into_iter().map(touch).collect();
    let own: Vec<String> = act.cwd.iter().cloned().collect();
    plan.cwd = act.cwd.map(|path| Place { path, dev: 0, inode: 0 });
    let around = Surroundings { tier: 3, own, ..Surroundings::default() };
    Ok(answer(&web.app.policy.judge(&plan, around).await?))
}
