//! Model files that lie anywhere on the disk, by the names the owner gave them: whoever keeps the register writes them
//! here, and whoever runs model files reads. Nothing is copied.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// The registered files. A clone is another handle to the same ones.
#[derive(Clone, Debug, Default)]
pub struct ModelFiles(Arc<RwLock<BTreeMap<String, PathBuf>>>);

impl ModelFiles {
    /// These are the registered files from now on.
    pub fn set(&self, files: impl IntoIterator<Item = (String, PathBuf)>) {
        let files = files.into_iter().collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = files;
    }

    /// One more, or another place for one.
    pub fn put(&self, name: String, path: PathBuf) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name, path);
    }

    /// Where the file called `name` lies.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<PathBuf> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All of them, by name.
    #[must_use]
    pub fn all(&self) -> Vec<(String, PathBuf)> {
        let files = self.0.read().unwrap_or_else(PoisonError::into_inner);
        files.iter().map(|(name, path)| (name.clone(), path.clone())).collect()
    }
}
