//! One table of keys: the sheet shows it, the script obeys it, and Settings remaps it, so that the three cannot differ.

use serde_json::{Value, json};

/// Where a key acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On every page.
    Everywhere,
    /// On the row that has the focus, whatever it is.
    Row,
    /// On the thought that has the focus.
    Thought,
    /// On the task that has the focus.
    Task,
    /// On the question that has the focus.
    Approval,
    /// On the provider of models that has the focus.
    Rung,
    /// On Home.
    Home,
    /// On the list of thoughts.
    Thoughts,
    /// On the log and on one event.
    Events,
}

impl Place {
    /// All of them, in the order of the sheet.
    pub const ALL: [Self; 9] = [
        Self::Everywhere,
        Self::Row,
        Self::Thought,
        Self::Task,
        Self::Approval,
        Self::Rung,
        Self::Home,
        Self::Thoughts,
        Self::Events,
    ];

    /// The heading on the sheet.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Row => "On a row",
            Self::Thought => "On a thought",
            Self::Task => "On a task",
            Self::Approval => "On a question",
            Self::Rung => "On a provider",
            Self::Home => "On Home",
            Self::Thoughts => "On Thoughts",
            Self::Events => "On Events",
        }
    }

    /// The one page on which it acts; empty when it acts on several.
    #[must_use]
    pub const fn route(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::Thoughts => "/thinking",
            Self::Events => "/swarm/events",
            Self::Everywhere | Self::Row | Self::Thought | Self::Task | Self::Approval | Self::Rung => "",
        }
    }

    /// Whether it acts on the row that has the focus.
    #[must_use]
    pub const fn is_row(self) -> bool {
        matches!(self, Self::Row | Self::Thought | Self::Task | Self::Approval | Self::Rung)
    }

    /// The keys that act here, in the order of the table.
    pub fn keys(self) -> impl Iterator<Item = &'static Key> {
        KEYS.iter().filter(move |key| key.place == self)
    }
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name: small letters. Elements that it presses carry it as `data-act`.
    pub id: &'static str,
    /// What is pressed, as `KeyboardEvent.key` names it; `mod+` is Ctrl, and ⌘ on a Mac. The first one can be remapped
    /// when it is a single character.
    pub keys: &'static [&'static str],
    /// Where it acts.
    pub place: Place,
    /// What it does.
    pub does: &'static str,
}

impl Key {
    /// Whether it is one character without Ctrl, which can be switched off and remapped (WCAG 2.1.4).
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.keys.first().is_some_and(|key| key.chars().count() == 1)
    }
}

const fn key(id: &'static str, keys: &'static [&'static str], place: Place, does: &'static str) -> Key {
    Key { id, keys, place, does }
}

/// Every key there is.
pub const KEYS: &[Key] = &[
    key("palette", &["mod+k"], Place::Everywhere, "Search pages, things and settings, or run something"),
    key("search", &["/"], Place::Everywhere, "Search on this page"),
    key("sheet", &["?"], Place::Everywhere, "Show the keys"),
    key("capture", &["c"], Place::Everywhere, "Put a thought in"),
    key("talk", &["t"], Place::Everywhere, "Write to Timmy"),
    key("go", &["g"], Place::Everywhere, "Go to a page: this key, then the letter of the page"),
    key("prev", &["["], Place::Everywhere, "Previous item or page"),
    key("next", &["]"], Place::Everywhere, "Next item or page"),
    key("undo", &["u"], Place::Everywhere, "Undo the last act, while it is offered"),
    key("stop", &["z"], Place::Everywhere, "Stop the thought or answer in the making"),
    key("live", &["p"], Place::Everywhere, "Pause live updates, or go on"),
    key("local", &["L"], Place::Everywhere, "Keep everything on this machine for 1 h"),
    key("side", &["\\"], Place::Everywhere, "Make the side narrow or wide"),
    key("density", &["d"], Place::Everywhere, "Make rows compact or comfortable"),
    key("down", &["j", "ArrowDown"], Place::Row, "Next row"),
    key("up", &["k", "ArrowUp"], Place::Row, "Row before"),
    key("open", &["Enter"], Place::Row, "Open it"),
    key("first", &["mod+Enter"], Place::Row, "Do its first act"),
    key("panel", &["."], Place::Row, "Show what can be done with it"),
    key("why", &["y"], Place::Row, "Show what led to it"),
    key("copy", &["#"], Place::Row, "Copy its id"),
    key("back", &["Escape"], Place::Row, "Leave the row; close what is open"),
    key("raise", &["K"], Place::Row, "Put it before the one above, where the order is yours"),
    key("lower", &["J"], Place::Row, "Put it behind the one below, where the order is yours"),
    key("keep", &["f"], Place::Thought, "Keep it, or release it"),
    key("fewer", &["-"], Place::Thought, "Fewer like it, or take that back"),
    key("reply", &["r"], Place::Thought, "Reply to it in Talk"),
    key("choose", &["b"], Place::Task, "Choose it, or not"),
    key("approve", &["o"], Place::Approval, "Say yes; asks once more"),
    key("reject", &["v"], Place::Approval, "Say no, with a reason"),
    key("trial", &["T"], Place::Rung, "Try it out with one small question, or give that up"),
    key("toggle", &["O"], Place::Rung, "Switch it off or on"),
    key("heal", &["B"], Place::Rung, "Reset its circuit"),
    key("hour", &[" "], Place::Home, "Pause thinking for 1 h, or resume it"),
    key("newest", &["Home"], Place::Thoughts, "Show the thoughts that came meanwhile"),
    key("around", &["w"], Place::Events, "Show the 30 seconds around it"),
    key("like", &["i"], Place::Events, "Show only events of this name"),
    key("unlike", &["I"], Place::Events, "Leave events of this name out"),
    key("same", &["n"], Place::Events, "Next event of the same name"),
    key("before", &["N"], Place::Events, "Previous event of the same name"),
];

/// The key called `id`.
#[must_use]
pub fn named(id: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.id == id)
}

/// A key as people read it: `Ctrl K`, `Space`, `↓`.
#[must_use]
pub fn spelled(key: &str) -> String {
    if let Some(rest) = key.strip_prefix("mod+") {
        let rest = if rest.chars().count() == 1 { rest.to_uppercase() } else { rest.to_owned() };
        return format!("Ctrl {rest}");
    }
    let word = match key {
        " " => "Space",
        "ArrowDown" => "↓",
        "ArrowUp" => "↑",
        "Escape" => "Esc",
        other => other,
    };
    word.to_owned()
}

/// The table for the script: `[id, [keys], place]` each, where a place is `row`, a route, or nothing.
#[must_use]
pub fn data() -> Value {
    let row = |key: &Key| {
        let place = if key.place.is_row() { "row" } else { key.place.route() };
        json!([key.id, key.keys, place])
    };
    KEYS.iter().map(row).collect()
}

/// What a device made of the table: single keys on or off, and keys of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKeys {
    /// Whether single keys act at all.
    pub on: bool,
    /// Remapped keys: the name, and the character pressed instead.
    own: Vec<(&'static str, char)>,
}

impl Default for OwnKeys {
    fn default() -> Self {
        Self { on: true, own: Vec::new() }
    }
}

/// Characters a key can be remapped to: printable ASCII, the space excepted for fields cannot show it.
fn can_be_key(c: char) -> bool {
    c.is_ascii_graphic()
}

impl OwnKeys {
    /// The keys as the cookie and the page carry them: `on`, `off`, or `on.live-78.density-79` with the characters in
    /// hexadecimal. What makes no sense is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut words = text.split('.');
        let on = words.next() != Some("off");
        let own = words.filter_map(|word| {
            let (id, code) = word.split_once('-')?;
            let c = u8::from_str_radix(code, 16).ok().map(char::from).filter(|c| can_be_key(*c))?;
            Some((named(id)?.id, c))
        });
        let asked: Vec<(&str, char)> = own.collect();
        if asked.is_empty() {
            // Most devices keep the usual keys, and every request comes through here.
            return Self { on, own: Vec::new() };
        }
        // A cookie of an older table may clash with a new key; then the usual keys hold.
        Self::chosen(on, &asked).unwrap_or(Self { on, own: Vec::new() })
    }

    /// The keys that an owner chose.
    ///
    /// # Errors
    /// One sentence when a key cannot be chosen, or two would be the same.
    pub fn chosen(on: bool, asked: &[(&str, char)]) -> Result<Self, String> {
        let mut own = Vec::new();
        for (id, c) in asked {
            let Some(key) = named(id).filter(|key| key.is_single()) else {
                return Err(format!("No key that can be changed is called {id:?}."));
            };
            if key.keys.first() == Some(&c.to_string().as_str()) {
                continue;
            }
            if !can_be_key(*c) {
                return Err(format!("“{}” needs one letter, digit or sign.", key.does));
            }
            own.push((key.id, *c));
        }
        let chosen = Self { on, own };
        let singles: Vec<&Key> = KEYS.iter().filter(|key| key.is_single()).collect();
        for (at, one) in singles.iter().enumerate() {
            if let Some(other) = singles[at + 1..].iter().find(|other| chosen.of(other) == chosen.of(one)) {
                let twice = spelled(&chosen.of(one));
                return Err(format!("{twice} would mean two things: “{}” and “{}”.", one.does, other.does));
            }
        }
        Ok(chosen)
    }

    /// As the cookie and the page carry it.
    #[must_use]
    pub fn coded(&self) -> String {
        let word = |(id, c): &(&str, char)| format!(".{id}-{:02x}", u32::from(*c));
        let own: String = self.own.iter().map(word).collect();
        format!("{}{own}", if self.on { "on" } else { "off" })
    }

    /// The first key of `key` on this device.
    #[must_use]
    pub fn of(&self, key: &Key) -> String {
        let own = self.own.iter().find(|(id, _)| *id == key.id).map(|(_, c)| c.to_string());
        own.unwrap_or_else(|| key.keys.first().copied().unwrap_or_default().to_owned())
    }

    /// Every key of `key` on this device, as people read them; none when single keys are off and it has no other.
    #[must_use]
    pub fn spelled(&self, key: &Key) -> Vec<String> {
        let first = if key.is_single() && !self.on { None } else { Some(self.of(key)) };
        let rest = key.keys.iter().skip(1).map(|k| (*k).to_owned());
        first.into_iter().chain(rest).map(|k| spelled(&k)).collect()
    }

    /// Whether nothing was changed.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_usual_keys_do_not_clash() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(key.id.bytes().all(|b| b.is_ascii_lowercase()), "{}", key.id);
            assert!(KEYS[at + 1..].iter().all(|other| other.id != key.id), "{}", key.id);
            assert!(Place::ALL.contains(&key.place));
        }
        assert_eq!(OwnKeys::chosen(true, &[]), Ok(OwnKeys::default()));
    }

    #[test]
    fn every_place_with_a_page_is_a_page_of_the_navigation() {
        for place in Place::ALL.iter().filter(|place| !place.route().is_empty()) {
            assert!(crate::nav::page(place.route()).is_some(), "{}", place.name());
        }
    }

    #[test]
    fn a_device_remaps_keys_and_hears_of_a_clash() {
        let own = OwnKeys::chosen(true, &[("live", 'x'), ("density", 'p'), ("talk", 't')]).expect("no clash");
        assert_eq!(own.coded(), "on.live-78.density-70", "what is as usual is not stored");
        assert_eq!(OwnKeys::parse(&own.coded()), own);
        let of = |id| own.of(named(id).expect("a key"));
        assert_eq!((of("live"), of("density"), of("talk")), ("x".into(), "p".into(), "t".into()));
        let clash = OwnKeys::chosen(true, &[("live", 't')]).expect_err("t is taken");
        assert_eq!(clash, "t would mean two things: “Write to Timmy” and “Pause live updates, or go on”.");
        assert!(OwnKeys::chosen(true, &[("palette", 'x')]).is_err(), "Ctrl K stays");
        assert!(OwnKeys::chosen(true, &[("live", ' ')]).is_err());
        assert!(OwnKeys::chosen(true, &[("nothing", 'x')]).is_err());
    }

    #[test]
    fn a_cookie_from_anywhere_gives_keys_without_a_clash() {
        for text in ["", "on", "x", "on.live-74", "on.nothing-78", "on.live-zz", "on.live-00", "on.live", "...", "on.é"]
        {
            assert!(OwnKeys::parse(text).is_usual(), "{text}");
        }
        let off = OwnKeys::parse("off.live-78");
        assert!(!off.on && off.coded() == "off.live-78");
        assert_eq!(off.spelled(named("live").expect("a key")), Vec::<String>::new());
        assert_eq!(off.spelled(named("down").expect("a key")), ["↓"], "what is no single key stays");
        assert_eq!(off.spelled(named("palette").expect("a key")), ["Ctrl K"]);
    }
}
