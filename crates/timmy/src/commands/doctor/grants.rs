//! The folders granted to tools: one finding for each that is not as it should be.

use serde_json::Value;

use super::Finding;
use crate::commands::{safe, text};
use crate::config::Config;
use crate::home::{self, Home};

/// Looks at those of the configuration.
pub(super) fn look(at: &Home, config: &Config, findings: &mut Vec<Finding>) {
    let (grants, problems) = config.tools.grants(home::user_home().as_deref(), &[&at.path]);
    findings.extend(problems.iter().map(|problem| told(&problem.message, &problem.hint)));
    if problems.is_empty() && !grants.folders().is_empty() {
        let count = timmy_domain::text::plural(grants.folders().len() as u64, "folder", "folders");
        findings.push(Finding::well("tools", format!("{count} granted")));
    }
}

/// The same from the answer of a server.
pub(super) fn of_answer(problems: &[Value]) -> Vec<Finding> {
    problems.iter().map(|one| told(&safe(text(one, "message"), 400), &safe(text(one, "hint"), 300))).collect()
}

/// The house does less, or less safely, and goes on.
fn told(message: &str, hint: &str) -> Finding {
    Finding::note("tools", message, hint)
}
