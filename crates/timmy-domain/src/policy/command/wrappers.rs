//! Programs that run other programs. None of them inherits what the program behind it was allowed.

use super::{Seen, is_long, is_short, look_at_code};
use crate::risk::Reason;

/// Shells, whose code is read as far as that goes.
const SHELLS: &[&str] = &["sh", "bash", "zsh", "dash", "ash", "ksh", "mksh", "fish", "rbash", "csh", "tcsh", "pwsh"];
/// Languages that take a program as an argument.
const LANGUAGES: &[&str] = &[
    "python",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "php",
    "lua",
    "luajit",
    "deno",
    "bun",
    "tclsh",
    "guile",
    "rscript",
    "julia",
    "osascript",
    "gawk",
    "mawk",
    "awk",
    "m4",
    "ed",
    "ex",
    "vi",
    "vim",
    "nvim",
    "emacs",
    "expect",
    "gdb",
    "lldb",
    "jshell",
    "groovy",
    "irb",
    "bpftrace",
    "sqlite3",
    "psql",
    "mysql",
    "make",
    "gmake",
    "ninja",
    "just",
];
/// Wrappers whose command begins at the first word that is no option; the letters are options that take a value.
const PLAIN: &[(&str, &str)] = &[
    ("nohup", ""),
    ("nice", "n"),
    ("ionice", "cnp"),
    ("chrt", "TPD"),
    ("taskset", ""),
    ("setsid", ""),
    ("stdbuf", "ioe"),
    ("time", "fo"),
    ("strace", "eopPsu"),
    ("ltrace", "eop"),
    ("unbuffer", ""),
    ("catchsegv", ""),
    ("command", ""),
    ("builtin", ""),
    ("exec", "a"),
    ("eatmydata", ""),
    ("faketime", ""),
    ("torsocks", ""),
    ("proxychains", "f"),
    ("xvfb-run", "nes"),
    ("watch", "n"),
    ("cpulimit", "l"),
    ("setarch", ""),
    ("linux64", ""),
    ("linux32", ""),
    ("prlimit", ""),
    ("systemd-run", "pMut"),
    ("dbus-run-session", ""),
    ("ssh-agent", "at"),
    ("coproc", ""),
    ("toybox", ""),
    ("busybox", ""),
    ("rtk", ""),
];
/// Wrappers that take other rights, or leave the house.
const RIGHTS: &[(&str, &str)] = &[
    ("sudo", "ugpCDhRrtT"),
    ("doas", "uC"),
    ("pkexec", "u"),
    ("su", "cgGs"),
    ("runuser", "ucgG"),
    ("setpriv", ""),
    ("capsh", ""),
    ("chroot", ""),
    ("unshare", "RSG"),
    ("nsenter", "tSG"),
    ("bwrap", ""),
    ("firejail", ""),
    ("proot", "rb"),
    ("fakeroot", ""),
    ("flatpak-spawn", ""),
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// What stands behind the wrapper `name` with `args`; `None` when `name` is no wrapper.
pub(super) fn open(name: &str, args: &[String], seen: &mut Seen) -> Option<Vec<Vec<String>>> {
    let name = name.trim_start_matches('-');
    if SHELLS.contains(&name) {
        return Some(shell(name, args, seen));
    }
    if name.starts_with("ld-") || name.starts_with("ld.so") || name == "ld-linux" {
        seen.opaque("it loads a program by the loader, past the check of its name");
        seen.signal(Reason::Disguised, "the loader hides which program runs");
        return Some(vec![after_options(args, "")]);
    }
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if LANGUAGES.contains(&name) || LANGUAGES.contains(&stem) {
        return language(name, stem, args, seen);
    }
    if let Some((_, letters)) = RIGHTS.iter().find(|(wrapper, _)| *wrapper == name) {
        seen.signal(Reason::Privilege, format!("{name} takes other rights"));
        seen.floor(format!("taking other rights with {name}"));
        if let Some(at) = args.iter().position(|arg| matches!(name, "su" | "runuser") && arg == "-c") {
            return Some(args.get(at + 1).map(|code| look_at_code(code, seen)).unwrap_or_default());
        }
        return Some(vec![after_options(args, letters)]);
    }
    if let Some((_, letters)) = PLAIN.iter().find(|(wrapper, _)| *wrapper == name) {
        let mut inner = after_options(args, letters);
        if name == "watch" || name == "faketime" && !inner.is_empty() {
            seen.opaque(format!("{name} reads its command as code"));
            inner = inner.iter().skip(usize::from(name == "faketime")).cloned().collect();
        }
        return Some(vec![inner]);
    }
    match name {
        "env" => Some(env(args, seen)),
        "timeout" => Some(vec![after_options(args, "ks").into_iter().skip(1).collect()]),
        "flock" => {
            seen.opaque("flock may read its command as code");
            Some(vec![after_options(args, "wE").into_iter().skip(1).collect()])
        }
        "xargs" | "parallel" => {
            seen.opaque(format!("{name} takes the rest of the command from what it reads"));
            let inner = after_options(args, "aEIiLlnPsd");
            Some(vec![if inner.is_empty() { words(&["echo"]) } else { inner }])
        }
        "fd" | "fdfind" if args.iter().any(|arg| is_short(arg, 'x') || is_short(arg, 'X')) => {
            seen.opaque("fd runs a command on what it finds");
            Some(vec![words(&["true"])])
        }
        "find" | "fd" | "fdfind" => find(args, seen),
        "script" | "screen" | "tmux" | "at" | "batch" | "crontab" | "start-stop-daemon" | "socat" | "ncat" => {
            seen.opaque(format!("{name} runs commands out of sight"));
            seen.floor(format!("running something out of sight with {name}"));
            Some(vec![words(&["true"])])
        }
        "eval" | "source" | "." => Some(look_at_code(&args.join(" "), seen)),
        _ => None,
    }
}

/// What follows the options, of which those in `letters` take a value of their own, and assignments.
fn after_options(args: &[String], letters: &str) -> Vec<String> {
    let mut at = 0;
    while let Some(arg) = args.get(at) {
        if arg == "--" {
            at += 1;
            break;
        }
        let Some(option) = arg.strip_prefix('-') else {
            let assigns = arg.split_once('=').is_some_and(|(name, _)| is_name(name));
            if !assigns {
                break;
            }
            at += 1;
            continue;
        };
        // The value of a short option stands behind it, glued or apart; a long option's is glued by `=`.
        let apart = option.len() == 1 && letters.contains(option);
        at += if apart { 2 } else { 1 };
    }
    args.get(at..).unwrap_or_default().to_vec()
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn shell(name: &str, args: &[String], seen: &mut Seen) -> Vec<Vec<String>> {
    if let Some(at) = args.iter().position(|arg| is_short(arg, 'c') || is_long(arg, "command")) {
        let code = args.get(at + 1).cloned().unwrap_or_default();
        return look_at_code(&code, seen);
    }
    seen.opaque(format!("{name} runs a script or what it is told"));
    seen.signal(Reason::NewCode, format!("a script for {name}"));
    vec![words(&["true"])]
}

fn language(name: &str, stem: &str, args: &[String], seen: &mut Seen) -> Option<Vec<Vec<String>>> {
    let version = args.len() == 1 && matches!(args[0].as_str(), "--version" | "-V" | "-v" | "--help");
    if version {
        return Some(vec![words(&["true"])]);
    }
    // What builds or tests the folder it stands in is read with the other builders.
    let module = args.iter().position(|arg| arg == "-m").and_then(|at| args.get(at + 1));
    let builder = matches!(stem, "make" | "gmake" | "ninja" | "just")
        || stem == "python"
            && module.is_some_and(|module| matches!(module.as_str(), "pytest" | "unittest" | "compileall"));
    if builder {
        return None;
    }
    seen.opaque(format!("{name} runs a program of its own"));
    seen.signal(Reason::NewCode, format!("a program for {name}"));
    // What the code names is looked at too, as if it were a shell's: it can only add reasons.
    for code in args.iter().filter(|arg| arg.contains(['(', '"', '\'', ' '])) {
        let calls = ["system", "subprocess", "exec", "popen", "spawn", "rmtree", "unlink", "eval", "socket", "urlopen"];
        if let Some(call) = calls.iter().find(|call| code.contains(**call)) {
            seen.signal(Reason::Outside, format!("the program calls {call}"));
        }
    }
    Some(vec![words(&["true"])])
}

fn env(args: &[String], seen: &mut Seen) -> Vec<Vec<String>> {
    if args.is_empty() {
        return vec![words(&["printenv"])];
    }
    let split = args.iter().position(|arg| is_long(arg, "split-string") || is_short(arg, 'S'));
    if let Some(at) = split {
        seen.opaque("env -S reads a command out of one argument");
        let arg = &args[at];
        let code = match arg.split_once('=').filter(|_| arg.starts_with("--")) {
            Some((_, code)) => code.to_owned(),
            None => match arg.split_once('S').map(|(_, glued)| glued).filter(|glued| !glued.is_empty()) {
                Some(glued) if !arg.starts_with("--") => glued.to_owned(),
                _ => args.get(at + 1).cloned().unwrap_or_default(),
            },
        };
        return look_at_code(&code, seen);
    }
    for arg in args.iter().take_while(|arg| arg.starts_with('-') || arg.contains('=')) {
        let name = arg.split('=').next().unwrap_or_default();
        let steers = [
            "LD_",
            "DYLD_",
            "PATH",
            "PYTHON",
            "PERL",
            "RUBY",
            "NODE_OPTIONS",
            "GIT_",
            "BASH_ENV",
            "ENV",
            "IFS",
            "RUSTC",
            "CARGO",
            "SHELL",
            "EDITOR",
            "PAGER",
            "HOME",
            "PROMPT_COMMAND",
            "LESSOPEN",
            "MAKEFLAGS",
        ];
        if steers.iter().any(|word| name.starts_with(word)) {
            seen.opaque(format!("{name} changes which code runs"));
            seen.signal(Reason::Disguised, format!("{name} is set for the program"));
        }
    }
    vec![after_options(args, "uC")]
}

fn find(args: &[String], seen: &mut Seen) -> Option<Vec<Vec<String>>> {
    let runs = |arg: &String| {
        matches!(arg.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X")
            || is_long(arg, "exec") && arg.len() > 3
            || is_long(arg, "exec-batch") && arg.len() > 3
    };
    let mut inner = Vec::new();
    for (at, _) in args.iter().enumerate().filter(|(_, arg)| runs(arg)) {
        let command: Vec<String> =
            args[at + 1..].iter().take_while(|arg| *arg != ";" && *arg != "+" && *arg != "\\;").cloned().collect();
        seen.opaque("find runs a command on what it finds");
        inner.push(command);
    }
    if inner.is_empty() { None } else { Some(inner) }
}

/// Whether a program is a wrapper by its name alone.
#[cfg(test)]
pub(super) fn is_wrapper(program: &str) -> bool {
    open(super::base(program), &["x".to_owned(), "y".to_owned()], &mut Seen::default()).is_some()
}
