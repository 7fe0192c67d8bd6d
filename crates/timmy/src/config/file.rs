//! Reading `timmy.toml`: each key with the line on which it stands.

use timmy_domain::settings::Value;
use toml::de::{DeTable, DeValue};

use super::{Config, PROVIDER_TABLE, SERVER_TABLE, Source, providers, servers};

/// Bytes of a configuration file.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// The line on which byte `at` of `text` stands.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}

/// Parses `text` as TOML; a fault names its line.
pub(super) fn parse<'t>(name: &str, text: &'t str, faults: &mut Vec<String>) -> Option<DeTable<'t>> {
    if text.len() > FILE_BYTES_MAX {
        faults.push(format!("{name}: the file is over {} KiB", FILE_BYTES_MAX / 1024));
        return None;
    }
    match DeTable::parse(text) {
        Ok(table) => Some(table.into_inner()),
        Err(error) => {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            faults.push(format!("{name} line {line}: {}", error.message().lines().next().unwrap_or("not TOML")));
            None
        }
    }
}

/// Reads the file into `config`.
pub(super) fn read(config: &mut Config, text: &str, faults: &mut Vec<String>) {
    let Some(table) = parse("timmy.toml", text, faults) else { return };
    for (name, value) in &table {
        let line = line_of(text, name.span().start);
        match value.get_ref() {
            DeValue::Table(inner) if name.get_ref() == PROVIDER_TABLE => {
                providers::read(config, inner, text, faults);
            }
            DeValue::Table(inner) if name.get_ref() == SERVER_TABLE => {
                servers::read(config, inner, text, faults);
            }
            DeValue::Table(inner) => read_section(config, name.get_ref(), inner, text, line, faults),
            _ => faults.push(format!(
                "timmy.toml line {line}: {:?} stands outside a section; put it under one, such as [thinking]",
                name.get_ref()
            )),
        }
    }
}

fn read_section(
    config: &mut Config,
    section: &str,
    inner: &DeTable<'_>,
    text: &str,
    line: usize,
    faults: &mut Vec<String>,
) {
    if !config.sections().iter().any(|s| s.name() == section) {
        let known: Vec<&str> =
            config.sections().iter().map(|s| s.name()).chain([PROVIDER_TABLE, SERVER_TABLE]).collect();
        faults.push(format!("timmy.toml line {line}: {}", super::unknown("section", section, &known)));
        return;
    }
    for (key, value) in inner {
        let line = line_of(text, key.span().start);
        let set = to_value(value.get_ref()).and_then(|v| config.set(section, key.get_ref(), &v, Source::File(line)));
        if let Err(fault) = set {
            faults.push(format!("timmy.toml line {line}: {fault}"));
        }
    }
}

/// A TOML value as a setting.
pub(super) fn to_value(value: &DeValue<'_>) -> Result<Value, String> {
    match value {
        DeValue::Boolean(b) => Ok(Value::Bool(*b)),
        DeValue::String(s) => Ok(Value::Text(s.to_string())),
        DeValue::Integer(i) => {
            let digits: String = i.as_str().chars().filter(|c| *c != '_').collect();
            i64::from_str_radix(&digits, i.radix()).map(Value::Int).map_err(|_| "the number is too large".to_owned())
        }
        DeValue::Array(items) => {
            let text = |item: &toml::Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(s) => Ok(s.to_string()),
                _ => Err("expected a list of texts in quotes".to_owned()),
            };
            items.iter().map(text).collect::<Result<_, _>>().map(Value::List)
        }
        _ => Err("expected true, false, a whole number, a text in quotes or a list of texts".to_owned()),
    }
}
