//! Models: the register, what there is to get, and what is being fetched.

use super::any_schema;
use crate::api::models;
use crate::openapi::answers::{Catalogue, FoundModel, Model, ModelAssignment, ModelPull, ModelUnassigned};
use crate::openapi::call::{Call, Next};
use crate::openapi::words::one_of;

pub(super) fn library() -> Vec<Call> {
    let roles = || one_of(timmy_domain::model::ModelRole::ALL.iter().map(|role| role.name()));
    vec![
        Call::get("/api/v1/models", "models", "The registered models, by name")
            .asks("role", "Only those of this role.", roles())
            .lists::<Model>("Models.", Next::Never),
        Call::post("/api/v1/models", "registerModel", "Register a model whose file lies where Timmy may read")
            .takes::<models::New>()
            .gives::<Model>(201, "The model."),
        Call::post("/api/v1/models/import", "importModel", "Register a file that lies anywhere, without copying it")
            .takes::<models::New>()
            .gives::<Model>(201, "The model."),
        Call::get("/api/v1/models/catalogue", "catalogue", "What there is to get, and how it fits this machine")
            .note("How fast disk and memory are is measured beside it, from the first time on that somebody asks: while `measuring` is true, ask again.")
            .gives::<Catalogue>(200, "The catalogue."),
        Call::get("/api/v1/models/found", "foundModels", "Models that Ollama keeps on this disk")
            .lists::<FoundModel>("Files.", Next::Never),
        Call::get("/api/v1/models/roles/{role}", "modelsOfRole", "The registered models of a role")
            .named("role", "The role.", any_schema())
            .lists::<Model>("Models.", Next::Never),
        Call::get("/api/v1/models/assignments/all", "modelAssignments", "Which agent works with which model")
            .lists::<ModelAssignment>("Assignments.", Next::Never),
        Call::post("/api/v1/models/assignments", "assignModel", "Give an agent a model of its own")
            .takes::<models::Assign>()
            .gives::<ModelAssignment>(201, "The assignment.")
            .refuses(404),
        Call::delete("/api/v1/models/assignments/{agent}", "unassignModel", "Take it back")
            .named("agent", "The agent.", any_schema())
            .gives::<ModelUnassigned>(200, "It has none of its own any more."),
        Call::get("/api/v1/models/pulls", "pulls", "What is being fetched, or was in this run")
            .lists::<ModelPull>("Pulls.", Next::Never),
        Call::post("/api/v1/models/pulls", "pullModel", "Fetch a model of the catalogue")
            .note("It goes on where an earlier one stopped. The answer comes at once; ask for the pull to see how far it is.")
            .takes::<models::ToPull>()
            .gives::<ModelPull>(201, "The pull.")
            .refuses(404)
            .refuses(409),
        Call::post("/api/v1/models/fetch", "fetchModel", "Fetch a GGUF file from an address")
            .note("Without a checksum nothing is verified, and such a pull begins anew after it was stopped. Ask for the pull to see how far it is.")
            .takes::<models::ToFetch>()
            .gives::<ModelPull>(201, "The pull.")
            .refuses(409),
        Call::get("/api/v1/models/pulls/{name}", "pull", "How far a model is")
            .named("name", "The model.", any_schema())
            .gives::<ModelPull>(200, "The pull."),
        Call::delete("/api/v1/models/pulls/{name}", "cancelPull", "Stop fetching a model; what came stays")
            .named("name", "The model.", any_schema())
            .gives::<ModelPull>(200, "The pull.")
            .refuses(409),
        Call::get("/api/v1/models/{name}", "model", "One model").named("name", "Its name.", any_schema()).gives::<Model>(200, "The model."),
        Call::delete("/api/v1/models/{name}", "removeModel", "Take a model out of the register; it can come back")
            .named("name", "Its name.", any_schema())
            .gives::<Model>(200, "The model that is gone."),
        Call::patch("/api/v1/models/{name}/active", "switchModel", "Switch a model on or off")
            .named("name", "Its name.", any_schema())
            .takes::<models::Switch>()
            .gives::<Model>(200, "The model."),
        Call::post("/api/v1/models/{name}/restore", "restoreModel", "Bring a removed model back")
            .named("name", "Its name.", any_schema())
            .gives::<Model>(200, "The model."),
    ]
}
