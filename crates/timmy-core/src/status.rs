//! What Timmy is and does right now, and what waits for the owner.

use serde::Serialize;
use timmy_domain::approval::{Approval, ApprovalStatus};
use timmy_domain::message::{Message, MessageStatus};
use timmy_domain::observation::WatchedFolder;
use timmy_domain::policy::show;
use timmy_domain::task::Task;
use timmy_domain::text::{cut, one_line};
use timmy_domain::{Life, Timestamp};
use timmy_store::{ApprovalQuery, Reader, StoreError};

use crate::mind::thinking::Doing;
use crate::report::{Part, PartState};

/// Things that wait for the owner and are shown.
pub const WAITING_MAX: usize = 20;

/// Something only the owner can settle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// What, in one line.
    pub title: String,
    /// Why, and what the owner can do.
    pub detail: String,
    /// The page where it is settled.
    pub href: String,
    /// The verb on the button.
    pub act: &'static str,
}

/// Timmy's state in a word, a sentence and a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The word.
    pub state: Life,
    /// What he does now, in words.
    pub act: String,
    /// What waits for the owner.
    pub waiting: Vec<Waiting>,
}

/// Everything the state is decided from.
pub struct Signs<'a> {
    /// Why nothing is stored right now, when it is not.
    pub writes_refused: Option<String>,
    /// The parts of the house.
    pub parts: &'a [Part],
    /// What the thinking loop does.
    pub doing: &'a Doing,
    /// Answers in the making.
    pub turns: usize,
    /// What waits for the owner.
    pub waiting: Vec<Waiting>,
}

/// Decides the word and the sentence. Broken comes first, then what runs, then what waits, then rest.
#[must_use]
pub fn decide(signs: Signs<'_>) -> Status {
    let Signs { writes_refused, parts, doing, turns, waiting } = signs;
    let broken = parts.iter().find_map(|p| match &p.state {
        PartState::Restarting { why, .. } => {
            Some(format!("{} failed and starts again: {}", p.name, cut(&one_line(why), 160)))
        }
        _ => None,
    });
    let (state, act) = if let Some(finding) = writes_refused {
        (Life::Degraded, format!("Writing has stopped: {}", cut(&one_line(&finding), 200)))
    } else if let Some(broken) = broken {
        (Life::Degraded, broken)
    } else if turns > 0 {
        (Life::Working, "Answering you".to_owned())
    } else {
        match doing {
            Doing::Thinking { seed_type, note, .. } => {
                (Life::Thinking, format!("From the {seed_type} seed: {}", cut(note, 160)))
            }
            Doing::Resting { why, .. } => {
                let state = if waiting.is_empty() { Life::Idle } else { Life::Waiting };
                (state, format!("Resting: {why}"))
            }
        }
    };
    Status { state, act, waiting }
}

/// Questions that are named among what waits; more are counted.
pub const ASKED_MAX: usize = 5;

/// The newest questions that wait at `now`, and how many wait in all.
///
/// # Errors
/// What the disk said.
pub fn asked(r: &Reader<'_>, now: Timestamp) -> Result<(Vec<Approval>, u64), StoreError> {
    let count = r.approvals_waiting(now)?;
    if count == 0 {
        return Ok((Vec::new(), 0));
    }
    let query = ApprovalQuery { status: Some(ApprovalStatus::Pending), limit: ASKED_MAX, ..ApprovalQuery::at(now) };
    Ok((r.approvals_page(&query)?, count))
}

/// What waits for the owner: questions, what he wanted to do by now, the conversation, and the folders.
#[must_use]
pub fn waiting(asked: &[Approval], due: &[Task], messages: &[Message], folders: &[WatchedFolder]) -> Vec<Waiting> {
    let mut list: Vec<Waiting> = asked
        .iter()
        .take(ASKED_MAX)
        .map(|one| Waiting {
            title: cut(&one_line(&show::words(&one.title)), 200),
            // What would be done stands in the title; the exact words of a tool's plan are for its card.
            detail: cut(
                &one_line(&show::words(match &one.plan {
                    Some(_) if !one.description.is_empty() => &one.description,
                    _ => &one.proposed_action,
                })),
                200,
            ),
            href: format!("/approvals#a-{}", one.id),
            act: "Decide",
        })
        .collect();
    list.extend(due.iter().map(|task| Waiting {
        title: cut(&one_line(&task.title), 200),
        detail: "It is due. Say that you did it, or give it another time.".to_owned(),
        href: format!("/tasks/{}", task.id),
        act: "Look",
    }));
    if let Some(failed) = messages.first().filter(|m| m.status == MessageStatus::Failed) {
        list.push(Waiting {
            title: "Your last message has no answer".to_owned(),
            detail: cut(&one_line(&failed.content), 200),
            href: "/talk".to_owned(),
            act: "Try again",
        });
    }
    for folder in folders.iter().filter(|f| !f.error.is_empty()) {
        list.push(Waiting {
            title: format!("The folder {} cannot be read", folder.name),
            detail: cut(&one_line(&folder.error), 200),
            href: "/#folders".to_owned(),
            act: "Look",
        });
    }
    list.truncate(WAITING_MAX);
    list
}

#[cfg(test)]
mod tests {
    use timmy_domain::SeedType;

    use super::*;
    use crate::report::PartKind;

    #[test]
    fn each_of_the_five_words_has_its_sign() {
        let resting = Doing::Resting { until: None, why: "quiet hours".to_owned() };
        let thinking = Doing::Thinking { seed_type: SeedType::Swarm, note: "kelp".to_owned(), since: Timestamp::EPOCH };
        let broken = [Part {
            state: PartState::Restarting { at: Timestamp::EPOCH, why: "panicked".to_owned() },
            restarts: 1,
            ..Part::new("pulse", PartKind::Component, Timestamp::EPOCH)
        }];
        let wait = || vec![Waiting { title: "x".into(), detail: String::new(), href: "/".into(), act: "Look" }];
        let word = |stopped: Option<&str>, parts: &[Part], doing: &Doing, turns, waiting| {
            decide(Signs { writes_refused: stopped.map(str::to_owned), parts, doing, turns, waiting }).state
        };
        assert_eq!(word(None, &[], &resting, 0, vec![]), Life::Idle);
        assert_eq!(word(None, &[], &resting, 0, wait()), Life::Waiting);
        assert_eq!(word(None, &[], &thinking, 0, wait()), Life::Thinking);
        assert_eq!(word(None, &[], &thinking, 1, wait()), Life::Working);
        assert_eq!(word(None, &broken, &thinking, 1, wait()), Life::Degraded);
        assert_eq!(word(Some("damage"), &[], &thinking, 1, vec![]), Life::Degraded);
    }
}
