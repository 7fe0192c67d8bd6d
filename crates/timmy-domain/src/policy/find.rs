//! Gathers what speaks for asking: from the command, the paths, the hosts and where the plan came from.

use super::Context;
use super::command::{Reach, Seen, see};
use super::path::{candidates, plain, sensitive, within};
use super::show::{arg, disguise};
use crate::plan::{How, Plan};
use crate::risk::{Mitigation, Reason, RiskClass, Signal};

/// Files from which on the number counts in full.
const FILES_FULL: f64 = 10.0;
/// Yeses of the same shape after which it is familiar.
const FAMILIAR_MIN: u32 = 5;

/// What was found in a plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// The reasons, not yet weighed.
    pub signals: Vec<Signal>,
    /// The rule of the hard floor that asks always, in words.
    pub floor: Option<String>,
    /// The rule that refuses, and what it found.
    pub denied: Option<(&'static str, String)>,
    /// Why not all of it can be seen.
    pub opaque: Option<String>,
    /// Effects outside Timmy's own place, in words.
    pub outside: Vec<String>,
    /// Whether it stands behind a wrapper.
    pub wrapped: bool,
    /// Whether it is spelt to look like something else.
    pub disguised: bool,
    /// Whether code runs that is not the system's.
    pub runs_code: bool,
}

impl Findings {
    /// Whether a rule may decide it.
    #[must_use]
    pub const fn can_be_ruled(&self) -> bool {
        self.floor.is_none() && self.denied.is_none() && self.opaque.is_none() && !self.wrapped && !self.disguised
    }

    /// What makes it milder.
    #[must_use]
    pub fn mitigations(&self, plan: &Plan, ctx: &Context) -> Vec<Mitigation> {
        let mut found = Vec::new();
        if ctx.tier >= 3 && !plan.argv.is_empty() {
            found.push(Mitigation::Sandboxed);
        }
        if plan.undo.is_some() {
            found.push(Mitigation::Undoable);
        }
        if ctx.prior_approvals >= FAMILIAR_MIN && !ctx.regretted {
            found.push(Mitigation::Familiar);
        }
        found
    }

    fn signal(&mut self, reason: Reason, words: impl Into<String>) {
        self.signals.push(reason.found(words));
    }

    fn floor(&mut self, why: impl Into<String>) {
        self.floor.get_or_insert(why.into());
    }
}

/// Looks at a plan.
#[must_use]
pub fn find(plan: &Plan, ctx: &Context) -> Findings {
    let mut found = Findings::default();
    class(plan, &mut found);
    if !plan.argv.is_empty() {
        command(plan, ctx, &mut found);
    }
    touched(plan, ctx, &mut found);
    hosts(plan, ctx, &mut found);
    text(plan, &mut found);
    circumstances(plan, ctx, &mut found);
    found
}

fn class(plan: &Plan, found: &mut Findings) {
    match plan.class {
        RiskClass::Spend => {
            found.signal(Reason::Outside, "it spends money");
            found.signal(Reason::Irreversible, "payments cannot be taken back");
            found.outside.push("it spends money".to_owned());
            found.floor("payments");
        }
        RiskClass::Governance => {
            found.signal(Reason::Governance, plan.tool.as_str());
            found.outside.push("it changes what Timmy may do".to_owned());
            found.floor("what governs Timmy");
        }
        RiskClass::NetworkWrite => {
            found.signal(Reason::Outside, "it sends something");
            found.signal(Reason::Irreversible, "what was sent cannot be taken back");
            found.outside.push("it sends something to somebody".to_owned());
        }
        RiskClass::Read
        | RiskClass::Compute
        | RiskClass::WriteOwn
        | RiskClass::WriteGranted
        | RiskClass::Execute
        | RiskClass::NetworkRead => {}
    }
}

/// Names by which governing things are changed, wherever they lie.
const GOVERNING: &[&str] = &["GOLDEN_TIMMY", "golden_timmy", "TIMMY__TRUST", "--no-sandbox", "TIMMY_HOME"];

fn command(plan: &Plan, ctx: &Context, found: &mut Findings) {
    let mut argv = plan.argv.clone();
    // The name a program is called by says nothing; the file that is run does.
    if let (Some(exe), Some(first)) = (&plan.exe, argv.first_mut()) {
        let called = super::command::base(first).to_owned();
        let runs = super::command::base(&exe.path);
        // busybox and its like choose what to do by the name they are called by.
        if !["busybox", "toybox", "coreutils"].contains(&runs) || called == runs {
            first.clone_from(&exe.path);
        }
    }
    let seen = see(&argv);
    found.wrapped |= seen.is_wrapped();
    if found.wrapped {
        found.opaque = seen.opaque.clone().or_else(|| Some(format!("it runs behind {}", seen.wrappers.join(", "))));
    } else {
        found.opaque.clone_from(&seen.opaque);
    }
    found.floor = found.floor.take().or_else(|| seen.floor.clone());
    found.denied.clone_from(&seen.denied);
    found.signals.extend(seen.signals.iter().cloned());
    found.runs_code |= seen.reach == Reach::Builds || seen.reach == Reach::Unknown;
    reach(plan, ctx, &seen, found);
    let programs: Vec<&str> = plan.argv.iter().map(|word| super::command::base(word)).collect();
    if programs.contains(&"timmy") {
        found.denied = Some(("own_command", "Timmy does not run his own command line, which speaks as you".to_owned()));
    }
    if let Some(word) = plan.argv.iter().find(|word| GOVERNING.iter().any(|name| word.contains(name))) {
        found.denied = Some(("own_policy", format!("{} is about what governs Timmy", arg(word))));
    }
}

fn reach(plan: &Plan, ctx: &Context, seen: &Seen, found: &mut Findings) {
    let cwd = plan.cwd.as_ref().map_or("/", |place| place.path.as_str());
    let own = |path: &str| ctx.own.iter().any(|folder| within(path, folder));
    match seen.reach {
        Reach::Looks => {}
        Reach::Files => {
            let whole: Vec<String> = seen.changes.iter().map(|word| plain(word, cwd, &ctx.user_home)).collect();
            // Where links lead counts, not how the path is written.
            let outside = whole.iter().zip(&seen.changes).find(|(path, word)| {
                let resolved = ctx.resolved.iter().find(|known| known.written == **word);
                !own(resolved.map_or(path.as_str(), |known| known.path.as_str())) && looks_like_path(word)
            });
            if let Some((path, _)) = outside {
                found.signal(Reason::Outside, path.as_str());
                found.outside.push(format!("{} in {path}", seen.effect));
                if seen.removes {
                    found.floor(format!("removing {path}, outside Timmy's own folder"));
                }
            } else if !own(cwd) {
                found.signal(Reason::Outside, format!("{} in {cwd}", seen.effect));
                found.outside.push(format!("{} in {cwd}", seen.effect));
            }
            let bare = whole.iter().any(|path| ctx.own.iter().any(|folder| path == folder.trim_end_matches('/')));
            if seen.removes && bare {
                found.signal(Reason::BlastRadius, "the whole folder");
                found.floor("removing a whole working folder");
            }
        }
        Reach::Builds if own(cwd) => {
            let elsewhere = seen.changes.iter().map(|word| plain(word, cwd, &ctx.user_home)).find(|path| !own(path));
            found.outside.extend(elsewhere.map(|path| format!("{} and reaches {path}", seen.effect)));
        }
        Reach::Builds => found.outside.push(format!("{} in {cwd}", seen.effect)),
        Reach::Unknown | Reach::Outside => found.outside.push(seen.effect.clone()),
    }
    if seen.removes && seen.changes.iter().any(|word| word.contains(['*', '?', '$'])) {
        found.signal(Reason::BlastRadius, "a pattern that no shell spells out; it is taken as written");
    }
}

/// Whether a word could name a file at all: `755` and `s/a/b/` hardly do, and are judged by their folder.
fn looks_like_path(word: &str) -> bool {
    word.starts_with(['/', '~', '.', '$']) || word.contains("..") || word.contains(':')
}

fn touched(plan: &Plan, ctx: &Context, found: &mut Findings) {
    let cwd = plan.cwd.as_ref().map_or("/", |place| place.path.as_str());
    let words = plan.argv.iter().skip(1).flat_map(|word| candidates(word));
    let named =
        words.chain(plan.files.iter().map(|file| file.path.as_str())).chain(plan.cwd.iter().map(|p| p.path.as_str()));
    let resolved = ctx.resolved.iter().map(|known| known.path.as_str());
    for path in named.chain(resolved) {
        let whole = plain(path, cwd, &ctx.user_home);
        let workspace = ctx.own.iter().any(|folder| within(&whole, folder));
        if !ctx.home.is_empty() && within(&whole, &ctx.home) && !workspace {
            found.signal(Reason::Governance, arg(path));
            found.denied = Some(("own_home", format!("{} lies in the folder that governs Timmy", arg(path))));
        } else if let Some(why) = sensitive(path, cwd, &ctx.user_home) {
            found.signal(Reason::Secrets, format!("{}: {why}", arg(path)));
            found.floor(format!("{why}, at {}", arg(path)));
        }
        if !ctx.home.is_empty() && whole != ctx.home && (whole == "/" || within(&ctx.home, &whole)) {
            found.signal(Reason::Secrets, format!("{} holds all that governs Timmy", arg(path)));
            found.floor(format!("{} holds all that governs Timmy", arg(path)));
        }
        if whole.contains("/.git/hooks") || whole.ends_with("/.git/config") || whole.contains("/.cargo/config") {
            found.signal(Reason::Governance, arg(path));
            found.floor(format!("{} decides which programs run", arg(path)));
        }
    }
    let inodes = plan.files.iter().map(|file| (file.dev, file.inode, file.path.as_str()));
    let looked = ctx.resolved.iter().map(|known| (known.dev, known.inode, known.path.as_str()));
    for (dev, inode, path) in inodes.chain(looked) {
        if ctx.guarded.contains(&(dev, inode)) {
            found.signal(Reason::Governance, arg(path));
            found.denied = Some(("own_home", format!("{} is a second name of what governs Timmy", arg(path))));
        }
    }
    files(plan, ctx, found);
}

fn files(plan: &Plan, ctx: &Context, found: &mut Findings) {
    let changed: Vec<_> = plan.files.iter().filter(|file| file.how.changes()).collect();
    let outside = changed.iter().find(|file| !ctx.own.iter().any(|folder| within(&file.path, folder)));
    if let Some(file) = outside {
        found.signal(Reason::Outside, arg(&file.path));
        found.outside.push(format!("it changes {}", arg(&file.path)));
    }
    if let Some(file) = changed.iter().find(|file| file.how == How::Delete) {
        if plan.undo.is_none() {
            found.signal(Reason::Irreversible, format!("{} is removed", arg(&file.path)));
        }
        if outside.is_some() {
            found.floor(format!("removing {}, outside Timmy's own folder", arg(&file.path)));
        }
    }
    if changed.len() > 1 {
        let amount = (changed.len() as f64 / FILES_FULL).min(1.0);
        let words = format!("{} files", changed.len());
        found.signals.push(Signal { reason: Reason::BlastRadius, amount, words });
    }
}

fn hosts(plan: &Plan, ctx: &Context, found: &mut Findings) {
    let known = |host: &String| ctx.known_hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
    for host in plan.hosts.iter().filter(|host| !known(host)) {
        found.signal(Reason::NewHost, arg(host));
        found.outside.push(format!("it speaks to {}", arg(host)));
    }
}

fn text(plan: &Plan, found: &mut Findings) {
    let words = plan.argv.iter().chain(plan.files.iter().map(|file| &file.path)).chain(&plan.hosts);
    if let Some((word, why)) = words.into_iter().find_map(|word| disguise(word).map(|why| (word, why))) {
        found.signal(Reason::Disguised, format!("{}: {why}", super::show::words(word)));
        found.disguised = true;
        found.opaque.get_or_insert_with(|| format!("its spelling misleads: {why}"));
    }
}

fn circumstances(plan: &Plan, ctx: &Context, found: &mut Findings) {
    if plan.is_tainted()
        && (!found.outside.is_empty() || found.opaque.is_some() || plan.class >= RiskClass::NetworkWrite)
    {
        found.signal(Reason::Tainted, "text from outside had a part in it");
    }
    if ctx.over_limit {
        found.signal(Reason::OverLimit, "the spending limit is reached");
    }
    if ctx.off_hours && !found.signals.is_empty() {
        found.signal(Reason::OffHours, "you usually sleep now");
    }
    if ctx.prior_approvals == 0 && !found.outside.is_empty() {
        found.signal(Reason::Novel, "you were never asked for this shape before");
    }
}
