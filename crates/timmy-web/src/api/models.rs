//! The models on this machine, for programs: the register, what there is to get, and what is being fetched.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::library::NewModel;
use timmy_domain::model::{Model, ModelFormat, ModelRole};
use timmy_domain::{Problem, model::advice};
use utoipa::ToSchema;

use super::{created, json as answer};
use crate::ask::{Asked, Fields, Named};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal};
use crate::web::Web;

/// Which models.
#[derive(Debug, Default, Deserialize)]
pub struct Narrow {
    role: Option<String>,
}

fn role(word: &str) -> Result<ModelRole, Refusal> {
    ModelRole::parse(word).ok_or_else(|| {
        let hint = "Roles are general, reward, teacher and judge.";
        Problem::invalid("bad_role", "There is no such role of a model.", hint).into()
    })
}

async fn listed(web: &Web, role: Option<ModelRole>) -> Answer {
    let items: Vec<Model> = web.app.library.list(role).await?;
    Ok(answer(&json!({ "items": items, "next": null })))
}

/// `GET /api/v1/models`.
pub async fn models(State(web): State<Web>, _: Visit, Asked(narrow): Asked<Narrow>) -> Answer {
    let wanted = narrow.role.as_deref().filter(|word| !word.is_empty()).map(role).transpose()?;
    listed(&web, wanted).await
}

/// `GET /api/v1/models/roles/{role}`.
pub async fn of_role(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let wanted = role(&name.0)?;
    listed(&web, Some(wanted)).await
}

/// A model to register.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ModelToRegister)]
pub struct New {
    /// Its name: letters, digits and `. _ : / -` in between.
    #[schema(min_length = 1, max_length = 120, examples("qwen3-0.6b"))]
    name: String,
    /// How it lies on the disk; `gguf` when it is left out.
    #[schema(pattern = "^(gguf|safetensors|hf|ollama)$")]
    format: Option<String>,
    /// Where it lies, as an absolute path; left out for `ollama`.
    #[serde(default)]
    path: String,
    /// What it is for; `general` when it is left out.
    #[schema(pattern = "^(general|reward|teacher|judge)$")]
    role: Option<String>,
    /// Tokens it reads and writes in one request; 4096 when it is left out.
    #[schema(minimum = 1, maximum = 16777216)]
    context_window: Option<u64>,
    /// What it is, in words.
    #[serde(default)]
    description: String,
    /// How freely it chooses its words; 0.7 when it is left out.
    #[schema(minimum = 0, maximum = 2)]
    default_temperature: Option<f64>,
    /// Tokens of an answer; 2048 when it is left out.
    #[schema(minimum = 1, maximum = 16777216)]
    max_tokens: Option<u64>,
}

impl New {
    fn wanted(self) -> Result<NewModel, Refusal> {
        let format = self.format.map(|word| {
            ModelFormat::parse(&word).ok_or_else(|| {
                let hint = "Formats are gguf, safetensors, hf and ollama.";
                Problem::invalid("bad_format", "There is no such format of a model.", hint)
            })
        });
        Ok(NewModel {
            name: self.name,
            format: format.transpose()?,
            path: self.path,
            role: self.role.as_deref().map(role).transpose()?,
            context_window: self.context_window,
            description: self.description,
            default_temperature: self.default_temperature,
            max_tokens: self.max_tokens,
        })
    }
}

/// `POST /api/v1/models`: the file has to lie where Timmy may read.
pub async fn register(State(web): State<Web>, _: Visit, Fields(new): Fields<New>) -> Answer {
    Ok(created(&web.app.library.register(new.wanted()?).await?))
}

/// `POST /api/v1/models/import`: the file may lie anywhere, since only the owner himself comes here.
pub async fn import(State(web): State<Web>, _: Visit, Fields(new): Fields<New>) -> Answer {
    Ok(created(&web.app.library.import(new.wanted()?).await?))
}

/// `GET /api/v1/models/{name}`.
pub async fn model(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.library.get(&name.0).await?))
}

/// `DELETE /api/v1/models/{name}`.
pub async fn remove(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.library.remove(&name.0).await?))
}

/// `POST /api/v1/models/{name}/restore`.
pub async fn restore(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    Ok(answer(&web.app.library.restore(&name.0).await?))
}

/// Whether a model may be asked.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ModelSwitch)]
pub struct Switch {
    /// Whether it may be asked.
    active: bool,
}

/// `PATCH /api/v1/models/{name}/active`.
pub async fn switch(State(web): State<Web>, _: Visit, name: Named, Fields(to): Fields<Switch>) -> Answer {
    Ok(answer(&web.app.library.switch(&name.0, to.active).await?))
}

/// `GET /api/v1/models/assignments/all`.
pub async fn assignments(State(web): State<Web>, _: Visit) -> Answer {
    Ok(answer(&json!({ "items": web.app.library.assignments().await?, "next": null })))
}

/// A model for an agent.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ModelToAssign)]
pub struct Assign {
    /// The agent.
    #[schema(min_length = 1, max_length = 120, examples("timmy"))]
    agent_id: String,
    /// The model.
    #[schema(min_length = 1, max_length = 120)]
    model_name: String,
}

/// `POST /api/v1/models/assignments`.
pub async fn assign(State(web): State<Web>, _: Visit, Fields(to): Fields<Assign>) -> Answer {
    Ok(created(&web.app.library.assign(&to.agent_id, &to.model_name).await?))
}

/// `DELETE /api/v1/models/assignments/{agent}`.
pub async fn unassign(State(web): State<Web>, _: Visit, agent: Named) -> Answer {
    web.app.library.unassign(&agent.0).await?;
    Ok(answer(&json!({ "agent_id": agent.0, "model_name": null })))
}

/// `GET /api/v1/models/catalogue`: what there is to get and how it fits this machine, and how the files that are here
/// would be run. How fast disk and memory are is
/// measured beside it, from the first time on that somebody asks.
pub async fn catalogue(State(web): State<Web>, _: Visit) -> Answer {
    let (machine, speeds) = web.app.library.measured().await;
    Ok(answer(&json!({
        "items": web.app.library.offers(machine).await?,
        "next": null,
        "here": web.app.library.running(machine).await?,
        "advice": advice::first(machine).map(|entry| entry.name),
        "memory_bytes": machine.memory_bytes,
        "available_bytes": machine.available_bytes,
        "disk_free_bytes": machine.disk_free_bytes,
        "measuring": speeds.measuring,
        "measured_at": speeds.measured_at,
        "disk_read_bytes_per_second": machine.disk_read_bytes_per_second,
        "memory_read_bytes_per_second": machine.memory_read_bytes_per_second,
    })))
}

/// `GET /api/v1/models/found`: models that Ollama keeps on this disk, which can be imported without copying.
pub async fn found(State(web): State<Web>, _: Visit) -> Answer {
    Ok(answer(&json!({ "items": web.app.library.ollama_files().await, "next": null })))
}

/// `GET /api/v1/models/pulls`.
pub async fn pulls(State(web): State<Web>, _: Visit) -> Answer {
    Ok(answer(&json!({ "items": web.app.library.pulls.list(), "next": null })))
}

/// A model of the catalogue to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ModelToPull)]
pub struct ToPull {
    /// Its name in the catalogue.
    #[schema(min_length = 1, max_length = 120, examples("qwen3-0.6b"))]
    name: String,
}

/// `POST /api/v1/models/pulls`.
pub async fn pull(State(web): State<Web>, _: Visit, Fields(what): Fields<ToPull>) -> Answer {
    Ok(created(&web.app.library.pulls.start(&what.name).await?))
}

/// A file at an address to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ModelToFetch)]
pub struct ToFetch {
    /// The name it gets.
    #[schema(min_length = 1, max_length = 120, examples("my-model"))]
    name: String,
    /// Where it lies: an address that begins with https, or with http on this machine.
    #[schema(min_length = 1, max_length = 2000)]
    url: String,
    /// Its SHA-256 in hexadecimal. Without one nothing is verified.
    sha256: Option<String>,
}

/// `POST /api/v1/models/fetch`: a GGUF file from anywhere, since only the owner himself comes here.
pub async fn fetch(State(web): State<Web>, _: Visit, Fields(what): Fields<ToFetch>) -> Answer {
    let begun = web.app.library.pulls.start_from(&what.name, &what.url, what.sha256.as_deref()).await?;
    Ok(created(&begun))
}

/// `GET /api/v1/models/pulls/{name}`.
pub async fn one_pull(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let pull = web.app.library.pulls.get(&name.0);
    Ok(answer(&pull.ok_or_else(|| crate::ask::no_such("pull", &name.0))?))
}

/// `DELETE /api/v1/models/pulls/{name}`: stops it. What came stays.
pub async fn cancel(State(web): State<Web>, _: Visit, name: Named) -> Answer {
    let stopped: Value = json!(web.app.library.pulls.cancel(&name.0)?);
    Ok(answer(&stopped))
}
