//! `timmy doctor`: checks everything and names the one step that mends each fault. It changes nothing, and
//! works on a home that is damaged, held by another process or on a disk that cannot be written.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use super::Global;
use crate::config::Config;
use crate::door::Door;
use crate::{say, wire};

mod clock;
mod database;
mod grants;
mod home;
mod house;
mod models;
mod sandbox;
mod servers;

/// What one check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    Note,
    Fault,
}

/// What a check found, and the one step that mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let mut findings = Vec::new();
    if home::look(&global.home, &mut findings) {
        let config = configuration(global, &mut findings);
        match Door::if_running(&global.home).await {
            Ok(Some(door)) => house::ask(door, &mut findings).await,
            Ok(None) => alone(global, config.as_ref(), &mut findings).await,
            Err(error) => findings.push(Finding::fault(
                "server",
                format!("{error:#}"),
                "Wait a moment and run this again; if it stays so, stop that process.",
            )),
        }
        if let Some(config) = &config {
            models::prices(&global.home, config, &mut findings);
        }
        home::content(&global.home, config.as_ref(), &mut findings).await;
    } else {
        configuration(global, &mut findings);
        findings.push(sandbox::look().await);
    }
    show(global, &findings);
    let faults = findings.iter().any(|f| f.verdict == Verdict::Fault);
    Ok(if faults { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Nobody runs: the files are looked at, and the models asked.
async fn alone(global: &Global, config: Option<&Config>, findings: &mut Vec<Finding>) {
    findings.push(Finding::note("server", "Timmy is not running", "timmy serve"));
    database::look(&global.home, findings);
    findings.push(sandbox::look().await);
    if let Some(config) = config {
        models::ask(&global.home, config, findings).await;
        grants::look(&global.home, config, findings);
        servers::ask(config, findings).await;
    }
}

fn show(global: &Global, findings: &[Finding]) {
    if global.json {
        let items: Vec<Value> = findings
            .iter()
            .map(|f| json!({"check": f.check, "verdict": f.word().to_lowercase(), "what": f.what, "step": f.step}))
            .collect();
        let ok = findings.iter().all(|f| f.verdict != Verdict::Fault);
        say::line(&json!({"ok": ok, "items": items, "next": null}).to_string());
        return;
    }
    for f in findings {
        say::line(&format!("{:<6} {:<14} {}", f.word(), f.check, f.what));
        if !f.step.is_empty() {
            say::line(&format!("       {:<14} → {}", "", f.step));
        }
    }
}

fn configuration(global: &Global, findings: &mut Vec<Finding>) -> Option<Config> {
    let read = wire::load_config(&global.home, Vec::new());
    findings.push(match &read {
        Ok(_) if global.home.config().exists() => {
            Finding::well("configuration", global.home.config().display().to_string())
        }
        Ok(_) => Finding::well("configuration", "defaults; there is no timmy.toml and none is needed"),
        Err(error) => {
            Finding::fault("configuration", format!("{error:#}"), "Mend the line, then run `timmy config check`.")
        }
    });
    read.ok()
}
