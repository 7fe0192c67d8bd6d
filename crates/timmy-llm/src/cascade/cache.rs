//! Answers that can be given again: the same question, no tools, no chance in the choice of words.
//!
//! The key holds every label, so an answer to what must stay here is found only by the same question with the same
//! labels. A hit is read from memory; nothing is sent anywhere.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::Answer;
use crate::request::{AnswerFormat, ChatRequest};

/// Bytes of all answers and questions that are kept.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// A question, whole: two hashes cannot be mistaken for each other, since the words are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key(String);

/// Answers by their questions, the oldest go first.
#[derive(Debug)]
pub struct Cache {
    entries_max: usize,
    age_ms_max: u64,
    bytes: usize,
    order: VecDeque<u64>,
    kept: HashMap<u64, Kept>,
}

#[derive(Debug)]
struct Kept {
    key: Key,
    answer: Answer,
    at: u64,
    bytes: usize,
}

/// Whether the same question may be answered the same way.
#[must_use]
pub fn fits(request: &ChatRequest) -> bool {
    request.temperature == Some(0.0) && request.tools.is_empty() && !request.has_images()
}

impl Key {
    fn of(request: &ChatRequest) -> Self {
        use std::fmt::Write;
        let mut key = format!("{:?}|{}|{:?}|", request.class, request.max_tokens, request.model);
        let sampling = &request.sampling;
        // Writing into a string cannot fail.
        let _ = write!(key, "{:?}|{:?}|{:?}|", sampling.seed, sampling.top_p, sampling.stop);
        if sampling.format != AnswerFormat::Text {
            let _ = write!(key, "{:?}|", sampling.format);
        }
        for message in &request.messages {
            let _ = write!(key, "{:?}{:?}{:?}", message.role, message.tool_call_id, message.tool_calls);
            for part in &message.parts {
                let _ = write!(key, "{:?}{}{}:{}", part.sensitivity, part.droppable, part.text.len(), part.text);
            }
        }
        Self(key)
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        Hash::hash(&self.0, &mut hasher);
        hasher.finish()
    }
}

impl Cache {
    /// Keeps `entries_max` answers for `age_ms_max` milliseconds; none when either is 0.
    #[must_use]
    pub fn new(entries_max: usize, age_ms_max: u64) -> Self {
        Self { entries_max, age_ms_max, bytes: 0, order: VecDeque::new(), kept: HashMap::new() }
    }

    /// The answer to the same question, if it is young enough.
    pub fn get(&mut self, request: &ChatRequest, now: u64) -> Option<Answer> {
        if self.kept.is_empty() || !fits(request) {
            return None;
        }
        let key = Key::of(request);
        let found = self.kept.get(&key.hash()).filter(|kept| kept.key == key)?;
        (now.saturating_sub(found.at) <= self.age_ms_max).then(|| found.answer.clone())
    }

    /// Keeps `answer`. One that ended early, or was begun twice, is not kept.
    pub fn put(&mut self, request: &ChatRequest, answer: &Answer, now: u64) {
        let whole = answer.finish == crate::Finish::Stop && !answer.restarted && !answer.content.is_empty();
        if self.entries_max == 0 || self.age_ms_max == 0 || !whole || !fits(request) {
            return;
        }
        let key = Key::of(request);
        let bytes = key.0.len() + answer.content.len();
        if bytes > BYTES_MAX / 8 {
            return;
        }
        let hash = key.hash();
        self.drop_one(hash);
        self.bytes += bytes;
        self.order.push_back(hash);
        self.kept.insert(hash, Kept { key, answer: answer.clone(), at: now, bytes });
        while self.order.len() > self.entries_max || self.bytes > BYTES_MAX {
            let Some(oldest) = self.order.front().copied() else { break };
            self.drop_one(oldest);
        }
    }

    fn drop_one(&mut self, hash: u64) {
        if let Some(kept) = self.kept.remove(&hash) {
            self.bytes -= kept.bytes;
            self.order.retain(|h| *h != hash);
        }
    }
}
