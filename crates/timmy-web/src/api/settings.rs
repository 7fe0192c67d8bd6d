//! Settings for programs and the command line.

use std::collections::BTreeMap;

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::Problem;
use utoipa::ToSchema;

use super::json as answer;
use crate::ask::Fields;
use crate::auth::Visit;
use crate::desk::{Change, Given, Holder, Setting};
use crate::errors::Answer;
use crate::pages::settings::{all, change};
use crate::web::Web;

/// Settings that can be changed at once.
const CHANGES_MAX: usize = 100;

fn row(setting: &Setting) -> Value {
    let source = match &setting.holder {
        Holder::Default => "default".to_owned(),
        Holder::File(line) => format!("timmy.toml line {line}"),
        Holder::Above(name) => name.clone(),
        Holder::Secrets => "secrets.toml".to_owned(),
    };
    json!({
        "key": setting.key,
        "value": setting.running,
        "next": setting.next,
        "default": setting.default,
        "source": source,
        "editable": setting.is_editable(),
        "doc": setting.doc,
    })
}

/// `GET /api/settings`: every key with the value of this run, that of the next start, and where it comes from.
pub async fn settings(State(web): State<Web>, _: Visit) -> Answer {
    let items: Vec<Value> = all(&web).await?.iter().map(row).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// A value as programs give it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Value)]
enum Wanted {
    /// Text, or any value as it stands in the file.
    Text(String),
    /// A whole number.
    Number(i64),
    /// On or off.
    Switch(bool),
    /// Several texts.
    List(Vec<String>),
}

impl From<Wanted> for Given {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::Text(text) => Self::Text(text),
            Wanted::Number(number) => Self::Text(number.to_string()),
            Wanted::Switch(on) => Self::Text(on.to_string()),
            Wanted::List(list) => Self::List(list),
        }
    }
}

/// What is to change: all of it, or nothing. From 1 to 100 keys.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({"set": {"thinking.interval_seconds": 600}, "unset": ["talk.max_tokens"]})))]
pub struct Changes {
    /// Keys with their new values.
    #[serde(default)]
    set: BTreeMap<String, Wanted>,
    /// Keys whose default holds again.
    #[serde(default)]
    #[schema(max_items = 100)]
    unset: Vec<String>,
}

/// `POST /api/settings/changes`: sets and unsets keys of the file, all or none.
pub async fn change_all(State(web): State<Web>, _: Visit, Fields(changes): Fields<Changes>) -> Answer {
    let set = changes.set.into_iter().map(|(key, value)| Change { key, value: Some(value.into()) });
    let all: Vec<Change> = set.chain(changes.unset.into_iter().map(|key| Change { key, value: None })).collect();
    if all.is_empty() || all.len() > CHANGES_MAX {
        let message = format!("From 1 to {CHANGES_MAX} settings can be changed at once.");
        return Err(Problem::invalid("bad_changes", message, "Name them in `set` and `unset`.").into());
    }
    let items: Vec<Value> = change(&web, all).await?.iter().map(row).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}
