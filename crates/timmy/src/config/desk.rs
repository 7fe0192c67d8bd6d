//! The desk for settings: reads the configuration as the next start would, and writes one value at a time.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use timmy_domain::Problem;
use timmy_domain::settings::{Bound, KeyInfo, Value};
use timmy_web::desk::{self, Change, Given, Holder, Kind, Section, Setting, Sheet};

use super::{Config, PROVIDER_TABLE, Source, edit};
use crate::home::Home;
use crate::wire;

/// Faults of the configuration that are told at once.
const FAULTS_TOLD_MAX: usize = 3;
/// The mode of a configuration file that Timmy makes: it may name machines and folders of the owner.
const FILE_MODE: u32 = 0o600;

/// Flags as the configuration takes them.
pub type Flags = Vec<(&'static str, &'static str, Value)>;

/// The settings of one home.
pub struct Desk {
    home: Home,
    /// The flags of this run, which also the next start is thought with.
    flags: Flags,
    /// What this run works with.
    running: Config,
    /// Held from reading the file to having written it.
    writing: Mutex<()>,
}

fn refused(message: String) -> Problem {
    Problem::invalid(
        "bad_setting",
        message,
        "`timmy config explain` shows every key with what it takes. Nothing was changed.",
    )
}

fn unreadable(error: &anyhow::Error) -> Problem {
    Problem::unavailable(
        "settings_unreadable",
        format!("The settings cannot be read: {error:#}."),
        "Run `timmy doctor`.",
    )
}

fn unwritable(path: &Path, error: &std::io::Error) -> Problem {
    Problem::unavailable(
        "settings_unwritable",
        format!("{} cannot be written: {error}. Nothing was changed.", path.display()),
        "Check that the home is writable and the disk has room.",
    )
}

impl Desk {
    /// The desk of `home`, in a run that was started with `flags` and works with `running`.
    #[must_use]
    pub fn new(home: Home, flags: Flags, running: Config) -> Self {
        Self { home, flags, running, writing: Mutex::default() }
    }

    /// The configuration of the next start, were `file` the text of `timmy.toml`.
    fn next(&self, file: Option<String>) -> Result<Config, Problem> {
        let inputs = wire::inputs(&self.home, self.flags.clone()).map_err(|e| unreadable(&e))?;
        Config::load(&super::Inputs { file, ..inputs }).map_err(|faults| {
            let told: Vec<&str> = faults.0.iter().take(FAULTS_TOLD_MAX).map(String::as_str).collect();
            refused(format!("That would not start: {}.", told.join("; ").trim_end_matches('.')))
        })
    }

    fn text(&self) -> Result<String, Problem> {
        Ok(wire::inputs(&self.home, Vec::new()).map_err(|e| unreadable(&e))?.file.unwrap_or_default())
    }

    /// The text of the file after `changes`, and what it says.
    fn changed(&self, before: &str, changes: &[Change]) -> Result<(String, Config), Problem> {
        let mut after = before.to_owned();
        for Change { key, value } in changes {
            let known = self.check(key)?;
            let written = match value {
                Some(given) => read(&known.kind, given).and_then(|value| edit::set(&after, key, &value)),
                None => edit::unset(&after, key),
            };
            after = written.map_err(|expected| refused(format!("{key}: {}.", expected.trim_end_matches('.'))))?;
        }
        let next = self.next(Some(after.clone()))?;
        Ok((after, next))
    }

    /// The configuration after `changes`, without writing anything.
    ///
    /// # Errors
    /// As with [`change`](desk::Desk::change).
    pub fn preview(&self, changes: &[Change]) -> Result<Config, Problem> {
        Ok(self.changed(&self.text()?, changes)?.1)
    }

    /// What keeps `key` from being changed here.
    fn check(&self, key: &str) -> Result<Setting, Problem> {
        // A file with faults can still be mended, so the running values serve when it cannot be read.
        let next = self.next(Some(self.text()?)).unwrap_or_else(|_| self.running.clone());
        let sections = self.sections(&next);
        let found = sections.into_iter().flat_map(|s| s.settings).find(|s| s.key == key);
        let setting = match found {
            Some(setting) => setting,
            None if is_new_provider(key) => new_provider(key),
            None => return Err(refused(unknown(key, &next))),
        };
        match &setting.holder {
            Holder::Above(name) => Err(Problem::conflict(
                "setting_held",
                format!("{key} is set by {name}, which wins over the file; writing it there would change nothing."),
                "Take it out there and start Timmy anew, then set it here.",
            )),
            Holder::Secrets => Err(Problem::conflict(
                "setting_secret",
                format!(
                    "{key} is a secret; secrets are never taken through a page or a command line, which keep what was typed."
                ),
                "Write it into secrets.toml in the home, with chmod 600.",
            )),
            Holder::Default | Holder::File(_) => Ok(setting),
        }
    }

    fn sections(&self, next: &Config) -> Vec<Section> {
        let (mut running, mut next) = (self.running.clone(), next.clone());
        let sources = next.sources.clone();
        let holder = |section: &str, key: &str| match sources
            .get(&(section.to_owned(), key.to_owned()))
            .unwrap_or(&Source::Default)
        {
            Source::Default => Holder::Default,
            Source::File(line) => Holder::File(*line),
            Source::Flag => Holder::Above("a flag of the command line".to_owned()),
            above @ Source::Environment(_) => Holder::Above(above.to_string()),
        };
        let mut out = Vec::new();
        let mut now = running.sections();
        for (at, section) in next.sections().iter().enumerate() {
            let view = |info: KeyInfo| {
                let value = section.get(info.key).unwrap_or_else(|| info.default.clone());
                let runs = now.get_mut(at).and_then(|s| s.get(info.key)).unwrap_or_else(|| value.clone());
                Setting {
                    key: format!("{}.{}", section.name(), info.key),
                    kind: kind(&info),
                    running: runs.to_string(),
                    next: value.to_string(),
                    field: field(&value),
                    default: info.default.to_string(),
                    holder: holder(section.name(), info.key),
                    doc: info.doc,
                }
            };
            let settings = section.keys().into_iter().map(view).collect();
            out.push(Section { name: section.name().to_owned(), doc: section.doc().trim().to_owned(), settings });
        }
        out.extend(next.providers.values().map(|p| p.section(self.running.providers.get(&p.name))));
        out
    }
}

fn kind(info: &KeyInfo) -> Kind {
    match (&info.default, info.bound) {
        (Value::Bool(_), _) => Kind::Switch,
        (Value::Int(_), Bound::Range(low, high)) => Kind::Number(Some((low, high))),
        (Value::Int(_), _) => Kind::Number(None),
        (Value::List(_), _) => Kind::List,
        (Value::Text(_), Bound::OneOf(words)) => Kind::Word(words.iter().map(|w| (*w).to_owned()).collect()),
        (Value::Text(_), Bound::TimeOfDay) => Kind::TimeOfDay,
        (Value::Text(_), Bound::BytesMax(max)) => Kind::Text(Some(max)),
        (Value::Text(_), _) => Kind::Text(None),
    }
}

/// A value as a form shows it.
fn field(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::List(items) => items.join("\n"),
        other => other.to_string(),
    }
}

/// What was given, as a value of the setting's kind.
fn read(kind: &Kind, given: &Given) -> Result<Value, String> {
    let text = match (kind, given) {
        (Kind::List, Given::List(items)) => return Ok(Value::List(items.clone())),
        (_, Given::List(items)) => return Err(format!("expected one value, not {}", items.len())),
        (_, Given::Text(text)) => text,
    };
    match kind {
        Kind::Switch => Value::parse_like(&Value::Bool(false), text.trim()),
        Kind::Number(_) => Value::parse_like(&Value::Int(0), text.trim()),
        // As it stands in the file, for texts that hold a comma.
        Kind::List if text.trim_start().starts_with('[') => {
            let table = toml::de::DeTable::parse(&format!("x = {text}"))
                .ok()
                .and_then(|t| t.into_inner().get("x").map(|v| super::file::to_value(v.get_ref())));
            table.unwrap_or_else(|| Err("expected a list such as [\"a\", \"b\"]".to_owned()))
        }
        Kind::List => Value::parse_like(&Value::List(Vec::new()), text),
        Kind::Text(_) | Kind::Word(_) | Kind::TimeOfDay | Kind::Secret => Ok(Value::Text(text.trim().to_owned())),
    }
}

fn unknown(key: &str, config: &Config) -> String {
    let known: Vec<String> = config.explain().into_iter().map(|e| e.key).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let nearest = super::unknown("setting", key, &known);
    // Every key is a long list; `timmy config explain` prints it.
    nearest.split("; known are").next().unwrap_or_default().to_owned()
}

/// Whether `key` names a provider that is not there yet.
fn is_new_provider(key: &str) -> bool {
    let names: Vec<&str> = key.split('.').collect();
    matches!(names.as_slice(), [table, name, "url"] if *table == PROVIDER_TABLE && !name.is_empty())
}

fn new_provider(key: &str) -> Setting {
    Setting {
        key: key.to_owned(),
        doc: String::new(),
        kind: Kind::Text(None),
        running: String::new(),
        next: String::new(),
        field: String::new(),
        default: String::new(),
        holder: Holder::Default,
    }
}

/// Puts `text` in the place of the file in one step: who reads meanwhile reads the old or the new one.
fn replace(path: &Path, text: &str) -> Result<(), Problem> {
    // A link stays a link; what it points at is replaced.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mode = fs::metadata(path).map_or(FILE_MODE, |m| m.permissions().mode() & 0o777);
    let fresh = path.with_extension("toml.new");
    let write = || -> std::io::Result<()> {
        // Left over by a crash, perhaps with other permissions.
        let _ = fs::remove_file(&fresh);
        let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(mode).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        // The name is on the disk only when its folder is.
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&fresh);
        unwritable(path, &error)
    })
}

impl desk::Desk for Desk {
    fn sheet(&self) -> Result<Sheet, Problem> {
        let path = self.home.config().display().to_string();
        let inputs = wire::inputs(&self.home, self.flags.clone()).map_err(|e| unreadable(&e))?;
        match Config::load(&inputs) {
            Ok(next) => Ok(Sheet { path, sections: self.sections(&next), faults: Vec::new() }),
            Err(faults) => Ok(Sheet { path, sections: self.sections(&self.running), faults: faults.0 }),
        }
    }

    fn change(&self, changes: &[Change]) -> Result<Vec<Setting>, Problem> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.text()?;
        let (after, next) = self.changed(&before, changes)?;
        let mut settings: Vec<Setting> = self.sections(&next).into_iter().flat_map(|s| s.settings).collect();
        settings.retain(|setting| changes.iter().any(|change| change.key == setting.key));
        if after != before {
            replace(&self.home.config(), &after)?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests;
