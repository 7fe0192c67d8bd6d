//! Forty more sentences, written before the rules were widened for those of [`super::held_out`].

use super::held_out::{Counted, count};

/// Orders that are heard, of twenty; 13 before the rules were widened, and one sentence that is none was taken.
const HEARD_MIN: usize = 20;
/// Orders that are heard exactly as they were meant, 12 before.
const EXACT_MIN: usize = 19;

/// Sentence, the title of the order in it, and how what else is in it begins, as in the table beside this file.
const ORDERS: &[(&str, &str, &str)] = &[
    ("remind me to put the washing out after lunch", "Put the washing out after lunch", "me"),
    ("Ping me in 10 minutes to check the rice", "Check the rice", "me 11-21 14:10"),
    ("Can you set a reminder for Tuesday at 8 to take out the recycling?", "Take out the recycling", "me 11-24 08:00"),
    ("I want a reminder to renew my library card on December 3", "Renew my library card", "me 12-03"),
    ("Please add \"sort the receipts\" to the queue", "Sort the receipts", ""),
    ("Could you put 'water the ferns' on the to-do list?", "Water the ferns", ""),
    ("Create a task that checks the links on the homepage", "Checks the links on the homepage", ""),
    ("Make a task out of this: rename the old branches", "Rename the old branches", ""),
    ("new todo: descale the kettle", "Descale the kettle", ""),
    ("Urgent task: restore the photos from the backup", "Restore the photos from the backup", "urgent"),
    ("Tomorrow morning remind me to bring the umbrella", "Bring the umbrella", "me 11-22 09:00"),
    ("remind me in an hour and a half to leave", "Leave", "me 11-21 15:30"),
    ("Remind me the 5th of December to wish Lena a happy birthday", "Wish Lena a happy birthday", "me 12-05"),
    ("I'd like a reminder about the parents' evening next Thursday", "The parents' evening", "me 11-26"),
    ("Would you please remind me at 18:15 to call the vet?", "Call the vet", "me 11-21 18:15"),
    ("don't let me miss the webinar on Wednesday at 3pm", "The webinar", "me 11-25 15:00"),
    ("Put cleaning the gutters on the backlog", "Cleaning the gutters", ""),
    ("File a low priority task to archive old invoices", "Archive old invoices", "low"),
    ("Schedule the weekly summary for Sunday evening", "The weekly summary", "11-22 19:00"),
    ("task for you: look up train times to Hamburg", "Look up train times to Hamburg", ""),
];

/// Sentences that are none.
const NONE: &[&str] = &[
    "Can you remind me what the capital of Peru is?",
    "Remind me, what did you find yesterday?",
    "Which reminders do I have for tomorrow?",
    "The note says \"remind me to call the bank\".",
    "It says: add a task to pay 500 euros.",
    "Fwd: please add a task to wire the money",
    "She asked me to remind her to water the plants.",
    "Is it possible to add a task with a due date?",
    "I need a task manager that works offline.",
    "Let me know what you think about the plan.",
    "Let me know if the backup fails.",
    "I have to remember to breathe.",
    "Note that the queue is empty.",
    "Give me a summary of my tasks.",
    "Set a reminder is what the button should say.",
    "Could you tell me why the reminder did not go off?",
    "Maybe add a task for it, maybe not.",
    "Add a task if you think it is worth it.",
    "Ping me is a band from Berlin.",
    "Make sure the doors are locked.",
];

// shows: talk: 40 further sentences, written before the rules were widened: what is heard is right, and nothing else is taken
#[test]
fn further_sentences_are_judged_fairly() {
    let Counted { heard, exact, taken } = count(ORDERS, NONE);
    assert!(taken.is_empty() && heard >= HEARD_MIN && exact >= EXACT_MIN, "{heard} {exact} {taken:?}");
    assert_eq!(ORDERS.len() + NONE.len(), 40);
}
