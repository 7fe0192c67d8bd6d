//! What surrounds every page: navigation, Pulse, the look and a notice.

use timmy_domain::Seq;

use super::{Now, State};
use crate::did::Undo;
use crate::keys::OwnKeys;
use crate::nav::{self, Group, Page};

/// Light, dark, or as the system says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// All three, in the order of the switch.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// The value in the form, the cookie and `data-theme`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The symbol of its button.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::System => "auto",
            Self::Light => "sun",
            Self::Dark => "moon",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "System",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// What its button says.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::System => "Look as the system",
            Self::Light => "Light look",
            Self::Dark => "Dark look",
        }
    }

    /// The theme of a form field or cookie; any other word is the system's.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.name() == name).unwrap_or_default()
    }
}

/// How close rows stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Density {
    /// Rows of 40 pixels.
    #[default]
    Comfortable,
    /// Rows of 32 pixels.
    Compact,
}

impl Density {
    /// The value in the form, the cookie and `data-density`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Comfortable => "comfortable",
            Self::Compact => "compact",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Comfortable => "Comfortable",
            Self::Compact => "Compact",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Comfortable => Self::Compact,
            Self::Compact => Self::Comfortable,
        }
    }

    /// The density of a form field or cookie; any other word is comfortable.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        if name == Self::Compact.name() { Self::Compact } else { Self::Comfortable }
    }
}

/// How wide the side is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Side {
    /// With the names of the pages.
    #[default]
    Wide,
    /// Symbols only.
    Narrow,
}

impl Side {
    /// The value in the form, the cookie and `data-side`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    /// What it is called.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wide => "Wide",
            Self::Narrow => "Narrow",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Wide => Self::Narrow,
            Self::Narrow => Self::Wide,
        }
    }

    /// The side of a form field or cookie; any other word is wide.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        if name == Self::Narrow.name() { Self::Narrow } else { Self::Wide }
    }
}

/// What the last act came to, and how it is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// One sentence.
    pub text: String,
    /// The way back, when there is one.
    pub undo: Option<Undo>,
}

/// One sentence about the act that led to this page, such as a form that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Shape, word and tone: well, or failed.
    pub state: State,
    /// What happened, and what can be done.
    pub text: String,
}

/// What surrounds a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    /// The page; `None` for an address that is no page.
    pub page: Option<&'static Page>,
    /// The heading and the middle of the tab's title.
    pub title: String,
    /// A page above this one: the way back, shown before the heading.
    pub above: Option<&'static Page>,
    /// The address of this page with its query, where the look forms lead back to.
    pub path: String,
    /// What Timmy is and does.
    pub now: Now,
    /// The look.
    pub theme: Theme,
    /// The density.
    pub density: Density,
    /// How wide the side is.
    pub side: Side,
    /// The keys of this device.
    pub keys: OwnKeys,
    /// The secret of the session that every form carries.
    pub csrf: String,
    /// Version of the binary.
    pub version: String,
    /// Name of the machine.
    pub host: String,
    /// The last event this page has seen; the live feed goes on from here.
    pub live_seq: Seq,
    /// Why the last act was refused.
    pub notice: Option<Notice>,
    /// What the last act came to, for a moment.
    pub told: Option<Told>,
}

impl Shell {
    /// The group this page belongs to.
    #[must_use]
    pub fn group(&self) -> Option<Group> {
        self.page.map(|page| page.group)
    }

    /// Whether `group` is the one of this page.
    #[must_use]
    pub fn in_group(&self, group: &Group) -> bool {
        self.group() == Some(*group)
    }

    /// Whether `page` is this one or the one above it.
    #[must_use]
    pub fn at(&self, page: &Page) -> bool {
        self.page.is_some_and(|mine| mine.route == page.route)
    }

    /// The Markdown twin of this page, when it is one that is there.
    #[must_use]
    pub fn twin(&self) -> Option<String> {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        // An address with an id in it may name nothing.
        let there = self.page.or(self.above).is_some() || nav::has_twin(path);
        nav::twin(&self.path).filter(|_| there)
    }

    /// Whether this is Home, which draws the tall Pulse itself.
    #[must_use]
    pub fn is_home(&self) -> bool {
        self.page.is_some_and(|page| page.route == "/")
    }
}
