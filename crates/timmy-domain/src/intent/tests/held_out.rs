//! Forty sentences that were written before anybody looked at the rules, and from which they were widened later.

use super::{read, words_of};

/// Orders that are heard, of twenty. When these were first held against the rules it were 10; the rules were widened
/// since, so they are no longer unseen.
const HEARD_MIN: usize = 20;
/// Orders that are heard exactly as they were meant, 6 at first.
const EXACT_MIN: usize = 20;

/// Sentence, the title of the order in it, and how what else is in it begins, as in the table beside this file.
const ORDERS: &[(&str, &str, &str)] = &[
    ("Remind me to pick up the parcel before 5pm today", "Pick up the parcel", "me 11-21 17:00"),
    ("Can you remind me about the car inspection on the 30th?", "The car inspection", "me 11-30"),
    ("pls remind me to email Jonas in 45 minutes", "Email Jonas", "me 11-21 14:45"),
    ("Give me a reminder on Monday to move the bins", "Move the bins", "me 11-23"),
    ("I need a reminder to cancel the trial in three days", "Cancel the trial", "me 11-24"),
    ("Remind me at noon to feed the fish", "Feed the fish", "me 11-22 12:00"),
    ("Make sure I don't forget to sign the lease on Thursday", "Sign the lease", "me 11-26"),
    ("Would you mind adding a task to clean up the downloads folder?", "Clean up the downloads folder", ""),
    ("Add to my list: buy new headphones", "Buy new headphones", ""),
    ("Schedule a task to check the disk at midnight", "Check the disk", "11-22 00:00"),
    ("Put \"prepare the slides\" on your list", "Prepare the slides", ""),
    ("Queue up a task to rebuild the index", "Rebuild the index", ""),
    ("please note a todo for tomorrow: call the landlord", "Call the landlord", "11-22"),
    ("I have to remember the vet appointment on Wednesday at 4pm, remind me", "The vet appointment", "me 11-25 16:00"),
    ("Timmy, todo: water the tomatoes", "Water the tomatoes", ""),
    ("Low priority task: archive the 2024 photos", "Archive the 2024 photos", "low"),
    ("File a task to look into the slow start", "Look into the slow start", ""),
    ("add these to the queue: check the mails", "Check the mails", ""),
    ("Remind me, please, to drink water in ten minutes", "Drink water", "me 11-21 14:10"),
    ("Let me know tomorrow morning that the guests arrive at 11", "The guests arrive at 11", "me 11-22"),
];

/// Sentences that are none.
const NONE: &[&str] = &[
    "Did you remind me to call the bank?",
    "What does it mean to add a task?",
    "That song reminds me of summer.",
    "Why was the task I added yesterday vetoed?",
    "I added a task for that already.",
    "Don't remind me of that awful evening.",
    "If I ask you to add a task, what happens?",
    "How do I set a reminder in this app?",
    "My boss told me to add a task to the board, but I refused.",
    "You should never create tasks on your own.",
    "He said: remind me to breathe.",
    "The word todo is Spanish for all.",
    "It was quite a task to fix the roof.",
    "Remind me what we talked about last week.",
    "Can you explain the task queue?",
    "I was going to say add a task, but forget it.",
    "Do you remember when I set a reminder for the dentist?",
    "Thanks for reminding me to lock the door.",
    "There is a task called sort the photos in the list, right?",
    "Tell me a story about a robot who must remind the king to eat.",
];

/// How a list of sentences was judged.
pub(super) struct Counted {
    /// Orders that were heard.
    pub(super) heard: usize,
    /// Orders that were heard exactly as they were meant.
    pub(super) exact: usize,
    /// Sentences that are none and were taken for one.
    pub(super) taken: Vec<&'static str>,
}

/// Judges `orders` and `none`, and prints what was not as meant.
pub(super) fn count(orders: &[(&str, &str, &str)], none: &[&'static str]) -> Counted {
    let right = |text: &str, title: &str, rest: &str| {
        read(text).is_some_and(|order| order.title == title && words_of(&order).starts_with(rest))
    };
    let heard = orders.iter().filter(|(text, ..)| read(text).is_some()).count();
    let exact = orders.iter().filter(|(text, title, rest)| right(text, title, rest)).count();
    let taken: Vec<&str> = none.iter().copied().filter(|text| read(text).is_some()).collect();
    for (text, title, rest) in orders.iter().filter(|(text, title, rest)| !right(text, title, rest)) {
        println!("not as meant: {text} ({title}, {rest}): {:?}", read(text).map(|o| (o.title.clone(), words_of(&o))));
    }
    let (all, others) = (orders.len(), none.len());
    println!("{heard} of {all} orders heard, {exact} as meant; {} of {others} others taken: {taken:?}", taken.len());
    Counted { heard, exact, taken }
}

// shows: talk: 40 sentences written apart from the rules: what is heard is right, and what is no order is left alone
#[test]
fn sentences_written_apart_are_judged_fairly() {
    let Counted { heard, exact, taken } = count(ORDERS, NONE);
    // What is taken for an order without being one makes a task nobody wanted; what is missed is said again.
    assert!(taken.is_empty() && heard >= HEARD_MIN && exact >= EXACT_MIN);
    assert_eq!(ORDERS.len() + NONE.len(), 40);
}
