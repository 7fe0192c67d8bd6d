//! How every part is, for programs and for `timmy doctor`.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_core::models::Prober;
use timmy_core::reconcile::Reconciler;
use timmy_core::report::Part;
use timmy_domain::Problem;
use timmy_tools::mcp::Standing;
use timmy_tools::mcp::hub::State as Stands;

use super::json as answer;
use crate::api::router::provider;
use crate::ask::{Asked, switch};
use crate::auth::Visit;
use crate::errors::{Answer, Refusal};
use crate::pages::health::gathered::{everything, routine};
use crate::web::Web;

/// Whether to ask the providers first.
#[derive(Debug, Default, Deserialize)]
pub struct Probe {
    probe: Option<String>,
}

/// Asks every provider whether it is there, and tells the changes, as the part of the house does that looks after them.
///
/// # Errors
/// When a change cannot be told.
pub async fn probe(web: &Web) -> Result<(), Refusal> {
    let probed = Prober.run(&web.app.ctx).await;
    probed
        .map(|_| ())
        .map_err(|fault| Problem::unavailable("store_failed", format!("{fault}."), "Run `timmy doctor`.").into())
}

fn part(part: &Part) -> Value {
    let mut fields = serde_json::to_value(part).unwrap_or(Value::Null);
    // The state is an object with its word inside; programs read it flat.
    if let Some(Value::Object(state)) = fields.get_mut("state").map(Value::take) {
        for (name, value) in state {
            fields[name] = value;
        }
    }
    fields
}

fn server(standing: &Standing) -> Value {
    let (state, tools) = match &standing.state {
        Stands::Connecting => ("connecting", 0),
        Stands::Connected { tools, .. } => ("connected", *tools),
        Stands::Failing { .. } => ("failing", 0),
    };
    json!({
        "name": standing.name, "place": standing.place, "state": state, "tools": tools, "words": standing.words(),
    })
}

fn problem(problem: &Problem) -> Value {
    json!({"code": problem.code, "message": problem.message, "hint": problem.hint})
}

/// `GET /api/health`.
pub async fn health(State(web): State<Web>, _: Visit, Asked(wanted): Asked<Probe>) -> Answer {
    if switch("probe", wanted.probe.as_deref())? {
        probe(&web).await?;
    }
    let folders = web.app.watch.list().await?;
    let gathered = everything(&web).await?;
    let (stats, machine) = (web.app.ctx.store.stats(), &gathered.machine);
    let parts: Vec<Value> = web.app.ctx.reports.all().iter().map(part).collect();
    let fence = timmy_tools::sandbox::fence().await;
    let providers: Vec<Value> = web.app.ctx.cascade.status().iter().map(provider).collect();
    Ok(answer(&json!({
        "parts": parts,
        "providers": providers,
        "folders": folders,
        "writes_stopped": stats.writes_stopped,
        "store": {
            "path": stats.path,
            "file_bytes": stats.file_bytes,
            "wal_bytes": stats.wal_bytes,
            "schema_version": stats.schema_version,
            "writer_queue": stats.writer_queue,
            "batches": stats.batches,
            "rows": stats.rows,
            "last_commit_micros": stats.last_commit_micros,
            "last_seq": stats.last_seq,
            "readers": stats.readers,
        },
        "machine": {
            "load": machine.load,
            "cores": machine.cores,
            "process_bytes": machine.process_bytes,
            "memory_total_bytes": machine.memory_total_bytes,
            "memory_available_bytes": machine.memory_available_bytes,
            "disk_total_bytes": machine.disk_total_bytes,
            "disk_free_bytes": machine.disk_free_bytes,
        },
        "resources": gathered.resources,
        "routines": gathered.routines.iter().map(routine).collect::<Vec<_>>(),
        "sandbox": {"tier": fence.tier.name(), "missing": fence.missing, "hint": fence.hint},
        "tool_folders": web.app.granted.look().await.1.iter().map(problem).collect::<Vec<_>>(),
        "tool_servers": web.app.servers.standings().iter().map(server).collect::<Vec<_>>(),
        "telemetry": web.app.ctx.telemetry.endpoint(),
        "home": web.home,
        "version": web.version,
        "uptime_seconds": web.uptime_seconds(),
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use timmy_core::report::{PartKind, PartState};
    use timmy_domain::Timestamp;

    #[test]
    fn the_state_of_a_part_is_read_flat() {
        let broken = Part {
            state: PartState::Restarting { at: Timestamp::EPOCH, why: "panicked".to_owned() },
            restarts: 3,
            ..Part::new("pulse", PartKind::Component, Timestamp::EPOCH)
        };
        let fields = part(&broken);
        assert_eq!(
            (&fields["state"], &fields["why"], &fields["restarts"]),
            (&json!("restarting"), &json!("panicked"), &json!(3))
        );
    }
}
