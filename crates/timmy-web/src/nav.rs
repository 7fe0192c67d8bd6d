//! One table of pages: the side, the phone's tabs and sheets, and the `g` keys are all drawn from it.

/// One of the five rooms of navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// What happens, and what Timmy wants from the owner.
    Now,
    /// What Timmy thinks and knows.
    Mind,
    /// What is being done.
    Work,
    /// What may happen, and what happened.
    Trust,
    /// How the machine is.
    Systems,
}

impl Group {
    /// All five, in the order they are drawn.
    pub const ALL: [Self; 5] = [Self::Now, Self::Mind, Self::Work, Self::Trust, Self::Systems];

    /// The name people read.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::Mind => "Mind",
            Self::Work => "Work",
            Self::Trust => "Trust",
            Self::Systems => "Systems",
        }
    }

    /// Its symbol in the sprite.
    #[must_use]
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Mind => "mind",
            Self::Work => "work",
            Self::Trust => "trust",
            Self::Systems => "systems",
        }
    }

    /// The pages in this group, in the order of the table.
    pub fn pages(self) -> impl Iterator<Item = &'static Page> {
        PAGES.iter().filter(move |page| page.group == self)
    }

    /// Where the phone's tab of this group leads: its first page.
    #[must_use]
    pub fn door(self) -> &'static str {
        self.pages().next().map_or("/", |page| page.route)
    }
}

/// A page the owner can go to.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    /// Its address.
    pub route: &'static str,
    /// The group it belongs to.
    pub group: Group,
    /// The letter after `g` that goes there.
    pub key: char,
    /// Its symbol in the sprite.
    pub icon: &'static str,
    /// Its name: the link, the heading and the title of the tab.
    pub title: &'static str,
    /// What it answers, in one sentence.
    pub blurb: &'static str,
}

/// Every page there is. A page that does not exist is not listed and therefore nowhere hinted at.
pub const PAGES: &[Page] = &[
    Page {
        route: "/",
        group: Group::Now,
        key: 'n',
        icon: "now",
        title: "Home",
        blurb: "What happens now, and what waits for you.",
    },
    Page {
        route: "/talk",
        group: Group::Now,
        key: 'c',
        icon: "talk",
        title: "Talk",
        blurb: "The one conversation with Timmy.",
    },
    Page {
        route: "/thinking",
        group: Group::Mind,
        key: 't',
        icon: "mind",
        title: "Thoughts",
        blurb: "What Timmy thinks when nobody asks.",
    },
    Page {
        route: "/tasks",
        group: Group::Work,
        key: 'q',
        icon: "queued",
        title: "Tasks",
        blurb: "What is to be done, in its order, and what came of it.",
    },
    Page {
        route: "/agents",
        group: Group::Work,
        key: 's',
        icon: "owner",
        title: "Agents",
        blurb: "Who does the tasks.",
    },
    Page {
        route: "/approvals",
        group: Group::Trust,
        key: 'a',
        icon: "done",
        title: "Approvals",
        blurb: "What waits for your word, and the rules that answer for you.",
    },
    Page {
        route: "/swarm/events",
        group: Group::Trust,
        key: 'e',
        icon: "events",
        title: "Events",
        blurb: "Everything that happened, with its cause.",
    },
    Page {
        route: "/router/status",
        group: Group::Systems,
        key: 'r',
        icon: "rows",
        title: "Router",
        blurb: "Who answers, in which order, and what leaves this machine for it.",
    },
    Page {
        route: "/models",
        group: Group::Systems,
        key: 'm',
        icon: "mind",
        title: "Models",
        blurb: "Which models are here, which come, and which there are to get.",
    },
    Page {
        route: "/health/page",
        group: Group::Systems,
        key: 'u',
        icon: "systems",
        title: "Health",
        blurb: "Whether every part of Timmy is well.",
    },
    Page {
        route: "/settings",
        group: Group::Systems,
        key: ',',
        icon: "settings",
        title: "Settings",
        blurb: "What this device, this house and its file are set to.",
    },
];

/// The page at `route`, when there is one.
#[must_use]
pub fn page(route: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.route == route)
}

/// Pages behind others, which have a Markdown twin too, as the table of routes names them.
const DETAILS: [&str; 4] = ["/keys", "/thinking/{id}", "/tasks/{id}", "/swarm/events/{seq}"];

/// Whether the route `path`, as the table of routes names it, is a page with a Markdown twin, or is one.
#[must_use]
pub fn has_twin(path: &str) -> bool {
    let path = path.strip_suffix(".md").unwrap_or(path);
    path == "/index" || page(path).is_some() || DETAILS.contains(&path)
}

/// The address of the Markdown twin of the page at `address`, when it is a page: `/talk?about=1` gives
/// `/talk.md?about=1`.
#[must_use]
pub fn twin(address: &str) -> Option<String> {
    let (path, rest) = address.split_at(address.find(['?', '#']).unwrap_or(address.len()));
    let id = |prefix: &str, fits: fn(u8) -> bool| {
        path.strip_prefix(prefix).is_some_and(|id| !id.is_empty() && id.bytes().all(fits))
    };
    let uuid = |prefix: &str| path.len() == prefix.len() + 36 && id(prefix, |b| b.is_ascii_hexdigit() || b == b'-');
    match path {
        "/" => Some(format!("/index.md{rest}")),
        _ if page(path).is_some()
            || DETAILS.contains(&path)
            || uuid("/thinking/")
            || uuid("/tasks/")
            || id("/swarm/events/", |b| b.is_ascii_digit()) =>
        {
            Some(format!("{path}.md{rest}"))
        }
        _ => None,
    }
}

/// The groups that have a page.
pub fn groups() -> impl Iterator<Item = Group> {
    Group::ALL.into_iter().filter(|group| group.pages().next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_and_keys_are_unique() {
        for (at, page) in PAGES.iter().enumerate() {
            for other in &PAGES[at + 1..] {
                assert_ne!(page.route, other.route);
                assert_ne!(page.key, other.key, "{} and {}", page.title, other.title);
            }
        }
    }

    #[test]
    fn pages_have_twins_and_fragments_have_none() {
        let rows = [
            ("/", Some("/index.md")),
            ("/talk?about=1#say", Some("/talk.md?about=1#say")),
            ("/swarm/events/12", Some("/swarm/events/12.md")),
            (
                "/thinking/0198f3a0-0000-7000-8000-000000000000",
                Some("/thinking/0198f3a0-0000-7000-8000-000000000000.md"),
            ),
            ("/tasks/0198f3a0-0000-7000-8000-000000000000", Some("/tasks/0198f3a0-0000-7000-8000-000000000000.md")),
            ("/tasks?view=board", Some("/tasks.md?view=board")),
            ("/tasks/rows", None),
            ("/thinking/rows", None),
            ("/thinking/status", None),
            ("/swarm/events/export", None),
            ("/swarm/events/", None),
            ("/login", None),
            ("/talk.md", None),
        ];
        for (address, wanted) in rows {
            assert_eq!(twin(address).as_deref(), wanted, "{address}");
        }
    }

    #[test]
    fn a_group_without_a_page_is_not_drawn() {
        assert!(groups().all(|group| group.pages().count() > 0));
        assert_eq!(Group::Work.door(), "/tasks");
        assert_eq!(Group::Now.door(), "/");
    }
}
