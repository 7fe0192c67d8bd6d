//! The servers of tools the owner named: kept connected as a part of the house, and what of them may be believed.

use timmy_domain::text::cut;
use timmy_tools::mcp::Hub;

use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::report::PartKind;
use crate::supervisor::Component;

/// The name of the part.
pub const PART: &str = "tools.servers";
/// Characters of what it says about all servers.
const NOTE_CHARS_MAX: usize = 600;

/// The part; `None` where no server is named.
#[must_use]
pub fn component(hub: &Hub) -> Option<Component> {
    if hub.is_empty() {
        return None;
    }
    let hub = hub.clone();
    Some(Component::new(PART, PartKind::Component, move |ctx| keep(ctx, hub.clone())))
}

async fn keep(ctx: Ctx, hub: Hub) -> Result<(), Fault> {
    let mut changes = hub.changes();
    let telling = async {
        loop {
            tell(&ctx, &hub);
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = ctx.stop.cancelled() => {}
        () = hub.run() => {}
        () = telling => {}
    }
    Ok(())
}

fn tell(ctx: &Ctx, hub: &Hub) {
    let standings = hub.standings();
    let lines: Vec<String> = standings.iter().map(|one| format!("{}: {}", one.name, one.words())).collect();
    let note = cut(&lines.join(". "), NOTE_CHARS_MAX);
    if standings.iter().any(timmy_tools::mcp::Standing::is_failing) {
        ctx.reports.complain(PART, PartKind::Component, ctx.now(), note);
    } else {
        ctx.reports.note(PART, PartKind::Component, ctx.now(), note);
    }
}

/// Whether a call of `tool` was made with words of another server in view, where `servers` are connected: what a
/// server says about its own tools is part of what the owner approves, what it says about others is not.
#[must_use]
pub fn overheard(tool: &str, servers: usize) -> bool {
    servers > usize::from(tool.starts_with("mcp_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: approvals: what a server of tools says about itself can lead to a call of something else only as text from outside
    #[test]
    fn words_of_a_server_count_as_outside_for_everything_but_its_own_tools() {
        let table = [("run_command", 0, false), ("run_command", 1, true), ("mcp_a_x", 1, false), ("mcp_a_x", 2, true)];
        for (tool, servers, wanted) in table {
            assert_eq!(overheard(tool, servers), wanted, "{tool} with {servers}");
        }
    }
}
