//! What events carry that tell of the house itself: start and stop, the store, the clock, backups, faults.

use crate::Timestamp;

bodies! {
    /// The server started.
    SystemStarted {
        /// Version of the binary.
        version: String,
        /// Address it listens on.
        address: String,
        /// How strong the fence around child processes was measured, such as `T3`; absent in older events.
        sandbox: Option<String>,
    }
    /// The server stops.
    SystemStopping {
        /// Why, in words.
        reason: String,
    }
    /// The last run ended without saying so.
    SystemCrashed {
        /// The last event of that run.
        last_seq: i64,
    }
    /// A check of the database ended well.
    StoreChecked {
        /// What was checked, such as `integrity` or `chain`.
        check: String,
        /// How many rows or pages were looked at.
        looked_at: i64,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// A check of the database found damage.
    StoreDamaged {
        /// What was checked.
        check: String,
        /// What is wrong, in words.
        finding: String,
    }
    /// Events that were kept long enough left the log.
    StorePruned {
        /// How many of them concerned the operator.
        operator: i64,
        /// How many of them were for whoever looks for a fault.
        debug: i64,
        /// The position of the first of them.
        first: i64,
        /// The position of the last of them.
        last: i64,
    }
    /// The places where events left the log are signed.
    StoreCheckpoint {
        /// How many checkpoints there are, one for each 256 positions from which events left.
        checkpoints: i64,
        /// How many events have left the log in all.
        removed: i64,
        /// The last position they speak of.
        upto: i64,
        /// Which key signed, by the first 16 digits of its hash.
        key: String,
    }
    /// The log goes on under another signing key.
    StoreKeyReplaced {
        /// The key that signs now, by the first 16 digits of its hash.
        key: String,
        /// The key before it.
        before: String,
        /// The first position it signs.
        since: i64,
    }
    /// The disk was full for a while, and is not any more.
    StoreResumed {
        /// When the first write was refused.
        full_since: Timestamp,
        /// How long writing was refused, in seconds.
        seconds: i64,
    }
    /// The machine's clock was set.
    ClockJumped {
        /// By how much, in seconds; negative when it was set back.
        seconds: i64,
    }
    /// A backup was made.
    BackupMade {
        /// Its file, in the folder `backups` of the home.
        file: String,
        /// Bytes of the file.
        bytes: i64,
        /// Who asked: `owner` or `nightly`.
        why: String,
        /// What is in it, such as `home` or `thoughts`.
        areas: Vec<String>,
        /// The last event in it.
        last_seq: i64,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// A backup could not be made.
    BackupFailed {
        /// Who asked: `owner` or `nightly`.
        why: String,
        /// What happened, in words.
        finding: String,
    }
    /// The nightly backup was left out.
    BackupSkipped {
        /// Bytes that are free.
        free_bytes: i64,
        /// Bytes that should be free.
        needed_bytes: i64,
    }
    /// A backup was unpacked and checked, and it is whole.
    BackupDrilled {
        /// Its file.
        file: String,
        /// Events whose chain was verified.
        events: i64,
        /// Rows of all tables, counted and as many as the backup says.
        rows: i64,
        /// How long it took, in milliseconds.
        duration_ms: i64,
    }
    /// A restore from a backup would fail.
    BackupDrillFailed {
        /// Its file.
        file: String,
        /// What is wrong, in words.
        finding: String,
    }
    /// A backup was put in place of the home.
    RestoreDone {
        /// The backup's file.
        file: String,
        /// When it was made.
        made_at: Timestamp,
        /// The last event in it.
        last_seq: i64,
        /// What the names of the files that were there before end in.
        kept_as: String,
    }
    /// One area of a backup was brought into this home.
    AreaImported {
        /// Which area.
        area: String,
        /// The backup's file.
        file: String,
        /// Things that were not here and are now.
        added: i64,
        /// Things that were here already, the same.
        same: i64,
        /// Things that were left as they are here, because they differ or have no room.
        refused: i64,
    }
    /// A component failed, or a request hit a fault of the house.
    ErrorCaptured {
        /// Which component or route.
        component: String,
        /// What happened, in one line.
        message: String,
        /// Same fault, same fingerprint: 16 hexadecimal digits.
        fingerprint: String,
        /// How often this fault was seen since the server started, this time included.
        count: u64,
        /// What Timmy does about it.
        action: String,
    }
    /// A component that had failed runs again.
    ComponentRecovered {
        /// Which component.
        component: String,
        /// How many times it was restarted since the server started.
        restarts: u64,
    }
    /// A reactor put an event aside.
    ReactorParked {
        /// Which reactor.
        reactor: String,
        /// The event it failed on.
        event_seq: i64,
        /// The last failure, in one line.
        message: String,
    }
}
