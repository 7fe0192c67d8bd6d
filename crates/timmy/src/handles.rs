//! File handles: how many this process may hold.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File handles that are asked for: five thousand live connections with room for everything else.
const HANDLES_WANTED: u64 = 65_536;

/// What the soft limit should become; `None` when it is fine as it is. `None` as a limit means no limit.
fn raised(current: Option<u64>, maximum: Option<u64>) -> Option<u64> {
    let reachable = maximum.map_or(HANDLES_WANTED, |most| most.min(HANDLES_WANTED));
    current.filter(|now| *now < reachable).map(|_| reachable)
}

/// Raises the soft limit as far as the hard one lets, up to [`HANDLES_WANTED`]: many systems give 1,024 by default,
/// for programs that still use `select(2)`, which this one does not.
pub fn raise() {
    let limit = getrlimit(Resource::Nofile);
    let Some(wanted) = raised(limit.current, limit.maximum) else { return };
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum }) {
        tracing::warn!(%error, wanted, "the limit of file handles stays as it is; fewer live connections fit");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_to_what_is_allowed_and_never_lowered() {
        let cases = [
            (Some(1_024), Some(524_288), Some(HANDLES_WANTED)),
            (Some(1_024), Some(4_096), Some(4_096)),
            (Some(1_024), None, Some(HANDLES_WANTED)),
            (Some(4_096), Some(4_096), None),
            (Some(100_000), Some(524_288), None),
            (None, None, None),
        ];
        for (current, maximum, wanted) in cases {
            assert_eq!(raised(current, maximum), wanted, "{current:?} of {maximum:?}");
        }
    }
}
