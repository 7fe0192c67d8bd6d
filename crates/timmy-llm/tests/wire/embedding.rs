//! Vectors by the rules of every other call: in order, within one deadline, by circuits and books, and never for what
//! must stay here.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use timmy_domain::{Secret, Sensitivity};
use timmy_llm::{
    ApiSettings, Books, BoxFuture, Call, Cascade, CascadeSettings, Change, Circuit, Leaving, Manner, OpenAi, Part,
    Provider, Rules,
};

use crate::stub::{Act, Stub, lists, ok, status};
use crate::{KEY, api, call, patient};

/// A provider called `name` that makes vectors with the model `e` at `stub`.
fn embedder(name: &str, stub: &Stub, place: &str) -> Arc<dyn Provider> {
    let settings = ApiSettings {
        name: name.into(),
        place: place.into(),
        embed_model: "e".into(),
        ..api("llamacpp", &stub.url, "m")
    };
    Arc::new(OpenAi::new(&settings, Secret::new(KEY.into())).expect("an address"))
}

async fn serving(acts: Vec<Act>) -> Stub {
    Stub::start("127.0.0.1:0", Box::new(move |path| lists(path).unwrap_or_else(|| acts.clone()))).await
}

fn vector() -> Vec<u8> {
    let rows = json!({ "model": "e-2026-08-01", "data": [{ "index": 0, "embedding": [1, 2] }], "usage": { "prompt_tokens": 3 } });
    ok(&rows.to_string())
}

fn texts(sensitivity: Sensitivity) -> Vec<Part> {
    vec![Part { text: "LOCAL or open".to_owned(), sensitivity, droppable: true }]
}

fn open() -> Vec<Part> {
    texts(Sensitivity::Open)
}

async fn who(cascade: &Cascade, wished: Option<&str>) -> Result<String, Vec<&'static str>> {
    let made = cascade.embed(&open(), wished, &patient()).await;
    made.map(|made| made.provider).map_err(|e| e.attempts.iter().map(|a| a.failure.word()).collect())
}

fn posts(stub: &Stub) -> usize {
    stub.seen().iter().filter(|asked| asked.starts_with("POST")).count()
}

// shows: models: a provider that makes no vectors five times is left alone for those, still writes, and comes back by itself
#[tokio::test]
async fn vectors_have_a_circuit_of_their_own() {
    let bad = serving(vec![Act::Write(status(500, "", "broken"))]).await;
    let good = serving(vec![Act::Write(vector())]).await;
    let (bad_one, good_one) = (embedder("bad", &bad, ""), embedder("good", &good, ""));
    let cascade = Cascade::new(vec![Arc::clone(&bad_one), Arc::clone(&good_one)]);
    for _ in 0..7 {
        assert_eq!(who(&cascade, None).await, Ok("good".to_owned()));
    }
    assert_eq!((posts(&bad), posts(&good)), (5, 7), "it is left alone after the fifth");
    assert_eq!(who(&cascade, Some("bad")).await, Err(vec!["resting"]), "also when it is asked for by name");
    let states = cascade.status();
    let told: Vec<_> =
        states.iter().map(|s| (s.known[0].model.as_str(), s.known[0].circuit, s.known[0].answers)).collect();
    assert_eq!(told, [("e (vectors)", Circuit::Open, 0), ("e (vectors)", Circuit::Closed, 7)]);
    assert_eq!(states[0].circuit(), "closed", "it may still write");
    assert!(
        matches!(&cascade.take_changes()[..], [Change::Opened { provider, model, .. }] if provider == "bad" && model == "e (vectors)")
    );
    let path: Vec<_> = cascade.recent()[1].path.iter().map(|step| step.word).collect();
    assert_eq!((cascade.recent()[1].class, path), ("embedding", vec!["resting", "answered"]));
    assert_eq!(cascade.figures()[0].failures, [("server_error", 5)].into());
    assert_eq!((cascade.figures()[1].answers, cascade.figures()[1].usage.prompt_tokens), (7, 21));

    // What is known outlives a restart, and the end of the rest is seen by one call that tries it out.
    let next = Cascade::new(vec![bad_one, good_one]);
    next.restore(&cascade.store(), Duration::from_secs(10));
    assert_eq!(who(&next, Some("bad")).await, Err(vec!["resting"]));
    let later = Cascade::new(vec![embedder("bad", &good, "")]);
    later.restore(&cascade.store(), Duration::from_secs(3_600));
    assert_eq!(later.status()[0].known[0].circuit, Circuit::HalfOpen);
    assert_eq!(who(&later, None).await, Ok("bad".to_owned()));
    assert_eq!(who(&later, None).await, Ok("bad".to_owned()));
    assert_eq!(later.status()[0].known[0].circuit, Circuit::Closed);
}

// shows: models: making vectors has one deadline, of which a silent provider has half while another one comes after it
#[tokio::test]
async fn a_silent_provider_of_vectors_leaves_time_for_the_next() {
    let silent = serving(vec![Act::Hold]).await;
    let good = serving(vec![Act::Write(vector())]).await;
    let cascade = Cascade::new(vec![embedder("silent", &silent, ""), embedder("good", &good, "")]);
    let made = cascade.embed(&open(), None, &call(2_000)).await.expect("the next one makes them");
    assert_eq!(made.provider, "good");
    silent.closed().await;
    let path: Vec<_> = cascade.recent()[0].path.iter().map(|step| step.word).collect();
    assert_eq!(path, ["timeout_first_token", "answered"]);
    let endless = serving(vec![Act::Write(ok("{\"data\":[")), Act::Flood(vec![b' '; 65_536])]).await;
    let cascade = Cascade::new(vec![embedder("endless", &endless, "")]);
    assert_eq!(who(&cascade, None).await, Err(vec!["too_large"]));
    let stopped = patient();
    stopped.cancel.cancel();
    let error = cascade.embed(&open(), None, &stopped).await.expect_err("stopped");
    assert!(error.is_cancelled());
}

/// What was settled: the cost in millionths of a dollar, and whether an answer came.
type Settled = Option<(u64, bool)>;

#[derive(Default)]
struct Till {
    lines: Mutex<Vec<(Leaving, Settled)>>,
    shut: bool,
}

impl Books for Till {
    fn enter<'a>(&'a self, leaving: &'a Leaving) -> BoxFuture<'a, Result<i64, String>> {
        Box::pin(async move {
            let mut lines = self.lines.lock().expect("not poisoned");
            lines.push((leaving.clone(), None));
            if self.shut {
                Err("the budget is used up".to_owned())
            } else {
                Ok(i64::try_from(lines.len()).expect("few") - 1)
            }
        })
    }
    fn settle(&self, line: i64, cost_micros: u64, answered: bool) {
        self.lines.lock().expect("not poisoned")[usize::try_from(line).expect("a line")].1 =
            Some((cost_micros, answered));
    }
}

fn priced(stub: &Stub) -> Cascade {
    let settings = CascadeSettings { prices: vec!["far/e 1000000 0".into()], ..CascadeSettings::default() };
    Cascade::with(vec![embedder("far", stub, "remote")], Rules::of(&settings).expect("rules"))
}

// shows: models: vectors that are made elsewhere stand in the ledger and are paid, and what must stay here is not sent
#[tokio::test]
async fn what_leaves_to_become_a_vector_is_booked_and_what_must_stay_does_not_leave() {
    let far = serving(vec![Act::Write(vector())]).await;
    let cascade = priced(&far);
    assert_eq!(who(&cascade, None).await, Err(vec!["budget"]), "nobody keeps the books");
    let till = Arc::new(Till::default());
    cascade.keep_books(till.clone());
    let manner = Manner { purpose: "memory", task: "t1".into(), ..Manner::default() };
    cascade.embed(&open(), None, &Call { manner, ..patient() }).await.expect("vectors");
    let (leaving, settled) = till.lines.lock().expect("not poisoned")[0].clone();
    assert_eq!((leaving.model.as_str(), leaving.why, leaving.task.as_str(), leaving.bytes), ("e", "memory", "t1", 13));
    assert!(far.url.ends_with(&leaving.host), "{}", leaving.host);
    assert_eq!((leaving.reserved_micros, settled), (13_000_000, Some((3_000_000, true))));
    assert_eq!(cascade.recent()[0].cost_micros, 3_000_000);

    let private = texts(Sensitivity::LocalOnly);
    let refused = cascade.embed(&private, None, &patient()).await.expect_err("it must stay");
    assert_eq!(refused.attempts[0].failure.word(), "privacy");
    cascade.keep_local(Some(Duration::from_secs(60)));
    assert_eq!(who(&cascade, None).await, Err(vec!["privacy"]), "all stays here for now");
    assert_eq!(till.lines.lock().expect("not poisoned").len(), 1, "what was not asked left nothing");
    assert!(far.seen().iter().filter(|asked| asked.starts_with("POST")).count() == 1);

    let broke = priced(&far);
    broke.keep_books(Arc::new(Till { shut: true, ..Till::default() }));
    assert_eq!(who(&broke, None).await, Err(vec!["budget"]));
}

// shows: models: texts on their way to become vectors elsewhere are given up when all has to stay here
#[tokio::test]
async fn an_hour_in_which_all_stays_ends_vectors_on_their_way() {
    let far = serving(vec![Act::Hold]).await;
    let cascade = priced(&far);
    let till = Arc::new(Till::default());
    cascade.keep_books(till.clone());
    let (texts, asked) = (open(), patient());
    let key = async {
        while posts(&far) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cascade.keep_local(Some(Duration::from_secs(60)));
    };
    let error = tokio::join!(cascade.embed(&texts, None, &asked), key).0.expect_err("given up");
    assert_eq!(error.attempts[0].failure.word(), "privacy");
    far.closed().await;
    let settled = till.lines.lock().expect("not poisoned")[0].1;
    assert_eq!(settled, Some((13_000_000, false)), "nobody knows what it cost, so all that was reserved counts");
}

// shows: models: a model named for vectors is the one that makes them: by the caller, else by the owner's lines for that class
#[tokio::test]
async fn the_model_that_is_named_makes_the_vectors() {
    let stub = serving(vec![Act::Write(vector())]).await;
    let one = embedder("one", &stub, "");
    let asked = async |cascade: &Cascade, wished: Option<&str>| {
        cascade.embed(&open(), wished, &patient()).await.expect("vectors");
        let seen = stub.seen();
        let body = seen.last().and_then(|asked| asked.split("\r\n\r\n").nth(1)).expect("a body").to_owned();
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON")["model"].as_str().expect("a model").to_owned()
    };
    let plain = Cascade::new(vec![Arc::clone(&one)]);
    assert_eq!(asked(&plain, None).await, "e");
    assert_eq!(asked(&plain, Some("one")).await, "e");
    assert_eq!(asked(&plain, Some("one/small")).await, "small");
    let settings = CascadeSettings { models: vec!["embedding: one/booked".into()], ..CascadeSettings::default() };
    let booked = Cascade::with(vec![one], Rules::of(&settings).expect("rules"));
    assert_eq!(asked(&booked, None).await, "booked");
    assert_eq!(asked(&booked, Some("one")).await, "booked");
    assert_eq!(asked(&booked, Some("one/small")).await, "small", "whoever asks decides");
    assert_eq!(booked.status()[0].known[0].model, "booked (vectors)");
}
