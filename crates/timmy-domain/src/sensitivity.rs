//! Who may read a piece of text: the label every model request carries.

use serde::{Deserialize, Serialize};

/// How far a piece of text may travel. The label of a whole is the strictest label of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sensitivity {
    /// May go to a remote provider that the owner configured.
    Open,
    /// Must stay on this machine. Thoughts, memory and watched folders are born with it.
    LocalOnly,
}

impl Sensitivity {
    /// The stricter of two labels.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        self.max(other)
    }
}
