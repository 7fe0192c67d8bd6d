//! The palette as a page, for those without scripts and for links.

use askama::Template;

use super::{Shell, asset, icon};
use crate::nav;
use crate::palette::Entry;

/// The entries of one section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelf {
    /// Its heading.
    pub name: &'static str,
    /// The entries; never empty.
    pub entries: Vec<Entry>,
}

/// The entries under their headings. They stand as they come: of one kind together when nothing was typed, else the
/// best first under one heading.
#[must_use]
pub fn shelves(typed: &str, entries: Vec<Entry>) -> Vec<Shelf> {
    if !typed.trim().is_empty() {
        return if entries.is_empty() { Vec::new() } else { vec![Shelf { name: "Found", entries }] };
    }
    let mut shelves: Vec<Shelf> = Vec::new();
    for entry in entries {
        let name = entry.section.name();
        match shelves.last_mut() {
            Some(shelf) if shelf.name == name => shelf.entries.push(entry),
            _ => shelves.push(Shelf { name, entries: vec![entry] }),
        }
    }
    shelves
}

/// The palette. `GET /palette`.
#[derive(Template)]
#[template(path = "palette.html")]
pub struct PalettePage {
    /// What surrounds it.
    pub shell: Shell,
    /// What was typed.
    pub typed: String,
    /// What fits.
    pub shelves: Vec<Shelf>,
}
