//! Open-weight models there are to get: facts as their makers published them.
//!
//! An entry that can be fetched names one revision, the size and the checksum of its file, so what it leads to cannot
//! change behind it. Where one of the three is not known for certain, or where a model comes in several files, the entry
//! is only listed: its file is had elsewhere and imported by its path, or fetched from an address that the owner gives.
//!
//! These facts were written down from what the makers publish, and no test can ask there: the tests show that they are
//! whole and agree with each other. Whether they are right shows with each pull: what differs from them in its length or
//! its checksum is never installed.

use super::ModelFormat;

/// A model there is to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name here.
    pub name: &'static str,
    /// Its family, with the maker.
    pub family: &'static str,
    /// Its parameters, in millions.
    pub parameters_millions: u64,
    /// How its weights are packed.
    pub quantisation: &'static str,
    /// How it lies on the disk.
    pub format: ModelFormat,
    /// Whether it turns text into vectors instead of writing.
    pub embeds: bool,
    /// Tokens it can read and write at most.
    pub context: u64,
    /// Under which licence it is given away.
    pub licence: &'static str,
    /// Where its file is; `None` when it can only be imported.
    pub source: Option<Source>,
}

/// One file, exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its address, with its revision.
    pub url: &'static str,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: &'static str,
}

impl Entry {
    /// The name of its file in the folder of models.
    #[must_use]
    pub fn file_name(&self) -> String {
        let end = if self.format == ModelFormat::Gguf { "gguf" } else { "safetensors" };
        format!("{}.{end}", self.name.replace(['/', ':'], "-"))
    }
}

const fn writes(
    name: &'static str,
    family: &'static str,
    parameters_millions: u64,
    quantisation: &'static str,
    context: u64,
    licence: &'static str,
    source: Option<Source>,
) -> Entry {
    let format = ModelFormat::Gguf;
    Entry { name, family, parameters_millions, quantisation, format, embeds: false, context, licence, source }
}

const APACHE: &str = "Apache 2.0";

/// Everything there is, small to large.
pub const CATALOGUE: [Entry; 9] = [
    Entry {
        name: "all-minilm-l6-v2",
        family: "MiniLM, Sentence Transformers",
        parameters_millions: 23,
        quantisation: "F32",
        format: ModelFormat::Safetensors,
        embeds: true,
        context: 256,
        licence: APACHE,
        source: None,
    },
    writes(
        "qwen3-0.6b",
        "Qwen3, Alibaba",
        600,
        "Q8_0",
        40_960,
        APACHE,
        Some(Source {
            url: "https://huggingface.co/Qwen/Qwen3-0.6B-GGUF/resolve/23749fefcc72300e3a2ad315e1317431b06b590a/Qwen3-0.6B-Q8_0.gguf",
            bytes: 639_446_688,
            sha256: "9465e63a22add5354d9bb4b99e90117043c7124007664907259bd16d043bb031",
        }),
    ),
    writes(
        "llama3.2-1b",
        "Llama 3.2, Meta",
        1_240,
        "Q4_K_M",
        131_072,
        "Llama 3.2 Community",
        Some(Source {
            url: "https://huggingface.co/bartowski/Llama-3.2-1B-Instruct-GGUF/resolve/067b946cf014b7c697f3654f621d577a3e3afd1c/Llama-3.2-1B-Instruct-Q4_K_M.gguf",
            bytes: 807_694_464,
            sha256: "6f85a640a97cf2bf5b8e764087b1e83da0fdb51d7c9fab7d0fece9385611df83",
        }),
    ),
    writes(
        "qwen3-1.7b",
        "Qwen3, Alibaba",
        1_700,
        "Q4_K_M",
        40_960,
        APACHE,
        Some(Source {
            url: "https://huggingface.co/ggml-org/Qwen3-1.7B-GGUF/resolve/daeb8e2d528a760970442092f6bf1e55c3b659eb/Qwen3-1.7B-Q4_K_M.gguf",
            bytes: 1_282_439_264,
            sha256: "d2387ca2dbfee2ffabce7120d3770dadca0b293052bc2f0e138fdc940d9bc7b5",
        }),
    ),
    writes(
        "qwen3-4b",
        "Qwen3, Alibaba",
        4_000,
        "Q4_K_M",
        40_960,
        APACHE,
        Some(Source {
            url: "https://huggingface.co/Qwen/Qwen3-4B-GGUF/resolve/bc640142c66e1fdd12af0bd68f40445458f3869b/Qwen3-4B-Q4_K_M.gguf",
            bytes: 2_497_280_256,
            sha256: "7485fe6f11af29433bc51cab58009521f205840f5b4ae3a32fa7f92e8534fdf5",
        }),
    ),
    writes("gemma-3-4b", "Gemma 3, Google", 4_300, "Q4_K_M", 131_072, "Gemma", None),
    writes("qwen3-8b", "Qwen3, Alibaba", 8_200, "Q4_K_M", 40_960, APACHE, None),
    writes("phi-4", "Phi 4, Microsoft", 14_700, "Q4_K_M", 16_384, "MIT", None),
    writes("qwen3-30b-a3b", "Qwen3, Alibaba (3 of 30 billion at a time)", 30_500, "Q4_K_M", 40_960, APACHE, None),
];

/// The entry of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|entry| entry.name == name)
}

/// The entries that can be fetched.
pub fn fetchable() -> impl Iterator<Item = (&'static Entry, Source)> {
    CATALOGUE.iter().filter_map(|entry| Some((entry, entry.source?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::is_name;

    #[test]
    fn every_entry_is_named_once_and_every_source_is_exact() {
        for (n, entry) in CATALOGUE.iter().enumerate() {
            assert!(is_name(entry.name), "{}", entry.name);
            assert!(CATALOGUE[..n].iter().all(|e| e.name != entry.name), "{} stands twice", entry.name);
            assert!(CATALOGUE[..n].iter().all(|e| e.parameters_millions <= entry.parameters_millions), "not in order");
        }
        for (entry, source) in fetchable() {
            assert_eq!(source.sha256.len(), 64, "{}", entry.name);
            assert!(source.sha256.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{}", entry.name);
            assert!(source.url.starts_with("https://"), "{}", entry.name);
            // One file, of one part: a model in several would be half a model.
            let file = source.url.rsplit('/').next().unwrap_or_default();
            assert!(file.ends_with(".gguf") && !file.contains("-of-"), "{}: {file} is not one file", entry.name);
            assert!(!entry.licence.is_empty() && entry.context > 0, "{}", entry.name);
            assert!(crate::model::advice::memory_bytes(source.bytes) > source.bytes, "{}", entry.name);
            let revision = source.url.split('/').find(|part| part.len() == 40);
            let bound = revision.is_some_and(|r| r.chars().all(|c| c.is_ascii_hexdigit()));
            assert!(bound, "{}: its address can lead to another file tomorrow", entry.name);
            // Between two bits and four bytes for each parameter.
            let bits = source.bytes * 8 / (entry.parameters_millions * 1_000_000);
            assert!((2..=33).contains(&bits), "{}: {bits} bits for each parameter", entry.name);
        }
    }
}
