//! Rule 7: nothing lies about that nobody uses.

use std::collections::BTreeSet;

use super::manifests::{self, Manifest};
use crate::finding::{FORGOTTEN, Finding};
use crate::rust::{Source, has_word, words_at};
use crate::tree::{Tree, crate_of, file_name, folder, join};

/// What the pages are made of.
const TEMPLATES: &str = "crates/timmy-web/templates/";
const STATIC: &str = "crates/timmy-web/static/";
/// The database's history.
const MIGRATIONS: &str = "crates/timmy-store/migrations/";
/// Packages whose library has another name.
const LIBRARIES: [(&str, &str); 1] = [("tz-rs", "tz")];
/// A dependency that no code names says why in its manifest, on its own line.
const KEPT: &str = "# kept because: ";

/// Checks modules, templates, static files, migrations and dependencies.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let manifests = manifests::all(tree);
    let reached = reached(tree, &manifests);
    for (path, _) in tree.rust() {
        if crate_of(path).is_some() && !reached.contains(path) {
            findings.push(Finding::new(path, 1, &FORGOTTEN, "no module names this file"));
        }
    }
    for (path, _) in tree.iter() {
        let (name, kind) = if let Some(name) = path.strip_prefix(TEMPLATES) {
            (name, "no handler and no template names this template")
        } else if path.starts_with(STATIC) {
            (file_name(path), "nothing in timmy-web names this static file")
        } else if path.starts_with(MIGRATIONS) && path.ends_with(".sql") {
            (file_name(path), "timmy-store does not embed this migration")
        } else {
            continue;
        };
        let home = crate_of(path).unwrap_or_default();
        let named = tree.iter().any(|(other, text)| {
            other != path && crate_of(other) == Some(home) && !other.ends_with(".txt") && text.contains(name)
        });
        if !named {
            findings.push(Finding::new(path, 1, &FORGOTTEN, kind));
        }
    }
    for manifest in &manifests {
        dependencies(tree, manifest, findings);
    }
    for dependency in manifests::workspace(tree) {
        if !manifests.iter().any(|m| m.dependencies.iter().any(|d| d.name == dependency.name)) {
            let what = format!("no crate depends on {}", dependency.name);
            findings.push(Finding::new("Cargo.toml", dependency.line, &FORGOTTEN, what));
        }
    }
}

/// Dependencies that no source of their crate names.
fn dependencies(tree: &Tree, manifest: &Manifest, findings: &mut Vec<Finding>) {
    let code: Vec<String> = tree.below(&manifest.folder, "rs").map(|(_, text)| Source::of(text).code).collect();
    let lines: Vec<&str> = tree.text(&manifest.path).unwrap_or_default().lines().collect();
    for dependency in &manifest.dependencies {
        let library = LIBRARIES.iter().find(|(package, _)| *package == dependency.name);
        let word = library.map_or_else(|| dependency.name.replace('-', "_"), |(_, name)| (*name).to_owned());
        let reasoned = lines.get(dependency.line - 1).is_some_and(|line| line.contains(KEPT));
        if !reasoned && !code.iter().any(|text| has_word(text, &word)) {
            let what = format!("no source of {} names {}", manifest.name, dependency.name);
            findings.push(Finding::new(&manifest.path, dependency.line, &FORGOTTEN, what));
        }
    }
}

/// Every Rust file that the compiler comes to, starting at the targets.
fn reached(tree: &Tree, manifests: &[Manifest]) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    for manifest in manifests {
        let mut roots: Vec<String> =
            manifest.targets.iter().filter_map(|target| join(&manifest.folder, target)).collect();
        for root in ["src/lib.rs", "src/main.rs", "build.rs"] {
            roots.push(format!("{}/{root}", manifest.folder));
        }
        for (path, _) in tree.below(&manifest.folder, "rs") {
            let inside = &path[manifest.folder.len() + 1..];
            let parts: Vec<&str> = inside.split('/').collect();
            if let [kind, rest @ ..] = parts.as_slice() {
                let target = matches!(rest, [_] | [_, "main.rs"]) && matches!(*kind, "tests" | "benches" | "examples");
                if target || matches!(parts.as_slice(), ["src", "bin", _] | ["src", "bin", _, "main.rs"]) {
                    roots.push(path.to_owned());
                }
            }
        }
        for root in roots {
            if let Some(text) = tree.text(&root) {
                follow(tree, &root, folder(&root), text, &mut reached);
            }
        }
    }
    reached
}

/// Notes `path` and goes on to the modules it declares; they lie in `home`.
fn follow(tree: &Tree, path: &str, home: &str, text: &str, reached: &mut BTreeSet<String>) {
    if !reached.insert(path.to_owned()) {
        return;
    }
    for module in modules(text) {
        let places = match &module {
            Module::Named(name) => vec![format!("{home}/{name}.rs"), format!("{home}/{name}/mod.rs")],
            Module::At(place) => join(folder(path), place).into_iter().collect(),
        };
        for place in places {
            let Some(text) = tree.text(&place) else { continue };
            let plain = matches!(module, Module::Named(_)) && file_name(&place) != "mod.rs";
            let inside = if plain { place.trim_end_matches(".rs").to_owned() } else { folder(&place).to_owned() };
            follow(tree, &place, &inside, text, reached);
        }
    }
}

/// A file that another one brings in.
enum Module {
    /// `mod name;`
    Named(String),
    /// `#[path = "…"]` or `include!("…")`
    At(String),
}

/// The modules that a source declares with a semicolon, and the files it includes.
fn modules(text: &str) -> Vec<Module> {
    let source = Source::of(text);
    let mut modules = Vec::new();
    for at in words_at(&source.code, "mod") {
        let rest = source.code[at + 3..].trim_start();
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !name.is_empty() && rest[name.len()..].trim_start().starts_with(';') {
            modules.push(Module::Named(name));
        }
    }
    for (line, text) in &source.texts {
        let code = source.code.lines().nth(line - 1).unwrap_or_default();
        if text.ends_with(".rs") && (code.contains("#[path") || code.contains("include!(")) {
            modules.push(Module::At(text.clone()));
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::found;

    const MANIFEST: (&str, &str) = ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n");

    #[test]
    fn every_way_to_name_a_module_is_followed() {
        let files = [
            MANIFEST,
            ("crates/a/src/lib.rs", "mod b;\npub mod c;\n#[cfg(test)]\nmod tests;\n#[path = \"odd/d.rs\"]\nmod d;\n"),
            ("crates/a/src/b.rs", "mod inner;"),
            ("crates/a/src/b/inner.rs", ""),
            ("crates/a/src/c/mod.rs", "pub(crate) mod deep;"),
            ("crates/a/src/c/deep.rs", ""),
            ("crates/a/src/odd/d.rs", ""),
            ("crates/a/src/tests.rs", ""),
            ("crates/a/tests/it/main.rs", "mod web;"),
            ("crates/a/tests/it/web.rs", ""),
            ("crates/a/benches/speed.rs", ""),
        ];
        assert_eq!(found(check, &files), [""; 0]);
    }

    #[test]
    fn a_file_that_no_module_names_is_found() {
        let files = [
            MANIFEST,
            ("crates/a/src/lib.rs", "// mod b;\nmod c { fn inline() {} }\nconst S: &str = \"mod d;\";"),
            ("crates/a/src/b.rs", ""),
            ("crates/a/src/c.rs", ""),
            ("crates/a/src/d.rs", ""),
            ("crates/a/tests/it/main.rs", ""),
            ("crates/a/tests/it/web.rs", ""),
        ];
        let lines = ["src/b.rs", "src/c.rs", "src/d.rs", "tests/it/web.rs"].map(|f| format!("crates/a/{f}:1 rule 7"));
        assert_eq!(found(check, &files), lines);
    }

    #[test]
    fn templates_static_files_and_migrations_must_be_named() {
        let files = [
            ("crates/timmy-web/Cargo.toml", "[package]\nname = \"timmy-web\"\n"),
            ("crates/timmy-web/src/lib.rs", "#[template(path = \"pages/home.html\")] const C: &str = \"app.css\";"),
            ("crates/timmy-web/templates/pages/home.html", "{% include \"parts/row.html\" %}"),
            ("crates/timmy-web/templates/parts/row.html", ""),
            ("crates/timmy-web/templates/parts/old.html", ""),
            ("crates/timmy-web/static/app.css", ""),
            ("crates/timmy-web/static/old.js", ""),
            ("crates/timmy-store/migrations/0001_events.sql", ""),
            ("crates/timmy-store/migrations/frozen.txt", "abc  0001_events.sql"),
        ];
        let lines = [
            "crates/timmy-store/migrations/0001_events.sql:1 rule 7",
            "crates/timmy-web/static/old.js:1 rule 7",
            "crates/timmy-web/templates/parts/old.html:1 rule 7",
        ];
        assert_eq!(found(check, &files), lines);
    }

    #[test]
    fn a_dependency_that_no_source_names_is_found_unless_it_says_why() {
        let manifest = "[package]\nname = \"a\"\n[dependencies]\nserde-json.workspace = true\ntime.workspace = true\nrustls.workspace = true # kept because: picks the cipher suite.\n";
        let files = [("crates/a/Cargo.toml", manifest), ("crates/a/src/lib.rs", "use serde_json::Value; // time")];
        assert_eq!(found(check, &files), ["crates/a/Cargo.toml:5 rule 7"]);
    }

    #[test]
    fn a_dependency_of_the_workspace_that_no_crate_takes_is_found() {
        let root = ("Cargo.toml", "[workspace.dependencies]\nserde = \"1\"\ninsta = \"1\"\n");
        let manifest = ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n[dependencies]\nserde.workspace = true\n");
        let lib = ("crates/a/src/lib.rs", "use serde::Serialize;");
        assert_eq!(found(check, &[root, manifest, lib]), ["Cargo.toml:3 rule 7"]);
    }
}
