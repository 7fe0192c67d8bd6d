//! Words and their parts, as in BERT: text is brought to small letters without accents where the file says so, split at
//! blanks and marks, and each word is taken apart into the longest parts that the vocabulary has.
//!
//! Files of this format write the beginning of a word as `▁word` and its parts plainly; the tokenizer knows them as
//! `word` and `##part`.

use tokenizers::Tokenizer;
use tokenizers::models::bpe::Vocab;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use super::merges::refused;
use super::pieces::SPACE;
use crate::error::EngineError;
use crate::gguf::Header;

/// Before what continues a word.
const CONTINUES: &str = "##";
/// Numbers of marks where a file does not say: those of the first BERT.
const UNKNOWN: usize = 100;
const FIRST: usize = 101;
const SEPARATOR: usize = 102;

/// A tokenizer of words and their parts.
#[derive(Debug)]
pub(super) struct WordPieces {
    tokenizer: Tokenizer,
    /// What a text begins with.
    pub(super) first: u32,
    /// What a text ends with.
    pub(super) separator: u32,
}

impl WordPieces {
    /// Reads the parts of words; `is_mark` says which tokens are none.
    pub(super) fn read(
        header: &Header,
        tokens: &[String],
        is_mark: &dyn Fn(usize) -> bool,
    ) -> Result<Self, EngineError> {
        let named = |keys: &[&str], usual: usize| -> Result<u32, EngineError> {
            let said = keys.iter().find_map(|key| header.count(&format!("tokenizer.ggml.{key}")));
            let token = Some(said.unwrap_or(usual)).filter(|token| *token < tokens.len());
            let token = token.and_then(|token| u32::try_from(token).ok());
            token.ok_or_else(|| super::corrupt(&format!("its token {} is beyond its vocabulary", keys[0])))
        };
        let unknown = named(&["unknown_token_id"], UNKNOWN)?;
        let first = named(&["cls_token_id", "bos_token_id"], FIRST)?;
        // The format has it misspelt; newer files may not.
        let separator = named(&["seperator_token_id", "separator_token_id"], SEPARATOR)?;
        let known = tokens.iter().enumerate().map(|(token, text)| {
            let mark = is_mark(token) || (text.starts_with('[') && text.ends_with(']') && text.len() > 2);
            let text = match text.strip_prefix(SPACE) {
                _ if mark => text.clone(),
                Some(beginning) => beginning.to_owned(),
                None => format!("{CONTINUES}{text}"),
            };
            (text, token as u32)
        });
        let known: Vocab = known.collect();
        let model = WordPiece::builder().vocab(known).unk_token(tokens[unknown as usize].clone());
        let model = model.continuing_subword_prefix(CONTINUES.to_owned()).build().map_err(refused)?;
        let small = header.flag("tokenizer.ggml.normalizer.lowercase").unwrap_or(true);
        let bare = header.flag("tokenizer.ggml.normalizer.strip_accents");
        let mut tokenizer = Tokenizer::new(model);
        tokenizer.with_normalizer(Some(BertNormalizer::new(true, true, bare, small))).map_err(refused)?;
        tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
        Ok(Self { tokenizer, first, separator })
    }

    /// Appends the tokens of a text without marks.
    pub(super) fn cut(&self, text: &str, tokens: &mut Vec<u32>) -> Result<(), EngineError> {
        let cut = self.tokenizer.encode_fast(text, false).map_err(refused)?;
        tokens.extend_from_slice(cut.get_ids());
        Ok(())
    }
}
