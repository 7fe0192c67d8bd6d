//! One log line, as text for people or as JSON for programs. Values come from outside more often than not: control
//! characters never reach a terminal, and no value makes a line of its own.

use std::fmt::{self, Write};

use serde_json::{Map, Number, Value};
use timmy_domain::text::{cut, one_line};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::fields;
use crate::clock;

/// Characters one value may have.
const VALUE_CHARS_MAX: usize = 2_000;

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `time LEVEL target message name=value …`
    Text,
    /// One JSON object a line, with the names of [`fields::FIELDS`].
    Json,
}

/// The values of one event.
#[derive(Default)]
struct Values {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

fn clean(text: &str) -> String {
    cut(&one_line(text), VALUE_CHARS_MAX)
}

impl Values {
    fn take(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        } else if fields::holds(field.name()).is_some() {
            self.fields.push((field.name(), value));
        } else {
            // What another library calls its values is not in the table; it is told in words.
            let words = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = write!(self.message, " {}={words}", field.name());
        }
    }
}

impl Visit for Values {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, Value::String(clean(value)));
    }
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.take(field, Value::String(clean(&format!("{value:?}"))));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, Value::Number(value.into()));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, Value::Number(value.into()));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, Number::from_f64(value).map_or(Value::Null, Value::Number));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, Value::Bool(value));
    }
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut values = Values::default();
        event.record(&mut values);
        let (time, meta) = (clock::now().to_string(), event.metadata());
        let line = match self {
            Self::Text => text(&time, meta.level().as_str(), meta.target(), &values),
            Self::Json => json(&time, meta.level().as_str(), meta.target(), values),
        };
        writeln!(writer, "{line}")
    }
}

fn text(time: &str, level: &str, target: &str, values: &Values) -> String {
    let mut line = format!("{time} {level:>5} {target}: {}", values.message);
    for (name, value) in &values.fields {
        let _ = match value {
            Value::String(text) if text.contains([' ', '"', '=']) || text.is_empty() => {
                write!(line, " {name}={text:?}")
            }
            Value::String(text) => write!(line, " {name}={text}"),
            other => write!(line, " {name}={other}"),
        };
    }
    line
}

fn json(time: &str, level: &str, target: &str, values: Values) -> String {
    let mut object = Map::new();
    let word = |text: &str| Value::String(text.to_owned());
    object.insert("time".to_owned(), word(time));
    object.insert("level".to_owned(), Value::String(level.to_lowercase()));
    object.insert("target".to_owned(), word(target));
    object.insert("message".to_owned(), Value::String(values.message));
    for (name, value) in values.fields {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use timmy_domain::Secret;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(form: Form, act: impl FnOnce()) -> String {
        let lines = Lines::default();
        let out = lines.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(form).with_writer(move || out.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), act);
        let bytes = lines.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    // shows: process: a log line has one name for each thing, holds no secret, and cannot be forged from outside
    #[test]
    fn a_line_has_the_names_of_the_table_and_no_value_makes_a_line_of_its_own() {
        let evil = "x\n{\"level\":\"error\"}\u{1b}[31m\u{202e}";
        let key = Secret::new("sk-very-secret".to_owned());
        let act =
            || tracing::warn!(error = %evil, status = 404_u16, strange = ?key, component = %key, "it \u{7} happened");
        let json = logged(Form::Json, act);
        assert_eq!(json.lines().count(), 1, "{json}");
        let line: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&line["level"], &line["status"]), (&"warn".into(), &404.into()));
        assert_eq!(line["error"], "x {\"level\":\"error\"} [31m");
        assert_eq!((&line["message"], &line["component"]), (&"it happened strange=•••".into(), &"•••".into()));
        assert!(line["time"].as_str().is_some_and(|t| timmy_domain::Timestamp::parse(t).is_ok()), "{line}");
        let names: Vec<&String> = line.as_object().expect("an object").keys().collect();
        assert!(names.iter().all(|name| fields::holds(name).is_some()), "{names:?}");
        let text = logged(Form::Text, act);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains(" WARN ") && text.contains("status=404"), "{text}");
        for said in [json, text] {
            assert!(!said.contains("very-secret") && said.trim_end().chars().all(|c| !c.is_control()), "{said:?}");
        }
    }

    #[test]
    fn a_value_is_cut_to_its_bound() {
        let long = "word ".repeat(10_000);
        let line = logged(Form::Json, || tracing::error!(error = %long, "long"));
        assert!(line.len() < VALUE_CHARS_MAX + 500, "{}", line.len());
    }
}
