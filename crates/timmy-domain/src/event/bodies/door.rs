//! What events carry that tell of the door: logins, tokens, settings.

bodies! {
    /// Somebody logged in.
    LoginSucceeded {
        /// How: `code` or `password`.
        how: String,
    }
    /// Somebody failed to log in.
    LoginFailed {
        /// How they tried.
        how: String,
        /// Failures in a row so far.
        failures: u64,
    }
    /// A session ended by the owner's wish.
    LoginEnded {
    }
    /// Sessions of browsers were ended from the list of sessions.
    LoginSessionsEnded {
        /// How many.
        sessions_ended: u64,
        /// The public handle of the one that was meant; none when all others were.
        session: Option<String>,
    }
    /// The owner set a password, or another one.
    LoginPasswordSet {
        /// Sessions that ended with it.
        sessions_ended: u64,
    }
    /// The owner took the password away.
    LoginPasswordRemoved {
        /// Sessions that ended with it.
        sessions_ended: u64,
    }
    /// The owner made a token.
    TokenCreated {
        /// Its name.
        name: String,
        /// What it may do.
        scope: String,
    }
    /// The owner withdrew a token.
    TokenRevoked {
        /// Its name.
        name: String,
    }
    /// The owner changed a setting in the configuration file; it takes effect at the next start.
    SettingsChanged {
        /// Section and key with a dot between. The value is in the file and nowhere else.
        key: String,
        /// Whether it was set; otherwise it was taken out and its default holds.
        set: bool,
    }
}
