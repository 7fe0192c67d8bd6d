//! What this machine has left, in words.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;

use crate::ToolError;
use crate::machine::{self, Machine};
use crate::tool::outcome::Outcome;
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec};

/// The state of the machine as a tool.
pub struct System(ToolSpec);

impl Default for System {
    fn default() -> Self {
        let about = "Tells what this machine has left: processors, load, memory and disk.";
        Self(ToolSpec::new("system_info", RiskClass::Read, Taint::Own, about, &json!({}), &[]))
    }
}

impl Tool for System {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn plan<'a>(&'a self, given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move { Ok(scope.plan(&self.0, given)) })
    }

    fn run<'a>(&'a self, _: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            // The disk that matters is the one Timmy may write to.
            let folder = running.grants.folders().first().map_or_else(|| "/".into(), |grant| grant.path().to_owned());
            Ok(Outcome { text: tell(&folder), ..Outcome::default() })
        })
    }
}

/// The state of the machine, and of the disk that holds `path`, one line each. What the system does not tell is said
/// to be unknown.
#[must_use]
pub fn tell(path: &Path) -> String {
    words(&machine::measure(path))
}

fn words(machine: &Machine) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: Option<String>| {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{name}: {}", value.as_deref().unwrap_or("unknown"));
    };
    let of = |free: Option<u64>, total: Option<u64>| Some(format!("{} free of {}", size(free?), size(total?)));
    line("processors", machine.cores.map(|cores| cores.to_string()));
    line("load over 1, 5 and 15 minutes", machine.load.map(|[a, b, c]| format!("{a:.2} {b:.2} {c:.2}")));
    line("memory", of(machine.memory_available_bytes, machine.memory_total_bytes));
    line("swap", of(machine.swap_free_bytes, machine.swap_total_bytes));
    line("disk", of(machine.disk_free_bytes, machine.disk_total_bytes));
    line("memory of Timmy", machine.process_bytes.map(size));
    line("waited for processors in the last 10 seconds", machine.pressure.cpu.map(|share| format!("{share:.1} %")));
    line("waited for memory in the last 10 seconds", machine.pressure.memory.map(|share| format!("{share:.1} %")));
    line("waited for disks in the last 10 seconds", machine.pressure.io.map(|share| format!("{share:.1} %")));
    out
}

#[expect(clippy::cast_precision_loss, reason = "sizes are shown with three digits")]
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    let steps = [(1_099_511_627_776.0, "TiB"), (1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1_024.0, "KiB")];
    let step = steps.iter().find(|(step, _)| bytes >= *step);
    step.map_or_else(|| format!("{bytes} bytes"), |(step, unit)| format!("{:.1} {unit}", bytes / step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told_and_what_is_not_is_said_to_be_unknown() {
        let told = words(&Machine {
            cores: Some(4),
            memory_total_bytes: Some(8 << 30),
            memory_available_bytes: Some(3 << 29),
            ..Machine::default()
        });
        assert!(told.contains("processors: 4\n") && told.contains("memory: 1.5 GiB free of 8.0 GiB\n"), "{told}");
        assert!(told.contains("disk: unknown\n"), "{told}");
        assert!(tell(Path::new(".")).contains("disk: "));
    }
}
