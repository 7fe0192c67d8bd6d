//! Running a program with exact arguments in a granted folder, inside the fence.
//!
//! There is no shell: what looks like one (`*`, `$HOME`, `;`) reaches the program as it stands.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::digest::Digest;
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::text;

use super::program;
use crate::ToolError;
use crate::process::{Bounds, Output, PATH_STANDARD, Run};
use crate::sandbox::Policy;
use crate::sandbox::kept::nested;
use crate::tool::outcome::{ARTIFACT_BYTES_MAX, Artifact, ArtifactKind, Outcome, TEXT_BYTES_MAX, head_and_tail};
use crate::tool::scope::{Grants, PATH_BYTES_MAX};
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec, args, blocking};

/// Arguments a program may be given, its name included.
const WORDS_MAX: usize = 128;

/// Paths that are kept from a program because of their names; the nearest of each granted folder come first.
const KEPT_MAX: usize = 128;

/// Bytes a program may write before it is stopped.
pub const OUTPUT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of complaints that are told.
const COMPLAINTS_BYTES_MAX: usize = 8 * 1024;

/// Runs a program.
pub struct Shell(ToolSpec);

impl Default for Shell {
    fn default() -> Self {
        let word = json!({"type": "string", "maxLength": 8_000, "format": "text"});
        let properties = json!({
            "argv": {"type": "array", "minItems": 1, "maxItems": WORDS_MAX, "items": word, "description":
                "The program and its arguments, one by one, such as [\"ls\", \"-l\"]. No shell reads them."},
            "folder": {"type": "string", "maxLength": PATH_BYTES_MAX, "default": "", "description": "The folder to run in; empty for the first granted one."},
            "input": {"type": "string", "maxLength": 100_000, "format": "content", "default": "", "description": "What the program reads from its standard input."},
            "seconds": {"type": "integer", "minimum": 1, "maximum": 600, "default": 60, "description": "How long it may run."},
        });
        let about = "Runs a program of this system in a granted folder, without network, and gives what it wrote. It can write only in granted folders.";
        Self(ToolSpec::new("run_command", RiskClass::Execute, Taint::Tool, about, &properties, &["argv"]))
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Given {
    argv: Vec<String>,
    folder: String,
    input: String,
    seconds: u64,
}

/// Everything of a plan that can be looked up again.
fn look_up(grants: &Grants, given: &Given, mut plan: Plan) -> Result<Plan, ToolError> {
    let within = grants.within(&given.folder)?;
    if let Some(grant) = grants.folders().iter().find(|grant| grants.holds_closed(grant)) {
        let message =
            format!("{} holds, or lies in, the folder where Timmy keeps what governs him.", grant.path().display());
        return Err(ToolError::refused("closed_folder", message, "Grant a folder of your own work instead."));
    }
    let name = given.argv.first().map(String::as_str).unwrap_or_default();
    plan.cwd = Some(program::place(grants, &within)?);
    plan.exe = Some(program::find(name, grants.programs())?);
    plan.files = program::named_files(grants, &within, given.argv.get(1..).unwrap_or_default())?;
    plan.argv.clone_from(&given.argv);
    plan.env_sha256 = Some(Digest::of_json(&json!({"PATH": PATH_STANDARD, "LC_ALL": "C.UTF-8"})));
    plan.stdin_sha256 = Some(Digest::of(given.input.as_bytes()));
    Ok(plan)
}

/// What the program may do: read and write where the owner granted it, and nothing else of his. What programs outside
/// the fence obey stays as it is, however deep it lies. Looks at the disk.
fn policy(grants: &Grants) -> Policy {
    let policy = grants.programs().iter().fold(Policy::untrusted(), |policy, folder| policy.runs(folder));
    let mut policy = grants.folders().iter().fold(policy, |policy, grant| {
        if grant.may_write() { policy.writes(grant.path()) } else { policy.reads(grant.path()) }
    });
    let writable = grants.folders().iter().filter(|grant| grant.may_write());
    let mut kept: Vec<_> = writable.flat_map(|grant| nested(grant.path())).collect();
    kept.sort();
    kept.dedup();
    kept.truncate(KEPT_MAX);
    policy.keep.extend(kept);
    policy
}

impl Tool for Shell {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    fn plan<'a>(&'a self, given: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let plan = scope.plan(&self.0, given);
            let (given, grants): (Given, _) = (args(&plan)?, scope.grants.clone());
            blocking("looking for a program", move |_| look_up(&grants, &given, plan)).await
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, running: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(async move {
            let given: Given = args(plan)?;
            let (grants, again, asked) = (running.grants.clone(), plan.clone(), given.clone());
            let now = blocking("looking for a program", move |_| look_up(&grants, &asked, again)).await?;
            let (Some(exe), Some(cwd)) = (&now.exe, &now.cwd) else { return Err(changed(plan)) };
            if now.canonical() != plan.canonical() {
                return Err(changed(plan));
            }
            let grants = running.grants.clone();
            let policy = blocking("looking for what is kept", move |_| Ok(policy(&grants))).await?;
            let run = Run::new(exe.path.as_str(), policy)
                .args(given.argv.iter().skip(1))
                .folder(Path::new(&cwd.path))
                .verified(exe.sha256.to_string(), None)
                .folder_verified(cwd.dev, cwd.inode)
                .stdin(given.input.as_bytes());
            let bounds =
                Bounds { time: Duration::from_secs(given.seconds.clamp(1, 600)), output_bytes: OUTPUT_BYTES_MAX };
            run.run(bounds).await.map(|output| tell(&given.argv, &output, plan))
        })
    }
}

fn changed(plan: &Plan) -> ToolError {
    let name = plan.argv.first().map(|name| text::cut(&text::one_line(name), 60)).unwrap_or_default();
    let message =
        format!("{name}, its folder or a file it is given is not as it was when this was planned; nothing was run.");
    ToolError::refused("plan_changed", message, "Look at what changed and plan anew.")
}

fn tell(argv: &[String], output: &Output, plan: &Plan) -> Outcome {
    let ended = match (output.truncated, output.status.code()) {
        (true, _) => format!("stopped after it wrote more than {OUTPUT_BYTES_MAX} bytes"),
        (false, Some(code)) => format!("status {code}"),
        (false, None) => "ended by a signal".to_owned(),
    };
    let name = argv.first().map(|name| text::cut(&text::one_line(name), 60)).unwrap_or_default();
    let room = TEXT_BYTES_MAX - COMPLAINTS_BYTES_MAX - 512;
    let (out, cut) = head_and_tail(&String::from_utf8_lossy(&output.stdout), room);
    let (complaints, cut_too) = head_and_tail(&String::from_utf8_lossy(&output.stderr), COMPLAINTS_BYTES_MAX);
    let mut said = format!("{name}: {ended}\n");
    for (title, words) in [("Output", &out), ("Complaints", &complaints)] {
        if !words.is_empty() {
            said.push_str(&format!("{title}:\n{}\n", words.trim_end_matches('\n')));
        }
    }
    let mut kept = output.stdout.clone();
    kept.truncate(ARTIFACT_BYTES_MAX);
    // What is told whole needs no copy.
    let artifact = cut.then(|| Artifact {
        kind: ArtifactKind::Output,
        name: format!("what {name} wrote"),
        media_type: "text/plain",
        sha256: Digest::of(&kept),
        bytes: kept,
    });
    let touched = plan.files.iter().map(super::touched).collect();
    Outcome {
        text: said,
        truncated: output.truncated || cut || cut_too,
        bytes_in: (output.stdout.len() + output.stderr.len()) as u64,
        evidence: vec![ended],
        artifacts: artifact.into_iter().collect(),
        touched,
        ..Outcome::default()
    }
}
