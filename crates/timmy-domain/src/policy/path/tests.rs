use super::*;

const HOME: &str = "/home/me";
const CWD: &str = "/srv/work/a";

/// A generator of numbers that gives the same ones in every run (Knuth's constants).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// One of many spellings of the absolute path `path`.
fn spelt(path: &str, numbers: &mut Numbers) -> String {
    let mut out = match numbers.below(7) {
        0 => "/proc/self/root".to_owned(),
        1 => format!("/proc/{}/root", numbers.below(9_000)),
        2 => "../../..".to_owned(),
        3 => "/srv/../.".to_owned(),
        4 => "/proc/thread-self/root/proc/1/root".to_owned(),
        _ => String::new(),
    };
    for part in path.split('/').filter(|part| !part.is_empty()) {
        out.push('/');
        for _ in 0..numbers.below(3) {
            out.push_str(["./", "/", "x/../", "./y/.././", "//"][numbers.below(5) as usize]);
        }
        let letters: Vec<char> = part.chars().collect();
        let at = 1 + numbers.below(letters.len() as u64 - 1) as usize;
        match numbers.below(6) {
            0 => out.extend(letters.iter().map(char::to_ascii_uppercase)),
            1 => out.extend(letters.iter().enumerate().map(|(i, &c)| if i == at { '?' } else { c })),
            2 => {
                out.extend(&letters[..at]);
                out.push_str(&format!("[{}]", letters[at]));
                out.extend(&letters[at + 1..]);
            }
            3 => {
                out.extend(&letters[..at]);
                out.push_str(&format!("{{{},q}}", letters[at]));
                out.extend(&letters[at + 1..]);
            }
            _ => out.push_str(part),
        }
    }
    match numbers.below(4) {
        0 => out.push('/'),
        1 => out.push_str("/."),
        _ => {}
    }
    if out.starts_with('/') && numbers.below(8) == 0 {
        return format!("file://{}", out.replace('.', "%2e"));
    }
    out
}

// shows: approvals: sensitive paths are recognised in 10,000 adversarial spellings
#[test]
fn ten_thousand_spellings_of_sensitive_paths_are_recognised() {
    let paths = [
        "/home/me/.ssh/id_ed25519",
        "/home/me/.gnupg/xx",
        "/etc/shadow",
        "/home/me/.aws/credentials",
        "/srv/work/aa/.env",
        "/home/me/.mozilla/firefox/pp/logins.json",
        "/home/me/.config/gcloud/xx",
        "/root/x1",
        "/home/me/.password-store/aa.gpg",
        "/home/me/.netrc",
        "/home/me/.kube/config",
        "/run/docker.sock",
        "/etc/sudoers.d/xx",
        "/home/me/.git-credentials",
    ];
    let mut numbers = Numbers(2_026);
    for round in 0..10_000 {
        let path = paths[round % paths.len()];
        let spelling = spelt(path, &mut numbers);
        assert!(sensitive(&spelling, CWD, HOME).is_some(), "round {round}: {spelling} is {path}");
    }
}

#[test]
fn homes_are_found_by_every_sign_for_them() {
    for path in [
        "~/.ssh/x",
        "$HOME/.ssh/x",
        "${HOME}/.ssh",
        "~me/.ssh/x",
        "../../../home/me/.ssh/x",
        "/proc/self/cwd/.env",
        "/dev/fd/3",
        "/home/me/.ѕsh/x",
        "/home/me/.ss\u{200b}h/x",
        "/home/me/．ssh/x",
        "/proc/1/environ",
    ] {
        assert!(sensitive(path, CWD, HOME).is_some(), "{path}");
    }
}

#[test]
fn everyday_paths_are_not_sensitive() {
    for path in [
        "src/lib.rs",
        "*.rs",
        "**/*.rs",
        ".",
        "..",
        "/usr/share/doc/x",
        "README.md",
        ".gitignore",
        "src/environment.rs",
        "/etc/hosts",
        "a/b/c.key.md",
        "keys.rs",
        "/tmp/x",
        "-la",
        "s/foo/bar/g",
        "fn .*main",
        "ssh.md",
        "Cargo.lock",
    ] {
        assert_eq!(sensitive(path, CWD, HOME), None, "{path}");
    }
}

#[test]
fn folders_hold_what_lies_in_them_and_nothing_that_only_begins_alike() {
    assert!(within("/a/b", "/a") && within("/a", "/a/") && !within("/ab", "/a") && !within("/a", ""));
    assert_eq!(plain("a/../../b", "/x/y", HOME), "/x/b");
    assert_eq!(candidates("--file=@/etc/x").collect::<Vec<_>>(), ["--file=@/etc/x", "@/etc/x", "/etc/x"]);
}
