//! Rules: what the owner lets happen without being asked, as data. A rule names a shape, and ends.

use serde::{Deserialize, Serialize};

use super::path::within;
use super::{Context, command};
use crate::digest::Digest;
use crate::plan::Plan;
use crate::risk::RiskClass;
use crate::{RuleId, Timestamp};

/// Days a rule lasts when nothing else is said, and at most.
pub const RULE_DAYS: u64 = 90;
/// Uses a rule allows when nothing else is said.
pub const RULE_USES: u32 = 1_000;
/// Rules that may exist at once.
pub const RULES_MAX: usize = 200;
/// Words, folders or hosts in one shape.
pub const SHAPE_PARTS_MAX: usize = 32;
/// Yeses of one shape, without a no, after which a rule is suggested.
pub const SUGGEST_AFTER: usize = 5;
/// Days of the past that suggestions and previews look at.
pub const PREVIEW_DAYS: u64 = 30;

/// What a rule allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// The tool.
    pub tool: String,
    /// The program, as its resolved path; `None` for tools that run none.
    #[serde(default)]
    pub exe: Option<String>,
    /// The words after the program that must stand there, in order.
    #[serde(default)]
    pub words: Vec<String>,
    /// Whether more words may follow those.
    #[serde(default)]
    pub more_words: bool,
    /// Folders of which one must hold each file that is touched, and the folder it happens in.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Hosts of which one must be each host that is spoken to.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// How a tool of others described itself when the rule was made; with another description it is another tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub described_sha256: Option<Digest>,
}

/// A rule of the owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// What it allows, in one line.
    pub title: String,
    /// What it allows, exactly.
    pub shape: Shape,
    /// Only within this task; `None` for all.
    pub task_id: Option<String>,
    /// The sandbox tier it needs at least.
    pub tier_min: u8,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it, and through which key.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How often it may be used.
    pub max_uses: u32,
    /// How often it was used.
    pub uses: u32,
    /// When it was last used.
    pub used_at: Option<Timestamp>,
    /// When the owner took it back.
    pub revoked_at: Option<Timestamp>,
}

impl Rule {
    /// Whether it is good at `now`.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at > now && self.uses < self.max_uses
    }
}

impl Shape {
    /// In one line.
    #[must_use]
    pub fn line(&self) -> String {
        let mut line = self.exe.clone().map_or_else(|| self.tool.clone(), |exe| command::base(&exe).to_owned());
        for word in &self.words {
            line.push(' ');
            line.push_str(&super::show::arg(word));
        }
        if self.more_words {
            line.push_str(" …");
        }
        if !self.folders.is_empty() {
            line.push_str(&format!(" in {}", self.folders.join(", ")));
        }
        if !self.hosts.is_empty() {
            line.push_str(&format!(" at {}", self.hosts.join(", ")));
        }
        if self.described_sha256.is_some() {
            line.push_str(", as it describes itself now");
        }
        line
    }

    /// Whether `plan` has this shape. What a wrapper runs never has one.
    #[must_use]
    pub fn fits(&self, plan: &Plan) -> bool {
        if self.tool != plan.tool || self.exe.as_deref() != plan.exe.as_ref().map(|exe| exe.path.as_str()) {
            return false;
        }
        let given = plan.argv.get(1..).unwrap_or_default();
        let words = if self.more_words { given.starts_with(&self.words) } else { given == self.words.as_slice() };
        let inside = |path: &str| self.folders.iter().any(|folder| within(path, folder));
        let places = plan.files.iter().map(|file| &file.path).chain(plan.cwd.iter().map(|place| &place.path));
        let hosts = plan.hosts.iter().all(|host| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)));
        let described = self.described_sha256 == plan.described_sha256;
        words && hosts && described && places.into_iter().all(|path| inside(path))
    }

    /// Why this cannot be a rule, in words; `None` when it can.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let parts = [self.words.len(), self.folders.len(), self.hosts.len()];
        if self.tool.is_empty() || parts.iter().any(|&count| count > SHAPE_PARTS_MAX) {
            return Some(format!("a shape names a tool and at most {SHAPE_PARTS_MAX} words, folders and hosts"));
        }
        if self.folders.iter().any(|folder| !folder.starts_with('/') || folder.trim_end_matches('/').is_empty()) {
            return Some("a folder of a rule is an absolute path, and not the whole disk".to_owned());
        }
        if self.hosts.iter().any(|host| host.contains('*') || host.is_empty()) {
            return Some("a host of a rule is one name, without patterns".to_owned());
        }
        let exe = self.exe.as_deref()?;
        if self.words.is_empty() && self.more_words {
            return Some(format!("a rule for {exe} with any arguments would allow all that it can do"));
        }
        let argv: Vec<String> = std::iter::once(exe.to_owned()).chain(self.words.iter().cloned()).collect();
        let seen = command::see(&argv);
        if seen.is_wrapped() || seen.opaque.is_some() {
            return Some(format!(
                "{} runs other programs, and a rule for it would allow all of them",
                command::base(exe)
            ));
        }
        seen.floor.map(|floor| format!("this is always asked for: {floor}"))
    }
}

/// The first of `rules` that is live and allows `plan`.
pub(super) fn matching<'a>(rules: &'a [Rule], plan: &Plan, ctx: &Context) -> Option<&'a Rule> {
    // What was made from outside text and goes out again is how things are carried off; each one is looked at.
    if plan.is_tainted() && plan.class >= RiskClass::NetworkWrite {
        return None;
    }
    rules.iter().find(|rule| {
        rule.is_live(ctx.now)
            && rule.tier_min <= ctx.tier
            && (rule.task_id.is_none() || rule.task_id == plan.task_id)
            && rule.shape.fits(plan)
    })
}

/// The shape of which `plan` is one: the program with its leading plain words, in the same folder. `None` for what
/// cannot become a rule.
#[must_use]
pub fn shape(plan: &Plan) -> Option<Shape> {
    let mut shape = Shape { tool: plan.tool.clone(), hosts: plan.hosts.clone(), ..Shape::default() };
    shape.described_sha256 = plan.described_sha256;
    shape.hosts.sort_unstable();
    shape.hosts.dedup();
    if !plan.argv.is_empty() {
        shape.exe = Some(plan.exe.as_ref()?.path.clone());
        let given = &plan.argv[1..];
        let verb = given.iter().take_while(|word| is_verb(word)).take(2).count();
        shape.words = given[..verb].to_vec();
        // Without a verb there is nothing that says what the program does, so all words belong to the shape.
        shape.more_words = verb > 0 && given.len() > verb;
        if verb == 0 {
            shape.words = given.to_vec();
        }
    }
    let folder = |path: &str| path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
    shape.folders = plan.files.iter().map(|file| folder(&file.path)).collect();
    shape.folders.extend(plan.cwd.iter().map(|place| place.path.clone()));
    shape.folders.sort_unstable();
    shape.folders.dedup();
    shape.refusal().is_none().then_some(shape)
}

/// Whether a word is a plain verb such as `test`, and no option, path or value.
fn is_verb(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 24
        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        && !word.starts_with('-')
}
