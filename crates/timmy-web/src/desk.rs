//! Where settings are read and written. The binary holds the file; this floor only asks.

use timmy_domain::Problem;

/// What kind of value a setting has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A whole number; the least and the greatest, where there are bounds.
    Number(Option<(i64, i64)>),
    /// Text; at most so many bytes, where there is a bound.
    Text(Option<usize>),
    /// One of these words.
    Word(Vec<String>),
    /// A local time of day, or empty.
    TimeOfDay,
    /// A list of texts.
    List,
    /// A secret, which is never shown.
    Secret,
}

/// Who decides about a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody set it: the default holds.
    Default,
    /// A line of `timmy.toml`.
    File(usize),
    /// Something that wins over the file, named: a variable of the environment or a flag. Editing would change nothing.
    Above(String),
    /// `secrets.toml`, which is written by hand.
    Secrets,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Section and key with a dot between: `thinking.interval_seconds`.
    pub key: String,
    /// What it does, with its unit.
    pub doc: String,
    /// What kind of value it has.
    pub kind: Kind,
    /// The value this run works with, as it would stand in the file; for a secret, `set` or `not set`.
    pub running: String,
    /// The value at the next start, in the same form.
    pub next: String,
    /// The value at the next start as a form field shows it; a list has one text on each line.
    pub field: String,
    /// The default, as it would stand in the file.
    pub default: String,
    /// Who decides about the value at the next start.
    pub holder: Holder,
}

impl Setting {
    /// Whether another value takes effect at the next start.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.running != self.next
    }

    /// Whether a form can change it.
    #[must_use]
    pub fn is_editable(&self) -> bool {
        !matches!(self.holder, Holder::Above(_) | Holder::Secrets) && self.kind != Kind::Secret
    }

    /// The name of its section: everything before the last dot.
    #[must_use]
    pub fn section(&self) -> &str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }
}

/// A group of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name of its table in the file.
    pub name: String,
    /// What it is about.
    pub doc: String,
    /// Its settings, in the order of their declaration.
    pub settings: Vec<Setting>,
}

/// Everything that can be set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Where the file is, or would be.
    pub path: String,
    /// The sections.
    pub sections: Vec<Section>,
    /// What is wrong with the file, which somebody changed by hand: each fault with its place. Timmy would not start
    /// with it; the values of this run are shown.
    pub faults: Vec<String>,
}

impl Sheet {
    /// The setting called `key`.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&Setting> {
        self.sections.iter().flat_map(|section| &section.settings).find(|setting| setting.key == key)
    }
}

/// A value as it comes from a form, the command line or a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// Text that is read by the kind of the setting; a list stands with commas between, or as in the file.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// One change of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Section and key with a dot between.
    pub key: String,
    /// The new value; `None` takes the key out, so that its default holds.
    pub value: Option<Given>,
}

/// The desk at which settings are looked at and changed. Calls read and write small files and may block.
pub trait Desk: Send + Sync {
    /// Every setting.
    ///
    /// # Errors
    /// When a file cannot be read.
    fn sheet(&self) -> Result<Sheet, Problem>;

    /// Makes all `changes` to the file, or none. Nothing is written unless Timmy could start with the result.
    ///
    /// # Errors
    /// When there is no such key, a value does not fit, something above the file decides, or the file cannot be
    /// written.
    fn change(&self, changes: &[Change]) -> Result<Vec<Setting>, Problem>;
}
