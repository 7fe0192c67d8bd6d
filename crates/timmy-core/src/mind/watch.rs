//! The folders the owner points at: adding and removing them, and looking at what changed.

use std::path::PathBuf;
use std::time::Duration;

use timmy_domain::bus::Pattern;
use timmy_domain::event::{Observed, WatchAdded, WatchFailed, WatchRemoved};
use timmy_domain::observation::{WATCHED_FOLDERS_MAX, WatchedFolder};
use timmy_domain::{Actor, NewEvent, Problem};
use timmy_store::StoreError;
use timmy_tools::folder::{self, Limits};

use crate::clock::BoxFuture;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::reconcile::{Found, Reconciler};

/// The watched folders. Cheap to clone.
#[derive(Clone)]
pub struct Watch {
    ctx: Ctx,
    /// Where `~` points.
    user_home: Option<PathBuf>,
}

impl Watch {
    /// The watched folders of `ctx`; `~` in a path means `user_home`.
    #[must_use]
    pub fn new(ctx: Ctx, user_home: Option<PathBuf>) -> Self {
        Self { ctx, user_home }
    }

    /// Points Timmy at the folder at `path`. A folder that is watched already is answered as it is.
    ///
    /// # Errors
    /// When it is no readable folder, when too many are watched, or when the store fails.
    pub async fn add(&self, path: &str) -> Result<WatchedFolder, Problem> {
        let resolved = folder::resolve(path, self.user_home.as_deref())?;
        let text = resolved.to_str().map(str::to_owned).ok_or_else(|| {
            Problem::invalid(
                "path_not_text",
                "The path is not valid UTF-8.",
                "Rename the folder, or watch the folder above it.",
            )
        })?;
        let name = resolved.file_name().and_then(|n| n.to_str()).unwrap_or(&text).to_owned();
        let added = self.ctx.store.write(move |tx| {
            let known = tx.folders()?;
            if let Some(folder) = known.iter().find(|f| f.path == text) {
                return Ok(Some(folder.clone()));
            }
            if known.len() >= WATCHED_FOLDERS_MAX {
                return Ok(None);
            }
            let folder = tx.add_folder(&text, &name)?;
            let body = WatchAdded { folder_id: folder.id, path: folder.path.clone() };
            tx.append(NewEvent::new("watch", body).by(Actor::Owner))?;
            Ok(Some(folder))
        });
        added.await.map_err(|e| e.problem())?.ok_or_else(|| {
            Problem::conflict(
                "too_many_folders",
                format!("{WATCHED_FOLDERS_MAX} folders are watched already."),
                "Remove one with `timmy watch remove DIR`, or watch the folder above several.",
            )
        })
    }

    /// All watched folders.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(&self) -> Result<Vec<WatchedFolder>, Problem> {
        self.ctx.store.read(|r| r.folders()).await.map_err(|e| e.problem())
    }

    /// Stops watching the folder that `which` names: its number, its path, or its name when no other has it.
    /// What was seen in it is no longer looked at; thoughts and events about it stay. The folder itself is not touched.
    ///
    /// # Errors
    /// When no folder, or more than one, is meant, or the store fails.
    pub async fn remove(&self, which: &str) -> Result<WatchedFolder, Problem> {
        let folders = self.list().await?;
        let resolved =
            folder::resolve(which, self.user_home.as_deref()).ok().and_then(|p| p.to_str().map(str::to_owned));
        let is_meant = |f: &&WatchedFolder| {
            f.id.to_string() == which || f.path == which || f.name == which || Some(&f.path) == resolved.as_ref()
        };
        let mut meant = folders.iter().filter(is_meant);
        let (first, second) = (meant.next(), meant.next());
        let Some(target) = first.cloned() else {
            return Err(Problem::unknown(
                "unknown_folder",
                format!("No watched folder is called {which:?}."),
                "`timmy watch list` lists them.",
            ));
        };
        if second.is_some() {
            return Err(Problem::conflict(
                "ambiguous_folder",
                format!("More than one watched folder is called {which:?}."),
                "Give the number or the whole path; `timmy watch list` shows both.",
            ));
        }
        let gone = target.clone();
        let removed = self.ctx.store.write(move |tx| {
            if tx.remove_folder(gone.id)?.is_none() {
                return Ok(());
            }
            let body = WatchRemoved { folder_id: gone.id, path: gone.path };
            tx.append(NewEvent::new("watch", body).by(Actor::Owner)).map(|_| ())
        });
        removed.await.map_err(|e| e.problem())?;
        Ok(target)
    }
}

/// Looks at every watched folder, again and again.
pub struct Watcher;

impl Watcher {
    async fn look_at_all(ctx: &Ctx) -> Result<Found, Fault> {
        let folders = ctx.store.read(|r| r.folders()).await?;
        if folders.is_empty() {
            return Ok(Found::Well("no folder is watched".to_owned()));
        }
        let (count, mut seen, mut unreadable) = (folders.len(), 0, Vec::new());
        for folder in folders {
            match folder::look(folder.path.as_ref(), folder.mark.as_deref(), ctx.now(), &Limits::default()).await {
                Ok(look) => seen += Self::keep(ctx, folder, look).await?,
                Err(error) => {
                    unreadable.push(folder.name.clone());
                    Self::keep_failure(ctx, folder, error.to_string()).await?;
                }
            }
        }
        if unreadable.is_empty() {
            Ok(Found::Well(format!("looked at {count}, saw {seen} new")))
        } else {
            Ok(Found::Trouble(format!("cannot read {}", unreadable.join(", "))))
        }
    }

    /// Stores what was seen, its events and the mark in one transaction. A folder removed meanwhile stays removed.
    async fn keep(ctx: &Ctx, folder: WatchedFolder, look: folder::Look) -> Result<usize, Fault> {
        let kept = ctx.store.write(move |tx| {
            if tx.folder(folder.id)?.is_none() {
                return Ok(0);
            }
            for seen in &look.observations {
                let stored = tx.insert_observation(folder.id, seen.kind, &seen.summary, &seen.detail)?;
                let body = Observed {
                    folder_id: folder.id,
                    folder: folder.name.clone(),
                    kind: seen.kind,
                    summary: stored.summary,
                };
                tx.append(NewEvent::new("watch", body).by(Actor::Timmy))?;
            }
            let now = tx.now();
            tx.folder_scanned(folder.id, Some(&look.mark), "", now)?;
            Ok(look.observations.len())
        });
        Ok(kept.await?)
    }

    /// Notes why a folder cannot be read; an event tells it once, not at every look.
    async fn keep_failure(ctx: &Ctx, folder: WatchedFolder, why: String) -> Result<(), StoreError> {
        let work = move |tx: &mut timmy_store::Tx<'_>| {
            let now = tx.now();
            let watched = tx.folder_scanned(folder.id, folder.mark.as_deref(), &why, now)?;
            if watched && folder.error != why {
                let body = WatchFailed { folder_id: folder.id, path: folder.path.clone(), why: why.clone() };
                tx.append(NewEvent::new("watch", body).by(Actor::Timmy))?;
            }
            Ok(())
        };
        ctx.store.write(work).await
    }
}

impl Reconciler for Watcher {
    fn name(&self) -> &'static str {
        "mind.watch"
    }

    fn period(&self, ctx: &Ctx) -> Duration {
        Duration::from_secs(ctx.settings.watch.interval_seconds)
    }

    fn wakes_on(&self) -> Vec<Pattern> {
        vec![Pattern::Exact("watch.added".to_owned())]
    }

    fn run<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Result<Found, Fault>> {
        Box::pin(Self::look_at_all(ctx))
    }
}
