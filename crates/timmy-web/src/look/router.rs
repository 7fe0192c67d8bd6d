//! The router: the ladder of providers, the last requests with their paths, budgets, and what left this machine.

use askama::Template;
use timmy_domain::Sensitivity;
use timmy_domain::text::{cut, one_line, plural};
use timmy_llm::Recent;
use timmy_store::{Egress, EgressSum};
use timmy_tools::machine::Machine;

use super::{Choice, Clock, Fact, Gauge, Shell, State, Tone, When, asset, icon, words};
use crate::nav;

pub mod rung;

use rung::{Rung, outcome};

/// Characters of a name or a reason from outside.
const WORDS_CHARS_MAX: usize = 300;

/// Text from outside, made harmless and short.
fn plain(text: &str) -> String {
    cut(&one_line(text), WORDS_CHARS_MAX)
}

/// Money from millionths of a dollar: `$1.20`, and `$0.0031` below a cent.
#[must_use]
pub fn money(micros: u64) -> String {
    if micros == 0 || micros >= 10_000 {
        return format!("${}.{:02}", micros / 1_000_000, micros % 1_000_000 / 10_000);
    }
    format!("$0.{:04}", (micros / 100).max(1))
}

/// Whether everything stays on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staying {
    /// The word.
    pub state: State,
    /// What it means now.
    pub text: String,
    /// Until when, while the owner's hour lasts.
    pub until: Option<When>,
    /// Whether this run never asks anybody elsewhere.
    pub offline: bool,
    /// Whether there is anybody elsewhere to ask.
    pub remote: bool,
}

impl Staying {
    /// Offline for the whole run, or until a moment, or not.
    #[must_use]
    pub fn of(offline: bool, until: Option<When>, remote: bool) -> Self {
        let lock = |word: &str| State::new(Tone::Ok, "lock", word);
        let (state, text) = match (offline, &until) {
            (true, _) => (
                lock("Offline"),
                "This run asks nobody on another machine: it was started with --offline, or [cascade] says so.",
            ),
            (false, Some(_)) => (lock("Local only"), "Nothing leaves this machine for a model until the hour is over."),
            (false, None) if remote => {
                (State::new(Tone::Calm, "remote", "Open"), "What may leave, may go to a provider elsewhere.")
            }
            (false, None) => (State::new(Tone::Calm, "local", "All here"), "No provider elsewhere is configured."),
        };
        Self { state, text: text.to_owned(), until, offline, remote }
    }
}

/// What changes with every act. As a fragment: `GET /router/status/ladder`.
#[derive(Template)]
#[template(path = "parts/ladder.html")]
pub struct LadderPart {
    /// Whether everything stays here.
    pub staying: Staying,
    /// The providers in the order in which they are asked.
    pub rungs: Vec<Rung>,
    /// The secret of the session.
    pub csrf: String,
}

/// One step of a request's path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepView {
    /// Whether it answered, failed or was passed by.
    pub state: State,
    /// Which model and how long, for whoever points at it.
    pub more: String,
}

/// One of the last requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// When it ended.
    pub at: When,
    /// What it was for.
    pub purpose: String,
    /// How far it might travel.
    pub label: State,
    /// Who was asked, in order.
    pub steps: Vec<StepView>,
    /// How long it took.
    pub took: String,
    /// What it cost; empty for nothing.
    pub cost: String,
}

impl RequestRow {
    /// A call as it is remembered, which ended at `at`.
    #[must_use]
    pub fn of(call: &Recent, at: When) -> Self {
        let step = |s: &timmy_llm::cascade::recent::Step| {
            let (tone, said) = outcome(s.word);
            let (icon, word) = match tone {
                Tone::Ok => (if s.word == "kept" { "kept" } else { "done" }, s.provider.clone()),
                Tone::Bad => ("failed", format!("{}: {said}", s.provider)),
                _ => ("off", format!("{}: {said}", s.provider)),
            };
            let word = if s.word == "kept" { format!("{word}, kept answer") } else { word };
            let took = words::duration_ms(i64::try_from(s.took_ms).unwrap_or(i64::MAX));
            let model = if s.model.is_empty() { "its own model".to_owned() } else { plain(&s.model) };
            StepView { state: State::new(tone, icon, word), more: format!("{model}, {said}, {took}") }
        };
        Self {
            at,
            purpose: if call.purpose.is_empty() { call.class.replace('_', " ") } else { call.purpose.to_owned() },
            label: match call.label {
                Sensitivity::Open => State::new(Tone::Calm, "remote", "open"),
                Sensitivity::LocalOnly => State::new(Tone::Calm, "lock", "local only"),
            },
            steps: call.path.iter().map(step).collect(),
            took: words::duration_ms(i64::try_from(call.took_ms).unwrap_or(i64::MAX)),
            cost: if call.cost_micros > 0 { money(call.cost_micros) } else { String::new() },
        }
    }
}

/// One line of the ledger of what left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftRow {
    /// When.
    pub at: When,
    /// To which host.
    pub host: String,
    /// To which provider and model.
    pub whom: String,
    /// What for.
    pub why: String,
    /// How much.
    pub bytes: String,
    /// What it cost, and whether an answer came.
    pub cost: String,
}

impl LeftRow {
    /// A line as it is stored.
    #[must_use]
    pub fn of(line: &Egress, clock: &Clock) -> Self {
        let whom = [line.provider.as_str(), line.model.as_str()];
        let cost = match line.state.as_str() {
            "open" => format!("{} reserved", money(line.cost_micros)),
            "answered" => money(line.cost_micros),
            _ => format!("{}, no answer", money(line.cost_micros)),
        };
        Self {
            at: clock.log(line.at),
            host: plain(&line.host),
            whom: plain(&whom.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" · ")),
            why: plain(&line.why),
            bytes: words::bytes(line.bytes),
            cost,
        }
    }
}

/// `3 questions, 4.1 kB, $0.02`.
#[must_use]
pub fn sum(of: &EgressSum) -> String {
    let reserved =
        if of.reserved_micros > 0 { format!(", {} reserved", money(of.reserved_micros)) } else { String::new() };
    let calls = plural(of.calls, "question", "questions");
    format!("{calls}, {}, {}{reserved}", words::bytes(of.bytes), money(of.cost_micros))
}

/// A budget: what is spent and reserved of its bound.
#[must_use]
pub fn budget(label: impl Into<String>, spent: u64, reserved: u64, cap: Option<u64>) -> Gauge {
    let mut text = format!("{} spent", money(spent));
    if reserved > 0 {
        text.push_str(&format!(", {} reserved", money(reserved)));
    }
    match cap {
        Some(cap) => Gauge::new(label, format!("{text} of {}", money(cap)), spent.saturating_add(reserved), cap),
        None => Gauge::new(label, format!("{text}, no bound"), 0, 1),
    }
}

/// What follows from every call. As a fragment: `GET /router/status/log`.
#[derive(Template)]
#[template(path = "parts/router_log.html")]
pub struct LogPart {
    /// The last requests, newest first.
    pub requests: Vec<RequestRow>,
    /// Whether they are written down word for word.
    pub recording: bool,
    /// The budgets of this day.
    pub budgets: Vec<Gauge>,
    /// Days on which something left: the day and its sum, newest first.
    pub days: Vec<(String, String)>,
    /// Lines of the ledger, newest first.
    pub left: Vec<LeftRow>,
    /// Where older lines are.
    pub older: Option<String>,
    /// The part of the ledger that is shown, as a query; empty for the newest.
    pub query: String,
}

/// One provider as it would be asked, or passed by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WouldBe {
    /// Whether it would be asked.
    pub state: State,
    /// Its name and model.
    pub whom: String,
    /// Where it runs, or why it would not be asked.
    pub text: String,
}

/// The what-if box: what was supposed, and who would be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// Kinds of work to choose from.
    pub classes: Vec<Choice>,
    /// Whether it would have to stay here.
    pub local_only: bool,
    /// How long it would be, in tokens.
    pub tokens: u64,
    /// Whether tools would be called.
    pub tools: bool,
    /// Whether a picture would be part of it.
    pub vision: bool,
    /// Who would be asked, in order; empty while nothing was supposed.
    pub rows: Vec<WouldBe>,
    /// The whole in one sentence.
    pub said: String,
}

/// What this machine has left for models: how busy it is, what waits, and what is free.
#[must_use]
pub fn machine(machine: &Machine, busy: u64) -> Vec<Fact> {
    let mut all =
        vec![Fact::new("Under way", if busy == 0 { "nothing".to_owned() } else { plural(busy, "call", "calls") })];
    if let (Some([load, ..]), Some(cores)) = (machine.load, machine.cores) {
        all.push(Fact::new("Load", format!("{load:.1} on {}", plural(cores as u64, "core", "cores"))));
    }
    if let Some(share) = machine.pressure.cpu {
        all.push(Fact::new("Waited for a core", format!("{share:.0} % of the time")));
    }
    if let (Some(total), Some(free)) = (machine.memory_total_bytes, machine.memory_available_bytes) {
        all.push(Fact::new("Memory free", format!("{} of {}", words::bytes(free), words::bytes(total))));
    }
    if let Some(share) = machine.pressure.memory {
        all.push(Fact::new("Waited for memory", format!("{share:.0} % of the time")));
    }
    all
}

/// The router. `GET /router/status`.
#[derive(Template)]
#[template(path = "router.html")]
pub struct RouterPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The ladder.
    pub ladder: LadderPart,
    /// What follows from every call.
    pub log: LogPart,
    /// The what-if box.
    pub what_if: WhatIf,
    /// What this machine has left for models.
    pub machine: Vec<Fact>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_told_to_the_cent_and_below_it_to_the_hundredth() {
        let rows = [(0, "$0.00"), (1, "$0.0001"), (3_100, "$0.0031"), (10_000, "$0.01"), (1_234_567, "$1.23")];
        for (micros, wanted) in rows {
            assert_eq!(money(micros), wanted);
        }
    }

    #[test]
    fn a_budget_counts_what_is_reserved_and_knows_no_bound() {
        let day = budget("Day", 4_000_000, 600_000, Some(5_000_000));
        assert_eq!(day.text, "$4.00 spent, $0.60 reserved of $5.00");
        assert_eq!((day.value, day.tone), (4_600_000, Tone::Warn));
        assert_eq!(budget("Day", 1, 0, None).text, "$0.0001 spent, no bound");
    }
}
