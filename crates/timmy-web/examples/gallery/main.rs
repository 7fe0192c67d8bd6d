//! Draws every page with sample data into a folder, with the static files beside them, for looking at.
//!
//! `cargo run -p timmy-web --example gallery -- DIR`, then serve DIR over HTTP.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use askama::Template;
use timmy_domain::{Life, Problem};
use timmy_web::look::door::LoginPage;
use timmy_web::look::failure::{BareFailurePage, Failure, FailurePage};
use timmy_web::look::{Density, Notice, State, Theme, assets};

mod home;
mod log;
mod mind;
mod sample;
mod talk;
mod well;

use home::home;
use log::{event, events};
use mind::{chain_page, thinking};
use sample::{clock, shell};
use talk::talk;
use well::health;

fn login(theme: Theme, notice: Option<Notice>) -> LoginPage {
    LoginPage {
        theme,
        density: Density::Comfortable,
        host: "hearth.lan".into(),
        version: "0.1.0".into(),
        next: String::new(),
        password: true,
        notice,
    }
}

fn failure(theme: Theme, failure: Failure) -> FailurePage {
    let mut shell = shell("/none", Life::Idle, "Resting until 14:17", "", theme);
    shell.title = "Not here".into();
    FailurePage { shell, failure }
}

fn write(dir: &Path, name: &str, page: &impl Template) -> Result<(), Box<dyn Error>> {
    Ok(fs::write(dir.join(format!("{name}.html")), page.render()?)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let dir = PathBuf::from(std::env::args().nth(1).ok_or("usage: gallery DIR")?);
    for asset in assets::all() {
        let folder = dir.join("static").join(&asset.hash);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(asset.name), &asset.bytes)?;
    }
    let theme = Theme::System;
    for kind in ["", "waiting", "answering", "first"] {
        write(&dir, &named("home", kind), &home(theme, kind))?;
    }
    for kind in ["", "paused", "empty"] {
        write(&dir, &named("thinking", kind), &thinking(theme, kind))?;
    }
    for kind in ["", "reply", "empty"] {
        write(&dir, &named("talk", kind), &talk(theme, kind))?;
    }
    for kind in ["", "empty", "refused"] {
        write(&dir, &named("events", kind), &events(theme, kind))?;
    }
    for kind in ["", "bad"] {
        write(&dir, &named("health", kind), &health(theme, kind))?;
    }
    write(&dir, "chain", &chain_page(theme))?;
    write(&dir, "event", &event(theme)?)?;
    write(&dir, "login", &login(theme, None))?;
    let text = "A code works once, for 60 seconds. Run timmy login for a new one.";
    let refused = Notice { state: State::failed("That code does not open"), text: text.into() };
    write(&dir, "login-refused", &login(theme, Some(refused)))?;
    let at = clock().second(clock().now);
    let unknown =
        Problem::unknown("unknown_thought", "No thought has this id.", "Go to Thoughts; the newest stand first.");
    write(&dir, "failure-404", &failure(theme, Failure::of(&unknown, at.clone())))?;
    let fault = Failure::fault("The store took longer than 2 s to answer.", Some(48_240), at.clone());
    write(&dir, "failure-500", &failure(theme, fault))?;
    let door = Problem::new(
        timmy_domain::problem::Kind::Forbidden,
        "forbidden_origin",
        "The request came from another site.",
        "Open Timmy at its own address and try again there.",
    );
    let bare = BareFailurePage { theme, density: Density::Comfortable, failure: Failure::of(&door, at) };
    write(&dir, "failure-bare", &bare)?;
    Ok(())
}

fn named(page: &str, kind: &str) -> String {
    if kind.is_empty() { page.to_owned() } else { format!("{page}-{kind}") }
}
