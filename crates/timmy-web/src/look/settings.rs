//! Settings: this device, folders, keys to the door, backups, and every key of the configuration.

use askama::Template;
use timmy_core::trust::sessions::Seen;
use timmy_store::TokenRow;

use super::backups::BackupsPart;
use super::folders::FolderView;
use super::{Clock, Shell, When, asset, icon, words};
use crate::desk::{Holder, Kind, Section, Setting};
use crate::keys::{KEYS, OwnKeys, spelled};
use crate::nav;

/// A key that can be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyField {
    /// Its name.
    pub id: &'static str,
    /// What it does.
    pub does: &'static str,
    /// The key as the field shows it: the usual one is the placeholder.
    pub value: String,
    /// The usual key.
    pub usual: String,
}

/// The keys that can be changed, with what was typed into the form when it was refused.
#[must_use]
pub fn key_fields(own: &OwnKeys, typed: Option<&std::collections::BTreeMap<String, String>>) -> Vec<KeyField> {
    // The space is no sign a field could show, so that key stays as it is.
    let singles = KEYS.iter().filter(|key| key.is_single() && key.keys.first() != Some(&" "));
    let field = |key: &'static crate::keys::Key| {
        let usual = spelled(key.keys.first().copied().unwrap_or_default());
        let now = Some(own.of(key)).filter(|now| *now != usual).unwrap_or_default();
        let value = typed.and_then(|t| t.get(&format!("key.{}", key.id)).cloned()).unwrap_or(now);
        KeyField { id: key.id, does: key.does, value, usual }
    };
    singles.map(field).collect()
}

/// One token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenView {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: String,
    /// When it was made.
    pub made: When,
    /// When it was last used.
    pub used: Option<When>,
}

impl TokenView {
    /// A token as it is stored.
    #[must_use]
    pub fn of(row: &TokenRow, clock: &Clock) -> Self {
        Self {
            name: row.name.clone(),
            scope: row.scope.clone(),
            made: clock.ago(row.created_at),
            used: row.used_at.map(|at| clock.ago(at)),
        }
    }
}

/// A browser that is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// What it is called; it opens nothing.
    pub id: String,
    /// Which browser on which system.
    pub browser: String,
    /// When it logged in.
    pub made: When,
    /// When it was last used.
    pub seen: When,
    /// Whether it is the one that looks at this page.
    pub own: bool,
}

impl SessionView {
    /// A session as it is told.
    #[must_use]
    pub fn of(seen: &Seen, clock: &Clock) -> Self {
        Self {
            id: seen.handle.clone(),
            browser: seen.browser.clone(),
            made: clock.ago(seen.created_at),
            seen: clock.ago(seen.seen_at),
            own: seen.own,
        }
    }
}

/// Scopes a token can have, with what each lets a program do.
pub const SCOPES: [(&str, &str); 3] = [
    ("read", "Look at everything, change nothing."),
    ("operate", "Also talk, think, watch folders, decide."),
    ("admin", "Also make tokens, change settings, restore. As much as you."),
];

/// One setting with its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingView {
    /// The setting.
    pub setting: Setting,
    /// What its field shows: the value, or what was typed and refused.
    pub field: String,
}

impl SettingView {
    /// A setting as it is.
    #[must_use]
    pub fn of(setting: &Setting) -> Self {
        Self { field: setting.field.clone(), setting: setting.clone() }
    }

    /// The key without its section.
    #[must_use]
    pub fn name(&self) -> &str {
        self.setting.key.rsplit('.').next().unwrap_or_default()
    }

    /// Where the value comes from, in words.
    #[must_use]
    pub fn source(&self) -> String {
        match &self.setting.holder {
            Holder::Default => "Default".to_owned(),
            Holder::File(line) => format!("timmy.toml line {line}"),
            Holder::Above(name) => format!("Set by {name}, which wins over the file"),
            Holder::Secrets => "secrets.toml, written by hand".to_owned(),
        }
    }

    /// What values it takes, in words; empty when any.
    #[must_use]
    pub fn bounds(&self) -> String {
        match &self.setting.kind {
            Kind::Number(Some((low, high))) => {
                let shown = |n: i64| u64::try_from(n).map_or_else(|_| n.to_string(), words::count);
                format!("{} to {}", shown(*low), shown(*high))
            }
            Kind::Text(Some(max)) => format!("at most {max} bytes"),
            Kind::List => "one on each line".to_owned(),
            _ => String::new(),
        }
    }

    /// Whether the file says something of its own.
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        matches!(self.setting.holder, Holder::File(_))
    }

    /// Rows a field of several lines has.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.field.lines().count().clamp(1, 8)
    }
}

/// A section of settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SectionView {
    /// The name of its table.
    pub name: String,
    /// What it is about.
    pub doc: String,
    /// Its settings; never empty.
    pub settings: Vec<SettingView>,
    /// Why what was typed was refused; empty when it was not.
    pub problem: String,
}

impl SectionView {
    /// Whether a form can change any of it.
    #[must_use]
    pub fn is_editable(&self) -> bool {
        self.settings.iter().any(|view| view.setting.is_editable())
    }
}

/// The sections that fit what was typed into the filter.
#[must_use]
pub fn sections(sections: &[Section], filter: &str) -> Vec<SectionView> {
    let words: Vec<String> = filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let fits = |setting: &&Setting| {
        let text = format!("{} {}", setting.key, setting.doc).to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let view = |section: &Section| SectionView {
        name: section.name.clone(),
        doc: section.doc.clone(),
        settings: section.settings.iter().filter(fits).map(SettingView::of).collect(),
        problem: String::new(),
    };
    sections.iter().map(view).filter(|section| !section.settings.is_empty()).collect()
}

/// A form with one word in it that was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// What was typed.
    pub typed: String,
    /// Why it was refused; empty when it was not.
    pub problem: String,
}

/// The configuration as the page shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Every {
    /// Where the file is, or would be.
    pub path: String,
    /// What is wrong with the file.
    pub faults: Vec<String>,
    /// How many settings there are.
    pub count: usize,
    /// How many take effect at the next start.
    pub waiting: usize,
    /// What the sections are narrowed to.
    pub filter: String,
    /// The sections.
    pub sections: Vec<SectionView>,
    /// Why they cannot be shown; empty when they can.
    pub missing: String,
}

/// Settings. `GET /settings`.
#[derive(Template)]
#[template(path = "settings.html")]
pub struct SettingsPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Whether single keys act.
    pub keys_on: bool,
    /// The keys that can be changed.
    pub key_fields: Vec<KeyField>,
    /// Why the keys were refused; empty when they were not.
    pub keys_problem: String,
    /// The watched folders.
    pub folders: Vec<FolderView>,
    /// What was typed as a folder.
    pub path_typed: String,
    /// Why it was refused; empty when it was not.
    pub path_problem: String,
    /// The tokens; `None` when the visitor may not see them.
    pub tokens: Option<Vec<TokenView>>,
    /// The sessions of browsers; `None` when the visitor may not see them.
    pub sessions: Option<Vec<SessionView>>,
    /// The name of a token that was refused.
    pub token: Refused,
    /// Whether the owner set a password.
    pub has_password: bool,
    /// The backups; `None` when the visitor may not see them.
    pub backups: Option<BackupsPart>,
    /// Every setting.
    pub every: Every,
}

/// A token that was just made: the only page that ever shows it.
#[derive(Template)]
#[template(path = "token.html")]
pub struct TokenPage {
    /// What surrounds it.
    pub shell: Shell,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scope: &'static str,
    /// The secret.
    pub secret: String,
}
