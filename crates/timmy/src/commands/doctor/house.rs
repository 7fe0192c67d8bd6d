//! The running house, as it tells about itself.

use serde_json::Value;

use super::{Finding, clock, grants, models, sandbox, servers};
use crate::commands::{safe, text};
use crate::door::Door;

/// What helps when writing has stopped because of damage.
const STOP: &str = "Stop Timmy, then run `timmy doctor` again: it names the backup to restore.";

/// Asks the server.
pub(super) async fn ask(door: Door, findings: &mut Vec<Finding>) {
    findings.push(Finding::well("server", format!("runs at http://{}", door.address())));
    match door.get("/api/events/verify").await {
        Ok(report) => findings.push(chain(&report)),
        Err(error) => findings.push(Finding::fault("database", format!("{error:#}"), STOP)),
    }
    if let Ok(events) = door.get("/api/events?newest=true&limit=1").await {
        findings.extend(clock::of_answer(&events));
    }
    match door.get("/api/health?probe=true").await {
        Ok(health) => health_findings(&health, findings),
        Err(error) => findings.push(Finding::fault("health", format!("{error:#}"), "Restart Timmy.")),
    }
    if let Ok(state) = door.get("/api/backups").await
        && let Some(drill) = state.get("last_drill").filter(|d| d.is_object())
        && !drill.get("whole").and_then(Value::as_bool).unwrap_or(false)
    {
        let what =
            format!("{} would not restore: {}", safe(text(drill, "file"), 100), safe(text(drill, "finding"), 200));
        findings.push(Finding::fault("backup", what, "timmy backup"));
    }
    door.close().await;
}

fn chain(report: &Value) -> Finding {
    let rows = report.get("rows").and_then(Value::as_i64).unwrap_or(0);
    if report.get("ok").and_then(Value::as_bool).unwrap_or(false) {
        return Finding::well("database", format!("{rows} events, chain whole"));
    }
    let bad = report.get("first_bad").unwrap_or(&Value::Null);
    let at = bad.get("seq").unwrap_or(&Value::Null);
    let what = format!("the log was changed from outside or damaged at event {at}: {}", safe(text(bad, "why"), 200));
    Finding::fault("database", what, STOP)
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn health_findings(health: &Value, findings: &mut Vec<Finding>) {
    if let Some(finding) = health.get("writes_stopped").and_then(Value::as_str) {
        findings.push(Finding::fault("database", format!("writing has stopped: {}", safe(finding, 200)), STOP));
    }
    findings.extend(list(health, "parts").iter().filter_map(part));
    findings.extend(health.get("sandbox").map(sandbox::of_answer));
    findings.extend(models::of_answer(list(health, "providers")));
    findings.extend(grants::of_answer(list(health, "tool_folders")));
    findings.extend(servers::of_answer(list(health, "tool_servers")));
    findings.extend(list(health, "folders").iter().map(|f| folder(text(f, "path"), text(f, "error"))));
}

fn part(part: &Value) -> Option<Finding> {
    let name = text(part, "name");
    if text(part, "state") == "restarting" {
        return Some(Finding::fault(
            "parts",
            format!("{name} failed: {}", safe(text(part, "why"), 200)),
            "It restarts by itself; `timmy events query --type error.captured` shows the history.",
        ));
    }
    if !part.get("troubled").and_then(Value::as_bool).unwrap_or(false) {
        return None;
    }
    let what = format!("{name}: {}", safe(text(part, "note"), 200));
    let step = match name {
        "backup" => "timmy backup",
        "store.disk" => "Make room on the disk; Timmy goes on by himself.",
        _ => "`timmy show health` says more about it.",
    };
    Some(Finding::note("parts", what, step))
}

/// A watched folder.
pub(super) fn folder(path: &str, error: &str) -> Finding {
    let shown = safe(path, 200);
    match error {
        "" => Finding::well("folder", shown),
        error => Finding::fault(
            "folder",
            format!("{shown}: {}", safe(error, 200)),
            format!("Make it readable, or stop watching it: timmy watch remove {shown}"),
        ),
    }
}
