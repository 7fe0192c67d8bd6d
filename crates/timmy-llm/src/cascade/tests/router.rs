//! What the router decides: rests, holds, second tries, races, money, kept answers, and hours in which all stays here.

use timmy_domain::Timestamp;

use super::*;
use crate::ScriptedSettings;
use crate::provider::AGAIN_MARK;
use crate::request::{AnswerFormat, ToolChoice, ToolSpec};

pub(super) fn with(providers: Vec<Arc<dyn Provider>>, change: impl FnOnce(&mut CascadeSettings)) -> Cascade {
    let mut settings = CascadeSettings::default();
    change(&mut settings);
    Cascade::with(providers, Rules::of(&settings).expect("rules"))
}

pub(super) fn replies(count: usize) -> Vec<Step> {
    (0..count).map(|n| Step::Reply(format!("reply {n}"))).collect()
}

pub(super) fn open_request() -> ChatRequest {
    let mut request = request();
    request.messages[0].parts.remove(0);
    request
}

async fn who(cascade: &Cascade) -> Result<String, Vec<(String, &'static str)>> {
    let asked = cascade.complete(&request(), &call(60)).await;
    asked.map(|a| a.provider).map_err(|e| e.attempts.into_iter().map(|a| (a.provider, a.failure.word())).collect())
}

// shows: models: after five failures in a row a model is left alone for a minute, then tried once, then trusted again
#[tokio::test(start_paused = true)]
async fn a_model_that_fails_five_times_is_left_alone_and_comes_back() {
    let mut steps: Vec<Step> = (0..5).map(|_| refused()).collect();
    steps.extend(replies(3));
    let a = scripted("a", steps);
    let cascade = Cascade::new(vec![a.clone()]);
    for _ in 0..5 {
        assert_eq!(who(&cascade).await, Err(vec![("a".into(), "unreachable")]));
    }
    assert_eq!(who(&cascade).await, Err(vec![("a".into(), "resting")]));
    assert_eq!((a.requests().len(), cascade.status()[0].circuit()), (5, "open"));
    let change = &cascade.take_changes()[0];
    assert!(matches!(change, Change::Opened { provider, ms, .. } if provider == "a" && (48_000..=72_000).contains(ms)));
    tokio::time::sleep(Duration::from_secs(73)).await;
    assert_eq!(cascade.status()[0].circuit(), "half_open");
    assert_eq!(who(&cascade).await, Ok("a".into()));
    assert_eq!(who(&cascade).await, Ok("a".into()));
    assert_eq!(cascade.status()[0].circuit(), "closed");
    assert!(matches!(&cascade.take_changes()[..], [Change::Closed { .. }]));
}

// shows: models: a look that finds a server again ends its rest at once
#[tokio::test(start_paused = true)]
async fn r7_what_was_away_is_asked_as_soon_as_a_look_finds_it() {
    let mut steps: Vec<Step> = (0..5).map(|_| refused()).collect();
    steps.extend(replies(1));
    let cascade = Cascade::new(vec![scripted("a", steps)]);
    for _ in 0..5 {
        who(&cascade).await.expect_err("refused");
    }
    assert_eq!(cascade.probe_all(Duration::from_secs(1)).await.len(), 1, "it is there");
    assert_eq!(who(&cascade).await, Ok("a".into()));
}

// shows: models: the time of answers is the mean of answers, and failures do not shorten it
#[tokio::test(start_paused = true)]
async fn r6_the_mean_time_of_an_answer_counts_answers_only() {
    let cascade = Cascade::new(vec![scripted("a", vec![refused(), slow(2), refused(), slow(4)])]);
    for _ in 0..4 {
        let _ = cascade.complete(&request(), &call(60)).await;
    }
    let known = &cascade.status()[0].known[0];
    assert_eq!((known.answer_ms, known.answers, known.failures), (Some(6_000), 2, 2));
}

// shows: models: no credit and no key hold a provider until the day it told, or until its settings change
#[tokio::test(start_paused = true)]
async fn without_credit_nobody_asks_again_before_the_day_that_was_told() {
    let now = Timestamp::from_micros(1_800_000_000_000_000);
    let until = now.plus(Duration::from_secs(3 * 86_400));
    let a = scripted("a", vec![Step::Fail(Failure::Billing { until: Some(until) }), Step::Reply("paid".into())]);
    let cascade = Cascade::new(vec![a.clone()]);
    cascade.set_wall(now);
    assert_eq!(who(&cascade).await, Err(vec![("a".into(), "billing")]));
    tokio::time::sleep(Duration::from_secs(2 * 86_400)).await;
    assert_eq!(who(&cascade).await, Err(vec![("a".into(), "resting")]));
    assert_eq!(cascade.status()[0].circuit(), "open");
    let stored = cascade.store();
    let again = |made_of: u64| {
        let rules = Rules { made_of: [("a".to_owned(), made_of)].into(), ..Rules::default() };
        let cascade = Cascade::with(vec![scripted("a", replies(1))], rules);
        cascade.restore(&stored, Duration::from_secs(3_600));
        cascade
    };
    assert_eq!(who(&again(0)).await, Err(vec![("a".into(), "resting")]), "a restart changes nothing");
    assert_eq!(who(&again(7)).await, Ok("a".into()), "other settings do");
    tokio::time::sleep(Duration::from_secs(86_401)).await;
    assert_eq!(who(&cascade).await, Ok("a".into()));
}

// shows: models: circuits and speeds outlive a restart
#[tokio::test(start_paused = true)]
async fn a_restart_forgets_neither_a_rest_nor_a_speed() {
    let mut steps = vec![slow(2)];
    steps.extend((0..5).map(|_| refused()));
    let cascade = Cascade::new(vec![scripted("a", steps)]);
    for _ in 0..6 {
        let _ = who(&cascade).await;
    }
    let next = Cascade::new(vec![scripted("a", replies(9))]);
    next.restore(&cascade.store(), Duration::from_secs(10));
    let (before, after) = (&cascade.status()[0].known[0], &next.status()[0].known[0]);
    assert_eq!((after.model.as_str(), after.circuit.name(), after.answers), ("script", "open", 1));
    assert_eq!(after.speeds, before.speeds);
    assert_eq!(after.opens_in_ms, before.opens_in_ms - 10_000);
}

// shows: models: a busy provider is asked again when it said, within the one deadline
#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_when_the_call_has_the_time() {
    let busy = |seconds| Step::Fail(Failure::RateLimited { retry_after: Some(Duration::from_secs(seconds)) });
    let cascade =
        Cascade::new(vec![scripted("a", vec![busy(7), Step::Reply("now".into())]), scripted("b", vec![refused()])]);
    let answer = cascade.complete(&request(), &call(20)).await.expect("a second try");
    assert_eq!((answer.provider.as_str(), answer.duration_ms, answer.attempts.len()), ("a", 7_000, 2));
    let cascade = Cascade::new(vec![scripted("a", vec![busy(11), Step::Reply("late".into())])]);
    let error = cascade.complete(&request(), &call(20)).await.expect_err("that would leave too little");
    assert_eq!(error.attempts.len(), 1);
    let other = cascade.complete(&request(), &call(5)).await.expect_err("it is not bothered meanwhile");
    assert_eq!(names(&other), [("a", &Failure::RateLimited { retry_after: Some(Duration::from_secs(11)) })]);
    let error = Failure::ServerError { status: 500 };
    let flaky =
        Cascade::new(vec![scripted("a", vec![Step::Fail(error.clone()), Step::Fail(error), Step::Reply("x".into())])]);
    let answer = flaky.complete(&request(), &call(20)).await.expect("the third try");
    assert_eq!((answer.attempts.len(), answer.duration_ms), (2, 1_500));
}

// shows: models: an answer that must call a tool and calls none is a failure, and its words are shown to nobody
#[tokio::test(start_paused = true)]
async fn an_answer_without_the_tool_it_had_to_call_is_none() {
    let called = ToolCall { id: "1".into(), name: "look".into(), arguments: "{}".into() };
    let a = scripted("a", vec![Step::Reply("I would rather talk".into()), Step::Reply("still".into())]);
    let cascade = Cascade::new(vec![a, scripted("b", vec![Step::Tool(vec![called.clone()])])]);
    let mut request = request();
    request.tools =
        vec![ToolSpec { name: "look".into(), description: String::new(), parameters: serde_json::json!({}) }];
    request.sampling.tool_choice = ToolChoice::Named("look".into());
    let (to, mut from) = mpsc::channel(8);
    let answer = cascade.complete(&request, &Call { deltas: Some(to), ..call(20) }).await.expect("b calls it");
    assert_eq!((answer.tool_calls, names_of(&answer.attempts)), (vec![called], vec!["tool_not_called"]));
    assert_eq!(from.recv().await, None);
    assert_eq!(cascade.status()[0].circuit(), "closed", "it is not ill");
}

pub(super) fn names_of(attempts: &[Attempt]) -> Vec<&'static str> {
    attempts.iter().map(|a| a.failure.word()).collect()
}

// shows: models: where the caller allows it, a broken answer begins again with another model, behind a mark
#[tokio::test(start_paused = true)]
async fn a_broken_answer_begins_again_behind_a_mark_when_the_caller_allows_it() {
    let broken = || Arc::new(Broken(ProviderInfo { name: "a".into(), kind: "x", place: Place::Local }));
    let cascade =
        Cascade::new(vec![broken(), scripted("b", vec![Step::Reply("whole".into())]), Arc::new(Reflex::new("m"))]);
    let manner = Manner { again_after_break: true, ..Manner::default() };
    let (to, mut from) = mpsc::channel(64);
    let asked = Call { deltas: Some(to), manner, ..call(30) };
    let answer = cascade.complete(&request(), &asked).await.expect("b answers");
    drop(asked);
    let mut heard = String::new();
    while let Some(piece) = from.recv().await {
        heard.push_str(&piece);
    }
    assert_eq!(answer.content, format!("half{AGAIN_MARK}whole"));
    assert!(answer.restarted && heard == answer.content, "{heard}");
    let cascade = Cascade::new(vec![broken(), scripted("b", replies(1))]);
    let (to, _reader) = mpsc::channel(64);
    let asked = Call { deltas: Some(to), ..call(30) };
    assert_eq!(cascade.complete(&request(), &asked).await.expect_err("not allowed").partial, "half");
}

// shows: models: an answer that breaks off before anybody has read of it is begun by the next model, without a mark
#[tokio::test(start_paused = true)]
async fn words_that_nobody_has_read_hold_nobody_up() {
    let broken = || Arc::new(Broken(ProviderInfo { name: "a".into(), kind: "x", place: Place::Local }));
    let cascade = Cascade::new(vec![broken(), scripted("b", vec![Step::Reply("whole".into())])]);
    let answer = cascade.complete(&request(), &call(30)).await.expect("b answers");
    assert_eq!((answer.content.as_str(), answer.provider.as_str(), answer.restarted), ("whole", "b", false));
    assert_eq!(names_of(&answer.attempts), ["timeout_stall"]);
    // Words came until the very end: nobody is asked without time, and nobody is blamed for that.
    let b = scripted("b", vec![Step::Reply("late".into())]);
    let cascade = Cascade::new(vec![scripted("a", vec![slow(20)]), b.clone(), Arc::new(Reflex::new("m"))]);
    let answer = cascade.complete(&request(), &call(30)).await.expect("reflex answers");
    assert_eq!((answer.place, answer.attempts.len(), b.requests().len()), (Place::Reflex, 2, 0));
    assert_eq!(cascade.status()[1].failures, 0);
}

/// Says half of an answer and breaks off.
struct Broken(ProviderInfo);

impl Provider for Broken {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }
    fn chat<'a>(&'a self, _: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        let mut deltas = crate::deltas::Deltas::new(call.deltas.clone());
        deltas.push("half");
        Box::pin(async { Err(Failure::Timeout { stage: Stage::Stall }) })
    }
    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(async { Ok(Health::default()) })
    }
}

// shows: models: while you wait, a second provider may be asked as well; the first word wins and the other is dropped
#[tokio::test(start_paused = true)]
async fn the_first_word_wins_and_the_other_one_is_dropped() {
    let late = |chunks: &[&str], every| Step::Slow { chunks: chunks.iter().map(|c| (*c).to_owned()).collect(), every };
    let second = Duration::from_secs(1);
    let manner = Manner { interactive: true, ..Manner::default() };
    let race = |a: Step, b: Step| with(vec![scripted("a", vec![a]), scripted("b", vec![b])], |s| s.hedge_ms = 500);
    let ask = async |cascade: &Cascade, manner: &Manner| {
        let (to, mut from) = mpsc::channel(64);
        let asked = Call { deltas: Some(to), manner: manner.clone(), ..call(60) };
        let answer = cascade.complete(&request(), &asked).await.expect("an answer");
        drop(asked);
        let mut heard = String::new();
        while let Some(piece) = from.recv().await {
            heard.push_str(&piece);
        }
        assert_eq!(heard, answer.content, "the reader hears one of them");
        (answer.provider, answer.duration_ms)
    };
    let cascade = race(Step::Hang, late(&["b ", "b"], second));
    assert_eq!(ask(&cascade, &manner).await, ("b".into(), 2_500));
    let path: Vec<_> = cascade.recent()[0].path.iter().map(|s| (s.provider.clone(), s.word)).collect();
    assert_eq!(path, [("a".to_owned(), "outrun"), ("b".to_owned(), "answered")]);
    assert_eq!(cascade.status()[0].failures, 0, "being outrun is no failure");
    let begun = race(late(&["a ", "a"], second), Step::Reply("b".into()));
    assert_eq!(ask(&begun, &manner).await, ("a".into(), 2_000), "the second one is not asked once a word was said");
    let unasked = race(late(&["a"], second), Step::Reply("b".into()));
    assert_eq!(ask(&unasked, &Manner::default()).await.0, "a", "nobody waits, so nobody races");
    let failing = race(refused(), Step::Reply("b".into()));
    assert_eq!(ask(&failing, &manner).await, ("b".into(), 0), "a failure needs no race");
}

/// What left, with what it cost and whether that was counted, once known.
pub(super) type Line = (money::Leaving, Option<(u64, bool)>);

/// Books that allow so much and write down all of it.
#[derive(Default)]
pub(super) struct Till {
    pub(super) left: Mutex<u64>,
    pub(super) lines: Mutex<Vec<Line>>,
}

impl Books for Till {
    fn enter<'a>(&'a self, leaving: &'a money::Leaving) -> BoxFuture<'a, Result<i64, String>> {
        Box::pin(async move {
            let mut left = lock(&self.left);
            *left = left.checked_sub(leaving.reserved_micros).ok_or("the budget of today is used up")?;
            let mut lines = lock(&self.lines);
            lines.push((leaving.clone(), None));
            Ok(i64::try_from(lines.len() - 1).expect("few"))
        })
    }
    fn extend<'a>(&'a self, line: i64, more_micros: u64, _: money::Caps) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let mut left = lock(&self.left);
            *left = left.checked_sub(more_micros).ok_or("the budget of today is used up")?;
            lock(&self.lines)[usize::try_from(line).expect("a line")].0.reserved_micros += more_micros;
            Ok(())
        })
    }
    fn settle(&self, line: i64, cost_micros: u64, answered: bool) {
        let mut lines = lock(&self.lines);
        let (leaving, settled) = &mut lines[usize::try_from(line).expect("a line")];
        *lock(&self.left) += leaving.reserved_micros - cost_micros;
        *settled = Some((cost_micros, answered));
    }
}

// shows: models: cost is reserved before a call and settled after it; a budget that is used up leaves the local model
#[tokio::test(start_paused = true)]
async fn money_is_reserved_before_and_settled_after_and_local_is_the_floor() {
    let far = Arc::new(Scripted::script(replies(3)).named("far").at(Place::Remote));
    let cascade = with(vec![far.clone(), scripted("near", replies(3))], |s| s.prices = vec!["far/* 1 100".into()]);
    assert_eq!(cascade.complete(&open_request(), &call(9)).await.map(|a| a.provider), Ok("near".into()), "no books");
    let till = Arc::new(Till { left: Mutex::new(10_100), ..Till::default() });
    cascade.keep_books(till.clone());
    let answer = cascade.complete(&open_request(), &call(9)).await.expect("far answers");
    assert_eq!(answer.provider, "far");
    assert!(answer.cost_micros > 0 && answer.cost_micros < 1_000, "{}", answer.cost_micros);
    let lines = lock(&till.lines).clone();
    assert_eq!((lines.len(), lines[0].1), (1, Some((answer.cost_micros, true))));
    assert_eq!((lines[0].0.bytes, lines[0].0.provider.as_str()), (5, "far"));
    let answer = cascade.complete(&open_request(), &call(9)).await.expect("near answers");
    assert_eq!((answer.provider.as_str(), answer.attempts[0].failure.word()), ("near", "budget"));
    assert_eq!(far.requests().len(), 1);
}

// shows: models: offline, and for an hour at one key, no provider elsewhere is asked, looked for or finished
#[tokio::test(start_paused = true)]
async fn an_hour_in_which_all_stays_here() {
    let far = Arc::new(Scripted::script(vec![Step::Hang, Step::Reply("far".into())]).named("far").at(Place::Remote));
    let cascade = Cascade::new(vec![far.clone(), scripted("near", replies(3))]);
    let (request, asked) = (open_request(), call(60));
    let going = cascade.complete(&request, &asked);
    let key = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cascade.keep_local(Some(Duration::from_secs(3_600)));
    };
    let answer = tokio::join!(going, key).0.expect("near answers");
    assert_eq!(
        (answer.provider.as_str(), answer.duration_ms, names_of(&answer.attempts)),
        ("near", 1_000, vec!["privacy"])
    );
    assert_eq!(cascade.complete(&request, &call(60)).await.map(|a| a.provider), Ok("near".into()));
    assert_eq!((far.requests().len(), cascade.probe_all(Duration::from_secs(1)).await.len()), (1, 1));
    assert_eq!(cascade.explain(&request)[0].failure.word(), "privacy");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!((cascade.local_for(), cascade.explain(&request)[0].failure.word()), (None, "nothing_to_say"));
    assert_eq!(cascade.complete(&request, &call(60)).await.map(|a| a.provider), Ok("far".into()));
    let offline = with(vec![far], |s| s.offline = true);
    assert_eq!(names_of(&offline.complete(&request, &call(9)).await.expect_err("offline").attempts), ["privacy"]);
}

// shows: models: the same question without tools and without chance is answered from what was kept
#[tokio::test(start_paused = true)]
async fn the_same_question_without_chance_is_answered_once() {
    let a = scripted("a", replies(9));
    let cascade = Cascade::new(vec![a.clone()]);
    let mut asked = ChatRequest { temperature: Some(0.0), ..request() };
    let ask = async |request: &ChatRequest| cascade.complete(request, &call(9)).await.map(|a| (a.content, a.cached));
    assert_eq!(ask(&asked).await, Ok(("reply 0".into(), false)));
    assert_eq!(ask(&asked).await, Ok(("reply 0".into(), true)));
    asked.messages[0].parts[0].sensitivity = Sensitivity::Open;
    assert_eq!(ask(&asked).await, Ok(("reply 1".into(), false)), "other labels are another question");
    asked.sampling.format = AnswerFormat::Json;
    assert_eq!(ask(&asked).await, Ok(("reply 2".into(), false)));
    assert_eq!(ask(&request()).await.map(|a| a.1), Ok(false), "chance is part of it");
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    assert_eq!(ask(&asked).await.map(|a| a.1), Ok(false), "too old");
    assert_eq!(cascade.recent().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn the_owner_switches_off_resets_and_orders() {
    let cascade = Cascade::new(vec![scripted("a", replies(9)), scripted("b", replies(9)), Arc::new(Reflex::new("m"))]);
    assert!(cascade.control("a", Control::Disable) && !cascade.control("nobody", Control::Disable));
    assert_eq!(who(&cascade).await, Ok("b".into()));
    assert!(cascade.control("a", Control::Enable));
    assert_eq!(who(&cascade).await, Ok("a".into()));
    cascade.set_order(&["reflex".into(), "b".into()]);
    assert_eq!(who(&cascade).await, Ok("b".into()));
    assert_eq!(cascade.status().iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["b", "a", "reflex"]);
    let wished = ChatRequest { model: Some("a/script".into()), ..request() };
    assert_eq!(cascade.complete(&wished, &call(9)).await.map(|a| a.provider), Ok("a".into()), "asked for by name");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_gives_its_place_back() {
    let mut steps: Vec<Step> = (0..5).map(|_| refused()).collect();
    steps.extend([Step::Hang, Step::Reply("well".into())]);
    let cascade = Cascade::new(vec![scripted("a", steps)]);
    for _ in 0..5 {
        who(&cascade).await.expect_err("refused");
    }
    tokio::time::sleep(Duration::from_secs(73)).await;
    let asking = cascade.clone();
    let hanging = tokio::spawn(async move { asking.complete(&request(), &call(60)).await });
    tokio::task::yield_now().await;
    assert_eq!(who(&cascade).await, Err(vec![("a".into(), "resting")]), "one at a time");
    hanging.abort();
    let _ = hanging.await;
    assert_eq!(who(&cascade).await, Ok("a".into()));
}

// shows: models: traffic can be recorded, without what must stay here, and asked back
#[tokio::test(start_paused = true)]
async fn a_record_is_asked_back_and_holds_nothing_that_must_stay_here() {
    let path = std::env::temp_dir().join(format!("timmy-record-{}.jsonl", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let rules = Rules { recorder: Some(crate::Recorder::open(&path).expect("a record")), ..Rules::default() };
    let cascade = Cascade::with(vec![scripted("a", replies(9))], rules);
    cascade.complete(&open_request(), &call(9)).await.expect("an answer");
    cascade.complete(&request(), &call(9)).await.expect("an answer");
    let text = std::fs::read_to_string(&path).expect("a record");
    assert_eq!((text.lines().count(), text.contains("private"), text.contains("reply 1")), (2, false, false));
    let replay = Cascade::new(vec![Arc::new(record::Replay::open(&path).expect("a record"))]);
    assert_eq!(replay.complete(&open_request(), &call(9)).await.map(|a| a.content), Ok("reply 0".into()));
    assert_eq!(
        names_of(&replay.complete(&request(), &call(9)).await.expect_err("not there").attempts),
        ["unsupported"]
    );
    std::fs::remove_file(&path).expect("it was there");
}

/// Says nothing for `before`, then one word.
pub(super) fn hesitant(before: Duration) -> Step {
    Step::Slow { chunks: vec![String::new(), "well".into(), String::new()], every: before }
}

// shows: models: a model that became slower than it was is given more time, and is not given up for ever
#[tokio::test(start_paused = true)]
async fn a_model_that_became_slower_is_learned_anew() {
    let ms = Duration::from_millis;
    let mut steps: Vec<Step> = (0..10).map(|_| hesitant(ms(100))).collect();
    steps.extend((0..60).map(|_| hesitant(ms(9_000))));
    let cascade = Cascade::new(vec![scripted("a", steps), scripted("b", replies(90))]);
    for _ in 0..10 {
        assert_eq!(who(&cascade).await, Ok("a".into()));
    }
    let mut times = 0;
    while who(&cascade).await != Ok("a".into()) {
        times += 1;
        assert!(times < 40, "it would answer after 9 s of 60, and is given up each time");
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert!(times > 0, "it was too slow at first");
}

// shows: models: one that would not be asked takes no time from those before it
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_sake_of_one_that_would_not_be_asked() {
    let settings = ScriptedSettings { replies: vec!["late".into()], delay_ms: 40_000, ..ScriptedSettings::default() };
    let late = || Arc::new(Scripted::new(&settings).named("a"));
    let far = Arc::new(Scripted::script(replies(1)).named("far").at(Place::Remote));
    let mut private = request();
    private.messages[0].parts[0].droppable = false;
    let cascade = Cascade::new(vec![late(), far.clone()]);
    assert_eq!(cascade.complete(&private, &call(60)).await.map(|a| a.provider), Ok("a".into()), "it may not read this");
    let cascade = Cascade::new(vec![late(), scripted("off", replies(1)), far]);
    cascade.control("off", Control::Disable);
    cascade.keep_local(Some(Duration::from_secs(3_600)));
    assert_eq!(who(&cascade).await, Ok("a".into()), "one is switched off, and all stays here");
    let cascade = Cascade::new(vec![late(), scripted("b", vec![Step::Reply("b".into())])]);
    assert_eq!(who(&cascade).await, Ok("b".into()), "one that would be asked has its half");
}

// shows: models: nobody is told that another model begins again when none does
#[tokio::test(start_paused = true)]
async fn no_mark_is_set_when_nobody_begins_again() {
    let broken = Arc::new(Broken(ProviderInfo { name: "a".into(), kind: "x", place: Place::Local }));
    let cascade = Cascade::new(vec![broken, scripted("b", replies(1))]);
    cascade.control("b", Control::Disable);
    let manner = Manner { again_after_break: true, ..Manner::default() };
    let (to, mut from) = mpsc::channel(64);
    let asked = Call { deltas: Some(to), manner, ..call(30) };
    assert_eq!(cascade.complete(&request(), &asked).await.expect_err("it broke off").partial, "half");
    drop(asked);
    assert_eq!((from.recv().await, from.recv().await), (Some("half".to_owned()), None));
}

// shows: models: an answer under another name than it was asked by, and one that broke off unheard, are paid
#[tokio::test(start_paused = true)]
async fn nothing_that_was_made_elsewhere_is_free_by_mistake() {
    /// Answers as a dated edition, or thinks aloud and breaks off.
    struct Far(ProviderInfo, bool);
    impl Provider for Far {
        fn info(&self) -> &ProviderInfo {
            &self.0
        }
        fn chat<'a>(&'a self, _: &'a ChatRequest, call: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
            let mut deltas = crate::deltas::Deltas::new(call.deltas.clone());
            deltas.begin();
            let usage = Usage { prompt_tokens: 10, completion_tokens: 0 };
            let (content, model, finish) = ("well".to_owned(), "m-2026-08-01".to_owned(), Finish::Stop);
            let done = Completion { content, tool_calls: Vec::new(), model, usage, finish };
            let broke = Failure::Malformed { what: "the answer broke off".into() };
            let done = if self.1 { Err(broke) } else { Ok(done) };
            Box::pin(async move {
                tokio::task::yield_now().await;
                done
            })
        }
        fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
            let model = "m".to_owned();
            Box::pin(async { Ok(Health { models: vec![model.clone()], version: None, model_in_use: model }) })
        }
    }
    for (breaks, expected) in [(false, Some((10_000_000, true))), (true, Some((104_000_000, false)))] {
        let far = Far(ProviderInfo { name: "far".into(), kind: "x", place: Place::Remote }, breaks);
        let cascade = with(vec![Arc::new(far), scripted("near", replies(3))], |s| {
            s.prices = vec!["far/m 1000000 1000000".into()];
        });
        let till = Arc::new(Till { left: Mutex::new(1_000_000_000), ..Till::default() });
        cascade.keep_books(till.clone());
        cascade.probe_all(Duration::from_secs(1)).await;
        cascade.complete(&open_request(), &call(9)).await.expect("an answer");
        let lines = lock(&till.lines);
        let asked = lines.iter().find(|(line, _)| line.why != LOOK).expect("a question");
        assert_eq!(asked.1, expected, "breaks off: {breaks}");
    }
}

// shows: models: what reflex said is never played back as the words of a model
#[tokio::test(start_paused = true)]
async fn reflex_is_not_played_back() {
    let path = std::env::temp_dir().join(format!("timmy-reflex-{}.jsonl", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let rules = Rules { recorder: Some(crate::Recorder::open(&path).expect("a record")), ..Rules::default() };
    let cascade = Cascade::with(vec![Arc::new(Reflex::new("m"))], rules);
    let answer = cascade.complete(&open_request(), &call(9)).await.expect("reflex answers");
    assert_eq!(answer.place, Place::Reflex);
    let replay = Cascade::new(vec![Arc::new(record::Replay::open(&path).expect("a record"))]);
    let error = replay.complete(&open_request(), &call(9)).await.expect_err("no model ever answered this");
    assert_eq!(names_of(&error.attempts), ["unsupported"]);
    std::fs::remove_file(&path).expect("it was there");
}

// shows: models: who wants to hear one provider alone is not given what another one said before
#[tokio::test(start_paused = true)]
async fn what_is_kept_is_not_given_for_one_that_is_asked_alone() {
    let cascade = Cascade::new(vec![scripted("a", replies(1)), scripted("b", vec![Step::Reply("b".into())])]);
    let asked = ChatRequest { temperature: Some(0.0), ..request() };
    assert_eq!(cascade.complete(&asked, &call(9)).await.map(|a| a.provider), Ok("a".into()));
    let manner = Manner { only: Some("b".into()), ..Manner::default() };
    let answer = cascade.complete(&asked, &Call { manner, ..call(9) }).await.expect("b answers");
    assert_eq!((answer.provider.as_str(), answer.cached), ("b", false));
}

// shows: models: tools count among what a request costs and how long it is
#[tokio::test(start_paused = true)]
async fn tools_are_part_of_how_long_a_request_is() {
    let mut long = request();
    let plain = Needs::of(&long).prompt_tokens;
    let parameters = serde_json::json!({ "type": "object", "description": "x".repeat(4_000) });
    long.tools = vec![ToolSpec { name: "look".into(), description: "y".repeat(400), parameters }];
    assert!(Needs::of(&long).prompt_tokens > plain + 1_100, "{:?}", Needs::of(&long));
}
