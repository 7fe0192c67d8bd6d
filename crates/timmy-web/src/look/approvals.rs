//! Approvals: cards that a person reads in ten seconds, and the rules that answer in the owner's place.

use askama::Template;
use timmy_core::trust::rules::Suggestion;
use timmy_domain::Timestamp;
use timmy_domain::approval::{Approval, ApprovalStatus, COOL_DOWN_SECONDS};
use timmy_domain::policy::rule::{Rule, Shape, shape};
use timmy_domain::policy::show;
use timmy_domain::risk::Band;

use super::{Absent, Choice, Clock, Fact, Shell, State, Tone, When, asset, icon};
use crate::nav;

/// Characters of what is to be written that a card shows; all of it stands in the plan.
const CONTENT_CHARS_MAX: usize = 1_200;
/// Files a card names; more are counted.
const FILES_MAX: usize = 6;

/// One reason for the risk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorView {
    /// The reason in words.
    pub words: String,
    /// Its share of the score, in points.
    pub points: u8,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// Its id.
    pub id: String,
    /// The question in one line.
    pub title: String,
    /// Where it stands.
    pub state: State,
    /// Why it is asked; may be empty.
    pub why: String,
    /// What will be done after a yes.
    pub what: String,
    /// The command as it will be run, or the words that will be written; empty when there are none.
    pub command: String,
    /// The risk from 0 to 100.
    pub score: u8,
    /// The risk in a word: `low`, `high`.
    pub risk: State,
    /// Why it is risky, the heaviest reason first.
    pub factors: Vec<FactorView>,
    /// What makes it milder.
    pub mitigations: Vec<String>,
    /// The rule that no other rule may answer; empty when there is none.
    pub floor: String,
    /// Files, hosts, who asks, when it lapses.
    pub facts: Vec<Fact>,
    /// The exact plan, to read; empty when nothing is executed by the yes itself.
    pub plan: String,
    /// When it was asked.
    pub at: When,
    /// Whether it waits.
    pub waits: bool,
    /// Whether a yes can be taken back, since it was not used.
    pub revocable: bool,
    /// Whether a yes needs the password.
    pub step_up: bool,
    /// From when on a yes counts, while it does not yet; empty otherwise.
    pub cooling: String,
    /// Seconds until then.
    pub cooling_seconds: u64,
    /// What a rule would allow from now on; empty when no rule may answer this.
    pub always: String,
}

/// Where an approval stands, as it is shown.
#[must_use]
pub fn state(status: ApprovalStatus) -> State {
    use ApprovalStatus as S;
    match status {
        S::Pending => State::new(Tone::Ember, "waiting", "Waiting for you"),
        S::Approved => State::well("Approved"),
        S::Rejected => State::failed("Rejected"),
        S::Expired => State::off("Expired"),
        S::Superseded => State::off("Superseded"),
        S::Withdrawn => State::off("Withdrawn"),
        S::Consumed => State::well("Done"),
        S::Revoked => State::failed("Taken back"),
        S::Unknown => State::degraded("Unknown"),
    }
}

fn risk(band: Band) -> State {
    match band {
        Band::Quiet => State::resting("Low risk"),
        Band::Undoable => State::resting("Some risk"),
        Band::Ask => State::degraded("Risky"),
        Band::StepUp => State::failed("Very risky"),
    }
}

/// Whole seconds until `at`, counted up; 0 when it is over.
fn left(at: Timestamp, now: Timestamp) -> u64 {
    let left = at.since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// The shape that a rule made from this answer would allow; `None` when no rule may answer it.
#[must_use]
pub fn ruled(approval: &Approval) -> Option<Shape> {
    let plan = approval.plan.as_ref().filter(|_| approval.risk.floor.is_none() && !approval.needs_step_up())?;
    shape(plan).filter(|shape| shape.refusal().is_none())
}

/// Who asks or decided, as it is shown.
fn who(stored: &str) -> String {
    match stored {
        "owner" => "you".to_owned(),
        other => show::words(&timmy_domain::task::maker(other)),
    }
}

impl Card {
    /// An approval as it is stored. All its text is made harmless.
    #[must_use]
    pub fn of(approval: &Approval, has_password: bool, clock: &Clock) -> Self {
        let standing = approval.standing(clock.now);
        let plan = approval.plan.as_ref();
        let waits = standing == ApprovalStatus::Pending;
        let (what, command) = done(approval);
        let points = |points: f64| points.round().clamp(0.0, 100.0) as u8;
        Self {
            id: approval.id.to_string(),
            title: show::words(&approval.title),
            state: state(standing),
            why: show::words(&approval.description),
            what,
            command,
            score: approval.risk.score,
            risk: risk(approval.risk.band),
            factors: approval
                .risk
                .factors
                .iter()
                .map(|factor| FactorView { words: show::words(&factor.words), points: points(factor.points) })
                .collect(),
            mitigations: approval.risk.mitigations.iter().map(|words| show::words(words)).collect(),
            floor: approval.risk.floor.as_deref().map(show::words).unwrap_or_default(),
            facts: facts(approval, clock),
            plan: plan
                .and_then(|plan| serde_json::to_string_pretty(plan).ok())
                .map(|plan| show::words(&plan))
                .unwrap_or_default(),
            at: clock.ago(approval.created_at),
            waits,
            revocable: standing == ApprovalStatus::Approved && approval.plan_hash.is_some(),
            step_up: waits && has_password && approval.needs_step_up(),
            cooling: if waits && approval.not_before > clock.now {
                clock.second(approval.not_before).text
            } else {
                String::new()
            },
            cooling_seconds: left(approval.not_before, clock.now),
            always: if waits { ruled(approval).map(|shape| shape.line()).unwrap_or_default() } else { String::new() },
        }
    }
}

impl Card {
    /// How much of the cooling-down is left, in percent.
    #[must_use]
    pub fn cooling_percent(&self) -> u64 {
        (self.cooling_seconds * 100 / COOL_DOWN_SECONDS).min(100)
    }
}

/// What will be done, and word for word the command or what is written, so that nothing is read twice.
fn done(approval: &Approval) -> (String, String) {
    let what = show::words(&approval.proposed_action);
    let Some(plan) = &approval.plan else { return (what, String::new()) };
    if !plan.argv.is_empty() {
        let command = show::args(&plan.argv);
        let rest = what.strip_prefix(&command).and_then(|rest| rest.strip_prefix('\n')).map(str::to_owned);
        return (rest.unwrap_or(what), command);
    }
    let words = |name: &str| plan.args.get(name).and_then(serde_json::Value::as_str);
    let (Some(content), true) = (words("content"), plan.tool == "write_file") else { return (what, String::new()) };
    let how = match words("how") {
        Some("create") => "This is written into a new file",
        Some("overwrite") => "This takes the place of all that the file holds",
        Some("append") => "This is added at the end of the file",
        _ => return (what, String::new()),
    };
    let shown = timmy_domain::text::cut(content, CONTENT_CHARS_MAX);
    let part = if shown == content { "." } else { ". Only its beginning stands here; the exact plan has all of it." };
    (format!("{how}{part}"), show::words(shown.trim_end()))
}

fn facts(approval: &Approval, clock: &Clock) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(plan) = &approval.plan {
        for file in plan.files.iter().take(FILES_MAX) {
            facts.push(Fact::new(super::words::title(file.how.name()), show::words(&file.path)).mono());
        }
        if plan.files.len() > FILES_MAX {
            facts.push(Fact::new("And", format!("{} more files, named in the plan", plan.files.len() - FILES_MAX)));
        }
        for host in plan.hosts.iter().take(FILES_MAX) {
            facts.push(Fact::new("Speaks to", show::words(host)).mono());
        }
        let undo = plan.undo.as_deref().map_or_else(|| "It cannot be undone.".to_owned(), show::words);
        facts.push(Fact::new("Undo", undo));
    } else if approval.plan_hash.is_some() {
        facts.push(Fact::new("Plan", "What is stored does not fit its hash. Reject it."));
    }
    facts
        .push(Fact::new("Asked by", format!("{}, {}", who(&approval.created_by), clock.ago(approval.created_at).text)));
    if let Some(task) = approval.subject.as_task() {
        facts.push(Fact::new("Task", "The task it is for").to(format!("/tasks/{task}")));
    }
    match (&approval.decided_at, &approval.decided_by) {
        (Some(at), by) => {
            let by = by.as_deref().map_or_else(|| "nobody".to_owned(), show::words);
            facts.push(Fact::new("Decided", format!("{} by {by}", clock.short(*at).text)));
        }
        _ => facts.push(Fact::new("Lapses", clock.short(approval.expires_at).text)),
    }
    if let Some(reason) = &approval.reason {
        facts.push(Fact::new("Reason", show::words(reason)));
    }
    facts.push(Fact::new("Event", approval.seq.to_string()).to(format!("/swarm/events/{}", approval.seq)));
    facts
}

/// A rule that answers in the owner's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleRow {
    /// Its id.
    pub id: String,
    /// What it allows, in one line.
    pub title: String,
    /// Whether it is in force.
    pub live: bool,
    /// How often it was used, and until when it lasts.
    pub sub: String,
}

impl RuleRow {
    /// A rule as it is stored.
    #[must_use]
    pub fn of(rule: &Rule, clock: &Clock) -> Self {
        let live = rule.is_live(clock.now);
        let end = match rule.revoked_at {
            Some(at) => format!("revoked {}", clock.short(at).text),
            None if live => format!("until {}", clock.short(rule.expires_at).text),
            None => format!("ended {}", clock.short(rule.expires_at).text),
        };
        Self {
            id: rule.id.to_string(),
            title: show::words(&rule.title),
            live,
            sub: format!("used {} of {} times, {end}", rule.uses, rule.max_uses),
        }
    }
}

/// A rule the owner's answers suggest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuggestionView {
    /// What it would allow, in one line.
    pub title: String,
    /// The same exactly, as the form sends it.
    pub shape: String,
    /// How often the owner said yes.
    pub approvals: u64,
    /// What it would have answered in the past thirty days.
    pub matched: Vec<String>,
}

impl SuggestionView {
    /// A suggestion as the policy makes it.
    #[must_use]
    pub fn of(suggestion: &Suggestion, clock: &Clock) -> Self {
        // Each begins with its moment, as programs read it.
        let line = |stored: &String| {
            let (at, title) = stored.split_once(" · ").unwrap_or(("", stored));
            let at = Timestamp::parse(at).map(|at| format!("{}: ", clock.short(at).text)).unwrap_or_default();
            format!("{at}{}", show::words(title))
        };
        Self {
            title: show::words(&suggestion.title),
            shape: suggestion.shape_json.clone(),
            approvals: suggestion.approvals,
            matched: suggestion.would_have_matched.iter().map(line).collect(),
        }
    }
}

/// The questions. As a fragment: `GET /approvals/rows`.
#[derive(Template)]
#[template(path = "parts/approvals.html")]
pub struct ApprovalsPart {
    /// The questions, newest first.
    pub cards: Vec<Card>,
    /// Why there is none; read when there is none.
    pub absent: Absent,
    /// The filter as a query without `?`; may be empty.
    pub query: String,
    /// The secret of the session.
    pub csrf: String,
}

impl ApprovalsPart {
    /// How many of the questions wait and may be answered together.
    #[must_use]
    pub fn together(cards: &[Card]) -> usize {
        cards.iter().filter(|card| card.waits).count()
    }

    /// Whether one of them needs the password.
    #[must_use]
    pub fn step_up(cards: &[Card]) -> bool {
        cards.iter().any(|card| card.step_up)
    }
}

/// The page of approvals. `GET /approvals`.
#[derive(Template)]
#[template(path = "approvals.html")]
pub struct ApprovalsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// By status.
    pub filters: Vec<Choice>,
    /// The questions.
    pub part: ApprovalsPart,
    /// Where older ones are.
    pub older: Option<String>,
    /// The rules, newest first.
    pub rules: Vec<RuleRow>,
    /// What the answers suggest.
    pub suggestions: Vec<SuggestionView>,
}
