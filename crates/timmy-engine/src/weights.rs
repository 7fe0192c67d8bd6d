//! What the headers of model files mean for the memory that may be taken, kept as long as a file stays what it is: a
//! page that lists models is not to read their headers each time.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use timmy_domain::model::running::Weighed;
use timmy_domain::text::one_line;

use crate::runner::Runner;

/// Files that are remembered. Over that all are forgotten.
const FILES_MAX: usize = 200;

/// What tells a file from the one that lay there before.
type Seen = (u64, Option<SystemTime>);

/// What is known of files.
#[derive(Clone, Default)]
pub(crate) struct Weights(Arc<Mutex<BTreeMap<PathBuf, (Seen, Weighed)>>>);

impl Weights {
    /// What `file` means for whoever runs it, from its header alone. Refusals are not remembered.
    ///
    /// # Errors
    /// Why it cannot be run, a clause.
    pub(crate) fn of(
        &self,
        file: PathBuf,
        runner: Runner,
        memory_bytes: u64,
        context_tokens: Option<usize>,
    ) -> impl Future<Output = Result<Weighed, String>> + Send + use<> {
        let known = Arc::clone(&self.0);
        async move {
            // A file may lie on a disk that sleeps.
            let looked = tokio::task::spawn_blocking(move || {
                let about = fs::metadata(&file).map_err(|error| error.to_string())?;
                let seen = (about.len(), about.modified().ok());
                let kept = known.lock().unwrap_or_else(PoisonError::into_inner).get(&file).copied();
                if let Some((_, weighed)) = kept.filter(|(then, _)| *then == seen) {
                    return Ok(weighed);
                }
                let weighed = runner.weigh(&file, memory_bytes, context_tokens).map_err(|error| error.to_string())?;
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                if known.len() >= FILES_MAX {
                    known.clear();
                }
                known.insert(file, (seen, weighed));
                Ok(weighed)
            });
            let told = looked.await.unwrap_or_else(|_| Err("the look at it was interrupted".to_owned()));
            told.map_err(|why: String| one_line(&why))
        }
    }
}
