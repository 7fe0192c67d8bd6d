//! Watched folders for programs.

use axum::extract::State;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{created, json as answer};
use crate::ask::{Fields, Named};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::web::Web;

/// `GET /api/watch`.
pub async fn folders(State(web): State<Web>, _: Visit) -> Answer {
    Ok(answer(&json!({"items": web.app.watch.list().await?, "next": null})))
}

/// A folder to watch.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewFolder)]
pub struct New {
    /// Its path on the machine of the house.
    #[schema(min_length = 1, examples("/home/me/project"))]
    path: String,
}

/// `POST /api/watch`.
pub async fn add(State(web): State<Web>, _: Visit, Fields(new): Fields<New>) -> Answer {
    Ok(created(&web.app.watch.add(&new.path).await?))
}

/// `DELETE /api/watch/{which}`: by number, path or name.
pub async fn remove(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.watch.remove(&name.0).await?))
}
