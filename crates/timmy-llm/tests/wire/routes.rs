//! No way of the router leads out for what must stay here: not by a fallback, a race, a second try, a kept answer, a
//! wish for a model, a new beginning after a break, a kept connection, a look, or to become a vector; and whatever does
//! leave stands in the books.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use timmy_domain::Sensitivity;
use timmy_domain::thought::Place;
use timmy_llm::{
    Books, BoxFuture, Call, Cascade, CascadeSettings, ChatRequest, Failure, LOOK, Leaving, Manner, Provider, Reflex,
    Rules, Scripted, Stage, Step, ToolCall, ToolChoice,
};
use tokio::runtime::Runtime;

use crate::kept::{Server, Then};
use crate::privacy::{Piece, any_message, build};
use crate::stub::{Act, Stub, chatting, ok};
use crate::{FORMATS, Format, call};

/// How a local model behaves.
#[derive(Clone, Copy, Debug)]
enum Near {
    Answers,
    Refuses,
    Fails,
    Hangs,
    Busy,
    BreaksOff,
    Calls,
}

/// One policy with one request.
#[derive(Clone, Debug)]
struct Case {
    messages: Vec<(u8, Vec<Piece>, bool)>,
    near: Vec<Near>,
    order: u8,
    offline: bool,
    local_hour: u8,
    hedge: bool,
    manner: (bool, bool),
    sure: bool,
    tool: bool,
    wish: u8,
    times: usize,
    /// Whether the near model stands behind a socket, whose connections are kept.
    wired: bool,
}

fn any_case() -> impl Strategy<Value = Case> {
    let near = prop_oneof![
        Just(Near::Answers),
        Just(Near::Refuses),
        Just(Near::Fails),
        Just(Near::Hangs),
        Just(Near::Busy),
        Just(Near::BreaksOff),
        Just(Near::Calls),
    ];
    let flag = proptest::bool::weighted;
    let what = (proptest::collection::vec(any_message(), 0..5), proptest::collection::vec(near, 0..6), 0..8_u8);
    let manner = (flag(0.5), flag(0.5), flag(0.3));
    let policy = (flag(0.1), 0..10_u8, flag(0.5), manner, flag(0.5), flag(0.2), 0..5_u8, 1..3_usize);
    (what, policy).prop_map(
        |((messages, near, order), (offline, local_hour, hedge, manner, sure, tool, wish, times))| Case {
            messages,
            near,
            order,
            offline,
            local_hour,
            hedge,
            manner: (manner.0, manner.1),
            wired: manner.2,
            sure,
            tool,
            wish,
            times,
        },
    )
}

impl Near {
    fn step(self) -> Step {
        match self {
            Self::Answers => Step::Reply("near".to_owned()),
            Self::Refuses => Step::Fail(Failure::Unreachable { what: "nobody listens".to_owned() }),
            Self::Fails => Step::Fail(Failure::ServerError { status: 500 }),
            Self::Hangs => Step::Slow { chunks: vec!["slow".to_owned()], every: Duration::from_millis(5) },
            Self::Busy => Step::Fail(Failure::RateLimited { retry_after: Some(Duration::ZERO) }),
            Self::BreaksOff => Step::Fail(Failure::Timeout { stage: Stage::Stall }),
            Self::Calls => {
                Step::Tool(vec![ToolCall { id: "1".to_owned(), name: "look".to_owned(), arguments: "{}".to_owned() }])
            }
        }
    }
}

impl Case {
    fn request(&self) -> ChatRequest {
        let mut request = build(self.messages.clone());
        request.temperature = self.sure.then_some(0.0);
        let wish = [None, Some("api/m"), Some("ollama/m"), Some("m"), Some("LOCAL-model:7b")];
        request.model = wish.get(usize::from(self.wish)).copied().flatten().map(str::to_owned);
        if self.tool {
            request.sampling.tool_choice = ToolChoice::Required;
        }
        request
    }

    fn cascade(&self, far: &[(Stub, Arc<dyn Provider>)], wired: &Arc<dyn Provider>) -> Cascade {
        let scripted = || Arc::new(Scripted::script(self.near.iter().map(|n| n.step()).collect()));
        let near = if self.wired { Arc::clone(wired) } else { scripted() };
        let mut all = vec![near];
        all.extend(far.iter().map(|(_, provider)| Arc::clone(provider)));
        all.rotate_left(usize::from(self.order % 4));
        if self.order > 3 {
            all.swap(0, 1);
        }
        all.push(Arc::new(Reflex::new("m")));
        let settings =
            CascadeSettings { offline: self.offline, hedge_ms: u64::from(self.hedge), ..CascadeSettings::default() };
        let cascade = Cascade::with(all, Rules::of(&settings).expect("rules"));
        if self.local_hour == 0 {
            cascade.keep_local(Some(Duration::from_secs(60)));
        }
        cascade
    }

    /// Asks, and says how many requests reached a machine elsewhere.
    async fn check(&self, far: &[(Stub, Arc<dyn Provider>)], near: &Arc<dyn Provider>) -> Result<usize, TestCaseError> {
        let (cascade, mut request) = (self.cascade(far, near), self.request());
        let books = Arc::new(Lines::default());
        cascade.keep_books(books.clone());
        let (interactive, again_after_break) = self.manner;
        let manner = Manner { interactive, again_after_break, ..Manner::default() };
        for _ in 0..self.times {
            cascade.probe_all(Duration::from_secs(2)).await;
            let _ = cascade.complete(&request, &Call { manner: manner.clone(), ..call(2_000) }).await;
            let texts: Vec<_> = request.messages.iter().flat_map(|m| m.parts.clone()).collect();
            let _ = cascade.embed(&texts, None, &call(2_000)).await;
            // The same words once more, none of which may leave any longer.
            for part in request.messages.iter_mut().flat_map(|m| &mut m.parts) {
                if part.sensitivity == Sensitivity::Open {
                    part.sensitivity = Sensitivity::LocalOnly;
                    part.text = format!("LOCAL {}", part.text);
                }
            }
        }
        let mut reached = 0;
        let booked = std::mem::take(&mut *books.0.lock().expect("not poisoned"));
        for (stub, provider) in far {
            let (looked, questions): (Vec<_>, Vec<_>) = booked
                .iter()
                .filter(|(host, _)| stub.url.ends_with(host.as_str()) && *host == provider.host())
                .partition(|(_, why)| *why == LOOK);
            let mut asked_here = 0;
            for asked in stub.take_seen() {
                let told = asked.contains("LOCAL");
                prop_assert!(!told, "left this machine: {}", asked);
                prop_assert!(!self.offline && self.local_hour != 0, "asked although everything stays here: {}", asked);
                prop_assert!(looked.len() == 1, "{} looks stand in the books: {}", looked.len(), asked);
                asked_here += usize::from(asked.starts_with("POST"));
            }
            prop_assert!(asked_here <= questions.len(), "{} of {} stand in the books", questions.len(), asked_here);
            reached += asked_here;
        }
        Ok(reached)
    }
}

/// Books that only write down: to which host, and what for.
#[derive(Default)]
struct Lines(Mutex<Vec<(String, &'static str)>>);

impl Books for Lines {
    fn enter<'a>(&'a self, leaving: &'a Leaving) -> BoxFuture<'a, Result<i64, String>> {
        self.0.lock().expect("not poisoned").push((leaving.host.clone(), leaving.why));
        Box::pin(async { Ok(1) })
    }
    fn settle(&self, _: i64, _: u64, _: bool) {}
}

/// Servers on real sockets that pose as being elsewhere.
fn far(runtime: &Runtime) -> Vec<(Stub, Arc<dyn Provider>)> {
    let server = |format: Format| {
        let stub = runtime.block_on(chatting(vec![Act::Write(ok(&(format.token("far") + &format.end())))]));
        let provider = format.provider(&stub.url, "remote", 10_000);
        assert_eq!(provider.info().place, Place::Remote);
        (stub, provider)
    };
    FORMATS.into_iter().map(server).collect()
}

/// Strands side by side, each with its own far servers: a case mostly waits for its second tries.
const STRANDS: u32 = 10;

fn no_way_leads_out(cases: u32) {
    let reached: usize = std::thread::scope(|scope| {
        let strands: Vec<_> = (0..STRANDS).map(|_| scope.spawn(|| strand(cases / STRANDS))).collect();
        strands.into_iter().map(|strand| strand.join().unwrap_or_else(|why| std::panic::resume_unwind(why))).sum()
    });
    assert!(reached > usize::try_from(cases / 20).expect("a number"), "the way out was tried: {reached}");
}

/// Tries `cases`, and says how many requests reached a machine elsewhere.
fn strand(cases: u32) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let far = far(&runtime);
    // One connection after the other is kept for the next cases, until the server ends it unasked.
    let ends = |_, asked| if asked < 3 { Then::Answer } else { Then::AnswerAndClose };
    let server = runtime.block_on(Server::start(Format::OpenAi, ends));
    let near = Format::OpenAi.provider(&server.url, "", 10_000);
    let reached = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(cases), |(case in any_case())| {
        // What the case before gave up may still be on its way to the servers of all: where nothing may come, others listen.
        let own = (case.offline || case.local_hour == 0).then(|| self::far(&runtime));
        reached.set(reached.get() + runtime.block_on(case.check(own.as_ref().unwrap_or(&far), &near))?);
    });
    let chats = server.chats();
    assert!(chats.windows(2).any(|two| two[0] == two[1]), "a connection was used again");
    reached.get()
}

// shows: models: no labelled word reaches another machine by a fallback, a race, a second try, a kept answer or connection, a look or to become a vector, and what leaves stands in the ledger
#[test]
fn no_way_of_the_router_leads_out() {
    no_way_leads_out(500);
}

#[test]
#[ignore = "long: ten thousand policies over real sockets; make test-long runs it"]
fn ten_thousand_ways_of_the_router_and_none_leads_out() {
    no_way_leads_out(10_000);
}
