//! Who is meant by a wish, who is asked again, and what a look says about who fails.

use super::router::{open_request, replies, with};
use super::*;
use crate::provider::Finish;

fn said(content: String, model: String) -> Completion {
    Completion { content, tool_calls: Vec::new(), model, usage: Usage::default(), finish: Finish::Stop }
}

/// A provider that lists these models and answers with the one it was asked for.
struct Shop {
    info: ProviderInfo,
    models: Vec<String>,
}

impl Shop {
    fn new(name: &str, models: &[&str]) -> Arc<Self> {
        let info = ProviderInfo { name: name.into(), kind: "x", place: Place::Local };
        Arc::new(Self { info, models: models.iter().map(|m| (*m).to_owned()).collect() })
    }
}

impl Provider for Shop {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }
    fn chat<'a>(&'a self, request: &'a ChatRequest, _: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        let model = request.model.clone().unwrap_or_else(|| self.models[0].clone());
        let content = format!("by {model}");
        Box::pin(async { Ok(said(content, model)) })
    }
    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        let (models, model_in_use) = (self.models.clone(), self.models[0].clone());
        Box::pin(async { Ok(Health { models, version: None, model_in_use }) })
    }
}

// shows: models: a model that is wished for by its bare name is asked of whoever has it, wherever that one stands
#[tokio::test(start_paused = true)]
async fn a_bare_name_brings_forward_whoever_lists_it() {
    let cascade = Cascade::new(vec![Shop::new("first", &["usual"]), Shop::new("second", &["other", "tiny", "org/x"])]);
    cascade.probe_all(Duration::from_secs(1)).await;
    let who = async |wished: &str| {
        let request = ChatRequest { model: Some(wished.to_owned()), ..open_request() };
        let answer = cascade.complete(&request, &call(9)).await.expect("an answer");
        (answer.provider, answer.model)
    };
    let of = |provider: &str, model: &str| (provider.to_owned(), model.to_owned());
    assert_eq!(who("tiny").await, of("second", "tiny"));
    assert_eq!(who("org/x").await, of("second", "org/x"), "the slash belongs to its name");
    assert_eq!(who("second/tiny").await, of("second", "tiny"));
    assert_eq!(who("usual").await, of("first", "usual"));
    assert_eq!(who("nobody-has-it").await, of("first", "usual"), "then the order is as usual");
    assert_eq!(who("auto").await, of("first", "usual"));
}

/// Begins without a word that is read, and then says nothing more.
struct Teaser(ProviderInfo);

impl Provider for Teaser {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }
    fn chat<'a>(&'a self, _: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        let to = call.deltas.clone().expect("a reader");
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _ = to.send(String::new()).await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            Err(Failure::Timeout { stage: Stage::Stall })
        })
    }
    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(async { Ok(Health::default()) })
    }
}

// shows: models: whoever lost a race is asked again when the one that was faster fails before a word was read
#[tokio::test(start_paused = true)]
async fn whoever_was_outrun_is_asked_again_when_the_winner_fails() {
    let steps = vec![Step::Hang, Step::Reply("near after all".into())];
    let near = scripted("near", steps);
    let teaser = Arc::new(Teaser(ProviderInfo { name: "far".into(), kind: "x", place: Place::Local }));
    let cascade = with(vec![near.clone(), teaser], |s| s.hedge_ms = 500);
    let manner = Manner { interactive: true, ..Manner::default() };
    let answer = cascade.complete(&open_request(), &Call { manner, ..call(60) }).await.expect("near answers");
    assert_eq!((answer.provider.as_str(), answer.content.as_str()), ("near", "near after all"));
    assert_eq!(near.requests().len(), 2);
    let path: Vec<_> = cascade.recent()[0].path.iter().map(|s| (s.provider.clone(), s.word)).collect();
    let step = |who: &str, word| (who.to_owned(), word);
    assert_eq!(path, [step("near", "outrun"), step("far", "timeout_stall"), step("near", "answered")]);
}

// shows: models: a look that finds a server which is there and fails ends none of its rests
#[tokio::test(start_paused = true)]
async fn a_look_does_not_wake_what_was_never_away() {
    let failing = || Step::Fail(Failure::Unreachable { what: "x cannot be reached: connection reset".into() });
    let mut steps: Vec<Step> = (0..5).map(|_| failing()).collect();
    steps.extend(replies(1));
    let cascade = Cascade::new(vec![scripted("a", steps)]);
    cascade.probe_all(Duration::from_secs(1)).await;
    for _ in 0..5 {
        cascade.complete(&open_request(), &call(9)).await.expect_err("reset");
    }
    cascade.probe_all(Duration::from_secs(1)).await;
    assert_eq!(cascade.status()[0].circuit(), "open", "looks find it there all the time");
    assert_eq!(names(&cascade.complete(&open_request(), &call(9)).await.expect_err("it rests"))[0].1.word(), "resting");
}

// shows: models: a model that failed too often is not asked anew because many others were asked for meanwhile
#[tokio::test(start_paused = true)]
async fn many_names_push_out_no_open_circuit() {
    struct Picky(ProviderInfo);
    impl Provider for Picky {
        fn info(&self) -> &ProviderInfo {
            &self.0
        }
        fn chat<'a>(&'a self, request: &'a ChatRequest, _: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
            let model = request.model.clone().unwrap_or_default();
            Box::pin(async move {
                match model.as_str() {
                    "ill" => Err(Failure::ServerError { status: 500 }),
                    _ => Ok(said("well".to_owned(), model)),
                }
            })
        }
        fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
            Box::pin(async { Ok(Health::default()) })
        }
    }
    let cascade =
        Cascade::new(vec![Arc::new(Picky(ProviderInfo { name: "p".into(), kind: "x", place: Place::Local }))]);
    let ask = async |model: &str| {
        let request = ChatRequest { model: Some(format!("p/{model}")), ..open_request() };
        cascade.complete(&request, &call(9)).await.map_err(|e| e.attempts.last().map_or("", |a| a.failure.word()))
    };
    for _ in 0..3 {
        ask("ill").await.expect_err("ill");
    }
    assert_eq!(ask("ill").await.map(|_| ()), Err("resting"));
    for n in 0..member::MODELS_KNOWN_MAX * 2 {
        ask(&format!("m{n}")).await.expect("an answer");
    }
    assert_eq!(ask("ill").await.map(|_| ()), Err("resting"));
}

// shows: models: a record tells pictures apart that have the same length
#[tokio::test(start_paused = true)]
async fn a_record_tells_pictures_apart() {
    let path = std::env::temp_dir().join(format!("timmy-record-pictures-{}.jsonl", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let rules = Rules { recorder: Some(crate::Recorder::open(&path).expect("a record")), ..Rules::default() };
    struct Seer(ProviderInfo);
    impl Provider for Seer {
        fn info(&self) -> &ProviderInfo {
            &self.0
        }
        fn capabilities(&self) -> crate::Capabilities {
            crate::Capabilities { vision: true, ..crate::Capabilities::default() }
        }
        fn chat<'a>(&'a self, request: &'a ChatRequest, _: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
            let content = format!("it begins with {}", request.messages[0].images[0].bytes[0]);
            Box::pin(async { Ok(said(content, String::new())) })
        }
        fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
            Box::pin(async { Ok(Health::default()) })
        }
    }
    let cascade =
        Cascade::with(vec![Arc::new(Seer(ProviderInfo { name: "s".into(), kind: "x", place: Place::Local }))], rules);
    let showing = |first: u8| {
        let mut request = open_request();
        let bytes: Arc<[u8]> = vec![first; 9].into();
        let image =
            crate::Image { media_type: "image/png".into(), bytes, sensitivity: Sensitivity::Open, droppable: false };
        request.messages[0].images.push(image);
        request
    };
    for first in [1, 2] {
        cascade.complete(&showing(first), &call(9)).await.expect("seen");
    }
    let text = std::fs::read_to_string(&path).expect("a record");
    std::fs::remove_file(&path).expect("it was there");
    let keys: std::collections::BTreeSet<_> = text.lines().filter_map(|l| l.split('"').nth(3)).collect();
    assert_eq!((text.lines().count(), keys.len()), (2, 2), "{text}");
}
