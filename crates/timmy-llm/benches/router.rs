//! What the router costs: deciding and bookkeeping at 1,000 calls a second, and getting from a port where nobody listens
//! to the next provider. Run with `cargo bench -p timmy-llm --bench router`. Lines that begin with `figure` go into
//! docs/performance.md.
//!
//! The provider that answers does so at once and within the process, so the time of a call is the router's own.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::unwrap_used, reason = "a failed measurement should stop")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use timmy_domain::Sensitivity;
use timmy_domain::thought::Place;
use timmy_llm::{
    BoxFuture, Brief, Call, Cascade, CascadeSettings, ChatMessage, ChatRequest, Completion, Control, Failure, Finish,
    Health, Ollama, OllamaSettings, Part, Provider, ProviderInfo, Role, Rules, Sampling, TaskClass, Usage,
};
use tokio_util::sync::CancellationToken;

/// Calls that are measured, at [`RATE`] a second.
const CALLS: usize = 10_000;
/// Calls a second.
const RATE: u64 = 1_000;
/// Calls that find nobody at a port first.
const REFUSED: usize = 500;

/// Answers, or fails, at once.
struct AtOnce(ProviderInfo, bool);

impl Provider for AtOnce {
    fn info(&self) -> &ProviderInfo {
        &self.0
    }
    fn chat<'a>(&'a self, _: &'a ChatRequest, _: &'a Call) -> BoxFuture<'a, Result<Completion, Failure>> {
        let usage = Usage { prompt_tokens: 1_000, completion_tokens: 10 };
        let done = Completion {
            content: "Yes.".to_owned(),
            tool_calls: vec![],
            model: "m".to_owned(),
            usage,
            finish: Finish::Stop,
        };
        let done = if self.1 { Ok(done) } else { Err(Failure::Unreachable { what: "nobody listens".to_owned() }) };
        Box::pin(std::future::ready(done))
    }
    fn probe(&self, _: Duration) -> BoxFuture<'_, Result<Health, Failure>> {
        Box::pin(std::future::ready(Ok(Health::default())))
    }
}

fn at_once(name: &str, place: Place, answers: bool) -> Arc<dyn Provider> {
    Arc::new(AtOnce(ProviderInfo { name: name.to_owned(), kind: "bench", place }, answers))
}

/// Ten messages, 4 KiB together, some of which must stay here.
fn request() -> ChatRequest {
    let message = |n: usize| ChatMessage {
        role: if n.is_multiple_of(2) { Role::User } else { Role::Assistant },
        parts: vec![Part {
            text: "a few words of ordinary length ".repeat(13),
            sensitivity: if n == 3 { Sensitivity::LocalOnly } else { Sensitivity::Open },
            droppable: false,
        }],
        tool_calls: vec![],
        tool_call_id: None,
        images: vec![],
    };
    ChatRequest {
        messages: (0..10).map(message).collect(),
        tools: vec![],
        class: TaskClass::Chat,
        max_tokens: 100,
        temperature: None,
        model: None,
        sampling: Sampling::default(),
        brief: Brief::default(),
    }
}

fn call() -> Call {
    Call::until(tokio::time::Instant::now() + Duration::from_secs(60), CancellationToken::new())
}

fn figure(name: &str, times: &mut [Duration], bound: &str) {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    let (half, most, last) = (at(0.5), at(0.99), at(1.0));
    println!(
        "figure\t{name}, p99\t{most:.1} µs\t{bound}\tp50 {half:.1} µs, longest {last:.0} µs, {} calls",
        times.len()
    );
}

/// Waits for the next turn without sleeping: what a sleep costs on waking is not the router's.
fn until(at: Instant) {
    while Instant::now() < at {
        std::hint::spin_loop();
    }
}

async fn paced(cascade: &Cascade, name: &str, path: usize) {
    let request = request();
    let mut times = Vec::with_capacity(CALLS);
    let began = Instant::now();
    for n in 0..CALLS as u64 {
        until(began + Duration::from_micros(n * 1_000_000 / RATE));
        let asked = Instant::now();
        let answer = cascade.complete(&request, &call()).await.unwrap();
        times.push(asked.elapsed());
        assert_eq!(answer.attempts.len(), path);
    }
    figure(name, &mut times, "100 µs");
}

async fn refused() {
    // The port is free again as soon as the listener is gone.
    let at = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = OllamaSettings { url: format!("http://{at}"), ..OllamaSettings::default() };
    let ollama: Arc<dyn Provider> = Arc::new(Ollama::new(&settings).unwrap());
    let cascade = Cascade::new(vec![ollama, at_once("next", Place::Local, true)]);
    let request = request();
    let mut times = Vec::with_capacity(REFUSED);
    for _ in 0..REFUSED {
        assert!(cascade.control("ollama", Control::ResetCircuit));
        let asked = Instant::now();
        let answer = cascade.complete(&request, &call()).await.unwrap();
        times.push(asked.elapsed());
        assert_eq!((answer.provider.as_str(), answer.attempts[0].failure.word()), ("next", "unreachable"));
    }
    println!("figure\tFirst refused port of a process to next provider\t{:.2} ms\t\t", times[0].as_secs_f64() * 1e3);
    figure("Refused port to next provider", &mut times, "5,000 µs");
}

fn main() {
    // Asked by `cargo test --benches` it only has to compile.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let first = Cascade::new(vec![at_once("near", Place::Local, true), at_once("far", Place::Remote, true)]);
        paced(&first, "Router: decision and bookkeeping, first provider answers", 0).await;
        let settings = CascadeSettings {
            models: vec!["chat: near/a near/b ill/m".to_owned(), "code: near/c".to_owned()],
            ..CascadeSettings::default()
        };
        let all = vec![
            at_once("ill", Place::Local, false),
            at_once("far", Place::Remote, true),
            at_once("further", Place::Remote, true),
            at_once("near", Place::Local, true),
        ];
        let cascade = Cascade::with(all, Rules::of(&settings).unwrap());
        for _ in 0..5 {
            cascade.complete(&request(), &call()).await.unwrap();
        }
        paced(&cascade, "Router: past an open circuit and two refused by privacy", 3).await;
        refused().await;
    });
}
