//! Settings: what this device, this house and its file are set to, and the forms that change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use timmy_core::trust::access::Scope;
use timmy_domain::event::SettingsChanged;
use timmy_domain::{Actor, NewEvent, Problem};

use super::{gather, refused, see, shell, status_of};
use crate::ask::{Asked, Fields};
use crate::auth::Visit;
use crate::desk::{Change, Desk, Given, Kind, Setting, Sheet};
use crate::did::{Did, Note};
use crate::errors::{Answer, Refusal, page, show_with};
use crate::look::folders::FolderView;
use crate::look::settings::{Every, Refused, SessionView, SettingsPage, TokenPage, TokenView, key_fields, sections};
use crate::palette::{Entry, Section, Step};
use crate::web::Web;

/// The address of the page.
pub const ROUTE: &str = "/settings";
/// What stands before the key in the name of a field.
const FIELD: &str = "v.";
/// Fields of one form that are looked at.
const FIELDS_MAX: usize = 100;
/// Bytes of a filter.
const FILTER_BYTES_MAX: usize = 100;

/// What was typed into one of the forms and refused, so that nothing of it is lost.
#[derive(Default)]
pub struct Typed {
    /// The filter of the settings.
    pub filter: String,
    /// Keys of the device: whether single keys act, the form, and why.
    pub keys: Option<(bool, BTreeMap<String, String>, String)>,
    /// A folder.
    pub folder: Option<(String, Problem)>,
    /// The name of a token.
    pub token: Option<(String, Problem)>,
    /// The form of a section of settings.
    pub setting: Option<(BTreeMap<String, String>, Problem)>,
    /// Another act of this page.
    pub act: Option<Problem>,
}

impl Typed {
    fn problem(&self) -> Option<&Problem> {
        let folder = self.folder.as_ref().map(|(_, p)| p);
        let token = self.token.as_ref().map(|(_, p)| p);
        folder.or(token).or(self.setting.as_ref().map(|(_, p)| p)).or(self.act.as_ref())
    }

    fn status(&self) -> StatusCode {
        let keys = self.keys.as_ref().map(|_| StatusCode::UNPROCESSABLE_ENTITY);
        self.problem().map(status_of).or(keys).unwrap_or(StatusCode::OK)
    }
}

fn said(problem: Option<&Problem>) -> String {
    problem.map(|p| format!("{} {}", p.message, p.hint)).unwrap_or_default()
}

/// Reads or writes at the desk, off the serving threads.
///
/// # Errors
/// When there is no desk, or what it refuses.
pub async fn at_desk<T: Send + 'static>(
    web: &Web,
    work: impl FnOnce(&dyn Desk) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let Some(desk) = web.desk.as_ref().map(Arc::clone) else {
        return Err(Problem::unavailable(
            "no_settings",
            "No configuration file stands behind this server.",
            "Start Timmy with `timmy serve`.",
        ));
    };
    let done = tokio::task::spawn_blocking(move || work(desk.as_ref())).await;
    done.map_err(|_| Problem::unavailable("settings_failed", "The settings could not be read.", "Try once more."))?
}

/// The settings as entries of the palette; none when they cannot be read.
pub async fn entries(web: &Web) -> Vec<Entry> {
    let sheet = at_desk(web, |desk| desk.sheet()).await.unwrap_or_default();
    let entry = |setting: &Setting| Entry {
        section: Section::Setting,
        title: setting.key.clone(),
        words: setting.doc.clone(),
        icon: "rows",
        note: setting.next.chars().take(24).collect(),
        mono: true,
        step: Step::To(format!("{ROUTE}#{}", setting.key)),
    };
    sheet.sections.iter().flat_map(|section| &section.settings).map(entry).collect()
}

fn every(sheet: Result<Sheet, Problem>, typed: &Typed) -> Every {
    let sheet = match sheet {
        Ok(sheet) => sheet,
        Err(problem) => return Every { missing: said(Some(&problem)), ..Every::default() },
    };
    let all: Vec<&Setting> = sheet.sections.iter().flat_map(|section| &section.settings).collect();
    let mut every = Every {
        count: all.len(),
        waiting: all.iter().filter(|setting| setting.waits()).count(),
        filter: typed.filter.clone(),
        sections: sections(&sheet.sections, &typed.filter),
        path: sheet.path,
        faults: sheet.faults,
        missing: String::new(),
    };
    if let Some((form, problem)) = &typed.setting {
        for section in every.sections.iter_mut().filter(|section| form.get("section") == Some(&section.name)) {
            section.problem = said(Some(problem));
            for view in &mut section.settings {
                if let Some(text) = form.get(&format!("{FIELD}{}", view.setting.key)) {
                    view.field.clone_from(text);
                }
            }
        }
    }
    every
}

/// The page, with what was refused.
///
/// # Errors
/// When the store cannot be read.
pub async fn draw(web: &Web, visit: &Visit, typed: Typed) -> Answer {
    let may = visit.who.principal.scope >= Scope::Admin;
    let (around, tokens) = gather(web, move |r| if may { r.tokens().map(Some) } else { Ok(None) }).await?;
    let sheet = at_desk(web, |desk| desk.sheet()).await;
    let backups = if may { Some(super::backups::part(web).await?) } else { None };
    let sessions = if may { Some(web.app.access.sessions(&visit.who.principal).await?) } else { None };
    let has_password = web.app.access.has_password().await?;
    let clock = web.clock();
    let mut shell = shell(web, visit, &around, ROUTE);
    shell.path = ROUTE.to_owned();
    shell.notice = typed.problem().map(refused);
    let own = &visit.device.keys;
    let code = typed.status();
    let page = SettingsPage {
        keys_on: typed.keys.as_ref().map_or(own.on, |(on, _, _)| *on),
        key_fields: key_fields(own, typed.keys.as_ref().map(|(_, form, _)| form)),
        keys_problem: typed.keys.as_ref().map(|(_, _, why)| why.clone()).unwrap_or_default(),
        folders: around.folders.iter().map(|f| FolderView::of(f, &clock)).collect(),
        path_typed: typed.folder.as_ref().map(|(path, _)| path.clone()).unwrap_or_default(),
        path_problem: said(typed.folder.as_ref().map(|(_, problem)| problem)),
        tokens: tokens.map(|rows| rows.iter().map(|row| TokenView::of(row, &clock)).collect()),
        sessions: sessions.map(|all| all.iter().map(|seen| SessionView::of(seen, &clock)).collect()),
        token: Refused {
            typed: typed.token.as_ref().map(|(name, _)| name.clone()).unwrap_or_default(),
            problem: said(typed.token.as_ref().map(|(_, problem)| problem)),
        },
        has_password,
        backups,
        every: every(sheet, &typed),
        shell,
    };
    show_with(code, visit, &page)
}

/// What the page is asked for.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    q: Option<String>,
}

/// `GET /settings`.
pub async fn settings(State(web): State<Web>, visit: Visit, Asked(wanted): Asked<Wanted>) -> Answer {
    let q = wanted.q.unwrap_or_default();
    let filter = q.get(..q.floor_char_boundary(FILTER_BYTES_MAX)).unwrap_or_default().trim().to_owned();
    draw(&web, &visit, Typed { filter, ..Typed::default() }).await
}

/// Changes settings, all of them or none, and tells it.
///
/// # Errors
/// What the desk refuses, or when the store cannot write.
pub async fn change(web: &Web, changes: Vec<Change>) -> Result<Vec<Setting>, Problem> {
    let told: Vec<NewEvent> = changes
        .iter()
        .map(|change| SettingsChanged { key: change.key.clone(), set: change.value.is_some() })
        .map(|body| NewEvent::new("settings", body).by(Actor::Owner))
        .collect();
    // The file cannot join the transaction of the log, so it is written first: an event never reports what is not so.
    let settings = at_desk(web, move |desk| desk.change(&changes)).await?;
    web.app.ctx.store.append(told).await.map_err(|error| {
        Problem::unavailable(
            "not_told",
            format!("The settings are written, and the log could not take note of it: {error}."),
            "Run `timmy doctor`.",
        )
    })?;
    Ok(settings)
}

/// The fields of a section's form that say something else than the file does.
fn asked(sheet: &Sheet, form: &BTreeMap<String, String>) -> Vec<Change> {
    let changed = |(name, typed): (&String, &String)| {
        let key = name.strip_prefix(FIELD)?;
        let typed = typed.replace("\r\n", "\n");
        let known = sheet.setting(key);
        if known.is_some_and(|setting| setting.field.trim() == typed.trim()) {
            return None;
        }
        let lines = || typed.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let given = if known.is_some_and(|s| s.kind == Kind::List) { Given::List(lines()) } else { Given::Text(typed) };
        Some(Change { key: key.to_owned(), value: Some(given) })
    };
    form.iter().filter_map(changed).take(FIELDS_MAX).collect()
}

/// `POST /settings/set`: the form of one section. Only what differs from the file is written.
pub async fn set(State(web): State<Web>, visit: Visit, Fields(form): Fields<BTreeMap<String, String>>) -> Answer {
    let section = form.get("section").cloned().unwrap_or_default();
    let to = format!("{ROUTE}#section-{}", crate::door::encoded(&section));
    let changes = at_desk(&web, |desk| desk.sheet()).await.map(|sheet| asked(&sheet, &form));
    let done = match changes {
        Ok(changes) if changes.is_empty() => return Ok(Did::Note(Note::NothingToSave).on(&visit, see(&to))),
        Ok(changes) => change(&web, changes).await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(_) => Ok(Did::Note(Note::SettingSaved).on(&visit, see(&to))),
        Err(problem) => draw(&web, &visit, Typed { setting: Some((form, problem)), ..Typed::default() }).await,
    }
}

/// A setting that shall be as usual again.
#[derive(Debug, Default, Deserialize)]
pub struct Unset {
    #[serde(default)]
    unset: String,
}

/// `POST /settings/unset`.
pub async fn unset(State(web): State<Web>, visit: Visit, Fields(form): Fields<Unset>) -> Answer {
    match change(&web, vec![Change { key: form.unset.clone(), value: None }]).await {
        Ok(_) => {
            let to = format!("{ROUTE}#{}", crate::door::encoded(&form.unset));
            Ok(Did::Note(Note::SettingUnset).on(&visit, see(&to)))
        }
        Err(problem) => draw(&web, &visit, Typed { act: Some(problem), ..Typed::default() }).await,
    }
}

/// A token to make or to withdraw.
#[derive(Debug, Default, Deserialize)]
pub struct TokenForm {
    #[serde(default)]
    name: String,
    scope: Option<String>,
    #[serde(default)]
    confirm: String,
}

/// `POST /settings/tokens`: makes a token and shows it, once.
pub async fn make_token(State(web): State<Web>, visit: Visit, Fields(form): Fields<TokenForm>) -> Answer {
    let scope = Scope::named(form.scope.as_deref().unwrap_or("read"));
    let made = match scope {
        Some(scope) => web.app.access.create_token(&form.name, scope).await.map(|secret| (scope, secret)),
        None => Err(Problem::invalid("bad_scope", "A scope is read, operate or admin.", "Choose one of them.")),
    };
    match made {
        Ok((scope, secret)) => {
            let (around, ()) = gather(&web, |_| Ok(())).await?;
            let mut shell = shell(&web, &visit, &around, "");
            "A new token".clone_into(&mut shell.title);
            shell.above = crate::nav::page(ROUTE);
            shell.path = ROUTE.to_owned();
            let name = timmy_domain::text::one_line(&form.name);
            page(&TokenPage { shell, name, scope: scope.name(), secret: secret.expose().to_owned() })
        }
        Err(problem) => draw(&web, &visit, Typed { token: Some((form.name, problem)), ..Typed::default() }).await,
    }
}

/// `POST /settings/tokens/revoke`: the name has to be typed, for there is no way back.
pub async fn revoke_token(State(web): State<Web>, visit: Visit, Fields(form): Fields<TokenForm>) -> Answer {
    let meant = form.confirm.trim() == form.name;
    let done = if meant {
        web.app.access.revoke_token(&form.name).await
    } else {
        let what = format!("To revoke {}, its name has to be typed exactly. Nothing was revoked.", form.name);
        Err(Problem::invalid("not_confirmed", what, "Type the name as it stands in the list."))
    };
    match done {
        Ok(()) => Ok(Did::Note(Note::TokenRevoked).on(&visit, see("/settings#tokens"))),
        Err(problem) => draw(&web, &visit, Typed { act: Some(problem), ..Typed::default() }).await,
    }
}

impl From<Sheet> for Vec<Setting> {
    fn from(sheet: Sheet) -> Self {
        sheet.sections.into_iter().flat_map(|section| section.settings).collect()
    }
}

/// Every setting, for programs.
///
/// # Errors
/// What the desk refuses.
pub async fn all(web: &Web) -> Result<Vec<Setting>, Refusal> {
    Ok(at_desk(web, |desk| desk.sheet()).await?.into())
}
