//! Holding an answer to a form: of all tokens only those are left that can still lead to what was asked for.
//!
//! The grammars are made by llguidance from a JSON schema. A schema comes from outside, so its size, its depth and the
//! work it may cost are bounded; one that is over a bound is refused with the reason.

use std::sync::Arc;

use llguidance::api::{ParserLimits, TopLevelGrammar};
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use serde_json::{Value, json};

use crate::ask::{Choice, Tool};
use crate::calls::{CALL_CLOSE, CALL_OPEN};
use crate::error::EngineError;
use crate::model::Model;

/// Bytes of a schema, of all tools together where they are.
pub const SCHEMA_BYTES_MAX: usize = 64 * 1024;
/// How deep a schema may go into itself.
pub const SCHEMA_DEPTH_MAX: usize = 32;
/// Work for the beginning of a grammar, in steps of the regex engine (about 50,000 in a millisecond).
const START_STEPS_MAX: u64 = 2_000_000;
/// Work for one token, in the same steps.
const TOKEN_STEPS_MAX: u64 = 500_000;
/// Symbols of a grammar.
const SYMBOLS_MAX: usize = 50_000;
/// Characters of a reason.
const REASON_CHARS_MAX: usize = 300;

/// Makes constraints for one vocabulary.
pub struct Constraints {
    factory: ParserFactory,
}

impl Constraints {
    /// Reads the vocabulary of `model`.
    ///
    /// # Errors
    /// When the vocabulary cannot be laid out, which is a fault of the file.
    pub fn new(model: &dyn Model) -> Result<Self, EngineError> {
        let vocabulary = model.vocabulary();
        let tokens = u32::try_from(vocabulary.len()).unwrap_or(u32::MAX);
        let words: Vec<Vec<u8>> = (0..tokens).map(|token| word(model, token)).collect();
        let ends = &model.facts().end;
        let Some(end) = ends.first().copied().filter(|end| *end < tokens) else {
            return Err(EngineError::Unsupported("an answer without a token that ends it".to_owned()));
        };
        let trie = TokTrie::from(&TokRxInfo::new(tokens, end), &words);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let factory = ParserFactory::new_simple(&env);
        let mut factory = factory.map_err(|error| EngineError::Compute(format!("no grammar: {}", short(&error))))?;
        *factory.limits_mut() = ParserLimits {
            initial_lexer_fuel: START_STEPS_MAX,
            step_lexer_fuel: TOKEN_STEPS_MAX,
            max_grammar_size: SYMBOLS_MAX,
            verbose_errors: false,
            ..ParserLimits::default()
        };
        factory.quiet();
        Ok(Self { factory })
    }

    /// An answer that is JSON of this schema and nothing else.
    ///
    /// # Errors
    /// [`EngineError::BadRequest`] with what is wrong with the schema.
    pub fn schema(&self, schema: &Value) -> Result<Constraint, EngineError> {
        check(schema)?;
        self.compile(TopLevelGrammar::from_json_schema(spaced(schema)))
    }

    /// An answer that is a JSON object of any shape.
    ///
    /// # Errors
    /// As for [`Constraints::schema`].
    pub fn json(&self) -> Result<Constraint, EngineError> {
        self.schema(&json!({"type": "object"}))
    }

    /// The inside of one call of one of the tools: name and arguments.
    ///
    /// # Errors
    /// As for [`Constraints::schema`].
    pub fn call(&self, tools: &[Tool], choice: &Choice) -> Result<Constraint, EngineError> {
        self.schema(&call_schema(tools, choice)?)
    }

    /// An answer that is one whole call with its marks and nothing else.
    ///
    /// # Errors
    /// As for [`Constraints::schema`].
    pub fn whole_call(&self, tools: &[Tool], choice: &Choice) -> Result<Constraint, EngineError> {
        let schema = call_schema(tools, choice)?;
        check(&schema)?;
        let schema = spaced(&schema);
        let grammar = format!("start: \"{CALL_OPEN}\\n\" call \"\\n{CALL_CLOSE}\"\ncall: %json {schema}\n");
        self.compile(TopLevelGrammar::from_lark(grammar))
    }

    fn compile(&self, grammar: TopLevelGrammar) -> Result<Constraint, EngineError> {
        let mut matcher = Matcher::new(self.factory.create_parser(grammar));
        // The first mask shows whether the grammar can be worked with at all.
        matcher.compute_mask().map_err(|error| refused(&short(&error)))?;
        Ok(Constraint { matcher })
    }
}

/// One answer that is held to its form.
pub struct Constraint {
    matcher: Matcher,
}

impl Constraint {
    /// Leaves only the tokens that may come next.
    ///
    /// # Errors
    /// When the form costs more work than it may.
    pub fn mask(&mut self, logits: &mut [f32]) -> Result<(), EngineError> {
        let allowed = self.matcher.compute_mask_or_eos().map_err(|error| refused(&short(&error)))?;
        for (token, logit) in (0_u32..).zip(logits.iter_mut()) {
            if !allowed.is_allowed(token) {
                *logit = f32::NEG_INFINITY;
            } else if !logit.is_finite() {
                // An allowed token must stay possible.
                *logit = f32::MIN;
            }
        }
        Ok(())
    }

    /// Takes the token that came.
    ///
    /// # Errors
    /// When it was not allowed.
    pub fn take(&mut self, token: u32) -> Result<(), EngineError> {
        self.matcher.consume_token(token).map_err(|error| refused(&short(&error)))
    }

    /// Whether what was asked for is whole and nothing can follow.
    pub fn is_done(&mut self) -> bool {
        self.matcher.is_stopped()
            || self.matcher.is_accepting().unwrap_or(true)
                && self.matcher.compute_ff_bytes().is_empty()
                && self.only_end()
    }

    fn only_end(&mut self) -> bool {
        let Ok(allowed) = self.matcher.compute_mask_or_eos() else { return true };
        let ends = self.matcher.tok_env().map(|env| env.tok_trie().eos_token()).unwrap_or_default();
        allowed.num_set() <= 1 && allowed.is_allowed(ends)
    }
}

/// The bytes of a token in a text; a control token has none that a text could hold.
fn word(model: &dyn Model, token: u32) -> Vec<u8> {
    let vocabulary = model.vocabulary();
    let bytes = vocabulary.token_bytes(token).unwrap_or_default();
    if !vocabulary.is_control(token) {
        return bytes.to_vec();
    }
    // The mark with which llguidance tells a control token from text that looks like one.
    [&[TokTrie::SPECIAL_TOKEN_MARKER], bytes].concat()
}

fn call_schema(tools: &[Tool], choice: &Choice) -> Result<Value, EngineError> {
    let wanted = |tool: &&Tool| !matches!(choice, Choice::Named(name) if *name != tool.name);
    let one = |tool: &Tool| {
        let parameters = if tool.parameters.is_object() { tool.parameters.clone() } else { json!({"type": "object"}) };
        json!({
            "type": "object",
            "properties": {"name": {"const": tool.name}, "arguments": parameters},
            "required": ["name", "arguments"],
            "additionalProperties": false,
        })
    };
    let mut forms: Vec<Value> = tools.iter().filter(wanted).map(one).collect();
    match forms.len() {
        0 => Err(EngineError::BadRequest("it has to call a tool that is not there".to_owned())),
        1 => Ok(forms.remove(0)),
        _ => Ok(json!({"anyOf": forms})),
    }
}

/// Refuses a schema that is over a bound before anything is made of it.
fn check(schema: &Value) -> Result<(), EngineError> {
    if deeper_than(schema, SCHEMA_DEPTH_MAX) {
        return Err(refused(&format!("it is nested deeper than {SCHEMA_DEPTH_MAX}")));
    }
    let bytes = schema.to_string().len();
    if bytes > SCHEMA_BYTES_MAX {
        return Err(refused(&format!("it has {bytes} bytes, over {SCHEMA_BYTES_MAX}")));
    }
    Ok(())
}

/// With at most one space between the parts, so that a model that is lost cannot write blanks without end.
fn spaced(schema: &Value) -> Value {
    let options = json!({"whitespace_flexible": true, "whitespace_pattern": " ?"});
    match schema.clone() {
        Value::Object(mut fields) => {
            fields.insert("x-guidance".to_owned(), options);
            Value::Object(fields)
        }
        Value::Bool(true) => json!({"x-guidance": options}),
        other => other,
    }
}

fn deeper_than(value: &Value, left: usize) -> bool {
    let Some(left) = left.checked_sub(1) else { return true };
    match value {
        Value::Array(items) => items.iter().any(|item| deeper_than(item, left)),
        Value::Object(fields) => fields.values().any(|field| deeper_than(field, left)),
        _ => false,
    }
}

fn refused(why: &str) -> EngineError {
    EngineError::BadRequest(format!("the answer cannot be held to this schema: {why}"))
}

fn short(error: &impl std::fmt::Display) -> String {
    timmy_domain::text::cut(&timmy_domain::text::one_line(&error.to_string()), REASON_CHARS_MAX)
}
