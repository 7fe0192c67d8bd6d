//! Identifiers: newtypes over UUID version 7, so that they sort by birth.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The position of an event in the log. Starts at 1; 0 means "before the first event".
pub type Seq = i64;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// An id born at `unix_millis` with 80 bits of `randomness` (UUID version 7, RFC 9562 §5.7).
            #[must_use]
            pub fn new(unix_millis: u64, randomness: &[u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, randomness).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }
    };
}

id!(
    /// Names one thought.
    ThoughtId
);
id!(
    /// Names one task.
    TaskId
);
id!(
    /// Names one approval.
    ApprovalId
);
id!(
    /// Names one rule by which the owner lets things happen without being asked.
    RuleId
);
id!(
    /// Names one message of the conversation. An answer carries the id of its own, not of the question.
    MessageId
);

/// The text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a UUID such as 0192f0c1-7c2a-7e55-9d0e-2b1f6a0c9a11")]
pub struct NotAnId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_ids_sort_after_earlier_ones() {
        let a = ThoughtId::new(1, &[255; 10]);
        let b = ThoughtId::new(2, &[0; 10]);
        assert!(a < b && a.to_string() < b.to_string());
        assert_eq!(a.to_string().parse::<ThoughtId>(), Ok(a));
        assert_eq!("42".parse::<ThoughtId>(), Err(NotAnId));
    }
}
