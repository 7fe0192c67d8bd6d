//! The door: one code from the terminal, or the password.

use askama::Template;

use super::{Density, Notice, Theme, asset, icon};

/// The login page. `GET /login`.
#[derive(Template)]
#[template(path = "login.html")]
pub struct LoginPage {
    /// The look.
    pub theme: Theme,
    /// The density.
    pub density: Density,
    /// Name of the machine.
    pub host: String,
    /// Version of the binary.
    pub version: String,
    /// Where to go after the door; a path of this site, empty for Home.
    pub next: String,
    /// Whether the owner has set a password, which may be typed here.
    pub password: bool,
    /// Why the last try failed, or that the session ended.
    pub notice: Option<Notice>,
}
