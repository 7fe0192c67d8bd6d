//! The key sheet, and the keys a device chose.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;

use super::settings::{self, Typed};
use super::{gather_here, see, shell};
use crate::ask::Fields;
use crate::auth::{KEYS_COOKIE, Visit, set_cookie};
use crate::did::{Did, Note};
use crate::errors::{Answer, page, show};
use crate::keys::{KEYS, OwnKeys};
use crate::look::keys::{KeysPage, KeysPart, sheet};
use crate::web::Web;

/// `GET /keys`.
pub async fn keys(State(web): State<Web>, visit: Visit) -> Answer {
    let own = &visit.device.keys;
    let (groups, on) = (sheet(own), own.on);
    if visit.script {
        return page(&KeysPart { groups, on });
    }
    let (around, ()) = gather_here(&web, |_| Ok(())).await?;
    let mut shell = shell(&web, &visit, &around, "");
    "Keys".clone_into(&mut shell.title);
    show(&visit, &KeysPage { shell, groups, on })
}

/// `POST /settings/keys`. A field for each key that can be changed; one that is left out or empty is as usual.
pub async fn choose(State(web): State<Web>, visit: Visit, Fields(form): Fields<BTreeMap<String, String>>) -> Answer {
    let usual = form.contains_key("usual");
    let on = usual || form.get("single").is_some_and(|word| word == "on");
    let asked = |id: &'static str| {
        let typed = form.get(&format!("key.{id}")).filter(|_| !usual)?.trim();
        typed.chars().next().map(|c| (id, c))
    };
    let asked: Vec<(&str, char)> = KEYS.iter().filter_map(|key| asked(key.id)).collect();
    match OwnKeys::chosen(on, &asked) {
        Ok(own) => {
            let mut response = Did::Note(Note::KeysSaved).on(&visit, see("/settings#keys"));
            if let Some(cookie) = set_cookie(KEYS_COOKIE, &own.coded(), super::look::REMEMBER_SECONDS, "Lax") {
                response.headers_mut().append(header::SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(why) => settings::draw(&web, &visit, Typed { keys: Some((on, form, why)), ..Typed::default() }).await,
    }
}
