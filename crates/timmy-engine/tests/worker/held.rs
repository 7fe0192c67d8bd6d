//! Answers that are held to a form: schemas and calls of tools, by a model with random weights.

use serde_json::{Value, json};
use timmy_llm::{AnswerFormat, ChatRequest, Failure, Finish, ToolChoice, ToolSpec};

use crate::support::{House, question};

fn held(schema: Value) -> ChatRequest {
    let mut request = question("Describe a town.", 400);
    request.sampling.format = AnswerFormat::Schema { name: "town".to_owned(), schema };
    request
}

// shows: engine: an answer held to a JSON schema parses and fits, whatever the model would have said
#[tokio::test]
async fn answers_fit_their_schemas() {
    type Fits = fn(&Value) -> bool;
    let house = House::tiny();
    let rows: [(Value, Fits); 5] = [
        (
            json!({"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}, "n": {"type": "integer", "minimum": 0, "maximum": 99}},
                   "required": ["city", "n"], "additionalProperties": false}),
            |v| {
                ["Rome", "Oslo"].contains(&v["city"].as_str().unwrap_or_default())
                    && v["n"].as_u64().is_some_and(|n| n < 100)
            },
        ),
        (json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 3}), |v| {
            v.as_array().is_some_and(|a| (2..=3).contains(&a.len()) && a.iter().all(Value::is_boolean))
        }),
        (
            json!({"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string", "maxLength": 6}},
                   "required": ["b"], "additionalProperties": false}}, "required": ["a"], "additionalProperties": false}),
            |v| v["a"]["b"].as_str().is_some_and(|b| b.chars().count() <= 6),
        ),
        (json!({"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}), |v| {
            v.as_str().is_some_and(|s| s.len() == 6 && s.as_bytes()[2] == b'-')
        }),
        (json!({"anyOf": [{"const": "yes"}, {"type": "null"}]}), |v| v == "yes" || v.is_null()),
    ];
    for (schema, fits) in rows {
        for temperature in [0.0, 1.2] {
            let request = ChatRequest { temperature: Some(temperature), ..held(schema.clone()) };
            let answer = house.ask(&request).await.expect("an answer");
            let value: Value = serde_json::from_str(&answer.content).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
            assert!(fits(&value), "{schema}: {}", answer.content);
            assert_eq!(answer.finish, Finish::Stop);
        }
    }
}

fn tools() -> Vec<ToolSpec> {
    let spec = |name: &str, parameters: Value| ToolSpec {
        name: name.to_owned(),
        description: "A tool.".to_owned(),
        parameters,
    };
    vec![
        spec(
            "weather",
            json!({"type": "object", "properties": {"town": {"enum": ["Rome", "Oslo"]}}, "required": ["town"], "additionalProperties": false}),
        ),
        spec(
            "dice",
            json!({"type": "object", "properties": {"sides": {"type": "integer", "minimum": 2, "maximum": 20}}, "required": ["sides"], "additionalProperties": false}),
        ),
    ]
}

// shows: engine: a model that has to call a tool calls it with arguments that fit, also one with random weights
#[tokio::test]
async fn a_call_that_is_required_comes_and_its_arguments_fit() {
    let house = House::tiny();
    for (choice, names) in [
        (ToolChoice::Required, &["weather", "dice"][..]),
        (ToolChoice::Named("dice".to_owned()), &["dice"]),
        (ToolChoice::Named("weather".to_owned()), &["weather"]),
    ] {
        let mut request = question("What now?", 200);
        request.tools = tools();
        request.sampling.tool_choice = choice.clone();
        let answer = house.ask(&request).await.expect("an answer");
        let [call] = answer.tool_calls.as_slice() else { panic!("{choice:?}: {answer:?}") };
        assert!(names.contains(&call.name.as_str()), "{call:?}");
        let arguments: Value = serde_json::from_str(&call.arguments).expect("JSON");
        let town = arguments["town"].as_str().is_some_and(|t| ["Rome", "Oslo"].contains(&t));
        let sides = arguments["sides"].as_u64().is_some_and(|n| (2..=20).contains(&n));
        assert!(town || sides, "{call:?}");
        assert_eq!((answer.finish, answer.content.as_str()), (Finish::ToolCalls, ""));
    }
    let mut request = question("What now?", 200);
    request.tools = tools();
    request.sampling.tool_choice = ToolChoice::Named("gone".to_owned());
    assert!(matches!(house.ask(&request).await, Err(Failure::BadRequest { .. })));
}

// shows: engine: a call that the bound on tokens cuts short says so, and its arguments are those that came
#[tokio::test]
async fn a_call_that_is_cut_short_keeps_what_came_and_says_so() {
    let house = House::tiny();
    let ask = |max_tokens: u32| {
        let mut request = question("What now?", max_tokens);
        request.tools = tools();
        request.sampling.tool_choice = ToolChoice::Named("weather".to_owned());
        request
    };
    let whole = house.ask(&ask(200)).await.expect("an answer");
    let arguments = &whole.tool_calls[0].arguments;
    let tokens = u32::try_from(whole.usage.completion_tokens).expect("few");
    assert!(tokens > 4, "{whole:?}");
    let mut cut = 0;
    for bound in 1..tokens {
        let short = house.ask(&ask(bound)).await.expect("an answer");
        let Some(call) = short.tool_calls.first() else { continue };
        // The last tokens may add nothing to the arguments.
        if call.arguments != *arguments {
            assert_eq!(short.finish, Finish::Length, "{bound}: {short:?}");
            assert!(arguments.starts_with(&call.arguments), "{bound}: {short:?}");
            assert!(serde_json::from_str::<Value>(&call.arguments).is_err(), "{bound}: {short:?}");
            cut += 1;
        }
    }
    assert!(cut > 0, "none was cut: {whole:?}");
}

// shows: engine: a hostile schema is refused with the reason, and the worker lives
#[tokio::test]
async fn a_hostile_schema_is_refused() {
    let house = House::tiny();
    let mut deep = json!({"type": "string"});
    for _ in 0..60 {
        deep = json!({"type": "array", "items": deep});
    }
    let wide: serde_json::Map<String, Value> =
        (0..5_000).map(|n| (format!("p{n}"), json!({"type": "string"}))).collect();
    let rows = [
        ("nested", deep),
        ("bytes", json!({"type": "object", "properties": wide})),
        ("schema", json!({"$ref": "https://example.com/away.json"})),
        ("schema", json!({"type": "no such type"})),
        ("schema", json!(false)),
    ];
    for (why, schema) in rows {
        let shown: String = schema.to_string().chars().take(80).collect();
        let refused = house.ask(&held(schema)).await.expect_err(&shown);
        let Failure::BadRequest { detail, .. } = &refused else { panic!("{shown}: {refused:?}") };
        assert!(detail.contains(why) && detail.len() < 1_000, "{shown}: {detail}");
    }
    let state = house.provider.state();
    assert_eq!((state.starts, state.deaths), (1, 0), "{}", state.last_death);
}
