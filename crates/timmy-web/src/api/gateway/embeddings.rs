//! `/v1/embeddings`: texts as vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use timmy_domain::{Problem, Sensitivity};
use timmy_llm::Part;
use utoipa::ToSchema;

use super::{AUTO, Given};
use crate::auth::Visit;
use crate::web::Web;

/// Texts in one call.
const TEXTS_MAX: usize = 1_000;

/// A call of `/v1/embeddings`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GatewayEmbed, examples(json!({"model": "auto", "input": ["Good morning"]})))]
pub struct EmbedWanted {
    /// A model, `provider/model`, or `auto`.
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

/// The provider a model names, when it names one: `provider/model`, or the provider alone.
fn wished(web: &Web, model: Option<&str>) -> Option<String> {
    let named = model.filter(|m| !m.is_empty() && *m != AUTO)?;
    let name = named.split('/').next().unwrap_or(named);
    web.app.ctx.cascade.status().into_iter().find(|p| p.name == name).map(|p| p.name)
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
    let part = |text| Part { text, sensitivity: label, droppable: false };
    let parts: Vec<Part> = texts(wanted.input)?.into_iter().map(part).collect();
    let (_place, call) = super::bounded(web)?;
    let _cancels = call.cancel.clone().drop_guard();
    let wished = wished(web, wanted.model.as_deref());
    let made = tokio::select! {
        made = web.app.ctx.cascade.embed(&parts, wished.as_deref(), &call) => made,
        () = web.stop.cancelled() => return Err(super::super::chat::stops().into()),
    };
    let made = made.map_err(|error| {
        let why = error.attempts.iter().map(|a| format!(" {}: {}.", a.provider, a.failure)).collect::<String>();
        let hint = "Timmy's own engine makes vectors with any model file; `timmy model list` shows which are here.";
        Problem::unavailable("no_model", format!("Nothing here could make vectors.{why}"), hint)
    })?;
    let usage = made.embeddings.usage;
    super::budget::note(web, super::budget::Spender::of(&visit.who.principal), usage).await;
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
