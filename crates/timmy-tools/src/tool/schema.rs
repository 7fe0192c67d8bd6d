//! Checks the arguments of a call against the description of its tool, and says which argument is wrong and how.
//!
//! A description is JSON Schema (draft 2020-12) of the few words that the tools of the house need. Two things are
//! stricter than there: what is not described is refused, and text is one line without control, bidirectional or
//! invisible characters unless its `format` says otherwise.

use serde_json::{Map, Value};
use timmy_domain::text;

use crate::ToolError;

/// `format` of text that may have several lines and tabs.
pub const FORMAT_TEXT: &str = "text";

/// `format` of text that is the content of a file: everything but a zero byte.
pub const FORMAT_CONTENT: &str = "content";

/// Levels of lists and objects in arguments.
const LEVELS_MAX: usize = 4;

/// The arguments as `schema` describes them, with what was left out filled in from its defaults. Object keys are in
/// the order of their names, so that equal arguments are equal text.
///
/// # Errors
/// [`ToolError::BadArgument`] with the name of the first argument that does not fit.
pub fn check(tool: &str, schema: &Value, args: &Value) -> Result<Value, ToolError> {
    let none = Value::Object(Map::new());
    let args = if args.is_null() { &none } else { args };
    value("", schema, args, 0).map_err(|(argument, finding)| ToolError::BadArgument {
        tool: tool.to_owned(),
        argument: if argument.is_empty() { "What was given to it".to_owned() } else { argument },
        finding,
    })
}

type Finding = (String, String);

fn value(at: &str, schema: &Value, given: &Value, level: usize) -> Result<Value, Finding> {
    let wrong = |finding: String| Err((at.to_owned(), finding));
    if level > LEVELS_MAX {
        return wrong("is nested too deeply".to_owned());
    }
    match (schema["type"].as_str().unwrap_or("object"), given) {
        ("object", Value::Object(given)) => object(at, schema, given, level),
        ("array", Value::Array(given)) => list(at, schema, given, level),
        ("string", Value::String(given)) => string(schema, given).map_or_else(wrong, |()| Ok(given.clone().into())),
        ("integer", Value::Number(number)) => match number.as_i64() {
            Some(whole) => range(schema, whole).map_or_else(wrong, |()| Ok(whole.into())),
            None => wrong("must be a whole number".to_owned()),
        },
        ("boolean", Value::Bool(_)) => Ok(given.clone()),
        (wanted, given) => wrong(format!("must be {}, not {}", noun(wanted), noun(kind(given)))),
    }
}

fn object(at: &str, schema: &Value, given: &Map<String, Value>, level: usize) -> Result<Value, Finding> {
    let empty = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&empty);
    if let Some(name) = given.keys().find(|name| !known.contains_key(*name)) {
        let names: Vec<&str> = known.keys().map(String::as_str).collect();
        let finding =
            format!("is unknown; known are {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
        return Err((inside(at, &text::cut(&text::one_line(name), 60)), finding));
    }
    let required = |name: &str| schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name));
    let mut out = Map::new();
    for (name, schema) in known {
        let here = inside(at, name);
        match given.get(name).filter(|given| !given.is_null()) {
            Some(given) => {
                out.insert(name.clone(), value(&here, schema, given, level + 1)?);
            }
            None if required(name) => return Err((here, "is missing".to_owned())),
            None => {
                if let Some(default) = schema.get("default") {
                    out.insert(name.clone(), default.clone());
                }
            }
        }
    }
    out.sort_keys();
    Ok(Value::Object(out))
}

fn list(at: &str, schema: &Value, given: &[Value], level: usize) -> Result<Value, Finding> {
    let bound = |name: &str| schema[name].as_u64().and_then(|bound| usize::try_from(bound).ok());
    if let Some(max) = bound("maxItems").filter(|max| given.len() > *max) {
        return Err((at.to_owned(), format!("has {} parts; at most {max} are taken", given.len())));
    }
    if let Some(min) = bound("minItems").filter(|min| given.len() < *min) {
        return Err((at.to_owned(), format!("must have at least {}", text::plural(min as u64, "part", "parts"))));
    }
    let one = |(n, given): (usize, &Value)| value(&format!("{at}[{n}]"), &schema["items"], given, level + 1);
    given.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn string(schema: &Value, given: &str) -> Result<(), String> {
    let bound = |name: &str| schema[name].as_u64().and_then(|bound| usize::try_from(bound).ok());
    let chars = given.chars().count();
    if let Some(max) = bound("maxLength").filter(|max| chars > *max) {
        return Err(format!("has {chars} characters; at most {max} are taken"));
    }
    if bound("minLength").is_some_and(|min| chars < min) {
        return Err("must not be empty".to_owned());
    }
    if let Some(words) = schema["enum"].as_array()
        && !words.iter().any(|word| word == given)
    {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        return Err(format!("must be one of {}, not {:?}", words.join(", "), text::cut(&text::one_line(given), 60)));
    }
    let refused = |c: &char| match schema["format"].as_str() {
        Some(FORMAT_CONTENT) => *c == '\0',
        Some(FORMAT_TEXT) => !matches!(c, '\n' | '\t') && text::is_harmful(*c),
        _ => text::is_harmful(*c),
    };
    match given.chars().find(refused) {
        Some(c) => Err(format!("holds the character U+{:04X}, which steers or hides what is shown", u32::from(c))),
        None => Ok(()),
    }
}

fn range(schema: &Value, whole: i64) -> Result<(), String> {
    let (low, high) = (schema["minimum"].as_i64(), schema["maximum"].as_i64());
    if low.is_some_and(|low| whole < low) || high.is_some_and(|high| whole > high) {
        let of = |bound: Option<i64>, none: &str| bound.map_or_else(|| none.to_owned(), |bound| bound.to_string());
        return Err(format!("must be from {} to {}, not {whole}", of(low, "any"), of(high, "any")));
    }
    Ok(())
}

fn inside(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn noun(kind: &str) -> &'static str {
    match kind {
        "string" => "text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object with named values",
        _ => "nothing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({"type": "object", "required": ["path"], "properties": {
            "path": {"type": "string", "minLength": 1, "maxLength": 5},
            "mode": {"type": "string", "enum": ["a", "b"], "default": "a"},
            "body": {"type": "string", "format": "content"},
            "note": {"type": "string", "format": "text"},
            "lines": {"type": "integer", "minimum": 1, "maximum": 9},
            "argv": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "string"}},
            "deep": {"type": "boolean"},
        }})
    }

    fn says(args: &Value) -> String {
        check("try_it", &schema(), args).unwrap_err().to_string()
    }

    // shows: hands: A call with a wrong argument is refused with the name of the argument and what it should be
    #[test]
    fn the_first_wrong_argument_is_named() {
        assert_eq!(says(&json!({})), "path of try_it is missing");
        assert_eq!(says(&json!(null)), "path of try_it is missing");
        assert_eq!(says(&json!({"path": null})), "path of try_it is missing");
        assert_eq!(says(&json!([])), "What was given to it of try_it must be an object with named values, not a list");
        assert_eq!(says(&json!({"path": 7})), "path of try_it must be text, not a number");
        assert_eq!(says(&json!({"path": ""})), "path of try_it must not be empty");
        assert_eq!(says(&json!({"path": "äöüäöü"})), "path of try_it has 6 characters; at most 5 are taken");
        assert_eq!(says(&json!({"path": "a", "mode": "c"})), "mode of try_it must be one of a, b, not \"c\"");
        assert_eq!(says(&json!({"path": "a", "lines": 10})), "lines of try_it must be from 1 to 9, not 10");
        assert_eq!(says(&json!({"path": "a", "lines": 1.5})), "lines of try_it must be a whole number");
        assert_eq!(says(&json!({"path": "a", "lines": "1"})), "lines of try_it must be a whole number, not text");
        assert_eq!(says(&json!({"path": "a", "deep": "yes"})), "deep of try_it must be true or false, not text");
        assert_eq!(says(&json!({"path": "a", "argv": []})), "argv of try_it must have at least 1 part");
        assert_eq!(says(&json!({"path": "a", "argv": ["a", 1]})), "argv[1] of try_it must be text, not a number");
        assert_eq!(
            says(&json!({"path": "a", "argv": ["a", "b", "c"]})),
            "argv of try_it has 3 parts; at most 2 are taken"
        );
        let unknown = says(&json!({"path": "a", "sandbox": false}));
        assert!(unknown.starts_with("sandbox of try_it is unknown; known are "), "{unknown}");
    }

    #[test]
    fn text_that_steers_what_is_shown_is_refused_where_it_has_no_place() {
        for bad in ["a\u{202e}", "\u{200b}", "a\nb", "\u{1b}[", "a\0", "\u{2066}", "\u{feff}", "\u{e0041}", "\t"] {
            assert!(says(&json!({"path": bad})).contains("U+"), "{bad:?}");
        }
        let fine = json!({"path": "a", "note": "two\nlines\t", "body": "\u{1b}\u{202e}\r\n"});
        assert!(check("t", &schema(), &fine).is_ok());
        assert!(says(&json!({"path": "a", "note": "\u{1b}"})).contains("U+001B"));
        assert!(says(&json!({"path": "a", "body": "a\0"})).contains("U+0000"));
    }

    #[test]
    fn what_was_left_out_is_filled_in_and_order_does_not_matter() {
        let one = check("t", &schema(), &json!({"path": "a", "lines": 3, "deep": null})).unwrap();
        let two = check("t", &schema(), &json!({"lines": 3, "mode": "a", "path": "a"})).unwrap();
        assert_eq!(one.to_string(), r#"{"lines":3,"mode":"a","path":"a"}"#);
        assert_eq!(one.to_string(), two.to_string());
    }
}
