//! What a request needs and what a model can, and which of a provider's models is asked for what.

use crate::provider::Capabilities;
use crate::request::{AnswerFormat, ChatRequest, TaskClass};
use timmy_domain::text::tokens_estimate;

/// Lines of models by class that may be set.
pub const LINES_MAX: usize = 100;
/// Models of one provider that are asked within one call.
const MODELS_OF_ONE_MAX: usize = 4;
/// Tokens a picture counts for.
const IMAGE_TOKENS: u64 = 800;
/// Parts of names of models that see pictures.
const SEEING: &[&str] = &[
    "llava",
    "moondream",
    "-vl",
    "vl:",
    "vision",
    "gemma3",
    "gpt-4o",
    "gpt-4.1",
    "gpt-5",
    "claude",
    "pixtral",
    "minicpm-v",
];
/// Parts of names of models that call no tools.
const TOOLLESS: &[&str] = &["deepseek-r1", "gemma:2b", "tinyllama", "llava", "moondream", "phi-2", "phi3"];

/// What a request needs of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Calling tools.
    pub tools: bool,
    /// Seeing pictures.
    pub vision: bool,
    /// Keeping to a form.
    pub json: bool,
    /// Tokens it reads, estimated.
    pub prompt_tokens: u64,
    /// Tokens it may write.
    pub max_tokens: u64,
}

impl Needs {
    /// The needs of `request`.
    #[must_use]
    pub fn of(request: &ChatRequest) -> Self {
        let texts = request.messages.iter().flat_map(|m| &m.parts).map(|p| tokens_estimate(&p.text) as u64);
        let images = request.messages.iter().map(|m| m.images.len() as u64).sum::<u64>();
        let calls = request.messages.iter().flat_map(|m| &m.tool_calls);
        let calls = calls.map(|c| (tokens_estimate(&c.name) + tokens_estimate(&c.arguments)) as u64).sum::<u64>();
        let tools = request.tools.iter().map(|t| {
            let parameters = tokens_estimate(&t.parameters.to_string());
            (tokens_estimate(&t.name) + tokens_estimate(&t.description) + parameters) as u64
        });
        let words = texts.sum::<u64>().saturating_add(calls).saturating_add(tools.sum());
        Self {
            tools: !request.tools.is_empty() && request.sampling.tool_choice != crate::request::ToolChoice::Never,
            vision: request.has_images(),
            json: request.sampling.format != AnswerFormat::Text,
            prompt_tokens: words.saturating_add(images.saturating_mul(IMAGE_TOKENS)),
            max_tokens: u64::from(request.max_tokens),
        }
    }

    /// What a model with these abilities lacks, in words; nothing when it can.
    #[must_use]
    pub fn lacking(self, can: Capabilities) -> Option<&'static str> {
        let reads = can.context_tokens == 0 || self.prompt_tokens <= can.context_tokens;
        match () {
            () if self.vision && !can.vision => Some("its model does not see pictures"),
            () if self.tools && !can.tools => Some("its model calls no tools"),
            () if self.json && !can.json => Some("its model keeps to no form"),
            () if !reads => Some("the request is longer than its model can read"),
            () => None,
        }
    }
}

/// What the model of that name can: what its family is known for, else what its provider says.
#[must_use]
pub fn of_model(name: &str, provider: Capabilities) -> Capabilities {
    let name = name.to_ascii_lowercase();
    let any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    Capabilities {
        tools: provider.tools && !any(TOOLLESS),
        vision: provider.vision || any(SEEING),
        json: provider.json,
        context_tokens: provider.context_tokens,
    }
}

/// Which models are asked for which class of work, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book(Vec<(TaskClass, String, String)>);

impl Book {
    /// Reads lines such as `vision: ollama/llava:7b ollama/moondream`.
    ///
    /// # Errors
    /// A sentence that names the line that is none.
    pub fn parse(lines: &[String]) -> Result<Self, String> {
        if lines.len() > LINES_MAX {
            return Err(format!("there are more than {LINES_MAX} lines of models"));
        }
        let mut rows = Vec::new();
        for line in lines {
            let wrong =
                || format!("{line:?} names no models; write them as \"vision: ollama/llava:7b ollama/moondream\"");
            let (class, models) = line.split_once(':').ok_or_else(wrong)?;
            let class = TaskClass::parse(class.trim()).ok_or_else(|| {
                let known: Vec<&str> = TaskClass::ALL.iter().map(|c| c.name()).collect();
                format!("{:?} is no class of work; there are {}", class.trim(), known.join(", "))
            })?;
            for model in models.split_whitespace() {
                let (provider, model) = model.split_once('/').ok_or_else(wrong)?;
                rows.push((class, provider.to_owned(), model.to_owned()));
            }
        }
        Ok(Self(rows))
    }

    /// The models of `provider` for any class.
    pub fn all_of<'a>(&'a self, provider: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(_, p, _)| p == provider).map(|(.., model)| model.as_str())
    }

    /// The models of `provider` for `class`, in order.
    pub fn of<'a>(&'a self, class: TaskClass, provider: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(c, p, _)| *c == class && p == provider).map(|(.., model)| model.as_str())
    }
}

/// What is known of a provider's models.
#[derive(Clone, Copy, Debug)]
pub struct Shelf<'a> {
    /// Its name.
    pub provider: &'a str,
    /// The models it listed; empty while it was not asked.
    pub offered: &'a [String],
    /// The one it uses by itself; empty while unknown.
    pub own: &'a str,
    /// What its models can unless their family is known for something else.
    pub can: Capabilities,
    /// Whether it runs on this machine, and checks a name itself before it uses it.
    pub local: bool,
}

/// The models `shelf` is asked for, one after the other: names, or `None` for its own.
///
/// A wished model goes only to a provider that has it: `PROVIDER/MODEL` to that one, a bare name to those that list
/// it. Everybody else is asked for the models of the class, or for its own.
///
/// # Errors
/// What every one of its models lacks.
pub fn resolve(
    shelf: Shelf<'_>,
    wished: Option<&str>,
    class: TaskClass,
    needs: Needs,
    book: &Book,
) -> Result<Vec<Option<String>>, &'static str> {
    let listed = |name: &str| shelf.offered.iter().any(|o| o == name);
    let unlisted = shelf.offered.is_empty();
    let for_it = wished.and_then(|w| w.strip_prefix(shelf.provider)?.strip_prefix('/'));
    let bare = wished.filter(|w| listed(w) || (unlisted && shelf.local && !w.contains('/')));
    let booked = book.of(class, shelf.provider).filter(|m| unlisted || listed(m));
    let able = |name: &&str| needs.lacking(of_model(name, shelf.can)).is_none();
    let mut models: Vec<Option<String>> = Vec::new();
    for name in for_it.or(bare).into_iter().chain(booked).filter(able).take(MODELS_OF_ONE_MAX) {
        if !models.iter().flatten().any(|m| m == name) {
            models.push(Some(name.to_owned()));
        }
    }
    if !models.is_empty() {
        return Ok(models);
    }
    let Some(lack) = needs.lacking(of_model(shelf.own, shelf.can)) else { return Ok(vec![None]) };
    // Its own model cannot; another of its models may.
    let other = shelf.offered.iter().find(|name| able(&name.as_str()));
    other.map(|name| vec![Some(name.clone())]).ok_or(lack)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Needs = Needs { tools: false, vision: false, json: false, prompt_tokens: 10, max_tokens: 10 };

    fn shelf<'a>(provider: &'a str, offered: &'a [String], own: &'a str, local: bool) -> Shelf<'a> {
        Shelf { provider, offered, own, can: Capabilities::default(), local }
    }

    // shows: models: a model's name reaches only the provider that has that model
    #[test]
    fn r4_a_tag_of_one_provider_never_reaches_another() {
        let has = ["llama3.1:8b".to_owned(), "llava:7b".to_owned()];
        let remote = ["gpt-4o-mini".to_owned()];
        let book = Book::default();
        let at = |shelf, wished| resolve(shelf, wished, TaskClass::Chat, PLAIN, &book);
        let ollama = shelf("ollama", &has, "llama3.1:8b", true);
        let openai = shelf("openai", &remote, "gpt-4o-mini", false);
        let unseen = shelf("openai", &[], "", false);
        let named = |name: &str| Ok(vec![Some(name.to_owned())]);
        let own = Ok(vec![None]);
        assert_eq!(at(ollama, Some("llava:7b")), named("llava:7b"));
        assert_eq!(at(openai, Some("llama3.1:8b")), own);
        assert_eq!(at(unseen, Some("llama3.1:8b")), own, "also while nothing is known of it");
        assert_eq!(at(openai, Some("ollama/llama3.1:8b")), own);
        assert_eq!(at(unseen, Some("openai/gpt-4o")), named("gpt-4o"), "the owner says it has it");
        assert_eq!(at(ollama, None), own, "auto");
    }

    // shows: models: models are chosen by class of work and by what they can, along a chain
    #[test]
    fn what_a_model_cannot_is_asked_of_the_next_of_its_provider() {
        let has = ["llama3.1:8b", "deepseek-r1:1.5b", "moondream:latest", "llava:7b"].map(str::to_owned);
        let lines =
            ["vision: ollama/qwen2.5-vl:3b ollama/llava:7b", "code: ollama/deepseek-r1:1.5b"].map(str::to_owned);
        let book = Book::parse(&lines).expect("a book");
        let ollama = shelf("ollama", &has, "llama3.1:8b", true);
        let at = |class, needs| resolve(ollama, None, class, needs, &book);
        let named = |name: &str| Ok(vec![Some(name.to_owned())]);
        let (seeing, tools) = (Needs { vision: true, ..PLAIN }, Needs { tools: true, ..PLAIN });
        assert_eq!(at(TaskClass::Vision, seeing), named("llava:7b"), "the first of the chain that is there");
        assert_eq!(at(TaskClass::Chat, seeing), named("moondream:latest"), "any that can, without a chain");
        assert_eq!(at(TaskClass::Code, PLAIN), named("deepseek-r1:1.5b"));
        assert_eq!(at(TaskClass::Code, tools), Ok(vec![None]), "its own model calls tools");
        let blind = shelf("openai", &[], "plain", false);
        assert_eq!(resolve(blind, None, TaskClass::Chat, seeing, &book), Err("its model does not see pictures"));
        let small = Shelf { can: Capabilities { context_tokens: 100, ..Capabilities::default() }, ..blind };
        let long = Needs { prompt_tokens: 101, ..PLAIN };
        assert!(resolve(small, None, TaskClass::Chat, long, &book).is_err());
        for wrong in ["vision", "sight: ollama/m", "chat: m"] {
            assert!(Book::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
