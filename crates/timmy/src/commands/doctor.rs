//! `timmy doctor`: checks everything and names the one step that mends each fault.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Global, safe, text};
use crate::door::{Door, Refusal};
use crate::{say, wire};

/// What one check found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well,
    Note,
    Fault,
}

struct Finding {
    check: &'static str,
    verdict: Verdict,
    what: String,
    step: String,
}

impl Finding {
    fn well(check: &'static str, what: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Well, what: what.into(), step: String::new() }
    }
    fn note(check: &'static str, what: impl Into<String>, step: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Note, what: what.into(), step: step.into() }
    }
    fn fault(check: &'static str, what: impl Into<String>, step: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fault, what: what.into(), step: step.into() }
    }
    const fn word(&self) -> &'static str {
        match self.verdict {
            Verdict::Well => "ok",
            Verdict::Note => "note",
            Verdict::Fault => "FAULT",
        }
    }
}

/// Runs the checks. The exit code is 1 when one found a fault.
///
/// # Errors
/// Never because of a finding.
pub async fn run(global: &Global) -> Result<ExitCode> {
    let mut findings = vec![home(global), configuration(global)];
    if findings.iter().all(|f| f.verdict != Verdict::Fault) {
        findings.extend(house(global).await);
    }
    let faults = findings.iter().filter(|f| f.verdict == Verdict::Fault).count();
    if global.json {
        let items: Vec<Value> = findings
            .iter()
            .map(|f| json!({"check": f.check, "verdict": f.word().to_lowercase(), "what": f.what, "step": f.step}))
            .collect();
        say::line(&json!({"ok": faults == 0, "items": items, "next": null}).to_string());
    } else {
        for f in &findings {
            say::line(&format!("{:<6} {:<14} {}", f.word(), f.check, f.what));
            if !f.step.is_empty() {
                say::line(&format!("       {:<14} → {}", "", f.step));
            }
        }
    }
    Ok(if faults == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn home(global: &Global) -> Finding {
    let home = &global.home;
    if let Err(error) = home.create() {
        return Finding::fault(
            "home",
            format!("{error:#}"),
            "Make the directory writable, or choose another with --home DIR.",
        );
    }
    match crate::home::open_to_others(&home.path) {
        Ok(false) => Finding::well("home", home.path.display().to_string()),
        Ok(true) => Finding::note(
            "home",
            format!("others on this machine can look into {}", home.path.display()),
            format!("chmod 700 {}", home.path.display()),
        ),
        Err(error) => Finding::fault("home", format!("{error:#}"), "Check that the disk is there."),
    }
}

fn configuration(global: &Global) -> Finding {
    match wire::load_config(&global.home, Vec::new()) {
        Ok(_) if global.home.config().exists() => {
            Finding::well("configuration", global.home.config().display().to_string())
        }
        Ok(_) => Finding::well("configuration", "defaults; there is no timmy.toml and none is needed"),
        Err(error) => {
            Finding::fault("configuration", format!("{error:#}"), "Mend the line, then run `timmy config check`.")
        }
    }
}

/// Asks the house itself: database, chain, parts, models, folders.
async fn house(global: &Global) -> Vec<Finding> {
    let door = match Door::open(global).await {
        Ok(door) => door,
        Err(error) => {
            let hint = error
                .downcast_ref::<Refusal>()
                .map_or_else(|| "Follow the message above.".to_owned(), |r| r.hint.clone());
            return vec![Finding::fault("database", format!("{error:#}"), hint)];
        }
    };
    let mut findings = Vec::new();
    findings.push(if door.is_server() {
        Finding::well("server", format!("runs at http://{}", door.address()))
    } else {
        Finding::note("server", "Timmy is not running", "timmy serve")
    });
    match door.get("/api/events/verify").await {
        Ok(report) => findings.push(chain(&report)),
        Err(error) => findings.push(Finding::fault(
            "database",
            format!("{error:#}"),
            "Restart Timmy; if it stays so, keep timmy.db safe and run this again.",
        )),
    }
    match door.get("/api/health?probe=true").await {
        Ok(health) => health_findings(&health, &mut findings),
        Err(error) => findings.push(Finding::fault("health", format!("{error:#}"), "Restart Timmy.")),
    }
    door.close().await;
    findings
}

fn chain(report: &Value) -> Finding {
    let rows = report.get("rows").and_then(Value::as_i64).unwrap_or(0);
    if report.get("ok").and_then(Value::as_bool).unwrap_or(false) {
        return Finding::well("database", format!("{rows} events, chain whole"));
    }
    let bad = report.get("first_bad").unwrap_or(&Value::Null);
    Finding::fault(
        "database",
        format!(
            "the log was changed from outside or damaged at event {}: {}",
            bad.get("seq").unwrap_or(&Value::Null),
            text(bad, "why")
        ),
        "Stop Timmy, keep a copy of the home as it is, and put back a copy of timmy.db from before.",
    )
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn health_findings(health: &Value, findings: &mut Vec<Finding>) {
    for part in list(health, "parts") {
        let state = text(part, "state");
        if state == "restarting" {
            findings.push(Finding::fault(
                "parts",
                format!("{} failed: {}", text(part, "name"), safe(text(part, "why"), 200)),
                "It restarts by itself; `timmy events query --type error.captured` shows the history.",
            ));
        } else if part.get("troubled").and_then(Value::as_bool).unwrap_or(false) {
            findings.push(Finding::note(
                "parts",
                format!("{}: {}", text(part, "name"), safe(text(part, "note"), 200)),
                "",
            ));
        }
    }
    let mut models = 0;
    for provider in list(health, "providers") {
        let (name, status) = (text(provider, "name"), text(provider, "status"));
        if name != "reflex" && status == "up" {
            models += 1;
        }
        findings.push(match status {
            "up" => Finding::well("model", format!("{name} answers")),
            _ => Finding::note(
                "model",
                format!("{name}: {}", safe(text(provider, "why"), 200)),
                text(provider, "hint").to_owned(),
            ),
        });
    }
    if models == 0 {
        findings.push(Finding::note(
            "model",
            "no language model answers; reflex does, and says so",
            "Start Ollama, then: ollama pull llama3.1:8b-instruct",
        ));
    }
    for folder in list(health, "folders") {
        match text(folder, "error") {
            "" => findings.push(Finding::well("folder", safe(text(folder, "path"), 200))),
            error => findings.push(Finding::fault(
                "folder",
                format!("{}: {}", safe(text(folder, "path"), 200), safe(error, 200)),
                "Make it readable, or remove it: timmy watch remove DIR",
            )),
        }
    }
    if let Some(finding) = health.get("writes_stopped").and_then(Value::as_str) {
        findings.push(Finding::fault(
            "database",
            format!("writing has stopped: {finding}"),
            "Stop Timmy, keep a copy of the home as it is, and put back a copy of timmy.db from before.",
        ));
    }
}
