//! Acts that need no undoing, each with its sentence.

/// What needs no undoing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A thought was put in.
    PutIn,
    /// A thought was put in, and no model is there to go on from it.
    PutInAlone,
    /// No thought came: nothing is new, and no model answers.
    NothingNew,
    /// A thought is being made already.
    Making,
    /// The thought gave way to the conversation.
    GaveWay,
    /// Settings were written.
    SettingSaved,
    /// A form of settings said what the file says.
    NothingToSave,
    /// A setting is as usual again.
    SettingUnset,
    /// The keys of this device were changed.
    KeysSaved,
    /// A token was withdrawn.
    TokenRevoked,
    /// A session was ended.
    SessionEnded,
    /// All other sessions were ended.
    SessionsEnded,
    /// A backup was made.
    BackedUp,
    /// A backup is being made.
    BackingUp,
    /// The password was set.
    PasswordSet,
    /// The password was taken away.
    PasswordRemoved,
    /// A task was changed.
    TaskEdited,
    /// A task was vetoed.
    TaskVetoed,
    /// A task takes its turn again.
    TaskResumed,
    /// A task was cancelled.
    TaskCancelled,
    /// A failed task is tried again.
    TaskRetried,
    /// The owner did a task himself.
    TaskDone,
    /// A task stands where it stood before.
    TaskPutBack,
    /// Something a task produced was rated.
    Rated,
    /// What a task came to was sent back; this is the one that is to do it better.
    SentBack,
    /// A question was answered with yes.
    SaidYes,
    /// A question was answered with no.
    SaidNo,
    /// A yes was taken back.
    TookBack,
    /// A rule was made.
    RuleMade,
    /// A rule was revoked.
    RuleRevoked,
    /// A model is being fetched.
    ModelComes,
    /// A model comes from an address, without a checksum.
    ModelUnverified,
    /// Fetching a model was stopped.
    ModelStopped,
    /// The house works with another model.
    ModelUsed,
    /// A model was switched on or off.
    ModelSwitched,
    /// A removed model is back.
    ModelBack,
    /// Rests that were forgotten hold again.
    RestsBack,
    /// A provider is being tried out.
    TrialBegun,
    /// The trial of a provider was given up.
    TrialStopped,
}

impl Note {
    /// All of them, with the word of the cookie and the sentence.
    pub(super) const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Self::PutIn, "put", "The thought joined the thread. Timmy goes on from it soon."),
        (
            Self::PutInAlone,
            "alone",
            "The thought joined the thread. No model answers, so nobody goes on from it yet; Timmy will when one does.",
        ),
        (
            Self::NothingNew,
            "nothing",
            "No new thought: nothing changed since the last one, and without a model Timmy only says what changed.",
        ),
        (Self::Making, "making", "A thought is being made already. It appears here within a moment."),
        (Self::GaveWay, "gaveway", "The thought gave way: you are talking with Timmy."),
        (Self::SettingSaved, "saved", "Written to timmy.toml. It takes effect at the next start."),
        (Self::NothingToSave, "same", "Nothing differs from the file, so nothing was written."),
        (Self::SettingUnset, "unset", "Taken out of timmy.toml. The default takes effect at the next start."),
        (Self::KeysSaved, "keys", "The keys of this device are saved."),
        (Self::TokenRevoked, "revoked", "The token is revoked and refused from now on."),
        (Self::SessionEnded, "sessionended", "The session is ended, and what it had open is closed."),
        (Self::SessionsEnded, "sessionsended", "Every other browser is logged out."),
        (Self::BackedUp, "backup", "A backup was made and checked."),
        (Self::BackingUp, "backingup", "A backup is being made. It stands in Settings when it is whole."),
        (Self::PasswordSet, "password", "The password is set. Every other browser is logged out."),
        (Self::PasswordRemoved, "nopassword", "The password is gone. Every other browser is logged out."),
        (Self::TaskEdited, "taskedited", "The task is changed."),
        (Self::TaskVetoed, "taskvetoed", "Vetoed. The task is not done, and what ran is stopped."),
        (Self::TaskResumed, "taskresumed", "The task takes its turn again."),
        (Self::TaskCancelled, "taskcancelled", "Cancelled. The task is over."),
        (Self::TaskRetried, "taskretried", "The task is tried again from the start."),
        (Self::TaskDone, "taskdone", "Done. The task is off the list."),
        (Self::TaskPutBack, "taskputback", "The task stands where it stood."),
        (Self::Rated, "rated", "Noted. You can say otherwise at any time."),
        (Self::SentBack, "sentback", "Sent back. This task is to do it better, with your remark and what there was."),
        (Self::SaidYes, "yes", "Approved. It is done once, exactly as shown."),
        (Self::SaidNo, "no", "Rejected. It is not done."),
        (Self::TookBack, "tookback", "The yes is taken back. It is not done."),
        (Self::RuleMade, "rulemade", "The rule is in force. It stands among your rules, where you can revoke it."),
        (Self::RuleRevoked, "rulerevoked", "The rule is revoked. Timmy asks again."),
        (Self::ModelComes, "modelcomes", "The model comes. It is checked before it is used."),
        (Self::ModelUnverified, "modelunverified", "The model comes. Without a checksum nothing of it is verified."),
        (Self::ModelStopped, "modelstopped", "Stopped. What came stays, and the next time goes on from there."),
        (Self::ModelUsed, "modelused", "Timmy works with this model, wherever a provider has it."),
        (Self::ModelSwitched, "modelswitched", "The model is switched."),
        (Self::ModelBack, "modelback", "The model is back."),
        (Self::RestsBack, "restsback", "It rests as it did before."),
        (Self::TrialBegun, "trial", "It is asked one small question. Its rung shows how it goes."),
        (Self::TrialStopped, "trialstop", "The trial is given up."),
    ];

    /// The word of the cookie and the sentence.
    pub(super) fn row(self) -> (&'static str, &'static str) {
        Self::ALL.iter().find(|(note, _, _)| *note == self).map_or(("", ""), |(_, word, text)| (word, text))
    }
}
