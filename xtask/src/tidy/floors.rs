//! Rules 1 and 3: who may depend on whom, and who may name which crate of others.

use super::manifests::{self, Dependency, Manifest};
use crate::finding::{FLOORS, Finding, NAMES};
use crate::tree::Tree;

/// The floors, ground first. Crates of one floor are siblings and never know each other.
const FLOORS_OF_THE_HOUSE: &[&[&str]] = &[
    &["timmy-domain"],
    &["timmy-store", "timmy-llm", "timmy-tools"],
    &["timmy-core", "timmy-engine"],
    &["timmy-web", "timmy-chat"],
    &["timmy"],
];

/// Known only to tests; it may itself know the floors up to the engine.
const TESTKIT: &str = "timmy-testkit";
/// The highest floor the testkit may know.
const TESTKIT_FLOOR_MAX: usize = 2;

/// The engine beside the core implements a trait of this crate and knows nothing else above the ground.
const ENGINE: &str = "timmy-engine";

/// Crates of others that only some crates of the house may name.
const NAMED: &[(&str, &[&str])] = &[
    // The testkit damages a store from outside, as another program or a newer version could.
    ("rusqlite", &["timmy-store", "timmy-testkit"]),
    ("rusqlite_migration", &["timmy-store"]),
    ("reqwest", &["timmy-llm", "timmy-tools", "timmy-chat", "timmy-web"]),
    ("axum", &["timmy-web"]),
    ("askama", &["timmy-web"]),
    ("clap", &["timmy", "xtask"]),
    ("anyhow", &["timmy", "xtask"]),
];

fn floor(name: &str) -> Option<usize> {
    FLOORS_OF_THE_HOUSE.iter().position(|crates| crates.contains(&name))
}

/// Checks every manifest.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    for manifest in manifests::all(tree) {
        let ours = |name: &str| name == "timmy" || name.starts_with("timmy-");
        if ours(&manifest.name) && manifest.name != TESTKIT && floor(&manifest.name).is_none() {
            let what = format!("{} has no floor in xtask/src/tidy/floors.rs", manifest.name);
            findings.push(Finding::new(&manifest.path, 1, &FLOORS, what));
        }
        for dependency in &manifest.dependencies {
            let refused = if ours(&dependency.name) {
                edge(&manifest, dependency).map(|why| (&FLOORS, why))
            } else {
                named(&manifest, dependency).map(|why| (&NAMES, why))
            };
            if let Some((rule, why)) = refused {
                findings.push(Finding::new(&manifest.path, dependency.line, rule, why));
            }
        }
    }
}

/// Why the edge from `manifest` to a crate of the house is refused, if it is.
fn edge(manifest: &Manifest, to: &Dependency) -> Option<String> {
    let from = manifest.name.as_str();
    if to.name == TESTKIT {
        return (!to.dev).then(|| format!("{from} depends on {TESTKIT} outside its tests"));
    }
    if from == "timmy" && to.dev {
        return None;
    }
    let Some(below) = floor(&to.name) else {
        return Some(format!("{from} depends on {}, which has no floor", to.name));
    };
    let highest = match from {
        "xtask" => return Some(format!("xtask depends on {}; it must build without the house", to.name)),
        TESTKIT => TESTKIT_FLOOR_MAX + 1,
        ENGINE => 2,
        _ => floor(from)?,
    };
    (below >= highest).then(|| match floor(from) {
        Some(own) if own == below => format!("{from} depends on its sibling {} on floor {below}", to.name),
        Some(own) => format!("{from} on floor {own} depends on {} on floor {below}", to.name),
        None => format!("{from} may know floors up to {TESTKIT_FLOOR_MAX}, not {} on floor {below}", to.name),
    })
}

/// Why naming the crate of others is refused, if it is. Tests of the binary may drive it over HTTP.
fn named(manifest: &Manifest, to: &Dependency) -> Option<String> {
    let (_, allowed) = NAMED.iter().find(|(name, _)| *name == to.name)?;
    let test_client = to.dev && to.name == "reqwest" && manifest.name == "timmy";
    (!allowed.contains(&manifest.name.as_str()) && !test_client)
        .then(|| format!("{} names {}; only {} may", manifest.name, to.name, allowed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    fn manifest(name: &str, section: &str, dependency: &str) -> Vec<String> {
        let folder = if name == "xtask" { "xtask".to_owned() } else { format!("crates/{name}") };
        let text = format!("[package]\nname = \"{name}\"\n[{section}]\n{dependency}.workspace = true\n");
        found(check, &[(&format!("{folder}/Cargo.toml"), &text)])
    }

    #[test]
    fn lower_floors_are_open_and_higher_ones_and_siblings_are_not() {
        for (name, dependency) in [
            ("timmy-web", "timmy-core"),
            ("timmy-core", "timmy-store"),
            ("timmy", "timmy-web"),
            ("timmy-engine", "timmy-llm"),
        ] {
            assert_eq!(manifest(name, "dependencies", dependency), [""; 0], "{name} → {dependency}");
        }
        for (name, dependency) in [
            ("timmy-store", "timmy-llm"),
            ("timmy-domain", "timmy-store"),
            ("timmy-chat", "timmy-web"),
            ("timmy-core", "timmy-engine"),
            ("timmy-core", "timmy"),
        ] {
            let line = format!("crates/{name}/Cargo.toml:4 rule 1");
            assert_eq!(manifest(name, "dependencies", dependency), [line], "{name} → {dependency}");
        }
        assert_eq!(manifest("xtask", "dependencies", "timmy-domain"), ["xtask/Cargo.toml:4 rule 1"]);
    }

    #[test]
    fn the_testkit_is_for_tests_alone_and_a_crate_without_a_floor_is_noticed() {
        assert_eq!(manifest("timmy-llm", "dev-dependencies", "timmy-testkit"), [""; 0]);
        assert_eq!(manifest("timmy-llm", "dependencies", "timmy-testkit").len(), 1);
        assert_eq!(manifest("timmy-testkit", "dependencies", "timmy-core"), [""; 0]);
        assert_eq!(manifest("timmy-testkit", "dependencies", "timmy-web").len(), 1);
        assert_eq!(manifest("timmy-attic", "dependencies", "serde"), ["crates/timmy-attic/Cargo.toml:1 rule 1"]);
    }

    #[test]
    fn only_the_store_names_the_database_and_only_the_binary_the_command_line() {
        assert_eq!(manifest("timmy-store", "dependencies", "rusqlite"), [""; 0]);
        assert_eq!(manifest("timmy-core", "dependencies", "rusqlite"), ["crates/timmy-core/Cargo.toml:4 rule 3"]);
        assert_eq!(manifest("timmy-core", "dev-dependencies", "rusqlite").len(), 1);
        assert_eq!(manifest("timmy-web", "dependencies", "anyhow").len(), 1);
        assert_eq!(manifest("timmy", "dependencies", "reqwest").len(), 1);
        assert_eq!(manifest("timmy", "dev-dependencies", "reqwest"), [""; 0]);
    }
}
