//! The router: how it is, what it did, and the owner's hand on it.

use super::{any_schema, number, one_of, position, switch};
use crate::api::router::desk;
use crate::openapi::answers::{
    EgressLine, LocalUntil, ProviderMetrics, ProviderTrial, Providers, RouterConfig, RouterProvider, RouterStatus,
    WouldBeAsked,
};
use crate::openapi::call::{Call, Next};

pub fn routing() -> Vec<Call> {
    vec![
        Call::get("/api/v1/router/status", "routerStatus", "How the router is, and the last calls with their paths")
            .gives::<RouterStatus>(200, "The router."),
        Call::get(
            "/api/v1/router/metrics",
            "routerMetrics",
            "What each provider was asked for and gave since the start",
        )
        .lists::<ProviderMetrics>("Figures, in the order in which providers are asked.", Next::Never),
        Call::get("/api/v1/router/config", "routerConfig", "What the router goes by, without any key")
            .gives::<RouterConfig>(200, "The rules."),
        Call::get("/api/v1/router/egress", "egress", "What left this machine for a model or by a tool, newest first")
            .note("When, where to, what for and how much; never what was said.")
            .limited()
            .asks("before", "Only lines before this one; the `next` of the page before.", position())
            .lists::<EgressLine>("Lines of the ledger.", Next::Position),
        Call::get(
            "/api/v1/router/explain",
            "explainRouting",
            "Who would be asked for something, and why others would not",
        )
        .note("Asks nobody. What is left out is a short open request for chat.")
        .asks("task_class", "What kind of work.", one_of(["chat", "thought", "tool_use", "code", "vision", "summary"]))
        .asks("sensitivity", "How far it may travel.", one_of(["open", "local-only"]))
        .asks("tokens", "How long it is, in tokens.", number(0, Some(200_000)))
        .asks("tools", "Whether tools are called.", switch())
        .asks("vision", "Whether a picture is part of it.", switch())
        .lists::<WouldBeAsked>("Providers and models, in order.", Next::Never),
        Call::post("/api/v1/router/providers/{name}/test", "testProvider", "Try one provider out with a tiny question")
            .note("It counts as a call, and takes a minute at most. Whoever goes away gives it up.")
            .named("name", "Its name.", any_schema())
            .gives::<ProviderTrial>(200, "How it went.")
            .refuses(409),
        Call::post("/api/v1/router/order", "orderProviders", "Ask the providers in another order")
            .note("It lasts over restarts. No name at all goes back to the order of the settings.")
            .takes::<desk::Ordered>()
            .gives::<Providers>(200, "The providers in their order.")
            .refuses(404),
        Call::post("/api/v1/router/local-only", "localOnly", "Keep everything on this machine for a while")
            .note("Calls on their way to another machine are given up.")
            .may_take::<desk::Local>()
            .gives::<LocalUntil>(200, "Until when."),
        Call::post("/api/v1/router/health-check", "checkProviders", "Look at all providers now")
            .gives::<Providers>(200, "The providers."),
        Call::post(
            "/api/v1/router/providers/{name}/control",
            "controlProvider",
            "Switch a provider, or reset its circuit",
        )
        .named("name", "Its name.", any_schema())
        .takes::<desk::Controlled>()
        .gives::<RouterProvider>(200, "The provider.")
        .refuses(409),
    ]
}
