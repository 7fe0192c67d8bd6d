//! A tool of others in the toolbox: planned with what server and which description it is, and called only as such.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use timmy_domain::digest::Digest;
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::risk::RiskClass;
use timmy_domain::text;

use super::describe::{self, Described};
use super::keep::Link;
use super::peer::{Answer, Silence};
use crate::ToolError;
use crate::tool::outcome::{ARTIFACT_BYTES_MAX, Artifact, ArtifactKind, Outcome, TEXT_BYTES_MAX, head_and_tail};
use crate::tool::{BoxFuture, Running, Scope, Tool, ToolSpec, args};

/// Characters of what a server says about a call that failed.
const COMPLAINT_CHARS_MAX: usize = 2_000;

/// A tool of a server.
pub(super) struct Foreign {
    link: Arc<Link>,
    tool: Described,
    spec: ToolSpec,
    bound: Digest,
}

#[derive(Deserialize)]
struct Given {
    server: String,
    tool: String,
    arguments: Map<String, Value>,
}

/// What a plan is bound to: which server it is, and what the tool says about itself.
fn bound(identity: Digest, tool: &Described) -> Digest {
    Digest::of_json(&json!({"server": identity, "tool": tool.name, "described": tool.sha256}))
}

impl Foreign {
    pub(super) fn new(link: Arc<Link>, identity: Digest, tool: Described) -> Self {
        // The owner marked what he had read; what says something else since then counts as anything would.
        let class = if link.is_as_first(&tool) { link.server.class(&tool.name) } else { RiskClass::NetworkWrite };
        let spec = ToolSpec {
            name: tool.local.clone(),
            description: format!("[of the server {}, in its words] {}", link.server.name, tool.about),
            input_schema: tool.schema.clone(),
            risk: class,
            taint: Taint::Tool,
        };
        let bound = bound(identity, &tool);
        Self { link, tool, spec, bound }
    }

    fn gone(&self, why: &str) -> ToolError {
        let message = format!("The server {} did not answer: {why}.", self.link.server.name);
        ToolError::transient("mcp_gone", message, "It is tried again by itself; Health says how it stands.")
    }

    async fn call(&self, plan: &Plan) -> Result<Outcome, ToolError> {
        let given: Given = args(plan)?;
        let up = self.link.up().ok_or_else(|| self.gone("it is not connected"))?;
        let now = up.tools.iter().find(|tool| tool.name == given.tool).map(|tool| bound(up.identity, tool));
        if given.server != self.link.server.name || now.is_none() || now != plan.described_sha256 {
            let message = format!(
                "{} or its server is not what it was when this was planned; nothing was called.",
                text::cut(&text::one_line(&plan.tool), 64)
            );
            return Err(ToolError::refused("plan_changed", message, "Look at what it says now and plan anew."));
        }
        let bytes_out = Value::Object(given.arguments.clone()).to_string().len() as u64;
        match up.peer.call(&given.tool, given.arguments).await {
            Ok(answer) => self.told(&answer, bytes_out),
            Err(Silence::Refused(why)) => Err(self.failed(&why)),
            Err(Silence::Strange) => Err(self.failed("what came is no answer to a call")),
            Err(Silence::Gone(why)) => {
                let words = up.peer.fate.words();
                Err(self.gone(if words.is_empty() { &why } else { &words }))
            }
        }
    }

    fn failed(&self, why: &str) -> ToolError {
        let why = text::cut(&text::one_line(why), COMPLAINT_CHARS_MAX);
        let message = format!("{} of the server {} failed: {why}", self.tool.local, self.link.server.name);
        ToolError::permanent("mcp_failed", message, "Its words are data. Try other arguments, or another way.")
    }

    fn told(&self, answer: &Answer, bytes_out: u64) -> Result<Outcome, ToolError> {
        let whole = words(answer);
        if answer.failed {
            return Err(self.failed(&whole));
        }
        let (text, truncated) = head_and_tail(&whole, TEXT_BYTES_MAX);
        let artifact = truncated.then(|| {
            let mut bytes = whole.clone().into_bytes();
            bytes.truncate(ARTIFACT_BYTES_MAX);
            Artifact {
                kind: ArtifactKind::Output,
                name: format!("what {} gave", self.tool.local),
                media_type: "text/plain",
                sha256: Digest::of(&bytes),
                bytes,
            }
        });
        Ok(Outcome {
            truncated,
            bytes_in: whole.len() as u64,
            bytes_out,
            hosts: self.link.server.hosts(),
            artifacts: artifact.into_iter().collect(),
            evidence: vec![format!("{} answered", self.tool.local)],
            text,
            ..Outcome::default()
        })
    }
}

/// The parts of an answer as text; what is no text is named.
fn words(answer: &Answer) -> String {
    let part = |part: &Value| match part["type"].as_str().unwrap_or_default() {
        "text" => part["text"].as_str().unwrap_or_default().to_owned(),
        "resource" if part["resource"]["text"].is_string() => {
            part["resource"]["text"].as_str().unwrap_or_default().to_owned()
        }
        "resource_link" => format!("[a link to {}]", part["uri"].as_str().unwrap_or("somewhere")),
        kind => {
            let bytes = part["data"].as_str().or_else(|| part["resource"]["blob"].as_str()).map_or(0, str::len) / 4 * 3;
            let media =
                part["mimeType"].as_str().or_else(|| part["resource"]["mimeType"].as_str()).unwrap_or("no type");
            format!("[{kind} of {media}, about {bytes} bytes, left out]")
        }
    };
    let parts: Vec<String> = answer.content.as_array().into_iter().flatten().map(part).collect();
    match (&answer.structured, parts.is_empty()) {
        (Some(value), true) => value.to_string(),
        _ => parts.join("\n"),
    }
}

impl Tool for Foreign {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn check(&self, given: &Value) -> Result<Value, ToolError> {
        describe::check(&self.spec.input_schema, given).map_err(|(argument, finding)| ToolError::BadArgument {
            tool: self.spec.name.clone(),
            argument,
            finding,
        })
    }

    fn plan<'a>(&'a self, arguments: Value, scope: &'a Scope) -> BoxFuture<'a, Result<Plan, ToolError>> {
        Box::pin(async move {
            let given = json!({"server": self.link.server.name, "tool": self.tool.name, "arguments": arguments});
            let mut plan = scope.plan(&self.spec, given);
            plan.hosts = self.link.server.hosts();
            plan.described_sha256 = Some(self.bound);
            Ok(plan)
        })
    }

    fn run<'a>(&'a self, plan: &'a Plan, _: &'a Running) -> BoxFuture<'a, Result<Outcome, ToolError>> {
        Box::pin(self.call(plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_text_and_names_what_is_none() {
        let content = json!([{"type": "text", "text": "one"}, {"type": "image", "data": "QUJD", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "x:", "text": "two"}}, {"type": "resource_link", "uri": "x:y"}]);
        let answer = Answer { content, structured: Some(json!({"n": 1})), failed: false };
        assert_eq!(words(&answer), "one\n[image of image/png, about 3 bytes, left out]\ntwo\n[a link to x:y]");
        let bare = Answer { content: json!([]), ..answer };
        assert_eq!(words(&bare), r#"{"n":1}"#);
    }
}
