//! The page of approvals: questions with all that is needed to answer them, and the rules that answer some of them.

use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;
use timmy_core::decide::{BATCH_MAX, Proof, decide, decide_with};
use timmy_core::trust::rules::Wanted;
use timmy_domain::approval::{Act, Approval, ApprovalStatus, Decision};
use timmy_domain::policy::UNTRUSTED_TIER_MIN;
use timmy_domain::policy::rule::Shape;
use timmy_domain::{ApprovalId, Problem, RuleId, Secret};
use timmy_store::ApprovalQuery;

use super::login::secret;
use super::{gather_here, refused, see, shell, status_of};
use crate::ask::{Asked, Fields, Named, Window, no_such};
use crate::auth::Visit;
use crate::did::{Did, Note};
use crate::errors::{Answer, Refusal, page, show_with};
use crate::look::approvals::{ApprovalsPage, ApprovalsPart, Card, RuleRow, SuggestionView, ruled};
use crate::look::{Absent, Choice};
use crate::web::Web;

/// Questions on one page.
const PAGE_CARDS: usize = 10;
/// Rules that are shown.
const RULES_MAX: usize = 20;

/// Which questions.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Narrow {
    status: Option<String>,
    before: Option<String>,
}

impl Narrow {
    fn word(&self) -> &str {
        self.status.as_deref().map(str::trim).filter(|word| !word.is_empty()).unwrap_or("pending")
    }

    /// The query of this filter; empty for the usual one, which is the newest of what waits.
    fn query(&self) -> String {
        let status = (self.word() != "pending").then(|| format!("status={}", crate::door::encoded(self.word())));
        let before = self.before.as_deref().map(str::trim).filter(|place| !place.is_empty());
        let before = before.map(|place| format!("before={}", crate::door::encoded(place)));
        status.into_iter().chain(before).collect::<Vec<_>>().join("&")
    }

    fn wanted(&self, web: &Web) -> Result<ApprovalQuery, Refusal> {
        let status = (self.word() != "all").then(|| self.word().parse::<ApprovalStatus>()).transpose();
        let status = status
            .map_err(|e| Problem::invalid("bad_status", format!("This is {e}."), "Choose one of the filters."))?;
        let before = Window { before: self.before.clone(), ..Window::default() }.before()?;
        Ok(ApprovalQuery { status, before, limit: PAGE_CARDS + 1, ..ApprovalQuery::at(web.app.ctx.now()) })
    }
}

fn address(query: &str) -> String {
    if query.is_empty() { "/approvals".to_owned() } else { format!("/approvals?{query}") }
}

/// Where the card of a question that waits stands: on the first page, or on one that begins with it where that holds
/// not all of the `waiting`.
#[must_use]
pub fn place(approval: &Approval, waiting: u64) -> String {
    let narrow = if waiting > PAGE_CARDS as u64 {
        Narrow { before: Some(approval.seq.saturating_add(1).to_string()), ..Narrow::default() }
    } else {
        Narrow::default()
    };
    format!("{}#a-{}", address(&narrow.query()), approval.id)
}

fn filters(narrow: &Narrow, waiting: u64) -> Vec<Choice> {
    let words = [
        ("Waiting", "pending"),
        ("All", "all"),
        ("Approved", "approved"),
        ("Done", "consumed"),
        ("Rejected", "rejected"),
        ("Expired", "expired"),
    ];
    let choice = |(label, word): (&str, &str)| Choice {
        label: label.to_owned(),
        href: address(&Narrow { status: Some(word.to_owned()), before: None }.query()),
        count: (word == "pending").then_some(waiting),
        current: word == narrow.word(),
    };
    words.into_iter().map(choice).collect()
}

fn absent(narrow: &Narrow) -> Absent {
    if narrow.word() == "pending" {
        Absent::empty("Nothing waits for your word", "What is risky is asked for here before it is done.")
    } else {
        Absent::empty("No question like this", "Nothing fits what you chose.").act("Show what waits", "/approvals")
    }
}

/// The page, and why the last act was refused.
///
/// # Errors
/// When the filter makes no sense, or the store cannot be read.
pub async fn draw(web: &Web, visit: &Visit, narrow: &Narrow, problem: Option<Problem>) -> Answer {
    let query = narrow.wanted(web)?;
    let now = query.now;
    let read = gather_here(web, move |r| Ok((r.approvals_page(&query)?, r.approvals_waiting(now)?, r.rules()?)));
    let (around, (mut asked, waiting, rules)) = read.await?;
    let has_password = web.app.access.has_password().await?;
    let suggestions = web.app.rules.suggestions().await?;
    let more = asked.len() > PAGE_CARDS;
    asked.truncate(PAGE_CARDS);
    let clock = web.clock();
    let mut shell = shell(web, visit, &around, "/approvals");
    shell.notice = problem.as_ref().map(refused);
    let code = problem.as_ref().map_or(axum::http::StatusCode::OK, status_of);
    let older =
        asked.last().filter(|_| more).map(|last| format!("/approvals?status={}&before={}", narrow.word(), last.seq));
    let drawn = ApprovalsPage {
        filters: filters(narrow, waiting),
        part: ApprovalsPart {
            cards: asked.iter().map(|one| Card::of(one, has_password, &clock)).collect(),
            absent: absent(narrow),
            query: narrow.query(),
            csrf: shell.csrf.clone(),
        },
        older,
        rules: rules.iter().take(RULES_MAX).map(|rule| RuleRow::of(rule, &clock)).collect(),
        suggestions: suggestions.iter().map(|one| SuggestionView::of(one, &clock)).collect(),
        shell,
    };
    show_with(code, visit, &drawn)
}

/// `GET /approvals`.
pub async fn approvals(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    draw(&web, &visit, &narrow, None).await
}

/// `GET /approvals/rows`.
pub async fn rows(State(web): State<Web>, visit: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    let mut query = narrow.wanted(&web)?;
    query.limit = PAGE_CARDS;
    let asked = web.app.ctx.store.read_here(move |r| r.approvals_page(&query)).await?;
    let has_password = web.app.access.has_password().await?;
    let clock = web.clock();
    page(&ApprovalsPart {
        cards: asked.iter().map(|one| Card::of(one, has_password, &clock)).collect(),
        absent: absent(&narrow),
        query: narrow.query(),
        csrf: visit.csrf(),
    })
}

/// What a form of a card carries.
#[derive(Debug, Default, Deserialize)]
pub struct Form {
    /// The filter under which the card stands, as a query.
    query: Option<String>,
    reason: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Secret>,
    /// Whether what has the same shape is to be allowed from now on.
    always: Option<String>,
}

fn carried(query: Option<&str>) -> Narrow {
    let uri = query.and_then(|query| format!("/approvals?{query}").parse::<Uri>().ok());
    uri.and_then(|uri| Query::<Narrow>::try_from_uri(&uri).ok()).map(|Query(narrow)| narrow).unwrap_or_default()
}

async fn decided(web: &Web, visit: &Visit, name: &Named, act: Act, note: Note, form: Form) -> Answer {
    let id: ApprovalId = name.id("approval")?;
    let reason = form.reason.filter(|reason| !reason.trim().is_empty());
    let decision = Decision::by_owner(act, visit.who.principal.name.clone(), reason);
    let narrow = carried(form.query.as_deref());
    let always = form.always.is_some() && act == Act::Approve;
    match decide(&web.app, id, decision, form.password.as_ref()).await {
        Ok(approval) if always => match always_for(web, visit, &approval).await {
            Ok(()) => Ok(Did::Note(Note::RuleMade).on(visit, see(&address(&narrow.query())))),
            Err(problem) => draw(web, visit, &narrow, Some(problem)).await,
        },
        Ok(approval) => {
            let planned = act == Act::Approve && approval.plan_hash.is_some();
            let did = if planned { Did::PlanApproved(id) } else { Did::Note(note) };
            Ok(did.on(visit, see(&address(&narrow.query()))))
        }
        Err(problem) if visit.script => Err(problem.into()),
        Err(problem) => draw(web, visit, &narrow, Some(problem)).await,
    }
}

/// Makes the rule that answers what has the shape of this one from now on.
async fn always_for(web: &Web, visit: &Visit, approval: &Approval) -> Result<(), Problem> {
    let shape = ruled(approval).ok_or_else(|| {
        Problem::conflict(
            "no_rule",
            "It is approved this once. What it does is always asked for, so no rule was made.",
            "Nothing has to be done.",
        )
    })?;
    let wanted = Wanted { shape, task_id: None, tier_min: UNTRUSTED_TIER_MIN, days: None, max_uses: None };
    web.app.rules.create(wanted, &visit.who.principal.name).await.map(drop)
}

/// `POST /approvals/{id}/approve`.
pub async fn approve(State(web): State<Web>, visit: Visit, name: Named, Fields(form): Fields<Form>) -> Answer {
    decided(&web, &visit, &name, Act::Approve, Note::SaidYes, form).await
}

/// `POST /approvals/{id}/reject`.
pub async fn reject(State(web): State<Web>, visit: Visit, name: Named, Fields(form): Fields<Form>) -> Answer {
    decided(&web, &visit, &name, Act::Reject, Note::SaidNo, form).await
}

/// `POST /approvals/{id}/revoke`.
pub async fn revoke(State(web): State<Web>, visit: Visit, name: Named, Fields(form): Fields<Form>) -> Answer {
    decided(&web, &visit, &name, Act::Revoke, Note::TookBack, form).await
}

/// `POST /approvals/batch`: the chosen ones, each by itself; with the password, where one of them needs it.
pub async fn batch(State(web): State<Web>, visit: Visit, Fields(fields): Fields<Vec<(String, String)>>) -> Answer {
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let act = match field("act") {
        Some("approve") => Act::Approve,
        Some("reject") => Act::Reject,
        _ => return Err(Problem::invalid("bad_act", "The chosen are approved or rejected.", "Use the buttons.").into()),
    };
    let reason = field("reason").filter(|reason| !reason.trim().is_empty()).map(str::to_owned);
    let password = field("password").filter(|typed| !typed.is_empty()).map(|typed| Secret::new(typed.to_owned()));
    let (mut changed, mut refused, mut named) = (0_u64, 0_u64, Vec::new());
    let mut proof = Proof::of(password.as_ref());
    for (_, id) in fields.iter().filter(|(key, _)| key == "id").take(BATCH_MAX) {
        let decision = Decision::by_owner(act, visit.who.principal.name.clone(), reason.clone());
        let Ok(id) = id.parse::<ApprovalId>() else {
            refused += 1;
            continue;
        };
        match decide_with(&web.app, id, decision, &mut proof).await {
            Ok(_) => changed += 1,
            Err(problem) => {
                refused += 1;
                if named.len() < Did::NAMED_MAX {
                    let title = web.app.approvals.get(id).await.map(|one| one.title).unwrap_or_default();
                    named.push((title, problem.message));
                }
            }
        }
    }
    let to = address(&carried(field("query")).query());
    Ok(Did::several(changed, refused, &named).on(&visit, see(&to)))
}

/// A rule to make from a suggestion.
#[derive(Debug, Deserialize)]
pub struct NewRule {
    shape: String,
}

/// `POST /approvals/rules`: makes the rule that the answers suggest. Only what is suggested is made here.
pub async fn make_rule(State(web): State<Web>, visit: Visit, Fields(new): Fields<NewRule>) -> Answer {
    let suggested = web.app.rules.suggestions().await?.into_iter().find(|one| one.shape_json == new.shape);
    let shape: Shape = suggested.map(|one| one.shape).ok_or_else(|| {
        Problem::conflict(
            "not_suggested",
            "This rule is no longer suggested, so it was not made.",
            "Load the page again.",
        )
    })?;
    let wanted = Wanted { shape, task_id: None, tier_min: UNTRUSTED_TIER_MIN, days: None, max_uses: None };
    web.app.rules.create(wanted, &visit.who.principal.name).await?;
    Ok(Did::Note(Note::RuleMade).on(&visit, see("/approvals")))
}

/// `POST /approvals/rules/{id}/revoke`.
pub async fn revoke_rule(State(web): State<Web>, visit: Visit, name: Named) -> Answer {
    let id: RuleId = name.0.parse().map_err(|_| no_such("rule", &name.0))?;
    web.app.rules.revoke(id, &visit.who.principal.name).await?;
    Ok(Did::Note(Note::RuleRevoked).on(&visit, see("/approvals")))
}
