//! What the owner said of the models he registered: what each is for, and how it is asked where whoever asks leaves that
//! open. Whoever keeps the register writes it here; whoever asks reads it, without the store.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use timmy_domain::model::ModelRole;

/// One registered model.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// What it is asked by: its name, behind that of the engine when it is a file.
    pub asked_as: String,
    /// What it is for.
    pub role: ModelRole,
    /// How freely it chooses its words where nobody says, 0 to 2; nothing when the owner did not say it either.
    pub temperature: Option<f32>,
    /// Tokens of an answer where nobody says, at least 1; nothing when the owner did not say it either.
    pub max_tokens: Option<u32>,
}

/// The registered models that may be asked, by name. A clone is another handle to the same ones.
#[derive(Clone, Debug, Default)]
pub struct Registered(Arc<RwLock<BTreeMap<String, Said>>>);

impl Registered {
    fn inside(&self) -> RwLockReadGuard<'_, BTreeMap<String, Said>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are the registered models from now on.
    pub fn set(&self, models: impl IntoIterator<Item = (String, Said)>) {
        let models = models.into_iter().collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = models;
    }

    /// What was said of the model called `name`; with its provider's name before it as well.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Said> {
        let all = self.inside();
        let behind = |bare: &str| all.get(bare).filter(|said| said.asked_as == name || said.asked_as == bare);
        all.get(name).or_else(|| name.split_once('/').and_then(|(_, bare)| behind(bare))).cloned()
    }

    /// What was said of the model that `provider` knows as `model`.
    #[must_use]
    pub fn at(&self, provider: &str, model: &str) -> Option<Said> {
        let all = self.inside();
        if all.is_empty() {
            return None;
        }
        let full = format!("{provider}/{model}");
        let own = || all.get(model).filter(|said| said.asked_as == model || said.asked_as == full);
        all.get(&full).or_else(own).cloned()
    }

    /// The model that has the role of this word; of several, the first by name. What is general is asked for by no role.
    #[must_use]
    pub fn for_role(&self, word: &str) -> Option<Said> {
        let role = ModelRole::parse(word).filter(|role| *role != ModelRole::General)?;
        self.inside().values().find(|said| said.role == role).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_its_name_by_how_it_is_asked_and_by_its_role() {
        let registered = Registered::default();
        let said = |asked_as: &str, role| Said {
            asked_as: asked_as.to_owned(),
            role,
            temperature: Some(0.2),
            max_tokens: None,
        };
        registered.set([
            ("b".to_owned(), said("engine/b", ModelRole::Judge)),
            ("a".to_owned(), said("engine/a", ModelRole::Judge)),
            ("org/c".to_owned(), said("org/c", ModelRole::General)),
            ("d:1b".to_owned(), said("d:1b", ModelRole::General)),
        ]);
        let asked_as = |found: Option<Said>| found.map(|said| said.asked_as);
        assert_eq!(asked_as(registered.of("a")).as_deref(), Some("engine/a"));
        assert_eq!(asked_as(registered.of("engine/b")).as_deref(), Some("engine/b"));
        assert_eq!(asked_as(registered.of("org/c")).as_deref(), Some("org/c"));
        assert_eq!(asked_as(registered.of("ollama/d:1b")).as_deref(), Some("d:1b"), "as the gateway lists it");
        assert_eq!((registered.of("ollama/a"), registered.of("judge")), (None, None), "another one's model");
        assert_eq!(asked_as(registered.at("engine", "a")).as_deref(), Some("engine/a"));
        assert_eq!(asked_as(registered.at("org", "c")).as_deref(), Some("org/c"));
        assert_eq!(registered.at("ollama", "a"), None);
        assert_eq!(asked_as(registered.for_role("judge")).as_deref(), Some("engine/a"));
        assert_eq!(registered.for_role("reward"), None);
        assert_eq!(registered.for_role("general"), None);
    }
}
