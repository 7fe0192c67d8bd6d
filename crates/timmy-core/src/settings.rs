//! The settings of the engine.

use timmy_domain::{Sensitivity, settings};

settings! {
    /// The always-on thinking loop.
    pub struct ThinkingSettings in "thinking" {
        /// Whether Timmy thinks unprompted.
        enabled: bool = true, Free;
        /// Seconds between two thoughts.
        interval_seconds: u64 = 300, Range(1, 86_400);
        /// Whether Timmy rests longer when he repeats himself, when the machine is busy or when you have been away.
        /// After a thought that failed he always does.
        adaptive_rest: bool = true, Free;
        /// Local time of day at which quiet hours begin, such as "22:00"; empty for none. Timmy does not think in quiet hours.
        quiet_from: String = String::new(), TimeOfDay;
        /// Local time of day at which quiet hours end, such as "07:00"; empty for none.
        quiet_until: String = String::new(), TimeOfDay;
        /// Model calls thinking may make in one day; 0 for no limit.
        daily_calls: u64 = 400, Range(0, 1_000_000);
        /// Tokens thinking may read and write in one day; 0 for no limit.
        daily_tokens: u64 = 600_000, Range(0, 1_000_000_000);
        /// Seconds one thought may take before it is given up.
        deadline_seconds: u64 = 120, Range(1, 3_600);
        /// Tokens one thought may be long.
        max_tokens: u64 = 260, Range(16, 4_096);
    }
}

settings! {
    /// The conversation with the owner.
    pub struct TalkSettings in "talk" {
        /// Tokens of earlier conversation that go along with a question.
        history_tokens: u64 = 2_500, Range(0, 1_000_000);
        /// Seconds one answer may take before it is given up.
        deadline_seconds: u64 = 180, Range(1, 3_600);
        /// Tokens one answer may be long.
        max_tokens: u64 = 1_024, Range(16, 32_768);
    }
}

settings! {
    /// The folders the owner points at.
    pub struct WatchSettings in "watch" {
        /// Seconds between two looks at the watched folders.
        interval_seconds: u64 = 60, Range(1, 86_400);
    }
}

settings! {
    /// What may leave this machine, once a remote provider is configured.
    pub struct PrivacySettings in "privacy" {
        /// Whether thoughts and what they grow from may go to a remote provider.
        thoughts_may_leave: bool = false, Free;
        /// Whether what was seen in watched folders may go to a remote provider, in talk and, together with
        /// thoughts_may_leave, in thoughts.
        folders_may_leave: bool = false, Free;
    }
}

impl PrivacySettings {
    /// The label of Timmy's thoughts and of answers made on this machine.
    #[must_use]
    pub fn thoughts(&self) -> Sensitivity {
        if self.thoughts_may_leave { Sensitivity::Open } else { Sensitivity::LocalOnly }
    }

    /// The label of what was seen in watched folders.
    #[must_use]
    pub fn folders(&self) -> Sensitivity {
        if self.folders_may_leave { Sensitivity::Open } else { Sensitivity::LocalOnly }
    }
}

settings! {
    /// How faults are captured.
    pub struct ErrorFeedbackSettings in "error_feedback" {
        /// Whether faults are captured as events.
        enabled: bool = true, Free;
        /// Seconds in which the same fault is counted instead of reported again.
        dedup_window_seconds: u64 = 300, Range(0, 86_400);
    }
}

settings! {
    /// What Timmy may do without being asked.
    pub struct TrustSettings in "trust" {
        /// GOLDEN_TIMMY, the strict profile: nothing with an outside effect runs without your yes or a rule you made.
        /// Off, the risk of each act alone decides. What is always asked for is asked for either way.
        golden_timmy: bool = true, Free;
        /// Millionths of a US dollar that the models of one run of a task may cost; what is made on this machine costs
        /// nothing. A run that has spent as much asks no model any more and says so.
        run_cost_micros_max: u64 = 250_000, Range(0, 1_000_000_000);
    }
}

pub use crate::backup::nightly::BackupSettings;
pub use crate::retention::RetentionSettings;
pub use crate::telemetry::TelemetrySettings;
pub use timmy_tools::mcp::Server;
pub use timmy_tools::tool::settings::ToolsSettings;

/// Everything the engine reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The always-on thinking loop.
    pub thinking: ThinkingSettings,
    /// The conversation with the owner.
    pub talk: TalkSettings,
    /// The folders the owner points at.
    pub watch: WatchSettings,
    /// What may leave this machine.
    pub privacy: PrivacySettings,
    /// How faults are captured.
    pub error_feedback: ErrorFeedbackSettings,
    /// The nightly backup.
    pub backup: BackupSettings,
    /// How long events are kept.
    pub retention: RetentionSettings,
    /// Traces for a collector.
    pub telemetry: TelemetrySettings,
    /// What Timmy may do without being asked.
    pub trust: TrustSettings,
    /// The tools, and where they may work.
    pub tools: ToolsSettings,
    /// Servers of tools, in the order of their names.
    pub servers: Vec<Server>,
}
