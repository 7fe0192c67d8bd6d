//! Keeps one worker: starts it when somebody asks, lets questions come one after the other, ends it when nobody asks
//! for long, and starts it again, later each time, when it dies.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use timmy_llm::{Failure, Stage};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::{Instant, sleep_until};

use super::child::{CallWorker, Child};
use super::inside::{TEXTS_MAX, VECTOR_NUMBERS_MAX};
use super::state::{WorkerPhase, WorkerState};
use super::threads;
use super::words::{Held, Order, Refusal, Word};
use crate::ask::Ask;
use crate::generate::Answer;
use crate::runner::Runner;

/// Questions that may wait for their turn.
pub const QUEUE_MAX: usize = 16;
/// Pieces of an answer that may wait for whoever asked.
const TOLD_MAX: usize = 256;
/// How long a worker may take to give a question up, in milliseconds. Then it is killed.
const GIVE_UP_MS: u64 = 5_000;
/// How long a model may take to load, in seconds. Then the worker is killed.
const LOAD_SECONDS_MAX: u64 = 600;
/// How long the first pause after a death lasts, in milliseconds; each further one is twice as long.
const REST_MS: u64 = 500;
/// A pause that lasts longer than this is told instead of waited for, in milliseconds.
const REST_WAIT_MS_MAX: u64 = 2_000;
/// How long a pause lasts at most, in milliseconds.
const REST_MS_MAX: u64 = 60_000;

/// What whoever asked is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The model is being made ready, or the prompt is read.
    Alive,
    /// The first token is there.
    Begun,
    /// More of the text.
    Text(String),
    /// The answer is whole.
    Answered(Answer),
    /// The vectors are there, and how many tokens they cost.
    Embedded(Vec<Vec<f32>>, u64),
    /// What the worker holds.
    Holds(Held),
    /// There is none.
    Failed(Failure),
}

/// What is asked of the worker.
pub(crate) enum Work {
    /// An answer.
    Ask(Box<Ask>),
    /// Vectors.
    Embed(Vec<String>),
    /// A look at its memory; starts nothing.
    Report,
}

/// A model as it is to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The file.
    pub path: PathBuf,
    /// Threads; 0 has it found out before the worker is started.
    pub threads: usize,
    /// Tokens to look back on; `None` for what the model was made for.
    pub context_tokens: Option<usize>,
    /// Which engine runs it.
    pub runner: Runner,
}

struct Job {
    wanted: Wanted,
    work: Work,
    to: mpsc::Sender<Told>,
}

/// The way to the worker. A clone is another handle to the same one.
#[derive(Clone)]
pub struct Keeper {
    how: CallWorker,
    idle: Duration,
    state: Arc<Mutex<WorkerState>>,
    jobs: Arc<Mutex<Option<mpsc::Sender<Job>>>>,
}

impl Keeper {
    /// Starts nothing yet. A worker nobody asks for `idle` is ended.
    #[must_use]
    pub fn new(how: CallWorker, idle: Duration) -> Self {
        Self { how, idle, state: Arc::default(), jobs: Arc::default() }
    }

    /// How the worker is.
    #[must_use]
    pub fn state(&self) -> WorkerState {
        lock(&self.state).clone()
    }

    /// Puts a question in the queue. Dropping the receiver gives it up.
    ///
    /// # Errors
    /// [`Failure::RateLimited`] when the queue is full.
    pub(crate) fn ask(&self, wanted: Wanted, work: Work) -> Result<mpsc::Receiver<Told>, Failure> {
        let (to, told) = mpsc::channel(TOLD_MAX);
        let mut jobs = lock(&self.jobs);
        // The task that keeps the worker ends with the runtime it was started in.
        let sender = match jobs.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => {
                let (sender, queue) = mpsc::channel(QUEUE_MAX);
                let keeping = Keeping {
                    how: self.how.clone(),
                    idle: self.idle,
                    state: Arc::clone(&self.state),
                    worker: None,
                    rest: Rest::default(),
                    next_id: 0,
                };
                tokio::spawn(keeping.run(queue));
                sender
            }
        };
        let sent = sender.try_send(Job { wanted, work, to });
        let sender = jobs.insert(sender);
        lock(&self.state).waiting = QUEUE_MAX - sender.capacity();
        match sent {
            Ok(()) => Ok(told),
            Err(TrySendError::Full(_)) => Err(Failure::RateLimited { retry_after: None }),
            Err(TrySendError::Closed(_)) => Err(Failure::ServerFault { detail: "the engine is closing".to_owned() }),
        }
    }
}

/// The pause after deaths.
#[derive(Default)]
struct Rest {
    deaths: u32,
    until: Option<Instant>,
}

impl Rest {
    fn died(&mut self, now: Instant) {
        let pause = REST_MS.saturating_mul(1 << self.deaths.min(20)).min(REST_MS_MAX);
        self.deaths += 1;
        self.until = Some(now + Duration::from_millis(pause));
    }
}

/// A worker with its model.
struct Worker {
    child: Child,
    wanted: Wanted,
}

/// The task that keeps the worker.
struct Keeping {
    how: CallWorker,
    idle: Duration,
    state: Arc<Mutex<WorkerState>>,
    worker: Option<Worker>,
    rest: Rest,
    next_id: u64,
}

/// Vectors that come in several frames.
#[derive(Default)]
struct Parts {
    vectors: Vec<Vec<f32>>,
    numbers: usize,
}

impl Parts {
    /// Keeps vectors behind which more come, and puts the last ones behind them. Any other word stays as it is.
    fn join(&mut self, word: Word) -> Result<Word, Failure> {
        match word {
            Word::Vectors { vectors, .. } if vectors.is_empty() => Err(unasked()),
            Word::Vectors { id, vectors } => {
                self.keep(vectors)?;
                Ok(Word::Vectors { id, vectors: Vec::new() })
            }
            Word::Embedded { id, vectors, tokens } => {
                self.keep(vectors)?;
                Ok(Word::Embedded { id, vectors: std::mem::take(&mut self.vectors), tokens })
            }
            other => Ok(other),
        }
    }

    fn keep(&mut self, more: Vec<Vec<f32>>) -> Result<(), Failure> {
        self.numbers += more.iter().map(Vec::len).sum::<usize>();
        self.vectors.extend(more);
        let within = self.vectors.len() <= TEXTS_MAX && self.numbers <= VECTOR_NUMBERS_MAX;
        if within { Ok(()) } else { Err(unasked()) }
    }
}

/// What became of a question.
enum Outcome {
    /// The worker is well.
    Well(Told),
    /// It cannot be used any more.
    Broken(Failure),
    /// It was told to give the question up and did not, or never could.
    Ended,
}

impl Keeping {
    async fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        loop {
            let Some(job) = self.next(&mut queue).await else { return };
            lock(&self.state).waiting = queue.len();
            if job.to.is_closed() {
                continue;
            }
            let told = self.serve(&job).await;
            let phase = match (&self.worker, self.rest.until) {
                (Some(_), _) => WorkerPhase::Idle,
                (None, Some(_)) => WorkerPhase::Resting,
                (None, None) => WorkerPhase::Away,
            };
            self.phase(phase);
            if let Some(told) = told {
                job.to.send(told).await.ok();
            }
        }
    }

    /// The next question. Meanwhile a worker that nobody needs is ended, and one that dies is noticed.
    async fn next(&mut self, queue: &mut mpsc::Receiver<Job>) -> Option<Job> {
        let until = Instant::now() + self.idle;
        loop {
            let Some(worker) = &mut self.worker else { return queue.recv().await };
            tokio::select! {
                biased;
                job = queue.recv() => return job,
                word = worker.child.word() => {
                    if let Err(failure) = word {
                        self.died(&failure);
                        self.phase(WorkerPhase::Resting);
                    }
                }
                () = sleep_until(until) => {
                    self.worker = None;
                    self.phase(WorkerPhase::Away);
                }
            }
        }
    }

    /// Does what is asked. `None` when nobody waits for it any more.
    async fn serve(&mut self, job: &Job) -> Option<Told> {
        if matches!(job.work, Work::Report) && self.worker.is_none() {
            return Some(Told::Holds(Held::default()));
        }
        if let Err(failure) = self.ready(job).await {
            return failure.map(Told::Failed);
        }
        self.phase(WorkerPhase::Busy);
        match self.exchange(job).await {
            Outcome::Well(told) => {
                if let Told::Answered(answer) = &told {
                    self.rest = Rest::default();
                    let writing = answer.total_ms.saturating_sub(answer.first_token_ms).max(1);
                    let pace = answer.answer_tokens.saturating_sub(1).saturating_mul(1_000_000) / writing;
                    lock(&self.state).tokens_per_kilosecond = pace;
                }
                Some(told)
            }
            Outcome::Broken(failure) => {
                self.died(&failure);
                Some(Told::Failed(failure))
            }
            Outcome::Ended => {
                self.worker = None;
                lock(&self.state).loaded = None;
                None
            }
        }
    }

    /// Has a worker with the wanted model. A failure without a reason means that nobody waits any more.
    async fn ready(&mut self, job: &Job) -> Result<(), Option<Failure>> {
        if self.worker.as_ref().is_some_and(|worker| worker.wanted == job.wanted) {
            return Ok(());
        }
        self.worker = None;
        if let Some(until) = self.rest.until {
            self.phase(WorkerPhase::Resting);
            let left = until.saturating_duration_since(Instant::now());
            if left > Duration::from_millis(REST_WAIT_MS_MAX) {
                let (deaths, seconds) = (self.rest.deaths, left.as_secs_f64().ceil());
                let what = format!("its worker died {deaths} times in a row and starts again in {seconds} s");
                return Err(Some(Failure::Unreachable { what }));
            }
            tokio::select! {
                biased;
                () = job.to.closed() => return Err(None),
                () = sleep_until(until) => self.rest.until = None,
            }
        }
        self.phase(WorkerPhase::Loading);
        let loaded = match self.start(&job.wanted, &job.to).await {
            Ok(Ok(loaded)) => loaded,
            // The file is at fault, not the worker.
            Ok(Err(failure)) => return Err(Some(failure)),
            Err(failure) => {
                self.died(&failure);
                return Err(Some(failure));
            }
        };
        let mut state = lock(&self.state);
        state.loaded = Some(loaded);
        Ok(())
    }

    /// Starts a worker and loads. The outer failure is the worker's, the inner one the file's.
    async fn start(
        &mut self,
        wanted: &Wanted,
        to: &mpsc::Sender<Told>,
    ) -> Result<Result<super::words::Loaded, Failure>, Failure> {
        lock(&self.state).starts += 1;
        let threads = match wanted.threads {
            // Found out anew for each worker: the machine may be busier than it was, or idle again.
            0 => tokio::task::spawn_blocking(threads::found).await.unwrap_or(1),
            set => set,
        };
        let mut child = Child::start(&self.how, &wanted.path, threads).await?;
        let order = Order::Load {
            path: wanted.path.clone(),
            memory_bytes: self.how.memory_bytes,
            threads,
            context_tokens: wanted.context_tokens,
            runner: wanted.runner,
        };
        child.order(&order).await?;
        to.try_send(Told::Alive).ok();
        // A load goes on also when nobody waits any more: the next question gains by it.
        let loading = tokio::time::timeout(Duration::from_secs(LOAD_SECONDS_MAX), child.word());
        match loading.await.map_err(|_| Failure::Timeout { stage: Stage::FirstToken })?? {
            Word::Loaded(loaded) => {
                self.worker = Some(Worker { child, wanted: wanted.clone() });
                Ok(Ok(loaded))
            }
            Word::Refused { kind, what, .. } => Ok(Err(failure(kind, what, &wanted.path))),
            _ => Err(unasked()),
        }
    }

    async fn exchange(&mut self, job: &Job) -> Outcome {
        self.next_id += 1;
        let id = self.next_id;
        let Some(worker) = &mut self.worker else { return Outcome::Ended };
        let order = match &job.work {
            Work::Ask(ask) => Order::Ask { id, ask: ask.clone() },
            Work::Embed(texts) => Order::Embed { id, texts: texts.clone() },
            Work::Report => Order::Report,
        };
        match worker.child.order(&order).await {
            Ok(()) => {}
            // It was never sent.
            Err(Failure::ContextLength) => return Outcome::Well(Told::Failed(Failure::ContextLength)),
            Err(failure) => return Outcome::Broken(failure),
        }
        let (mut given_up, mut parts): (Option<Instant>, Parts) = (None, Parts::default());
        loop {
            let word = tokio::select! {
                biased;
                () = job.to.closed(), if given_up.is_none() => {
                    given_up = Some(Instant::now() + Duration::from_millis(GIVE_UP_MS));
                    if worker.child.order(&Order::Cancel { id }).await.is_err() {
                        return Outcome::Ended;
                    }
                    continue;
                }
                () = sleep_until(given_up.unwrap_or_else(Instant::now)), if given_up.is_some() => return Outcome::Ended,
                word = worker.child.word() => word,
            };
            match word.and_then(|word| parts.join(word)).map(|word| told(word, id, &job.wanted.path)) {
                Ok(Some(last @ (Told::Answered(_) | Told::Embedded(..) | Told::Holds(_) | Told::Failed(_)))) => {
                    return Outcome::Well(last);
                }
                Ok(Some(piece)) => {
                    // Whoever asked reads all the time; one that does not holds up only its own answer.
                    job.to.send(piece).await.ok();
                }
                Ok(None) => return Outcome::Broken(unasked()),
                Err(_) if given_up.is_some() => return Outcome::Ended,
                Err(failure) => return Outcome::Broken(failure),
            }
        }
    }

    fn died(&mut self, failure: &Failure) {
        self.worker = None;
        self.rest.died(Instant::now());
        let mut state = lock(&self.state);
        state.deaths += 1;
        state.last_death = failure.to_string();
        state.loaded = None;
    }

    fn phase(&self, phase: WorkerPhase) {
        let mut state = lock(&self.state);
        state.phase = phase;
        if matches!(phase, WorkerPhase::Away | WorkerPhase::Resting) {
            state.loaded = None;
        }
    }
}

/// What a word about question `id` tells; `None` when it is about something else.
fn told(word: Word, id: u64, model: &Path) -> Option<Told> {
    let (of, told) = match word {
        Word::Read { id, .. } | Word::Vectors { id, .. } => (id, Told::Alive),
        Word::Begun { id } => (id, Told::Begun),
        Word::Text { id, text } => (id, Told::Text(text)),
        Word::Answered { id, answer } => (id, Told::Answered(answer)),
        Word::Embedded { id, vectors, tokens } => (id, Told::Embedded(vectors, tokens)),
        Word::Refused { id: Some(of), kind, what } => (of, Told::Failed(failure(kind, what, model))),
        Word::Holds(held) => (id, Told::Holds(held)),
        Word::Loaded(_) | Word::Unloaded | Word::Refused { id: None, .. } => return None,
    };
    (of == id).then_some(told)
}

fn unasked() -> Failure {
    Failure::Malformed { what: "its worker answered what was not asked".to_owned() }
}

fn failure(kind: Refusal, what: String, model: &Path) -> Failure {
    let file = model.file_name().unwrap_or_default().to_string_lossy();
    match kind {
        Refusal::Context => Failure::ContextLength,
        Refusal::Question => Failure::BadRequest { status: 400, detail: what },
        Refusal::Model => Failure::Unsupported { what: format!("{}: {what}", timmy_domain::text::one_line(&file)) },
        Refusal::Cancelled => Failure::Cancelled,
        Refusal::Fault => Failure::ServerFault { detail: what },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_death_makes_the_pause_longer_up_to_a_bound() {
        let mut rest = Rest::default();
        let now = Instant::now();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            rest.died(now);
            pauses.push(rest.until.expect("a pause").duration_since(now).as_millis());
        }
        assert_eq!(pauses[..4], [500, 1_000, 2_000, 4_000]);
        assert_eq!(pauses[39], u128::from(REST_MS_MAX));
    }

    // shows: engine: vectors that come in several frames are put together, and never more of them than anybody may ask for
    #[test]
    fn vectors_in_several_frames_are_put_together_within_their_bounds() {
        let mut parts = Parts::default();
        let part = |vectors: Vec<Vec<f32>>| Word::Vectors { id: 1, vectors };
        parts.join(part(vec![vec![1.0], vec![2.0]])).expect("kept");
        let last = Word::Embedded { id: 1, vectors: vec![vec![3.0]], tokens: 9 };
        let all = Word::Embedded { id: 1, vectors: vec![vec![1.0], vec![2.0], vec![3.0]], tokens: 9 };
        assert_eq!(parts.join(last), Ok(all));
        let too_many = [
            vec![part(Vec::new())],
            vec![part(vec![Vec::new(); TEXTS_MAX]), part(vec![Vec::new()])],
            vec![part(vec![vec![0.0; VECTOR_NUMBERS_MAX]]), part(vec![vec![0.0]])],
        ];
        for words in too_many {
            let mut parts = Parts::default();
            let kept: Result<Vec<Word>, Failure> = words.into_iter().map(|word| parts.join(word)).collect();
            assert!(matches!(kept, Err(Failure::Malformed { .. })), "{kept:?}");
        }
    }
}
