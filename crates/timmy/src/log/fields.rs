//! Every field a log line may have: one name for one thing, wherever it is logged.
//!
//! `cargo xtask tidy` compares this table with the log calls of all crates (rule 18), and `docs/log-fields.md` is
//! written from it.

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A text.
    Text,
    /// A whole number.
    Number,
}

impl Holds {
    /// The word, as JSON calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "number",
        }
    }
}

/// Name, what it holds, and what that means. The first four are on every line.
pub const FIELDS: &[(&str, Holds, &str)] = &[
    ("time", Holds::Text, "When the line was written: RFC 3339 in UTC, with microseconds."),
    ("level", Holds::Text, "error, warn, info or debug."),
    ("target", Holds::Text, "The part of the program, such as `timmy_web::measure`."),
    ("message", Holds::Text, "What happened, in the same words every time."),
    ("bytes", Holds::Number, "Bytes of an answer before it is compressed; absent when it was still being made."),
    ("component", Holds::Text, "The part of the house it is about."),
    ("copy", Holds::Text, "The path of a copy that was made."),
    ("duration_us", Holds::Number, "How long it took, in microseconds."),
    ("error", Holds::Text, "What the program below said."),
    ("fault", Holds::Text, "A fault in words, as the event `error.captured` tells it."),
    ("file", Holds::Text, "The name of a file that was made."),
    ("finding", Holds::Text, "What a check found."),
    ("gone", Holds::Number, "How many older ones were removed."),
    ("method", Holds::Text, "The verb of a request."),
    ("principal", Holds::Text, "Who asked: `browser`, the name of a token, or `command line`; absent for strangers."),
    ("route", Holds::Text, "The template of a route, such as `/thinking/{id}`; never the address itself."),
    ("seconds", Holds::Number, "A time that was granted, in seconds."),
    ("status", Holds::Number, "The HTTP status of an answer."),
    ("table", Holds::Text, "A table of the database."),
    ("version", Holds::Number, "The version of a schema."),
    ("wanted", Holds::Number, "How many were asked for."),
];

/// What the field `name` holds; `None` when there is no such field.
#[must_use]
pub fn holds(name: &str) -> Option<Holds> {
    FIELDS.iter().find(|(known, _, _)| *known == name).map(|(_, holds, _)| *holds)
}
