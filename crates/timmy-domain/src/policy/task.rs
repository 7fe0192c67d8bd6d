//! Which tasks that ask for it may start without the owner. The first version's rules, without the one by which Timmy
//! could call his own work urgent.

use crate::Actor;

/// The rule that lets a task start when it was created with `auto_approve`; `None` when none does.
///
/// A task's priority has no part in it.
#[must_use]
pub fn rule(assigned_to: &str, task_type: &str, created_by: &Actor) -> Option<&'static str> {
    match (assigned_to, task_type, created_by) {
        ("timmy", "chat_response", _) => Some("answers to you need no approval"),
        ("timmy", "thought", _) => Some("thoughts need no approval"),
        ("timmy", "internal", _) => Some("work on Timmy's own lists needs no approval"),
        ("forge", "run_tests", _) => Some("running tests needs no approval"),
        (_, "bug_report", Actor::System) => Some("bug reports of the house need no approval"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timmy_cannot_skip_the_owner_by_what_he_calls_his_work() {
        for kind in ["task", "urgent", "shell", "bug_report", "escalation"] {
            assert_eq!(rule("timmy", kind, &Actor::Timmy), None, "{kind}");
        }
        assert!(rule("timmy", "thought", &Actor::Timmy).is_some());
        assert!(rule("forge", "run_tests", &Actor::Timmy).is_some());
        assert!(rule("any", "bug_report", &Actor::System).is_some());
        assert_eq!(rule("forge", "chat_response", &Actor::Timmy), None);
    }
}
