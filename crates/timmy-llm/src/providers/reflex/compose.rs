//! The words of reflex: rules over facts. It extracts and orders; it never answers what it does not know.

use std::collections::BTreeSet;

use timmy_domain::text::{cut, one_line};

use crate::failure::Failure;
use crate::request::{Brief, Fact, TaskClass};

/// Facts in one thought.
const THOUGHT_FACTS_MAX: usize = 3;
/// Facts in one answer.
const ANSWER_FACTS_MAX: usize = 5;
/// Facts that are told when none touches the question.
const OTHER_FACTS_MAX: usize = 3;
/// Characters of one fact.
const FACT_CHARS_MAX: usize = 300;
/// From this weight on a fact is something that waits for the owner.
const WAITING_WEIGHT: u32 = 75;
/// Letters two words share at their beginning to count as the same.
const STEM_LETTERS: usize = 5;

const NO_MODEL: &str =
    "No language model answers right now, so this is reflex: rules over what I can see, without understanding.";

/// Words that say nothing about what a question is about.
const EMPTY: &[&str] = &[
    "the", "and", "for", "are", "you", "your", "yours", "what", "when", "where", "which", "who", "why", "how", "can",
    "could", "would", "should", "will", "does", "did", "has", "have", "had", "was", "were", "with", "about", "this",
    "that", "there", "them", "they", "tell", "show", "give", "please", "from", "into", "not", "any", "all", "its",
    "is", "me", "my", "in", "on", "of", "to", "it", "do", "an", "be", "or", "at", "am", "im", "we", "us", "our",
    "just", "now",
];
/// Words by which the owner asks what happened.
const NEWS: &[&str] =
    &["new", "news", "changed", "changes", "happened", "happening", "lately", "today", "update", "updates"];
/// Words by which the owner asks how Timmy is.
const STATUS: &[&str] = &["status", "state", "doing", "alive", "awake", "running", "seen", "see", "know"];
/// Words by which the owner asks what needs him.
const WAITING: &[&str] = &["waiting", "waits", "wait", "pending", "needs", "need", "attention", "blocked"];

/// Composes a thought or an answer.
///
/// # Errors
/// [`Failure::NothingToSay`] for a thought when no fact is fresh.
pub fn compose(brief: &Brief, class: TaskClass, pull: &str) -> Result<String, Failure> {
    match class {
        TaskClass::Thought => thought(&brief.facts).ok_or(Failure::NothingToSay),
        TaskClass::Chat => Ok(answer(brief, pull)),
        other => {
            let what = format!("without a language model there is no {}", other.name().replace('_', " "));
            Err(Failure::Unsupported { what })
        }
    }
}

/// The weightiest fresh facts, one sentence each.
fn thought(facts: &[Fact]) -> Option<String> {
    let openings = ["I notice", "I also see", "And this"];
    let fresh = weightiest(facts.iter().filter(|f| f.fresh), THOUGHT_FACTS_MAX);
    let mut subject = "";
    let sentences = fresh.iter().zip(openings).map(|(fact, opening)| {
        let speaks =
            fact.split(|c: char| !c.is_alphanumeric() && c != '-').any(|w| matches!(w, "I" | "my" | "My" | "me"));
        if speaks {
            return fact.clone();
        }
        // A fact about a folder begins with its name, which is told once.
        match fact.split_once(": ").filter(|(name, _)| !name.contains(char::is_whitespace)) {
            Some((name, told)) if name == subject => format!("{opening}: {told}"),
            Some((name, told)) => {
                subject = name;
                format!("{opening} in {name}: {told}")
            }
            None => format!("{opening}: {fact}"),
        }
    });
    let told: Vec<String> = sentences.collect();
    (!told.is_empty()).then(|| told.join(" "))
}

fn answer(brief: &Brief, pull: &str) -> String {
    let question = words(brief.question.as_deref().unwrap_or_default());
    let asks = |list: &[&str]| question.iter().any(|w| list.contains(&w.as_str()));
    let touching = touching(&brief.facts, &question);
    let all = || weightiest(brief.facts.iter(), ANSWER_FACTS_MAX);
    let mut lines = vec![NO_MODEL.to_owned(), String::new()];
    if asks(WAITING) {
        let waiting = weightiest(brief.facts.iter().filter(|f| f.weight >= WAITING_WEIGHT), ANSWER_FACTS_MAX);
        list(&mut lines, "This may need you:", "Nothing that I can see needs you.", waiting);
    } else if !touching.is_empty() {
        list(
            &mut lines,
            "I cannot answer in my own words without a model. What I can see that touches your question:",
            "",
            touching,
        );
    } else if asks(NEWS) {
        let fresh = weightiest(brief.facts.iter().filter(|f| f.fresh), ANSWER_FACTS_MAX);
        list(&mut lines, "What is new, weightiest first:", "I can see nothing new.", fresh);
    } else if asks(STATUS) || question.is_empty() {
        list(&mut lines, "What I can see:", "I can see nothing worth telling.", all());
    } else {
        lines.push("I cannot answer that without a model.".to_owned());
        let other = weightiest(brief.facts.iter(), OTHER_FACTS_MAX);
        if !other.is_empty() {
            list(&mut lines, "What I can tell without one:", "", other);
        }
    }
    lines.push(String::new());
    lines.push(format!("Start Ollama and run `ollama pull {pull}`; I find it by myself within 15 seconds."));
    lines.join("\n")
}

fn list(lines: &mut Vec<String>, title: &str, none: &str, facts: Vec<String>) {
    lines.push(if facts.is_empty() { none } else { title }.to_owned());
    lines.extend(facts.into_iter().map(|f| format!("- {f}")));
}

/// The facts that share a word with the question, most shared words first, then by weight.
fn touching(facts: &[Fact], question: &BTreeSet<String>) -> Vec<String> {
    let about: Vec<&String> = question.iter().filter(|w| !general(w)).collect();
    let shared = |fact: &Fact| {
        let told = words(&fact.text);
        about.iter().filter(|w| told.iter().any(|t| same(w, t))).count()
    };
    let mut found: Vec<(usize, &Fact)> = facts.iter().map(|f| (shared(f), f)).filter(|(n, _)| *n > 0).collect();
    found.sort_by_key(|(n, fact)| std::cmp::Reverse((*n, fact.weight)));
    distinct(found.into_iter().map(|(_, fact)| fact), ANSWER_FACTS_MAX)
}

/// Words that ask for a kind of fact instead of naming one.
fn general(word: &str) -> bool {
    [NEWS, STATUS, WAITING].iter().any(|list| list.contains(&word))
}

/// The same word, or one with the same beginning: `folder` and `folders`, `think` and `thinking`.
fn same(a: &str, b: &str) -> bool {
    let stem = |w: &str| w.chars().take(STEM_LETTERS).collect::<String>();
    a == b || (a.chars().count() >= STEM_LETTERS && stem(a) == stem(b))
}

fn words(text: &str) -> BTreeSet<String> {
    let all = text.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase);
    all.filter(|w| w.chars().count() > 1 && !EMPTY.contains(&w.as_str())).collect()
}

fn weightiest<'a>(facts: impl Iterator<Item = &'a Fact>, max: usize) -> Vec<String> {
    let mut facts: Vec<&Fact> = facts.collect();
    facts.sort_by_key(|f| std::cmp::Reverse(f.weight));
    distinct(facts.into_iter(), max)
}

/// The first `max` different sentences.
fn distinct<'a>(facts: impl Iterator<Item = &'a Fact>, max: usize) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for sentence in facts.map(sentence).filter(|s| !s.is_empty()) {
        if told.len() < max && !told.contains(&sentence) {
            told.push(sentence);
        }
    }
    told
}

/// A fact as one safe, closed sentence.
fn sentence(fact: &Fact) -> String {
    let mut text = cut(&one_line(&fact.text), FACT_CHARS_MAX);
    if !text.is_empty() && !text.ends_with(['.', '!', '?', '…']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests;
