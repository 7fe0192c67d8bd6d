//! The state machine of one run: what comes next, and what a reply to it makes of the run.
//!
//! [`Run::next`] says what is to be done; whoever did it tells with [`Run::take`]. Between the two the run is written
//! down, so a process that dies anywhere goes on where it stood: what was merely about to be done is done, what may
//! have been done is looked at before anything is done again ([`Effect::Recover`]).

use serde::{Deserialize, Serialize};
use timmy_domain::ApprovalId;
use timmy_domain::digest::{Digest, canonical};
use timmy_domain::plan::{Plan, Taint};
use timmy_domain::task::step::Outcome;
use timmy_domain::text::cut;

/// Times the model is asked in one run.
pub const MODEL_CALLS_MAX: u32 = 16;
/// Tokens one run may read and write.
pub const RUN_TOKENS_MAX: u64 = 120_000;
/// Tools that are called for one answer of the model; the rest of them is not heard.
pub const CALLS_PER_ANSWER_MAX: usize = 8;
/// Times the same call may be made; the next one is refused, and the run ends when it comes again.
pub const SAME_CALL_MAX: usize = 2;
/// Lines of evidence a run keeps.
pub const EVIDENCE_MAX: usize = 40;
/// Characters of an answer that are kept.
const ANSWER_CHARS_MAX: usize = 20_000;
/// Bytes of a tool's text that the model reads again and again.
const TOLD_CHARS_MAX: usize = 8_000;

/// A call that the model asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The model's name for it.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// The arguments as the model wrote them.
    pub arguments: String,
}

impl Call {
    /// Its name: calls of the same tool with the same arguments have the same one.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let args = serde_json::from_str::<serde_json::Value>(&self.arguments);
        let args = args.map_or_else(|_| self.arguments.clone(), |value| canonical(&value));
        Digest::of(format!("{}\0{args}", self.tool).as_bytes())
    }
}

/// One thing that was said in the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
pub enum Turn {
    /// The model spoke.
    Model {
        /// Its words.
        text: String,
        /// What it wants to be called.
        calls: Vec<Call>,
    },
    /// A tool was called, or was not, and why.
    Tool {
        /// The call.
        call_id: String,
        /// What the model reads.
        text: String,
        /// Whether it was done.
        done: bool,
    },
    /// The house told the model something.
    House {
        /// The words.
        text: String,
    },
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// The model is asked next.
    Ask,
    /// The call with this index of the model's last answer is planned and judged next.
    Judge {
        /// Which call.
        at: usize,
    },
    /// The owner has been asked about this plan.
    Wait {
        /// Which call.
        at: usize,
        /// The question.
        approval: ApprovalId,
        /// What exactly would be done.
        plan: Box<Plan>,
    },
    /// This plan may be carried out. It may have been, when the run is found so after a crash.
    Do {
        /// Which call.
        at: usize,
        /// What exactly is done.
        plan: Box<Plan>,
        /// The question it was allowed by, if it was asked.
        approval: Option<ApprovalId>,
    },
    /// The run is over.
    Over,
}

/// Millionths of a US dollar for people, such as `$0.25`; what is less than a cent to its last digit.
fn dollars(micros: u64) -> String {
    let (whole, part) = (micros / 1_000_000, micros % 1_000_000);
    if part % 10_000 == 0 { format!("${whole}.{:02}", part / 10_000) } else { format!("${whole}.{part:06}") }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Where it stands.
    pub phase: Phase,
    /// What was said, oldest first.
    pub turns: Vec<Turn>,
    /// How often the model was asked.
    pub model_calls: u32,
    /// Tokens that were read and written.
    pub tokens: u64,
    /// What the models cost, in millionths of a US dollar; nothing for those of this machine.
    #[serde(default)]
    pub cost_micros: u64,
    /// Where what was read came from; each origin once.
    pub taint: Vec<Taint>,
    /// What tools proved; one line each.
    pub evidence: Vec<String>,
    /// Calls that were made, by their names.
    pub made: Vec<Digest>,
    /// Whether the model was told once that it claims what nothing shows.
    pub doubted: bool,
    /// How it ended, once it has.
    pub outcome: Option<Ended>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", content = "why", rename_all = "snake_case")]
pub enum Ended {
    /// Done, with what came of it.
    Done(String),
    /// It cannot go on as it stands.
    Stuck(String),
    /// It may work later.
    Later(String),
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask the model.
    AskModel,
    /// Plan this call and have it judged.
    Judge(Call),
    /// Look at what the owner said to this question; carry `plan` out after a yes.
    Look {
        /// The question.
        approval: ApprovalId,
        /// What would be done.
        plan: Box<Plan>,
    },
    /// Carry this out.
    Do {
        /// What exactly.
        plan: Box<Plan>,
        /// The question it was allowed by.
        approval: Option<ApprovalId>,
    },
    /// Find out what became of this, which was about to be done when the process died.
    Recover {
        /// What exactly.
        plan: Box<Plan>,
        /// The question it was allowed by.
        approval: Option<ApprovalId>,
    },
    /// The run is over.
    Finish(Outcome),
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// The model answered.
    Said {
        /// Its words.
        text: String,
        /// What it wants to be called.
        calls: Vec<Call>,
        /// Tokens read and written.
        tokens: u64,
        /// What it cost, in millionths of a US dollar.
        cost_micros: u64,
    },
    /// The run has spent what one run may, in millionths of a US dollar.
    Spent(u64),
    /// No model answered.
    Silent(String),
    /// The model was asked as often as one of its size is.
    Enough(u32),
    /// The plan may be carried out.
    Allowed {
        /// The plan.
        plan: Box<Plan>,
        /// The question it was allowed by.
        approval: Option<ApprovalId>,
    },
    /// The owner has to be asked about the plan, and is.
    Asked {
        /// The plan.
        plan: Box<Plan>,
        /// The question.
        approval: ApprovalId,
    },
    /// Not answered yet.
    NotYet,
    /// Nothing was done, and the call is to be planned anew.
    Again,
    /// The call was not made, and why: it did not fit, was refused, or the owner said no.
    Refused(String),
    /// The tool was called.
    Did {
        /// What it said.
        text: String,
        /// What it proves.
        evidence: Vec<String>,
        /// Where its words come from.
        taint: Vec<Taint>,
        /// Whether it went well.
        well: bool,
    },
}

impl Default for Run {
    fn default() -> Self {
        Self {
            phase: Phase::Ask,
            turns: Vec::new(),
            model_calls: 0,
            tokens: 0,
            cost_micros: 0,
            taint: Vec::new(),
            evidence: Vec::new(),
            made: Vec::new(),
            doubted: false,
            outcome: None,
        }
    }
}

impl Run {
    /// What is to be done next. `found` says that the run was just read after a start, so that what stands as being
    /// done may have been done.
    #[must_use]
    pub fn next(&self, found: bool) -> Effect {
        match &self.phase {
            Phase::Ask => Effect::AskModel,
            Phase::Judge { at } => match self.call(*at) {
                Some(call) => Effect::Judge(call.clone()),
                None => Effect::AskModel,
            },
            Phase::Wait { approval, plan, .. } => Effect::Look { approval: *approval, plan: plan.clone() },
            Phase::Do { plan, approval, .. } if found => Effect::Recover { plan: plan.clone(), approval: *approval },
            Phase::Do { plan, approval, .. } => Effect::Do { plan: plan.clone(), approval: *approval },
            Phase::Over => Effect::Finish(self.ended()),
        }
    }

    /// The calls of the model's last answer.
    #[must_use]
    pub fn calls(&self) -> &[Call] {
        self.turns
            .iter()
            .rev()
            .find_map(|turn| if let Turn::Model { calls, .. } = turn { Some(calls.as_slice()) } else { None })
            .unwrap_or_default()
    }

    fn call(&self, at: usize) -> Option<&Call> {
        self.calls().get(at)
    }

    fn at(&self) -> usize {
        match self.phase {
            Phase::Judge { at } | Phase::Wait { at, .. } | Phase::Do { at, .. } => at,
            Phase::Ask | Phase::Over => 0,
        }
    }

    fn ended(&self) -> Outcome {
        match self.outcome.clone() {
            Some(Ended::Done(result)) => Outcome::Done(result),
            Some(Ended::Stuck(why)) => Outcome::Permanent(why),
            Some(Ended::Later(why)) => Outcome::Transient(why),
            None => Outcome::Permanent("the run ended without a result".to_owned()),
        }
    }

    fn end(&mut self, how: Ended) {
        self.outcome = Some(how);
        self.phase = Phase::Over;
    }

    /// The same run, to be gone on with after it could not go on: the model is asked again.
    #[must_use]
    pub fn resumed(mut self) -> Self {
        self.phase = Phase::Ask;
        self.outcome = None;
        self
    }

    /// What `reply` makes of the run. A reply to something that was not asked changes nothing.
    pub fn take(&mut self, reply: Reply) {
        match (&self.phase, reply) {
            (Phase::Ask, Reply::Said { text, calls, tokens, cost_micros }) => {
                self.cost_micros = self.cost_micros.saturating_add(cost_micros);
                self.said(&text, calls, tokens);
            }
            (Phase::Ask, Reply::Spent(max)) => {
                let why = format!(
                    "its models cost {}, and one run may spend {}; nothing more was asked. Take it up again to let it \
                     spend as much once more, raise [trust] run_cost_micros_max, or choose a model of this machine",
                    dollars(self.cost_micros),
                    dollars(max)
                );
                self.cost_micros = 0;
                self.end(Ended::Stuck(why));
            }
            (Phase::Ask, Reply::Enough(calls)) => {
                // Taken up again by the owner, it may ask as often once more; the tokens of the run still bound it.
                self.model_calls = 0;
                self.end(Ended::Stuck(format!(
                    "{calls} answers of a small model did not suffice; choose a larger model, or make the task smaller"
                )));
            }
            (Phase::Ask, Reply::Silent(why)) => self.end(Ended::Later(why)),
            (Phase::Judge { at }, Reply::Allowed { plan, approval }) => {
                self.phase = Phase::Do { at: *at, plan, approval }
            }
            (Phase::Judge { at }, Reply::Asked { plan, approval }) => {
                self.phase = Phase::Wait { at: *at, plan, approval }
            }
            (Phase::Wait { at, .. }, Reply::Allowed { plan, approval }) => {
                self.phase = Phase::Do { at: *at, plan, approval };
            }
            (phase @ (Phase::Judge { .. } | Phase::Wait { .. } | Phase::Do { .. }), Reply::Refused(why)) => {
                // Why a call does not fit may repeat names and messages from outside.
                if matches!(phase, Phase::Judge { .. }) && !self.taint.contains(&Taint::Tool) {
                    self.taint.push(Taint::Tool);
                    self.taint.sort();
                }
                self.told(&why, false);
            }
            (Phase::Do { at, .. } | Phase::Wait { at, .. }, Reply::Again) => self.phase = Phase::Judge { at: *at },
            (Phase::Do { .. }, Reply::Did { text, evidence, taint, well }) => {
                self.taint.extend(taint);
                self.taint.sort();
                self.taint.dedup();
                self.evidence.extend(evidence);
                self.evidence.truncate(EVIDENCE_MAX);
                self.told(&text, well);
            }
            _ => {}
        }
    }

    fn said(&mut self, text: &str, calls: Vec<Call>, tokens: u64) {
        self.model_calls += 1;
        self.tokens = self.tokens.saturating_add(tokens);
        let text = cut(text, ANSWER_CHARS_MAX);
        if calls.is_empty() {
            self.turns.push(Turn::Model { text: text.clone(), calls: Vec::new() });
            return self.claims(&text);
        }
        let calls: Vec<Call> = calls.into_iter().take(CALLS_PER_ANSWER_MAX).collect();
        self.turns.push(Turn::Model { text, calls });
        self.turn_to(0);
    }

    /// The model says that it is done. It is believed when nothing it did went wrong at last; else it is told so once.
    fn claims(&mut self, text: &str) {
        let failed = self.turns.iter().rev().find_map(|turn| match turn {
            Turn::Tool { done, .. } => Some(!done),
            _ => None,
        });
        match failed {
            _ if text.trim().is_empty() => self.end(Ended::Later("the model said nothing".to_owned())),
            Some(true) if self.doubted => self.end(Ended::Stuck(format!(
                "the model says it is done, yet the last thing it tried was not done. It said: {text}"
            ))),
            Some(true) => {
                self.doubted = true;
                self.turns.push(Turn::House {
                    text: "The last call was not done, so this is not finished. Find another way, or say plainly what \
                           cannot be done and why."
                        .to_owned(),
                });
                self.ask_again();
            }
            Some(false) => {
                let shown = self.evidence.join("\n- ");
                self.end(Ended::Done(format!("{text}\n\nEvidence:\n- {shown}")));
            }
            None => {
                self.end(Ended::Done(format!("{text}\n\nNo tool was used: these are words, and nothing was changed.")));
            }
        }
    }

    /// Goes on with the call `at` of the last answer, or asks the model when all were made.
    fn turn_to(&mut self, at: usize) {
        let Some(call) = self.call(at).cloned() else { return self.ask_again() };
        self.phase = Phase::Judge { at };
        let name = call.fingerprint();
        let before = self.made.iter().filter(|made| **made == name).count();
        self.made.push(name);
        if before > SAME_CALL_MAX {
            self.end(Ended::Stuck(format!("it goes in circles: {} was called {} times alike", call.tool, before + 1)));
        } else if before == SAME_CALL_MAX {
            self.told(
                "The same call was made before, with the same result. It was not made again. Try something else.",
                false,
            );
        }
    }

    /// The present call got its answer.
    fn told(&mut self, text: &str, done: bool) {
        let at = self.at();
        let call_id = self.call(at).map(|call| call.id.clone()).unwrap_or_default();
        self.turns.push(Turn::Tool { call_id, text: cut(text, TOLD_CHARS_MAX), done });
        self.turn_to(at + 1);
    }

    fn ask_again(&mut self) {
        if self.model_calls >= MODEL_CALLS_MAX {
            self.end(Ended::Stuck(format!("{MODEL_CALLS_MAX} answers of the model did not suffice")));
        } else if self.tokens >= RUN_TOKENS_MAX {
            self.end(Ended::Stuck(format!("{} tokens did not suffice", self.tokens)));
        } else {
            self.phase = Phase::Ask;
        }
    }
}

#[cfg(test)]
mod tests;
