//! Health: the verdict, what Timmy lives on, every part, what is done regularly, what may leave.

use axum::extract::State;
use timmy_core::report::{Part, PartState};
use timmy_domain::Timestamp;
use timmy_llm::ProviderState;

use super::{models, see, shell};
use crate::api;
use crate::auth::Visit;
use crate::errors::{Answer, page, show};
use crate::look::health::{HealthPage, HealthPart, Verdict};
use crate::look::{Clock, Fact, State as Word};
use crate::resources::Grade;
use crate::web::Web;

pub mod gathered;
mod rows;

use gathered::{Gathered, everything};

fn verdict(web: &Web, parts: &[Part], gathered: &Gathered, clock: &Clock) -> Verdict {
    let unreadable = gathered.around.folders.iter().filter(|f| !f.error.is_empty()).count();
    let checked = clock.second(clock.now);
    let broken: Vec<&str> =
        parts.iter().filter(|p| matches!(p.state, PartState::Restarting { .. })).map(|p| p.name).collect();
    let providers = web.app.ctx.cascade.status();
    let down: Vec<&str> =
        providers.iter().filter(|p| matches!(p.state, ProviderState::Down { .. })).map(|p| p.name.as_str()).collect();
    if let Some(finding) = web.app.ctx.store.writes_stopped() {
        let detail =
            "Reading goes on; nothing new is stored. Stop Timmy, keep the file as it is, and restore a backup.";
        return Verdict {
            state: Word::failed("Failed"),
            sentence: format!("Writing has stopped: {finding}."),
            detail: detail.to_owned(),
            checked,
        };
    }
    if web.app.ctx.store.full_since().is_some() {
        let detail = "Reading goes on, and nothing that was stored is lost. Make room, and Timmy goes on by himself.";
        return Verdict {
            state: Word::failed("Disk full"),
            sentence: "The disk is full, so nothing new is stored.".to_owned(),
            detail: detail.to_owned(),
            checked,
        };
    }
    if !broken.is_empty() {
        let sentence = format!("{} failed and starts again.", broken.join(", "));
        return Verdict {
            state: Word::degraded("Degraded"),
            sentence,
            detail: "Everything else goes on.".to_owned(),
            checked,
        };
    }
    if let Some(failing) = gathered.resources.iter().find(|r| r.grade == Grade::Failing) {
        return Verdict {
            state: Word::degraded("Degraded"),
            sentence: format!("{} is nearly used up: {}.", failing.name, failing.used),
            detail: "Timmy goes on as long as he can. Make room, or stop what takes it.".to_owned(),
            checked,
        };
    }
    if unreadable > 0 || !web.app.ctx.cascade.has_model() {
        let mut said = Vec::new();
        if !web.app.ctx.cascade.has_model() {
            said.push("no language model answers, so reflex does".to_owned());
        }
        if unreadable > 0 {
            said.push(format!("{} cannot be read", timmy_domain::text::plural(unreadable as u64, "folder", "folders")));
        }
        let sentence = super::doing::capital(&said.join(", and "));
        let mut detail = Vec::new();
        if !web.app.ctx.cascade.has_model() && !down.is_empty() {
            detail.push(format!("Timmy asks {} again every few seconds.", down.join(" and ")));
        }
        if unreadable > 0 {
            detail.push("Home names the folder. Timmy looks again at every round.".to_owned());
        }
        let detail = detail.join(" ");
        return Verdict { state: Word::degraded("Limited"), sentence, detail, checked };
    }
    if let Some((sentence, detail)) = complaint(parts) {
        return Verdict { state: Word::degraded("Limited"), sentence, detail, checked };
    }
    let running = timmy_domain::text::plural(parts.len() as u64, "part runs", "parts run");
    let detail = format!("{running}, a language model answers, and the database takes what is written.");
    Verdict { state: Word::well("Well"), sentence: "Everything Timmy relies on is well.".to_owned(), detail, checked }
}

/// Which parts complain, and what the first of them says; `None` when none does.
fn complaint(parts: &[Part]) -> Option<(String, String)> {
    let troubled: Vec<&Part> = parts.iter().filter(|part| part.troubled).collect();
    let first = troubled.first()?;
    let names: Vec<&str> = troubled.iter().map(|part| part.name).collect();
    let verb = if names.len() == 1 { "complains" } else { "complain" };
    let note = super::doing::capital(&first.note);
    Some((format!("{} {verb}.", names.join(", ")), format!("{note} Everything else goes on.")))
}

fn part(web: &Web, visit: &Visit, gathered: &Gathered) -> HealthPart {
    let clock = web.clock();
    let parts = web.app.ctx.reports.all();
    HealthPart {
        verdict: verdict(web, &parts, gathered, &clock),
        resources: gathered.resources.iter().map(rows::resource).collect(),
        parts: parts.iter().map(|p| rows::part(p, &gathered.faults, &clock)).collect(),
        routines: gathered.routines.iter().map(|r| rows::routine(r, &clock)).collect(),
        models: models::rows(web),
        store: rows::store(&web.app.ctx.store.stats(), gathered, &clock),
        leaves: rows::leaves(web, &web.app.ctx.cascade.status(), &parts, &gathered.left),
        csrf: visit.csrf(),
    }
}

/// How long ago, as a date in words.
fn up_since(at: Timestamp, clock: &Clock) -> String {
    clock.short(at).full
}

/// `GET /health/page`.
pub async fn health(State(web): State<Web>, visit: Visit) -> Answer {
    let gathered = everything(&web).await?;
    let clock = web.clock();
    let health = HealthPage {
        shell: shell(&web, &visit, &gathered.around, "/health/page"),
        part: part(&web, &visit, &gathered),
        house: [
            Fact::new("Home", web.home.clone()).mono(),
            Fact::new("Version", web.version.clone()),
            Fact::new("Address", web.address.to_string()).mono(),
            Fact::new("Up since", up_since(web.app.ctx.started_at, &clock)),
            Fact::new("Sandbox", rows::sandbox(timmy_tools::sandbox::fence().await)),
        ]
        .into_iter()
        .chain(rows::servers(&web.app.servers.standings()))
        .chain(rows::granted(&web.app.granted.look().await))
        .collect(),
    };
    show(&visit, &health)
}

/// `GET /health/page/parts`.
pub async fn parts(State(web): State<Web>, visit: Visit) -> Answer {
    let gathered = everything(&web).await?;
    page(&part(&web, &visit, &gathered))
}

/// `POST /health/check`: asks every provider whether it is there, and looks again.
pub async fn check(State(web): State<Web>, visit: Visit) -> Answer {
    api::health::probe(&web).await?;
    if visit.script { parts(State(web), visit).await } else { Ok(see("/health/page")) }
}

#[cfg(test)]
mod tests {
    use timmy_core::report::PartKind;

    use super::*;

    #[test]
    fn a_part_that_complains_is_named_with_what_it_says() {
        let mut parts: Vec<Part> =
            ["backup", "selfhood"].map(|name| Part::new(name, PartKind::Reconciler, Timestamp::EPOCH)).into();
        assert_eq!(complaint(&parts), None);
        parts[1].troubled = true;
        parts[1].note = "mind/ is not under version control: no repository".to_owned();
        let detail = "Mind/ is not under version control: no repository. Everything else goes on.".to_owned();
        assert_eq!(complaint(&parts), Some(("selfhood complains.".to_owned(), detail)));
        parts[0].troubled = true;
        assert_eq!(complaint(&parts).map(|(said, _)| said).as_deref(), Some("backup, selfhood complain."));
    }
}
