//! One-time login codes: ten letters and digits that are hard to confuse, good once and for a minute.

use std::time::Duration;

use timmy_domain::Timestamp;

use crate::chance::Chance;

/// How long a code is good, in seconds.
pub const CODE_SECONDS: u64 = 60;
/// Codes that may be good at once; a new one beyond it replaces the oldest.
pub const CODES_MAX: usize = 8;
/// Letters and digits of a code: 50 bits of chance.
const CODE_SYMBOLS: usize = 10;
/// Crockford's base 32 without I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The codes that are good right now.
#[derive(Default)]
pub struct Codes(Vec<(String, Timestamp)>);

/// Whether a code that ends at `until` is good: not over, and not from the future of a clock that was set back since by
/// more than a moment, or it would be good for as long as that.
fn good(now: Timestamp, until: Timestamp) -> bool {
    until > now && until <= now.plus(Duration::from_secs(2 * CODE_SECONDS))
}

impl Codes {
    /// A new code, as people read it: `K7QF2-9XDMW`.
    pub fn mint(&mut self, now: Timestamp, chance: &Chance) -> String {
        let bytes: [u8; CODE_SYMBOLS] = chance.bytes();
        let symbols: String = bytes.iter().map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect();
        self.0.retain(|(_, until)| good(now, *until));
        if self.0.len() >= CODES_MAX {
            self.0.remove(0);
        }
        self.0.push((symbols.clone(), now.plus(Duration::from_secs(CODE_SECONDS))));
        format!("{}-{}", &symbols[..5], &symbols[5..])
    }

    /// Uses up the code `typed` names. `false` when there is no such code, or it is too old.
    pub fn redeem(&mut self, now: Timestamp, typed: &str) -> bool {
        let typed = normal(typed);
        self.0.retain(|(_, until)| good(now, *until));
        let mut found = None;
        for (index, (code, _)) in self.0.iter().enumerate() {
            // Compares every symbol of every code, so that the time taken tells nothing.
            let differing = code.bytes().zip(typed.bytes()).filter(|(a, b)| a != b).count();
            if differing == 0 && code.len() == typed.len() {
                found = Some(index);
            }
        }
        found.map(|index| self.0.remove(index)).is_some()
    }
}

/// What was typed as the code it means: any case, spaces and dashes ignored, look-alikes read as Crockford says.
fn normal(typed: &str) -> String {
    let symbol = |c: char| match c.to_ascii_uppercase() {
        'O' => Some('0'),
        'I' | 'L' => Some('1'),
        c if c.is_ascii_alphanumeric() => Some(c),
        _ => None,
    };
    typed.chars().take(64).filter_map(symbol).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_code_is_good_once_for_a_minute_and_however_it_is_typed() {
        let chance =
            Chance::new(Arc::new(|out: &mut [u8]| out.copy_from_slice(&[7, 1, 2, 0, 31, 5, 6, 30, 8, 9][..out.len()])));
        let (mut codes, now) = (Codes::default(), Timestamp::EPOCH);
        let code = codes.mint(now, &chance);
        assert_eq!(code, "7120Z-56Y89");
        assert!(!codes.redeem(now, "7120Z-56Y88"));
        assert!(!codes.redeem(now, ""));
        assert!(codes.redeem(now, " 7i2oz 56y89 "), "look-alikes and case are forgiven");
        assert!(!codes.redeem(now, &code), "used up");
        let again = codes.mint(now, &chance);
        assert!(!codes.redeem(now.plus(Duration::from_secs(CODE_SECONDS)), &again), "too old");
        let ahead = codes.mint(now.plus(Duration::from_secs(5 * 3_600)), &chance);
        assert!(!codes.redeem(now, &ahead), "the clock was set back: a code is not good for five hours");
    }
}
