//! Files in granted folders: list, read, search and write them.

use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::digest::Digest;
use timmy_domain::plan::{FileTouch, How, Plan, Taint};
use timmy_domain::risk::RiskClass;

use crate::ToolError;
use crate::tool::outcome::Outcome;
use crate::tool::scope::{Grants, Identity, PATH_BYTES_MAX, Within};
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec, args, blocking, plan_foreign};
use change::{Change, Worked};
use look::Wanted;

pub mod change;
pub mod look;
pub mod tree;
pub mod way;

/// Characters of one text that is written.
const CONTENT_CHARS_MAX: usize = 100_000;

/// Lists a folder.
pub struct List(ToolSpec);

/// Reads a file.
pub struct Read(ToolSpec);

/// Searches files.
pub struct Search(ToolSpec);

/// Writes a file.
pub struct Write(ToolSpec);

fn path_schema(about: &str) -> Value {
    json!({"type": "string", "maxLength": PATH_BYTES_MAX, "description": about})
}

impl Default for List {
    fn default() -> Self {
        let properties = json!({
            "path": {"type": "string", "maxLength": PATH_BYTES_MAX, "default": "", "description": "The folder; empty for the first granted one."},
            "levels": {"type": "integer", "minimum": 1, "maximum": 8, "default": 1, "description": "How many levels to list."},
        });
        let about = "Lists the files and folders in a granted folder, with their sizes.";
        Self(ToolSpec::new("list_files", RiskClass::Read, Taint::File, about, &properties, &[]))
    }
}

impl Default for Read {
    fn default() -> Self {
        let properties = json!({
            "path": path_schema("The file."),
            "from_line": {"type": "integer", "minimum": 1, "maximum": 10_000_000, "default": 1, "description": "The first line, counted from 1."},
            "lines": {"type": "integer", "minimum": 1, "maximum": 2_000, "default": 400, "description": "How many lines."},
        });
        let about = "Reads lines of a text file in a granted folder.";
        Self(ToolSpec::new("read_file", RiskClass::Read, Taint::File, about, &properties, &["path"]))
    }
}

impl Default for Search {
    fn default() -> Self {
        let properties = json!({
            "path": {"type": "string", "maxLength": PATH_BYTES_MAX, "default": "", "description": "The folder to search; empty for the first granted one."},
            "pattern": {"type": "string", "minLength": 1, "maxLength": 1_000, "description": "The text to look for, in one line."},
            "regex": {"type": "boolean", "default": false, "description": "Whether the pattern is a regular expression."},
            "ignore_case": {"type": "boolean", "default": false, "description": "Whether case counts for nothing."},
            "files": {"type": "string", "maxLength": 200, "default": "", "description": "Which files, such as *.md or src/**/*.rs; empty for all."},
            "matches": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50, "description": "How many lines at most."},
        });
        let about = "Finds lines in the text files below a granted folder. Hidden files and those that tools made are passed over.";
        Self(ToolSpec::new("search_files", RiskClass::Read, Taint::File, about, &properties, &["pattern"]))
    }
}

impl Default for Write {
    fn default() -> Self {
        let properties = json!({
            "path": path_schema("The file."),
            "how": {"type": "string", "enum": ["create", "overwrite", "append", "replace"], "description":
                "create makes a new file; overwrite puts the content in the place of all that was there; append adds it at the end; replace puts it in the place of the one text given as find."},
            "content": {"type": "string", "maxLength": CONTENT_CHARS_MAX, "format": "content", "description": "The new text."},
            "find": {"type": "string", "maxLength": CONTENT_CHARS_MAX, "format": "content", "default": "", "description": "For replace: the text that is there now, exactly, long enough to stand only once."},
        });
        let about = "Writes a text file in a granted folder. What was there before is kept.";
        let required = ["path", "how", "content"];
        Self(ToolSpec::new("write_file", RiskClass::WriteGranted, Taint::Tool, about, &properties, &required))
    }
}

/// The arguments of all four; each reads those it has.
#[derive(Clone, Debug, Deserialize)]
struct Given {
    #[serde(default)]
    path: String,
    #[serde(default)]
    levels: usize,
    #[serde(default)]
    from_line: usize,
    #[serde(default)]
    lines: usize,
    #[serde(default)]
    pattern: String,
    #[serde(default)]
    regex: bool,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    files: String,
    #[serde(default)]
    matches: usize,
}

impl Given {
    fn wanted(&self, tool: &str) -> Result<Wanted, ToolError> {
        let files = if self.files.is_empty() { None } else { Some(self.files.as_str()) };
        Wanted::new(&self.pattern, self.regex, self.ignore_case, files, self.matches).map_err(|(argument, finding)| {
            ToolError::BadArgument { tool: tool.to_owned(), argument: argument.to_owned(), finding }
        })
    }
}

/// The file or folder a plan looks at.
fn looked_at(within: &Within<'_>, identity: Identity) -> FileTouch {
    let Identity { dev, inode } = identity;
    FileTouch { path: within.path(), dev, inode, how: How::Read, before_sha256: None }
}

/// Checks that `identity` is what the plan looks at.
fn still(plan: &Plan, within: &Within<'_>, identity: Identity) -> Result<(), ToolError> {
    let [planned] = plan.files.as_slice() else { return Err(plan_foreign(plan)) };
    if *planned == looked_at(within, identity) {
        return Ok(());
    }
    let message = format!("{} is another one than was planned for; it was not looked at.", within.path());
    Err(ToolError::refused("file_changed", message, "Plan it anew."))
}

fn file_identity(grants: &Grants, within: &Within<'_>) -> Result<Identity, ToolError> {
    let spot = way::spot(grants, within, way::Want::Read, false)?;
    spot.open().map(|(_, stat)| Identity::of(&stat))
}

/// Plans a look at what `find` finds at the path that was given.
fn plan_look<'a>(
    spec: &'a ToolSpec,
    given: Value,
    scope: &'a Scope,
    find: fn(&Grants, &Within<'_>) -> Result<Identity, ToolError>,
) -> BoxFuture<'a, Result<Plan, ToolError>> {
    Box::pin(async move {
        let mut plan = scope.plan(spec, given);
        let (path, grants) = (args::<Given>(&plan)?.path, scope.grants.clone());
        plan.files = blocking("looking for a file", move |_| {
            let within = grants.within(&path)?;
            let identity = find(&grants, &within)?;
            Ok(vec![looked_at(&within, identity)])
        })
        .await?;
        Ok(plan)
    })
}

/// Carries out a look, once what is looked at is known to be what was planned for.
fn run_look<'a>(
    plan: &'a Plan,
    running: &'a Running,
    find: fn(&Grants, &Within<'_>) -> Result<Identity, ToolError>,
    look: impl FnOnce(&Grants, &Within<'_>, &Given, &dyn Fn() -> bool) -> Result<Outcome, ToolError> + Send + 'static,
) -> BoxFuture<'a, Result<Outcome, ToolError>> {
    Box::pin(async move {
        let given: Given = args(plan)?;
        let (grants, plan) = (running.grants.clone(), plan.clone());
        blocking("looking at files", move |stopped| {
            let within = grants.within(&given.path)?;
            still(&plan, &within, find(&grants, &within)?)?;
            look(&grants, &within, &given, stopped)
        })
        .await
    })
}

impl Tool for List {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn plan<'a>(&'a self, args: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        plan_look(&self.0, args, scope, way::identity)
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        run_look(plan, running, way::identity, |grants, within, given, stopped| {
            look::folder(grants, within, given.levels.clamp(1, 8), stopped)
        })
    }
}

impl Tool for Read {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn plan<'a>(&'a self, args: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        plan_look(&self.0, args, scope, file_identity)
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        run_look(plan, running, file_identity, |grants, within, given, _| {
            look::file(grants, within, given.from_line.max(1), given.lines)
        })
    }
}

impl Tool for Search {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn plan<'a>(&'a self, given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let plan = plan_look(&self.0, given, scope, way::identity).await?;
            args::<Given>(&plan)?.wanted(&self.0.name)?;
            Ok(plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        let tool = self.0.name.clone();
        run_look(plan, running, way::identity, move |grants, within, given, stopped| {
            look::search(grants, within, &given.wanted(&tool)?, stopped)
        })
    }
}

/// The arguments of a write as its plan keeps them: what was asked, and what the file will hold.
#[derive(Clone, Debug, Deserialize)]
struct Planned {
    path: String,
    #[serde(flatten)]
    change: Change,
    after_sha256: Digest,
}

impl Tool for Write {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn plan<'a>(&'a self, mut given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let path = given["path"].as_str().unwrap_or_default().to_owned();
            let change: Change = args(&scope.plan(&self.0, given.clone()))?;
            let grants = scope.grants.clone();
            let work = move |_: &dyn Fn() -> bool| change::work_out(&grants, &grants.within(&path)?, &change);
            let worked = blocking("looking at a file", work).await?;
            given["after_sha256"] = worked.after_sha256.to_string().into();
            let mut plan = scope.plan(&self.0, given);
            let how = if worked.before_sha256.is_some() { How::Write } else { How::Create };
            let Identity { dev, inode } = worked.identity;
            plan.undo = match (worked.can_undo, how) {
                (true, How::Write) => Some("What the file holds now is kept and can be put back.".to_owned()),
                (true, _) => Some("The new file can be removed.".to_owned()),
                (false, _) => None,
            };
            plan.files = vec![FileTouch { path: worked.path, dev, inode, how, before_sha256: worked.before_sha256 }];
            Ok(plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let planned: Planned = args(plan)?;
            let [touch] = plan.files.as_slice() else { return Err(plan_foreign(plan)) };
            let worked = Worked {
                path: touch.path.clone(),
                identity: Identity { dev: touch.dev, inode: touch.inode },
                before_sha256: touch.before_sha256,
                after_sha256: planned.after_sha256,
                can_undo: plan.undo.is_some(),
            };
            let draft = format!(".timmy-{}.draft", plan.hash().short());
            let (grants, foreign) = (running.grants.clone(), plan_foreign(plan));
            // Once begun it is finished: a write that is dropped half way would leave a draft behind.
            blocking("writing a file", move |_| {
                let within = grants.within(&planned.path)?;
                if within.path() != worked.path {
                    return Err(foreign);
                }
                change::carry_out(&grants, &within, &planned.change, &worked, &draft)
            })
            .await
        })
    }
}

#[cfg(test)]
mod tests;
