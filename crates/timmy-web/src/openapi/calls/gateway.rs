//! The gateway: the models of the house in the words of OpenAI's API.

use crate::api::gateway;
use crate::openapi::answers::{GatewayAnswer, GatewayContinuation, GatewayModel, GatewayModels, GatewayVectors};
use crate::openapi::call::Call;

/// What a stream of an answer is.
const EVENTS: &str = "text/event-stream";

pub(super) fn gateway() -> Vec<Call> {
    vec![
        Call::get("/v1/models", "gatewayModels", "The models that can be asked, in OpenAI's words")
            .note("auto lets Timmy choose. judge, reward and teacher stand there when a registered model has that role, and ask it.")
            .gives::<GatewayModels>(200, "The models."),
        Call::get("/v1/models/{id}", "gatewayModel", "One of them")
            .of("Its name, as the list has it.")
            .gives::<GatewayModel>(200, "The model."),
        Call::post("/v1/chat/completions", "gatewayChat", "Ask a model, in OpenAI's words")
            .note("X-Timmy-Provider says who answered. With the header X-Timmy-Local-Only: 1 nothing leaves this machine; left out, 0, false, no and off let it leave, and any other value keeps it here.")
            .takes::<gateway::ChatWanted>()
            .gives::<GatewayAnswer>(200, "The answer.")
            .streams(EVENTS)
            .refuses(409)
            .refuses(429),
        Call::post("/v1/completions", "gatewayText", "Continue a text, in OpenAI's words")
            .takes::<gateway::TextWanted>()
            .gives::<GatewayContinuation>(200, "The text.")
            .streams(EVENTS)
            .refuses(409)
            .refuses(429),
        Call::post("/v1/embeddings", "gatewayEmbed", "Turn texts into vectors, in OpenAI's words")
            .takes::<gateway::EmbedWanted>()
            .gives::<GatewayVectors>(200, "The vectors.")
            .refuses(404)
            .refuses(429),
    ]
}
