//! Further hosts of a pull: a hub sends on to where its files lie, and each host stands in the ledger of what leaves
//! before it is asked.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use timmy_llm::pull::{Asked, Further, Gate, PullFailure};
use timmy_llm::{Cascade, Errand};
use tokio::sync::Mutex;

/// The further hosts of one pull, each entered once.
pub(super) struct Hosts {
    cascade: Cascade,
    model: String,
    entered: Mutex<BTreeMap<String, Errand>>,
}

impl Hosts {
    pub fn of(cascade: &Cascade, model: &str) -> Self {
        Self { cascade: cascade.clone(), model: model.to_owned(), entered: Mutex::default() }
    }

    /// The pull is over; `well` says whether the file came.
    pub async fn back(&self, well: bool) {
        let entered = std::mem::take(&mut *self.entered.lock().await);
        entered.values().for_each(|errand| self.cascade.back(errand, well));
    }
}

impl Gate for Hosts {
    fn may_ask<'a>(&'a self, further: &'a Further) -> Asked<'a> {
        Box::pin(async move {
            let mut entered = self.entered.lock().await;
            let Entry::Vacant(new) = entered.entry(further.host.clone()) else { return Ok(()) };
            if further.leaves {
                let errand = self.cascade.fetches(&self.model, &further.host, further.bytes).await;
                new.insert(errand.map_err(|why| PullFailure::Stays { what: why.to_string() })?);
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex as Plain};

    use timmy_llm::{Books, BoxFuture, Leaving, Rules};

    use super::*;

    /// Books that only remember: host, purpose, and how it ended.
    #[derive(Default)]
    struct Till(Plain<Vec<(String, &'static str, Option<bool>)>>);

    impl Books for Till {
        fn enter<'a>(&'a self, leaving: &'a Leaving) -> BoxFuture<'a, Result<i64, String>> {
            let mut lines = self.0.lock().expect("not poisoned");
            lines.push((leaving.host.clone(), leaving.why, None));
            let line = lines.len() as i64 - 1;
            Box::pin(async move { Ok(line) })
        }

        fn settle(&self, line: i64, _: u64, answered: bool) {
            self.0.lock().expect("not poisoned")[usize::try_from(line).expect("a line")].2 = Some(answered);
        }
    }

    fn further(host: &str, leaves: bool) -> Further {
        Further { host: host.to_owned(), bytes: 40, leaves }
    }

    // shows: models: the host to which a hub sends on stands in the ledger, once for each pull, and needs the same leave
    #[tokio::test]
    async fn each_further_host_stands_in_the_books_once_and_needs_leave() {
        let cascade = Cascade::with(Vec::new(), Rules::default());
        let till = Arc::new(Till::default());
        cascade.keep_books(till.clone());
        let hosts = Hosts::of(&cascade, "small");
        for host in [further("files.test", true), further("files.test", true), further("127.0.0.1:8", false)] {
            hosts.may_ask(&host).await.expect("leave");
        }
        let lines = || till.0.lock().expect("not poisoned").clone();
        assert_eq!(lines(), [("files.test".to_owned(), "pull", None)]);
        hosts.back(true).await;
        assert_eq!(lines(), [("files.test".to_owned(), "pull", Some(true))]);
        cascade.keep_local(Some(std::time::Duration::from_secs(60)));
        let refused = hosts.may_ask(&further("other.test", true)).await;
        assert!(matches!(refused, Err(PullFailure::Stays { .. })), "{refused:?}");
        assert_eq!((hosts.may_ask(&further("localhost:8", false)).await, lines().len()), (Ok(()), 1));
    }
}
