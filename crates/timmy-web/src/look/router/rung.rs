//! One rung of the ladder: how a provider is, what it did lately, why it is not asked, and the one step that mends it.

use timmy_core::router::trial::{TRIAL_MS, Trial, TrialEnd};
use timmy_domain::text::plural;
use timmy_domain::thought::Place;
use timmy_llm::{Circuit, Failure, ModelStatus, ProviderFigures, ProviderState, ProviderStatus, Recent};
use tokio::time::Instant;

use super::{money, plain};
use crate::look::mind::place_icon;
use crate::look::{Clock, Fact, State, Tone, When, words};

/// Beats of a rung.
const BEATS_MAX: usize = 60;
/// The word of a provider that may cost no more today.
const USED_UP: &str = "Budget used up";
/// The word of a provider that would send a bill nobody can foresee.
const NO_PRICE: &str = "Has no price";
/// How far back calls count as lately, in minutes.
const LATELY_MINUTES: u64 = 5;
/// The model that is fetched when nobody says otherwise.
pub const USUAL_MODEL: &str = "llama3.1:8b-instruct";
/// Names of models that are shown.
const MODELS_MAX: usize = 6;
/// Models whose rest is shown.
const RESTS_MAX: usize = 8;

/// One outcome as a mark: its height tells it apart without colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// What it means.
    pub tone: Tone,
    /// Where it stands, in percent.
    pub x: String,
    /// Its upper edge.
    pub y: u8,
    /// Its height.
    pub height: u8,
}

/// Something that rests, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// What, and why.
    pub text: String,
    /// When it is tried again; nothing while it is being tried out.
    pub until: Option<When>,
}

/// A trial as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialView {
    /// How it went.
    pub state: State,
    /// What came of it.
    pub text: String,
    /// When it began.
    pub began: When,
    /// Whether it runs.
    pub runs: bool,
}

/// One provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Its place, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// What it speaks.
    pub kind: &'static str,
    /// The model it would use now; may be empty.
    pub model: String,
    /// Where it runs.
    pub place: State,
    /// How it is.
    pub state: State,
    /// Whether it answered the last request.
    pub last: bool,
    /// What rests.
    pub rests: Vec<Rest>,
    /// Its last outcomes, oldest first.
    pub beats: Vec<Beat>,
    /// The same in words.
    pub beats_said: String,
    /// What it did and how fast it is.
    pub figures: Vec<Fact>,
    /// The models it offers, in words; may be empty.
    pub models: String,
    /// Why it does not answer; empty when it does.
    pub why: String,
    /// The one step that mends it; empty when nothing needs mending.
    pub mend: String,
    /// The page on which that step is taken; empty when it is no page.
    pub mend_at: &'static str,
    /// Its trial.
    pub trial: Option<TrialView>,
    /// Whether the owner can steer it: reflex cannot be.
    pub steered: bool,
    /// Whether the owner switched it off.
    pub disabled: bool,
    /// Whether it has a rest or a hold that can be forgotten.
    pub resets: bool,
    /// Whether it can go up.
    pub up: bool,
    /// Whether it can go down.
    pub down: bool,
}

/// What the ladder is drawn from, beside the providers.
pub struct Around<'a> {
    /// The last calls, newest first.
    pub recent: &'a [Recent],
    /// What each provider cost today, in millionths of a dollar, by name.
    pub spent: &'a [(String, u64)],
    /// What one provider may cost in a day, in millionths of a dollar.
    pub cap: Option<u64>,
    /// Whether all models together cost today what they may.
    pub day_used_up: bool,
    /// What was counted of each since the start.
    pub counted: &'a [ProviderFigures],
    /// The present moment on the clock of the calls.
    pub now: Instant,
    /// Trials of this run.
    pub trials: &'a [Trial],
    /// Why nobody elsewhere is asked now; empty when they are.
    pub stays: &'a str,
    /// The present moment.
    pub clock: Clock,
}

/// What an outcome means, and in words.
#[must_use]
pub fn outcome(word: &str) -> (Tone, &'static str) {
    match word {
        "answered" => (Tone::Ok, "answered"),
        "kept" => (Tone::Ok, "kept answer"),
        "resting" => (Tone::Calm, "rests"),
        "privacy" => (Tone::Calm, "must stay here"),
        "unsupported" => (Tone::Calm, "cannot do this"),
        "not_built_in" => (Tone::Bad, "not built in"),
        "no_price" => (Tone::Calm, "has no price"),
        "budget" | "spent_up" => (Tone::Calm, "budget used up"),
        "nothing_to_say" => (Tone::Calm, "nothing to say"),
        "cancelled" => (Tone::Calm, "given up"),
        "outrun" => (Tone::Calm, "another was faster"),
        "unreachable" => (Tone::Bad, "not reached"),
        "timeout_connect" => (Tone::Bad, "not reached in time"),
        "timeout_first_token" => (Tone::Bad, "no first word in time"),
        "timeout_stall" => (Tone::Bad, "fell silent"),
        "timeout_total" => (Tone::Bad, "not done in time"),
        "rate_limited" => (Tone::Bad, "too many requests"),
        "auth" => (Tone::Bad, "key refused"),
        "billing" => (Tone::Bad, "no credit"),
        "context_length" => (Tone::Bad, "too long for it"),
        "content_policy" => (Tone::Bad, "refused the content"),
        "no_model" => (Tone::Bad, "no model there"),
        "tool_not_called" => (Tone::Bad, "called no tool"),
        "malformed" => (Tone::Bad, "not understood"),
        "too_large" => (Tone::Bad, "too long an answer"),
        "bad_request" => (Tone::Bad, "request refused"),
        _ => (Tone::Bad, "server error"),
    }
}

/// The last outcomes of the provider `name`, oldest first.
fn outcomes<'a>(name: &'a str, recent: &'a [Recent]) -> Vec<&'static str> {
    let mut newest_first = Vec::new();
    for call in recent {
        let own = call.path.iter().rev().filter(|step| step.provider == name).map(|step| step.word);
        newest_first.extend(own);
    }
    newest_first.truncate(BEATS_MAX);
    newest_first.reverse();
    newest_first
}

fn beats(outcomes: &[&str]) -> Vec<Beat> {
    let free = BEATS_MAX - outcomes.len().min(BEATS_MAX);
    let beat = |(at, word): (usize, &&str)| {
        let tone = outcome(word).0;
        let height: u8 = match tone {
            Tone::Ok => 14,
            Tone::Bad => 24,
            _ => 5,
        };
        let tenths = (free + at) * 1_000 / BEATS_MAX;
        Beat { tone, x: format!("{}.{}", tenths / 10, tenths % 10), y: 24 - height, height }
    };
    outcomes.iter().enumerate().map(beat).collect()
}

/// `Last 12 times: 9 answered, 2 not reached, 1 rests.`
fn beats_said(name: &str, outcomes: &[&str]) -> String {
    if outcomes.is_empty() {
        return format!("{name} had no part in the last requests.");
    }
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for word in outcomes {
        let said = outcome(word).1;
        match counts.iter_mut().find(|(known, _)| *known == said) {
            Some((_, count)) => *count += 1,
            None => counts.push((said, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<String> = counts.into_iter().map(|(said, count)| format!("{said} {count}")).collect();
    format!("{name}, the last {}: {}.", plural(outcomes.len() as u64, "time", "times"), parts.join(", "))
}

/// How a provider is, in a word; `stays` while everything has to stay on this machine.
#[must_use]
pub fn state(p: &ProviderStatus, stays: bool) -> State {
    if p.disabled {
        return State::off("Switched off");
    }
    if stays && p.place == Place::Remote {
        return State::off("Not asked now");
    }
    if !p.held.is_empty() {
        return State::degraded("Held back");
    }
    if p.unpriced.all {
        return State::degraded(NO_PRICE);
    }
    match (&p.state, p.circuit()) {
        (_, "open") => State::degraded("Rests"),
        (ProviderState::Down { .. }, _) => State::failed("Does not answer"),
        (_, "half_open") => State::degraded("Is tried out"),
        (ProviderState::Up, _) if p.place == Place::Reflex => State::well("Always ready"),
        (ProviderState::Up, _) if !p.last_failure.is_empty() => State::degraded("Failed last"),
        (ProviderState::Up, _) => State::well("Answers"),
        (ProviderState::Unknown, _) => State::resting("Not asked yet"),
    }
}

/// Words from outside as a sentence.
fn sentence(text: &str) -> String {
    let text = plain(text);
    let mut chars = text.trim_end_matches('.').chars();
    let first = chars.next().map(char::to_uppercase).into_iter().flatten();
    first.chain(chars).chain(['.']).collect()
}

/// The one step that mends it, and the page on which it is taken, if it is one.
fn mend(p: &ProviderStatus, state: &State) -> (String, &'static str) {
    if let Some(model) = p.unpriced.models.first()
        && (state.word == NO_PRICE || state.tone == Tone::Ok)
    {
        return (plain(&Failure::NoPrice { model: model.clone() }.hint()), "");
    }
    let away = matches!(p.state, ProviderState::Down { .. }) && state.word == "Rests";
    if let ProviderState::Down { hint, .. } = &p.state
        && state.word == "Does not answer"
        && !hint.is_empty()
    {
        return (plain(hint), "");
    }
    let text = match (if away { "Does not answer" } else { &state.word }, p.kind) {
        (USED_UP, _) => {
            "It may cost no more today, and is passed by until midnight UTC. Budgets below say what is spent."
        }
        ("Switched off", _) => "Switch it on again when it should answer.",
        ("Held back", _) => "Correct its key in secrets.toml or add credit, then reset its circuit.",
        ("Failed last", _) => "Look into the log of its server.",
        ("Rests", _) => "Wait until it is tried again, or reset its circuit when it is well.",
        ("Does not answer", "ollama") => {
            let model = if p.model_in_use.is_empty() { USUAL_MODEL.to_owned() } else { plain(&p.model_in_use) };
            return (format!("Start Ollama, and fetch a model with: ollama pull {model}"), "");
        }
        ("Does not answer", "engine") => return ("Get a model on the page Models".to_owned(), "/models"),
        ("Does not answer", _) => "Check its url and key, and that its server runs.",
        _ => "",
    };
    (text.to_owned(), "")
}

fn rests(p: &ProviderStatus, clock: &Clock) -> Vec<Rest> {
    let after = |ms: u64| Some(clock.second(clock.now.plus(std::time::Duration::from_millis(ms))));
    let mut all = Vec::new();
    if !p.held.is_empty() {
        // Why it is held back stands above already, unless it was told something else since.
        let why = if p.held == p.last_failure { String::new() } else { format!(": {}", plain(&p.held)) };
        all.push(Rest { text: format!("Held back{why}"), until: after(p.held_ms) });
    }
    for model in p.known.iter().filter(|model| model.circuit != Circuit::Closed).take(RESTS_MAX) {
        let name = if model.model.is_empty() { "Its model".to_owned() } else { plain(&model.model) };
        let failed = plural(u64::from(model.in_a_row), "failure", "failures");
        all.push(match model.circuit {
            Circuit::Open => {
                Rest { text: format!("{name} rests after {failed} in a row"), until: after(model.opens_in_ms) }
            }
            _ => Rest { text: format!("{name} is tried out by one call at a time"), until: None },
        });
    }
    all
}

/// The model that says most about how fast it is.
fn spoken_for(p: &ProviderStatus) -> Option<&ModelStatus> {
    p.known.iter().find(|k| k.model == p.model_in_use).or_else(|| p.known.first())
}

/// Calls of the provider in a minute, over the last few: `0.4 a minute`; nothing when it had none.
fn rate(name: &str, around: &Around<'_>) -> Option<Fact> {
    let lately = std::time::Duration::from_secs(LATELY_MINUTES * 60);
    let of = |call: &&Recent| around.now.saturating_duration_since(call.ended) <= lately;
    let asked = |step: &&timmy_llm::cascade::recent::Step| step.provider == name && outcome(step.word).0 != Tone::Calm;
    let calls: usize = around.recent.iter().filter(of).map(|call| call.path.iter().filter(asked).count()).sum();
    let tenths = (calls as u64).saturating_mul(10).div_ceil(LATELY_MINUTES);
    (calls > 0).then(|| Fact::new("Calls a minute", format!("{}.{}", tenths / 10, tenths % 10)))
}

fn figures(p: &ProviderStatus, spent: Option<u64>, around: &Around<'_>) -> Vec<Fact> {
    let ms = |mean: f64| words::duration_ms(mean.round() as i64);
    let counted = around.counted.iter().find(|counted| counted.name == p.name);
    let mut all = Vec::new();
    if !p.version.is_empty() {
        all.push(Fact::new(if p.kind == "engine" { "Models run by" } else { "Version" }, plain(&p.version)));
    }
    if let Some(known) = spoken_for(p) {
        let first = known.speeds.first_ms.iter().max_by_key(|mean| mean.count).filter(|mean| mean.count > 0);
        if let Some(first) = first {
            all.push(Fact::new("First word", ms(first.mean)));
        }
        let within = |percent| counted.and_then(|c| c.first_word.within(percent)).map(|bound| format!("{bound} s"));
        if let Some((half, most)) = within(50).zip(within(95)) {
            all.push(Fact::new("Half within", half));
            all.push(Fact::new("95 % within", most));
        }
        if known.speeds.cold_ms.count > 0 {
            all.push(Fact::new("Cold start", ms(known.speeds.cold_ms.mean)));
        }
        if known.speeds.tokens_per_second.count > 0 {
            let mean = known.speeds.tokens_per_second.mean;
            let said = if mean < 100.0 { format!("{mean:.1}") } else { words::count(mean.round() as u64) };
            all.push(Fact::new("Tokens a second", said));
        }
    }
    all.push(Fact::new("Calls", words::count(p.calls)));
    all.extend(rate(&p.name, around));
    let share = p.failures.saturating_mul(100).checked_div(p.calls).unwrap_or(0);
    let failed = if p.failures > 0 { format!("{} ({share} %)", words::count(p.failures)) } else { "none".to_owned() };
    all.push(Fact::new("Failed", failed));
    let tokens = counted.map_or(0, |c| c.usage.prompt_tokens.saturating_add(c.usage.completion_tokens));
    if tokens > 0 {
        all.push(Fact::new("Tokens since the start", words::count(tokens)));
    }
    if let Some(spent) = spent {
        let of = around.cap.map_or_else(String::new, |cap| format!(" of {}", money(cap)));
        all.push(Fact::new("Spent today", format!("{}{of}", money(spent))));
    }
    all
}

/// Whether a provider that cost `spent` today may cost no more: it reached its own cap, or all together theirs.
fn used_up(spent: Option<u64>, cap: Option<u64>, day_used_up: bool) -> bool {
    let spent = spent.unwrap_or(0);
    // One that is free is asked all the same.
    spent > 0 && (day_used_up || cap.is_some_and(|cap| spent >= cap))
}

fn models(p: &ProviderStatus) -> String {
    let shown: Vec<String> = p.models.iter().take(MODELS_MAX).map(|name| plain(name)).collect();
    let more = p.models.len().saturating_sub(shown.len());
    match (shown.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{}, and {more} more", shown.join(", ")),
    }
}

fn trial(trial: &Trial, clock: &Clock) -> TrialView {
    let ms = |ms: u64| words::duration_ms(i64::try_from(ms).unwrap_or(i64::MAX));
    let (state, text) = match &trial.end {
        None => (State::running("Is asked"), format!("One small question, at most {}.", ms(TRIAL_MS))),
        Some(TrialEnd::Answered { model, first_token_ms, took_ms }) => {
            let first = first_token_ms.map_or_else(String::new, |first| format!(", first word after {}", ms(first)));
            (State::well("Answered"), format!("{} in {}{first}.", plain(model), ms(*took_ms)))
        }
        Some(TrialEnd::Failed { why, hint, took_ms, .. }) => {
            (State::failed("No answer"), format!("{} It took {}. {}", sentence(why), ms(*took_ms), plain(hint)))
        }
        Some(TrialEnd::Cancelled) => (State::off("Given up"), "By your word.".to_owned()),
    };
    TrialView { state, text, began: clock.second(trial.began), runs: trial.end.is_none() }
}

impl Rung {
    /// The provider `p`, which stands at `number` (from 1) of `count` that can be moved.
    #[must_use]
    pub fn of(number: usize, count: usize, p: &ProviderStatus, around: &Around<'_>) -> Self {
        let reflex = p.place == Place::Reflex;
        let spent = around.spent.iter().find(|(name, _)| *name == p.name).map(|(_, micros)| *micros);
        let state = match state(p, !around.stays.is_empty()) {
            state
                if (state.tone == Tone::Ok || state.word == "Failed last")
                    && used_up(spent, around.cap, around.day_used_up) =>
            {
                State::degraded(USED_UP)
            }
            state => state,
        };
        let outcomes = outcomes(&p.name, around.recent);
        let rests = rests(p, &around.clock);
        let (mend, mend_at) = mend(p, &state);
        let why = match &p.state {
            _ if state.word == "Not asked now" => around.stays.to_owned(),
            ProviderState::Down { why, .. } if !p.disabled => sentence(why),
            _ if state.word == NO_PRICE => {
                "It is asked with a key, and nobody knows what its model costs: no budget could hold it.".to_owned()
            }
            _ if !p.unpriced.models.is_empty() && state.tone == Tone::Ok => {
                format!("Not all of its models are asked: {} has no price.", plain(&p.unpriced.models.join(", ")))
            }
            _ if !p.last_failure.is_empty() && !p.disabled => sentence(&format!("last: {}", p.last_failure)),
            _ => String::new(),
        };
        let answered = around.recent.first().and_then(|call| call.path.last());
        let place = if reflex { "rules, no model" } else { p.place.phrase() };
        Self {
            number,
            name: p.name.clone(),
            kind: p.kind,
            model: plain(&p.model_in_use),
            place: State::new(Tone::Calm, place_icon(p.place), place),
            last: answered.is_some_and(|s| s.provider == p.name && outcome(s.word).0 == Tone::Ok),
            beats: beats(&outcomes),
            beats_said: beats_said(&p.name, &outcomes),
            figures: figures(p, spent.or((p.place == Place::Remote).then_some(0)), around),
            models: models(p),
            mend,
            mend_at,
            why,
            trial: around.trials.iter().find(|t| t.provider == p.name).map(|t| trial(t, &around.clock)),
            steered: !reflex,
            disabled: p.disabled,
            resets: !rests.is_empty(),
            rests,
            up: !reflex && number > 1,
            down: !reflex && number < count,
            state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_reached_its_budget_is_used_up_and_a_free_one_never() {
        for (spent, cap, day, expected) in [
            (None, None, true, false),
            (Some(0), Some(0), true, false),
            (Some(199), Some(200), false, false),
            (Some(200), Some(200), false, true),
            (Some(1), None, true, true),
            (Some(900), None, false, false),
        ] {
            assert_eq!(used_up(spent, cap, day), expected, "{spent:?} of {cap:?}");
        }
    }

    #[test]
    fn beats_stand_at_the_right_and_are_told_in_words() {
        let outcomes = ["answered", "unreachable", "answered", "resting"];
        let drawn = beats(&outcomes);
        assert_eq!(drawn.first().map(|b| b.x.as_str()), Some("93.3"));
        assert_eq!(drawn.iter().map(|b| b.height).collect::<Vec<_>>(), [14, 24, 14, 5]);
        assert_eq!(beats_said("ollama", &outcomes), "ollama, the last 4 times: answered 2, not reached 1, rests 1.");
        assert_eq!(beats_said("ollama", &[]), "ollama had no part in the last requests.");
        assert_eq!(beats(&["answered"; 80][..BEATS_MAX]).len(), BEATS_MAX);
    }

    #[test]
    fn every_reason_has_words_of_its_own() {
        for word in ["unreachable", "auth", "billing", "timeout_stall", "privacy", "budget", "outrun"] {
            assert_ne!(outcome(word).1, "server error", "{word}");
        }
    }
}
