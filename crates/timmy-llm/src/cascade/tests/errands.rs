//! What leaves and is no question to a model: the same leave, and the same books.

use std::sync::atomic::AtomicUsize;

use tokio::sync::Notify;

use super::router::Till;
use super::*;

const DAY_SECONDS: u64 = 86_400;

/// A provider elsewhere that counts how often it is looked at, and may be slow to say that it is there.
struct Far {
    info: ProviderInfo,
    looks: AtomicUsize,
    slow: bool,
    looked: Notify,
}

impl Far {
    fn new(slow: bool) -> Arc<Self> {
        let info = ProviderInfo { name: "far".into(), kind: "x", place: Place::Remote };
        Arc::new(Self { info, looks: AtomicUsize::new(0), slow, looked: Notify::new() })
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

impl Provider for Far {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }
    fn host(&self) -> String {
        "models.example:443".into()
    }
    fn chat<'a>(&'a self, _: &'a ChatRequest, _: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        Box::pin(std::future::pending())
    }
    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.looked.notify_one();
        Box::pin(async {
            if self.slow {
                std::future::pending::<()>().await;
            }
            Ok(Health { models: vec!["m".into()], version: None, model_in_use: "m".into() })
        })
    }
}

fn booked(far: &Arc<Far>) -> (Cascade, Arc<Till>) {
    let cascade = Cascade::new(vec![far.clone(), scripted("near", vec![])]);
    let till = Arc::new(Till::default());
    cascade.keep_books(till.clone());
    (cascade, till)
}

async fn look(cascade: &Cascade) -> Vec<(String, bool)> {
    let changes = cascade.probe_all(Duration::from_secs(60)).await;
    changes.into_iter().map(|change| (change.provider, change.up)).collect()
}

// shows: models: looking whether a provider elsewhere is there stands in the ledger, a line for each day
#[tokio::test(start_paused = true)]
async fn looks_elsewhere_stand_in_the_books_once_a_day() {
    let far = Far::new(false);
    let (cascade, till) = booked(&far);
    let noon = 1_800_014_400_000_000;
    cascade.set_wall(Timestamp::from_micros(noon));
    for _ in 0..4 {
        look(&cascade).await;
        tokio::time::sleep(Duration::from_secs(15)).await;
    }
    let lines = lock(&till.lines).clone();
    assert_eq!((far.looks(), lines.len()), (4, 1), "near is not elsewhere");
    let (line, settled) = &lines[0];
    let told = (line.provider.as_str(), line.host.as_str(), line.why, line.bytes, line.reserved_micros);
    assert_eq!(told, ("far", "models.example:443", LOOK, 0, 0));
    assert_eq!(*settled, Some((0, true)));
    tokio::time::sleep(Duration::from_secs(DAY_SECONDS)).await;
    look(&cascade).await;
    look(&cascade).await;
    assert_eq!((far.looks(), lock(&till.lines).len()), (6, 2), "another day");
}

// shows: models: what cannot be written into the ledger does not leave, also when nobody is asked anything
#[tokio::test(start_paused = true)]
async fn what_cannot_be_written_down_is_not_looked_for() {
    struct Full;
    impl money::Books for Full {
        fn enter<'a>(&'a self, _: &'a money::Leaving) -> BoxFuture<'a, Result<i64, String>> {
            Box::pin(async { Err("the ledger of what leaves cannot be written".to_owned()) })
        }
        fn settle(&self, _: i64, _: u64, _: bool) {}
    }
    let far = Far::new(false);
    let cascade = Cascade::new(vec![far.clone()]);
    cascade.keep_books(Arc::new(Full));
    assert_eq!((look(&cascade).await, far.looks()), (vec![("far".to_owned(), false)], 0));
    let why = "not asked, because the ledger of what leaves cannot be written";
    assert!(matches!(&cascade.status()[0].state, ProviderState::Down { why: told, .. } if told == why));
    assert_eq!(cascade.fetches("m", "models.example", 30).await.map(|_| ()).map_err(|f| f.word()), Err("budget"));
}

// shows: models: nobody elsewhere is looked for offline or in an hour in which all stays here, and a look on its way is given up
#[tokio::test(start_paused = true)]
async fn a_look_on_its_way_is_given_up_when_all_stays_here() {
    let far = Far::new(true);
    let (cascade, till) = booked(&far);
    let key = async {
        far.looked.notified().await;
        cascade.keep_local(Some(Duration::from_secs(3_600)));
    };
    let began = Instant::now();
    let (told, ()) = tokio::join!(look(&cascade), key);
    assert_eq!((told, began.elapsed()), (vec![("near".to_owned(), true)], Duration::ZERO), "nothing is said of far");
    assert_eq!((&cascade.status()[0].state, far.looks()), (&ProviderState::Unknown, 1));
    assert_eq!(lock(&till.lines)[0].1, Some((0, false)), "it stands in the books as one that brought nothing");
    look(&cascade).await;
    assert_eq!((far.looks(), lock(&till.lines).len()), (1, 1));
    let offline = Cascade::with(vec![far.clone()], Rules { offline: true, ..Rules::default() });
    assert_eq!((look(&offline).await, far.looks()), (vec![], 1));
}

// shows: models: fetching a file from elsewhere stands in the ledger, and needs the same leave as a question
#[tokio::test(start_paused = true)]
async fn what_is_fetched_from_elsewhere_stands_in_the_books() {
    let (cascade, till) = booked(&Far::new(false));
    let errand = cascade.fetches("small", "models.example", 41).await.expect("leave");
    let line = lock(&till.lines)[0].clone();
    let told = (line.0.provider.as_str(), line.0.model.as_str(), line.0.host.as_str(), line.0.why, line.0.bytes);
    assert_eq!((told, line.1), (("models", "small", "models.example", PULL, 41), None));
    cascade.back(&errand, true);
    assert_eq!(lock(&till.lines)[0].1, Some((0, true)));
    cascade.keep_local(Some(Duration::from_secs(60)));
    assert!(errand.leave.is_cancelled());
    let refused = cascade.fetches("small", "models.example", 41).await.expect_err("all stays here");
    assert_eq!((refused.word(), lock(&till.lines).len()), ("privacy", 1));
}
