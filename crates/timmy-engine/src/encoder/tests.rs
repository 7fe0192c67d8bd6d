use std::io::BufWriter;

use crate::error::EngineError;
use crate::fixture::VectorFixture;
use crate::{LoadOptions, Model, load};

fn written(fixture: &VectorFixture) -> Vec<u8> {
    let mut bytes = Vec::new();
    fixture.write(&mut BufWriter::new(&mut bytes)).unwrap();
    bytes
}

fn opened(bytes: &[u8], memory_budget_bytes: Option<u64>, threads: usize) -> Result<Box<dyn Model>, EngineError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let path = file.path().to_owned();
    load(&LoadOptions { path, memory_budget_bytes, threads, context_length: None })
}

/// The same bytes with one text in them replaced by another of its length.
fn with(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let at = bytes.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
    [&bytes[..at], new.as_bytes(), &bytes[at + old.len()..]].concat()
}

fn cut(model: &dyn Model, text: &str) -> Vec<u32> {
    let mut tokens = vec![model.vocabulary().bos().unwrap()];
    tokens.extend(model.vocabulary().encode(text, true).unwrap());
    tokens
}

fn alike(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

// shows: engine: a model that makes vectors only reads a text as a whole, and its vectors have length one
#[test]
fn a_text_becomes_a_vector_of_length_one_that_all_of_it_moves() {
    for (nomic, pooling) in [(false, 1), (false, 2), (true, 1), (true, 3)] {
        let bytes = written(&VectorFixture::tiny(nomic, pooling));
        let mut model = opened(&bytes, None, 1).unwrap();
        assert_eq!(model.facts().embedding_length, 64);
        let mut vector = |text: &str| {
            let tokens = cut(&*model, text);
            model.embed(&tokens).unwrap()
        };
        let one = vector("the light and the sea");
        assert!((alike(&one, &one) - 1.0).abs() < 1e-5 && one.len() == 64);
        assert_eq!(vector("The LIGHT and  the sea"), one, "large letters and blanks are no words");
        assert!(alike(&vector("the sea and the light"), &one) < 0.999, "places count");
        // With the first token as the vector, what stands last reaches it only by looking ahead.
        assert!(alike(&vector("the light and the boat"), &one) < 0.999);
        assert_eq!(vector("").len(), 64);
        let mut threads = opened(&bytes, None, 3).unwrap();
        let tokens = cut(&*threads, "the light and the sea");
        assert_eq!(threads.embed(&tokens).unwrap(), one, "by one thread or by three");
        // A text that is too long is cut, and ends as each does.
        let long = vec![7; 128];
        assert_eq!(threads.embed(&long).unwrap(), threads.embed(&[&long[..127], &[3]].concat()).unwrap());
        assert!(threads.embed(&vec![7; 300]).is_ok(), "the rest is left out");
        assert!(threads.embed(&[]).is_err() && threads.embed(&[u32::MAX]).is_err());
    }
}

#[test]
fn words_are_cut_into_the_longest_parts_that_are_known() {
    let model = opened(&written(&VectorFixture::tiny(false, 1)), None, 1).unwrap();
    let read = |text: &str| {
        let tokens = model.vocabulary().encode(text, false).unwrap();
        let part = |token: &u32| String::from_utf8_lossy(model.vocabulary().token_bytes(*token).unwrap()).into_owned();
        tokens.iter().map(part).collect::<Vec<_>>()
    };
    assert_eq!(read("Café, a b!"), [" c", "a", "f", "e", " ,", " a", " b", " !"]);
    assert_eq!(read("日本 ok"), ["[UNK]", "[UNK]", " o", "k"], "each of these letters is a word");
    assert!(!read("[CLS]").contains(&"[CLS]".to_owned()), "what stands in a text is no mark");
    assert_eq!(model.vocabulary().encode("[CLS]", true).unwrap(), [2]);
}

// shows: engine: a model that makes vectors only refuses a conversation, and broken ones are refused, each with the reason
#[test]
fn what_such_a_model_cannot_do_and_what_is_broken_is_refused_with_the_reason() {
    let bytes = written(&VectorFixture::tiny(false, 1));
    let mut model = opened(&bytes, None, 1).unwrap();
    let refused = model.forward(&[5], 0).unwrap_err();
    assert!(refused.to_string().contains("writes none"), "{refused}");

    let why = |bytes: &[u8], budget| opened(bytes, budget, 1).err().unwrap().to_string();
    assert!(why(&bytes, Some(1 << 20)).contains("needs at least"));
    let rows = [
        ("tokenizer.ggml.tokens", "tokenizer.ggml.tokenz", "it has no tokens"),
        ("tokenizer.ggml.model", "tokenizer.ggml.modem", "it has no tokenizer"),
        ("bert.feed_forward_length", "bert.feed_forward_lengtz", "feed_forward_length is missing"),
        ("bert.attention.head_count", "bert.attention.head_coun_", "head_count is missing"),
        ("position_embd.weight", "position_embz.weight", "128 positions, and 0 rows"),
        ("token_embd.weight", "token_embz.weight", "and 0 rows for them"),
        ("blk.1.ffn_down.weight", "blk.1.ffn_dowz.weight", "blk.1.ffn_down.weight"),
        ("blk.2.layer_output_norm.bias", "blk.2.layer_output_norm.biaz", "blk.2.layer_output_norm.bias"),
        ("tokenizer.ggml.seperator_token_id", "tokenizer.ggml.seperat_r_token_id", ""),
    ];
    for (old, new, expected) in rows {
        let broken = opened(&with(&bytes, old, new), None, 1).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(broken.contains(expected), "{old}: {broken}");
        assert_eq!(broken.is_empty(), expected.is_empty(), "{old}: {broken}");
    }
    let ranks = why(&written(&VectorFixture::tiny(true, 4)), None);
    assert!(ranks.contains("reranker"), "{ranks}");
    assert!(why(&written(&VectorFixture::tiny(true, 9)), None).contains("no way from tokens"));
    assert!(opened(&bytes[..bytes.len() / 2], None, 1).is_err());
}
