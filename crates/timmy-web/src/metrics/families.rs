//! Every metric of the house: its name, what kind it is, its labels and its meaning. Nothing else is ever served,
//! and `docs/metrics.md` is written from this table.
//!
//! Names follow the rules of Prometheus: a prefix, base units (seconds, bytes), `_total` on what only grows. Labels
//! hold words of closed lists, names from the settings, or templates of routes; never a path, an id or words of a person.

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows until the next start.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// How long things took, in classes.
    Histogram,
}

impl Kind {
    /// The word of the format.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric with all its labels.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

macro_rules! families {
    ($( $constant:ident = $kind:ident $name:literal [$($label:literal)*] $help:literal; )*) => {
        $( pub(super) const $constant: &Family =
            &Family { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help }; )*
        /// All of them, in the order in which they are served.
        pub const FAMILIES: &[&Family] = &[$($constant),*];
    };
}

families! {
    BUILD = Gauge "timmy_build_info" ["version"] "Always 1; the label names the version.";
    START = Gauge "process_start_time_seconds" [] "When this run began, in seconds since 1970.";
    CPU = Counter "process_cpu_seconds_total" [] "Processor time this process took, in seconds.";
    RESIDENT = Gauge "process_resident_memory_bytes" [] "Memory of this process that is resident, in bytes.";
    SHARE = Gauge "timmy_process_proportional_memory_bytes" [] "Memory of this process as its proportional share (PSS), in bytes.";
    OPEN_FDS = Gauge "process_open_fds" [] "Files, sockets and other handles that are open.";
    MAX_FDS = Gauge "process_max_fds" [] "How many handles may be open.";
    THREADS = Gauge "timmy_process_threads" [] "Threads of this process.";
    WORKERS = Gauge "timmy_runtime_workers" [] "Threads that run tasks.";
    TASKS = Gauge "timmy_runtime_tasks" [] "Tasks that are alive.";
    TASKS_WAITING = Gauge "timmy_runtime_tasks_waiting" [] "Tasks that wait in the common queue for a thread.";
    BUSY = Counter "timmy_runtime_busy_seconds_total" [] "Time in which the threads ran tasks, of all threads together, in seconds.";
    SANDBOX = Gauge "timmy_sandbox_tier" [] "How strong the fence around child processes is on this machine: 3 at best, 1 where it holds no files and calls.";
    DISK_SIZE = Gauge "timmy_disk_size_bytes" [] "Size of the disk that holds the home, in bytes.";
    DISK_FREE = Gauge "timmy_disk_free_bytes" [] "What may still be written to that disk, in bytes.";

    REQUESTS = Counter "timmy_http_requests_total" ["route" "method" "status"] "Requests that were answered, by template of the route, verb and class of the status.";
    DURATION = Histogram "timmy_http_request_duration_seconds" ["route" "method"] "Time from the head of a request to the head of its answer, in seconds.";
    IN_FLIGHT = Gauge "timmy_http_requests_in_flight" [] "Requests that are being answered.";
    ABORTED = Counter "timmy_http_requests_aborted_total" [] "Requests whose client went away before the answer.";
    CONNECTIONS = Gauge "timmy_http_connections" [] "Connections that are open, sockets of the live feed included.";
    CONNECTIONS_MAX = Gauge "timmy_http_connections_max" [] "Connections that may be open at once.";

    SOCKETS = Gauge "timmy_live_sockets" [] "Sockets of the live feed.";
    BEHIND = Gauge "timmy_live_sockets_behind" [] "Sockets whose client does not read fast enough at the moment.";
    FRAMES = Counter "timmy_live_frames_total" [] "Frames sent over the live feed.";
    RESUMES = Counter "timmy_live_resumes_total" [] "Sockets that went on from a position.";
    GAPS = Counter "timmy_live_gaps_total" [] "Sockets that were told that events are gone.";
    CLOSES = Counter "timmy_live_closes_total" ["code"] "Sockets that ended, by close code; gone: without one. 1013 is a client too far behind.";

    BATCHES = Counter "timmy_store_batches_total" [] "Batches that were committed.";
    FAILED_BATCHES = Counter "timmy_store_failed_batches_total" [] "Batches that could not be committed and were taken back.";
    ROWS = Counter "timmy_store_events_total" [] "Events that were written.";
    COMMIT = Histogram "timmy_store_commit_duration_seconds" [] "Time a commit took to reach the disk, in seconds.";
    READ = Histogram "timmy_store_read_duration_seconds" [] "Time a read took, its waiting included, in seconds.";
    FAILED_READS = Counter "timmy_store_failed_reads_total" [] "Reads that ended with an error.";
    WRITER_QUEUE = Gauge "timmy_store_writer_queue" [] "Commands that wait for the writer.";
    READERS = Gauge "timmy_store_readers" [] "Reader threads.";
    READERS_BUSY = Gauge "timmy_store_readers_busy" [] "Reader threads at work.";
    READS_WAITING = Gauge "timmy_store_reads_waiting" [] "Reads that wait for a thread.";
    FILE_BYTES = Gauge "timmy_store_file_bytes" [] "Size of the database, in bytes.";
    WAL_BYTES = Gauge "timmy_store_wal_bytes" [] "Size of its write-ahead log, in bytes.";
    LAST_SEQ = Gauge "timmy_store_last_seq" [] "Position of the last event.";
    WRITES_STOPPED = Gauge "timmy_store_writes_stopped" [] "1 when writing has stopped because damage was found, else 0.";
    EVENTS = Counter "timmy_events_total" ["severity"] "Events seen since this run began, by severity.";

    PART_UP = Gauge "timmy_part_up" ["part" "kind"] "1 when a part of the house runs, else 0.";
    PART_RESTARTS = Counter "timmy_part_restarts_total" ["part" "kind"] "Times a part failed and was started again.";
    PART_FAILED = Gauge "timmy_part_last_failure_timestamp_seconds" ["part" "kind"] "When a part last failed or complained, in seconds since 1970; absent when it never did.";
    PART_RUNS = Counter "timmy_part_runs_total" ["part" "kind"] "Runs of a reconciler or reactor.";
    PART_RAN = Gauge "timmy_part_last_run_timestamp_seconds" ["part" "kind"] "When a reconciler or reactor last ran, in seconds since 1970.";
    PART_TOOK = Gauge "timmy_part_last_run_duration_seconds" ["part" "kind"] "How long its last run took, in seconds.";
    PART_WELL = Gauge "timmy_part_last_run_well" ["part" "kind"] "1 when its last run found all well, 0 when it complained.";

    PROVIDER_UP = Gauge "timmy_provider_up" ["provider" "place"] "1 when a provider of models answered when last asked, else 0; absent while nobody has asked.";
    PROVIDER_BUSY = Gauge "timmy_provider_calls_in_flight" ["provider" "place"] "Calls a provider works on.";
    PROVIDER_ANSWERS = Counter "timmy_provider_answers_total" ["provider" "place"] "Calls that ended with an answer.";
    PROVIDER_FAILURES = Counter "timmy_provider_failures_total" ["provider" "place" "reason"] "Calls that ended without one, by reason.";
    PROVIDER_TOKENS = Counter "timmy_provider_tokens_total" ["provider" "place" "direction"] "Tokens read and written, as the provider counted them.";
    PROVIDER_FIRST = Histogram "timmy_provider_first_token_seconds" ["provider" "place"] "Time to the first word of an answer, in seconds.";
    PROVIDER_TOOK = Histogram "timmy_provider_call_duration_seconds" ["provider" "place"] "Time of a whole call, failed ones included, in seconds.";

    THOUGHTS = Counter "timmy_thoughts_total" ["place"] "Thoughts Timmy made, by the place where they were made.";
    MISSED = Counter "timmy_thoughts_missed_total" [] "Thoughts that were due and did not come.";
    GIVEN_UP = Counter "timmy_thoughts_given_up_total" [] "Thoughts that were given up because the owner spoke or stopped them.";
    SILENT = Counter "timmy_thoughts_silent_total" [] "Times that there was nothing new to say.";
    RESTS = Counter "timmy_thinking_rests_total" ["reason"] "Rests that began, by reason.";
    TURNS = Counter "timmy_talk_turns_total" ["outcome"] "Turns of the conversation that ended, by how.";
    TURNS_NOW = Gauge "timmy_talk_turns_in_flight" [] "Answers in the making.";

    LOG_DROPPED = Counter "timmy_log_lines_dropped_total" [] "Log lines that were left out because the log could not be written fast enough.";
    SPANS_SENT = Counter "timmy_telemetry_spans_sent_total" [] "Spans the collector took; absent while no collector is named.";
    SPANS_DROPPED = Counter "timmy_telemetry_spans_dropped_total" [] "Spans that found no place, or that the collector did not take.";
    SPANS_QUEUED = Gauge "timmy_telemetry_spans_queued" [] "Spans that wait to be sent.";
    POST_FAILURES = Counter "timmy_telemetry_post_failures_total" [] "Attempts to reach the collector that failed.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules_of_the_format() {
        let mut seen = std::collections::HashSet::new();
        for family in FAMILIES {
            let name = family.name;
            assert!(seen.insert(name), "{name} stands twice");
            assert!(name.starts_with("timmy_") || name.starts_with("process_"), "{name}");
            let plain = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            assert!(plain(name) && family.labels.iter().all(|label| plain(label)), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == Kind::Counter, "{name}");
            assert!(family.kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(!family.labels.contains(&"le") && family.help.ends_with('.'), "{name}");
            for unit in ["_ms", "_micros", "_kb", "_percent"] {
                assert!(!name.contains(unit), "{name} is not in a base unit");
            }
        }
    }
}
