//! The fence around child processes: how strong it is on this machine.

use serde_json::Value;
use timmy_tools::sandbox::{Tier, fence};

use super::Finding;
use crate::commands::{safe, text};

/// Tries it.
pub(super) async fn look() -> Finding {
    let fence = fence().await;
    told(fence.tier, &fence.missing.join(" "), &fence.hint)
}

/// The same from the answer of a server.
pub(super) fn of_answer(sandbox: &Value) -> Finding {
    let missing: Vec<String> = sandbox
        .get("missing")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|m| safe(m, 300))
        .collect();
    let tier = Tier::of_name(text(sandbox, "tier")).unwrap_or(Tier::T1);
    told(tier, &missing.join(" "), &safe(text(sandbox, "hint"), 300))
}

/// A weaker fence is no fault of the house: it does less, and says so.
fn told(tier: Tier, missing: &str, hint: &str) -> Finding {
    let what = format!("{tier}: {}", tier.words());
    if missing.is_empty() {
        Finding::well("sandbox", what)
    } else {
        Finding::note("sandbox", format!("{what}. {missing}"), hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn a_whole_fence_is_well_and_a_weaker_one_says_what_is_missing_and_what_helps() {
        let whole = of_answer(&serde_json::json!({"tier": "T3", "missing": [], "hint": ""}));
        assert_eq!((whole.verdict, whole.what.as_str()), (Verdict::Well, "T3: namespaces, Landlock and seccomp"));
        let weak = of_answer(
            &serde_json::json!({"tier": "T2", "missing": ["No namespaces.", "More."], "hint": "Allow them."}),
        );
        assert_eq!((weak.verdict, weak.step.as_str()), (Verdict::Note, "Allow them."));
        assert_eq!(weak.what, "T2: Landlock and seccomp. No namespaces. More.");
        assert!(of_answer(&serde_json::json!({})).what.starts_with("T1"), "what is not told is not claimed");
    }
}
