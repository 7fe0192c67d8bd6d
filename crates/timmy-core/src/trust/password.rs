//! The owner's password: which one may be set, and its stored form. Pure but for the time it takes.
//!
//! Length is what counts, as NIST SP 800-63B has it: no rules about kinds of characters, and only what a guesser tries
//! first is refused. Stored is an Argon2id string (RFC 9106) with the parameters OWASP names for it.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use timmy_domain::Problem;

/// Characters a password has at least.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Bytes a password has at most.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// Different characters a password has at least.
const DISTINCT_CHARS_MIN: usize = 4;
/// Memory of one hash, in KiB (19 MiB; OWASP Password Storage, Argon2id).
const MEMORY_KIB: u32 = 19 * 1_024;
/// Passes over that memory.
const PASSES: u32 = 2;
/// Lanes of one hash.
const LANES: u32 = 1;
/// Words that stand behind most of the short passwords of published lists, and the name on this door.
const OBVIOUS: [&str; 8] =
    ["password", "passwort", "passphrase", "qwertyuiop", "letmein", "administrator", "welcome", "timmy"];

fn refused(message: &str) -> Problem {
    Problem::invalid(
        "weak_password",
        message,
        "Four or five words that have nothing to do with each other are good and easy to keep.",
    )
}

/// Whether `password` may be set.
///
/// # Errors
/// When it is too short, too long, or among the first that a guesser tries.
pub fn check(password: &str) -> Result<(), Problem> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(refused(&format!("A password has at most {PASSWORD_BYTES_MAX} bytes.")));
    }
    let chars: Vec<char> = password.chars().collect();
    if chars.len() < PASSWORD_CHARS_MIN {
        return Err(refused(&format!("A password has at least {PASSWORD_CHARS_MIN} characters.")));
    }
    let distinct = chars.iter().collect::<std::collections::BTreeSet<_>>().len();
    if distinct < DISTINCT_CHARS_MIN || is_row(&chars) || is_obvious(password) {
        return Err(refused("This password is among the first that somebody would try."));
    }
    Ok(())
}

/// Whether each character follows the one before it, up or down, as in `abcdefghijkl` or `123456789012`.
fn is_row(chars: &[char]) -> bool {
    let step = |pair: &[char]| {
        let of = |c: char| c.to_digit(10).map_or(i64::from(u32::from(c)), i64::from);
        let by = of(pair[1]) - of(pair[0]);
        // After nine comes zero.
        if by.abs() == 9 { -by.signum() } else { by }
    };
    let mut steps = chars.windows(2).map(step);
    steps.next().is_some_and(|first| first.abs() == 1 && steps.all(|step| step == first))
}

/// Whether nothing but words of the list is left without digits and signs.
fn is_obvious(password: &str) -> bool {
    let mut letters: String = password.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    for word in OBVIOUS {
        letters = letters.replace(word, "");
    }
    letters.is_empty()
}

/// The way passwords are hashed; `None` when the parameters above were out of bounds.
fn hasher() -> Option<Argon2<'static>> {
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?))
}

fn broken() -> Problem {
    Problem::unavailable("password_unusable", "The password cannot be hashed.", "Log in with a code: `timmy login`.")
}

/// The stored form of `password`. Takes some 20 milliseconds and 19 MiB, so never on a serving thread.
///
/// # Errors
/// When hashing itself fails, as when there is no memory for it.
pub fn stored_form(password: &str, salt: &[u8; 16]) -> Result<String, Problem> {
    let salt = SaltString::encode_b64(salt).map_err(|_| broken())?;
    let hash = hasher().ok_or_else(broken)?.hash_password(password.as_bytes(), &salt).map_err(|_| broken())?;
    Ok(hash.to_string())
}

/// Whether `password` is the one behind `stored`. Takes as long as [`stored_form`].
#[must_use]
pub fn fits(password: &str, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    password.len() <= PASSWORD_BYTES_MAX
        && hasher().is_some_and(|hasher| hasher.verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_passwords_are_good_and_what_everybody_tries_is_not() {
        let long = "ä".repeat(513);
        for (password, fine) in [
            ("correct horse battery staple", true),
            ("zwölf zeichen", true),
            ("            x y z", true),
            ("jmv7nq2xk4tw", true),
            ("short", false),
            ("elevenchars", false),
            ("", false),
            ("aaaaaaaaaaaaaaaa", false),
            ("ababababababab", false),
            ("abcdefghijklmn", false),
            ("zyxwvutsrqponm", false),
            ("123456789012", false),
            ("987654321098", false),
            ("Password1234!", false),
            ("timmytimmytimmy", false),
            ("password-qwertyuiop", false),
            ("1234567890!!", false),
            (long.as_str(), false),
        ] {
            assert_eq!(check(password).is_ok(), fine, "{password:.20}");
        }
        assert!(check(&"wörter ".repeat(128)).is_ok(), "1,024 bytes are fine");
    }

    #[test]
    fn the_stored_form_is_argon2id_with_its_parameters_and_fits_only_its_password() {
        let stored = stored_form("correct horse battery staple", &[7; 16]).expect("hashed");
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(!stored.contains("horse"));
        assert!(fits("correct horse battery staple", &stored));
        for wrong in
            ["correct horse battery stapl", "", "Correct horse battery staple", "correct horse battery staple\0"]
        {
            assert!(!fits(wrong, &stored), "{wrong:?}");
        }
        assert_ne!(stored, stored_form("correct horse battery staple", &[8; 16]).expect("hashed"), "salted");
        for nonsense in ["", "$argon2id$", "plain", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA"] {
            assert!(!fits("", nonsense), "{nonsense}");
        }
    }
}
