//! The router for whoever steers it: how it is, what it did, what left, and the owner's hand on it.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::cascade::recent;
use timmy_llm::{Control, Recent};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::super::json as answer;
use super::{provider, providers};
use crate::ask::{Asked, Fields, LIMIT_MAX, Named, Window};
use crate::auth::Visit;
use crate::errors::Answer;
use crate::pages::router::REQUESTS_MAX;
use crate::web::Web;

/// Lines of the ledger when nobody says how many.
const USUAL: usize = 100;
/// Names in an order of providers.
const NAMES_MAX: usize = 100;
/// Minutes for which everything can be kept here at once.
const MINUTES_MAX: u64 = 1_440;

/// `GET /api/v1/router/status`: the mode, the budgets, and the last calls with their paths.
pub async fn status(State(web): State<Web>, _: Visit) -> Answer {
    let ctx = &web.app.ctx;
    let day = ctx.now().to_utc().date().to_string();
    let spent = ctx.store.read(move |r| r.egress_cost_of_day(&day, "")).await?;
    let local = ctx.cascade.local_for().map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    let (recent, now) = (ctx.cascade.recent(), Instant::now());
    let recent: Vec<Value> = recent.iter().take(REQUESTS_MAX).map(|r| path_of(r, now)).collect();
    Ok(answer(&json!({
        "has_model": ctx.cascade.has_model(),
        "offline": ctx.cascade.offline(),
        "local_only_ms": local,
        "spent_today_micros": spent,
        "providers": ctx.cascade.status().iter().map(provider).collect::<Vec<_>>(),
        "recent": recent,
    })))
}

fn path_of(call: &Recent, now: Instant) -> Value {
    let step = |s: &recent::Step| json!({"provider": s.provider, "model": s.model, "outcome": s.word, "duration_ms": s.took_ms});
    json!({
        "ago_ms": u64::try_from(now.saturating_duration_since(call.ended).as_millis()).unwrap_or(u64::MAX),
        "purpose": call.purpose,
        "task_class": call.class,
        "local_only": call.label == Sensitivity::LocalOnly,
        "cached": call.cached,
        "duration_ms": call.took_ms,
        "cost_micros": call.cost_micros,
        "path": call.path.iter().map(step).collect::<Vec<_>>(),
    })
}

/// `GET /api/v1/router/metrics`: what each provider was asked for and gave since the start.
pub async fn metrics(State(web): State<Web>, _: Visit) -> Answer {
    let row = |f: &timmy_llm::ProviderFigures| {
        json!({
            "name": f.name,
            "busy": f.busy,
            "answers": f.answers,
            "failures": f.failures,
            "prompt_tokens": f.usage.prompt_tokens,
            "completion_tokens": f.usage.completion_tokens,
            "first_words": f.first_word.count,
            "first_word_seconds": f.first_word.sum_seconds,
            "calls": f.took.count,
            "call_seconds": f.took.sum_seconds,
        })
    };
    let items: Vec<Value> = web.app.ctx.cascade.figures().iter().map(row).collect();
    Ok(answer(&json!({"items": items, "next": null})))
}

/// `GET /api/v1/router/egress`: what left this machine for a model or by a tool, newest first. Never what was said.
pub async fn egress(State(web): State<Web>, _: Visit, Asked(window): Asked<Window>) -> Answer {
    let limit = window.limit(USUAL)?;
    let before = window.before()?.unwrap_or(0);
    let lines = web.app.ctx.store.read(move |r| r.egress(before, (limit + 1).min(LIMIT_MAX))).await?;
    let row = |line: &timmy_store::Egress| {
        json!({
            "id": line.id,
            "at": line.at,
            "provider": line.provider,
            "model": line.model,
            "host": line.host,
            "why": line.why,
            "task_id": line.task_id,
            "bytes": line.bytes,
            "cost_micros": line.cost_micros,
            "state": line.state,
        })
    };
    let next = lines.get(limit.saturating_sub(1)).filter(|_| lines.len() > limit).map(|line| line.id);
    let items: Vec<Value> = lines.iter().take(limit).map(row).collect();
    Ok(answer(&json!({"items": items, "next": next})))
}

/// What the owner does to a provider.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ProviderControl, examples(json!({"action": "disable"})))]
pub struct Controlled {
    /// `enable`, `disable` or `reset_circuit`.
    #[schema(pattern = "^(enable|disable|reset_circuit)$")]
    action: String,
}

/// `POST /api/v1/router/providers/{name}/control`.
pub async fn control(
    State(web): State<Web>,
    _: Visit,
    Named(name): Named,
    Fields(wanted): Fields<Controlled>,
) -> Answer {
    let control = Control::parse(&wanted.action).ok_or_else(|| {
        Problem::invalid("bad_action", "`action` is enable, disable or reset_circuit.", "Choose one of them.")
    })?;
    web.app.router.control(&name, control).await?;
    let items = web.app.ctx.cascade.status();
    Ok(answer(&items.iter().find(|p| p.name == name).map_or(Value::Null, provider)))
}

/// The order of providers.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ProviderOrder, examples(json!({"providers": ["scripted"]})))]
pub struct Ordered {
    /// The providers by name, the first one asked first; none for the order of the settings.
    #[schema(max_items = 100)]
    providers: Vec<String>,
}

/// `POST /api/v1/router/order`.
pub async fn order(State(web): State<Web>, visit: Visit, Fields(wanted): Fields<Ordered>) -> Answer {
    if wanted.providers.len() > NAMES_MAX {
        return Err(Problem::invalid("too_many", "That names more than 100 providers.", "Name each once.").into());
    }
    web.app.router.order(wanted.providers).await?;
    providers(State(web), visit).await
}

/// For how long everything stays here.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = LocalOnly, examples(json!({"minutes": 60})))]
pub struct Local {
    /// Minutes, at most a day; 0 ends it. An hour when it is left out.
    #[schema(minimum = 0, maximum = 1440)]
    minutes: Option<u64>,
}

/// `POST /api/v1/router/local-only`: keeps everything on this machine for a while.
pub async fn local_only(State(web): State<Web>, _: Visit, Fields(wanted): Fields<Local>) -> Answer {
    let minutes = wanted.minutes.unwrap_or(timmy_core::router::LOCAL_MINUTES);
    if minutes > MINUTES_MAX {
        return Err(Problem::invalid("too_long", "`minutes` is at most 1440.", "Choose a shorter time.").into());
    }
    let until = web.app.router.keep_local((minutes > 0).then_some(minutes)).await?;
    Ok(answer(&json!({"until": until})))
}

/// `POST /api/v1/router/health-check`: looks at all providers now.
pub async fn health_check(State(web): State<Web>, visit: Visit) -> Answer {
    web.app.router.look().await?;
    providers(State(web), visit).await
}

/// `GET /api/v1/router/config`: what the router goes by, without any key.
pub async fn config(State(web): State<Web>, _: Visit) -> Answer {
    let cascade = &web.app.ctx.cascade;
    let rules = cascade.rules();
    let names: Vec<String> = cascade.status().into_iter().map(|p| p.name).collect();
    Ok(answer(&json!({
        "providers": names,
        "circuit_breaker_threshold": rules.threshold,
        "hedge_ms": u64::try_from(rules.hedge.as_millis()).unwrap_or(u64::MAX),
        "offline": rules.offline,
        "cache_entries": rules.cache_entries,
        "budget_day_micros": rules.caps.day,
        "budget_task_micros": rules.caps.task,
        "budget_provider_micros": rules.caps.provider,
        "recording": rules.recorder.is_some(),
    })))
}
