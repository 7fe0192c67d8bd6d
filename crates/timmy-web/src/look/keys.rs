//! The key sheet: every key that acts on this device.

use askama::Template;

use super::{Shell, asset, icon};
use crate::keys::{OwnKeys, Place};
use crate::nav;

/// One line of the sheet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The keys, each of which does it.
    pub keys: Vec<String>,
    /// What it does.
    pub does: String,
}

/// The keys of one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGroup {
    /// Its heading.
    pub name: &'static str,
    /// Its keys; never empty.
    pub rows: Vec<KeyRow>,
}

/// The sheet for a device with these keys.
#[must_use]
pub fn sheet(own: &OwnKeys) -> Vec<KeyGroup> {
    let group = |place: Place| {
        let row = |key| KeyRow { keys: own.spelled(key), does: key.does.to_owned() };
        let rows = place.keys().map(row).filter(|row| !row.keys.is_empty());
        KeyGroup { name: place.name(), rows: rows.collect() }
    };
    let mut groups: Vec<KeyGroup> = Place::ALL.into_iter().map(group).collect();
    if let (true, Some(go)) = (own.on, crate::keys::named("go")) {
        let go = own.of(go);
        let row = |page: &nav::Page| KeyRow {
            keys: vec![format!("{go} {}", page.key)],
            does: format!("{}: {}", page.title, page.blurb),
        };
        groups.insert(1, KeyGroup { name: "Go to a page", rows: nav::PAGES.iter().map(row).collect() });
    }
    groups.retain(|group| !group.rows.is_empty());
    groups
}

/// The sheet in a dialog: `GET /keys` for a script.
#[derive(Template)]
#[template(path = "parts/keys.html")]
pub struct KeysPart {
    /// The keys.
    pub groups: Vec<KeyGroup>,
    /// Whether single keys act on this device.
    pub on: bool,
}

/// The sheet as a page. `GET /keys`.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    /// What surrounds it.
    pub shell: Shell,
    /// The keys.
    pub groups: Vec<KeyGroup>,
    /// Whether single keys act on this device.
    pub on: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KEYS;

    // shows: dashboard: the key sheet and the keys that act come from one table
    #[test]
    fn the_sheet_shows_what_the_script_obeys() {
        let sheet = sheet(&OwnKeys::default());
        let shown: Vec<&str> = sheet.iter().flat_map(|g| &g.rows).map(|row| row.does.as_str()).collect();
        let index = super::super::assets::all().iter().find(|a| a.name == "index.js").expect("the index");
        let text = std::str::from_utf8(&index.bytes).expect("text");
        let json = text.trim_start_matches("globalThis.timmy=").trim_end_matches(';');
        let tables: serde_json::Value = serde_json::from_str(json).expect("JSON behind the name");
        let obeyed: Vec<&str> =
            tables["keys"].as_array().expect("rows").iter().map(|row| row[0].as_str().expect("a name")).collect();
        assert_eq!(obeyed, KEYS.iter().map(|key| key.id).collect::<Vec<_>>());
        for key in KEYS {
            assert!(shown.contains(&key.does), "{}", key.id);
        }
        for page in nav::PAGES {
            assert_eq!(tables["go"][page.key.to_string()], page.route);
            assert!(shown.iter().any(|does| does.starts_with(page.title)), "{}", page.title);
        }
        assert!(index.bytes.len() <= 5 * 1024 + 512, "the index has {} bytes", index.bytes.len());
    }

    #[test]
    fn without_single_keys_only_the_others_are_shown() {
        let sheet = sheet(&OwnKeys::parse("off"));
        let keys: Vec<&str> =
            sheet.iter().flat_map(|g| &g.rows).flat_map(|row| &row.keys).map(String::as_str).collect();
        assert!(keys.contains(&"Ctrl K") && keys.contains(&"↓"));
        assert!(keys.iter().all(|key| key.chars().count() > 1 || *key == "↓" || *key == "↑"), "{keys:?}");
    }
}
