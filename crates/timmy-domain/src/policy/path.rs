//! Which paths are sensitive, however they are spelt.
//!
//! Spelling is undone first: `..`, `//`, the roads through `/proc`, `~`, `$HOME`, `file:` addresses, patterns. What
//! cannot be undone by spelling alone, links and second names, is looked up at the rim and compared by inode.

/// Names of folders and files that hold secrets wherever they lie. `*` stands for any end.
const ANYWHERE: &[(&str, &str)] = &[
    (".ssh", "keys and hosts of SSH"),
    (".gnupg", "keys of GnuPG"),
    (".aws", "cloud credentials"),
    (".azure", "cloud credentials"),
    (".config/gcloud", "cloud credentials"),
    (".kube", "cluster credentials"),
    (".docker/config.json", "registry credentials"),
    (".password-store", "the password store"),
    (".local/share/keyrings", "the key ring"),
    (".local/share/kwalletd", "the key ring"),
    ("library/keychains", "the key ring"),
    (".mozilla", "a browser profile"),
    (".config/google-chrome", "a browser profile"),
    (".config/chromium", "a browser profile"),
    (".config/bravesoftware", "a browser profile"),
    ("library/application support/google/chrome", "a browser profile"),
    (".config/gh", "a token of a code host"),
    (".git-credentials", "passwords of git"),
    (".netrc", "passwords of servers"),
    (".pgpass", "passwords of a database"),
    (".npmrc", "a token of a registry"),
    (".pypirc", "a token of a registry"),
    (".cargo/credentials", "a token of a registry"),
    (".cargo/credentials.toml", "a token of a registry"),
    (".vault-token", "a token of a vault"),
    (".bash_history", "a history of commands"),
    (".zsh_history", "a history of commands"),
    (".env", "secrets of a program"),
    (".env.*", "secrets of a program"),
    (".envrc", "secrets of a program"),
    ("secrets.toml", "secrets of a program"),
    ("id_rsa*", "a private key"),
    ("id_ed25519*", "a private key"),
    ("id_ecdsa*", "a private key"),
    ("wallet.dat", "a wallet"),
    ("*.pem", "a private key"),
    ("*.key", "a private key"),
    ("*.kdbx", "a password store"),
    ("*.p12", "a private key"),
];

/// Paths from the root.
const ABSOLUTE: &[(&str, &str)] = &[
    ("/etc/shadow", "passwords of this machine"),
    ("/etc/gshadow", "passwords of this machine"),
    ("/etc/sudoers", "who may become root"),
    ("/etc/sudoers.d", "who may become root"),
    ("/etc/ssh", "keys of this machine"),
    ("/etc/ssl/private", "keys of this machine"),
    ("/etc/krb5.keytab", "keys of this machine"),
    ("/root", "the home of root"),
    ("/boot", "what starts this machine"),
    ("/dev/mem", "the memory of this machine"),
    ("/dev/kmem", "the memory of this machine"),
    ("/dev/sd*", "a whole disk"),
    ("/dev/nvme*", "a whole disk"),
    ("/dev/vd*", "a whole disk"),
    ("/dev/disk", "a whole disk"),
    ("/proc/*/environ", "the environment of a process"),
    ("/proc/*/mem", "the memory of a process"),
    ("/proc/*/fd", "open files of a process"),
    ("/proc/kcore", "the memory of this machine"),
    ("/proc/sysrq-trigger", "the kernel"),
    ("/var/run/docker.sock", "the container service"),
    ("/run/docker.sock", "the container service"),
];

/// Characters that make a name a pattern.
const PATTERN: [char; 5] = ['*', '?', '[', '{', '\\'];

/// Bytes of a path that is looked at; a longer one is no path a program could open.
pub const PATH_BYTES_MAX: usize = 4_096;

/// `text` as an absolute path without detours, read from `cwd`, with `~` and `$HOME` standing for `user_home`.
#[must_use]
pub fn plain(text: &str, cwd: &str, user_home: &str) -> String {
    let mut text = text.to_owned();
    if let Some(rest) = strip_start(&text, "file:") {
        text = decoded(rest.trim_start_matches("//localhost"));
    }
    for name in ["$HOME", "${HOME}", "$env:HOME", "%HOME%"] {
        text = text.replace(name, user_home);
    }
    if text == "~" || text.starts_with("~/") {
        text = format!("{user_home}{}", &text[1..]);
    } else if text.starts_with('~') {
        // Somebody's home by name: what matters is what lies in it.
        text = format!("/home/{}", &text[1..]);
    }
    let mut parts: Vec<&str> = Vec::new();
    let whole = if text.starts_with('/') { text } else { format!("{cwd}/{text}") };
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => {
                parts.push(part);
                let road = match parts.as_slice() {
                    ["proc", _, "root"] | ["proc", _, "task", _, "root"] => Some(""),
                    ["proc", _, "cwd"] | ["proc", _, "task", _, "cwd"] => Some(cwd),
                    ["dev", "fd"] => Some("/proc/self/fd"),
                    _ => None,
                };
                if let Some(road) = road {
                    parts.clear();
                    parts.extend(road.split('/').filter(|part| !part.is_empty()));
                }
            }
        }
    }
    format!("/{}", parts.join("/"))
}

fn strip_start<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let head = text.get(..start.len())?;
    head.eq_ignore_ascii_case(start).then(|| &text[start.len()..])
}

/// `%2e` as `.`.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether the names `a` and `b`, of which either may be a pattern, can mean the same file. Braces and classes count
/// as anything: the careful reading.
fn may_meet(a: &[char], b: &[char]) -> bool {
    match (a.first(), b.first()) {
        (None, None) => true,
        (Some('*' | '{' | '['), _) => may_meet(after(a), b) || (!b.is_empty() && may_meet(a, &b[1..])),
        (_, Some('*' | '{' | '[')) => may_meet(a, after(b)) || (!a.is_empty() && may_meet(&a[1..], b)),
        (Some('\\'), _) if a.len() > 1 => may_meet(&a[1..], b),
        (Some(x), Some(y)) if x == y || *x == '?' || *y == '?' => may_meet(&a[1..], &b[1..]),
        _ => false,
    }
}

/// What follows the pattern that `name` begins with.
fn after(name: &[char]) -> &[char] {
    let close = match name[0] {
        '{' => '}',
        '[' => ']',
        _ => return &name[1..],
    };
    name.iter().position(|&c| c == close).map_or(&name[1..], |at| &name[at + 1..])
}

/// Letters as they are compared: one case, and letters of other scripts that look Latin as the Latin ones.
fn folded(name: &str) -> Vec<char> {
    let mut out: Vec<char> = name
        .chars()
        .filter(|&c| !crate::text::is_harmful(c))
        .map(super::show::looks_like)
        .flat_map(char::to_lowercase)
        .collect();
    // Many stars in a row mean what one means, and would take for ever.
    out.dedup_by(|a, b| *a == '*' && *b == '*');
    // A name longer than a file name can be is none.
    out.truncate(255);
    if out.iter().filter(|&&c| PATTERN.contains(&c)).count() > 4 { vec!['*'] } else { out }
}

fn begins(path: &[Vec<char>], rule: &str) -> bool {
    let rule: Vec<Vec<char>> = rule.split('/').filter(|part| !part.is_empty()).map(|p| p.chars().collect()).collect();
    path.len() >= rule.len()
        && path.iter().zip(&rule).all(|(name, wanted)| {
            // Two patterns nearly always meet somewhere, so `*.rs` would name every key: it is held against the rule's letters.
            if name.first() == Some(&'*') {
                let letters: Vec<char> = wanted.iter().copied().filter(|&c| c != '*').collect();
                return may_meet(name, &letters);
            }
            may_meet(name, wanted)
        })
}

/// Why the path `text`, read from `cwd`, is sensitive; `None` when it is not.
#[must_use]
pub fn sensitive(text: &str, cwd: &str, user_home: &str) -> Option<&'static str> {
    if text.len() > PATH_BYTES_MAX {
        return Some("a path too long to be read");
    }
    let path = plain(text, cwd, user_home);
    let names: Vec<Vec<char>> = path.split('/').filter(|part| !part.is_empty()).map(folded).collect();
    if let Some((_, why)) = ABSOLUTE.iter().find(|(rule, _)| begins(&names, rule)) {
        return Some(why);
    }
    // A lone star names everything in its folder; it is judged as that folder.
    let starry = |name: &Vec<char>| name.as_slice() == ['*'];
    (0..names.len())
        .filter(|&at| !starry(&names[at]))
        .find_map(|at| ANYWHERE.iter().find(|(rule, _)| begins(&names[at..], rule)).map(|(_, why)| *why))
}

/// Whether the plain path `path` is `folder` or lies in it.
#[must_use]
pub fn within(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    !folder.is_empty() && path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The paths that may stand in one argument: itself, what follows a `=`, `@`, `:` or `,`, and what follows a short
/// option's letter.
pub fn candidates(arg: &str) -> impl Iterator<Item = &str> {
    let tails =
        arg.char_indices().filter(|(_, c)| matches!(c, '=' | '@' | ':' | ',')).map(|(i, c)| &arg[i + c.len_utf8()..]);
    let glued = arg.strip_prefix('-').filter(|rest| !rest.starts_with('-')).and_then(|rest| {
        let letter = rest.chars().next()?;
        Some(&rest[letter.len_utf8()..])
    });
    std::iter::once(arg).chain(tails.take(16)).chain(glued).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
