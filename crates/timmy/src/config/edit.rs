//! Changing one value in the text of `timmy.toml`, so that every other line and comment stays as the owner wrote it.

use timmy_domain::settings::Value;
use toml::de::{DeTable, DeValue};
use toml_edit::{DocumentMut, Item, Table, TableLike};

/// What stands between the names of a key.
const DOT: char = '.';

/// `thinking.interval_seconds` as the tables and the name of the value.
fn path_of(key: &str) -> Option<(Vec<&str>, &str)> {
    let mut names: Vec<&str> = key.split(DOT).collect();
    let last = names.pop()?;
    (!names.is_empty() && names.iter().chain([&last]).all(|name| !name.is_empty())).then_some((names, last))
}

fn no_key(key: &str) -> String {
    format!("{key:?} is no key; a key is a section and a name, such as thinking.interval_seconds")
}

fn to_item(value: &Value) -> toml_edit::Value {
    match value {
        Value::Bool(b) => (*b).into(),
        Value::Int(i) => (*i).into(),
        Value::Text(t) => t.as_str().into(),
        Value::List(items) => toml_edit::Value::Array(items.iter().map(String::as_str).collect()),
    }
}

/// The table at `names`, made where it is missing.
fn table_at<'d>(doc: &'d mut DocumentMut, names: &[&str]) -> Result<&'d mut dyn TableLike, String> {
    let is_last = |at: usize| at + 1 == names.len();
    let mut here: &mut dyn TableLike = doc.as_table_mut();
    for (at, name) in names.iter().enumerate() {
        let item = here.entry(name).or_insert_with(|| {
            let mut table = Table::new();
            // A table that only holds tables needs no line of its own.
            table.set_implicit(!is_last(at));
            table.decor_mut().set_prefix("\n");
            Item::Table(table)
        });
        here = item.as_table_like_mut().ok_or_else(|| format!("{name:?} is no section in this file"))?;
    }
    Ok(here)
}

/// `text` with `key` set to `value`.
///
/// # Errors
/// A sentence, when `text` is not TOML or `key` is no key.
pub fn set(text: &str, key: &str, value: &Value) -> Result<String, String> {
    let (names, last) = path_of(key).ok_or_else(|| no_key(key))?;
    let mut doc: DocumentMut = text.parse().map_err(|e| not_toml(&e))?;
    let table = table_at(&mut doc, &names)?;
    let mut new = to_item(value);
    match table.get_mut(last) {
        Some(Item::Value(old)) => {
            // A comment behind the value belongs to its decor.
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        Some(_) => return Err(format!("{key:?} is a section, and no value")),
        None => {
            table.insert(last, Item::Value(new));
        }
    }
    let mut text = doc.to_string();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text.trim_start_matches('\n').to_owned())
}

/// `text` without `key`; as it is when the key is not in it. Comments above the line stay.
///
/// # Errors
/// A sentence, when `text` is not TOML or `key` is no key.
pub fn unset(text: &str, key: &str) -> Result<String, String> {
    let (names, last) = path_of(key).ok_or_else(|| no_key(key))?;
    if let Some((from, to)) = own_lines(text, &names, last) {
        return Ok(format!("{}{}", &text[..from], &text[to..]));
    }
    let mut doc: DocumentMut = text.parse().map_err(|e| not_toml(&e))?;
    let mut here: &mut dyn TableLike = doc.as_table_mut();
    for name in &names {
        let Some(table) = here.get_mut(name).and_then(Item::as_table_like_mut) else { return Ok(text.to_owned()) };
        here = table;
    }
    here.remove(last);
    Ok(doc.to_string())
}

fn not_toml(error: &toml_edit::TomlError) -> String {
    format!("the file is not TOML: {}", error.message().lines().next().unwrap_or_default())
}

/// The whole lines on which a value stands, when nothing else stands on them.
fn own_lines(text: &str, names: &[&str], last: &str) -> Option<(usize, usize)> {
    let parsed = DeTable::parse(text).ok()?;
    let mut table: &DeTable<'_> = parsed.get_ref();
    for name in names {
        let DeValue::Table(inner) = table.get(*name)?.get_ref() else { return None };
        table = inner;
    }
    let (key, value) = table.get_key_value(last)?;
    let from = text[..key.span().start].rfind('\n').map_or(0, |at| at + 1);
    let end = value.span().end;
    let to = text[end..].find('\n').map_or(text.len(), |at| end + at + 1);
    let behind = text[end..to].trim();
    // Within an inline table, or behind a dotted name, something else stands on the line.
    let alone = text[from..key.span().start].trim().is_empty() && (behind.is_empty() || behind.starts_with('#'));
    alone.then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "\
# My house.
[thinking]  # the loop
# Slower at night.
interval_seconds = 600 # ten minutes
enabled = true

# A friend's machine.
[provider.friend]
url = \"http://friend.lan/v1\"
";

    #[test]
    fn a_value_is_changed_and_nothing_else() {
        let text = set(OWN, "thinking.interval_seconds", &Value::Int(60)).expect("set");
        assert_eq!(text, OWN.replace("= 600 #", "= 60 #"));
        let text = set(OWN, "provider.friend.url", &Value::Text("http://x/v1".into())).expect("set");
        assert_eq!(text, OWN.replace("http://friend.lan/v1", "http://x/v1"));
    }

    #[test]
    fn a_new_key_joins_its_section_and_a_new_section_the_end() {
        let text = set(OWN, "thinking.quiet_from", &Value::Text("22:00".into())).expect("set");
        assert_eq!(text, OWN.replace("enabled = true\n", "enabled = true\nquiet_from = \"22:00\"\n"));
        let text = set(OWN, "cascade.providers", &Value::List(vec!["ollama".into(), "reflex".into()])).expect("set");
        assert_eq!(text, format!("{OWN}\n[cascade]\nproviders = [\"ollama\", \"reflex\"]\n"));
        assert_eq!(set("", "talk.max_tokens", &Value::Int(9)), Ok("[talk]\nmax_tokens = 9\n".into()));
        let text = set(OWN, "provider.other.url", &Value::Text("http://y".into())).expect("set");
        assert!(text.starts_with(OWN) && text.ends_with("\n[provider.other]\nurl = \"http://y\"\n"), "{text}");
        assert_eq!(set("# only this", "talk.max_tokens", &Value::Int(9)).map(|t| t.contains("# only this")), Ok(true));
    }

    #[test]
    fn a_key_is_taken_out_with_its_line_and_comments_stay() {
        let text = unset(OWN, "thinking.interval_seconds").expect("unset");
        assert_eq!(text, OWN.replace("interval_seconds = 600 # ten minutes\n", ""));
        let several = "[cascade]\nproviders = [\n  \"ollama\", # first\n  \"reflex\",\n]\nprefer = \"auto\"\n";
        assert_eq!(unset(several, "cascade.providers"), Ok("[cascade]\nprefer = \"auto\"\n".into()));
        for absent in ["thinking.quiet_from", "talk.max_tokens", "provider.none.url"] {
            assert_eq!(unset(OWN, absent), Ok(OWN.into()), "{absent}");
        }
        let inline = "thinking = { enabled = true, interval_seconds = 60 }\n";
        let text = unset(inline, "thinking.interval_seconds").expect("unset");
        assert!(text.contains("enabled = true") && !text.contains("interval"), "{text}");
        let dotted = "thinking.interval_seconds = 60\nthinking.enabled = false\n";
        assert_eq!(unset(dotted, "thinking.interval_seconds"), Ok("thinking.enabled = false\n".into()));
        assert_eq!(set(dotted, "thinking.enabled", &Value::Bool(true)).map(|t| t.contains("= true")), Ok(true));
    }

    #[test]
    fn what_is_no_key_or_no_toml_is_refused() {
        for key in ["", "thinking", ".", "thinking.", ".x", "a..b"] {
            assert!(set(OWN, key, &Value::Int(1)).is_err() && unset(OWN, key).is_err(), "{key:?}");
        }
        assert!(set("[a", "a.b", &Value::Int(1)).is_err() && unset("[a", "a.b").is_err());
        assert!(set(OWN, "provider.friend", &Value::Int(1)).is_err(), "a section is no value");
        assert!(set("a = 1", "a.b", &Value::Int(1)).is_err());
    }
}
