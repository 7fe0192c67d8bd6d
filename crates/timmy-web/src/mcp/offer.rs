//! The table of tools and resources that Timmy offers, and what their arguments may be.

use serde_json::{Map, Value, json};
use timmy_domain::text::{cut, one_line};

/// Characters of an argument that is no long text.
const WORD_CHARS_MAX: usize = 500;
/// Characters of a long text.
const TEXT_CHARS_MAX: usize = 20_000;

/// What an argument may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Text of at most so many characters.
    Text(usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number from one to this.
    Count(u64),
    /// Yes or no.
    Switch,
}

/// An argument: its name, what it may be, whether it must be there, and what it is.
pub(super) struct Argument(pub(super) &'static str, Kind, bool, &'static str);

/// A tool.
pub(super) struct Offer {
    /// Its name.
    pub(super) name: &'static str,
    /// Whether it changes anything.
    pub(super) changes: bool,
    about: &'static str,
    arguments: &'static [Argument],
}

const LIMIT: Argument = Argument("limit", Kind::Count(200), false, "How many at most.");
const BEFORE: Argument = Argument("before", Kind::Text(100), false, "The `next` of the page before.");
const ID: Argument = Argument("id", Kind::Text(100), true, "Its id.");
const PRIORITIES: &[&str] = &["low", "normal", "high"];
/// The acts on a task. Approving and vetoing are the owner's, and a task's words are changed where he sees it.
const ACTS: &[&str] = &["pause", "resume", "cancel", "retry", "backlog", "unbacklog", "complete"];

/// Every tool: one line each.
pub(super) const TOOLS: &[Offer] = &[
    Offer {
        name: "status",
        changes: false,
        about: "What Timmy does right now, and what waits for his owner.",
        arguments: &[],
    },
    Offer {
        name: "tasks_list",
        changes: false,
        about: "Lists tasks, newest first.",
        arguments: &[
            Argument("status", Kind::Text(40), false, "Only those that stand so, such as pending_approval or running."),
            Argument("priority", Kind::Text(40), false, "Only those of this priority."),
            Argument("assigned_to", Kind::Text(80), false, "Only those of this agent."),
            LIMIT,
            BEFORE,
        ],
    },
    Offer { name: "task_get", changes: false, about: "Gives one task.", arguments: &[ID] },
    Offer {
        name: "task_create",
        changes: true,
        about: "Adds a task. It waits for the owner's word before it is begun.",
        arguments: &[
            Argument("title", Kind::Text(200), true, "What is to be done, in one line."),
            Argument("description", Kind::Text(TEXT_CHARS_MAX), false, "More about it."),
            Argument("priority", Kind::Word(PRIORITIES), false, "How soon it is wanted."),
            Argument("idempotency_key", Kind::Text(80), false, "A word that makes it once only."),
        ],
    },
    Offer {
        name: "task_act",
        changes: true,
        about: "Does something with a task. Approving and vetoing are left to the owner.",
        arguments: &[
            ID,
            Argument("act", Kind::Word(ACTS), true, "What is done."),
            Argument("reason", Kind::Text(WORD_CHARS_MAX), false, "Why."),
            Argument("result", Kind::Text(TEXT_CHARS_MAX), false, "What came of it, for complete."),
        ],
    },
    Offer {
        name: "thoughts_list",
        changes: false,
        about: "Lists thoughts, newest first.",
        arguments: &[LIMIT, BEFORE],
    },
    Offer {
        name: "thoughts_search",
        changes: false,
        about: "Finds words in the newest 1,000 thoughts.",
        arguments: &[Argument("query", Kind::Text(200), true, "The words, in any case."), LIMIT],
    },
    Offer {
        name: "approvals_list",
        changes: false,
        about: "Lists what waits, or waited, for the owner's word. Deciding is the owner's alone.",
        arguments: &[
            Argument("status", Kind::Text(40), false, "Only those that stand so, such as pending."),
            LIMIT,
            BEFORE,
        ],
    },
    Offer {
        name: "events_search",
        changes: false,
        about: "Searches the log of what happened.",
        arguments: &[
            Argument("type", Kind::Text(100), false, "A name or pattern, such as task.*."),
            Argument("q", Kind::Text(300), false, "The filter of the page, such as severity:error."),
            Argument("after", Kind::Text(40), false, "Only those after this number."),
            Argument("newest", Kind::Switch, false, "Newest first."),
            LIMIT,
        ],
    },
];

/// A tool as it is listed.
pub(super) fn shown(tool: &Offer) -> Value {
    let schema = |kind: Kind, about: &str| match kind {
        Kind::Text(max) => json!({"type": "string", "maxLength": max, "description": about}),
        Kind::Word(words) => json!({"type": "string", "enum": words, "description": about}),
        Kind::Count(max) => json!({"type": "integer", "minimum": 1, "maximum": max, "description": about}),
        Kind::Switch => json!({"type": "boolean", "description": about}),
    };
    let properties: Map<String, Value> = tool.arguments.iter().map(|a| (a.0.to_owned(), schema(a.1, a.3))).collect();
    let required: Vec<&str> = tool.arguments.iter().filter(|a| a.2).map(|a| a.0).collect();
    json!({
        "name": tool.name,
        "description": tool.about,
        "inputSchema": {"type": "object", "properties": properties, "required": required, "additionalProperties": false},
        "annotations": {"readOnlyHint": !tool.changes, "destructiveHint": false, "openWorldHint": false},
    })
}

/// The arguments as the tool takes them, as text.
pub(super) fn check(tool: &Offer, given: &Value) -> Result<Vec<(&'static str, String)>, String> {
    let Value::Object(given) = given else { return Err("The arguments are an object with named values.".to_owned()) };
    if let Some(name) = given.keys().find(|name| !tool.arguments.iter().any(|a| a.0 == *name)) {
        return Err(format!("{} takes no {}.", tool.name, cut(&one_line(name), 60)));
    }
    let mut out = Vec::new();
    for Argument(name, kind, required, _) in tool.arguments {
        let Some(value) = given.get(*name).filter(|value| !value.is_null()) else {
            if *required {
                return Err(format!("{name} is missing."));
            }
            continue;
        };
        let text = match (kind, value) {
            (Kind::Text(max), Value::String(text)) if text.chars().count() <= *max => Ok(text.clone()),
            (Kind::Text(max), _) => Err(format!("{name} is text of at most {max} characters.")),
            (Kind::Word(words), Value::String(text)) if words.contains(&text.as_str()) => Ok(text.clone()),
            (Kind::Word(words), _) => Err(format!("{name} is one of {}.", words.join(", "))),
            (Kind::Count(max), value) => match value.as_u64().filter(|n| (1..=*max).contains(n)) {
                Some(n) => Ok(n.to_string()),
                None => Err(format!("{name} is a whole number from 1 to {max}.")),
            },
            (Kind::Switch, Value::Bool(on)) => Ok(on.to_string()),
            (Kind::Switch, _) => Err(format!("{name} is true or false.")),
        };
        out.push((*name, text?));
    }
    Ok(out)
}

/// What can be read without arguments.
pub(super) fn resources() -> Value {
    json!([{"uri": "timmy://status", "name": "status", "description": "What Timmy is and does now.", "mimeType": "application/json"}])
}

/// What can be read by its id.
pub(super) fn templates() -> Value {
    json!([
        {"uriTemplate": "timmy://tasks/{id}", "name": "task", "description": "One task.", "mimeType": "application/json"},
        {"uriTemplate": "timmy://thoughts/{id}", "name": "thought", "description": "One thought.", "mimeType": "application/json"},
    ])
}

/// `text` as one segment or value of a path: nothing in it leads elsewhere.
pub(super) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The address behind a resource.
pub(super) fn resource_path(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("timmy://")?;
    match rest.split_once('/') {
        None if rest == "status" => Some("/api/status".to_owned()),
        Some(("tasks", id)) => Some(format!("/api/tasks/{}", encode(id))),
        Some(("thoughts", id)) => Some(format!("/thinking/api/{}", encode(id))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: api: No tool that Timmy offers to others approves, vetoes, or makes a task urgent
    #[test]
    fn nothing_offered_decides_for_the_owner() {
        let all = TOOLS.iter().map(shown).collect::<Vec<_>>();
        let text = serde_json::to_string(&all).expect("text");
        for word in ["\"approve\"", "\"veto\"", "\"reject\"", "\"modify\"", "urgent", "requires_approval", "password"] {
            assert!(!text.contains(word), "{word}");
        }
        assert_eq!(TOOLS.iter().filter(|tool| tool.changes).count(), 2);
    }

    #[test]
    fn arguments_are_checked_before_anything_is_done() {
        let act = TOOLS.iter().find(|tool| tool.name == "task_act").expect("there");
        let good = check(act, &json!({"id": "x", "act": "pause", "reason": null})).expect("fits");
        assert_eq!(good, [("id", "x".to_owned()), ("act", "pause".to_owned())]);
        for bad in [
            json!([]),
            json!({"id": "x"}),
            json!({"id": "x", "act": "approve"}),
            json!({"id": 1, "act": "pause"}),
            json!({"id": "x", "act": "pause", "force": true}),
            json!({"id": "x".repeat(101), "act": "pause"}),
        ] {
            assert!(check(act, &bad).is_err(), "{bad}");
        }
        assert_eq!(resource_path("timmy://tasks/a/../b").as_deref(), Some("/api/tasks/a%2F%2E%2E%2Fb"));
        assert_eq!(resource_path("file:///etc/passwd"), None);
    }
}
