//! Talk: the one conversation.

use askama::Template;
use timmy_domain::intent;
use timmy_domain::message::{Message, MessageStatus, Speaker};
use timmy_domain::thought::Place;

use super::mind::{ModelRow, place_icon};
use super::prose::{self, Block};
use super::{Absent, Clock, Shell, When, asset, icon, words};
use crate::nav;

/// What a turn is; decides how it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnKind {
    /// The owner's words.
    Owner,
    /// Timmy's words, whole.
    Timmy,
    /// Timmy's words up to where the owner pressed stop.
    Stopped,
    /// No answer came: words of the house, never Timmy's.
    Failed,
    /// The answer is being made.
    Coming,
}

/// A thought the owner replies to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The thought's id.
    pub id: String,
    /// Its text, cut to a few lines.
    pub text: String,
    /// When it was thought.
    pub at: When,
}

/// One turn of the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The message's id; for [`TurnKind::Coming`] that of the question.
    pub id: String,
    /// What it is.
    pub kind: TurnKind,
    /// When.
    pub at: When,
    /// The text, in paragraphs and code.
    pub blocks: Vec<Block>,
    /// The thought it is about.
    pub about: Option<Quote>,
    /// The message it answers; the owner's question for every kind but [`TurnKind::Owner`].
    pub question: String,
    /// Who answered.
    pub provider: String,
    /// With which model; may be empty.
    pub model: String,
    /// Where; `None` for the owner's words and for failures.
    pub place: Option<Place>,
    /// How long it took; may be empty.
    pub duration: String,
    /// Tokens read and written; empty when the provider did not tell.
    pub tokens: String,
    /// The task that the owner's order became; empty when the answer made none.
    pub made: String,
}

/// The words of a message as they stand on the page: the buttons below say what the receipt of an order says.
fn spoken(message: &Message) -> &str {
    let said = message.content.rsplit_once("\n\n").filter(|_| intent::made(message).is_some());
    said.map_or(message.content.as_str(), |(words, _)| words)
}

impl Turn {
    /// A message as it is stored.
    #[must_use]
    pub fn of(message: &Message, about: Option<Quote>, clock: &Clock) -> Self {
        let kind = match (message.speaker, message.status) {
            (Speaker::Owner, _) => TurnKind::Owner,
            (Speaker::Timmy, MessageStatus::Stopped) => TurnKind::Stopped,
            (Speaker::Timmy, MessageStatus::Failed) => TurnKind::Failed,
            (Speaker::Timmy, _) => TurnKind::Timmy,
        };
        let tokens = u64::try_from(message.tokens).unwrap_or(0);
        Self {
            id: message.id.to_string(),
            kind,
            at: clock.minute(message.created_at),
            blocks: prose::blocks(spoken(message)),
            about,
            question: message.answers.map(|id| id.to_string()).unwrap_or_default(),
            provider: message.provider.clone(),
            model: message.model.clone(),
            place: message.place,
            duration: if message.duration_ms > 0 { words::duration_ms(message.duration_ms) } else { String::new() },
            tokens: if tokens > 0 { format!("{} tokens", words::count(tokens)) } else { String::new() },
            made: intent::made(message).map(|task| task.to_string()).unwrap_or_default(),
        }
    }

    /// The place of an answer that is being made to the open `question`.
    #[must_use]
    pub fn coming(question: &Message, clock: &Clock) -> Self {
        Self {
            kind: TurnKind::Coming,
            question: question.id.to_string(),
            at: clock.ago(question.created_at),
            blocks: Vec::new(),
            about: None,
            ..Self::of(question, None, clock)
        }
    }

    /// The symbol of the place.
    #[must_use]
    pub fn place_icon(&self) -> &'static str {
        self.place.map_or("off", place_icon)
    }

    /// The words of the place; empty when there is none.
    #[must_use]
    pub fn place_words(&self) -> &'static str {
        self.place.map_or("", Place::phrase)
    }

    /// `ollama · qwen3:14b`, as far as known.
    #[must_use]
    pub fn maker(&self) -> String {
        // The place says it all: "by reflex, no model".
        if self.place == Some(Place::Reflex) {
            return String::new();
        }
        if self.model.is_empty() { self.provider.clone() } else { format!("{} · {}", self.provider, self.model) }
    }

    /// Duration and tokens, as far as known.
    #[must_use]
    pub fn cost(&self) -> String {
        let parts = [self.duration.as_str(), self.tokens.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    /// The class of its kind.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self.kind {
            TurnKind::Owner => "me",
            TurnKind::Timmy => "him voice",
            TurnKind::Stopped => "him stopped",
            TurnKind::Failed => "failed bad",
            TurnKind::Coming => "him coming live",
        }
    }
}

/// The turns of one day, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TalkDay {
    /// The day in words.
    pub label: String,
    /// The turns.
    pub turns: Vec<Turn>,
}

/// One turn: `GET /talk/{question}/turn`, and the answer to try again.
#[derive(Template)]
#[template(path = "parts/turn.html")]
pub struct TurnPart {
    /// The turn.
    pub turn: Turn,
    /// The secret of the session.
    pub csrf: String,
}

/// The owner's new turn and the place of its answer: the answer to `POST /talk` of a script.
#[derive(Template)]
#[template(path = "parts/turns.html")]
pub struct TurnsPart {
    /// Both turns.
    pub turns: Vec<Turn>,
    /// The secret of the session.
    pub csrf: String,
}

/// The conversation. `GET /talk`.
#[derive(Template)]
#[template(path = "talk.html")]
pub struct TalkPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The turns by day, oldest first.
    pub days: Vec<TalkDay>,
    /// What to say when nothing was said yet.
    pub absent: Absent,
    /// Where older turns are.
    pub older: Option<String>,
    /// Where the newest ones are, when this page does not end with them; then there is no composer.
    pub newest: Option<String>,
    /// The thought the owner replies to.
    pub about: Option<Quote>,
    /// What was typed and refused; empty otherwise.
    pub draft: String,
    /// Who would answer, in the order they are asked.
    pub models: Vec<ModelRow>,
}

impl TalkPage {
    /// Where a page without scripts looks again while an answer is being made; `None` when none is.
    ///
    /// The address differs from the one of this page by more than its fragment: a browser that is led to the address
    /// it already shows, with a fragment, only scrolls and loads nothing.
    #[must_use]
    pub fn again(&self) -> Option<String> {
        let mut turns = self.days.iter().flat_map(|day| &day.turns);
        let coming = turns.rfind(|turn| turn.kind == TurnKind::Coming)?;
        let query = if self.shell.path.contains("still") { "" } else { "?still" };
        Some(format!("/talk{query}#turn-{}", coming.question))
    }
}
