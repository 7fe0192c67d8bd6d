//! How Timmy asks a model for an answer: persona, present state, remembered conversation, the question.

use timmy_domain::Sensitivity;
use timmy_domain::message::{Message, MessageStatus, Speaker};
use timmy_domain::text::{cut, tokens_estimate};
use timmy_domain::thought::{Place, Thought};
use timmy_llm::{Brief, ChatMessage, ChatRequest, Part, Role, TaskClass};

use crate::scene::Scene;
use crate::settings::Settings;

/// Characters of a thought that is replied to.
const ABOUT_CHARS_MAX: usize = 1_500;

/// The texts of the self an answer is asked with.
#[derive(Clone, Debug, Default)]
pub struct SelfTexts {
    /// Who Timmy is.
    pub persona: String,
    /// How he is asked.
    pub ask: String,
}

/// The request for one answer. State and earlier answers made here may be left out for a remote provider; what the
/// owner says may go to one that he configured.
#[must_use]
pub fn request(
    texts: &SelfTexts,
    scene: &Scene,
    history: &[Message],
    question: &Message,
    about: Option<&Thought>,
    settings: &Settings,
) -> ChatRequest {
    let open = |text: String| Part { text, sensitivity: Sensitivity::Open, droppable: false };
    let here = |text: String| Part { text, sensitivity: Sensitivity::LocalOnly, droppable: true };
    let system = vec![
        open(format!("{}\n\n{}\n\nIt is {}.", texts.persona, texts.ask, scene.date_words)),
        here(format!("\n\nThe present state:\n{}", scene.state_lines().join("\n"))),
    ];
    let mut messages = vec![message(Role::System, system)];
    for said in within(history, settings.talk.history_tokens) {
        messages.push(match said.speaker {
            Speaker::Owner => message(Role::User, vec![open(said.content.clone())]),
            // An answer made here may repeat what must stay here.
            Speaker::Timmy if said.place == Some(Place::Remote) => {
                message(Role::Assistant, vec![open(said.content.clone())])
            }
            Speaker::Timmy => message(Role::Assistant, vec![here(said.content.clone())]),
        });
    }
    let mut asked = Vec::new();
    if let Some(thought) = about {
        asked.push(here(format!("About your thought: “{}”\n\n", cut(&thought.content, ABOUT_CHARS_MAX))));
    }
    asked.push(open(question.content.clone()));
    messages.push(message(Role::User, asked));
    let facts = scene.facts().iter().map(|f| f.to_fact(true)).collect();
    ChatRequest {
        messages,
        tools: Vec::new(),
        class: TaskClass::Chat,
        max_tokens: u32::try_from(settings.talk.max_tokens).unwrap_or(u32::MAX),
        temperature: None,
        model: None,
        brief: Brief { facts, question: Some(question.content.clone()) },
    }
}

fn message(role: Role, parts: Vec<Part>) -> ChatMessage {
    ChatMessage { role, parts, tool_calls: Vec::new(), tool_call_id: None }
}

/// The newest part of `history` (given oldest first) that fits `tokens_max`, oldest first. Failures are no one's
/// words and are left out, with the question that failed kept; reflex answers are left out too, since a model would imitate them.
#[must_use]
pub fn within(history: &[Message], tokens_max: u64) -> Vec<&Message> {
    let mut left = usize::try_from(tokens_max).unwrap_or(usize::MAX);
    let mut kept: Vec<&Message> = Vec::new();
    let words = |m: &&Message| {
        m.status != MessageStatus::Failed && m.place != Some(Place::Reflex) && !m.content.trim().is_empty()
    };
    for said in history.iter().rev().filter(words) {
        let cost = tokens_estimate(&said.content) + 8;
        if cost > left {
            break;
        }
        left -= cost;
        kept.push(said);
    }
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use timmy_domain::{MessageId, Timestamp};

    use super::*;

    fn said(speaker: Speaker, status: MessageStatus, content: &str) -> Message {
        Message {
            id: MessageId::new(1, &[0; 10]),
            speaker,
            content: content.to_owned(),
            status,
            answers: None,
            about_thought: None,
            channel: "cli".to_owned(),
            created_at: Timestamp::EPOCH,
            provider: String::new(),
            model: String::new(),
            place: (speaker == Speaker::Timmy).then_some(Place::Local),
            duration_ms: 0,
            tokens: 0,
        }
    }

    #[test]
    fn history_is_bounded_by_tokens_and_keeps_the_newest() {
        let long = "x".repeat(400);
        let history = vec![
            said(Speaker::Owner, MessageStatus::Answered, &long),
            said(Speaker::Timmy, MessageStatus::Done, "an answer"),
            said(Speaker::Owner, MessageStatus::Answered, "a question"),
        ];
        let contents = |tokens| within(&history, tokens).iter().map(|m| m.content.len()).collect::<Vec<_>>();
        assert_eq!(contents(1_000), [400, 9, 10]);
        assert_eq!(contents(40), [9, 10]);
        assert_eq!(contents(0), Vec::<usize>::new());
    }

    #[test]
    fn a_failure_is_never_shown_to_a_model_as_timmys_words() {
        let history = vec![
            said(Speaker::Owner, MessageStatus::Answered, "a question"),
            said(Speaker::Timmy, MessageStatus::Failed, "Ollama refused the connection"),
        ];
        assert_eq!(within(&history, 1_000).len(), 1);
    }
}
