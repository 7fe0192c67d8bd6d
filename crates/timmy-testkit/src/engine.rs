//! A real engine over a temporary home: real SQLite file, real threads, scripted models, a clock turned by hand.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use timmy_core::settings::Settings;
use timmy_core::talk::conversation::Say;
use timmy_core::{App, Parts};
use timmy_domain::bus::Pattern;
use timmy_domain::message::Message;
use timmy_domain::thought::Thought;
use timmy_domain::{Record, Secret};
use timmy_llm::{Cascade, Provider};
use timmy_store::{EventQuery, Options, Store, ThoughtQuery};

use crate::{FakeClock, seeded};

/// Engines opened so far in this process.
static OPENED: AtomicU64 = AtomicU64::new(7);

/// How long a test waits for something that should happen at once, in seconds.
pub const PATIENCE_SECONDS: u64 = 20;

/// The admin token of engines made here.
pub const RUN_TOKEN: &str = "run-token-of-a-test";

/// An engine with what it stands on.
pub struct Engine {
    /// The engine.
    pub app: App,
    /// Its clock.
    pub clock: FakeClock,
    /// Its home, when this value owns it.
    pub home: Option<TempDir>,
    running: Option<tokio::task::JoinHandle<()>>,
}

/// An engine over a fresh temporary home, not running yet.
#[must_use]
pub fn engine(providers: Vec<Arc<dyn Provider>>, settings: Settings) -> Engine {
    let home = TempDir::new().expect("a temporary home");
    let mut engine = Engine::open(home.path(), FakeClock::default(), providers, settings);
    engine.home = Some(home);
    engine
}

/// An engine over a fresh temporary home whose models are asked as `cascade` does, not running yet.
#[must_use]
pub fn routed(cascade: Cascade, settings: Settings) -> Engine {
    let home = TempDir::new().expect("a temporary home");
    let mut engine = Engine::open_with(home.path(), FakeClock::default(), cascade, settings, Options::default());
    engine.home = Some(home);
    engine
}

/// The same, with the statements of its store noted for `timmy_store::watched`.
#[must_use]
pub fn watched(providers: Vec<Arc<dyn Provider>>, settings: Settings) -> Engine {
    let home = TempDir::new().expect("a temporary home");
    let options = Options { watched: true, ..Options::default() };
    let cascade = Cascade::new(providers);
    let mut engine = Engine::open_with(home.path(), FakeClock::default(), cascade, settings, options);
    engine.home = Some(home);
    engine
}

impl Engine {
    /// An engine over the home at `path`, not running yet.
    #[must_use]
    pub fn open(path: &Path, clock: FakeClock, providers: Vec<Arc<dyn Provider>>, settings: Settings) -> Self {
        Self::open_with(path, clock, Cascade::new(providers), settings, Options::default())
    }

    fn open_with(path: &Path, clock: FakeClock, cascade: Cascade, settings: Settings, options: Options) -> Self {
        // Another start draws other ids, as a real one does.
        let chance = seeded(OPENED.fetch_add(1, Ordering::Relaxed));
        let time = clock.clone();
        let now = Arc::new(move || timmy_core::clock::Clock::now(&time));
        let store = Store::open(&path.join("timmy.db"), now, chance.source(), options).expect("the store opens");
        let app = App::new(Parts {
            store,
            cascade,
            clock: Arc::new(clock.clone()),
            chance,
            settings,
            mind_dir: path.join("mind"),
            user_home: None,
            run_token: Secret::new(RUN_TOKEN.to_owned()),
        });
        Self { app, clock, home: None, running: None }
    }

    /// Runs only the parts of these names.
    pub fn run_only(&mut self, names: &[&str]) {
        self.running = Some(tokio::spawn(self.app.run_only(names)));
    }

    /// Runs every part.
    pub fn run(&mut self) {
        self.running = Some(tokio::spawn(self.app.run()));
    }

    /// Stops the engine and closes its store, as a clean end does.
    pub async fn stop(&mut self) {
        self.app.ctx.stop.cancel();
        if let Some(running) = self.running.take() {
            running.await.expect("the engine ends");
        }
        self.app.ctx.store.close().await;
    }

    /// Breaks the engine off in the middle of whatever it does, as a killed process would: nothing more is written.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
        self.app.ctx.store.close().await;
    }

    /// The same home opened again, as after a restart. The clock goes on where it was.
    #[must_use]
    pub fn reopen(self, providers: Vec<Arc<dyn Provider>>, settings: Settings) -> Self {
        let Self { clock, home, app, .. } = self;
        drop(app);
        let home = home.expect("an engine that owns its home");
        let mut engine = Self::open(home.path(), clock, providers, settings);
        engine.home = Some(home);
        engine
    }

    /// Says something and waits for the answer.
    pub async fn ask(&self, words: &str) -> Message {
        let say = Say { content: words.to_owned(), about: None, channel: "api" };
        let question = self.app.talk.say(say).await.expect("the words are stored");
        let answer = tokio::time::timeout(Duration::from_secs(PATIENCE_SECONDS), self.app.talk.answer_to(question.id));
        answer.await.expect("an answer in time").expect("an answer")
    }

    /// Waits until at least `count` thoughts are stored, and gives them, oldest first (at most 1,000).
    pub async fn wait_for_thoughts(&self, count: usize) -> Vec<Thought> {
        self.wait_for_thought(count).await;
        let query = ThoughtQuery { limit: 1_000, ..ThoughtQuery::default() };
        let mut thoughts = self.app.ctx.store.read(move |r| r.thoughts(&query)).await.expect("the thoughts read");
        thoughts.reverse();
        thoughts
    }

    /// Waits until at least `count` thoughts are stored.
    pub async fn wait_for_thought(&self, count: usize) {
        let mut head = self.app.ctx.store.head();
        let waiting = async {
            loop {
                head.borrow_and_update();
                let stored = self.app.ctx.store.read(|r| r.thought_count()).await.expect("the thoughts count");
                if usize::try_from(stored).unwrap_or(0) >= count {
                    return;
                }
                head.changed().await.expect("the store lives");
            }
        };
        let patience = Duration::from_secs(PATIENCE_SECONDS);
        tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| in_vain(&format!("{count} thoughts")));
    }

    /// Turns the clock on by `step`, again and again, until at least `count` events match `pattern`. For things that
    /// run in a rhythm, where the test cannot know whether this turn has begun already.
    pub async fn advance_until(&self, pattern: &str, count: usize, step: Duration) -> Vec<Record> {
        let advancing = async {
            loop {
                self.clock.advance(step);
                tokio::time::sleep(Duration::from_millis(10)).await;
                let found = self.events(pattern).await;
                if found.len() >= count {
                    return found;
                }
            }
        };
        let patience = Duration::from_secs(PATIENCE_SECONDS);
        tokio::time::timeout(patience, advancing)
            .await
            .unwrap_or_else(|_| in_vain(&format!("{count} events {pattern}")))
    }

    /// Waits until `holds`.
    pub async fn wait_until(&self, mut holds: impl FnMut() -> bool) {
        let waiting = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let patience = Duration::from_secs(PATIENCE_SECONDS);
        tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| in_vain("a condition"));
    }

    /// Events that match `pattern`, oldest first, at most 1,000.
    pub async fn events(&self, pattern: &str) -> Vec<Record> {
        let pattern: Pattern = pattern.parse().expect("a pattern");
        let query = EventQuery { after: Some(0), pattern, limit: 1_000, ..EventQuery::default() };
        self.app.ctx.store.read(move |r| r.events(&query)).await.expect("the log reads")
    }

    /// Waits until at least `count` events match `pattern`.
    pub async fn wait_for(&self, pattern: &str, count: usize) -> Vec<Record> {
        let mut head = self.app.ctx.store.head();
        let waiting = async {
            loop {
                head.borrow_and_update();
                let found = self.events(pattern).await;
                if found.len() >= count {
                    return found;
                }
                head.changed().await.expect("the store lives");
            }
        };
        let patience = Duration::from_secs(PATIENCE_SECONDS);
        tokio::time::timeout(patience, waiting).await.unwrap_or_else(|_| in_vain(&format!("{count} events {pattern}")))
    }
}

#[expect(clippy::panic, reason = "a test that waited in vain fails here, with what it waited for")]
fn in_vain<T>(what: &str) -> T {
    panic!("waited {PATIENCE_SECONDS} s in vain for {what}")
}
