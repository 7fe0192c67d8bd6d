//! What events carry that tell of tools, questions to the owner, and rules.

use crate::{ApprovalId, Digest, RuleId, Timestamp};

bodies! {
    /// A tool is about to be used.
    ToolCalled {
        /// The tool.
        tool: String,
        /// The hash of what exactly it does.
        plan_hash: Digest,
    }
    /// A tool was used: the receipt.
    ToolCompleted {
        /// The tool.
        tool: String,
        /// The hash of what exactly it did.
        plan_hash: Digest,
        /// Files that were read or changed, as far as they are named.
        files: Vec<String>,
        /// Hosts that were asked.
        hosts: Vec<String>,
        /// Bytes that came in.
        bytes_in: u64,
        /// Bytes that went out.
        bytes_out: u64,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// Whether there was more than is told.
        truncated: bool,
        /// Whether the effect was there already, from a run that was cut off.
        was_done: bool,
    }
    /// A tool could not be used, or what it tried did not work.
    ToolFailed {
        /// The tool.
        tool: String,
        /// The hash of what exactly it was to do; `None` when there was no plan.
        plan_hash: Option<Digest>,
        /// What went wrong.
        reason: String,
    }
    /// Something waits for the owner's word.
    ApprovalRequested {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// How risky it is, from 0 to 100.
        risk: u8,
        /// The hash of the plan that a yes would be bound to.
        plan_hash: Option<Digest>,
        /// When the question lapses.
        expires_at: Timestamp,
    }
    /// A rule let something of middling risk run.
    PolicyAllowed {
        /// The tool.
        tool: String,
        /// What exactly, in one line made from the plan.
        title: String,
        /// How risky it is, from 0 to 100.
        risk: u8,
        /// The rule.
        rule_id: RuleId,
        /// The hash of what exactly it does.
        plan_hash: Digest,
        /// The task it belongs to, if any.
        task_id: Option<String>,
    }
    /// Questions came in the quiet hours, which are over now.
    ApprovalGathered {
        /// How many of them still wait.
        count: u64,
    }
    /// The owner said yes.
    ApprovalApproved {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// The owner said no.
    ApprovalRejected {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Nobody answered in time, or a yes was not used in time.
    ApprovalExpired {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Another question took its place.
    ApprovalSuperseded {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Whoever asked no longer wants it.
    ApprovalWithdrawn {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// The yes was used.
    ApprovalConsumed {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// The owner took the yes back.
    ApprovalRevoked {
        /// Which approval.
        approval_id: ApprovalId,
        /// What it is about, as kind and id with a colon between.
        subject: String,
        /// The question in one line.
        title: String,
        /// Who did it: the actor, and through which key.
        by: String,
        /// Why, in their words; empty when nothing was said.
        reason: String,
    }
    /// Something was refused without asking.
    PolicyDenied {
        /// The tool that was to be used.
        tool: String,
        /// The rule that refused it.
        rule: String,
        /// What it found, in words.
        why: String,
        /// The hash of the plan.
        plan_hash: Digest,
    }
    /// The owner turned the strict profile on or off.
    GoldenChanged {
        /// Whether it is on.
        on: bool,
    }
    /// The owner made a rule.
    RuleCreated {
        /// Which rule.
        rule_id: RuleId,
        /// What it allows, in one line.
        title: String,
        /// Who made it, and through which key.
        by: String,
    }
    /// The owner took a rule back.
    RuleRevoked {
        /// Which rule.
        rule_id: RuleId,
        /// What it allowed, in one line.
        title: String,
        /// Who took it back, and through which key.
        by: String,
    }
    /// The owner's answers suggest a rule.
    RuleSuggested {
        /// What it would allow, in one line.
        title: String,
        /// How often the owner said yes to this shape.
        approvals: u64,
        /// Names the shape, so that it is suggested once.
        shape: Digest,
    }
}
