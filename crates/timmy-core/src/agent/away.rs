//! A tool that speaks to another machine needs the same leave as a question to a model, and stands in the same ledger.

use std::net::IpAddr;

use timmy_domain::plan::Plan;
use timmy_llm::{Caps, Errand, Failure, Leaving};
use timmy_tools::ToolError;

use crate::ctx::Ctx;

/// Whether nothing leaves this machine with `plan`.
fn stays(plan: &Plan) -> bool {
    plan.hosts.iter().all(|host| is_here(host))
}

/// Whether what `plan` says may be done now.
///
/// # Errors
/// Why it must not, as a clause.
pub(super) fn may(ctx: &Ctx, plan: &Plan) -> Result<(), Failure> {
    if stays(plan) { Ok(()) } else { ctx.cascade.leave().map(|_| ()) }
}

/// Leave to do what `plan` says for `task`, entered in the ledger; `None` when nothing leaves this machine with it.
///
/// # Errors
/// Why it must not, as a clause.
pub(super) async fn leave(ctx: &Ctx, plan: &Plan, task: &str) -> Result<Option<Errand>, Failure> {
    if stays(plan) {
        return Ok(None);
    }
    let leaving = Leaving {
        provider: plan.tool.clone(),
        model: String::new(),
        host: plan.hosts.join(", "),
        why: "tool",
        task: task.to_owned(),
        bytes: plan.args.to_string().len() as u64,
        reserved_micros: 0,
        caps: Caps::default(),
    };
    ctx.cascade.errand(&leaving).await.map(Some)
}

/// Does `work` as long as it may leave, and says in the ledger how it ended.
pub(super) async fn within<T>(
    ctx: &Ctx,
    errand: Option<Errand>,
    work: impl Future<Output = Result<T, ToolError>>,
) -> Result<T, ToolError> {
    let Some(errand) = errand else { return work.await };
    let done = tokio::select! {
        biased;
        () = errand.leave.cancelled() => {
            let hint = "Do without it, or wait until that is over.";
            Err(ToolError::refused("stays_here", "From now on everything stays on this machine.", hint))
        }
        done = work => done,
    };
    ctx.cascade.back(&errand, done.is_ok());
    done
}

/// Whether `host`, with or without its port, is this machine.
pub(crate) fn is_here(host: &str) -> bool {
    let without_port = |host: &str| match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default().to_owned(),
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default().to_owned(),
        None => host.to_owned(),
    };
    let bare = without_port(host);
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_loopback_address_is_here() {
        for here in ["localhost", "localhost:8080", "127.0.0.1", "127.0.0.1:9", "[::1]:80", "::1"] {
            assert!(is_here(here), "{here}");
        }
        for away in
            ["example.org", "example.org:443", "10.0.0.1", "localhost.example", "127.0.0.1.example", "", "[::2]:1"]
        {
            assert!(!is_here(away), "{away}");
        }
    }
}
