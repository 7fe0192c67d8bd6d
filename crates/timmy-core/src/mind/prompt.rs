//! How Timmy asks a model for a thought.

use timmy_domain::text::{clean, cut};
use timmy_domain::thought::{THOUGHT_CHARS_MAX, Thought};
use timmy_llm::{Brief, ChatMessage, ChatRequest, Part, Role, Sampling, TaskClass};

use super::seed::Seed;
use crate::scene::quoted;
use crate::settings::Settings;

/// Recent thoughts that go along, for continuity.
pub const CONTINUITY_THOUGHTS: usize = 3;
/// Characters of each of them.
const CONTINUITY_CHARS_MAX: usize = 600;

/// The texts of the self a thought is asked with.
#[derive(Clone, Debug, Default)]
pub struct SelfTexts {
    /// Who Timmy is.
    pub persona: String,
    /// How he is asked.
    pub ask: String,
}

/// The request for one thought. Everything in it is local-only unless the owner said otherwise.
#[must_use]
pub fn request(
    texts: &SelfTexts,
    date_words: &str,
    seed: &Seed,
    recent: &[Thought],
    fewer_like: &[String],
    brief: Brief,
    settings: &Settings,
) -> ChatRequest {
    let own = settings.privacy.thoughts();
    // Earlier thoughts and answers made here may quote what was seen in a folder, and keep its label.
    let made = own.join(settings.privacy.folders());
    let part = |text: String, sensitivity| Part { text, sensitivity, droppable: false };
    let system = vec![part(format!("{}\n\n{}", texts.persona, texts.ask), own)];
    let mut user = vec![part(format!("It is {date_words}.\n\n{}", continuity(recent)), made)];
    if !fewer_like.is_empty() {
        user.push(part(
            format!("\nYour owner wants fewer thoughts like these:\n- {}\n", fewer_like.join("\n- ")),
            made,
        ));
    }
    user.push(part(format!("\nThe seed of this thought ({}):\n{}\n", seed.seed_type, seed.inside), made));
    if !seed.outside.is_empty() {
        user.push(part(quoted(&seed.outside), made));
    }
    user.push(part("\nNow think.".to_owned(), own));
    let message =
        |role, parts| ChatMessage { role, parts, tool_calls: Vec::new(), tool_call_id: None, images: Vec::new() };
    ChatRequest {
        messages: vec![message(Role::System, system), message(Role::User, user)],
        tools: Vec::new(),
        class: TaskClass::Thought,
        max_tokens: u32::try_from(settings.thinking.max_tokens).unwrap_or(u32::MAX),
        temperature: None,
        model: None,
        sampling: Sampling::default(),
        brief,
    }
}

fn continuity(recent: &[Thought]) -> String {
    if recent.is_empty() {
        return "This is your first thought since you came to be.".to_owned();
    }
    let mut lines = String::from("Your last thoughts, oldest first:\n");
    for thought in recent.iter().take(CONTINUITY_THOUGHTS).rev() {
        let text = cut(&thought.content.replace('\n', " "), CONTINUITY_CHARS_MAX);
        let whose = if thought.provider == "owner" { ", put in by your owner" } else { "" };
        lines.push_str(&format!("[{}{whose}] {text}\n", thought.seed_type));
    }
    lines
}

/// What a model said, as a thought: cleaned, without quotation marks around the whole, cut. Nothing else is touched.
#[must_use]
pub fn tidy(answer: &str) -> String {
    let text = clean(answer);
    let text = text.trim();
    let pairs = [('"', '"'), ('“', '”'), ('«', '»')];
    let unquoted = pairs.iter().find_map(|&(open, close)| {
        let inner = text.strip_prefix(open)?.strip_suffix(close)?;
        (!inner.contains([open, close])).then_some(inner)
    });
    cut(unquoted.unwrap_or(text).trim(), THOUGHT_CHARS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_folder_said_stays_here_even_when_thoughts_may_leave() {
        let mut settings = Settings::default();
        settings.privacy.thoughts_may_leave = true;
        let seed = Seed {
            seed_type: timmy_domain::SeedType::Swarm,
            note: String::new(),
            inside: "A quiet hour.".to_owned(),
            outside: "kelp: 3 new commits.".to_owned(),
        };
        let ask = |settings: &Settings| {
            request(&SelfTexts::default(), "today", &seed, &[], &[], Brief::default(), settings).for_remote().is_ok()
        };
        assert!(!ask(&settings));
        settings.privacy.folders_may_leave = true;
        assert!(ask(&settings));
    }

    #[test]
    fn tidying_takes_off_quotation_marks_and_nothing_else() {
        let rows = [
            ("  “I wonder.”\n", "I wonder."),
            ("\"a\" and \"b\"", "\"a\" and \"b\""),
            ("First line.\n\nThe second stays.", "First line.\n\nThe second stays."),
            ("   ", ""),
        ];
        for (answer, thought) in rows {
            assert_eq!(tidy(answer), thought);
        }
    }
}
