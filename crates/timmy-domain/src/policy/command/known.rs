//! What known programs do with their arguments. A program that is not here is unknown, and unknown is asked about.

use super::{Reach, Seen, is_long, is_short};
use crate::risk::Reason;

/// Programs that only look at files or print, whatever their arguments, save for those of [`EXECUTES`] and [`WRITES`].
const LOOKS: &[&str] = &[
    "ls",
    "cat",
    "head",
    "tail",
    "wc",
    "grep",
    "egrep",
    "fgrep",
    "rg",
    "ag",
    "find",
    "fd",
    "fdfind",
    "file",
    "stat",
    "du",
    "df",
    "tree",
    "sort",
    "uniq",
    "cut",
    "tr",
    "diff",
    "cmp",
    "comm",
    "pwd",
    "echo",
    "printf",
    "date",
    "uname",
    "whoami",
    "id",
    "which",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "sha256sum",
    "sha1sum",
    "md5sum",
    "cksum",
    "b2sum",
    "nl",
    "od",
    "xxd",
    "hexdump",
    "strings",
    "column",
    "seq",
    "expr",
    "test",
    "[",
    "true",
    "false",
    "jq",
    "ps",
    "uptime",
    "free",
    "bat",
    "cal",
    "bc",
    "factor",
    "numfmt",
    "fold",
    "fmt",
    "join",
    "paste",
    "rev",
    "tac",
    "shuf",
    "sleep",
    "nproc",
    "lscpu",
    "lsblk",
    "tokei",
    "cloc",
    "zcat",
    "zgrep",
    "xzcat",
    "base64",
    "arch",
    "locale",
    "groups",
    "tsort",
    "getconf",
    "look",
];
/// Programs that change the files they are given.
const FILES: &[&str] = &[
    "mkdir", "touch", "cp", "mv", "ln", "tee", "truncate", "install", "split", "csplit", "patch", "gzip", "gunzip",
    "xz", "zstd", "zip", "unzip", "tar", "sed", "rustfmt", "prettier", "black", "gofmt", "rsync", "mktemp", "dos2unix",
    "unlink", "rm", "rmdir", "shred", "dd", "mkfifo", "link",
];
/// Of those, the ones after which something is gone.
const REMOVES: &[&str] = &["rm", "rmdir", "shred", "unlink", "dd", "truncate"];
/// Programs that build or test what lies in their folder.
const BUILDS: &[&str] = &[
    "cargo",
    "rustc",
    "make",
    "gmake",
    "ninja",
    "just",
    "cmake",
    "meson",
    "go",
    "npm",
    "pnpm",
    "yarn",
    "npx",
    "pytest",
    "tox",
    "python",
    "python3",
    "mvn",
    "gradle",
    "dotnet",
    "gcc",
    "g++",
    "clang",
    "cc",
    "tsc",
    "eslint",
    "ruff",
    "mypy",
    "jest",
    "vitest",
    "swift",
    "zig",
    "ghc",
    "stack",
    "mix",
    "rake",
    "clippy-driver",
    "deno",
    "bun",
];
/// Programs that change the machine or its services.
const MACHINE: &[&str] = &[
    "systemctl",
    "service",
    "launchctl",
    "mount",
    "umount",
    "mkfs",
    "fdisk",
    "parted",
    "sgdisk",
    "wipefs",
    "losetup",
    "cryptsetup",
    "shutdown",
    "reboot",
    "halt",
    "poweroff",
    "init",
    "telinit",
    "iptables",
    "nft",
    "ufw",
    "firewall-cmd",
    "sysctl",
    "modprobe",
    "insmod",
    "rmmod",
    "useradd",
    "userdel",
    "usermod",
    "passwd",
    "chpasswd",
    "groupadd",
    "visudo",
    "swapoff",
    "swapon",
    "hdparm",
    "nvme",
    "blkdiscard",
    "setenforce",
    "aa-teardown",
    "apparmor_parser",
    "auditctl",
    "chattr",
    "setcap",
    "kexec",
    "grub-install",
    "efibootmgr",
    "dmsetup",
    "lvremove",
    "vgremove",
    "zfs",
    "zpool",
    "btrfs",
    "ip",
    "hostname",
    "hostnamectl",
    "timedatectl",
    "loginctl",
    "update-alternatives",
    "crontab",
    "docker",
    "podman",
    "nerdctl",
    "kubectl",
    "helm",
    "terraform",
    "ansible",
    "vagrant",
    "virsh",
    "qemu-system-x86_64",
];
/// Programs that bring new code onto the machine.
const INSTALLS: &[&str] = &[
    "apt",
    "apt-get",
    "aptitude",
    "dpkg",
    "dnf",
    "yum",
    "rpm",
    "pacman",
    "apk",
    "zypper",
    "brew",
    "snap",
    "flatpak",
    "pip",
    "pip3",
    "pipx",
    "uv",
    "gem",
    "conda",
    "mamba",
    "nix",
    "nix-env",
    "rustup",
    "opkg",
    "port",
    "easy_install",
    "cpan",
    "luarocks",
    "composer",
    "poetry",
];
/// Programs that speak to others.
const NETWORK: &[&str] = &[
    "curl",
    "wget",
    "http",
    "https",
    "xh",
    "aria2c",
    "nc",
    "netcat",
    "telnet",
    "ftp",
    "sftp",
    "scp",
    "ssh",
    "rclone",
    "aws",
    "gcloud",
    "az",
    "gh",
    "glab",
    "hub",
    "mail",
    "sendmail",
    "mutt",
    "msmtp",
    "swaks",
    "dig",
    "nslookup",
    "host",
    "ping",
    "traceroute",
    "nmap",
    "tcpdump",
    "s3cmd",
    "mosquitto_pub",
    "twine",
    "heroku",
    "vercel",
    "netlify",
    "flyctl",
    "wrangler",
    "ngrok",
    "cloudflared",
    "tailscale",
    "openssl",
    "irssi",
    "slack",
    "telegram-cli",
    "yt-dlp",
];
/// Programs that move money.
const MONEY: &[&str] =
    &["lncli", "lightning-cli", "bitcoin-cli", "stripe", "electrum", "cast", "solana", "monero-wallet-cli"];
/// Options that make a program run another one, by their whole long name. Shortenings count too.
const EXECUTES: &[(&str, &[&str], &str)] = &[
    (
        "tar",
        &["use-compress-program", "checkpoint-action", "to-command", "rsh-command", "info-script", "new-volume-script"],
        "IF",
    ),
    ("sort", &["compress-program"], ""),
    ("rsync", &["rsh", "rsync-path"], "e"),
    ("split", &["filter"], ""),
    ("rg", &["pre", "hostname-bin"], ""),
    ("zip", &["unzip-command"], ""),
    ("curl", &["config"], "K"),
    ("wget", &["use-askpass", "execute"], "e"),
    ("scp", &[], "SoF"),
    ("sftp", &[], "SoF"),
    ("ssh", &[], "oF"),
    ("man", &["pager", "html"], "PH"),
    ("cargo", &["config"], ""),
    ("rustc", &["codegen"], "C"),
    ("gcc", &["wrapper"], "B"),
    ("jq", &["from-file"], "f"),
    ("go", &["toolexec", "exec"], ""),
    ("bat", &["pager"], ""),
    ("ag", &["pager"], ""),
];

/// Whether a program's path lies where no system keeps its programs.
pub(super) fn is_named_elsewhere(program: &str) -> bool {
    let places = ["/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/nix/store/", "/snap/bin/"];
    let homes = ["/.cargo/bin/", "/.rustup/", "/.local/bin/"];
    !places.iter().any(|place| program.starts_with(place)) && !homes.iter().any(|home| program.contains(home))
}

pub(super) fn read(name: &str, args: &[String], seen: &mut Seen) {
    executes(name, args, seen);
    let has = |list: &[&str]| list.contains(&name);
    if MACHINE.iter().any(|program| *program == name || name.strip_prefix(program).is_some_and(|r| r.starts_with('.')))
    {
        seen.reaches(Reach::Outside, format!("{name} changes this machine or its services"));
        seen.signal(Reason::Outside, name);
        seen.signal(Reason::Privilege, format!("{name} is for whoever runs the machine"));
        seen.floor(format!("changing the machine with {name}"));
    } else if has(INSTALLS) {
        installs(name, args, seen);
    } else if has(MONEY) {
        seen.signal(Reason::Outside, format!("{name} moves money"));
        seen.signal(Reason::Irreversible, "payments cannot be taken back");
        seen.reaches(Reach::Outside, format!("{name} moves money"));
        seen.floor("payments");
    } else if name == "git" {
        super::git::read(args, seen);
    } else if has(NETWORK) {
        network(name, args, seen);
    } else if has(FILES) {
        files(name, args, seen);
    } else if has(BUILDS) {
        builds(name, args, seen);
    } else if matches!(name, "chmod" | "chown" | "chgrp" | "setfacl" | "umask") {
        seen.changes.extend(args.iter().filter(|arg| !arg.starts_with('-')).skip(1).cloned());
        seen.reaches(Reach::Files, format!("{name} changes who may use files"));
        seen.signal(Reason::Privilege, name);
    } else if matches!(name, "kill" | "pkill" | "killall" | "xkill" | "renice") {
        seen.reaches(Reach::Outside, format!("{name} reaches other processes"));
        seen.signal(Reason::Irreversible, format!("{name} ends processes"));
    } else if matches!(
        name,
        "printenv"
            | "declare"
            | "export"
            | "history"
            | "gpg"
            | "pass"
            | "secret-tool"
            | "security"
            | "op"
            | "bw"
            | "keyctl"
            | "ssh-add"
            | "ssh-keygen"
    ) {
        let quiet = name == "printenv";
        seen.reaches(if quiet { Reach::Looks } else { Reach::Outside }, format!("{name} handles secrets"));
        if !quiet {
            seen.signal(Reason::Secrets, name);
            seen.floor("keys and passwords");
        }
    } else if has(LOOKS) {
        looks(name, args, seen);
    } else {
        seen.reaches(Reach::Unknown, format!("nothing is known about {name}"));
        seen.signal(Reason::NewCode, format!("{name} is not among the known programs"));
    }
}

fn executes(name: &str, args: &[String], seen: &mut Seen) {
    let Some((_, long, short)) = EXECUTES.iter().find(|(program, ..)| *program == name) else { return };
    // The first word of tar holds options also without a dash.
    if let Some(first) =
        args.first().filter(|first| name == "tar" && !first.starts_with('-') && first.contains(['I', 'F']))
    {
        seen.opaque(format!("tar {first} runs another program"));
    }
    let found = args.iter().take_while(|arg| *arg != "--").find(|arg| {
        long.iter().any(|option| is_long(arg, option))
            || short.chars().any(|letter| is_short(arg, letter) && !arg.starts_with("-C"))
    });
    if let Some(arg) = found {
        seen.opaque(format!("{name} {arg} runs another program"));
        seen.signal(Reason::NewCode, format!("{name} {arg} runs another program"));
    }
}

fn looks(name: &str, args: &[String], seen: &mut Seen) {
    seen.reaches(Reach::Looks, format!("{name} looks"));
    let writes = match name {
        "find" => args.iter().any(|arg| arg.starts_with("-fprint") || arg == "-fls"),
        "date" => args.iter().any(|arg| is_short(arg, 's') || is_long(arg, "set")),
        "sort" | "shuf" => args.iter().any(|arg| is_short(arg, 'o') || is_long(arg, "output")),
        "uniq" | "xxd" => args.iter().filter(|arg| !arg.starts_with('-')).count() > 1,
        "tree" => args.iter().any(|arg| arg == "-o"),
        _ => false,
    };
    if writes {
        seen.changes.extend(args.iter().filter(|arg| !arg.starts_with('-')).cloned().chain(paths_in(args)));
        seen.reaches(Reach::Files, format!("{name} writes a file"));
    }
    if name == "find" && args.iter().any(|arg| arg == "-delete") {
        seen.changes.extend(args.iter().take_while(|arg| !arg.starts_with('-')).cloned());
        seen.removes = true;
        seen.signal(Reason::Irreversible, "find -delete removes what it finds");
        seen.reaches(Reach::Files, "find removes what it finds");
    }
    if args.windows(2).any(|pair| pair[0] == ">") {
        seen.changes.extend(args.windows(2).filter(|pair| pair[0] == ">").map(|pair| pair[1].clone()));
        seen.reaches(Reach::Files, "the output goes to a file");
    }
}

fn files(name: &str, args: &[String], seen: &mut Seen) {
    let lists = name == "tar" && args.first().is_some_and(|arg| arg.trim_start_matches('-').starts_with('t'));
    let prints = name == "sed" && !args.iter().any(|arg| is_short(arg, 'i') || is_long(arg, "in-place"))
        || name == "rustfmt" && args.iter().any(|arg| arg == "--check")
        || lists
        || name == "unzip" && args.iter().any(|arg| arg == "-l");
    if name == "sed" && sed_reaches_out(args) {
        seen.opaque("the script of sed may run commands or write files");
        seen.reaches(Reach::Files, "sed may write files");
    }
    if prints {
        return seen.reaches(Reach::Looks, format!("{name} looks"));
    }
    let values = args
        .iter()
        .filter(|arg| !arg.starts_with('-'))
        .map(|arg| arg.split_once("of=").map_or(arg.as_str(), |(_, p)| p));
    seen.changes.extend(values.map(str::to_owned));
    seen.changes.extend(paths_in(args));
    seen.reaches(Reach::Files, format!("{name} changes files"));
    if name == "rsync" && args.iter().any(|arg| arg.contains(':')) {
        seen.signal(Reason::Outside, "rsync sends to another machine");
        seen.reaches(Reach::Outside, "rsync sends to another machine");
    }
    if REMOVES.contains(&name) || args.iter().any(|arg| is_long(arg, "delete") && name == "rsync") {
        seen.removes = true;
        seen.signal(Reason::Irreversible, format!("{name} removes what it is given"));
    }
}

/// Paths that stand within options, such as `--directory=/x` and `-C/x`.
pub(super) fn paths_in(args: &[String]) -> impl Iterator<Item = String> {
    let all = args.iter().flat_map(|arg| crate::policy::path::candidates(arg).skip(1));
    all.filter(|path| path.starts_with(['/', '~', '$', '.'])).map(str::to_owned)
}

/// Whether a script of sed may do more than change what it prints.
fn sed_reaches_out(args: &[String]) -> bool {
    let from_file = args.iter().any(|arg| is_short(arg, 'f') || is_long(arg, "file"));
    let script = args.iter().find(|arg| !arg.starts_with('-')).map(String::as_str).unwrap_or_default();
    let plain = script.chars().all(|c| c.is_ascii_digit() || ",$p!=d;q ".contains(c));
    let substitutes = script.starts_with("s/") && script.matches('/').count() == 3 && {
        let flags = script.rsplit('/').next().unwrap_or_default();
        flags.chars().all(|c| c == 'g' || c == 'p' || c == 'I' || c.is_ascii_digit()) && !script.contains(['\n', ';'])
    };
    // Every other option may carry a script of its own.
    let known =
        |arg: &&String| !arg.starts_with('-') || matches!(arg.as_str(), "-n" | "-E" | "-r" | "-s" | "-u" | "-z" | "-i");
    from_file || !args.iter().all(|arg| known(&arg)) || !(plain || substitutes)
}

fn builds(name: &str, args: &[String], seen: &mut Seen) {
    let verbs: Vec<&str> = args.iter().map(String::as_str).filter(|arg| !arg.starts_with(['-', '+'])).collect();
    let verb = verbs.first().copied().unwrap_or_default();
    let publishes = ["publish", "login", "owner", "yank", "deploy", "release", "push", "unpublish", "adduser", "token"];
    let fetches = [
        "install", "add", "i", "ci", "update", "upgrade", "get", "fetch", "vendor", "dlx", "create", "init", "exec",
        "x",
    ];
    if publishes.contains(&verb) || verbs.get(1).is_some_and(|second| name != "cargo" && *second == "deploy") {
        seen.signal(Reason::Outside, format!("{name} {verb} reaches others"));
        seen.signal(Reason::Irreversible, "what was published cannot be taken back");
        seen.reaches(Reach::Outside, format!("{name} {verb} publishes"));
        return seen.floor(format!("publishing with {name} {verb}"));
    }
    if name == "npx"
        || fetches.contains(&verb) && !(name == "make" && verb == "init") && !(name == "cargo" && verb == "init")
    {
        return installs(name, args, seen);
    }
    let whole =
        verb.is_empty() && matches!(name, "yarn" | "pnpm") || name == "go" && args.iter().any(|arg| arg.contains('@'));
    if whole {
        return installs(name, args, seen);
    }
    let named = args.iter().filter(|arg| arg.starts_with(['/', '~', '$']) || arg.contains(".."));
    seen.changes.extend(named.cloned().chain(paths_in(args)));
    if verb == "clean" || verb == "distclean" {
        seen.signal(Reason::Novel, "what was built has to be built again");
    }
    seen.reaches(Reach::Builds, format!("{name} {verb} runs the code of its folder").replace("  ", " "));
    seen.signal(Reason::NewCode, format!("{name} runs the code of its folder"));
}

fn installs(name: &str, args: &[String], seen: &mut Seen) {
    let looks = [
        "list",
        "show",
        "search",
        "info",
        "--version",
        "freeze",
        "outdated",
        "-l",
        "policy",
        "query",
        "tree",
        "check",
        "help",
    ];
    if args.first().is_some_and(|verb| looks.contains(&verb.as_str())) && name != "npx" {
        return seen.reaches(Reach::Looks, format!("{name} looks"));
    }
    seen.signal(Reason::NewCode, format!("{name} brings code of others onto this machine"));
    seen.signal(Reason::Outside, format!("{name} changes what is installed"));
    seen.reaches(Reach::Outside, format!("{name} changes what is installed"));
    seen.floor(format!("installing with {name}"));
}

fn network(name: &str, args: &[String], seen: &mut Seen) {
    seen.reaches(Reach::Outside, format!("{name} speaks to another machine"));
    seen.signal(Reason::NewHost, format!("{name} speaks to another machine"));
    let sends = [
        "data",
        "data-binary",
        "data-raw",
        "data-urlencode",
        "form",
        "upload-file",
        "request",
        "post-file",
        "post-data",
        "body-file",
        "json",
    ];
    let posting = args.iter().any(|arg| {
        sends.iter().any(|option| is_long(arg, option) && arg.len() > 4)
            || matches!(name, "curl") && "dFTX".chars().any(|c| is_short(arg, c))
    });
    let always =
        !matches!(name, "curl" | "wget" | "dig" | "nslookup" | "host" | "ping" | "aria2c" | "yt-dlp" | "traceroute");
    if posting || always {
        seen.signal(Reason::Outside, format!("{name} sends"));
        seen.signal(Reason::Irreversible, "what was sent cannot be taken back");
    }
    if matches!(
        name,
        "mail" | "sendmail" | "mutt" | "msmtp" | "swaks" | "twine" | "slack" | "telegram-cli" | "netlify" | "vercel"
    ) {
        seen.floor(format!("publishing with {name}"));
    }
}
