//! Thoughts: a chain of its own, in which each follows the newest before it.

use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};
use timmy_domain::thought::{CHAIN_LINKS_MAX, Place, THOUGHT_CHARS_MAX, Thought};
use timmy_domain::{Actor, NewEvent, SeedType, Seq, ThoughtId, event, text::cut};

use crate::row::{id, readable, text, time, word};
use crate::{Reader, StoreError, Tx};

/// Rows any list may return.
pub const LIST_LIMIT_MAX: usize = 1_000;

/// Characters of a text that its event repeats.
pub(crate) const EVENT_CONTENT_CHARS_MAX: usize = 200;

const THOUGHT: &str = "SELECT seq, id, content, seed_type, seed_note, parent_id, created_at, provider, model, place, duration_ms, tokens, kept, fewer FROM thoughts";

/// A thought about to be stored. The store adds id, parent, time and position.
#[derive(Clone, Debug, PartialEq)]
pub struct NewThought {
    /// The text; cut at a word to [`THOUGHT_CHARS_MAX`] characters.
    pub content: String,
    /// What it grew from.
    pub seed_type: SeedType,
    /// One line that says what exactly the seed was.
    pub seed_note: String,
    /// Who made it, as the cascade names it; `owner` for an injected one.
    pub provider: String,
    /// Which model; empty when none was used.
    pub model: String,
    /// Where it was made.
    pub place: Place,
    /// How long the making took, in milliseconds.
    pub duration_ms: i64,
    /// Tokens read and written together.
    pub tokens: i64,
    /// Who put it in.
    pub actor: Actor,
    /// The event that led here.
    pub cause: Option<Seq>,
}

/// Which thoughts are wanted, newest first. The default wants the 20 newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThoughtQuery {
    /// Only thoughts whose [`Thought::seq`] lies before this.
    pub before: Option<Seq>,
    /// Only thoughts of this seed.
    pub seed: Option<SeedType>,
    /// Only thoughts that were kept, or only those that were not.
    pub kept: Option<bool>,
    /// How many at most, up to [`LIST_LIMIT_MAX`].
    pub limit: usize,
}

impl Default for ThoughtQuery {
    fn default() -> Self {
        Self { before: None, seed: None, kept: None, limit: 20 }
    }
}

/// `None` when the id itself cannot be read, for a thought without one cannot be shown.
fn thought(row: &Row<'_>) -> rusqlite::Result<Option<Thought>> {
    let Some(own_id) = id(row, 1)? else { return Ok(None) };
    Ok(Some(Thought {
        id: own_id,
        content: text(row, 2)?,
        seed_type: word(row, 3, SeedType::Freeform)?,
        seed_note: text(row, 4)?,
        parent_id: id(row, 5)?,
        created_at: time(row, 6)?,
        provider: text(row, 7)?,
        model: text(row, 8)?,
        // A place of a newer version counts as elsewhere: the answer that claims least.
        place: word(row, 9, Place::Remote)?,
        duration_ms: row.get(10)?,
        tokens: row.get(11)?,
        kept: row.get::<_, i64>(12)? != 0,
        fewer: row.get::<_, i64>(13)? != 0,
        seq: row.get(0)?,
    }))
}

impl Reader<'_> {
    pub(super) fn thoughts_where(&self, rest: &str, values: Vec<Value>) -> Result<Vec<Thought>, StoreError> {
        let mut statement = self.conn().prepare_cached(&format!("{THOUGHT} {rest}"))?;
        let rows = statement.query_map(params_from_iter(values), thought)?;
        Ok(readable(rows, "thoughts")?)
    }

    /// The thought `id`.
    ///
    /// # Errors
    /// What the disk said.
    pub fn thought(&self, id: ThoughtId) -> Result<Option<Thought>, StoreError> {
        Ok(self.thoughts_where("WHERE id = ?1", vec![id.to_string().into()])?.pop())
    }

    /// The thoughts that `query` wants, newest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn thoughts(&self, query: &ThoughtQuery) -> Result<Vec<Thought>, StoreError> {
        let mut values: Vec<Value> =
            vec![query.before.unwrap_or(Seq::MAX).into(), (query.limit.min(LIST_LIMIT_MAX) as i64).into()];
        let mut rest = String::from("WHERE seq < ?1");
        if let Some(seed) = query.seed {
            values.push(seed.name().to_owned().into());
            rest.push_str(" AND seed_type = ?3");
        }
        // Written out, not bound, so that the partial index on kept thoughts is used.
        rest.push_str(match query.kept {
            Some(true) => " AND kept = 1",
            Some(false) => " AND kept = 0",
            None => "",
        });
        rest.push_str(" ORDER BY seq DESC LIMIT ?2");
        self.thoughts_where(&rest, values)
    }

    /// The `count` newest thoughts, newest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn latest_thoughts(&self, count: usize) -> Result<Vec<Thought>, StoreError> {
        self.thoughts(&ThoughtQuery { limit: count, ..ThoughtQuery::default() })
    }

    /// The thought `id` with those before it along the chain, oldest first, at most
    /// [`CHAIN_LINKS_MAX`]. Empty when there is no such thought.
    ///
    /// # Errors
    /// What the disk said.
    pub fn chain(&self, id: ThoughtId) -> Result<Vec<Thought>, StoreError> {
        let mut links: Vec<Thought> = Vec::new();
        let mut next = Some(id);
        while let Some(id) = next.filter(|_| links.len() < CHAIN_LINKS_MAX) {
            let Some(thought) = self.thought(id)? else { break };
            // A parent is always older; anything else is damage and would run in circles.
            if links.last().is_some_and(|child| child.seq <= thought.seq) {
                break;
            }
            next = thought.parent_id;
            links.push(thought);
        }
        links.reverse();
        Ok(links)
    }

    /// How many thoughts there are.
    ///
    /// # Errors
    /// What the disk said.
    pub fn thought_count(&self) -> Result<i64, StoreError> {
        Ok(self.conn().prepare_cached("SELECT count(*) FROM thoughts")?.query_row([], |row| row.get(0))?)
    }

    /// The thoughts that follow `id` directly, oldest first.
    ///
    /// # Errors
    /// What the disk said.
    pub fn thought_children(&self, id: ThoughtId) -> Result<Vec<Thought>, StoreError> {
        let values = vec![id.to_string().into(), (LIST_LIMIT_MAX as i64).into()];
        self.thoughts_where("WHERE parent_id = ?1 ORDER BY seq LIMIT ?2", values)
    }
}

impl Tx<'_> {
    /// Stores a thought after the newest one and appends its `timmy.thought` event.
    ///
    /// # Errors
    /// What the disk said.
    pub fn insert_thought(&mut self, new: &NewThought) -> Result<Thought, StoreError> {
        let id = self.new_thought_id();
        let parent_id = self.latest_thoughts(1)?.pop().map(|parent| parent.id);
        let content = cut(&new.content, THOUGHT_CHARS_MAX);
        let body = event::Thought {
            thought_id: id,
            seed_type: new.seed_type,
            content: cut(&content, EVENT_CONTENT_CHARS_MAX),
            parent_id,
            provider: new.provider.clone(),
            model: new.model.clone(),
            place: new.place,
        };
        let event = NewEvent::new("thinking", body).by(new.actor.clone()).caused_by(new.cause);
        let seq = self.append(event.agent("timmy"))?;
        let stored = Thought {
            id,
            content,
            seed_type: new.seed_type,
            seed_note: new.seed_note.clone(),
            parent_id,
            created_at: self.now(),
            provider: new.provider.clone(),
            model: new.model.clone(),
            place: new.place,
            duration_ms: new.duration_ms,
            tokens: new.tokens,
            kept: false,
            fewer: false,
            seq,
        };
        self.conn()
            .prepare_cached(
                "INSERT INTO thoughts (seq, id, content, seed_type, seed_note, parent_id, created_at, provider, model, place, duration_ms, tokens)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                seq,
                id.to_string(),
                stored.content,
                stored.seed_type.name(),
                stored.seed_note,
                parent_id.map(|p| p.to_string()),
                stored.created_at.micros(),
                stored.provider,
                stored.model,
                stored.place.name(),
                stored.duration_ms,
                stored.tokens,
            ])?;
        Ok(stored)
    }

    /// Notes whether the owner keeps the thought `id`; answers it as it is now, `None` when there is
    /// none. Appends no event.
    ///
    /// # Errors
    /// What the disk said.
    pub fn set_kept(&mut self, id: ThoughtId, kept: bool) -> Result<Option<Thought>, StoreError> {
        self.conn()
            .prepare_cached("UPDATE thoughts SET kept = ?2 WHERE id = ?1")?
            .execute(params![id.to_string(), i64::from(kept)])?;
        self.thought(id)
    }

    /// Notes whether the owner wants fewer thoughts like `id`; answers it as it is now, `None` when
    /// there is none. Appends no event.
    ///
    /// # Errors
    /// What the disk said.
    pub fn set_fewer(&mut self, id: ThoughtId, fewer: bool) -> Result<Option<Thought>, StoreError> {
        self.conn()
            .prepare_cached("UPDATE thoughts SET fewer = ?2 WHERE id = ?1")?
            .execute(params![id.to_string(), i64::from(fewer)])?;
        self.thought(id)
    }
}
