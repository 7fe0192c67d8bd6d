//! From a question to an answer: reads the prompt in pieces, then chooses token after token until something ends it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use timmy_llm::reasoning::Reasoning;

use crate::ask::{Ask, CallMade, Choice, Form};
use crate::calls::{CALL_OPEN, LIST_OPEN, Listener, TAG_OPEN};
use crate::constrain::{Constraint, Constraints};
use crate::error::EngineError;
use crate::model::Model;
use crate::sample::Sampler;
use crate::stop::Speech;
use crate::template::{CHATML_END, Guard, Template};

/// What is said of a file whose weights overflow or are none.
const NO_NUMBERS: &str = "the weights of this model make no numbers";
/// Tokens of a prompt that are read before it is looked whether anybody still wants the answer.
pub const CHUNK_TOKENS: usize = 64;
/// Tokens of a text that is turned into a vector; what is beyond is left out.
pub const EMBED_TOKENS_MAX: usize = 8_192;
/// What opens reasoning. A prompt that ends with it has opened it already.
const THINK_OPEN: &str = "<think>";

/// Something that happens while an answer is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many tokens of the prompt are read, of so many.
    Read(usize, usize),
    /// The first token is there.
    Begun,
    /// More of the text.
    Text(String),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// The model was done, or a stop was met.
    Stop,
    /// It had as many tokens as it may have, or the context was full.
    Length,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The text, without reasoning and calls.
    pub content: String,
    /// Tools the model wants to be called.
    pub calls: Vec<CallMade>,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// How many of them were known from the question before.
    pub reused_tokens: u64,
    /// Tokens of the answer.
    pub answer_tokens: u64,
    /// From the question to the first token, in milliseconds.
    pub first_token_ms: u64,
    /// From the question to the end, in milliseconds.
    pub total_ms: u64,
    /// Why it ended.
    pub ended: Ended,
}

/// A model that is loaded, ready for questions, one after the other.
pub struct Session {
    model: Box<dyn Model>,
    template: Template,
    guard: Guard,
    constraints: Option<Constraints>,
    /// The tokens the model has in mind.
    seen: Vec<u32>,
}

/// What follows one answer through its tokens.
struct Run {
    sampler: Sampler,
    speech: Speech,
    reasoning: Reasoning,
    listener: Listener,
    constraint: Option<Constraint>,
    /// Whether the constraint holds only the call that is being written.
    within_call: bool,
    content: String,
    answer: Vec<u32>,
}

impl Session {
    /// Makes a session of a loaded model.
    ///
    /// # Errors
    /// When its chat template cannot be used.
    pub fn new(model: Box<dyn Model>) -> Result<Self, EngineError> {
        let facts = model.facts();
        let written = |token: Option<u32>| {
            let bytes = token.and_then(|t| model.vocabulary().token_bytes(t)).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let (bos, eos) = (written(facts.bos), written(facts.end.first().copied()));
        let template = Template::new(facts.chat_template.as_deref(), &bos, &eos)?;
        let tokens = u32::try_from(model.vocabulary().len()).unwrap_or(u32::MAX);
        let controls = (0..tokens).filter(|token| model.vocabulary().is_control(*token));
        let guard = Guard::new(controls.map(|token| written(Some(token))).collect());
        Ok(Self { model, template, guard, constraints: None, seen: Vec::new() })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> &dyn Model {
        self.model.as_ref()
    }

    /// Whether ChatML stands in for a template that the file does not have.
    #[must_use]
    pub fn has_fallback_template(&self) -> bool {
        self.template.is_fallback
    }

    /// Answers `ask`. `cancel` is looked at before each token and each piece of the prompt.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`], [`EngineError::OutOfContext`] for a prompt that is too long,
    /// [`EngineError::BadRequest`] for a form that cannot be held, and what the model refuses.
    pub fn answer(&mut self, ask: &Ask, cancel: &AtomicBool, on: &mut dyn FnMut(Step)) -> Result<Answer, EngineError> {
        let began = Instant::now();
        let text = self.template.render(&self.guard.part(ask))?;
        let prompt = self.tokens(&text)?;
        let context = self.model.facts().context_tokens;
        if prompt.len() >= context {
            return Err(EngineError::OutOfContext { tokens: prompt.len() + 1, context_tokens: context });
        }
        let mut run = self.begin(ask, &text)?;
        let reused = self.reuse(&prompt);
        let mut logits = self.read(&prompt, reused, cancel, on)?;
        let room = (ask.tokens_max as usize).min(context - prompt.len());
        let mut first = Duration::ZERO;
        let mut ended = Ended::Length;
        while run.answer.len() < room {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            let Some(token) = self.next(&mut run, &mut logits)? else {
                ended = Ended::Stop;
                break;
            };
            if run.answer.is_empty() {
                first = began.elapsed();
                on(Step::Begun);
            }
            run.answer.push(token);
            if self.model.facts().end.contains(&token) || self.say(&mut run, ask, token, on)? {
                ended = Ended::Stop;
                break;
            }
            if run.answer.len() < room {
                logits = self.model.forward(&[token], self.seen.len())?;
                self.seen.push(token);
            }
        }
        let answer_tokens = run.answer.len() as u64;
        let (content, calls) = run.end(on);
        Ok(Answer {
            content,
            calls,
            prompt_tokens: prompt.len() as u64,
            reused_tokens: reused as u64,
            answer_tokens,
            first_token_ms: millis(first),
            total_ms: millis(began.elapsed()),
            ended,
        })
    }

    /// A vector of length one for `text`, and the tokens it has. What is over [`EMBED_TOKENS_MAX`] or the context is
    /// left out.
    ///
    /// # Errors
    /// What the model refuses.
    pub fn embed(&mut self, text: &str) -> Result<(Vec<f32>, u64), EngineError> {
        // Reading for a vector takes the place of the conversation.
        self.seen.clear();
        let mut tokens = self.tokens(&self.guard_text(text))?;
        tokens.truncate(EMBED_TOKENS_MAX.min(self.model.facts().context_tokens));
        if tokens.is_empty() {
            tokens.extend(self.model.facts().bos.or(self.model.facts().end.first().copied()));
        }
        let vector = self.model.embed(&tokens)?;
        self.model.truncate(0);
        if vector.iter().any(|number| !number.is_finite()) {
            return Err(EngineError::Compute(NO_NUMBERS.to_owned()));
        }
        Ok((vector, tokens.len() as u64))
    }

    fn guard_text(&self, text: &str) -> String {
        self.guard.text(text)
    }

    /// The tokens of a written text, with the one that texts of this model begin with.
    fn tokens(&self, text: &str) -> Result<Vec<u32>, EngineError> {
        let mut tokens = Vec::new();
        for piece in Guard::pieces(text) {
            tokens.extend(self.model.vocabulary().encode(piece, true)?);
        }
        let facts = self.model.facts();
        if let Some(bos) = facts.bos.filter(|bos| facts.add_bos && tokens.first() != Some(bos)) {
            tokens.insert(0, bos);
        }
        Ok(tokens)
    }

    /// What of the prompt the model has in mind already; the last token is read anew in any case.
    fn reuse(&mut self, prompt: &[u32]) -> usize {
        let same = self.seen.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        let reused = same.min(prompt.len().saturating_sub(1)).min(self.model.length());
        self.seen.truncate(reused);
        self.model.truncate(reused);
        reused
    }

    /// Reads the rest of the prompt in pieces.
    fn read(
        &mut self,
        prompt: &[u32],
        reused: usize,
        cancel: &AtomicBool,
        on: &mut dyn FnMut(Step),
    ) -> Result<Vec<f32>, EngineError> {
        let mut logits = Vec::new();
        for piece in prompt[reused..].chunks(CHUNK_TOKENS) {
            if cancel.load(Ordering::Relaxed) {
                return Err(EngineError::Cancelled);
            }
            logits = self.model.forward(piece, self.seen.len())?;
            self.seen.extend_from_slice(piece);
            on(Step::Read(self.seen.len(), prompt.len()));
        }
        Ok(logits)
    }

    fn begin(&mut self, ask: &Ask, prompt: &str) -> Result<Run, EngineError> {
        let offered = ask.tools_offered();
        let constraint = match (&ask.choice, &ask.form) {
            (Choice::Required | Choice::Named(_), _) => Some(self.constraints()?.whole_call(offered, &ask.choice)?),
            (_, Form::Json) => Some(self.constraints()?.json()?),
            (_, Form::Schema(schema)) => Some(self.constraints()?.schema(schema)?),
            (_, Form::Text) => None,
        };
        let mut reasoning = Reasoning::default();
        if constraint.is_none() && prompt.trim_end().ends_with(THINK_OPEN) {
            reasoning.pass(THINK_OPEN);
        }
        let mut stops = ask.stop.clone();
        if self.template.is_fallback {
            stops.push(CHATML_END.to_owned());
        }
        Ok(Run {
            sampler: Sampler::new(ask.sampling),
            speech: Speech::new(&stops),
            reasoning,
            listener: Listener::new(offered.iter().map(|tool| tool.name.as_str())),
            constraint,
            within_call: false,
            content: String::new(),
            answer: Vec::new(),
        })
    }

    fn constraints(&mut self) -> Result<&Constraints, EngineError> {
        let made = match self.constraints.take() {
            Some(made) => made,
            None => Constraints::new(self.model.as_ref())?,
        };
        Ok(self.constraints.insert(made))
    }

    /// The next token; `None` when the form is whole.
    fn next(&self, run: &mut Run, logits: &mut [f32]) -> Result<Option<u32>, EngineError> {
        if !logits.iter().any(|logit| logit.is_finite()) {
            return Err(EngineError::Compute(NO_NUMBERS.to_owned()));
        }
        let Some(constraint) = &mut run.constraint else {
            let known = self.model.vocabulary().len().min(logits.len());
            let chosen = run.sampler.choose(&mut logits[..known], &run.answer);
            return chosen.map(Some).ok_or_else(|| EngineError::Compute("no token can follow".to_owned()));
        };
        if constraint.is_done() {
            if !run.within_call {
                return Ok(None);
            }
            run.constraint = None;
            return self.next(run, logits);
        }
        constraint.mask(logits)?;
        let Some(token) = run.sampler.choose(logits, &run.answer) else { return Ok(None) };
        constraint.take(token)?;
        Ok(Some(token))
    }

    /// Passes on what the token says. Gives whether a stop was met.
    fn say(&mut self, run: &mut Run, ask: &Ask, token: u32, on: &mut dyn FnMut(Step)) -> Result<bool, EngineError> {
        let vocabulary = self.model.vocabulary();
        let mut bytes = vocabulary.decode_piece(token);
        if vocabulary.is_control(token) {
            // Some models write calls between control tokens.
            let written = vocabulary.token_bytes(token).unwrap_or_default();
            let marks = [CALL_OPEN, crate::calls::CALL_CLOSE, LIST_OPEN, "[ARGS]", TAG_OPEN, THINK_OPEN, "</think>"];
            bytes = if marks.iter().any(|mark| mark.as_bytes() == written) { written } else { bytes };
        }
        let text = run.speech.push(bytes);
        let was_in_call = run.listener.in_call().is_some();
        run.pass(&text, on);
        if run.speech.stopped() {
            return Ok(true);
        }
        let call = run.listener.in_call().map(str::to_owned);
        if let (Some(written), false, None) = (call, was_in_call, &run.constraint) {
            run.constraint = self.held_call(ask, &written)?;
            run.within_call = run.constraint.is_some();
        }
        Ok(false)
    }

    /// From here on the call is held to the tools, so that it always can be read.
    fn held_call(&mut self, ask: &Ask, written: &str) -> Result<Option<Constraint>, EngineError> {
        let known = self.model.vocabulary().encode(written.trim_start(), false)?;
        let Ok(mut constraint) = self.constraints()?.call(ask.tools_offered(), &Choice::Auto) else { return Ok(None) };
        for token in known {
            if constraint.take(token).is_err() {
                // What came with the mark fits no tool; the model goes on as it likes.
                return Ok(None);
            }
        }
        Ok(Some(constraint))
    }
}

impl Run {
    fn pass(&mut self, text: &str, on: &mut dyn FnMut(Step)) {
        let text = self.reasoning.pass(text);
        let words = self.listener.pass(&text);
        self.emit(words, on);
    }

    fn emit(&mut self, words: String, on: &mut dyn FnMut(Step)) {
        if !words.is_empty() {
            self.content.push_str(&words);
            on(Step::Text(words));
        }
    }

    /// What was held back, and the calls.
    fn end(mut self, on: &mut dyn FnMut(Step)) -> (String, Vec<CallMade>) {
        let rest = self.speech.end();
        self.pass(&rest, on);
        let held = self.reasoning.end();
        let words = self.listener.pass(&held);
        self.emit(words, on);
        let (words, calls) = std::mem::take(&mut self.listener).end();
        self.emit(words, on);
        (self.content, calls)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
