//! Approvals for programs: what waits for the owner's word, and the word itself.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::decide::{BATCH_MAX, Proof, decide, decide_with};
use timmy_core::trust::digest::DIGEST_MAX;
use timmy_domain::approval::{Act, Approval, ApprovalStatus, Decision, Subject};
use timmy_domain::policy::show;
use timmy_domain::risk::Factor;
use timmy_domain::{ApprovalId, Problem, Secret, Timestamp};
use timmy_store::{ApprovalQuery, LIST_LIMIT_MAX};
use utoipa::ToSchema;

use super::json as answer;
use crate::ask::{Asked, Fields, Named, Window, list, no_such};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal};
use crate::pages::login::secret;
use crate::web::Web;

/// Approvals in a list when nobody says how many.
const USUAL: usize = 100;

/// An approval as it travels. Its text is made harmless here, so that every door shows the same.
pub(crate) fn shown(approval: &Approval, now: Timestamp) -> Value {
    let plan = approval.plan.as_ref();
    let files: Vec<Value> = plan
        .into_iter()
        .flat_map(|plan| &plan.files)
        .map(|file| json!({"path": show::words(&file.path), "how": file.how.name()}))
        .collect();
    let factor = |one: &Factor| Factor { words: show::words(&one.words), ..one.clone() };
    let factors: Vec<Factor> = approval.risk.factors.iter().map(factor).collect();
    let hosts: Vec<String> = plan.into_iter().flat_map(|plan| &plan.hosts).map(|host| show::words(host)).collect();
    json!({
        "id": approval.id,
        "title": show::words(&approval.title),
        "description": show::words(&approval.description),
        "proposed_action": show::words(&approval.proposed_action),
        "status": approval.standing(now),
        "risk": approval.risk.score,
        "band": approval.risk.band,
        "factors": factors,
        "mitigations": approval.risk.mitigations.iter().map(|words| show::words(words)).collect::<Vec<_>>(),
        "floor": approval.risk.floor.as_deref().map(show::words),
        "files": files,
        "hosts": hosts,
        "undo": plan.and_then(|plan| plan.undo.as_deref()).map(show::words),
        "plan_hash": approval.plan_hash,
        "subject": {"kind": show::words(&approval.subject.kind), "id": show::words(&approval.subject.id)},
        "step_up": approval.needs_step_up(),
        "not_before": approval.not_before,
        "expires_at": approval.expires_at,
        "created_at": approval.created_at,
        "created_by": show::words(&approval.created_by),
        "decided_at": approval.decided_at,
        "decided_by": approval.decided_by.as_deref().map(show::words),
        "reason": approval.reason.as_deref().map(show::words),
    })
}

/// Which approvals.
#[derive(Debug, Default, Deserialize)]
pub struct Which {
    status: Option<String>,
    subject: Option<String>,
}

/// `GET /api/approvals?status=&subject=&limit=&before=`: newest first.
pub async fn approvals(
    State(web): State<Web>,
    _: Visit,
    Asked(which): Asked<Which>,
    Asked(window): Asked<Window>,
) -> Answer {
    let (limit, now) = (window.limit(USUAL)?, web.app.ctx.now());
    let status = which.status.filter(|word| !word.is_empty()).map(|word| word.parse::<ApprovalStatus>());
    let status = status
        .transpose()
        .map_err(|e| Problem::invalid("bad_status", format!("This is {e}."), "Leave it out for all of them."))?;
    let subject = which.subject.filter(|word| !word.is_empty()).map(|word| match word.split_once(':') {
        Some((kind, id)) => Subject::new(kind, id),
        None => Subject::task(word),
    });
    let limit_more = (limit + 1).min(LIST_LIMIT_MAX);
    let query = ApprovalQuery { status, subject, before: window.before()?, now, limit: limit_more };
    let page = web.app.approvals.page(query).await?;
    let page = page.iter().map(|approval| Row { seq: approval.seq, body: shown(approval, now) }).collect();
    Ok(answer(&list(page, limit, |row: &Row| json!(row.seq))))
}

/// `GET /api/approvals/digest`: what rules let run in the last day, newest first.
pub async fn digest(State(web): State<Web>, _: Visit) -> Answer {
    let now = web.app.ctx.now();
    let mut items = web.app.ctx.store.read(move |r| timmy_core::trust::digest::digest(r, now, DIGEST_MAX)).await?;
    for one in &mut items {
        one.title = show::words(&one.title);
        one.undo = one.undo.as_deref().map(show::words);
    }
    Ok(answer(&json!({"items": items, "next": null})))
}

/// One approval of a list, with its place in it.
#[derive(serde::Serialize)]
struct Row {
    #[serde(skip)]
    seq: i64,
    #[serde(flatten)]
    body: Value,
}

/// `GET /api/approvals/{id}`.
pub async fn approval(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let approval = web.app.approvals.get(name.id("approval")?).await?;
    Ok(answer(&shown(&approval, web.app.ctx.now())))
}

/// A word on an approval.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = ApprovalWord)]
pub struct Word {
    /// Why; at most 500 characters of it are kept.
    reason: Option<String>,
    /// The owner's password, where one is set and the approval says `step_up`.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
}

async fn decided(web: &Web, visit: &Visit, name: &Named, act: Act, word: Word) -> Answer {
    let id: ApprovalId = name.id("approval")?;
    let reason = word.reason.filter(|reason| !reason.trim().is_empty());
    let decision = Decision::by_owner(act, visit.who.principal.name.clone(), reason);
    let approval = decide(&web.app, id, decision, word.password.as_ref()).await?;
    Ok(answer(&shown(&approval, web.app.ctx.now())))
}

/// `POST /api/approvals/{id}/approve`.
pub async fn approve(State(web): State<Web>, visit: Visit, name: Named, Fields(word): Fields<Word>) -> Answer {
    decided(&web, &visit, &name, Act::Approve, word).await
}

/// `POST /api/approvals/{id}/reject`.
pub async fn reject(State(web): State<Web>, visit: Visit, name: Named, Fields(word): Fields<Word>) -> Answer {
    decided(&web, &visit, &name, Act::Reject, word).await
}

/// `POST /api/approvals/{id}/revoke`: takes back a yes that was not used.
pub async fn revoke(State(web): State<Web>, visit: Visit, name: Named, Fields(word): Fields<Word>) -> Answer {
    decided(&web, &visit, &name, Act::Revoke, word).await
}

/// Words on several approvals at once.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ApprovalBatch)]
pub struct Batch {
    /// Which; at most 200.
    #[schema(max_items = 200)]
    ids: Vec<String>,
    /// `approve`, `reject` or `revoke`.
    #[schema(pattern = "^(approve|reject|revoke)$")]
    act: String,
    /// Why, for all of them.
    reason: Option<String>,
    /// The owner's password, where one is set and one of them says `step_up`.
    #[serde(default, deserialize_with = "secret")]
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
}

/// `POST /api/approvals/batch`: each is decided by itself; one that cannot be says why. A wrong password counts once.
pub async fn batch(State(web): State<Web>, visit: Visit, Fields(batch): Fields<Batch>) -> Answer {
    let act = [Act::Approve, Act::Reject, Act::Revoke].into_iter().find(|act| act.name() == batch.act);
    let act = act.ok_or_else(|| {
        Problem::invalid("bad_act", "A batch approves, rejects or revokes.", "Say approve, reject or revoke.")
    })?;
    if batch.ids.len() > BATCH_MAX {
        let message = format!("A batch decides at most {BATCH_MAX} approvals.");
        return Err(Problem::invalid("batch_too_large", message, "Send several.").into());
    }
    let (mut items, now) = (Vec::new(), web.app.ctx.now());
    let mut proof = Proof::of(batch.password.as_ref());
    for text in &batch.ids {
        let decision = Decision::by_owner(act, visit.who.principal.name.clone(), batch.reason.clone());
        let done = match text.parse::<ApprovalId>() {
            Ok(id) => decide_with(&web.app, id, decision, &mut proof).await,
            Err(_) => Err(Problem::unknown("unknown_approval", "This is no id of an approval.", "Look at the list.")),
        };
        items.push(match done {
            Ok(approval) => json!({"id": text, "approval": shown(&approval, now), "error": null}),
            Err(problem) => json!({"id": text, "approval": null, "error": problem}),
        });
    }
    Ok(answer(&json!({"items": items, "next": null})))
}

/// The refusal for a name that is no id.
pub(super) fn no_rule(name: &Named) -> Refusal {
    no_such("rule", &name.0)
}
