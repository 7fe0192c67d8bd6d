//! `timmy docs`: documentation generated from the code, for `cargo xtask gen`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use timmy_domain::Event;

use crate::config::Config;
use crate::say;

/// What the command takes.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The event catalogue
    Events,
    /// Every configuration key
    Config,
    /// An example configuration file
    Example,
    /// Every route of the server
    Routes,
    /// Every metric
    Metrics,
    /// Every field of a log line
    Log,
    /// The JSON interface, as OpenAPI
    Openapi,
}

/// Prints the document.
///
/// # Errors
/// Never.
pub fn run(args: &Args) -> Result<ExitCode> {
    let text = match args.what {
        What::Events => events(),
        What::Config => config(),
        What::Example => example(),
        What::Routes => routes(),
        What::Metrics => metrics(),
        What::Log => log_fields(),
        What::Openapi => timmy_web::openapi::text().to_owned(),
    };
    say::part(&text);
    Ok(ExitCode::SUCCESS)
}

fn events() -> String {
    let mut out = String::from(
        "# Events\n\nGenerated from the catalogue in `crates/timmy-domain/src/event.rs`; do not edit.\n\n| name | severity | concerns | meaning |\n|---|---|---|---|\n",
    );
    for (name, severity, audience, doc) in Event::catalogue() {
        out.push_str(&format!(
            "| `{name}` | {} | {} | {doc} |\n",
            severity.name(),
            format!("{audience:?}").to_lowercase()
        ));
    }
    out
}

fn config() -> String {
    let mut out = String::from(
        "# Configuration\n\nGenerated from the settings in the code; do not edit. A key can stand in `timmy.toml`, in the environment as\n`TIMMY__SECTION__KEY`, or come from a flag; later wins. `timmy config explain` shows the values in force.\n",
    );
    for section in Config::default().sections() {
        out.push_str(&format!(
            "\n## [{}]\n\n{}\n\n| key | default | meaning |\n|---|---|---|\n",
            section.name(),
            section.doc().trim()
        ));
        for key in section.keys() {
            out.push_str(&format!("| `{}` | `{}` | {}{} |\n", key.key, key.default, key.doc, bound(key.bound)));
        }
    }
    out.push_str("\n## [provider.NAME]\n\nA further provider behind an API; add NAME to `[cascade] providers`. Its key stands in\n`secrets.toml` (mode 0600) as `[provider.NAME] api_key = \"…\"`.\n\n| key | meaning |\n|---|---|\n| `kind` | `\"openai\"` (any server that speaks its format), `\"xai\"`, `\"openrouter\"`, `\"llamacpp\"`, `\"vllm\"`, `\"lmstudio\"` or `\"anthropic\"` (any server that speaks its Messages format). |\n| `url` | The base of its address; empty for the usual one of its kind. |\n| `model` | The model to ask for. |\n| `embed_model` | The model that turns text into vectors; empty for the same. |\n| `place` | `\"local\"` when the address is a machine of yours; empty to tell by the address. |\n");
    out
}

fn bound(bound: timmy_domain::settings::Bound) -> String {
    use timmy_domain::settings::Bound;
    match bound {
        Bound::Range(low, high) => format!(" From {low} to {high}."),
        Bound::OneOf(words) => format!(" One of {}.", words.join(", ")),
        _ => String::new(),
    }
}

fn example() -> String {
    let mut out = String::from(
        "# timmy.toml, in Timmy's home. Every line is optional; these are the defaults. Generated; do not edit.\n",
    );
    for section in Config::default().sections() {
        out.push_str(&format!("\n# {}\n[{}]\n", section.doc().trim(), section.name()));
        for key in section.keys() {
            out.push_str(&format!("# {}\n# {} = {}\n", key.doc, key.key, key.default));
        }
    }
    out
}

fn routes() -> String {
    let mut out = String::from(
        "# Routes\n\nGenerated from the table in `crates/timmy-web/src/routes.rs`; do not edit.\n\n| route | verbs | who |\n|---|---|---|\n",
    );
    for route in timmy_web::routes::TABLE {
        out.push_str(&format!("| `{}` | {} | {} |\n", route.path, route.verbs, route.who));
    }
    out
}

fn metrics() -> String {
    let mut out = String::from(
        "# Metrics\n\nGenerated from the table in `crates/timmy-web/src/metrics/families.rs`; do not edit. How to read them stands in\n[observability.md](observability.md).\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n",
    );
    for family in timmy_web::metrics::families::FAMILIES {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        out.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            family.name,
            family.kind.name(),
            labels.join(", "),
            family.help
        ));
    }
    out
}

fn log_fields() -> String {
    let mut out = String::from(
        "# Fields of a log line\n\nGenerated from the table in `crates/timmy/src/log/fields.rs`; do not edit. How to get such lines stands in\n[observability.md](observability.md).\n\n| name | JSON | meaning |\n|---|---|---|\n",
    );
    for (name, holds, doc) in crate::log::fields::FIELDS {
        out.push_str(&format!("| `{name}` | {} | {doc} |\n", holds.name()));
    }
    out
}
