//! What can be done from the palette: one line for each act, with its twin in the terminal.

use crate::look::{Density, Theme};

/// How a verb acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A form without anything to fill in: the route, and its fields. The page stays; a notice says what was done.
    Do(&'static str, &'static [(&'static str, &'static str)]),
    /// The same, and the browser goes where the answer leads.
    Leave(&'static str, &'static [(&'static str, &'static str)]),
    /// A form with one field that is asked for.
    Ask(Question),
    /// Only a way to where it can be done.
    Go(&'static str),
}

/// What a verb asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where the answer is sent.
    pub route: &'static str,
    /// The name of the field.
    pub field: &'static str,
    /// What it is, as a label.
    pub label: &'static str,
    /// An example.
    pub example: &'static str,
    /// Whether the browser goes where the answer leads.
    pub leave: bool,
}

/// One verb.
#[derive(Debug, PartialEq, Eq)]
pub struct Verb {
    /// What it does: a verb with its object.
    pub title: &'static str,
    /// Further words by which it is found.
    pub words: &'static str,
    /// Its symbol in the sprite.
    pub icon: &'static str,
    /// The same in a terminal; empty where the terminal has no such thing, as with the look of a device.
    pub cli: &'static str,
    /// How it acts.
    pub act: Act,
}

const fn verb(title: &'static str, words: &'static str, icon: &'static str, cli: &'static str, act: Act) -> Verb {
    Verb { title, words, icon, cli, act }
}

/// Every verb there is.
pub const VERBS: &[Verb] = &[
    verb("Think now", "thought ask", "seed-creative", "timmy think", Act::Do("/thinking/think", &[])),
    verb(
        "Pause thinking for 1 h",
        "rest quiet hour stop",
        "clock",
        "timmy thoughts pause 1h",
        Act::Do("/thinking/pause", &[("minutes", "60")]),
    ),
    verb("Pause thinking", "rest quiet stop", "pause", "timmy thoughts pause", Act::Do("/thinking/pause", &[])),
    verb("Resume thinking", "continue go on wake", "play", "timmy thoughts resume", Act::Do("/thinking/resume", &[])),
    verb("Stop the thought in the making", "cancel", "stop", "", Act::Do("/thinking/stop", &[])),
    verb(
        "Put a thought in…",
        "capture inject idea",
        "plus",
        "timmy thoughts inject WORDS",
        Act::Ask(Question {
            route: "/thinking/inject",
            field: "text",
            label: "A thought for Timmy to go on from",
            example: "The drain in the cellar blocks every November",
            leave: false,
        }),
    ),
    verb(
        "Write to Timmy…",
        "talk chat message ask say",
        "talk",
        "timmy chat WORDS",
        Act::Ask(Question {
            route: "/talk",
            field: "text",
            label: "Message to Timmy",
            example: "What changed since yesterday?",
            leave: true,
        }),
    ),
    verb(
        "Watch a folder…",
        "add project repository git",
        "eye",
        "timmy watch add DIR",
        Act::Ask(Question {
            route: "/watch/add",
            field: "path",
            label: "Folder on this machine",
            example: "~/code/yourproject",
            leave: false,
        }),
    ),
    verb(
        "Make a task…",
        "queue work todo new add",
        "queued",
        "timmy task add TITLE",
        Act::Ask(Question {
            route: "/tasks/new",
            field: "title",
            label: "What is to be done",
            example: "Write the release notes",
            leave: true,
        }),
    ),
    verb("Decide what waits", "approve reject approval yes no", "waiting", "timmy approvals", Act::Go("/approvals")),
    verb(
        "Local only for 1 h",
        "privacy offline panic remote router",
        "lock",
        "timmy router local-only 60",
        Act::Do("/router/local", &[("minutes", "60")]),
    ),
    verb(
        "Ask providers elsewhere again",
        "local only end remote router",
        "remote",
        "timmy router local-only 0",
        Act::Do("/router/local", &[("minutes", "0")]),
    ),
    verb(
        "See who would answer",
        "what if router explain",
        "search",
        "timmy router explain",
        Act::Go("/router/status#what-if"),
    ),
    verb("Stop watching a folder", "remove unwatch", "folder", "timmy watch remove DIR", Act::Go("/settings#folders")),
    verb(
        "Make a token",
        "access key program api bearer",
        "lock",
        "timmy token create --name NAME",
        Act::Go("/settings#token-name"),
    ),
    verb("Revoke a token", "withdraw access key", "lock", "timmy token revoke NAME", Act::Go("/settings#tokens")),
    verb("Log other browsers out", "sessions end sign", "lock", "timmy sessions", Act::Go("/settings#sessions")),
    verb("Back up now", "backup save copy", "file", "timmy backup", Act::Do("/settings/backup", &[])),
    verb("Set a password", "login change", "lock", "timmy password set", Act::Go("/settings#password")),
    verb("Check everything again", "health doctor test", "again", "timmy doctor", Act::Leave("/health/check", &[])),
    verb(
        "Change a setting",
        "configuration option timmy.toml",
        "rows",
        "timmy config set KEY VALUE",
        Act::Go("/settings#every"),
    ),
    verb("Light look", "theme bright day", "sun", "", Act::Do("/look", &[("theme", Theme::Light.name())])),
    verb("Dark look", "theme night", "moon", "", Act::Do("/look", &[("theme", Theme::Dark.name())])),
    verb("Look as the system", "theme auto", "auto", "", Act::Do("/look", &[("theme", Theme::System.name())])),
    verb("Compact rows", "density dense small", "rows", "", Act::Do("/look", &[("density", Density::Compact.name())])),
    verb(
        "Comfortable rows",
        "density loose large",
        "rows",
        "",
        Act::Do("/look", &[("density", Density::Comfortable.name())]),
    ),
    verb("Show the keys", "keyboard shortcuts help", "search", "", Act::Go("/keys")),
    verb("Log out", "leave sign end session", "out", "", Act::Leave("/logout", &[])),
];

impl Act {
    /// The route a form is sent to; `None` for a way.
    #[must_use]
    pub const fn route(&self) -> Option<&'static str> {
        match self {
            Self::Do(route, _) | Self::Leave(route, _) => Some(route),
            Self::Ask(question) => Some(question.route),
            Self::Go(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_leads_to_a_route_that_takes_it() {
        for verb in VERBS {
            let (path, method) = match verb.act {
                Act::Go(href) => (href.split('#').next().unwrap_or_default(), "GET"),
                other => (other.route().unwrap_or_default(), "POST"),
            };
            let route = crate::routes::TABLE.iter().find(|route| route.path == path);
            assert!(route.is_some_and(|r| r.verbs.contains(method)), "{}: {method} {path}", verb.title);
            assert!(verb.cli.is_empty() || verb.cli.starts_with("timmy "), "{}", verb.cli);
        }
    }
}
