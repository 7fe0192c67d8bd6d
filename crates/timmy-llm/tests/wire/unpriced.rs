//! What is asked elsewhere with a key is paid for by somebody: without a price no budget could hold it.

use std::sync::Arc;

use timmy_domain::{Secret, Sensitivity};
use timmy_llm::{
    ApiSettings, Books, BoxFuture, Cascade, CascadeSettings, ChatRequest, Leaving, OpenAi, Part, Provider, Rules,
};

use crate::stub::{Act, Stub, lists, ok};
use crate::{Format, KEY, api, patient, request};

/// Books that let everything leave.
struct Open;

impl Books for Open {
    fn enter<'a>(&'a self, _: &'a Leaving) -> BoxFuture<'a, Result<i64, String>> {
        Box::pin(async { Ok(1) })
    }
    fn settle(&self, _: i64, _: u64, _: bool) {}
}

async fn serving(act: Act) -> Stub {
    Stub::start("127.0.0.1:0", Box::new(move |path| lists(path).unwrap_or_else(|| vec![act.clone()]))).await
}

/// A server that answers `Yes.` in the words of `format`.
async fn answering(format: Format) -> Stub {
    serving(Act::Write(ok(&(format.token("Yes.") + &format.end())))).await
}

fn posts(stub: &Stub) -> usize {
    stub.seen().iter().filter(|asked| asked.starts_with("POST")).count()
}

fn cascade_of(provider: Arc<dyn Provider>, set: impl FnOnce(&mut CascadeSettings)) -> Cascade {
    let mut settings = CascadeSettings::default();
    set(&mut settings);
    let cascade = Cascade::with(vec![provider], Rules::of(&settings).expect("rules"));
    cascade.keep_books(Arc::new(Open));
    cascade
}

/// The answer to `request`, or the word of why there is none.
async fn said(cascade: &Cascade, request: &ChatRequest) -> String {
    let done = cascade.complete(request, &patient()).await;
    done.map_or_else(|e| e.attempts[0].failure.word().to_owned(), |answer| answer.content)
}

/// How a call of `format` elsewhere ends, and how often it was asked there.
async fn asked(format: Format, set: impl FnOnce(&mut CascadeSettings)) -> (String, usize, Cascade) {
    let stub = answering(format).await;
    let cascade = cascade_of(format.provider(&stub.url, "remote", 10_000), set);
    let said = said(&cascade, &request("Good morning")).await;
    (said, posts(&stub), cascade)
}

fn unbounded(settings: &mut CascadeSettings) {
    (settings.budget_day_cents, settings.budget_task_cents, settings.budget_provider_cents) = (0, 0, 0);
}

// shows: models: a model that is paid for and has no price is not asked while a budget is set, which could not hold it
#[tokio::test]
async fn what_is_paid_for_without_a_price_is_not_asked_under_a_budget() {
    for format in [Format::OpenAi, Format::Anthropic] {
        let (said, posts, cascade) = asked(format, |_| {}).await;
        assert_eq!((said.as_str(), posts), ("no_price", 0));
        let name = cascade.status()[0].name.clone();
        let [would] = &cascade.explain(&request("x"))[..] else { panic!("one provider") };
        assert_eq!(would.failure.word(), "no_price", "the what-if says so as well");
        let line = format!("{name}/m 0.15 0.60");
        assert!(would.failure.hint().contains(&line), "{}", would.failure.hint());
        let unpriced = cascade.status()[0].unpriced.clone();
        assert_eq!((unpriced.models, unpriced.all), (vec![format!("{name}/m")], true));

        let (said, _, cascade) = asked(format, |s| s.prices = vec![format!("{name}/m 0 0")]).await;
        assert_eq!((said.as_str(), cascade.status()[0].unpriced.models.len()), ("Yes.", 0), "it costs nothing");
        assert_eq!(asked(format, |s| s.prices = vec![format!("{name}/* 1 2")]).await.0, "Yes.");
        let (said, ..) = asked(format, |s| s.prices = vec![format!("{name}/other 1 2")]).await;
        assert_eq!(said, "no_price", "the price of another model");
        assert_eq!(asked(format, unbounded).await.0, "Yes.", "there is no budget to hold");
        let by_task = |s: &mut CascadeSettings| {
            unbounded(s);
            s.budget_task_cents = 1;
        };
        assert_eq!(asked(format, by_task).await.0, "no_price", "any budget counts");
    }
    assert_eq!(asked(Format::Ollama, |_| {}).await.0, "Yes.", "without a key nobody sends a bill");
}

/// A provider called `far` elsewhere; `model` and `key` may be empty.
fn far(stub: &Stub, model: &str, key: &str) -> Arc<dyn Provider> {
    let settings = ApiSettings {
        name: "far".into(),
        place: "remote".into(),
        embed_model: "e".into(),
        ..api("openai", &stub.url, model)
    };
    Arc::new(OpenAi::new(&settings, Secret::new(key.to_owned())).expect("an address"))
}

fn wishes(model: &str) -> ChatRequest {
    ChatRequest { model: Some(model.to_owned()), ..request("x") }
}

// The price of the wished name was looked up, and the configured model was asked instead: any free line was a way around
// the budget.
#[tokio::test]
async fn what_counts_is_the_price_of_the_model_that_is_asked_in_truth() {
    let stub = answering(Format::OpenAi).await;
    let cascade = cascade_of(far(&stub, "big", KEY), |s| s.prices = vec!["far/small 0 0".into()]);
    assert_eq!(said(&cascade, &wishes("far/small")).await, "no_price", "the server would be asked for big");
    let by_line = cascade_of(far(&stub, "big", KEY), |s| {
        s.prices = vec!["far/small 0 0".into()];
        s.models = vec!["chat: far/small".into()];
    });
    assert_eq!(said(&by_line, &request("x")).await, "no_price");
    assert_eq!(posts(&stub), 0);
    let cascade = cascade_of(far(&stub, "big", KEY), |s| s.prices = vec!["far/big 1 1".into()]);
    assert_eq!(said(&cascade, &wishes("far/unheard-of")).await, "Yes.", "big is asked, and has a price");
}

// While nobody knew which model it is, the price of any other one stood for it.
#[tokio::test]
async fn a_model_that_is_not_known_yet_has_not_the_price_of_another() {
    let stub = answering(Format::OpenAi).await;
    let cascade = cascade_of(far(&stub, "", KEY), |s| s.prices = vec!["far/cheap 0 0".into()]);
    assert_eq!((said(&cascade, &request("x")).await.as_str(), posts(&stub)), ("no_price", 0));
    assert_eq!(cascade.status()[0].unpriced.models, ["far/*", "far/e"]);
    let cascade = cascade_of(far(&stub, "", KEY), |s| s.prices = vec!["far/* 1 1".into()]);
    assert_eq!(said(&cascade, &request("x")).await, "Yes.");
}

// From its second call on the name under which the server had answered was looked up, which has no line.
#[tokio::test]
async fn a_model_that_answers_under_another_name_keeps_its_price() {
    let stub = answering(Format::OpenAi).await;
    let cascade = cascade_of(far(&stub, "x-latest", KEY), |s| s.prices = vec!["far/x-latest 1 1".into()]);
    for _ in 0..2 {
        assert_eq!(said(&cascade, &request("x")).await, "Yes.");
    }
    let unpriced = cascade.status()[0].unpriced.clone();
    assert_eq!((unpriced.models, unpriced.all), (vec!["far/e".to_owned()], false), "its vectors have no price");
    assert!(cascade.has_model());
}

// shows: models: one that is there and not asked for want of a price is no model that answers
#[tokio::test]
async fn one_that_is_not_asked_is_no_model_that_answers() {
    let stub = answering(Format::OpenAi).await;
    let (unpriced, free) = (cascade_of(far(&stub, "m", KEY), |_| {}), cascade_of(far(&stub, "m", KEY), unbounded));
    for cascade in [&unpriced, &free] {
        cascade.probe_all(std::time::Duration::from_secs(5)).await;
    }
    assert_eq!((unpriced.has_model(), free.has_model()), (false, true));
}

// shows: models: vectors that are paid for and have no price are not asked for under a budget, and without a key they are
#[tokio::test]
async fn vectors_without_a_price_are_not_asked_for() {
    let vectors = r#"{"data":[{"index":0,"embedding":[1.0,0.0]}],"model":"e","usage":{"prompt_tokens":1}}"#;
    let stub = serving(Act::Write(ok(vectors))).await;
    let texts = [Part { text: "x".into(), sensitivity: Sensitivity::Open, droppable: false }];
    let made = async |key: &str, prices: &[&str]| {
        let prices = prices.iter().map(|line| (*line).to_owned()).collect();
        let cascade = cascade_of(far(&stub, "m", key), |s| s.prices = prices);
        let made = cascade.embed(&texts, None, &patient()).await;
        made.map_or_else(|e| e.attempts[0].failure.word(), |_| "made")
    };
    assert_eq!((made(KEY, &["far/m 1 1"]).await, posts(&stub)), ("no_price", 0));
    assert_eq!(made(KEY, &["far/e 1 0"]).await, "made");
    assert_eq!(made("", &[]).await, "made", "nobody sends a bill");
}
