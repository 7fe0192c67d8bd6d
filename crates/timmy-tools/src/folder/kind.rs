//! What a file is by its name: text of some kind, not text, left out, or too secret to touch.

/// Folders that hold what tools made, not what people wrote.
const FOLDERS_LEFT_OUT: [&str; 12] = [
    "node_modules",
    "target",
    "dist",
    "build",
    "__pycache__",
    "venv",
    "vendor",
    "coverage",
    "site-packages",
    "bower_components",
    "DerivedData",
    "secrets",
];

/// Endings of files that hold keys or passwords.
const SECRET_ENDINGS: [&str; 12] =
    [".pem", ".key", ".p12", ".pfx", ".kdbx", ".kdb", ".jks", ".keystore", ".gpg", ".age", ".ppk", ".tfstate"];

/// Beginnings of files that hold keys or passwords.
const SECRET_BEGINNINGS: [&str; 12] = [
    ".env",
    ".netrc",
    ".npmrc",
    ".pypirc",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "secrets.",
    "secret.",
    "credential",
    "password",
];

/// Endings and the kind of text they stand for, in the words of people.
const TEXT_KINDS: [(&str, &str); 62] = [
    ("adoc", "AsciiDoc"),
    ("bash", "Shell"),
    ("bib", "BibTeX"),
    ("c", "C"),
    ("cc", "C++"),
    ("cfg", "configuration"),
    ("clj", "Clojure"),
    ("conf", "configuration"),
    ("cpp", "C++"),
    ("cs", "C#"),
    ("css", "CSS"),
    ("csv", "CSV"),
    ("dart", "Dart"),
    ("ex", "Elixir"),
    ("exs", "Elixir"),
    ("fish", "Shell"),
    ("go", "Go"),
    ("h", "C"),
    ("hpp", "C++"),
    ("hs", "Haskell"),
    ("html", "HTML"),
    ("ini", "configuration"),
    ("ipynb", "notebooks"),
    ("java", "Java"),
    ("jl", "Julia"),
    ("js", "JavaScript"),
    ("json", "JSON"),
    ("jsx", "JavaScript"),
    ("kt", "Kotlin"),
    ("log", "logs"),
    ("lua", "Lua"),
    ("m", "Objective-C"),
    ("markdown", "Markdown"),
    ("md", "Markdown"),
    ("mjs", "JavaScript"),
    ("ml", "OCaml"),
    ("nix", "Nix"),
    ("org", "Org"),
    ("php", "PHP"),
    ("pl", "Perl"),
    ("py", "Python"),
    ("r", "R"),
    ("rb", "Ruby"),
    ("rs", "Rust"),
    ("rst", "reStructuredText"),
    ("scala", "Scala"),
    ("scss", "CSS"),
    ("sh", "Shell"),
    ("sql", "SQL"),
    ("svelte", "Svelte"),
    ("swift", "Swift"),
    ("tex", "TeX"),
    ("toml", "TOML"),
    ("ts", "TypeScript"),
    ("tsx", "TypeScript"),
    ("txt", "plain text"),
    ("typ", "Typst"),
    ("vue", "Vue"),
    ("xml", "XML"),
    ("yaml", "YAML"),
    ("yml", "YAML"),
    ("zig", "Zig"),
];

/// Endings of files that are not text; they are not even opened to find out.
const BINARY_ENDINGS: [&str; 44] = [
    "7z", "a", "avi", "bin", "bmp", "bz2", "class", "db", "dll", "doc", "docx", "dylib", "exe", "flac", "gguf", "gif",
    "gz", "ico", "iso", "jar", "jpeg", "jpg", "lock", "m4a", "mkv", "mov", "mp3", "mp4", "o", "odt", "ogg", "pdf",
    "png", "ppt", "pptx", "pyc", "so", "sqlite", "tar", "wasm", "wav", "webp", "xlsx", "zip",
];

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text, and what kind.
    Text(&'static str),
    /// The name does not tell; reading does.
    Unknown,
    /// Not text, or text no person writes.
    NotText,
}

/// What the file at `path` is by its name.
pub(super) fn of(path: &str) -> Kind {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, ending)) = name.rsplit_once('.') else { return Kind::Unknown };
    let ending = ending.to_ascii_lowercase();
    if let Some((_, kind)) = TEXT_KINDS.iter().find(|(e, _)| *e == ending) {
        return Kind::Text(kind);
    }
    if BINARY_ENDINGS.contains(&ending.as_str()) { Kind::NotText } else { Kind::Unknown }
}

/// Whether a file or folder of this name is left out of a look: hidden, made by tools, or secret.
pub(crate) fn is_left_out(name: &str, is_folder: bool) -> bool {
    name.starts_with('.') || is_secret(name) || (is_folder && FOLDERS_LEFT_OUT.contains(&name))
}

/// Whether anything on the way to `path` is left out, or it lies deeper than `depth` levels.
pub(super) fn is_path_left_out(path: &str, depth: usize) -> bool {
    let levels = path.matches('/').count();
    levels > depth || path.split('/').enumerate().any(|(i, part)| is_left_out(part, i < levels))
}

/// Whether a name promises keys or passwords. Such a file is never opened and never named.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRET_ENDINGS.iter().any(|e| name.ends_with(e)) || SECRET_BEGINNINGS.iter().any(|b| name.starts_with(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_secret_hidden_or_made_by_tools_is_left_out() {
        let out = [
            ".env",
            ".env.local",
            "server.pem",
            "TLS.KEY",
            "id_rsa",
            "id_rsa.pub",
            "vault.kdbx",
            "secrets.toml",
            "credentials.json",
            "Credentials",
            "cert.p12",
            "node_modules/x.js",
            "a/target/b.rs",
            ".git/config",
            "src/.hidden/x.rs",
            "a/secrets/plan.md",
            "id_ed25519",
        ];
        for path in out {
            assert!(is_path_left_out(path, 12), "{path}");
        }
        for path in ["README.md", "src/target.rs", "build", "docs/keys.md", "environment.md", "a/b/c.txt"] {
            assert!(!is_path_left_out(path, 12), "{path}");
        }
        assert!(is_path_left_out("a/b/c/d.md", 2) && !is_path_left_out("a/b/c.md", 2));
    }

    #[test]
    fn kinds_follow_the_ending() {
        assert_eq!(of("src/a.RS"), Kind::Text("Rust"));
        assert_eq!(of("a.png"), Kind::NotText);
        assert_eq!((of("Makefile"), of("a.b/notes"), of("x.weird")), (Kind::Unknown, Kind::Unknown, Kind::Unknown));
    }
}
