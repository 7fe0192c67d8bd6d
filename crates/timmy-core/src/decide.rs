//! Deciding: the one way in which a word of the owner reaches an approval and what it is about, in one transaction.

use timmy_domain::approval::{Act, Approval, Decision, Subject};
use timmy_domain::problem::Kind;
use timmy_domain::task::{Task, step as task};
use timmy_domain::{Actor, ApprovalId, Problem, Secret, TaskId};
use timmy_store::{StoreError, Tx};

use crate::app::App;
use crate::work::queue;

/// Approvals that one batch may decide.
pub const BATCH_MAX: usize = 200;

/// The owner's password as it came along with one or many decisions. It is looked at once, and only when something needs
/// it: a wrong one counts as one wrong try, however many decisions it came with.
pub struct Proof<'a> {
    password: Option<&'a Secret>,
    looked: Option<Result<(), Problem>>,
}

impl<'a> Proof<'a> {
    /// The proof that came along; `None` when none did.
    #[must_use]
    pub const fn of(password: Option<&'a Secret>) -> Self {
        Self { password, looked: None }
    }

    /// Whether it is the owner's.
    async fn holds(&mut self, app: &App, password: &Secret) -> Result<(), Problem> {
        if self.looked.is_none() {
            self.looked = Some(app.access.prove_current(password).await);
        }
        self.looked.clone().unwrap_or(Ok(()))
    }
}

/// Decides the approval `id`, and carries the decision over to what it is about. A yes to something very risky needs
/// the owner's `password`, where one is set.
///
/// # Errors
/// When there is none, when state, actor, time or password forbids it, or when the store fails.
pub async fn decide(
    app: &App,
    id: ApprovalId,
    decision: Decision,
    password: Option<&Secret>,
) -> Result<Approval, Problem> {
    decide_with(app, id, decision, &mut Proof::of(password)).await
}

/// The same as one of many, which share a proof.
///
/// # Errors
/// As [`decide`].
pub async fn decide_with(
    app: &App,
    id: ApprovalId,
    decision: Decision,
    proof: &mut Proof<'_>,
) -> Result<Approval, Problem> {
    if decision.act == Act::Approve {
        step_up(app, &app.approvals.get(id).await?, proof).await?;
    }
    let decided = app.ctx.store.write(move |tx| apply(tx, id, &decision));
    decided.await.map_err(|e| e.problem())
}

/// The same within a transaction, for whoever has proven who they are.
///
/// # Errors
/// As [`decide`].
pub fn apply(tx: &mut Tx<'_>, id: ApprovalId, decision: &Decision) -> Result<Approval, StoreError> {
    let now = tx.now();
    let approval = tx.approval_decide(id, decision, now)?;
    carry_over(tx, &approval, decision)?;
    Ok(approval)
}

/// Moves what the approval is about.
fn carry_over(tx: &mut Tx<'_>, approval: &Approval, decision: &Decision) -> Result<(), StoreError> {
    let Some(id) = approval.subject.as_task().and_then(|id| id.parse::<TaskId>().ok()) else { return Ok(()) };
    let why = decision.reason.clone().unwrap_or_default();
    let step = match decision.act {
        // A no to one step is not a no to the task: the work goes on, and hears it.
        Act::Approve | Act::Reject if approval.plan_hash.is_some() => task::Act::Approve,
        Act::Approve => task::Act::Approve,
        Act::Reject => task::Act::Veto(why),
        Act::Expire => task::Act::Backlog(if why.is_empty() { "nobody answered in time".to_owned() } else { why }),
        Act::Withdraw | Act::Supersede | Act::Consume | Act::Revoke => return Ok(()),
    };
    queue::step_alone(tx, id, step, &decision.actor).map(drop)
}

/// Does `act` with the task `id` for the owner, who came in through `through`. A yes is given to the question that
/// waits about it, with all that this question asks for; what shows an exact plan is not answered from here.
///
/// # Errors
/// When there is no such task, when state, time or password forbids it, or when the store fails.
pub async fn act(
    app: &App,
    id: TaskId,
    act: task::Act,
    through: &str,
    password: Option<&Secret>,
) -> Result<Task, Problem> {
    act_with(app, id, act, through, &mut Proof::of(password)).await
}

/// The same as one of many, which share a proof.
///
/// # Errors
/// As [`act`].
pub async fn act_with(
    app: &App,
    id: TaskId,
    act: task::Act,
    through: &str,
    proof: &mut Proof<'_>,
) -> Result<Task, Problem> {
    if act == task::Act::Approve {
        let subject = Subject::task(id.to_string());
        let waiting = app.ctx.store.read(move |r| r.approval_pending(&subject)).await.map_err(|e| e.problem())?;
        if let Some(waiting) = waiting {
            waiting.answered_by_its_task().map_err(|refusal| refusal.problem())?;
            step_up(app, &waiting, proof).await?;
            let decision = Decision::by_owner(Act::Approve, through, None);
            // The answer is the task as the yes left it; a worker may take it a moment later.
            let decided = app.ctx.store.write(move |tx| {
                apply(tx, waiting.id, &decision)?;
                tx.task(id)?.map_or_else(|| Err(StoreError::Refused(queue::unknown(id))), Ok)
            });
            return decided.await.map_err(|e| e.problem());
        }
    }
    app.queue.act(id, act, Actor::Owner, through).await
}

/// Whoever sits at an open browser may not be the owner, so what is very risky asks for the password once more.
async fn step_up(app: &App, approval: &Approval, proof: &mut Proof<'_>) -> Result<(), Problem> {
    if !approval.needs_step_up() || !app.access.has_password().await? {
        return Ok(());
    }
    let Some(password) = proof.password else {
        return Err(Problem::new(
            Kind::Forbidden,
            "step_up",
            format!("Its risk is {} of 100, so a yes needs your password again.", approval.risk.score),
            "Type the password with the decision, or reject it without.",
        ));
    };
    proof.holds(app, password).await
}
