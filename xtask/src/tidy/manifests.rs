//! What the manifests say, as far as rules ask.

use crate::tree::{Tree, folder};

/// A dependency as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    /// Its name.
    pub name: String,
    /// Whether only tests and benchmarks have it.
    pub dev: bool,
    /// The line of the manifest.
    pub line: usize,
}

/// One manifest below `crates/` or in `xtask/`.
#[derive(Debug)]
pub struct Manifest {
    /// Where it lies.
    pub path: String,
    /// The folder, such as `crates/timmy-core`.
    pub folder: String,
    /// The name of the package.
    pub name: String,
    /// Everything it depends on.
    pub dependencies: Vec<Dependency>,
    /// Source files its targets name with `path = "…"`.
    pub targets: Vec<String>,
}

/// Every manifest of the workspace but the root's. One that cannot be read is left to Cargo, which says so.
pub fn all(tree: &Tree) -> Vec<Manifest> {
    tree.iter()
        .filter(|(path, _)| {
            path.ends_with("/Cargo.toml") && (path.starts_with("crates/") || path.starts_with("xtask/"))
        })
        .filter_map(|(path, text)| read(path, text))
        .collect()
}

fn read(path: &str, text: &str) -> Option<Manifest> {
    let table: toml::Table = text.parse().ok()?;
    let name = table.get("package")?.get("name")?.as_str()?.to_owned();
    let mut dependencies = Vec::new();
    // Those of one kind of system only stand in tables of the same form below its name.
    let systems = table.get("target").and_then(toml::Value::as_table).into_iter().flatten();
    let systems = systems.filter_map(|(system, table)| Some((format!("target.'{system}'."), table.as_table()?)));
    for (prefix, table) in std::iter::once((String::new(), &table)).chain(systems) {
        for (section, dev) in [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)] {
            let Some(entries) = table.get(section).and_then(toml::Value::as_table) else { continue };
            let heading = line_of(text, |line| line.trim() == format!("[{prefix}{section}]"), 0);
            for name in entries.keys() {
                let line = line_of(text, |l| names(l, name), heading);
                dependencies.push(Dependency { name: name.clone(), dev, line });
            }
        }
    }
    let mut targets = Vec::new();
    for kind in ["bin", "test", "bench", "example"] {
        let entries = table.get(kind).and_then(toml::Value::as_array).into_iter().flatten();
        targets.extend(entries.filter_map(|t| t.get("path")?.as_str()).map(str::to_owned));
    }
    targets.extend(table.get("lib").and_then(|l| l.get("path")?.as_str()).map(str::to_owned));
    Some(Manifest { path: path.to_owned(), folder: folder(path).to_owned(), name, dependencies, targets })
}

/// The third-party dependencies of `[workspace.dependencies]` with their lines; paths of the house are left out.
pub fn workspace(tree: &Tree) -> Vec<Dependency> {
    let Some(text) = tree.text("Cargo.toml") else { return vec![] };
    let Ok(table) = text.parse::<toml::Table>() else { return vec![] };
    let entries = table.get("workspace").and_then(|w| w.get("dependencies")?.as_table()).into_iter().flatten();
    entries
        .filter(|(_, value)| value.get("path").is_none())
        .map(|(name, _)| Dependency { name: name.clone(), dev: false, line: line_of(text, |l| names(l, name), 0) })
        .collect()
}

/// The number of the first line after `start` that satisfies `is`; 1 when none does.
fn line_of(text: &str, is: impl Fn(&str) -> bool, start: usize) -> usize {
    text.lines().enumerate().skip(start).find(|(_, line)| is(line)).map_or(1, |(n, _)| n + 1)
}

/// Whether `line` is the entry of `name`.
fn names(line: &str, name: &str) -> bool {
    line.trim_start()
        .trim_start_matches('"')
        .strip_prefix(name)
        .is_some_and(|rest| rest.starts_with(['.', ' ', '=', '"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_lines_and_targets_are_read() {
        let text = "[package]\nname = \"x\"\n[dependencies]\nserde.workspace = true\n\n[dev-dependencies]\nserde = \"1\"\n[[bin]]\nname = \"y\"\npath = \"src/y.rs\"\n";
        let manifests = all(&Tree::of(&[("crates/x/Cargo.toml", text)]));
        let lines: Vec<_> = manifests[0].dependencies.iter().map(|d| (d.name.as_str(), d.dev, d.line)).collect();
        assert_eq!(lines, [("serde", false, 4), ("serde", true, 7)]);
        assert_eq!(manifests[0].targets, ["src/y.rs"]);
    }

    #[test]
    fn dependencies_of_one_kind_of_system_count_as_well() {
        let text = "[package]\nname = \"x\"\n[target.'cfg(unix)'.dependencies]\nserde = \"1\"\n";
        let manifests = all(&Tree::of(&[("crates/x/Cargo.toml", text)]));
        assert_eq!(manifests[0].dependencies, [Dependency { name: "serde".into(), dev: false, line: 4 }]);
    }

    #[test]
    fn crates_of_the_house_are_no_third_party_dependency() {
        let text = "[workspace.dependencies]\nx = { path = \"crates/x\" }\nserde = \"1\"\n";
        let names: Vec<_> =
            workspace(&Tree::of(&[("Cargo.toml", text)])).into_iter().map(|d| (d.name, d.line)).collect();
        assert_eq!(names, [("serde".to_owned(), 3)]);
    }
}
