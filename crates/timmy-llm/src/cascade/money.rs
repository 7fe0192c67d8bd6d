//! What calls cost: prices as data, an estimate before the call, the truth after it, and the books of both.

use crate::failure::{Failure, Stage};
use crate::provider::{BoxFuture, Usage};

/// Prices that may be set.
pub const PRICES_MAX: usize = 200;
/// Tokens that are paid for at once when an answer is longer than was asked for.
const MORE_TOKENS: u64 = 64;
/// Bytes of an answer that make a token at least, nearly always. While it comes nobody tells how many there are.
const BYTES_OF_A_TOKEN: usize = 4;
/// The model that stands for every model of a provider.
pub(super) const EVERY: &str = "*";

/// What a model costs, in millionths of a dollar for a million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// For tokens it reads.
    pub prompt: u64,
    /// For tokens it writes.
    pub completion: u64,
}

/// The prices of models. What stands in no line is free, unless whoever answers sends a bill and a budget is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices(Vec<(String, String, Price)>);

impl Price {
    /// What these tokens cost, in millionths of a dollar, rounded up.
    #[must_use]
    pub fn of(self, usage: Usage) -> u64 {
        let part = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let sum = part(usage.prompt_tokens, self.prompt) + part(usage.completion_tokens, self.completion);
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// Whether it costs nothing.
    #[must_use]
    pub const fn is_free(self) -> bool {
        self.prompt == 0 && self.completion == 0
    }
}

impl Prices {
    /// Reads lines such as `openai/gpt-4o-mini 0.15 0.60`: provider and model, then dollars for a million tokens read
    /// and written. The model may be `*`.
    ///
    /// # Errors
    /// A sentence that names the line that is none.
    pub fn parse(lines: &[String]) -> Result<Self, String> {
        let wrong = |line: &str| format!("{line:?} is no price; write one as \"openai/gpt-4o-mini 0.15 0.60\"");
        if lines.len() > PRICES_MAX {
            return Err(format!("there are more than {PRICES_MAX} prices"));
        }
        let read = |line: &String| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [model, prompt, completion] = words.as_slice() else { return Err(wrong(line)) };
            let (provider, model) = model.split_once('/').ok_or_else(|| wrong(line))?;
            let (prompt, completion) = (micros(prompt), micros(completion));
            let (Some(prompt), Some(completion)) = (prompt, completion) else { return Err(wrong(line)) };
            Ok((provider.to_owned(), model.to_owned(), Price { prompt, completion }))
        };
        lines.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The price of a model, where there is one. The model's own line goes before `*`; of an unknown model, the dearest
    /// of the provider.
    #[must_use]
    pub fn known(&self, provider: &str, model: &str) -> Option<Price> {
        let dearest = || self.lines(provider).map(|(_, p)| p).max_by_key(|p| p.prompt.saturating_add(p.completion));
        let unknown = || if model.is_empty() { dearest() } else { None };
        self.line(provider, model).or_else(|| self.line(provider, EVERY)).or_else(unknown)
    }

    /// The same, free where there is none.
    #[must_use]
    pub fn of(&self, provider: &str, model: &str) -> Price {
        self.known(provider, model).unwrap_or_default()
    }

    /// The price of an answer by `answered` to a request for `asked`. Servers answer under other names than they are
    /// asked by, so a name without a line of its own costs what was asked for.
    #[must_use]
    pub fn of_answer(&self, provider: &str, asked: &str, answered: &str) -> Price {
        self.line(provider, answered).unwrap_or_else(|| self.of(provider, asked))
    }

    fn lines<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = (&'a str, Price)> {
        self.0.iter().filter(move |(p, ..)| p == provider).map(|(_, model, price)| (model.as_str(), *price))
    }

    /// The line of a model: its own, else the one of which it is a dated edition, such as `gpt-4o-2024-08-06`.
    fn line(&self, provider: &str, model: &str) -> Option<Price> {
        let own = self.lines(provider).find(|(line, _)| *line == model);
        let of_edition =
            || self.lines(provider).filter(|(line, _)| is_edition(model, line)).max_by_key(|(l, _)| l.len());
        own.or_else(of_edition).map(|(_, price)| price)
    }
}

/// Whether `model` is `line` with a date behind it.
fn is_edition(model: &str, line: &str) -> bool {
    let behind = model.strip_prefix(line).and_then(|rest| rest.strip_prefix(['-', '@']));
    behind.is_some_and(|date| date.len() >= 4 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-'))
}

/// What an attempt cost, of which `reserved` was set aside: what was counted at `price`. One that had begun and ends
/// without a count may have cost all that was reserved, and so may one that was given up while the server worked.
#[must_use]
pub fn cost(done: Result<Usage, &Failure>, begun: bool, price: Price, reserved: u64) -> u64 {
    match done {
        Ok(usage) if usage == Usage::default() => reserved,
        Ok(usage) => price.of(usage),
        Err(_) if begun => reserved,
        Err(Failure::Timeout { stage: Stage::Connect }) => 0,
        Err(
            Failure::Timeout { .. }
            | Failure::Cancelled
            | Failure::Outrun
            | Failure::ToolNotCalled
            | Failure::TooLarge { .. }
            // It was asked before the owner said that all stays here.
            | Failure::Privacy { .. },
        ) => reserved,
        Err(_) => 0,
    }
}

/// `2.50` as millionths.
fn micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(part)
}

/// What may be spent, in millionths of a dollar; `None` for no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// In one day.
    pub day: Option<u64>,
    /// For one task.
    pub task: Option<u64>,
    /// On one provider in one day.
    pub provider: Option<u64>,
}

impl Caps {
    /// Whether anything is bounded.
    #[must_use]
    pub fn any(self) -> bool {
        [self.day, self.task, self.provider].iter().any(Option::is_some)
    }
}

/// What is about to leave this machine, and what it may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    /// To which provider.
    pub provider: String,
    /// For which of its models; empty when it chooses.
    pub model: String,
    /// To which host.
    pub host: String,
    /// What for, as a word of the house.
    pub why: &'static str,
    /// For which task; empty for none.
    pub task: String,
    /// How many bytes of text and pictures.
    pub bytes: u64,
    /// The most it may cost, in millionths of a dollar; 0 when it is free.
    pub reserved_micros: u64,
    /// What may be spent at most, with everything that was spent before.
    pub caps: Caps,
}

/// What an attempt may cost: what was reserved for it, and the books that may have more.
pub struct Purse<'a> {
    /// The books.
    pub books: &'a dyn Books,
    /// Its line there.
    pub line: i64,
    /// What its model costs.
    pub price: Price,
    /// Tokens of the question, as they were reserved.
    pub prompt_tokens: u64,
    /// What may be spent at most.
    pub caps: Caps,
}

impl Purse<'_> {
    /// Whether the beginning of an answer of so many bytes costs more than `reserved`, and by how much; a little more
    /// than that, so that the books are not asked for each word.
    fn lacks(&self, answer_bytes: usize, reserved: u64) -> Option<u64> {
        let completion_tokens = (answer_bytes / BYTES_OF_A_TOKEN) as u64;
        let spent = self.price.of(Usage { prompt_tokens: self.prompt_tokens, completion_tokens });
        let lacks = spent.checked_sub(reserved).filter(|lacks| *lacks > 0)?;
        Some(lacks.max(self.price.of(Usage { prompt_tokens: 0, completion_tokens: MORE_TOKENS })))
    }

    /// Goes on paying for an answer of which so many bytes have come; gives what is reserved from now on.
    ///
    /// # Errors
    /// [`Failure::SpentUp`] when no budget has more.
    pub async fn pay_on(&self, answer_bytes: usize, reserved: u64) -> Result<u64, Failure> {
        let Some(more) = self.lacks(answer_bytes, reserved) else { return Ok(reserved) };
        let extended = self.books.extend(self.line, more, self.caps).await;
        extended.map(|()| reserved.saturating_add(more)).map_err(|what| Failure::SpentUp { what })
    }
}

/// The books of what leaves and what it costs. A place there is taken before anything is sent.
pub trait Books: Send + Sync {
    /// Writes down that this leaves, and reserves its cost, durably when it has one. Answers the number of the line.
    ///
    /// # Errors
    /// Why it must not leave, as a clause: a budget is used up, or the books cannot be written.
    fn enter<'a>(&'a self, leaving: &'a Leaving) -> BoxFuture<'a, Result<i64, String>>;

    /// Reserves more for a line that is still open, durably. Books that cannot do that give nothing more.
    ///
    /// # Errors
    /// Why there is no more, as a clause.
    fn extend<'a>(&'a self, line: i64, more_micros: u64, caps: Caps) -> BoxFuture<'a, Result<(), String>> {
        let _ = (line, more_micros, caps);
        Box::pin(async { Err("no more was set aside for it".to_owned()) })
    }

    /// Writes down that so many bytes more leave with a line that is still open. Books that cannot do that let nothing
    /// more leave.
    ///
    /// # Errors
    /// Why they must not leave, as a clause.
    fn carry(&self, line: i64, more_bytes: u64) -> BoxFuture<'_, Result<(), String>> {
        let _ = (line, more_bytes);
        Box::pin(async { Err("it cannot be written down".to_owned()) })
    }

    /// It is over: what it cost in truth, in millionths of a dollar, and whether an answer came.
    fn settle(&self, line: i64, cost_micros: u64, answered: bool);
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: models: an answer costs what was asked for, under whatever name it comes
    #[test]
    fn an_answer_under_another_name_is_not_free() {
        let prices = Prices::parse(&["far/m-latest 1 2", "far/n 3 4"].map(str::to_owned)).expect("prices");
        let asked = |model: &str| prices.of("far", model);
        assert_eq!(prices.of_answer("far", "m-latest", "m-20260801"), asked("m-latest"));
        assert_eq!(
            prices.of_answer("far", "m-latest", "n-2026-08-01"),
            asked("n"),
            "it says that another one answered"
        );
        assert_eq!(prices.of_answer("far", "", "unheard-of"), asked("n"), "the dearest while nothing is known");
    }

    #[test]
    fn what_had_begun_costs_what_was_reserved() {
        let price = Price { prompt: 1_000_000, completion: 1_000_000 };
        let broke = Failure::Malformed { what: "the answer broke off".to_owned() };
        let refused = Failure::Unreachable { what: "nobody listens".to_owned() };
        let stays = Failure::Privacy { what: "from now on everything stays here".to_owned() };
        let usage = |prompt_tokens| Usage { prompt_tokens, completion_tokens: 0 };
        let rows = [
            (Ok(usage(3)), true, 3),
            (Ok(usage(0)), true, 70),
            (Err(&broke), true, 70),
            (Err(&broke), false, 0),
            (Err(&refused), false, 0),
            (Err(&stays), false, 70),
            (Err(&Failure::Cancelled), false, 70),
            (Err(&Failure::Timeout { stage: Stage::Connect }), false, 0),
            (Err(&Failure::Timeout { stage: Stage::FirstToken }), false, 70),
        ];
        for (done, begun, costs) in rows {
            assert_eq!(cost(done, begun, price, 70), costs, "{done:?} {begun}");
        }
    }

    // shows: models: prices are data, and what has no price is free
    #[test]
    fn prices_are_read_and_counted_exactly() {
        let lines = ["openai/gpt-4o-mini 0.15 0.60", "openai/* 2.5 10", "grok/grok-4 3 15"].map(str::to_owned);
        let prices = Prices::parse(&lines).expect("prices");
        let usage = Usage { prompt_tokens: 1_000, completion_tokens: 101 };
        assert_eq!(prices.of("openai", "gpt-4o-mini").of(usage), 211, "150 and 60.6, rounded up");
        assert_eq!(prices.of("openai", "other"), Price { prompt: 2_500_000, completion: 10_000_000 });
        assert_eq!(prices.of("grok", ""), prices.of("grok", "grok-4"), "the dearest while the model is unknown");
        assert!(prices.of("grok", "other").is_free() && prices.of("ollama", "m").is_free());
        assert_eq!(prices.of("grok", "grok-4-0709"), prices.of("grok", "grok-4"), "an edition of it");
        assert!(prices.of("grok", "grok-4-fast").is_free() && prices.of("grok", "grok-4-32k").is_free());
        for wrong in
            ["gpt 1 2", "a/b 1", "a/b 1 2 3", "a/b -1 2", "a/b 1,5 2", "a/b 1.2345678 2", "a/b 99999999999999999999 1"]
        {
            assert!(Prices::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
