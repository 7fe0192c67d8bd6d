//! What the house lives on, each by use, saturation and faults (the USE method): how much of it is taken, what waits
//! for it, and what went wrong with it. Pure: figures in, rows out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use timmy_domain::text::plural;
use timmy_llm::ProviderFigures;
use timmy_store::{StorePace, StoreStats};
use timmy_tools::machine::Machine;
use timmy_tools::usage::Usage;
use tokio::time::Instant;

use crate::look::words;

/// From which share on a resource is tight, in percent.
const TIGHT_PERCENT: u64 = 90;
/// Bytes of free disk below which nothing may be writable soon.
pub const DISK_FREE_BYTES_MIN: u64 = 200 * 1_000_000;
/// Share of ten seconds in which something waited, from which on that is worth a word, in percent.
const PRESSURE_PERCENT: f64 = 20.0;
/// How far back the recent use of a processor is looked at, in seconds.
const RECENT_SECONDS: u64 = 10;

/// How a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// There is room, and nothing went wrong.
    Well,
    /// Nearly all is taken, or something waits for it.
    Tight,
    /// It went wrong, or is used up.
    Failing,
    /// The system does not tell.
    Silent,
}

/// One resource.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Resource {
    /// Its name.
    pub name: &'static str,
    /// How it is.
    pub grade: Grade,
    /// How much of it is in use, in words; empty when the system does not tell.
    pub used: String,
    /// How much is in use and how much there is, in the same unit.
    pub share: Option<(u64, u64)>,
    /// What waits for it, in words; empty when that has no meaning.
    pub waits: String,
    /// What went wrong with it since the start, in words; empty when that has no meaning.
    pub faults: String,
}

/// Everything the rows are made from.
pub struct Figures<'a> {
    /// The machine.
    pub machine: &'a Machine,
    /// This process.
    pub usage: &'a Usage,
    /// What it used lately.
    pub recent: Recent,
    /// Bytes of the files in the home; `None` when nobody looked.
    pub home_bytes: Option<(u64, bool)>,
    /// The store's figures.
    pub stats: &'a StoreStats,
    /// How fast the store is.
    pub pace: &'a StorePace,
    /// Since when this runs.
    pub uptime: Duration,
    /// Open connections and how many there may be.
    pub connections: (u64, usize),
    /// Requests that are being answered.
    pub in_flight: u64,
    /// Answers with a status of 500 and above.
    pub server_errors: u64,
    /// Sockets of the live feed, and how many there may be.
    pub sockets: (u64, usize),
    /// Sockets that are behind now.
    pub behind: u64,
    /// Sockets that were closed because they were too far behind.
    pub too_slow: u64,
    /// The providers of models.
    pub providers: &'a [ProviderFigures],
    /// Threads that run tasks, and tasks that wait for one.
    pub workers: (usize, usize),
    /// Restarts of parts.
    pub restarts: u64,
    /// Log lines that were left out.
    pub log_dropped: u64,
}

/// What was used lately.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Recent {
    /// Over how long.
    pub over: Duration,
    /// Processor time of this process.
    pub cpu: Duration,
    /// Time in which the threads ran tasks.
    pub busy: Duration,
}

/// Remembers what had been used a little while ago.
#[derive(Debug)]
pub struct Lately(Mutex<[Mark; 2]>);

#[derive(Clone, Copy, Debug)]
struct Mark {
    at: Instant,
    cpu: Duration,
    busy: Duration,
}

impl Default for Lately {
    fn default() -> Self {
        let start = Mark { at: Instant::now(), cpu: Duration::ZERO, busy: Duration::ZERO };
        Self(Mutex::new([start, start]))
    }
}

impl Lately {
    /// What was used since a look at least [`RECENT_SECONDS`] ago, or since the start.
    pub fn since(&self, now: Instant, cpu: Duration, busy: Duration) -> Recent {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = |mark: &Mark| now.saturating_duration_since(mark.at).as_secs() >= RECENT_SECONDS;
        if enough(&marks[1]) {
            marks[0] = marks[1];
            marks[1] = Mark { at: now, cpu, busy };
        }
        let from = marks[0];
        Recent {
            over: now.saturating_duration_since(from.at),
            cpu: cpu.saturating_sub(from.cpu),
            busy: busy.saturating_sub(from.busy),
        }
    }
}

/// The rows in the order in which they are shown.
#[must_use]
pub fn all(f: &Figures<'_>) -> Vec<Resource> {
    vec![
        processor(f),
        memory(f),
        disk(f),
        handles(f),
        writer(f),
        readers(f),
        requests(f),
        feed(f),
        models(f),
        threads(f),
        log(f),
    ]
}

fn percent(part: Duration, whole: Duration) -> f64 {
    let whole = whole.as_secs_f64();
    if whole > 0.0 { part.as_secs_f64() / whole * 100.0 } else { 0.0 }
}

fn full(share: Option<(u64, u64)>) -> bool {
    share.is_some_and(|(used, all)| all > 0 && used.saturating_mul(100) >= all.saturating_mul(TIGHT_PERCENT))
}

fn grade(failing: bool, tight: bool) -> Grade {
    match (failing, tight) {
        (true, _) => Grade::Failing,
        (false, true) => Grade::Tight,
        (false, false) => Grade::Well,
    }
}

/// `none`, or the count with its noun.
fn faults(count: u64, one: &str, many: &str) -> String {
    if count == 0 { "none".to_owned() } else { plural(count, one, many) }
}

fn waited(share: Option<f64>, who: &str) -> String {
    match share {
        Some(share) if share < 0.05 => "nothing".to_owned(),
        Some(share) => format!("{who} {share:.1} % of 10 s"),
        None => "not told".to_owned(),
    }
}

fn processor(f: &Figures<'_>) -> Resource {
    let own = percent(f.recent.cpu, f.recent.over);
    let mut used = format!("{own:.1} % of a core");
    let mut share = None;
    if let (Some(load), Some(cores)) = (f.machine.load, f.machine.cores) {
        let cores_word = plural(cores as u64, "core", "cores");
        used.push_str(&format!("; machine load {:.1} on {cores_word}", load[0]));
        // Tenths, rounded, never negative; a load that does not fit reads as full.
        share = Some((format!("{:.0}", load[0] * 10.0).parse().unwrap_or(u64::MAX), cores as u64 * 10));
    }
    let pressed = f.machine.pressure.cpu.is_some_and(|share| share >= PRESSURE_PERCENT);
    let waits = waited(f.machine.pressure.cpu, "work waited");
    Resource {
        name: "Processor",
        grade: grade(false, full(share) || pressed),
        used,
        share,
        waits,
        faults: String::new(),
    }
}

fn memory(f: &Figures<'_>) -> Resource {
    let own = f.usage.share_bytes.or(f.usage.resident_bytes);
    let machine = f.machine.memory_total_bytes.zip(f.machine.memory_available_bytes);
    let share = machine.map(|(total, free)| (total.saturating_sub(free), total));
    let mut used = own.map_or_else(String::new, |own| format!("{} by Timmy", words::bytes(own)));
    if let Some((taken, total)) = share {
        let sep = if used.is_empty() { "" } else { "; " };
        used.push_str(&format!("{sep}{} of {} on the machine", words::bytes(taken), words::bytes(total)));
    }
    let pressed = f.machine.pressure.memory.is_some_and(|share| share >= PRESSURE_PERCENT);
    let swapped =
        f.machine.swap_total_bytes.zip(f.machine.swap_free_bytes).map(|(total, free)| total.saturating_sub(free));
    let mut waits = waited(f.machine.pressure.memory, "work waited");
    if let Some(swapped) = swapped.filter(|bytes| *bytes > 0) {
        waits.push_str(&format!("; {} swapped out", words::bytes(swapped)));
    }
    let grade = if used.is_empty() { Grade::Silent } else { grade(false, full(share) || pressed) };
    Resource { name: "Memory", grade, used, share, waits, faults: String::new() }
}

fn disk(f: &Figures<'_>) -> Resource {
    let disk = f.machine.disk_total_bytes.zip(f.machine.disk_free_bytes);
    let share = disk.map(|(total, free)| (total.saturating_sub(free), total));
    let mut used = disk.map_or_else(String::new, |(_, free)| format!("{} free", words::bytes(free)));
    if let Some((bytes, whole)) = f.home_bytes {
        let least = if whole { "" } else { "at least " };
        let sep = if used.is_empty() { "" } else { "; " };
        used.push_str(&format!("{sep}the home takes {least}{}", words::bytes(bytes)));
    }
    let mut waits = waited(f.machine.pressure.io, "work waited");
    if let (Some(median), Some(worst)) =
        (f.pace.latest_commits_micros.get(f.pace.latest_commits_micros.len() / 2), f.pace.latest_commits_micros.last())
    {
        waits.push_str(&format!("; commits {} usually, {} at worst", words::micros(*median), words::micros(*worst)));
    }
    let gone = disk.is_some_and(|(_, free)| free < DISK_FREE_BYTES_MIN);
    let grade = if disk.is_none() { Grade::Silent } else { grade(gone, full(share)) };
    Resource {
        name: "Disk",
        grade,
        used,
        share,
        waits,
        faults: faults(f.pace.failed_batches, "commit failed", "commits failed"),
    }
}

fn handles(f: &Figures<'_>) -> Resource {
    let share = f.usage.open_files.zip(f.usage.open_files_max);
    let used = match (f.usage.open_files, f.usage.open_files_max) {
        (Some(open), Some(max)) => format!("{} of {}", words::count(open), words::count(max)),
        (Some(open), None) => format!("{}, without a limit", words::count(open)),
        _ => String::new(),
    };
    let grade = if used.is_empty() { Grade::Silent } else { grade(false, full(share)) };
    Resource { name: "File handles", grade, used, share, waits: String::new(), faults: String::new() }
}

fn writer(f: &Figures<'_>) -> Resource {
    let (queue, max) = (f.stats.writer_queue as u64, f.pace.writer_queue_max as u64);
    let busy = percent(Duration::from_secs_f64(f.pace.commits.sum_seconds.max(0.0)), f.uptime);
    let stopped = f.stats.writes_stopped.is_some();
    let failed = f.pace.failed_batches;
    Resource {
        name: "Store, writing",
        grade: grade(stopped, full(Some((queue, max)))),
        used: format!("commits take {busy:.1} % of the time; {} so far", plural(f.stats.batches, "batch", "batches")),
        share: Some((queue, max)),
        waits: format!("{} of {}", words::count(queue), words::count(max)),
        faults: if stopped {
            "writing has stopped".to_owned()
        } else {
            faults(failed, "batch failed", "batches failed")
        },
    }
}

fn readers(f: &Figures<'_>) -> Resource {
    let waiting = f.pace.reads_waiting as u64;
    let threads = plural(f.stats.readers as u64, "thread", "threads");
    Resource {
        name: "Store, reading",
        grade: grade(false, waiting > 0 && f.pace.readers_busy >= f.stats.readers as u64),
        used: format!(
            "{} at work, {threads}; {} so far",
            words::count(f.pace.readers_busy),
            plural(f.pace.reads.count, "read", "reads")
        ),
        share: None,
        waits: if waiting == 0 { "nothing".to_owned() } else { plural(waiting, "read", "reads") },
        faults: faults(f.pace.failed_reads, "read failed", "reads failed"),
    }
}

fn requests(f: &Figures<'_>) -> Resource {
    let (open, max) = (f.connections.0, f.connections.1 as u64);
    let making = f.in_flight;
    Resource {
        name: "Requests",
        grade: grade(false, full(Some((open, max))) || f.server_errors > 0),
        used: format!(
            "{} of {} connections; {} in the making",
            words::count(open),
            words::count(max),
            words::count(making)
        ),
        share: Some((open, max)),
        waits: if open >= max { "new connections".to_owned() } else { "nothing".to_owned() },
        faults: faults(f.server_errors, "answer of 500 or above", "answers of 500 or above"),
    }
}

fn feed(f: &Figures<'_>) -> Resource {
    let (open, max) = (f.sockets.0, f.sockets.1 as u64);
    Resource {
        name: "Live feed",
        grade: grade(false, full(Some((open, max))) || f.behind > 0),
        used: format!("{} of {} sockets", words::count(open), words::count(max)),
        share: Some((open, max)),
        waits: if f.behind == 0 { "nobody is behind".to_owned() } else { format!("{} behind", words::count(f.behind)) },
        faults: faults(f.too_slow, "socket too far behind", "sockets too far behind"),
    }
}

fn models(f: &Figures<'_>) -> Resource {
    let busy: u64 = f.providers.iter().map(|p| p.busy).sum();
    let failed: u64 = f.providers.iter().flat_map(|p| p.failures.values()).sum();
    let down = f.providers.iter().filter(|p| p.up == Some(false)).count() as u64;
    let answers: u64 = f.providers.iter().map(|p| p.answers).sum();
    let mut words_of_faults = faults(failed, "call failed", "calls failed");
    if down > 0 {
        words_of_faults.push_str(&format!("; {} not reachable", words::count(down)));
    }
    Resource {
        name: "Models",
        grade: grade(false, down > 0),
        used: format!("{} in flight; {} so far", plural(busy, "call", "calls"), plural(answers, "answer", "answers")),
        share: None,
        // Whoever wants a model asks it at once; a server of models has its own queue, which it does not tell.
        waits: "not told".to_owned(),
        faults: words_of_faults,
    }
}

fn threads(f: &Figures<'_>) -> Resource {
    let (workers, waiting) = f.workers;
    let own = percent(f.recent.busy, f.recent.over.saturating_mul(u32::try_from(workers.max(1)).unwrap_or(1)));
    Resource {
        name: "Tasks",
        grade: grade(false, waiting > workers.saturating_mul(64) || own > 90.0),
        used: format!("{} busy {own:.1} % of the time", plural(workers as u64, "thread", "threads")),
        share: None,
        waits: if waiting == 0 { "nothing".to_owned() } else { plural(waiting as u64, "task", "tasks") },
        faults: faults(f.restarts, "part started again", "parts started again"),
    }
}

fn log(f: &Figures<'_>) -> Resource {
    Resource {
        name: "Log lines",
        grade: grade(false, f.log_dropped > 0),
        used: String::new(),
        share: None,
        waits: String::new(),
        faults: faults(f.log_dropped, "line left out", "lines left out"),
    }
}

#[cfg(test)]
mod tests;
