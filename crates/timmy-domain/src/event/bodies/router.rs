//! What events carry that tell of providers and models: who answers, who rests, what may leave, what is fetched.

use crate::Timestamp;

bodies! {
    /// A provider of models answers.
    ProviderUp {
        /// Which provider.
        provider: String,
        /// Models it offers, at most 20.
        models: Vec<String>,
    }
    /// A provider of models no longer answers.
    ProviderDown {
        /// Which provider.
        provider: String,
        /// Why, in words.
        why: String,
    }
    /// A model failed too often and is left alone for a while.
    CircuitOpened {
        /// Of which provider.
        provider: String,
        /// Which model; empty while its name is unknown.
        model: String,
        /// The last reason, in words.
        why: String,
        /// For how many seconds.
        seconds: i64,
    }
    /// A model that was left alone is well again.
    CircuitClosed {
        /// Of which provider.
        provider: String,
        /// Which model; empty while its name is unknown.
        model: String,
    }
    /// A provider has no key or no credit and is held back.
    ProviderHeld {
        /// Which provider.
        provider: String,
        /// Why, in words.
        why: String,
        /// For how many seconds.
        seconds: i64,
    }
    /// The owner switched a provider off or on.
    ProviderSwitched {
        /// Which provider.
        provider: String,
        /// Whether it is switched off now.
        disabled: bool,
    }
    /// The owner had the rests of a provider forgotten.
    CircuitReset {
        /// Which provider.
        provider: String,
    }
    /// The owner took back that the rests of a provider were forgotten.
    CircuitsBack {
        /// Which provider.
        provider: String,
    }
    /// The owner tried a provider out.
    ProviderTested {
        /// Which provider.
        provider: String,
        /// Which model answered; empty when none did.
        model: String,
        /// Why none did, in words; empty when one answered.
        why: String,
        /// How long it took, in milliseconds.
        ms: i64,
    }
    /// The owner put the providers into another order.
    ProvidersOrdered {
        /// The providers in their new order.
        providers: Vec<String>,
    }
    /// The owner keeps everything on this machine for a while, or no longer.
    LocalOnly {
        /// Until when; nothing when it is over by his word.
        until: Option<Timestamp>,
    }
    /// A budget for models is used up.
    BudgetReached {
        /// Which provider was not asked for it.
        provider: String,
        /// Whose budget: `day`, `provider` or `task`.
        budget: String,
    }
    /// A model was registered.
    ModelRegistered {
        /// Its name.
        name: String,
        /// How it lies on the disk.
        format: String,
        /// Where; empty for a model of an Ollama server.
        path: String,
        /// How it came: `pulled`, `pulled unverified`, `imported`, `registered` or `brought back`.
        how: String,
    }
    /// A model was taken out of the register.
    ModelRemoved {
        /// Its name.
        name: String,
        /// Whether its file was put aside, from where it can come back.
        file_aside: bool,
    }
    /// A model was switched on or off.
    ModelSwitched {
        /// Its name.
        name: String,
        /// Whether it may be asked now.
        active: bool,
    }
    /// An agent got a model of its own, or lost it.
    ModelAssigned {
        /// The agent.
        agent: String,
        /// The model; empty when it has none of its own any more.
        model: String,
    }
    /// A model is being fetched.
    ModelPullStarted {
        /// Its name.
        name: String,
        /// Its bytes.
        bytes: u64,
        /// Bytes of it that were there already.
        bytes_here: u64,
        /// From where.
        host: String,
    }
    /// How far a model has come.
    ModelPullProgress {
        /// Its name.
        name: String,
        /// Bytes that are here.
        bytes_here: u64,
        /// Its bytes.
        bytes: u64,
    }
    /// Fetching a model ended without it.
    ModelPullEnded {
        /// Its name.
        name: String,
        /// Why, in words.
        why: String,
        /// Bytes that are here, from where the next time goes on.
        bytes_here: u64,
    }
    /// How fast this machine reads was measured.
    ModelSpeedMeasured {
        /// Bytes of memory in a second.
        memory_read_bytes_per_second: u64,
        /// Bytes of the disk in a second; 0 when it could not be measured.
        disk_read_bytes_per_second: u64,
    }
}
