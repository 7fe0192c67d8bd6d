//! Repositories in granted folders: look at them, change them in ways git can undo, and, apart from that, throw
//! something away for good.
//!
//! Git runs hardened as everywhere: no hook, no filter, no pager, no editor, no network, no configuration of its own.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::digest::Digest;
use timmy_domain::plan::{FileTouch, How, Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::text;

use super::files::way::{self, Want};
use super::program;
use crate::ToolError;
use crate::git::{GIT, hardened, is_repository};
use crate::process::{Bounds, Output};
use crate::sandbox::Policy;
use crate::tool::outcome::{Outcome, TEXT_BYTES_MAX, head_and_tail};
use crate::tool::scope::{Grants, Identity, PATH_BYTES_MAX, shown};
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec, args, blocking};
use verbs::{Asked, Wrong};

pub mod verbs;

/// What one git command may use.
const BOUNDS: Bounds = Bounds { time: Duration::from_secs(60), output_bytes: 4 * 1024 * 1024 };

/// Filters of one repository that are switched off.
const FILTERS_MAX: usize = 16;

/// Files that a plan names as lost.
const LOST_MAX: usize = 200;

/// Who commits: not the owner.
const OWN_CONFIG: [&str; 4] =
    ["user.name=Timmy", "user.email=timmy@localhost", "core.editor=false", "advice.detachedHead=false"];

/// What a git tool does with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Look,
    Change,
    Discard,
}

/// A git tool.
pub struct Git {
    kind: Kind,
    spec: ToolSpec,
}

impl Git {
    /// Looks at a repository.
    #[must_use]
    pub fn look() -> Self {
        let acts = ["status", "log", "diff", "show", "branches", "worktrees"];
        let about = "Looks at a git repository in a granted folder: its status, log, differences, a commit, branches or work trees.";
        let more = json!({
            "staged": {"type": "boolean", "default": false, "description": "For diff: what is staged."},
            "count": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20, "description": "For log: how many commits."},
            "revision": revision(),
        });
        Self { kind: Kind::Look, spec: spec("git_look", RiskClass::Read, about, &acts, &more) }
    }

    /// Changes a repository in ways that git can undo.
    #[must_use]
    pub fn change() -> Self {
        let acts = ["add", "unstage", "commit", "branch", "switch", "worktree"];
        let about = "Changes a git repository in a granted folder: stages files, commits, makes a branch or a work tree, switches branches. Never pushes.";
        let more = json!({
            "message": {"type": "string", "maxLength": 4_000, "format": "text", "default": "", "description": "For commit: what it does and why."},
            "name": {"type": "string", "maxLength": 200, "default": "", "description": "For branch, switch and worktree: the branch."},
            "revision": revision(),
        });
        Self { kind: Kind::Change, spec: spec("git_change", RiskClass::WriteGranted, about, &acts, &more) }
    }

    /// Throws something of a repository away for good.
    #[must_use]
    pub fn discard() -> Self {
        let acts = ["restore", "reset", "clean", "delete_branch"];
        let about = "Throws away work in a git repository for good: edits of files, everything since a commit, files git does not know, or a branch.";
        let more = json!({
            "name": {"type": "string", "maxLength": 200, "default": "", "description": "For delete_branch: the branch."},
            "revision": revision(),
        });
        Self { kind: Kind::Discard, spec: spec("git_discard", RiskClass::Governance, about, &acts, &more) }
    }

    fn argv(&self, asked: &Asked) -> Result<Vec<String>, ToolError> {
        let made: Result<Vec<String>, Wrong> = match self.kind {
            Kind::Look => verbs::look(asked),
            Kind::Change => verbs::change(asked),
            Kind::Discard => verbs::discard(asked),
        };
        let bad = |(argument, finding): Wrong| ToolError::BadArgument {
            tool: self.spec.name.clone(),
            argument: argument.to_owned(),
            finding,
        };
        made.map_err(bad)
    }

    /// Everything of a plan that can be looked up again, and the repository it is about.
    async fn look_up(&self, grants: &std::sync::Arc<Grants>, mut plan: Plan) -> Result<(Plan, Repository), ToolError> {
        let given: Given = args(&plan)?;
        let argv = self.argv(&given.asked)?;
        let (kind, shared, asked) = (self.kind, grants.clone(), given.clone());
        let find = move |_: &dyn Fn() -> bool| find(kind, &shared, &asked);
        let (repository, exe, cwd, files) = blocking("looking at a repository", find).await?;
        let repository = repository.with_filters().await?;
        if let Some(args) = plan.args.as_object_mut().filter(|_| kind != Kind::Look) {
            args.insert("state".to_owned(), repository.state().await?.to_string().into());
            if kind == Kind::Discard {
                args.insert("loses".to_owned(), repository.loses(&given.asked).await?.into());
            }
        }
        plan.exe = Some(exe);
        plan.cwd = Some(cwd);
        plan.files = files;
        plan.argv = [vec![GIT.to_owned()], argv].concat();
        plan.undo = undo(&given.asked.act).map(str::to_owned);
        Ok((plan, repository))
    }
}

fn revision() -> Value {
    json!({"type": "string", "maxLength": 200, "default": "", "description": "A commit or branch, such as HEAD~1, main or main..work."})
}

fn spec(name: &str, risk: RiskClass, about: &str, acts: &[&str], more: &Value) -> ToolSpec {
    let path = json!({"type": "string", "minLength": 1, "maxLength": 1_000});
    let mut properties = json!({
        "repository": {"type": "string", "maxLength": PATH_BYTES_MAX, "default": "", "description": "Its folder; empty for the first granted one."},
        "act": {"type": "string", "enum": acts, "description": "What to do."},
        "paths": {"type": "array", "maxItems": 50, "items": path, "default": [], "description": "Files and folders below the repository; `.` is all of it."},
    });
    if let (Some(all), Some(more)) = (properties.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    ToolSpec::new(name, risk, Taint::File, about, &properties, &["act"])
}

fn undo(act: &str) -> Option<&'static str> {
    match act {
        "add" => Some("What is staged can be unstaged."),
        "unstage" => Some("It can be staged again."),
        "commit" => Some("The commit can be taken back with a reset; what it holds stays."),
        "branch" => Some("The new branch can be deleted."),
        "switch" => Some("You can switch back."),
        "worktree" => Some("The new work tree can be removed."),
        _ => None,
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Given {
    #[serde(default)]
    repository: String,
    #[serde(flatten)]
    asked: Asked,
}

/// A repository that was found, and how git is run on it.
#[derive(Clone, Debug)]
struct Repository {
    path: PathBuf,
    identity: Identity,
    policy: Policy,
    git: String,
    filters: Vec<String>,
}

type Found = (Repository, timmy_domain::plan::Exe, timmy_domain::plan::Place, Vec<FileTouch>);

fn find(kind: Kind, grants: &Grants, given: &Given) -> Result<Found, ToolError> {
    let within = grants.within(&given.repository)?;
    let cwd = program::place(grants, &within)?;
    let path = PathBuf::from(&cwd.path);
    if !is_repository(&path) {
        let message = format!("{} is no git repository.", shown(&cwd.path));
        return Err(ToolError::permanent("not_a_repository", message, "Name the folder that holds .git."));
    }
    let mut policy = Policy::vouched();
    let mut files = Vec::new();
    if kind != Kind::Look {
        let grant = within.grant;
        if !grant.may_write() {
            let message = format!("{} is granted for reading only.", grant.path().display());
            return Err(ToolError::refused(
                "read_only_grant",
                message,
                "The owner can add it to [tools] folders_write.",
            ));
        }
        if grants.holds_closed(grant) {
            let message =
                format!("{} holds, or lies in, the folder where Timmy keeps what governs him.", grant.path().display());
            return Err(ToolError::refused("closed_folder", message, "Grant a folder of your own work instead."));
        }
        no_filters(grants, &within)?;
        policy = policy.writes(grant.path()).writes(&path).writes(path.join(".git"));
        // A linked work tree has its parts elsewhere; they must be granted too.
        for place in crate::git::places(&path) {
            let granted = grants.folders().iter().any(|grant| grant.may_write() && place.starts_with(grant.path()));
            if !granted {
                let message =
                    format!("{} has its repository in {}, which is not granted.", shown(&cwd.path), place.display());
                return Err(ToolError::refused(
                    "path_outside",
                    message,
                    "Grant that folder too, or work in the repository itself.",
                ));
            }
            policy = policy.writes(place);
        }
        if given.asked.act == "add" {
            files = program::named_files(grants, &within, &given.asked.paths)?;
        }
    }
    let (exe, identity) = (program::find(GIT, &[])?, Identity { dev: cwd.dev, inode: cwd.inode });
    Ok((Repository { path, identity, policy, git: exe.path.clone(), filters: Vec::new() }, exe, cwd, files))
}

/// Refuses to change a repository whose files are kept in another form than they have in the folder: without its
/// filters, which are programs and are never run, the wrong form would be written.
fn no_filters(grants: &Grants, within: &crate::tool::scope::Within<'_>) -> Result<(), ToolError> {
    for parts in [&[".gitattributes"][..], &[".git", "info", "attributes"]] {
        let mut there = within.clone();
        there.parts.extend(parts.iter().map(|part| (*part).to_owned()));
        let found = way::spot(grants, &there, Want::Read, false).and_then(|spot| spot.snapshot());
        // Neither missing nor unreadable is a filter.
        if found.is_ok_and(|snapshot| String::from_utf8_lossy(&snapshot.bytes).contains("filter=")) {
            let message = format!(
                "{} keeps files through filters, which are programs Timmy does not run.",
                shown(&within.path())
            );
            return Err(ToolError::refused("git_filters", message, "Do this by hand."));
        }
    }
    Ok(())
}

impl Repository {
    async fn run(&self, args: &[String]) -> Result<Output, ToolError> {
        let mut run = hardened(&self.git, &self.path, self.policy.clone())
            .folder_verified(self.identity.dev, self.identity.inode);
        for setting in OWN_CONFIG {
            run = run.arg("-c").arg(setting);
        }
        for name in &self.filters {
            for off in ["clean=", "smudge=", "process=", "required=false"] {
                run = run.arg("-c").arg(format!("filter.{name}.{off}"));
            }
        }
        run.args(args.iter().cloned()).run(BOUNDS).await
    }

    async fn lines(&self, args: &[&str]) -> Result<String, ToolError> {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        Ok(String::from_utf8_lossy(&self.run(&args).await?.stdout).into_owned())
    }

    /// Learns the filters this repository names, so that each can be switched off.
    async fn with_filters(mut self) -> Result<Self, ToolError> {
        let named = self.lines(&["config", "--null", "--name-only", "--get-regexp", r"^filter\."]).await?;
        let mut names: Vec<&str> = named
            .split('\0')
            .filter_map(|key| key.strip_prefix("filter.")?.rsplit_once('.'))
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        names.dedup();
        let odd = |name: &&&str| !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if names.len() > FILTERS_MAX || names.iter().find(odd).is_some() {
            let message =
                format!("{} names filters that cannot be switched off safely.", shown(&self.path.to_string_lossy()));
            return Err(ToolError::refused("git_filters", message, "Look at its configuration by hand."));
        }
        self.filters = names.into_iter().map(str::to_owned).collect();
        Ok(self)
    }

    /// A hash of where the repository stands: its branch, its commit and what is staged.
    async fn state(&self) -> Result<Digest, ToolError> {
        let branch = self.lines(&["symbolic-ref", "--quiet", "HEAD"]).await?;
        let head = self.lines(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?;
        let staged = self.lines(&["ls-files", "-s", "-z"]).await?;
        Ok(Digest::of(format!("{branch}\0{head}\0{staged}").as_bytes()))
    }

    /// What would be lost.
    async fn loses(&self, asked: &Asked) -> Result<Vec<String>, ToolError> {
        let paths = |fixed: &[&str]| -> Vec<String> {
            fixed.iter().map(|part| (*part).to_owned()).chain(asked.paths.iter().cloned()).collect()
        };
        let diff = ["diff", "--name-only", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all"];
        let args = match asked.act.as_str() {
            "restore" => paths(&[&diff[..], &["--"]].concat()),
            "clean" => paths(&["clean", "--dry-run", "-d", "--"]),
            "reset" => [&diff[..], &["HEAD", "--"]].concat().iter().map(|part| (*part).to_owned()).collect(),
            _ => {
                let tip = format!("refs/heads/{}", asked.name);
                let args = ["rev-parse", "--verify", "--quiet", "--end-of-options", &tip];
                args.iter().map(|part| (*part).to_owned()).collect()
            }
        };
        let output = self.run(&args).await?;
        let lost = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(lost.lines().take(LOST_MAX).map(|line| text::cut(&text::one_line(line), 300)).collect())
    }
}

impl Tool for Git {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn plan<'a>(&'a self, given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let plan = scope.plan(&self.spec, given);
            self.look_up(&scope.grants, plan).await.map(|(plan, _)| plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let (now, repository) = self.look_up(&running.grants, plan.clone()).await?;
            if now.canonical() != plan.canonical() {
                let message = format!(
                    "{} is not as it was when this was planned; nothing was done.",
                    shown(&repository.path.to_string_lossy())
                );
                return Err(ToolError::refused("plan_changed", message, "Look at it again and plan anew."));
            }
            let output = repository.run(plan.argv.get(1..).unwrap_or_default()).await?;
            let asked: Given = args(plan)?;
            tell(&repository, &asked.asked, &output, plan).await
        })
    }
}

async fn tell(repository: &Repository, asked: &Asked, output: &Output, plan: &Plan) -> Result<Outcome, ToolError> {
    if !output.truncated && !output.status.success() {
        // The reason may stand on either side, such as "nothing to commit".
        let said = [output.stderr.as_slice(), output.stdout.as_slice()]
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let line = said.iter().find_map(|text| text.lines().rev().map(text::one_line).find(|line| !line.is_empty()));
        let message = format!("git {} failed: {}", asked.act, text::cut(&line.unwrap_or_default(), 300));
        return Err(ToolError::permanent("git_failed", message, "Look at the status of the repository."));
    }
    let (mut said, cut) = head_and_tail(&String::from_utf8_lossy(&output.stdout), TEXT_BYTES_MAX);
    let mut evidence = vec!["status 0".to_owned()];
    if asked.act == "commit" {
        let head = repository.lines(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?;
        evidence.push(format!("commit {}", head.trim()));
        said = format!("Committed as {}.\n{said}", head.trim());
    }
    if said.trim().is_empty() {
        said = if asked.act == "diff" { "No difference.".to_owned() } else { "Done.".to_owned() };
    }
    if !repository.filters.is_empty() {
        said.push_str(&format!("\n(Filters of this repository were not run: {}.)", repository.filters.join(", ")));
    }
    Ok(Outcome {
        text: said,
        truncated: output.truncated || cut,
        bytes_in: output.stdout.len() as u64,
        evidence,
        touched: plan.files.iter().filter(|file| file.how == How::Read).map(super::touched).collect(),
        ..Outcome::default()
    })
}
