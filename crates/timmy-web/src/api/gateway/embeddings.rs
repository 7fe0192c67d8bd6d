//! `/v1/embeddings`: texts as vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::text::one_line;
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::{Attempt, CascadeError, Embedded, Failure, Part};
use utoipa::ToSchema;

use super::budget::{Meter, Read, Spender};
use super::{Given, named};
use crate::auth::Visit;
use crate::web::Web;

/// Texts in one call.
const TEXTS_MAX: usize = 1_000;

/// A call of `/v1/embeddings`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayEmbed, examples(json!({"model": "auto", "input": ["Good morning"]})))]
pub struct EmbedWanted {
    /// A provider, `provider/model`, or `auto`. A model that is named after its provider makes the vectors, or none are
    /// given.
    #[schema(max_length = 200)]
    model: Option<String>,
    /// A text, or up to 1,000.
    #[schema(value_type = Object)]
    input: Value,
    /// `float` or `base64` (the bytes of little-endian f32).
    #[schema(pattern = "^(float|base64)$")]
    encoding_format: Option<String>,
}

fn texts(input: Value) -> Result<Vec<String>, Problem> {
    let wrong = || {
        let text = format!("`input` is a text, or from 1 to {TEXTS_MAX} texts, none of them empty.");
        Problem::invalid("bad_input", text, "Send {\"input\": \"…\"} or {\"input\": [\"…\"]}.")
    };
    let all = match input {
        Value::String(one) => vec![one],
        Value::Array(many) => {
            let read = many.into_iter().map(|v| v.as_str().map(str::to_owned).ok_or_else(wrong));
            read.collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err(wrong()),
    };
    let fits = (1..=TEXTS_MAX).contains(&all.len()) && all.iter().all(|text| !text.is_empty());
    if fits { Ok(all) } else { Err(wrong()) }
}

/// Whom a model names, where its provider is known: `provider/model`, or the provider alone.
fn wished(web: &Web, model: &str) -> Option<String> {
    let name = model.split('/').next().unwrap_or(model);
    web.app.ctx.cascade.status().into_iter().any(|p| p.name == name).then(|| model.to_owned())
}

/// Whether `made` of `provider` is the model that `wished` names. A word without a slash names no model.
fn is_it(wished: &str, provider: &str, made: &str) -> bool {
    let Some((of, model)) = wished.split_once('/') else { return true };
    // Ollama means the newest by a name without a tag.
    let bare = |name: &str| name.strip_suffix(":latest").unwrap_or(name).to_owned();
    bare(wished) == bare(made) || (of == provider && (model.is_empty() || bare(model) == bare(made)))
}

/// Vectors of another model cannot be compared with those the caller has, so they are not given.
fn another(made: &Embedded) -> Problem {
    let has = one_line(&format!("{}/{}", made.provider, made.embeddings.model));
    let text = format!("Vectors are made by {has} here, not by the model that was asked for; none are given.");
    let hint = format!("Ask for \"{has}\"; timmy.toml says which model a provider makes vectors with.");
    Problem::unknown("model_not_found", text, hint)
}

fn nobody(error: &CascadeError) -> Problem {
    if let [Attempt { provider, failure: failure @ Failure::NoModel { model, .. }, .. }] = &error.attempts[..] {
        let text = format!("{provider} has no model called {} to make vectors with.", one_line(model));
        return Problem::unknown("model_not_found", text, failure.hint());
    }
    let why = error.attempts.iter().map(|a| format!(" {}: {}.", a.provider, a.failure)).collect::<String>();
    let hint = "Timmy's own engine makes vectors with any model file; `timmy model list` shows which are here.";
    Problem::unavailable("no_model", format!("Nothing here could make vectors.{why}"), hint)
}

fn one(index: usize, vector: &[f32], packed: bool) -> Value {
    let bytes = || vector.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let embedding = if packed { Value::String(STANDARD.encode(bytes())) } else { json!(vector) };
    json!({"object": "embedding", "index": index, "embedding": embedding})
}

/// Makes the vectors and answers with them.
pub async fn given(web: &Web, visit: &Visit, wanted: EmbedWanted, label: Sensitivity) -> Given {
    let packed = match wanted.encoding_format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            let text = "`encoding_format` is float or base64.";
            return Err(Problem::invalid("bad_encoding", text, "Leave it out for float.").into());
        }
    };
    let model = named(wanted.model)?;
    let part = |text| Part { text, sensitivity: label, droppable: false };
    let parts: Vec<Part> = texts(wanted.input)?.into_iter().map(part).collect();
    let (_place, call) = super::bounded(web)?;
    let _cancels = call.cancel.clone().drop_guard();
    let wished = model.as_deref().and_then(|name| wished(web, name));
    let meter = Meter::begin(web, Spender::of(&visit.who.principal), Read::Texts(&parts));
    let made = tokio::select! {
        made = web.app.ctx.cascade.embed(&parts, wished.as_deref(), &call) => made,
        () = web.stop.cancelled() => return Err(super::super::chat::stops().into()),
    };
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            meter.failed(&error).await;
            return Err(nobody(&error).into());
        }
    };
    let usage = made.embeddings.usage;
    meter.embedded(usage).await;
    if model.is_some_and(|name| !is_it(&name, &made.provider, &made.embeddings.model)) {
        return Err(another(&made).into());
    }
    let data: Vec<Value> = made.embeddings.vectors.iter().enumerate().map(|(n, v)| one(n, v, packed)).collect();
    let body = json!({
        "object": "list",
        "data": data,
        "model": format!("{}/{}", made.provider, made.embeddings.model),
        "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens},
    });
    Ok(super::by(super::plain(&body), &made.provider))
}

#[cfg(test)]
mod tests {
    use super::*;

    // shows: models: vectors come from the model that was named, or not at all
    #[test]
    fn a_named_model_is_that_one_or_none() {
        for right in ["house", "text-embedding-3-small", "house/", "house/e1", "house/e1:latest"] {
            assert!(is_it(right, "house", "e1"), "{right}");
        }
        assert!(is_it("BAAI/bge", "house", "BAAI/bge") && is_it("house/BAAI/bge", "house", "BAAI/bge"));
        assert!(is_it("house/e1", "house", "e1:latest") && !is_it("house/e1:8b", "house", "e1:latest"));
        for wrong in ["house/e2", "other/e1", "house/e", "/e1", "e1/"] {
            assert!(!is_it(wrong, "house", "e1"), "{wrong}");
        }
    }

    #[test]
    fn inputs_are_texts_and_vectors_are_packed_as_clients_unpack_them() {
        assert_eq!(texts(json!("a")).expect("one"), ["a"]);
        assert_eq!(texts(json!(["a", "b"])).expect("two"), ["a", "b"]);
        for wrong in [json!([]), json!([""]), json!([[1, 2]]), json!(7), json!(vec!["x"; TEXTS_MAX + 1])] {
            assert!(texts(wrong).is_err());
        }
        // 1.0 and -2.0 as little-endian f32.
        assert_eq!(one(0, &[1.0, -2.0], true)["embedding"], "AACAPwAAAMA=");
        assert_eq!(one(1, &[0.5], false)["embedding"], json!([0.5]));
    }
}
