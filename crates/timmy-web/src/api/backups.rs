//! Backups for programs: what there is, what is being made, and making one.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::backup::{Part, Why};
use timmy_domain::Record;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};

use super::{created, json as answer};
use crate::ask::Fields;
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

fn drill(record: &Record) -> Value {
    let data = serde_json::from_str::<Value>(&record.data).unwrap_or(Value::Null);
    json!({
        "whole": record.name == "backup.drilled",
        "at": record.at,
        "seq": record.seq,
        "file": data.get("file"),
        "finding": data.get("finding"),
    })
}

/// `GET /api/backups`.
pub async fn backups(State(web): State<Web>, _: Visit) -> Answer {
    let backups = &web.app.backups;
    let (items, last) = (backups.list().await?, backups.last_drill().await?);
    Ok(answer(&json!({
        "items": items,
        "next": null,
        "folder": backups.folder(),
        "making": backups.making(),
        "last_drill": last.as_ref().map(drill),
    })))
}

fn areas() -> ObjectBuilder {
    let words = Part::AREAS.into_iter().chain(["messages", "folders", ""]).map(Value::from).chain([Value::Null]);
    ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null])).enum_values(Some(words))
}

/// A backup to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = BackupToMake)]
pub struct New {
    /// The one area to take along; everything when it is left out or empty.
    #[schema(schema_with = areas)]
    only: Option<String>,
}

/// `POST /api/backups`: answers when it is made and checked. Whoever hangs up gives it up.
pub async fn make(State(web): State<Web>, _: Visit, Fields(new): Fields<New>) -> Answer {
    let part = match new.only.as_deref().filter(|only| !only.is_empty()) {
        None => Part::Home,
        Some(only) => only.parse::<Part>()?,
    };
    Ok(created(&web.app.backups.make(part, Why::Owner).await?))
}
