//! Vectors of texts: the first provider that makes them and may read the texts.

use timmy_domain::thought::Place;

use super::Inner;
use super::money::Leaving;
use crate::cascade::member::Member;
use crate::failure::Failure;
use crate::provider::{Call, Embeddings, Usage};
use crate::request::Part;
use crate::{Attempt, Cascade, CascadeError};

/// Vectors, and who made them.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// The vectors.
    pub embeddings: Embeddings,
    /// Who made them.
    pub provider: String,
}

impl Cascade {
    /// Vectors for `texts`, by the first provider that can make them; `wished` is a provider, and only that one then.
    /// Vectors of different models cannot be compared, so a caller that stores them names the provider.
    ///
    /// # Errors
    /// The reason of each provider that was asked or passed by.
    pub async fn embed(&self, texts: &[Part], wished: Option<&str>, call: &Call) -> Result<Embedded, CascadeError> {
        let mut attempts = Vec::new();
        for member in self.0.embedders(wished) {
            let began = tokio::time::Instant::now();
            let failure = match self.0.vectors(member, texts, call).await {
                Ok(embeddings) => {
                    return Ok(Embedded { embeddings, provider: member.name().to_owned() });
                }
                Err(failure) => failure,
            };
            let cancelled = failure == Failure::Cancelled;
            let duration_ms = super::millis(began.elapsed());
            attempts.push(Attempt { provider: member.name().to_owned(), model: String::new(), failure, duration_ms });
            if cancelled {
                break;
            }
        }
        Err(CascadeError { attempts, partial: String::new() })
    }
}

impl Inner {
    fn embedders(&self, wished: Option<&str>) -> Vec<&Member> {
        let fits = |m: &&Member| m.provider().embedder().is_some() && wished.is_none_or(|w| w == m.name());
        self.in_order().map(|(_, member)| member).filter(fits).collect()
    }

    /// One provider is asked, within its bounds and by its books.
    async fn vectors(&self, member: &Member, texts: &[Part], call: &Call) -> Result<Embeddings, Failure> {
        let Some(embedder) = member.provider().embedder() else {
            return Err(Failure::Unsupported { what: "it makes no vectors".to_owned() });
        };
        member.would_admit("", self.now())?;
        let remote = member.place() == Place::Remote;
        if remote {
            self.mode.leave(self.now())?;
            if texts.iter().any(|part| part.sensitivity > timmy_domain::Sensitivity::Open) {
                return Err(Failure::Privacy { what: "a text must stay on this machine".to_owned() });
            }
        }
        let line = if remote { self.entered(member, texts, call).await? } else { None };
        let late = Failure::Timeout { stage: crate::failure::Stage::Total };
        let made = tokio::select! {
            biased;
            () = call.cancel.cancelled() => Err(Failure::Cancelled),
            made = embedder.embed(texts, call) => made,
            () = tokio::time::sleep_until(call.deadline) => Err(late),
        };
        let cost = made.as_ref().map_or(0, |m| self.rules.prices.of(member.name(), &m.model).of(m.usage));
        self.settle(line, cost, made.is_ok());
        made
    }

    async fn entered(&self, member: &Member, texts: &[Part], call: &Call) -> Result<Option<i64>, Failure> {
        let bytes = texts.iter().map(|t| t.text.len() as u64).sum::<u64>();
        // A token is never less than a byte.
        let price = self.rules.prices.of(member.name(), "");
        let reserved = price.of(Usage { prompt_tokens: bytes, completion_tokens: 0 });
        let Some(books) = self.books.get() else {
            let what = "it costs money, and nobody keeps the books".to_owned();
            return if price.is_free() { Ok(None) } else { Err(Failure::Budget { what }) };
        };
        let leaving = Leaving {
            provider: member.name().to_owned(),
            model: String::new(),
            host: member.provider().host(),
            why: call.manner.purpose,
            task: call.manner.task.clone(),
            bytes,
            reserved_micros: reserved,
            caps: self.rules.caps,
        };
        books.enter(&leaving).await.map(Some).map_err(|what| Failure::Budget { what })
    }
}
