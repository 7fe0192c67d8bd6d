//! Thoughts: a reading column, newest first, threaded from each thought to the one before it.

use askama::Template;
use timmy_domain::thought::{Place, Thought};

use super::folders::FolderView;
use super::mind::{Budget, SeedWeight, place_icon, seed_icon};
use super::prose::{self, Block};
use super::{Absent, Choice, Clock, Shell, State, When, asset, icon, words};
use crate::nav;

/// One thought, ready to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThoughtView {
    /// Its id.
    pub id: String,
    /// When it was stored.
    pub at: When,
    /// The seed's word.
    pub seed: &'static str,
    /// The seed's symbol.
    pub seed_icon: &'static str,
    /// What exactly the seed was.
    pub seed_note: String,
    /// The text, in paragraphs.
    pub blocks: Vec<Block>,
    /// Who made it, with which model, as far as known: `ollama · qwen3:14b`. Empty when the place says it all.
    pub maker: String,
    /// Where it was made.
    pub place: Place,
    /// How long it took; empty when it took none.
    pub duration: String,
    /// Whether the owner kept it.
    pub kept: bool,
    /// Whether the owner asked for fewer like it.
    pub fewer: bool,
    /// The event that reported it: the way to its cause.
    pub seq: i64,
    /// Whether the thought drawn below it (above it, in a chain) is the one it follows.
    pub linked: bool,
    /// Whether it is the one the page is about.
    pub current: bool,
}

impl ThoughtView {
    /// A thought as it is stored.
    #[must_use]
    pub fn of(thought: &Thought, clock: &Clock) -> Self {
        let by_owner = thought.place == Place::Owner;
        Self {
            id: thought.id.to_string(),
            at: clock.minute(thought.created_at),
            seed: thought.seed_type.name(),
            seed_icon: seed_icon(thought.seed_type),
            seed_note: thought.seed_note.clone(),
            blocks: prose::blocks(&thought.content),
            maker: maker(thought),
            place: thought.place,
            duration: if by_owner || thought.duration_ms <= 0 {
                String::new()
            } else {
                words::duration_ms(thought.duration_ms)
            },
            kept: thought.kept,
            fewer: thought.fewer,
            seq: thought.seq,
            linked: false,
            current: false,
        }
    }

    /// The symbol of the place.
    #[must_use]
    pub fn place_icon(&self) -> &'static str {
        place_icon(self.place)
    }

    /// The act that changes whether it is kept.
    #[must_use]
    pub fn keeping(&self) -> &'static str {
        if self.kept { "release" } else { "keep" }
    }

    /// Whether it is the owner's own sentence.
    #[must_use]
    pub fn by_owner(&self) -> bool {
        self.place == Place::Owner
    }
}

fn maker(thought: &Thought) -> String {
    let provider = if thought.place == Place::Owner { "" } else { thought.provider.as_str() };
    match (provider, thought.model.as_str()) {
        // The place says it all: "by reflex, no model".
        _ if thought.place == Place::Reflex => String::new(),
        ("", model) => model.to_owned(),
        (provider, "") => provider.to_owned(),
        (provider, model) => format!("{provider} · {model}"),
    }
}

/// The thoughts of one hour, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// The id of its heading, the same for the same hour, so that live rows find it.
    pub id: String,
    /// The day, on the first of its hours that is shown; empty on the others.
    pub day: String,
    /// The hour: `14:00`.
    pub hour: String,
    /// The thoughts.
    pub thoughts: Vec<ThoughtView>,
}

/// Thoughts, newest first, in hours; each is linked when the next one is the one it follows.
#[must_use]
pub fn hours(thoughts: &[Thought], clock: &Clock) -> Vec<Hour> {
    let mut out: Vec<Hour> = Vec::new();
    let mut day_before = String::new();
    let mut hour_before = None;
    for (at, thought) in thoughts.iter().enumerate() {
        let mut view = ThoughtView::of(thought, clock);
        view.linked = thoughts.get(at + 1).is_some_and(|next| Some(next.id) == thought.parent_id);
        let which = clock.which_hour(thought.created_at);
        match out.last_mut() {
            Some(hour) if hour_before == Some(which) => hour.thoughts.push(view),
            _ => {
                hour_before = Some(which);
                let id = format!("hour-{}", clock.hour_id(thought.created_at));
                let today = clock.day(thought.created_at);
                let day = if today == day_before { String::new() } else { today.clone() };
                day_before = today;
                out.push(Hour { id, day, hour: clock.hour(thought.created_at), thoughts: vec![view] });
            }
        }
    }
    out
}

/// A chain of thoughts, oldest first, each linked to the one before it.
#[must_use]
pub fn chain(thoughts: &[Thought], clock: &Clock, current: Option<timmy_domain::ThoughtId>) -> Vec<ThoughtView> {
    let view = |(at, thought): (usize, &Thought)| {
        let mut view = ThoughtView::of(thought, clock);
        view.at = clock.short(thought.created_at);
        view.linked = at + 1 < thoughts.len();
        view.current = Some(thought.id) == current;
        view
    };
    thoughts.iter().enumerate().map(view).collect()
}

/// Whether Timmy thinks, and what can be done about it. As a fragment: `GET /thinking/status`.
#[derive(Template)]
#[template(path = "parts/thinking_status.html")]
pub struct ThinkingStatus {
    /// Awake, thinking, resting, paused or off.
    pub state: State,
    /// What is the case, in one sentence: `Thinks about every 5 min.`
    pub sentence: String,
    /// Why, and until when: `Resting until 07:00 because it is night.` May be empty.
    pub because: String,
    /// Whether the owner paused thinking; then the act is to resume.
    pub paused: bool,
    /// Whether a thought is being made now; then the act is to stop it.
    pub thinking: bool,
    /// Whether thinking is switched off in the settings; then no act is offered.
    pub off: bool,
    /// The secret of the session.
    pub csrf: String,
}

/// Rows for the live feed: `GET /thinking/rows?after=SEQ`.
#[derive(Template)]
#[template(path = "parts/thoughts.html")]
pub struct ThoughtsPart {
    /// The thoughts after that event, newest first, in hours.
    pub hours: Vec<Hour>,
    /// The secret of the session.
    pub csrf: String,
}

/// One thought: the answer to an act on it.
#[derive(Template)]
#[template(path = "parts/thought.html")]
pub struct ThoughtPart {
    /// The thought.
    pub thought: ThoughtView,
    /// The secret of the session.
    pub csrf: String,
}

/// The stream of thoughts. `GET /thinking`.
#[derive(Template)]
#[template(path = "thinking.html")]
pub struct ThinkingPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Whether Timmy thinks.
    pub status: ThinkingStatus,
    /// Everything, kept, and the six seeds.
    pub filters: Vec<Choice>,
    /// The filter as a query without `?`, for the live rows: `seed=memory`; may be empty.
    pub query: String,
    /// The thoughts, newest first.
    pub hours: Vec<Hour>,
    /// Why there is none; read when there is none.
    pub absent: Absent,
    /// Where older ones are.
    pub older: Option<String>,
    /// Where the newest ones are, when this page does not begin with them.
    pub newest: Option<String>,
    /// How likely each seed is.
    pub weights: Vec<SeedWeight>,
    /// The day's budget; `None` when thinking is switched off.
    pub budget: Option<Budget>,
    /// When Timmy does not think: `22:00 to 07:00`; empty when there are no quiet hours.
    pub quiet: String,
    /// The watched folders.
    pub folders: Vec<FolderView>,
    /// What was typed as a thought and refused; empty otherwise.
    pub typed: String,
}

/// One chain of thoughts. `GET /thinking/{id}`.
#[derive(Template)]
#[template(path = "chain.html")]
pub struct ChainPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The chain, oldest first, at most 20.
    pub thoughts: Vec<ThoughtView>,
    /// Whether older thoughts were left out.
    pub cut: bool,
    /// The thoughts that follow the last one, as links; usually one or none.
    pub next: Vec<ThoughtView>,
}
