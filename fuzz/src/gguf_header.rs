//! Headers of model files: read within bounds, or refused with words; what was read lies within the file, and text is
//! cut into tokens that exist.

use timmy_engine::gguf::Header;
use timmy_engine::shape::Shape;
use timmy_engine::template::Template;
use timmy_engine::vocabulary::Vocabulary;

/// Bytes of weights that are taken to stand behind the header, without being there.
const WEIGHTS_BYTES: u64 = 1 << 30;

/// Reads `bytes` as a whole file, and as the beginning of a larger one.
pub fn check(bytes: &[u8]) {
    for file_bytes in [bytes.len() as u64, bytes.len() as u64 + WEIGHTS_BYTES] {
        match Header::read(bytes, file_bytes) {
            Ok(header) => sound(&header, file_bytes),
            Err(error) => assert!(!error.to_string().is_empty(), "what is refused says why"),
        }
    }
}

fn sound(header: &Header, file_bytes: u64) {
    for (name, tensor) in &header.tensors {
        let end = tensor.offset.checked_add(tensor.bytes);
        assert!(end.is_some_and(|end| end <= file_bytes), "{name:?} lies outside the file: {tensor:?}");
    }
    if let Ok(shape) = Shape::read(header) {
        assert!(shape.layers > 0 && shape.heads.is_multiple_of(shape.key_heads), "{shape:?}");
    }
    let _ = Template::new(header.text("tokenizer.chat_template"), "<s>", "</s>");
    let Ok(vocabulary) = Vocabulary::read(header) else { return };
    let Ok(tokens) = vocabulary.encode("Gulls, boats and 12 ships; \u{65e5}\u{672c} <|im_end|>", true) else { return };
    for token in tokens {
        assert!((token as usize) < vocabulary.len(), "a token that does not exist: {token}");
        let _ = vocabulary.decode_piece(token);
    }
}
