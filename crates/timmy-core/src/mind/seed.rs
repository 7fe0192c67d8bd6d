//! What the next thought grows from: choosing one of the six seeds, and filling it from real state.

use timmy_domain::SeedType;
use timmy_domain::text::{cut, one_line};

use crate::chance::Chance;
use crate::scene::Scene;

/// The chance of each seed before the owner asked for fewer, in percent.
pub const USUAL_WEIGHT: u32 = 100;
/// The lowest chance a seed can fall to, in percent of the usual: fewer never means none.
pub const LOWEST_WEIGHT: u32 = 10;
/// Characters of what was read outside that go into one prompt.
pub const OUTSIDE_CHARS_MAX: usize = 3_000;
/// Characters of memory that go into one prompt.
pub const MEMORY_CHARS_MAX: usize = 2_000;

/// A seed, filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// Which of the six.
    pub seed_type: SeedType,
    /// One line that says what exactly it is, for people.
    pub note: String,
    /// Text of the house or of the owner, for the model.
    pub inside: String,
    /// Text that came from outside: it informs, it never instructs.
    pub outside: String,
}

/// The lists the owner can edit.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    /// Questions.
    pub existential: Vec<String>,
    /// Prompts.
    pub creative: Vec<String>,
    /// Verses.
    pub scripture: Vec<String>,
}

/// The chance of a seed after the owner asked `fewer` times for fewer like it: 0.6 of the chance each time.
#[must_use]
pub fn weight_percent(fewer: u64) -> u32 {
    (0..fewer.min(8)).fold(USUAL_WEIGHT, |w, _| w * 6 / 10).max(LOWEST_WEIGHT)
}

/// Chooses one of the six. News from a watched folder goes first, as far as the owner wants such thoughts; otherwise
/// chance decides by weight.
#[must_use]
pub fn choose(weights: &[u32; 6], lists: &Lists, news: bool, chance: &Chance) -> SeedType {
    let swarm = SeedType::ALL.iter().position(|s| *s == SeedType::Swarm).map_or(USUAL_WEIGHT, |at| weights[at]);
    if news && chance.below(USUAL_WEIGHT as usize) < swarm as usize {
        return SeedType::Swarm;
    }
    let mut weights = *weights;
    for (index, seed) in SeedType::ALL.iter().enumerate() {
        let empty = match seed {
            SeedType::Existential => lists.existential.is_empty(),
            SeedType::Creative => lists.creative.is_empty(),
            SeedType::Scripture => lists.scripture.is_empty(),
            _ => false,
        };
        if empty {
            weights[index] = 0;
        }
    }
    chance.weighted(&weights).map_or(SeedType::Freeform, |index| SeedType::ALL[index])
}

/// Fills `seed_type` from the lists and the scene.
#[must_use]
pub fn fill(seed_type: SeedType, lists: &Lists, scene: &Scene, chance: &Chance) -> Seed {
    let pick = |list: &[String]| list.get(chance.below(list.len())).cloned().unwrap_or_default();
    let line =
        |text: String| Seed { seed_type, note: cut(&one_line(&text), 140), inside: text, outside: String::new() };
    match seed_type {
        SeedType::Existential => line(pick(&lists.existential)),
        SeedType::Creative => line(pick(&lists.creative)),
        SeedType::Scripture => line(pick(&lists.scripture)),
        SeedType::Swarm => house(scene),
        SeedType::Memory => memory(scene, chance),
        SeedType::Freeform => Seed {
            seed_type,
            note: "wherever the last thought leads".to_owned(),
            inside: String::new(),
            outside: String::new(),
        },
    }
}

/// What happened lately: the folders first, then the house.
fn house(scene: &Scene) -> Seed {
    let mut outside = String::new();
    for seen in scene.observations.iter().take(5) {
        outside.push_str(&format!("{}\n{}\n\n", seen.summary, seen.detail));
    }
    let note = scene
        .observations
        .first()
        .map_or_else(|| "a quiet hour in the house".to_owned(), |newest| cut(&one_line(&newest.summary), 140));
    Seed {
        seed_type: SeedType::Swarm,
        note,
        inside: scene.hour_summary(),
        outside: cut(outside.trim(), OUTSIDE_CHARS_MAX),
    }
}

/// What was kept and said, and one thing seen earlier.
fn memory(scene: &Scene, chance: &Chance) -> Seed {
    let mut inside = String::new();
    for kept in scene.kept.iter().take(3) {
        inside.push_str(&format!("Your owner kept this thought of yours: {}\n", cut(&kept.content, 400)));
    }
    for said in scene.messages.iter().take(4).rev() {
        let who =
            if said.speaker == timmy_domain::message::Speaker::Owner { "Your owner said" } else { "You answered" };
        inside.push_str(&format!("{who}: {}\n", cut(&one_line(&said.content), 300)));
    }
    let seen = scene.observations.get(chance.below(scene.observations.len()));
    let outside = seen.map_or_else(String::new, |o| format!("{}\n{}", o.summary, o.detail));
    let note = match (scene.kept.first(), scene.messages.first(), seen) {
        (Some(kept), _, _) => format!("a thought you kept: {}", cut(&one_line(&kept.content), 100)),
        (None, Some(said), _) => format!("what was said: {}", cut(&one_line(&said.content), 100)),
        (None, None, Some(seen)) => cut(&one_line(&seen.summary), 140),
        (None, None, None) => "memory is quiet".to_owned(),
    };
    Seed {
        seed_type: SeedType::Memory,
        note,
        inside: cut(inside.trim(), MEMORY_CHARS_MAX),
        outside: cut(&outside, OUTSIDE_CHARS_MAX),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn chance() -> Chance {
        let state = AtomicU64::new(7);
        Chance::new(Arc::new(move |out: &mut [u8]| {
            for b in out {
                let s = state.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
                *b = ((s ^ (s >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 56) as u8;
            }
        }))
    }

    fn lists() -> Lists {
        let one = |t: &str| vec![t.to_owned()];
        Lists { existential: one("why"), creative: one("paint"), scripture: one("verse") }
    }

    #[test]
    fn all_six_seeds_come_about_equally_often() {
        let (chance, lists) = (chance(), lists());
        let mut counts = [0u32; 6];
        for _ in 0..6_000 {
            let seed = choose(&[USUAL_WEIGHT; 6], &lists, false, &chance);
            counts[SeedType::ALL.iter().position(|s| *s == seed).unwrap_or(0)] += 1;
        }
        assert!(counts.iter().all(|&n| (800..1_200).contains(&n)), "{counts:?}");
    }

    #[test]
    fn fewer_means_rarer_and_never_none() {
        assert_eq!((weight_percent(0), weight_percent(1), weight_percent(2)), (100, 60, 36));
        assert_eq!(weight_percent(1_000), LOWEST_WEIGHT);
    }

    #[test]
    fn news_goes_first_and_an_empty_list_is_never_drawn() {
        let chance = chance();
        assert_eq!(choose(&[100; 6], &lists(), true, &chance), SeedType::Swarm);
        let bare = Lists::default();
        for _ in 0..500 {
            let seed = choose(&[100; 6], &bare, false, &chance);
            assert!(matches!(seed, SeedType::Swarm | SeedType::Memory | SeedType::Freeform), "{seed}");
        }
        assert_eq!(choose(&[0; 6], &lists(), false, &chance), SeedType::Freeform);
    }
}
