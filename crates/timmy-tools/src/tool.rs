//! What a tool is: a description, a plan of what exactly it will do, and doing exactly that.
//!
//! A tool never decides whether it may. It says what it would do; whoever approves that approves its hash; and what is
//! done is checked against the plan once more, file by file, right before it is done. Docs: `docs/adding/tool.md`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use timmy_domain::digest::Digest;
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::{Timestamp, text};
use tokio::time::Instant;

use crate::ToolError;
use crate::tools::clock::Offsets;
use outcome::Outcome;
use scope::Grants;

pub mod outcome;
pub mod schema;
pub mod scope;
pub mod settings;

/// A boxed future that may cross threads. Dropping it stops the work, with everything that was started for it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tools one box may hold.
pub const TOOLS_MAX: usize = 256;

/// What a tool is to whoever chooses one.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Its name: small letters and underscores.
    pub name: String,
    /// What it does and when to use it, for a model and for the owner.
    pub description: String,
    /// JSON Schema of its arguments; see [`schema`].
    pub input_schema: Value,
    /// The kind of act it is; one plan of it may be milder, never wilder.
    pub risk: RiskClass,
    /// Where what it tells comes from.
    pub taint: Taint,
}

impl ToolSpec {
    /// A tool of the house. `properties` are the arguments, `required` those that must be given.
    #[must_use]
    pub fn new(name: &str, risk: RiskClass, taint: Taint, about: &str, properties: &Value, required: &[&str]) -> Self {
        let input_schema =
            json!({"type": "object", "additionalProperties": false, "properties": properties, "required": required});
        Self { name: name.to_owned(), description: about.to_owned(), input_schema, risk, taint }
    }
}

/// What planning is handed: where tools may work, and for whom this is.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The granted folders.
    pub grants: Arc<Grants>,
    /// Whether the owner lets pages be fetched.
    pub fetch: bool,
    /// Random text that no other plan has.
    pub nonce: String,
    /// When the plan is no longer good.
    pub expires_at: Timestamp,
    /// The run of the agent it belongs to.
    pub session: Option<String>,
    /// The task it belongs to.
    pub task_id: Option<String>,
    /// Where what the call was made from came from.
    pub taint: Vec<Taint>,
    /// The policy under which it will be judged.
    pub policy_sha256: Option<Digest>,
}

impl Scope {
    /// A plan of the tool `spec` that touches nothing yet.
    #[must_use]
    pub fn plan(&self, spec: &ToolSpec, args: Value) -> Plan {
        let mut plan = Plan::new(spec.name.clone(), spec.risk, args, self.nonce.clone(), self.expires_at);
        plan.session.clone_from(&self.session);
        plan.task_id.clone_from(&self.task_id);
        plan.taint.clone_from(&self.taint);
        plan.taint.sort();
        plan.taint.dedup();
        plan.policy_sha256 = self.policy_sha256;
        plan
    }
}

/// What doing is handed. What the owner switched off since the plan was made is off.
#[derive(Clone)]
pub struct Running {
    /// The granted folders.
    pub grants: Arc<Grants>,
    /// Whether the owner lets pages be fetched.
    pub fetch: bool,
    /// The present moment.
    pub now: Timestamp,
    /// How far the owner's wall clock is from UTC.
    pub offsets: Arc<Offsets>,
    /// How long it may take; a tool may have a shorter limit of its own.
    pub time: Duration,
}

/// A tool.
pub trait Tool: Send + Sync + 'static {
    /// What it is.
    fn spec(&self) -> &ToolSpec;

    /// The arguments as it takes them. A tool of the house takes what its description says, and nothing else.
    ///
    /// # Errors
    /// [`ToolError::BadArgument`] that names the argument.
    fn check(&self, args: &Value) -> Result<Value, ToolError> {
        schema::check(&self.spec().name, &self.spec().input_schema, args)
    }

    /// What exactly it would do with `args`, which fit its description. Changes nothing and asks nobody outside.
    ///
    /// # Errors
    /// [`ToolError::Refused`] for what it would never do, [`ToolError::Permanent`] for what cannot be done.
    fn plan<'a>(&'a self, args: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>>;

    /// Does exactly what `plan` says. Everything the plan names is checked again first.
    ///
    /// # Errors
    /// [`ToolError::Refused`] when the world is not as planned; otherwise what went wrong.
    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>>;
}

/// The tools there are. Cheap to clone.
#[derive(Clone, Default)]
pub struct Toolbox {
    tools: Vec<Arc<dyn Tool>>,
}

impl Toolbox {
    /// Puts `tool` in. The first of two of one name stays, so that none can take the place of another.
    ///
    /// # Errors
    /// The name, when it is taken, is no name, or the box is full.
    pub fn add(&mut self, tool: impl Into<Arc<dyn Tool>>) -> Result<(), String> {
        let tool = tool.into();
        let name = &tool.spec().name;
        let fits = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !fits || self.get(name).is_some() || self.tools.len() >= TOOLS_MAX {
            return Err(text::cut(&text::one_line(name), 64));
        }
        self.tools.push(tool);
        Ok(())
    }

    /// What the tools are, in the order they were put in.
    pub fn specs(&self) -> impl Iterator<Item = &ToolSpec> {
        self.tools.iter().map(|tool| tool.spec())
    }

    /// The tool `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&dyn Tool> {
        self.tools.iter().find(|tool| tool.spec().name == name).map(AsRef::as_ref)
    }

    fn find(&self, name: &str) -> Result<&dyn Tool, ToolError> {
        self.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.specs().map(|spec| spec.name.as_str()).collect();
            let message = format!("There is no tool {}.", text::cut(&text::one_line(name), 64));
            ToolError::permanent("unknown_tool", message, format!("There are {}.", names.join(", ")))
        })
    }

    /// What exactly the tool `name` would do with `args`.
    ///
    /// # Errors
    /// [`ToolError::BadArgument`] for arguments that do not fit, and what the tool gives.
    pub async fn plan(&self, name: &str, args: &Value, scope: &Scope) -> Result<Plan, ToolError> {
        let tool = self.find(name)?;
        let args = tool.check(args)?;
        let plan = tool.plan(args, scope).await?;
        if plan.canonical().len() > timmy_domain::plan::PLAN_BYTES_MAX {
            let message = format!("What {name} was given is too much for one call.");
            return Err(ToolError::permanent("plan_too_large", message, "Do it in several smaller calls."));
        }
        Ok(plan)
    }

    /// Does exactly what `plan` says, and says what was done. Whether it may be done is decided before, by others.
    ///
    /// # Errors
    /// [`ToolError::Refused`] for a plan that is no longer good, [`ToolError::TimedOut`], and what the tool gives.
    pub async fn run(&self, plan: &Plan, running: &Running) -> Result<Outcome, ToolError> {
        let tool = self.find(&plan.tool)?;
        if plan.expires_at <= running.now {
            let hint = "Plan it anew.";
            return Err(ToolError::refused("plan_expired", "The plan is too old; nothing was done.", hint));
        }
        let began = Instant::now();
        let late = |_| ToolError::TimedOut { what: plan.tool.clone(), limit: running.time };
        let mut outcome = tokio::time::timeout(running.time, tool.run(plan, running)).await.map_err(late)??;
        outcome.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        outcome.taint = vec![tool.spec().taint];
        outcome.touched.truncate(outcome::TOUCHED_MAX);
        Ok(outcome)
    }
}

/// Reads the arguments of a plan as the tool knows them.
///
/// # Errors
/// [`ToolError::Refused`] for a plan that this version did not make.
pub(crate) fn args<T: serde::de::DeserializeOwned>(plan: &Plan) -> Result<T, ToolError> {
    T::deserialize(&plan.args).map_err(|_| plan_foreign(plan))
}

/// A plan that is not one this version makes.
pub(crate) fn plan_foreign(plan: &Plan) -> ToolError {
    let message = format!(
        "The plan of {} is not one this version makes; nothing was done.",
        text::cut(&text::one_line(&plan.tool), 64)
    );
    ToolError::refused("plan_foreign", message, "Plan it anew.")
}

/// Does `work`, which waits for disks, where waiting is allowed. What is dropped tells the work to stop.
///
/// # Errors
/// What `work` gives.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce(&dyn Fn() -> bool) -> Result<T, ToolError> + Send + 'static,
) -> Result<T, ToolError> {
    use std::sync::atomic::{AtomicBool, Ordering};
    struct RaiseOnDrop(Arc<AtomicBool>);
    impl Drop for RaiseOnDrop {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let guard = RaiseOnDrop(Arc::default());
    let flag = Arc::clone(&guard.0);
    let done = tokio::task::spawn_blocking(move || work(&|| flag.load(Ordering::Relaxed))).await;
    drop(guard);
    done.unwrap_or_else(|gone| Err(ToolError::io(what, std::io::Error::other(gone))))
}
