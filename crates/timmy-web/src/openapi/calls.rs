//! Every call, in the order of the table of routes. A test holds the two together: a route for programs that is not
//! described here fails it, and so does a description without a route.

use utoipa::openapi::schema::ObjectBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};

use super::answers::{
    Alive, Approval, Backups, BatchItem, Completed, Event, Explained, Folder, Greeting, Health, LoginCode, MadeBackup,
    Message, NewToken, PasswordState, Paused, Providers, Ready, Reply, Revoked, Rule, RuleRevoked, RuleSuggestion,
    RuledRun, Session, SessionsEnded, Setting, Status, Stopped, Thought, Token, Verified,
};
use super::call::{Call, Next};
use super::words::{any, number, one_of, text};
use crate::api::{access, approvals, backups, chat, router, rules, settings, thinking, watch};
use crate::ask::LIMIT_MAX;

mod gateway;
mod models;
mod routing;
mod work;

/// The type of one JSON value on each line.
const NDJSON: &str = "application/x-ndjson";

impl Call {
    /// The bound of a list.
    fn limited(self) -> Self {
        let most = i64::try_from(LIMIT_MAX).unwrap_or(i64::MAX);
        self.asks("limit", "How many at most.", number(1, Some(most)))
    }

    /// The filter of the log.
    fn narrowed(self) -> Self {
        self.asks("q", "A filter, such as `type:task.* -type:task.created severity:warning since:2h`.", any())
            .asks(
                "type",
                "A name, or a pattern: `task.*` is all below `task`.",
                text(r"^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)?$").max_length(Some(128)),
            )
            .asks("severity", "The least severity.", one_of(["debug", "info", "warning", "error"]))
            .asks("actor", "Who did it.", one_of(["owner", "timmy", "system", "stranger", "program"]))
            .asks("text", "Words that stand in it.", any())
            .asks("after", "Only after this position.", position())
            .asks("before", "Only before this position.", position())
    }

    /// The id in its address.
    fn of(self, what: &'static str) -> Self {
        self.named("id", what, shared("Id"))
    }
}

fn shared(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

fn position() -> ObjectBuilder {
    number(0, Some(i64::MAX))
}

fn switch() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(utoipa::openapi::Type::Boolean)
}

/// Every call.
pub fn calls() -> Vec<Call> {
    [
        house(),
        conversation(),
        log(),
        folders(),
        models(),
        routing::routing(),
        thoughts(),
        work::work(),
        self::models::library(),
        gateway::gateway(),
        trust(),
        keys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn house() -> Vec<Call> {
    vec![
        Call::get("/health", "greeting", "Whether the house is well, for everybody")
            .gives::<Greeting>(200, "What everybody may know."),
        Call::get("/healthz", "alive", "Whether the process answers").gives::<Alive>(200, "It does."),
        Call::get("/readyz", "ready", "Whether the process can do its work")
            .gives::<Ready>(200, "It can.")
            .refuses(503),
        Call::get("/metrics", "metrics", "What the house counts and measures, for Prometheus")
            .gives_text("Metrics in the text format, version 0.0.4.", "text/plain"),
        Call::get("/openapi.json", "document", "This document")
            .gives_text("The document.", super::call::JSON)
            .gives_nothing(304, "It is the one that `If-None-Match` names."),
        Call::get("/api/status", "status", "What Timmy is and does now")
            .gives::<Status>(200, "State, act and what waits."),
        Call::get("/api/health", "health", "How every part of the house is")
            .asks("probe", "Whether to ask the providers of models first.", switch())
            .gives::<Health>(200, "Parts, providers, folders, store and machine."),
    ]
}

fn conversation() -> Vec<Call> {
    vec![
        Call::post("/api/chat", "chat", "Say something and get the answer")
            .note(
                "With `stream` the answer comes as server-sent events: lines of `{\"delta\"}`, at the end one with \
                 `\"done\":true` and the reply or the `error`. Hanging up stops the answer.",
            )
            .takes::<chat::Call>()
            .gives::<Reply>(200, "The answer; without a model, what reflex can say.")
            .leads(200, "retryAnswer", "id", "$response.body#/answers")
            .leads(200, "stopAnswer", "id", "$response.body#/answers")
            .streams("text/event-stream")
            .refuses(404)
            .refuses(409)
            .refuses(429),
        Call::post("/api/chat/{id}/stop", "stopAnswer", "Stop the answer to a message")
            .of("The message of the owner.")
            .gives::<Message>(200, "The answer, as far as it came.")
            .refuses(409),
        Call::post("/api/chat/{id}/retry", "retryAnswer", "Ask again for an answer that failed or was stopped")
            .of("The message of the owner.")
            .gives::<Message>(201, "The message, which waits for its answer again.")
            .refuses(409)
            .refuses(429),
        Call::get("/api/messages", "messages", "The conversation, newest first")
            .limited()
            .asks("before", "Only messages before this one; the `next` of the page before.", any())
            .lists::<Message>("Messages.", Next::Id)
            .refuses(404),
    ]
}

fn log() -> Vec<Call> {
    vec![
        Call::get("/api/events", "events", "The log, oldest first after a position")
            .narrowed()
            .limited()
            .asks("newest", "Newest first instead.", switch())
            .lists::<Event>("Events.", Next::Position),
        Call::get("/api/events/verify", "verifyEvents", "Whether the whole log is as it was written")
            .note("Reads every event and follows its chain of hashes; one such call runs at a time.")
            .gives::<Verified>(200, "What was found."),
        Call::get("/api/events/{seq}", "event", "One event")
            .named("seq", "Its position.", shared("Position"))
            .asks("chain", "Whether causes and effects come along.", switch())
            .gives::<Event>(200, "The event."),
        Call::get("/swarm/events/export", "exportEvents", "Every event that fits, oldest first, as a file")
            .note("One envelope on each line. It ends where the log ended when it began.")
            .narrowed()
            .gives_text("Events, one on each line.", NDJSON)
            .refuses(429),
        Call::get("/swarm/live", "live", "The live feed")
            .note(
                "Asked with `Upgrade: websocket` it becomes a socket that tells every event as it is written: the \
                 envelope of an event, or `{\"v\":1,\"batch\":[…]}` of several. A client may send \
                 `{\"action\":\"subscribe\",\"events\":[\"task.*\"]}`. Anything else is shown the way to the page.",
            )
            .asks("after", "The last position that is known; without it the last 20 events come first.", position())
            .gives_nothing(101, "The socket.")
            .gives_nothing(303, "The way to the page.")
            .refuses(429),
    ]
}

fn folders() -> Vec<Call> {
    vec![
        Call::get("/api/watch", "folders", "The watched folders").lists::<Folder>("Folders.", Next::Never),
        Call::post("/api/watch", "watch", "Watch a folder")
            .note("A folder that is watched already stays as it is. It is read, never executed and never written.")
            .takes::<watch::New>()
            .gives::<Folder>(201, "The folder.")
            .leads(201, "unwatch", "which", "$response.body#/id")
            .refuses(404)
            .refuses(409),
        Call::delete("/api/watch/{which}", "unwatch", "Watch a folder no longer")
            .named("which", "Its number, its whole path, or its name when no other has it.", any_schema())
            .gives::<Folder>(200, "The folder, which is untouched.")
            .refuses(409),
    ]
}

fn any_schema() -> RefOr<Schema> {
    utoipa::openapi::schema::Object::from(any()).into()
}

fn models() -> Vec<Call> {
    vec![
        Call::get("/api/v1/router/providers", "providers", "Who can answer")
            .gives::<Providers>(200, "The providers, in the order in which they are asked."),
        Call::post("/api/v1/router/complete", "complete", "Ask a model, without Timmy in between")
            .note("Reflex never answers here: without a model the answer is 503.")
            .takes::<router::Wanted>()
            .gives::<Completed>(200, "The answer.")
            .refuses(409),
    ]
}

fn thoughts() -> Vec<Call> {
    let one =
        |path, id, summary| Call::post(path, id, summary).of("The thought.").gives::<Thought>(200, "The thought.");
    vec![
        Call::get("/thinking/api", "thoughts", "The thoughts, newest first")
            .limited()
            .asks("before", "Only thoughts before this position; the `next` of the page before.", position())
            .lists::<Thought>("Thoughts.", Next::Position),
        Call::post("/thinking/api/inject", "inject", "Put a thought of the owner into the stream")
            .takes::<thinking::Injected>()
            .gives::<Thought>(201, "The thought.")
            .leads(201, "thought", "id", "$response.body#/id")
            .leads(201, "chain", "id", "$response.body#/id")
            .leads(201, "keep", "id", "$response.body#/id")
            .leads(201, "release", "id", "$response.body#/id")
            .leads(201, "fewer", "id", "$response.body#/id")
            .leads(201, "unfewer", "id", "$response.body#/id"),
        Call::post("/thinking/api/think", "think", "Make one thought now")
            .note("Answers when it is there.")
            .may_take::<thinking::Wanted>()
            .gives::<Thought>(201, "The thought.")
            .refuses(409),
        Call::post("/thinking/api/stop", "stopThought", "Give up the thought in the making")
            .gives::<Stopped>(200, "It is given up.")
            .refuses(409),
        Call::post("/thinking/api/pause", "pause", "Pause the thinking")
            .may_take::<thinking::Pause>()
            .gives::<Paused>(200, "It is paused."),
        Call::post("/thinking/api/resume", "resume", "Go on thinking").gives::<Paused>(200, "It is not paused."),
        Call::get("/thinking/api/{id}", "thought", "One thought").of("Its id.").gives::<Thought>(200, "The thought."),
        Call::get("/thinking/api/{id}/chain", "chain", "The thoughts that led to one")
            .of("Its id.")
            .lists::<Thought>("At most 20 thoughts, oldest first, the thought itself last.", Next::Never),
        one("/thinking/api/{id}/keep", "keep", "Keep a thought"),
        one("/thinking/api/{id}/release", "release", "Keep a thought no longer"),
        one("/thinking/api/{id}/fewer", "fewer", "Fewer thoughts like this one"),
        one("/thinking/api/{id}/unfewer", "unfewer", "Take that back"),
    ]
}

fn keys() -> Vec<Call> {
    vec![
        Call::get("/api/settings", "settings", "Every setting with its value and where it comes from")
            .lists::<Setting>("Settings.", Next::Never),
        Call::post("/api/settings/changes", "changeSettings", "Set and unset keys of the configuration file")
            .note("All of it or nothing; it takes effect at the next start.")
            .takes::<settings::Changes>()
            .lists::<Setting>("The settings as they are now.", Next::Never)
            .refuses(404)
            .refuses(409),
        Call::get("/api/backups", "backups", "The backups that lie in the home").gives::<Backups>(200, "The backups."),
        Call::post("/api/backups", "backUp", "Make a backup")
            .note("Answers when it is made and checked. Hanging up gives it up.")
            .may_take::<backups::New>()
            .gives::<MadeBackup>(201, "The backup.")
            .refuses(404)
            .refuses(409),
        Call::post("/api/login/code", "loginCode", "A one-time code that lets a browser in")
            .gives::<LoginCode>(201, "The code."),
        Call::get("/api/login/password", "password", "Whether there is a password")
            .gives::<PasswordState>(200, "Whether there is."),
        Call::put("/api/login/password", "setPassword", "Set the password")
            .note("Every other session ends.")
            .takes::<access::Password>()
            .gives::<PasswordState>(200, "It is set.")
            .refuses(429),
        Call::delete("/api/login/password", "removePassword", "Take the password away")
            .note("Every other session ends. A browser shows the current password in a body `{\"current\"}`.")
            .gives::<PasswordState>(200, "It is gone.")
            .refuses(409)
            .refuses(429),
        Call::get("/api/sessions", "sessions", "The browsers that are logged in")
            .note("The one used last stands first. An `id` names a session here and opens nothing.")
            .lists::<Session>("Sessions.", Next::Never),
        Call::delete("/api/sessions", "endOtherSessions", "Log every other browser out")
            .note("A program has no session, so for it all of them end.")
            .gives::<SessionsEnded>(200, "How many ended."),
        Call::delete("/api/sessions/{id}", "endSession", "Log one browser out")
            .note("What it had open is closed at once.")
            .named("id", "Its `id` in the list.", any_schema())
            .gives::<SessionsEnded>(200, "It ended."),
        Call::get("/api/tokens", "tokens", "The tokens, without their secrets").lists::<Token>("Tokens.", Next::Never),
        Call::post("/api/tokens", "createToken", "Make a token")
            .takes::<access::New>()
            .gives::<NewToken>(201, "The token with its secret.")
            .leads(201, "revokeToken", "name", "$response.body#/name")
            .refuses(409),
        Call::delete("/api/tokens/{name}", "revokeToken", "Make a token good for nothing")
            .named("name", "Its name.", any_schema())
            .gives::<Revoked>(200, "It is good for nothing."),
    ]
}

/// Verb and word of what the owner can do with one approval.
macro_rules! word {
    ($make:ident, $verb:literal, $id:literal, $summary:literal) => {
        Call::$make(concat!("/api/approvals/{id}/", $verb), $id, $summary)
            .of("The approval.")
            .may_take::<approvals::Word>()
            .gives::<Approval>(200, "The approval as it stands now.")
            .refuses(409)
            .refuses(429)
    };
}

fn trust() -> Vec<Call> {
    vec![
        Call::get("/api/approvals", "approvals", "What waits for the owner's word and what became of it, newest first")
            .asks(
                "status",
                "Only those that stand like this.",
                one_of([
                    "pending",
                    "approved",
                    "rejected",
                    "expired",
                    "superseded",
                    "withdrawn",
                    "consumed",
                    "revoked",
                ]),
            )
            .asks("subject", "Only those about this, such as `task:ID`.", any())
            .limited()
            .asks("before", "The `next` of the page before.", position())
            .lists::<Approval>("Approvals.", Next::Position),
        Call::get("/api/approvals/digest", "approvalsDigest", "What your rules let run in the last day, newest first")
            .lists::<RuledRun>("Things of middling risk that were not asked about.", Next::Never),
        Call::post("/api/approvals/batch", "decideApprovals", "Decide several approvals, each by itself")
            .takes::<approvals::Batch>()
            .lists::<BatchItem>("How each was decided.", Next::Never),
        Call::get("/api/approvals/{id}", "approval", "One approval")
            .of("Its id.")
            .gives::<Approval>(200, "The approval."),
        word!(post, "approve", "approve", "Say yes; good for one time and for exactly this plan"),
        word!(patch, "approve", "approveByPatch", "The same"),
        word!(post, "reject", "reject", "Say no"),
        word!(patch, "reject", "rejectByPatch", "The same"),
        word!(post, "revoke", "revokeApproval", "Take back a yes that was not used"),
        word!(patch, "revoke", "revokeApprovalByPatch", "The same"),
        Call::get("/api/rules", "rules", "The owner's rules, newest first").lists::<Rule>("Rules.", Next::Never),
        Call::post("/api/rules", "createRule", "Let something happen without being asked")
            .takes::<rules::New>()
            .gives::<Rule>(201, "The rule.")
            .refuses(409),
        Call::post(
            "/api/rules/preview",
            "previewRule",
            "The questions of the past thirty days a rule would have answered",
        )
        .takes::<rules::New>()
        .lists::<Approval>("Questions, newest first, at most fifty.", Next::Never),
        Call::get("/api/rules/suggestions", "ruleSuggestions", "Rules that the owner's answers suggest")
            .lists::<RuleSuggestion>("Suggestions.", Next::Never),
        Call::post("/api/rules/{id}/revoke", "revokeRule", "Take a rule back")
            .of("The rule.")
            .gives::<RuleRevoked>(200, "It allows nothing any more."),
        Call::post("/api/policy/explain", "explainPolicy", "What would be decided about an act, and why")
            .may_take::<rules::Explain>()
            .gives::<Explained>(200, "The verdict."),
    ]
}
