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
        route: "/swarm/events",
        group: Group::Trust,
        key: 'e',
        icon: "events",
        title: "Events",
        blurb: "Everything that happened, with its cause.",
    },
    Page {
        route: "/health/page",
        group: Group::Systems,
        key: 'u',
        icon: "systems",
        title: "Health",
        blurb: "Whether every part of Timmy is well.",
    },
];

/// The page at `route`, when there is one.
#[must_use]
pub fn page(route: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.route == route)
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
    fn a_group_without_a_page_is_not_drawn() {
        assert!(groups().all(|group| group.pages().count() > 0));
        assert!(!groups().any(|group| group == Group::Work));
        assert_eq!(Group::Now.door(), "/");
    }
}
