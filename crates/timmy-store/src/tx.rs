//! What work on the writer thread holds: the open transaction, the end of the chain, the time.

use std::borrow::Cow;
use std::ops::Deref;

use rusqlite::Connection;
use timmy_domain::event::EVENT_DATA_BYTES_MAX;
use timmy_domain::{ApprovalId, MessageId, NewEvent, RuleId, Seq, TaskId, ThoughtId, Timestamp};
use uuid::Uuid;

use crate::chain::Head;
use crate::log::Inserter;
use crate::signing::Signer;
use crate::{Clock, Random, Reader, StoreError};

/// Bytes of randomness drawn at once, so that an event does not cost a call of its own.
const ENTROPY_BYTES: usize = 4_096;

/// Bytes of randomness in one id (UUID version 7, RFC 9562 §5.7).
const ID_RANDOM_BYTES: usize = 10;

/// An event as its row has it: made by the caller, so that the writer need not.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub name: Cow<'static, str>,
    pub source: &'static str,
    pub actor: &'static str,
    pub cause: Option<Seq>,
    pub task_id: Option<String>,
    pub agent_id: Option<String>,
    pub severity: i64,
    pub data: String,
}

impl Prepared {
    /// Encodes the body and checks its bound.
    pub(crate) fn new(new: NewEvent) -> Result<Self, StoreError> {
        let NewEvent { event, source, actor, cause, task_id, agent_id } = new;
        let (data, severity) = (event.data_json(), event.severity() as i64);
        if data.len() > EVENT_DATA_BYTES_MAX {
            return Err(StoreError::EventTooLarge { name: event.name().to_owned(), bytes: data.len() });
        }
        Ok(Self { name: event.into_name(), source, actor: actor.name(), cause, task_id, agent_id, severity, data })
    }
}

/// The writer's hold on the data while one piece of work runs. Reads work here too, and see what
/// the work has written so far.
pub struct Tx<'conn> {
    reader: Reader<'conn>,
    insert: Inserter<'conn>,
    clock: Clock,
    signer: Option<Signer>,
    entropy: Entropy,
    head: Head,
    now: Timestamp,
}

impl<'conn> Tx<'conn> {
    /// A hold on `conn`. The head is set at the beginning of every batch.
    pub(crate) fn new(
        conn: &'conn Connection,
        clock: Clock,
        random: Random,
        signer: Option<Signer>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            reader: Reader::new(conn),
            insert: Inserter::new(conn)?,
            clock,
            signer,
            entropy: Entropy::new(random),
            head: Head { seq: 0, hash: [0; 32], at: Timestamp::EPOCH },
            now: Timestamp::EPOCH,
        })
    }

    /// What signs the end of the log; `None` only where nothing is signed.
    pub(crate) fn signer(&self) -> Option<&Signer> {
        self.signer.as_ref()
    }

    /// The end of the log as this work sees it.
    pub(crate) fn head(&self) -> Head {
        self.head
    }

    /// Sets the end of the log: at the beginning of a batch, or back after work that failed.
    pub(crate) fn set_head(&mut self, head: Head) {
        self.head = head;
    }

    /// Reads the clock for the next piece of work.
    pub(crate) fn next_command(&mut self) {
        self.now = (self.clock)().max(self.head.at);
    }

    /// The time of this work: the clock's, yet never earlier than the last event.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Appends one event to the log and answers its position.
    ///
    /// # Errors
    /// [`StoreError::EventTooLarge`] for a body over the bound; else what the disk said.
    pub fn append(&mut self, event: NewEvent) -> Result<Seq, StoreError> {
        self.append_prepared(&Prepared::new(event)?)
    }

    /// Appends one event whose body is already text.
    pub(crate) fn append_prepared(&mut self, event: &Prepared) -> Result<Seq, StoreError> {
        let random = self.entropy.draw();
        let id = uuid::Builder::from_unix_timestamp_millis(millis(self.now), &random).into_uuid();
        self.head = self.insert.insert(self.reader.conn(), &self.head, event, id, self.now)?;
        Ok(self.head.seq)
    }

    /// A fresh id for a thought, born now.
    pub fn new_thought_id(&mut self) -> ThoughtId {
        ThoughtId::new(millis(self.now), &self.entropy.draw())
    }

    /// A fresh id for a task, born now.
    pub fn new_task_id(&mut self) -> TaskId {
        TaskId::new(millis(self.now), &self.entropy.draw())
    }

    /// A fresh id for an approval, born now.
    pub fn new_approval_id(&mut self) -> ApprovalId {
        ApprovalId::new(millis(self.now), &self.entropy.draw())
    }

    /// A fresh id for a rule, born now.
    pub fn new_rule_id(&mut self) -> RuleId {
        RuleId::new(millis(self.now), &self.entropy.draw())
    }

    /// A fresh id for a message, born now.
    pub fn new_message_id(&mut self) -> MessageId {
        MessageId::new(millis(self.now), &self.entropy.draw())
    }
}

impl<'conn> Deref for Tx<'conn> {
    type Target = Reader<'conn>;

    fn deref(&self) -> &Self::Target {
        &self.reader
    }
}

/// The id of an event as people read it.
pub(crate) fn id_text(blob: &[u8]) -> String {
    Uuid::from_slice(blob).map(|id| id.to_string()).unwrap_or_default()
}

fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.micros().div_euclid(1_000)).unwrap_or(0)
}

/// Randomness, drawn in large pieces.
struct Entropy {
    random: Random,
    pool: Vec<u8>,
    used: usize,
}

impl Entropy {
    fn new(random: Random) -> Self {
        Self { random, pool: vec![0; ENTROPY_BYTES], used: ENTROPY_BYTES }
    }

    fn draw(&mut self) -> [u8; ID_RANDOM_BYTES] {
        if self.used + ID_RANDOM_BYTES > self.pool.len() {
            (self.random)(&mut self.pool);
            self.used = 0;
        }
        let mut out = [0; ID_RANDOM_BYTES];
        out.copy_from_slice(&self.pool[self.used..self.used + ID_RANDOM_BYTES]);
        self.used += ID_RANDOM_BYTES;
        out
    }
}
