//! The policy at work: judges a plan, and gives a lease, asks, or refuses. Nothing else gives leases.

use std::time::Duration;

use serde_json::Value;
use timmy_domain::approval::{Approval, ApprovalStatus, NewApproval, Subject, TITLE_CHARS_MAX};
use timmy_domain::event::{PolicyAllowed, PolicyDenied};
use timmy_domain::plan::Plan;
use timmy_domain::policy::{Context, Denial, Resolved, Verdict, judge, rule, show};
use timmy_domain::risk::{Assessment, Band};
use timmy_domain::text::cut;
use timmy_domain::{Actor, ApprovalId, Digest, NewEvent, Problem, RuleId, Secret, Seq};
use timmy_store::NewLease;

use super::approvals::Approvals;
use super::digest::Ruled;
use super::rules::past;
use crate::chance::hex;
use crate::ctx::Ctx;
use crate::quiet;

/// Minutes a lease is good.
pub const LEASE_MINUTES: u64 = 10;

/// What was looked up about the world right before judging.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The sandbox tier measured at start.
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
    /// Whether the spending is over its limit.
    pub over_limit: bool,
}

/// What Timmy may do about a plan.
#[derive(Debug)]
pub enum Permission {
    /// Carry it out, once, with this secret, within [`LEASE_MINUTES`].
    Go(Secret),
    /// Wait for this question to be answered.
    Wait(Box<Approval>),
    /// Let it be.
    No(Denial),
}

/// The policy. Cheap to clone.
#[derive(Clone)]
pub struct Policy {
    ctx: Ctx,
    approvals: Approvals,
}

impl Policy {
    /// The policy over `ctx`.
    #[must_use]
    pub fn new(ctx: Ctx) -> Self {
        Self { approvals: Approvals::new(ctx.clone()), ctx }
    }

    async fn context(&self, plan: &Plan, around: Surroundings) -> Result<Context, Problem> {
        let (now, shape) = (self.ctx.now(), shape_json(plan));
        let read = self.ctx.store.read(move |r| {
            let answers = if shape.is_some() { r.approval_answers(past(now))? } else { Vec::new() };
            Ok((
                r.live_rules(now)?,
                answers.into_iter().filter(|a| Some(&a.shape) == shape.as_ref()).collect::<Vec<_>>(),
            ))
        });
        let (rules, answers) = read.await.map_err(|e| e.problem())?;
        let yes = |status| matches!(status, ApprovalStatus::Approved | ApprovalStatus::Consumed);
        let no = |status| matches!(status, ApprovalStatus::Rejected | ApprovalStatus::Revoked);
        Ok(Context {
            golden: self.ctx.settings.trust.golden_timmy,
            tier: around.tier,
            own: around.own,
            granted: around.granted,
            home: around.home,
            user_home: around.user_home,
            guarded: around.guarded,
            resolved: around.resolved,
            known_hosts: around.known_hosts,
            prior_approvals: answers.iter().filter(|a| yes(a.status)).count().try_into().unwrap_or(u32::MAX),
            regretted: answers.iter().any(|a| no(a.status)),
            off_hours: quiet::until(&self.ctx.settings.thinking, self.ctx.clock.as_ref(), now).is_some(),
            over_limit: around.over_limit,
            rules,
            now,
        })
    }

    /// What would be decided about `plan`, and why. Changes nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn judge(&self, plan: &Plan, around: Surroundings) -> Result<Verdict, Problem> {
        Ok(judge(plan, &self.context(plan, around).await?))
    }

    /// Decides about `plan`: gives a lease, asks the owner about `subject`, or refuses and tells it.
    ///
    /// # Errors
    /// When too many questions wait, or the store fails.
    pub async fn permit(
        &self,
        plan: &Plan,
        around: Surroundings,
        subject: Subject,
        cause: Option<Seq>,
    ) -> Result<Permission, Problem> {
        match self.judge(plan, around).await? {
            Verdict::Auto { risk, rule } => self.lease(plan, None, rule.zip(Some(risk))).await.map(Permission::Go),
            Verdict::Ask { risk, because, .. } => {
                let new = NewApproval {
                    subject,
                    title: title(plan),
                    description: because,
                    proposed_action: action(plan),
                    plan: Some(plan.clone()),
                    risk,
                    expires_at: None,
                    by: Actor::Timmy,
                    cause,
                };
                self.approvals.ask(new, shape_json(plan)).await.map(|asked| Permission::Wait(Box::new(asked)))
            }
            Verdict::Deny { denial, .. } => {
                let body = PolicyDenied {
                    tool: plan.tool.clone(),
                    rule: denial.rule.to_owned(),
                    why: cut(&denial.why, TITLE_CHARS_MAX),
                    plan_hash: plan.hash(),
                };
                let event = NewEvent::new("policy", body).by(Actor::Timmy).caused_by(cause);
                self.ctx.store.append(vec![event]).await.map_err(|e| e.problem())?;
                Ok(Permission::No(denial))
            }
        }
    }

    /// The lease for a plan the owner said yes to. An earlier one for the same yes is no longer good.
    ///
    /// # Errors
    /// When the yes is not good, not for this plan, or used.
    pub async fn lease_for(&self, approval: ApprovalId, plan: &Plan) -> Result<Secret, Problem> {
        self.lease(plan, Some(approval), None).await
    }

    async fn lease(
        &self,
        plan: &Plan,
        approval: Option<ApprovalId>,
        ruled: Option<(RuleId, Assessment)>,
    ) -> Result<Secret, Problem> {
        let rule = ruled.as_ref().map(|(rule, _)| *rule);
        let secret = Secret::new(hex(&self.ctx.chance.bytes::<32>()));
        let new = NewLease {
            hash: Digest::of(secret.expose().as_bytes()),
            plan_hash: plan.hash(),
            approval_id: approval,
            rule_id: rule,
            parent: None,
            scopes: vec![plan.class.name().to_owned()],
            expires_at: self.ctx.now().plus(Duration::from_secs(LEASE_MINUTES * 60)),
        };
        // What is milder is nobody's concern, and what is riskier no rule lets run.
        let ruled = ruled.filter(|(_, risk)| risk.band == Band::Undoable);
        let ruled = ruled.map(|(rule, risk)| Ruled::of(plan, title(plan), rule, &risk));
        let given = self.ctx.store.write(move |tx| {
            if let Some(rule) = rule
                && !tx.rule_use(rule)?
            {
                return Err(
                    Problem::conflict("rule_over", "The rule has just ended.", "It is asked for instead.").into()
                );
            }
            tx.lease_issue(&new)?;
            if let Some(ruled) = ruled {
                tx.lease_note(&new.hash, &serde_json::to_string(&ruled).unwrap_or_default())?;
                tx.append(allowed(ruled))?;
            }
            Ok(())
        });
        given.await.map_err(|e| e.problem()).map(|()| secret)
    }

    /// Uses a lease for `plan`, right before it is carried out: once, in time, and for exactly these bytes. The yes it
    /// stands on is consumed with it.
    ///
    /// # Errors
    /// Always the same refusal, whatever is wrong with it; or when the store fails.
    pub async fn redeem(&self, secret: &Secret, plan: &Plan) -> Result<(), Problem> {
        let (hash, plan_hash, scope) = (Digest::of(secret.expose().as_bytes()), plan.hash(), plan.class.name());
        self.ctx.store.write(move |tx| tx.lease_use(&hash, &plan_hash, scope)).await.map_err(|e| e.problem())
    }
}

/// The event of something that a rule lets run.
fn allowed(ruled: Ruled) -> NewEvent {
    let Ruled { title, tool, risk, rule_id, task_id, plan_hash, .. } = ruled;
    let body = PolicyAllowed { tool, title, risk, rule_id, plan_hash, task_id: task_id.clone() };
    NewEvent { task_id, ..NewEvent::new("policy", body).by(Actor::Timmy) }
}

/// The shape of `plan` as it is stored with its question.
fn shape_json(plan: &Plan) -> Option<String> {
    let shape = serde_json::to_value(rule::shape(plan)?).ok()?;
    Some(timmy_domain::digest::canonical(&shape))
}

/// The question in one line, made from the plan and never from what a model says about it.
#[must_use]
pub fn title(plan: &Plan) -> String {
    if plan.argv.is_empty() {
        let touched = plan.files.first().map(|file| format!("{} {}", file.how.name(), show::arg(&file.path)));
        let host = plan.hosts.first().map(|host| show::arg(host));
        if let Some(file) = plan.files.first().filter(|_| plan.tool == "write_file") {
            let how = if file.how.name() == "create" { "Create" } else { "Change" };
            return cut(&format!("{how} {}", show::arg(&file.path)), TITLE_CHARS_MAX);
        }
        let what = touched.or(host).unwrap_or_default();
        return cut(&format!("{} {what}", plan.tool), TITLE_CHARS_MAX);
    }
    cut(&format!("Run {}", show::args(&plan.argv)), TITLE_CHARS_MAX)
}

/// What will be done, made from the plan: the command, its folder, the tool's arguments.
#[must_use]
pub fn action(plan: &Plan) -> String {
    let mut lines = Vec::new();
    if !plan.argv.is_empty() {
        lines.push(show::args(&plan.argv));
    }
    if let Some(exe) = &plan.exe {
        lines.push(format!("program: {} (sha256 {})", show::arg(&exe.path), exe.sha256.short()));
    }
    if let Some(cwd) = &plan.cwd {
        lines.push(format!("in {}", show::arg(&cwd.path)));
    }
    if plan.argv.is_empty() && plan.args != Value::Null {
        let args = timmy_domain::digest::canonical(&plan.args);
        lines.push(format!("{} {}", plan.tool, cut(&show::words(&args), 2_000)));
    }
    lines.join("\n")
}
