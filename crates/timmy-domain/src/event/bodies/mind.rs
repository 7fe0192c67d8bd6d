//! What events carry that tell of the mind: thoughts, rest, watched folders, the self.

use crate::observation::ObservationKind;
use crate::thought::{Place, SeedType};
use crate::{TaskId, ThoughtId, Timestamp};

bodies! {
    /// Timmy thought something, or the owner put a thought in.
    Thought {
        /// Its id.
        thought_id: ThoughtId,
        /// What it grew from.
        seed_type: SeedType,
        /// The first 200 characters.
        content: String,
        /// The thought before it.
        parent_id: Option<ThoughtId>,
        /// Who made it.
        provider: String,
        /// Which model.
        model: String,
        /// Where it was made.
        place: Place,
    }
    /// A thought was due and did not come.
    ThoughtMissed {
        /// What it would have grown from.
        seed_type: SeedType,
        /// Why it did not come, in words.
        why: String,
    }
    /// The owner stopped a thought in the making.
    ThoughtStopped {
        /// What it grew from.
        seed_type: SeedType,
    }
    /// Timmy rests instead of thinking.
    ThinkingRested {
        /// Why, in words.
        why: String,
        /// Until when; absent when only the owner ends it.
        until: Option<Timestamp>,
    }
    /// A thought moved through the queue of tasks by itself.
    ThinkingTask {
        /// The task.
        task_id: TaskId,
        /// What became of it, such as `created`, `started` or `completed`.
        act: String,
    }
    /// The owner paused thinking.
    ThinkingPaused {
        /// Until when; absent when only the owner ends it.
        until: Option<Timestamp>,
    }
    /// The owner let Timmy think again.
    ThinkingResumed {
    }
    /// The owner kept a thought.
    ThoughtKept {
        /// Which one.
        thought_id: ThoughtId,
    }
    /// The owner no longer keeps a thought.
    ThoughtReleased {
        /// Which one.
        thought_id: ThoughtId,
    }
    /// The owner asked for fewer thoughts like one, or took that back.
    ThoughtFewer {
        /// Which one.
        thought_id: ThoughtId,
        /// Its seed.
        seed_type: SeedType,
        /// The chance of this seed from now on, in percent of its usual chance.
        weight_percent: i64,
    }
    /// The owner pointed at a folder.
    WatchAdded {
        /// Number of the folder.
        folder_id: i64,
        /// Its path.
        path: String,
    }
    /// The owner no longer points at a folder.
    WatchRemoved {
        /// Number of the folder.
        folder_id: i64,
        /// Its path.
        path: String,
    }
    /// A watched folder cannot be read.
    WatchFailed {
        /// Number of the folder.
        folder_id: i64,
        /// Its path.
        path: String,
        /// Why, in words.
        why: String,
    }
    /// Timmy saw something in a watched folder.
    Observed {
        /// Number of the folder.
        folder_id: i64,
        /// The folder's name.
        folder: String,
        /// What kind of thing.
        kind: ObservationKind,
        /// One sentence.
        summary: String,
    }
    /// Files of `mind/` or its history were gone, and were begun anew.
    MindRenewed {
        /// Files that were written anew, relative to `mind/`, at most 20.
        files: Vec<String>,
        /// Whether the history was gone too, and begins anew.
        history: bool,
    }
    /// A file in `mind/` was edited and took effect.
    MindChanged {
        /// Which files, relative to `mind/`, at most 20.
        files: Vec<String>,
    }
}
