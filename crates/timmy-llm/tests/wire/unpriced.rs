//! What is asked elsewhere with a key is paid for by somebody: without a price no budget could hold it.

use std::sync::Arc;

use timmy_llm::{Books, BoxFuture, Cascade, CascadeSettings, Leaving, Rules};

use crate::stub::{Act, Stub, lists, ok};
use crate::{Format, patient, request};

/// Books that let everything leave.
struct Open;

impl Books for Open {
    fn enter<'a>(&'a self, _: &'a Leaving) -> BoxFuture<'a, Result<i64, String>> {
        Box::pin(async { Ok(1) })
    }
    fn settle(&self, _: i64, _: u64, _: bool) {}
}

/// How a call of `format` elsewhere ends, and how often it was asked there: a word, or the answer.
async fn asked(format: Format, set: impl FnOnce(&mut CascadeSettings)) -> (String, usize, Cascade) {
    let act = Act::Write(ok(&(format.token("Yes.") + &format.end())));
    let stub = Stub::start("127.0.0.1:0", Box::new(move |path| lists(path).unwrap_or_else(|| vec![act.clone()]))).await;
    let mut settings = CascadeSettings::default();
    set(&mut settings);
    let rules = Rules::of(&settings).expect("rules");
    let cascade = Cascade::with(vec![format.provider(&stub.url, "remote", 10_000)], rules);
    cascade.keep_books(Arc::new(Open));
    let done = cascade.complete(&request("x"), &patient()).await;
    let said = done.map_or_else(|e| e.attempts[0].failure.word().to_owned(), |answer| answer.content);
    let posts = stub.seen().iter().filter(|asked| asked.starts_with("POST")).count();
    (said, posts, cascade)
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
        assert!(cascade.status()[0].unpriced.contains(&line), "{}", cascade.status()[0].unpriced);

        let (said, _, cascade) = asked(format, |s| s.prices = vec![format!("{name}/m 0 0")]).await;
        assert_eq!((said.as_str(), cascade.status()[0].unpriced.as_str()), ("Yes.", ""), "it costs nothing");
        let (said, ..) = asked(format, |s| s.prices = vec![format!("{name}/* 1 2")]).await;
        assert_eq!(said, "Yes.");
        let (said, ..) = asked(format, |s| s.prices = vec![format!("{name}/other 1 2")]).await;
        assert_eq!(said, "no_price", "the price of another model");
        let unbounded = |s: &mut CascadeSettings| {
            (s.budget_day_cents, s.budget_task_cents, s.budget_provider_cents) = (0, 0, 0);
        };
        assert_eq!(asked(format, unbounded).await.0, "Yes.", "there is no budget to hold");
        let by_task = |s: &mut CascadeSettings| {
            unbounded(s);
            s.budget_task_cents = 1;
        };
        assert_eq!(asked(format, by_task).await.0, "no_price", "any budget counts");
    }
    assert_eq!(asked(Format::Ollama, |_| {}).await.0, "Yes.", "without a key nobody sends a bill");
}
