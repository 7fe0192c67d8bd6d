//! What the fence costs: a program that does nothing, started bare and started inside, to its end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use timmy_tools::process::{Bounds, Run};
use timmy_tools::sandbox::{Policy, fence, use_helper};

use crate::figure::{figure, ms, quantile};
use crate::server;

/// Starts of each kind, one bare and one inside in turn. The first ones are thrown away.
const RUNS: usize = 300;
const WARM_UP: usize = 20;

/// Measures both and what lies between them.
pub fn measure() {
    use_helper(server::BINARY.get().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let bounds = Bounds { time: Duration::from_secs(10), output_bytes: 1_024 };
    let (mut bare, mut inside) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let begun = Instant::now();
        let output = Command::new("true").stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success());
        bare.push(begun.elapsed());
        let begun = Instant::now();
        let output = runtime.block_on(Run::new("true", Policy::untrusted()).run(bounds)).unwrap();
        assert!(output.status.success());
        inside.push(begun.elapsed());
    }
    let mut more: Vec<Duration> = inside.iter().zip(&bare).map(|(inside, bare)| inside.saturating_sub(*bare)).collect();
    let tier = runtime.block_on(fence()).tier;
    let report = |name: &str, times: &mut Vec<Duration>, bound: &str| {
        times.drain(..WARM_UP);
        times.sort_unstable();
        let spread =
            format!("p95 {}, p99 {} over {}", ms(quantile(times, 0.95)), ms(quantile(times, 0.99)), times.len());
        figure(name, &ms(quantile(times, 0.5)), bound, &spread);
    };
    report("A program started bare, p50", &mut bare, "");
    report(&format!("The same inside the sandbox ({tier}), p50"), &mut inside, "");
    report("What the sandbox adds, p50", &mut more, "≤ 15 ms");
}
