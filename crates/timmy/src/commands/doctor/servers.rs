//! The servers of tools: tried once when nobody keeps them connected, one finding for each.

use std::time::Duration;

use serde_json::Value;
use timmy_tools::mcp::hub::try_all;

use super::Finding;
use crate::commands::{safe, text};
use crate::config::Config;

/// How long one may take to greet, in seconds.
const GREETING_SECONDS: u64 = 15;

/// Tries each of the configuration.
pub(super) async fn ask(config: &Config, findings: &mut Vec<Finding>) {
    let servers = config.engine().servers;
    let tried = try_all(&servers, Duration::from_secs(GREETING_SECONDS)).await;
    findings.extend(tried.iter().map(|one| told(&one.name, &one.words(), one.is_failing())));
}

/// The same from the answer of a server.
pub(super) fn of_answer(servers: &[Value]) -> Vec<Finding> {
    let one = |server: &Value| {
        told(&safe(text(server, "name"), 60), &safe(text(server, "words"), 400), text(server, "state") == "failing")
    };
    servers.iter().map(one).collect()
}

/// A server that is not there is no fault of the house: its tools are missing, and that is said.
fn told(name: &str, words: &str, failing: bool) -> Finding {
    let what = format!("{name}: {words}");
    if failing {
        Finding::note(
            "tool server",
            what,
            format!("Mend [mcp.{name}] in timmy.toml, or what it names; then start Timmy anew."),
        )
    } else {
        Finding::well("tool server", what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn each_server_says_how_it_stands() {
        let answer = serde_json::json!([
            {"name": "notes", "state": "connected", "words": "connected with 3 tools"},
            {"name": "far", "state": "failing", "words": "failing: nobody listens"}]);
        let found = of_answer(answer.as_array().expect("a list"));
        assert_eq!((found[0].verdict, found[0].what.as_str()), (Verdict::Well, "notes: connected with 3 tools"));
        assert_eq!((found[1].verdict, found[1].what.as_str()), (Verdict::Note, "far: failing: nobody listens"));
    }
}
