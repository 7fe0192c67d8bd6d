//! Servers behind an API, as data: where each usually lives, what it speaks, and how it differs.

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Chat completions as OpenAI has them.
    OpenAi,
    /// Messages as Anthropic has them.
    Anthropic,
}

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Its word in `[provider.NAME] kind`.
    pub kind: &'static str,
    /// Who that is, for people.
    pub title: &'static str,
    /// The base of its address when the owner gives none; empty when he must.
    pub url: &'static str,
    /// What it speaks.
    pub speaks: Speaks,
    /// Whether it wants a key.
    pub wants_key: bool,
}

/// Every kind, one line each. Addresses of servers on this machine are those they listen at by default; that of vLLM
/// is Timmy's own, so the owner has to give one.
pub const PRESETS: [Preset; 7] = [
    usual("openai", "OpenAI, or any server that speaks its format", "https://api.openai.com/v1", true),
    usual("xai", "xAI, with its Grok models", "https://api.x.ai/v1", true),
    usual("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", true),
    usual("llamacpp", "the server of llama.cpp", "http://127.0.0.1:8080/v1", false),
    usual("vllm", "vLLM", "", false),
    usual("lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", false),
    Preset {
        speaks: Speaks::Anthropic,
        ..usual(
            "anthropic",
            "Anthropic, or any server that speaks its Messages format",
            "https://api.anthropic.com/v1",
            true,
        )
    },
];

const fn usual(kind: &'static str, title: &'static str, url: &'static str, wants_key: bool) -> Preset {
    Preset { kind, title, url, speaks: Speaks::OpenAi, wants_key }
}

/// The preset of `kind`.
#[must_use]
pub fn preset(kind: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|p| p.kind == kind)
}

/// One such server, as `[provider.NAME]` in `timmy.toml` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiSettings {
    /// Its name in the cascade.
    pub name: String,
    /// What kind of server it is, a word of [`PRESETS`]; empty for `openai`.
    pub kind: String,
    /// The base of its address, such as `https://api.example.com/v1`; empty for the usual one of its kind.
    pub url: String,
    /// The model to ask for; empty for the first one the server lists.
    pub model: String,
    /// The model for embeddings; empty for the same.
    pub embed_model: String,
    /// `local` when the address is a machine of the owner, `remote` when it is not; empty tells by the address.
    pub place: String,
}

impl ApiSettings {
    /// Its preset; what is not known speaks the OpenAI format.
    #[must_use]
    pub fn preset(&self) -> &'static Preset {
        preset(&self.kind).unwrap_or(&PRESETS[0])
    }

    /// The base of its address.
    #[must_use]
    pub fn url(&self) -> &str {
        if self.url.is_empty() { self.preset().url } else { &self.url }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::address::Address;
    use timmy_domain::thought::Place;

    #[test]
    fn every_kind_is_one_word_and_its_usual_address_can_be_used() {
        for (n, preset) in PRESETS.iter().enumerate() {
            assert!(PRESETS[..n].iter().all(|p| p.kind != preset.kind), "{} stands twice", preset.kind);
            assert!(preset.kind.chars().all(|c| c.is_ascii_lowercase()), "{}", preset.kind);
            if preset.url.is_empty() {
                continue;
            }
            let address = Address::parse(preset.url, "", preset.wants_key).expect("an address");
            let place = if preset.wants_key { Place::Remote } else { Place::Local };
            assert_eq!(address.place, place, "{}: a server that wants a key is elsewhere", preset.kind);
        }
    }
}
