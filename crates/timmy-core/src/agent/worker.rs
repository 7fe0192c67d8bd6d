//! The worker of runs: does what the machine says, and writes the run down before and after each step.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use timmy_domain::approval::{ApprovalStatus, Subject};
use timmy_domain::event::{ToolCalled, ToolCompleted, ToolFailed};
use timmy_domain::plan::{Plan, PlanHash, Taint};
use timmy_domain::problem::Kind;
use timmy_domain::risk::RiskClass;
use timmy_domain::task::Task;
use timmy_domain::task::step::Outcome;
use timmy_domain::text::cut;
use timmy_domain::thought::Place;
use timmy_domain::{Actor, ApprovalId, NewEvent, Problem, Secret, Sensitivity};
use timmy_llm::{Answer, Failure};
use timmy_store::{NewArtifact, StoreError};
use timmy_tools::ToolError;
use timmy_tools::mcp::Hub;
use timmy_tools::tool::outcome::Outcome as Told;
use timmy_tools::tool::scope::Grants;
use timmy_tools::tool::{Running, Scope, ToolSpec, Toolbox};
use timmy_tools::tools::fetch::Internet;
use tokio::time::Instant;

use super::machine::{Call, Effect, Ended, Phase, Reply, Run};
use super::profile::{self, Profile};
use super::{around, away, own, prompt};
use crate::chance::hex;
use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::scene::date_words;
use crate::toolservers::overheard;
use crate::trust::approvals::Approvals;
use crate::trust::policy::{Permission, Policy};
use crate::work::processor::{Handler, Job};
use crate::work::queue::Queue;

/// The kinds of tasks that become runs.
const KINDS: [&str; 5] = ["task_request", "external", "internal", "escalation", "chat_response"];
/// Seconds one answer of the model may take.
const MODEL_SECONDS: u64 = 180;
/// Seconds one call of a tool may take.
const TOOL_SECONDS: u64 = 120;
/// Hours a plan is good: longer than a question to the owner, so that a late yes still fits it.
const PLAN_HOURS: u64 = 7 * 24 + 1;
/// Tools that may be carried out again after a crash: the same plan has its effect once.
const ONCE_ONLY: [&str; 3] = ["write_file", "task_add", "task_change"];
/// The source of the receipts.
const SOURCE: &str = "agent";
/// Files that a receipt names.
const FILES_TOLD_MAX: usize = 20;

/// Does tasks with a model and tools.
pub struct Agent {
    ctx: Ctx,
    policy: Policy,
    approvals: Approvals,
    toolbox: Toolbox,
    servers: Hub,
    home: PathBuf,
    user_home: Option<PathBuf>,
    price: fn(&Answer) -> u64,
}

/// What an answer cost with all its attempts, in millionths of a US dollar, by the prices of the router.
#[must_use]
pub fn cost_micros(answer: &Answer) -> u64 {
    answer.cost_micros
}

/// What came of an effect, with what is to be written down; or a fault of the house.
type Performed = Result<(Reply, Receipt), Problem>;

/// A problem that the model may hear of; one of the house, such as a full disk, is none of its business.
fn heard(problem: Problem) -> Result<Problem, Problem> {
    if problem.kind == Kind::Unavailable { Err(problem) } else { Ok(problem) }
}

/// A lease in the hand, and the plan it is for.
type Held = Option<(PlanHash, Secret)>;

impl Agent {
    /// An agent over `ctx`. `user_home` is what `~` stands for.
    #[must_use]
    pub fn new(ctx: Ctx, queue: &Queue, user_home: Option<PathBuf>, servers: Hub) -> Self {
        let mut toolbox = timmy_tools::tools::all(Arc::new(Internet));
        for tool in own::all(queue) {
            // A name that is taken is found by a test.
            let _ = toolbox.add(tool);
        }
        let home = ctx.mind_dir.parent().map(Path::to_owned).unwrap_or_default();
        let (policy, approvals) = (Policy::new(ctx.clone()), Approvals::new(ctx.clone()));
        Self { policy, approvals, toolbox, servers, home, user_home, price: cost_micros, ctx }
    }

    /// The same with another price of an answer, in millionths of a US dollar.
    #[must_use]
    pub fn priced(self, price: fn(&Answer) -> u64) -> Self {
        Self { price, ..self }
    }

    /// The tools of the house, and those of the servers that are there now.
    fn tools(&self) -> Toolbox {
        let mut tools = self.toolbox.clone();
        for tool in self.servers.tools() {
            // Of two of one name the first stays, so none takes the place of one of the house.
            let _ = tools.add(tool);
        }
        tools
    }

    /// The folders that tools may work in, as they are now.
    async fn grants(&self) -> Arc<Grants> {
        let (settings, user_home, home) = (self.ctx.settings.tools.clone(), self.user_home.clone(), self.home.clone());
        let looked = tokio::task::spawn_blocking(move || settings.grants(user_home.as_deref(), &[&home]).0);
        Arc::new(looked.await.unwrap_or_default())
    }

    /// The tools that could do anything now: a small model does better with few.
    fn offered<'t>(&self, tools: &'t Toolbox, grants: &Grants) -> Vec<&'t ToolSpec> {
        let in_folders = ["list_files", "read_file", "search_files", "write_file", "run_command"];
        let fits = |spec: &&ToolSpec| {
            let needs_folder = in_folders.contains(&spec.name.as_str()) || spec.name.starts_with("git_");
            (!needs_folder || !grants.folders().is_empty())
                && (spec.name != "fetch_page" || self.ctx.settings.tools.fetch)
        };
        tools.specs().filter(fits).collect()
    }

    async fn load(&self, task: &Task) -> Result<(Run, bool), StoreError> {
        let (id, parent) = (task.id, task.parent_task_id);
        // What is sent back, and what is to be undone, tells of what another run read.
        let own_words = task.created_by == Actor::Owner.to_string() && parent.is_none();
        let read = self.ctx.store.read(move |r| Ok((r.run_state(id)?, parent.map(|id| r.run_state(id)).transpose()?)));
        let (own, parent) = read.await?;
        let run = |text: Option<String>| text.and_then(|text| serde_json::from_str::<Run>(&text).ok());
        // A run of another version begins anew; what it did is in the log.
        Ok(run(own).map_or_else(
            || (Run { taint: inherited(own_words, run(parent.flatten())), ..Run::default() }, false),
            |run| (run, true),
        ))
    }

    async fn save(&self, job: &Job, run: &Run, told: Receipt) -> Result<(), Problem> {
        let state = serde_json::to_string(run).unwrap_or_default();
        let (id, holder) = (job.taken.task.id, job.taken.holder.clone());
        let saved = self.ctx.store.write(move |tx| {
            for thing in &told.artifacts {
                tx.keep_artifact(id, thing)?;
            }
            for event in told.events {
                tx.append(event)?;
            }
            if !told.evidence.is_empty() || told.failed.is_some() {
                tx.task_prove(id, &holder, &told.evidence, told.failed.as_deref())?;
            }
            tx.set_run_state(id, &state)
        });
        saved.await.map_err(|e| e.problem())
    }

    async fn run(&self, job: &Job) -> Outcome {
        let (mut run, mut found) = match self.load(&job.taken.task).await {
            Ok(loaded) => loaded,
            Err(error) => return Outcome::Transient(error.to_string()),
        };
        let mut held: Held = None;
        loop {
            if job.stop.is_cancelled() {
                return Outcome::Interrupted;
            }
            let effect = run.next(found);
            found = false;
            if let Effect::Finish(outcome) = effect {
                return outcome;
            }
            let (reply, receipt) = match self.perform(job, &run, effect, &mut held).await {
                Ok(done) => done,
                // The house is at fault, not the call: the model hears nothing of it, and the run stays where it stood.
                Err(problem) => return Outcome::Transient(problem.message),
            };
            let (waits, question) = match &reply {
                Reply::NotYet => (true, "the owner has not answered yet".to_owned()),
                Reply::Asked { plan, .. } => (true, crate::trust::policy::title(plan)),
                _ => (false, String::new()),
            };
            run.take(reply);
            // What is taken up again later goes on from here; only what is done stays over.
            let ended = run.outcome.clone().filter(|ended| !matches!(ended, Ended::Done(_)));
            if ended.is_some() {
                run = run.resumed();
            }
            if let Err(problem) = self.save(job, &run, receipt).await {
                return Outcome::Transient(problem.message);
            }
            match ended {
                Some(Ended::Stuck(why)) => return Outcome::Permanent(why),
                Some(Ended::Later(why)) if self.ctx.cascade.has_model() => return Outcome::Transient(why),
                Some(Ended::Later(why)) => return Outcome::Postponed(why),
                _ if waits => return Outcome::Waits(question),
                _ => {}
            }
        }
    }

    async fn perform(&self, job: &Job, run: &Run, effect: Effect, held: &mut Held) -> Performed {
        Ok(match effect {
            Effect::AskModel => {
                job.note("asks the model").await;
                (self.ask(job, run).await, Receipt::default())
            }
            Effect::Judge(call) => {
                job.note(&format!("wants {}", call.tool)).await;
                self.judge(job, run, &call, held).await?
            }
            Effect::Look { approval, plan } => (self.look(approval, plan, held).await?, Receipt::default()),
            Effect::Do { plan, .. } => {
                job.note(&format!("uses {}", plan.tool)).await;
                self.carry_out(job, &plan, held).await?
            }
            Effect::Recover { plan, approval } => self.recover(job, run, plan, approval, held).await?,
            Effect::Finish(_) => (Reply::NotYet, Receipt::default()),
        })
    }

    async fn ask(&self, job: &Job, run: &Run) -> Reply {
        let grants = self.grants().await;
        let toolbox = self.tools();
        let tools = self.offered(&toolbox, &grants);
        let when = date_words(self.ctx.clock.as_ref(), self.ctx.now());
        // What tools read is of watched folders' kind: it stays here unless the owner lets those leave.
        let label = self.ctx.settings.privacy.folders();
        let profile = self.profile(&job.taken.task, label).await;
        if run.model_calls >= profile.calls_max {
            return Reply::Enough(profile.calls_max);
        }
        let cost_max = self.ctx.settings.trust.run_cost_micros_max;
        if run.cost_micros > 0 && run.cost_micros >= cost_max {
            return Reply::Spent(cost_max);
        }
        let request = prompt::request(&job.taken.task, run, &tools, &when, label, profile);
        let call = timmy_llm::Call {
            cancel: job.stop.clone(),
            deadline: Instant::now() + Duration::from_secs(MODEL_SECONDS),
            first_word_by: None,
            deltas: None,
            manner: timmy_llm::Manner { task: job.taken.task.id.to_string(), ..timmy_llm::Manner::default() },
        };
        match self.ctx.ask_for(&job.taken.task.assigned_to, "task", &request, &call).await {
            Ok(answer) if answer.place == Place::Reflex => {
                Reply::Silent("no model answers, and reflex does no tasks".to_owned())
            }
            Ok(answer) => {
                let cost_micros = (self.price)(&answer);
                Reply::Said {
                    text: answer.content,
                    calls: answer
                        .tool_calls
                        .into_iter()
                        .map(|call| Call { id: call.id, tool: call.name, arguments: call.arguments })
                        .collect(),
                    tokens: answer.usage.prompt_tokens + answer.usage.completion_tokens,
                    cost_micros,
                }
            }
            Err(error) => Reply::Silent(cut(&error.to_string(), 300)),
        }
    }

    /// How the model is asked that would answer now for the agent of `task`, who may have one of his own.
    async fn profile(&self, task: &Task, label: Sensitivity) -> Profile {
        let wish = self.ctx.wish_of(&task.assigned_to).await;
        let would = self.ctx.cascade.explain(&prompt::sounding(wish, label));
        let first = would.into_iter().find(|attempt| attempt.failure == Failure::NothingToSay);
        first.map_or(profile::FULL, |attempt| profile::of(&attempt.model))
    }

    async fn judge(&self, job: &Job, run: &Run, call: &Call, held: &mut Held) -> Performed {
        let grants = self.grants().await;
        let scope = Scope {
            grants: Arc::clone(&grants),
            fetch: self.ctx.settings.tools.fetch,
            nonce: hex(&self.ctx.chance.bytes::<16>()),
            expires_at: self.ctx.now().plus(Duration::from_secs(PLAN_HOURS * 3_600)),
            session: Some(job.taken.task.id.to_string()),
            task_id: Some(job.taken.task.id.to_string()),
            taint: self.seen(run, &call.tool),
            policy_sha256: None,
        };
        let Ok(args) = serde_json::from_str(&call.arguments) else {
            return Ok(refusal(job, &call.tool, "The arguments are not JSON, or were cut short. Write them again."));
        };
        let plan = match self.tools().plan(&call.tool, &args, &scope).await {
            Ok(plan) => plan,
            Err(error) => return Ok(refusal(job, &call.tool, &words(&error))),
        };
        if let Err(why) = away::may(&self.ctx, &plan) {
            // Nobody is asked about what is not done anyway.
            return Ok(refusal(job, &call.tool, &not_now(&why)));
        }
        let around = around::look(&plan, &self.home, self.user_home.as_deref(), &grants).await;
        let subject = Subject::task(job.taken.task.id.to_string());
        Ok(match self.policy.permit(&plan, around, subject, Some(job.taken.task.seq)).await {
            Ok(Permission::Go(secret)) => {
                *held = Some((plan.hash(), secret));
                (Reply::Allowed { plan: Box::new(plan), approval: None }, Receipt::default())
            }
            Ok(Permission::Wait(asked)) => {
                (Reply::Asked { plan: Box::new(plan), approval: asked.id }, Receipt::default())
            }
            Ok(Permission::No(denial)) => {
                refusal(job, &call.tool, &format!("Refused by the rule {}: {}", denial.rule, denial.why))
            }
            Err(problem) => refusal(job, &call.tool, &heard(problem)?.message),
        })
    }

    /// Where what a call of `tool` is made from came from.
    fn seen(&self, run: &Run, tool: &str) -> Vec<Taint> {
        let outside = overheard(tool, self.servers.connected()).then_some(Taint::Tool);
        run.taint.iter().copied().chain(outside).collect()
    }

    /// What the owner said to a question.
    async fn look(&self, id: ApprovalId, plan: Box<Plan>, held: &mut Held) -> Result<Reply, Problem> {
        let approval = match self.approvals.get(id).await {
            Ok(approval) => approval,
            Err(problem) => return Ok(Reply::Refused(heard(problem)?.message)),
        };
        Ok(match approval.standing(self.ctx.now()) {
            ApprovalStatus::Pending => Reply::NotYet,
            ApprovalStatus::Approved => match self.policy.lease_for(id, &plan).await {
                Ok(secret) => {
                    *held = Some((plan.hash(), secret));
                    Reply::Allowed { plan, approval: Some(id) }
                }
                Err(problem) => Reply::Refused(heard(problem)?.message),
            },
            ApprovalStatus::Superseded => Reply::Again,
            status => {
                let why = approval.reason.filter(|why| !why.is_empty()).map(|why| format!(": {why}"));
                Reply::Refused(format!("The owner did not allow it ({status}){}.", why.unwrap_or_default()))
            }
        })
    }

    /// Uses the lease in the hand, and carries the plan out.
    async fn carry_out(&self, job: &Job, plan: &Plan, held: &mut Held) -> Performed {
        let Some((_, secret)) = held.take().filter(|(hash, _)| *hash == plan.hash()) else {
            return Ok((Reply::Again, Receipt::default()));
        };
        if let Err(problem) = self.policy.redeem(&secret, plan).await {
            return Ok(refusal(job, &plan.tool, &heard(problem)?.message));
        }
        self.use_tool(job, plan).await
    }

    async fn use_tool(&self, job: &Job, plan: &Plan) -> Performed {
        let errand = match away::leave(&self.ctx, plan, &job.taken.task.id.to_string()).await {
            Ok(errand) => errand,
            Err(why) => return Ok(refusal(job, &plan.tool, &not_now(&why))),
        };
        let called = ToolCalled { tool: plan.tool.clone(), plan_hash: plan.hash() };
        // What cannot be written down is not done.
        let told = self.ctx.store.append(vec![of_task(job, called.into())]).await;
        told.map_err(|e| e.problem())?;
        let clock = Arc::clone(&self.ctx.clock);
        let running = Running {
            grants: self.grants().await,
            fetch: self.ctx.settings.tools.fetch,
            now: self.ctx.now(),
            offsets: Arc::new(move |at| clock.offset_at(at)),
            time: Duration::from_secs(TOOL_SECONDS),
        };
        Ok(match away::within(&self.ctx, errand, self.tools().run(plan, &running)).await {
            Ok(told) => {
                let receipt = Receipt::of(job, plan, &told);
                let reply = Reply::Did { text: told.text, evidence: told.evidence, taint: told.taint, well: true };
                (reply, receipt)
            }
            Err(error) => {
                let failed = ToolFailed {
                    tool: plan.tool.clone(),
                    plan_hash: Some(plan.hash()),
                    reason: cut(&error.to_string(), 500),
                };
                let receipt = Receipt::failed(job, failed);
                // An error message may repeat what it was given from outside.
                let taint = vec![Taint::Tool];
                (Reply::Did { text: words(&error), evidence: Vec::new(), taint, well: false }, receipt)
            }
        })
    }

    /// Goes on with what was about to be done when the process died.
    async fn recover(
        &self,
        job: &Job,
        run: &Run,
        plan: Box<Plan>,
        approval: Option<ApprovalId>,
        held: &mut Held,
    ) -> Performed {
        debug_assert!(matches!(run.phase, Phase::Do { .. }));
        if matches!(plan.class, RiskClass::Read | RiskClass::Compute | RiskClass::NetworkRead) {
            return Ok((Reply::Again, Receipt::default()));
        }
        let unused = match approval {
            Some(id) => {
                matches!(self.approvals.get(id).await, Ok(found) if found.standing(self.ctx.now()) == ApprovalStatus::Approved)
            }
            None => false,
        };
        if unused && let Some(id) = approval {
            // The yes was not used, so nothing was done.
            return match self.policy.lease_for(id, &plan).await {
                Ok(secret) => {
                    *held = Some((plan.hash(), secret));
                    self.carry_out(job, &plan, held).await
                }
                Err(problem) => Ok(refusal(job, &plan.tool, &heard(problem)?.message)),
            };
        }
        if ONCE_ONLY.contains(&plan.tool.as_str()) {
            return self.use_tool(job, &plan).await;
        }
        let text = "The process ended in the middle of this. Whether it was done is not known. Look before doing it \
                    again.";
        let failed = ToolFailed { tool: plan.tool.clone(), plan_hash: Some(plan.hash()), reason: "cut off".to_owned() };
        let receipt = Receipt::failed(job, failed);
        Ok((Reply::Did { text: text.to_owned(), evidence: Vec::new(), taint: Vec::new(), well: false }, receipt))
    }
}

impl Handler for Agent {
    fn kinds(&self) -> &'static [&'static str] {
        &KINDS
    }

    fn work<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Outcome> {
        Box::pin(self.run(job))
    }
}

/// What is written down together with the run.
#[derive(Default)]
struct Receipt {
    events: Vec<NewEvent>,
    artifacts: Vec<NewArtifact>,
    evidence: Vec<String>,
    failed: Option<String>,
}

impl Receipt {
    /// Of a call that was not made, or did not work out.
    fn failed(job: &Job, body: ToolFailed) -> Self {
        let failed = Some(body.reason.clone());
        Self { events: vec![of_task(job, body.into())], failed, ..Self::default() }
    }

    fn of(job: &Job, plan: &Plan, told: &Told) -> Self {
        let body = ToolCompleted {
            tool: plan.tool.clone(),
            plan_hash: plan.hash(),
            files: told.touched.iter().take(FILES_TOLD_MAX).map(|file| cut(&file.path, 300)).collect(),
            hosts: told.hosts.clone(),
            bytes_in: told.bytes_in,
            bytes_out: told.bytes_out,
            duration_ms: told.duration_ms,
            truncated: told.truncated,
            was_done: told.was_done,
        };
        let kept = |thing: &timmy_tools::tool::outcome::Artifact| NewArtifact {
            kind: serde_json::to_value(thing.kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default(),
            name: thing.name.clone(),
            media_type: thing.media_type.to_owned(),
            sha256: thing.sha256.to_string(),
            bytes: thing.bytes.clone(),
        };
        Self {
            events: vec![of_task(job, body.into())],
            artifacts: told.artifacts.iter().map(kept).collect(),
            evidence: told.evidence.clone(),
            failed: None,
        }
    }
}

/// Where the words of a task come from. What somebody other than the owner wrote repeats what he read: all that the run
/// read that made it, and the most careful reading where that is not known. So text from outside stays known as such
/// when it comes back sessions later.
fn inherited(own_words: bool, parent: Option<Run>) -> Vec<Taint> {
    match parent {
        _ if own_words => Vec::new(),
        Some(run) => run.taint,
        None => vec![Taint::Unknown],
    }
}

/// An error in the words that a model can do something with.
fn words(error: &ToolError) -> String {
    let problem = error.problem();
    format!("{} {}", problem.message, problem.hint)
}

/// The call was not made.
fn refusal(job: &Job, tool: &str, why: &str) -> (Reply, Receipt) {
    let failed = ToolFailed { tool: cut(tool, 64), plan_hash: None, reason: cut(why, 500) };
    let receipt = Receipt::failed(job, failed);
    (Reply::Refused(why.to_owned()), receipt)
}

/// Why a tool that leaves this machine is not used, as the model and the log read it.
fn not_now(why: &timmy_llm::Failure) -> String {
    format!("This tool was {why}. Do without it.")
}

fn of_task(job: &Job, body: timmy_domain::Event) -> NewEvent {
    let mut event = NewEvent::new(SOURCE, body).by(Actor::Timmy).caused_by(Some(job.taken.task.seq));
    event.task_id = Some(job.taken.task.id.to_string());
    event.agent_id = Some(job.taken.task.assigned_to.clone());
    event
}
