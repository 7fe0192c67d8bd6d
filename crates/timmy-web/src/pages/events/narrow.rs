//! What the log is narrowed to, as it stands in an address: one text of tokens in `q`, and the fields of before.

use serde::Deserialize;
use timmy_domain::bus::Pattern;
use timmy_domain::filter::{EventFilter, FilterError, TEXT_CHARS_MAX, Token};
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Actor, Problem};
use timmy_store::EventQuery;

use crate::ask::Window;
use crate::errors::Refusal;
use crate::look::Clock;

/// What the list is narrowed to, as it stands in the address.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Narrow {
    q: Option<String>,
    #[serde(rename = "type")]
    pattern: Option<String>,
    severity: Option<String>,
    text: Option<String>,
    actor: Option<String>,
    before: Option<String>,
    after: Option<String>,
    limit: Option<String>,
}

/// Why a filter was refused.
pub enum Refused {
    /// The text of tokens.
    Text(FilterError),
    /// One of the fields.
    Field(Problem),
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self(match refused {
            Refused::Text(error) => Problem::invalid("bad_filter", error.to_string(), error.hint),
            Refused::Field(problem) => problem,
        })
    }
}

fn bad(what: impl Into<String>) -> Refused {
    let hint = "Names are like watch.added; watch.* finds all below watch.";
    Refused::Field(Problem::invalid("bad_filter", what, hint))
}

fn said(field: &Option<String>) -> Option<&str> {
    field.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

impl Narrow {
    /// The window.
    pub fn window(&self) -> Window {
        Window { limit: self.limit.clone(), before: self.before.clone(), after: self.after.clone() }
    }

    /// The filter: that of `q`, and what the fields add to it.
    ///
    /// # Errors
    /// When a part of it makes no sense.
    pub fn filter(&self, clock: &Clock) -> Result<EventFilter, Refused> {
        let text = self.q.as_deref().unwrap_or_default();
        let mut filter = EventFilter::parse_in(text, clock.now, clock.offset).map_err(Refused::Text)?;
        for token in self.fields()? {
            filter.push(token).map_err(Refused::Text)?;
        }
        Ok(filter)
    }

    /// What the fields of before say.
    fn fields(&self) -> Result<Vec<Token>, Refused> {
        let mut tokens = Vec::new();
        if let Some(name) = said(&self.pattern) {
            let pattern: Pattern = name.parse().map_err(|e| bad(format!("`type` is {e}.")))?;
            tokens.push(Token::Type(pattern));
        }
        if let Some(word) = said(&self.severity) {
            let severity = word.parse().map_err(|()| bad("`severity` is debug, info, warning or error."))?;
            tokens.push(Token::Severity(severity));
        }
        if let Some(word) = said(&self.actor) {
            let actor = Actor::ALL.into_iter().find(|actor| actor.name() == word);
            tokens
                .push(Token::Actor(actor.ok_or_else(|| bad("`actor` is owner, timmy, system, stranger or program."))?));
        }
        let words = said(&self.text).map(one_line).filter(|words| !words.is_empty());
        tokens.extend(words.map(|words| Token::Text(cut(&words, TEXT_CHARS_MAX))));
        Ok(tokens)
    }

    /// What was typed, to be shown again when it was refused.
    pub fn typed(&self) -> String {
        let fields = [("type", &self.pattern), ("severity", &self.severity), ("actor", &self.actor)];
        let fields = fields.into_iter().filter_map(|(key, field)| said(field).map(|value| format!("{key}:{value}")));
        let all = self.q.iter().cloned().chain(fields).chain(said(&self.text).map(str::to_owned));
        all.collect::<Vec<_>>().join(" ")
    }

    /// The query of the store.
    ///
    /// # Errors
    /// When a part of the filter makes no sense.
    pub fn wanted(&self, clock: &Clock) -> Result<EventQuery, Refused> {
        self.filter(clock).map(|filter| query(&filter))
    }
}

/// The query of the store that finds what `filter` wants.
#[must_use]
pub fn query(filter: &EventFilter) -> EventQuery {
    EventQuery {
        pattern: filter.pattern().cloned().unwrap_or(Pattern::All),
        exclude: filter.excluded().cloned().collect(),
        severity_min: filter.severity(),
        actor: filter.actor().map(|actor| actor.name().to_owned()),
        source: filter.source().map(str::to_owned),
        task_id: filter.task().map(str::to_owned),
        agent_id: filter.agent().map(str::to_owned),
        cause: filter.cause(),
        since: filter.since(),
        until: filter.until(),
        after: filter.after(),
        before: filter.before(),
        texts: filter.texts().map(str::to_owned).collect(),
        ..EventQuery::default()
    }
}
