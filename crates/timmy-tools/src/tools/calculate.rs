//! Sums with exact numbers and units, by `fend`, within bounds.
//!
//! The language of `fend` can define functions, which can call themselves without end; only the characters of sums
//! get in, so that the length of a sum bounds how deep it can be. Each sum is worked out on a thread of its own, with
//! a stack for the deepest one, until it has taken too long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::text;
use tokio::sync::{Semaphore, oneshot};

use crate::ToolError;
use crate::tool::outcome::Outcome;
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec, args};

/// The name of the tool.
const NAME: &str = "calculate";

/// Characters a sum may have.
pub const SUM_CHARS_MAX: usize = 500;

/// Characters of a result that are given.
const RESULT_CHARS_MAX: usize = 2_000;

/// How long one sum may take.
const SUM_TIME_MAX: Duration = Duration::from_secs(2);

/// How long a sum that was told to stop may take to do so.
const STOP_TIME_MAX: Duration = Duration::from_secs(2);

/// Sums worked out at once. One that does not stop keeps its place, so that they cannot pile up.
const SUMS_AT_ONCE_MAX: usize = 2;

/// The stack of the thread of one sum, in bytes; only what is used of it takes memory.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// Characters of sums besides letters and digits. Those that define functions and values, shift bits (which takes
/// memory without taking time), or begin text are not among them.
const SIGNS: &str = " +-*/^().,%!_°'×÷·−√²³µπ€$£¥~";

/// Words of the language that are more than sums: chance, text and dates, of which Timmy has his own tools.
const WORDS_REFUSED: [&str; 7] = ["roll", "sample", "today", "tomorrow", "yesterday", "now", "lambda"];

/// Works out sums.
#[derive(Debug)]
pub struct Calculator {
    places: Arc<Semaphore>,
    limit: Duration,
}

impl Default for Calculator {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(SUMS_AT_ONCE_MAX)), limit: SUM_TIME_MAX }
    }
}

/// Checks that `sum` is a sum, before anything is worked out.
///
/// # Errors
/// What is wrong with it, in words that follow its name.
pub fn check(sum: &str) -> Result<(), String> {
    let chars = sum.chars().count();
    if sum.trim().is_empty() || chars > SUM_CHARS_MAX {
        return Err(format!("has {chars} characters; a sum has 1 to {SUM_CHARS_MAX}"));
    }
    if let Some(c) = sum.chars().find(|c| !c.is_alphanumeric() && !SIGNS.contains(*c)) {
        let c = if text::is_harmful(c) { format!("U+{:04X}", u32::from(c)) } else { format!("{c:?}") };
        return Err(format!("holds {c}, which is no part of a sum; an example is (1.5 m + 20 cm) * 3 to feet"));
    }
    let mut words = sum.split(|c: char| !c.is_alphanumeric());
    match words.find(|word| WORDS_REFUSED.contains(&word.to_ascii_lowercase().as_str()) || rolls(word)) {
        Some(word) => Err(format!("holds the word {word}, which is no part of a sum")),
        None => Ok(()),
    }
}

/// Whether a word throws dice, such as `d6` and `2d20`: working out all their ends cannot be stopped.
fn rolls(word: &str) -> bool {
    let bytes = word.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    !word.starts_with("0x")
        && bytes.iter().enumerate().any(|(n, byte)| {
            byte.eq_ignore_ascii_case(&b'd') && is_digit(Some(n + 1)) && (n == 0 || is_digit(n.checked_sub(1)))
        })
}

/// Stops a sum when it was told to, or by itself when it has taken too long.
struct Stop {
    told: AtomicBool,
    until: Instant,
}

impl fend_core::Interrupt for Stop {
    fn should_interrupt(&self) -> bool {
        self.told.load(Ordering::Relaxed) || Instant::now() >= self.until
    }
}

/// Tells the sum to stop when nobody waits for it any more.
struct StopOnDrop(Arc<Stop>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.told.store(true, Ordering::Relaxed);
    }
}

impl Calculator {
    /// The result of `sum`, such as `3.6 metres`; `approx.` says that it is not exact.
    ///
    /// # Errors
    /// [`ToolError::BadArgument`] for what is no sum, [`ToolError::Permanent`] for one that has no result or takes too
    /// long, [`ToolError::Transient`] while others that do not end are still there.
    pub async fn work_out(&self, sum: &str) -> Result<String, ToolError> {
        check(sum).map_err(bad)?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let hint = "Ask again in a minute.";
            ToolError::transient("calculator_busy", "Other sums are still being worked out.", hint)
        })?;
        let stop = Arc::new(Stop { told: AtomicBool::new(false), until: Instant::now() + self.limit });
        let guard = StopOnDrop(Arc::clone(&stop));
        let (send, receive) = oneshot::channel();
        // The thread may outlive this call; its place is free again when it ends.
        let send = Mutex::new(Some(send));
        let typed = sum.to_owned();
        let work = move || {
            let result = evaluate(&typed, &stop);
            drop(place);
            if let Some(send) = send.lock().ok().and_then(|mut send| send.take()) {
                // Nobody waits any more: the result is not wanted.
                let _ = send.send(result);
            }
        };
        let failed = |source| ToolError::io("working out a sum", source);
        thread::Builder::new().name("sum".to_owned()).stack_size(STACK_BYTES).spawn(work).map_err(failed)?;
        let answer = tokio::time::timeout(self.limit + STOP_TIME_MAX, receive).await;
        drop(guard);
        match answer {
            Ok(Ok(Ok(result))) => Ok(text::cut(&text::one_line(&result), RESULT_CHARS_MAX)),
            Ok(Ok(Err(error))) if error == "interrupted" => Err(too_long(self.limit)),
            Ok(Ok(Err(error))) => {
                let message = format!("That sum has no result: {}.", text::cut(&text::one_line(&error), 200));
                Err(ToolError::permanent("no_result", message, "Change the sum and ask again."))
            }
            Ok(Err(_)) => {
                Err(ToolError::permanent("no_result", "That sum has no result.", "Change the sum and ask again."))
            }
            Err(_) => Err(too_long(self.limit)),
        }
    }
}

/// The calculator as a tool.
pub struct Calculate {
    spec: ToolSpec,
    calculator: Calculator,
}

#[derive(Deserialize)]
struct Given {
    sum: String,
}

impl Default for Calculate {
    fn default() -> Self {
        let example = "The sum, such as (1.5 m + 20 cm) * 3 to feet, 15% of 80, or 2^64.";
        let properties =
            json!({"sum": {"type": "string", "minLength": 1, "maxLength": SUM_CHARS_MAX, "description": example}});
        let about = "Works out a sum with exact numbers and units.";
        let spec = ToolSpec::new(NAME, RiskClass::Compute, Taint::Own, about, &properties, &["sum"]);
        Self { spec, calculator: Calculator::default() }
    }
}

impl Tool for Calculate {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let plan = scope.plan(&self.spec, given);
            check(&args::<Given>(&plan)?.sum).map_err(bad)?;
            Ok(plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, _: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let given: Given = args(plan)?;
            let result = self.calculator.work_out(&given.sum).await?;
            Ok(Outcome { text: format!("{} = {result}", given.sum.trim()), ..Outcome::default() })
        })
    }
}

fn evaluate(sum: &str, stop: &Stop) -> Result<String, String> {
    let mut context = fend_core::Context::new();
    context.disable_rng();
    let result = fend_core::evaluate_with_interrupt(sum, &mut context, stop)?;
    if result.output_is_empty() { Err("it is empty".to_owned()) } else { Ok(result.get_main_result().to_owned()) }
}

fn bad(finding: String) -> ToolError {
    ToolError::BadArgument { tool: NAME.to_owned(), argument: "sum".to_owned(), finding }
}

fn too_long(limit: Duration) -> ToolError {
    let message = format!("That sum takes longer than {} seconds and was stopped.", limit.as_secs_f32());
    ToolError::permanent("sum_too_long", message, "Use smaller numbers, or ask for an estimate, such as a logarithm.")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(sum: &str) -> String {
        Calculator::default().work_out(sum).await.unwrap_or_else(|error| format!("refused: {error}"))
    }

    // shows: hands: Sums are exact, know units, and end
    #[tokio::test]
    async fn sums_are_exact_and_know_units() {
        for (sum, result) in [
            ("0.1 + 0.2", "0.3"),
            ("2^64 + 1", "18446744073709551617"),
            ("9007199254740993 + 0", "9007199254740993"),
            ("1/3 * 3", "1"),
            ("10!", "3628800"),
            ("15% of 80", "12"),
            ("(1.5 m + 20 cm) to cm", "170 cm"),
            ("100 km/h to m/s", "approx. 27.7777777778 m / s"),
            ("-2^2", "-4"),
        ] {
            assert_eq!(of(sum).await, result, "{sum}");
        }
        for sum in ["1/0", "1 m + 1 s", "1 +", "frobnicate 3", "€5 to $"] {
            assert!(of(sum).await.starts_with("refused: That sum has no result: "), "{sum}: {}", of(sum).await);
        }
    }

    // shows: hands: A sum without end is stopped and leaves nothing running
    #[tokio::test]
    async fn sums_without_end_are_stopped() {
        let calculator = Calculator { limit: Duration::from_millis(100), ..Calculator::default() };
        for sum in ["9^9^9", "9**9**9", "99999999!", "10^10^10", "2^(2^(2^(2^2^2)))"] {
            let error = calculator.work_out(sum).await.unwrap_err();
            assert!(matches!(&error, ToolError::Permanent { .. }), "{sum}: {error}");
        }
        let deep = format!("{}1{}", "(".repeat(240), ")".repeat(240));
        assert_eq!(calculator.work_out(&deep).await.unwrap(), "1");
        assert!(calculator.work_out(&format!("{}1", "-".repeat(499))).await.is_ok());
        // Whoever waits gives up; the places are free again soon after, whatever had been asked.
        for _ in 0..SUMS_AT_ONCE_MAX {
            let asked = calculator.work_out("9^9^9");
            assert!(tokio::time::timeout(Duration::from_millis(20), asked).await.is_err());
        }
        let places = SUMS_AT_ONCE_MAX.try_into().unwrap();
        let free = tokio::time::timeout(Duration::from_secs(60), calculator.places.acquire_many(places)).await;
        assert!(free.unwrap().is_ok());
    }

    #[test]
    fn what_is_more_than_a_sum_is_refused() {
        for bad in [
            "",
            "   ",
            "x = 3",
            "x: x x",
            "\\x. x",
            "(y => y)",
            "1; 2",
            "\"text\"",
            "@debug 1",
            "1 << 99999999999",
            "a[0]",
            "{}",
            "1 \u{202e}+ 2",
            "roll d6",
            "Today",
            "1 | 2",
            "#",
            "`id`",
            "__import__('os').system('id') = 1",
            "d1000*d1000*d1000",
            "2d6",
            "D1000000",
            "1e5d6",
            "d1_000",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        for fine in ["0x2d6 to decimal", "3 days to hours", "5 mod 3", "2 km/h", "50%"] {
            assert_eq!(check(fine), Ok(()), "{fine}");
        }
        assert!(check(&"1".repeat(SUM_CHARS_MAX + 1)).is_err());
    }
}
