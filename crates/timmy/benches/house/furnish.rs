//! A home that looks as if Timmy had lived in it: a million events within the last day, and ten thousand thoughts.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use timmy_domain::event::{LoginFailed, Observed};
use timmy_domain::observation::ObservationKind;
use timmy_domain::thought::Place;
use timmy_domain::{Actor, NewEvent, SeedType, Timestamp};
use timmy_store::{NewThought, Options, Store};

/// Microseconds over which the events are spread: twenty hours, so that nothing of it is too old to be kept.
const SPAN_MICROS: i64 = 20 * 3_600 * 1_000_000;
/// Events written in one call.
const CALL_EVENTS: usize = 1_000;

fn observed(number: usize) -> NewEvent {
    if number % 1_000 == 999 {
        return NewEvent::new("web", LoginFailed { how: "code".into(), failures: 1 });
    }
    let body = Observed {
        folder_id: 7,
        folder: "kelp".into(),
        kind: ObservationKind::Commits,
        summary: format!(
            "Commit {number:08}: teach the kelp to count its own leaves, and note in the almanac how many there were \
             at dawn and at dusk, for the record"
        ),
    };
    let event = NewEvent::new("world", body);
    // Every tenth says what led to it, as events of a real day do.
    if number.is_multiple_of(10) { event.caused_by(number as i64 / 2 + 1) } else { event }
}

fn thought(number: usize) -> NewThought {
    NewThought {
        content: format!(
            "I keep coming back to the kelp project (note {number}). The commits of this morning change how leaves \
             are counted, yet the almanac still tells the old numbers. If the owner reads the briefing at dusk, it \
             would be kind to say which of the two he should trust, and why I think so."
        ),
        seed_type: SeedType::ALL[number % SeedType::ALL.len()],
        seed_note: "kelp: 3 new commits".into(),
        provider: "ollama".into(),
        model: "llama3.2:3b".into(),
        place: Place::Local,
        duration_ms: 2_400,
        tokens: 310,
        actor: Actor::Timmy,
        cause: None,
    }
}

/// Makes the home at `home`, by the product's own store.
pub fn furnish(home: &Path, events: usize, thoughts: usize) {
    super::fresh(home);
    let begun = Instant::now();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    let from = i64::try_from(now).unwrap() - SPAN_MICROS;
    let calls = events.div_ceil(CALL_EVENTS);
    let per_call = thoughts.div_ceil(calls);
    let at = Arc::new(AtomicI64::new(from));
    let clock = Arc::clone(&at);
    let state = AtomicU64::new(0x9E37_79B9_7F4A_7C15);
    let random = Arc::new(move |out: &mut [u8]| {
        for chunk in out.chunks_mut(8) {
            // Weyl sequence through the SplitMix64 finaliser; only unlikeness matters here.
            let mut z = state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z ^= z >> 27;
            chunk.copy_from_slice(&z.to_le_bytes()[..chunk.len()]);
        }
    });
    let step = SPAN_MICROS / i64::try_from(events).unwrap();
    let ticking = Arc::new(move || Timestamp::from_micros(clock.fetch_add(step, Ordering::Relaxed)));
    let store = Store::open(&home.join("timmy.db"), ticking, random, Options::default()).unwrap();
    for call in 0..calls {
        store.append_blocking((0..CALL_EVENTS - per_call).map(|i| observed(call * CALL_EVENTS + i)).collect()).unwrap();
        store
            .write_blocking(move |tx| {
                for i in 0..per_call {
                    tx.insert_thought(&thought(call * per_call + i))?;
                }
                Ok(())
            })
            .unwrap();
        at.store(
            from + SPAN_MICROS / i64::try_from(calls).unwrap() * i64::try_from(call + 1).unwrap(),
            Ordering::Relaxed,
        );
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.close());
    println!("furnished {} with {events} events and {thoughts} thoughts in {:.1?}", home.display(), begun.elapsed());
}
