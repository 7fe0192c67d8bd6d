//! Heeding the owner: an order in the conversation becomes a task, and the answer says which, without asking a model.
//! It lies beside the rooms, since it joins the talk with the work.
//!
//! Only the owner's own message is read for orders, never what goes along with it. Task, answer and the mark on the
//! question are one transaction.

use timmy_domain::intent::{self, Due, Order, Who};
use timmy_domain::message::{Message, MessageStatus, Speaker};
use timmy_domain::task::birth::NewTask;
use timmy_domain::task::{Priority, Status, Task};
use timmy_domain::text::{cut, plural};
use timmy_domain::thought::Place;
use timmy_domain::{Actor, Seq, Timestamp};
use timmy_store::{NewAnswer, Reader, StoreError, TaskQuery, Tx};

use crate::clock::Clock;
use crate::ctx::Ctx;
use crate::fault::Fault;
use crate::scene::date_words;
use crate::work::processor::OWNER;
use crate::work::queue;

/// Who answers an order: the house, by rules.
const PROVIDER: &str = "reflex";
/// Open tasks that go along with a question about them.
const SHOWN_MAX: usize = 12;

/// The order that `message` is, if it is one.
pub(crate) fn order(ctx: &Ctx, message: &Message) -> Option<Order> {
    if message.speaker != Speaker::Owner {
        return None;
    }
    let now = ctx.now();
    let mut order = intent::order(&message.content, now, ctx.clock.offset_at(now))?;
    order.due = order.due.map(|due| by_the_clock(ctx.clock.as_ref(), now, due));
    Some(order)
}

/// The moment at which the wall clock shows what was said, also when it is changed until then.
fn by_the_clock(clock: &dyn Clock, now: Timestamp, due: Due) -> Due {
    let shift = clock.offset_at(now).whole_seconds() - clock.offset_at(due.at).whole_seconds();
    let at = if due.wall { due.at.micros() + i64::from(shift) * 1_000_000 } else { due.at.micros() };
    Due { at: Timestamp::from_micros(at), ..due }
}

/// Makes the task of `order` and answers `question` with it. What cannot be made is answered with the reason.
///
/// # Errors
/// When the store fails.
pub(crate) fn obey(
    tx: &mut Tx<'_>,
    clock: &dyn Clock,
    order: &Order,
    question: &Message,
    cause: Seq,
) -> Result<(), StoreError> {
    let due = order.due.map(|due| due.at);
    let new = NewTask {
        assigned_to: if order.who == Who::Owner { OWNER.to_owned() } else { String::new() },
        priority: order.priority,
        due,
        not_before: due.filter(|_| order.waits),
        idempotency_key: Some(format!("message:{}", question.id)),
        cause: Some(cause),
        ..NewTask::titled(order.title.clone(), Actor::Owner)
    };
    let content = match queue::make(tx, new) {
        Ok(made) => told(clock, &made.task, order),
        Err(StoreError::Refused(problem)) => format!("{} {}", problem.message, problem.hint),
        Err(error) => return Err(error),
    };
    let answer = NewAnswer {
        status: MessageStatus::Done,
        content,
        provider: PROVIDER.to_owned(),
        model: String::new(),
        place: Some(Place::Reflex),
        duration_ms: 0,
        tokens: 0,
        cause: Some(cause),
    };
    tx.answer_message(question.id, &answer).map(drop)
}

/// What was put on the list, in plain words with its link.
fn told(clock: &dyn Clock, task: &Task, order: &Order) -> String {
    let list = if order.who == Who::Owner { "your list" } else { "my list" };
    let mut text = format!("On {list}: “{}”", task.title);
    if let Some(due) = task.due {
        let when = date_words(clock, due);
        text.push_str(&if order.waits { format!(", to begin on {when}") } else { format!(", due {when}") });
    }
    if order.priority != Priority::Normal {
        text.push_str(&format!(", {} priority", order.priority));
    }
    text.push_str(&format!(".\n\n{}", intent::receipt(task.id)));
    text
}

/// The queue as it stands, when `message` asks about it: text that holds titles, and so is data.
pub(crate) async fn queue_lines(ctx: &Ctx, message: &Message) -> Result<Option<String>, Fault> {
    if message.speaker != Speaker::Owner || !intent::asks_about_tasks(&message.content) {
        return Ok(None);
    }
    let read = ctx.store.read(standing).await?;
    Ok(Some(read))
}

fn standing(r: &Reader<'_>) -> Result<String, StoreError> {
    let counts = r.task_counts()?;
    let mut lines = Vec::new();
    for status in Status::ALL {
        let count: u64 = counts.iter().filter(|one| one.status == status.name()).map(|one| one.count).sum();
        if count > 0 {
            lines.push(format!("{}: {}", status.name(), plural(count, "task", "tasks")));
        }
    }
    if lines.is_empty() {
        return Ok("There is no task.".to_owned());
    }
    let mut shown = 0;
    for status in [Status::Running, Status::Approved, Status::PendingApproval, Status::Paused, Status::Backlogged] {
        let query = TaskQuery { status: Some(status), limit: SHOWN_MAX - shown, ..TaskQuery::default() };
        let tasks = if shown < SHOWN_MAX { r.tasks_page(&query)? } else { Vec::new() };
        shown += tasks.len();
        lines.extend(tasks.iter().map(|task| {
            format!("{} [{}, {}, {}] {}", task.id, task.status, task.priority, task.assigned_to, cut(&task.title, 120))
        }));
    }
    Ok(lines.join("\n"))
}
