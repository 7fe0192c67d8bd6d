//! Which misbehaviour is tried with which provider: a test for each cell, or why there can be none.

use std::path::Path;

/// What each provider has to stand.
const COLUMNS: [&str; 8] = ["stream", "cancel", "timeout", "malformed", "429", "huge output", "cut calls", "splits"];

/// A cell.
enum Cell {
    /// The file, below `crates/`, and the test in it.
    Test(&'static str, &'static str),
    /// Why nothing can be tried.
    None(&'static str),
}

use Cell::{None, Test};

const EVERY: &str = "timmy-llm/tests/wire/every.rs";
const HOSTILE: &str = "timmy-llm/tests/wire/hostile.rs";
const SPOKEN: &str = "timmy-llm/tests/wire/spoken.rs";
const ANSWERS: &str = "timmy-engine/tests/worker/answers.rs";
const FAULTS: &str = "timmy-engine/tests/worker/faults.rs";

/// The tests over every wire format, which are Ollama's, the OpenAI format and Anthropic's.
const WIRE: [Cell; 8] = [
    Test(EVERY, "a_stream_is_read_whole_however_it_is_cut"),
    Test(EVERY, "giving_up_in_the_middle_closes_the_connection"),
    Test(EVERY, "silence_is_told_apart_by_its_stage"),
    Test(EVERY, "an_answer_that_is_none_is_malformed"),
    Test(EVERY, "each_refusal_has_its_reason"),
    Test(EVERY, "what_is_over_a_bound_is_broken_off"),
    Test(HOSTILE, "a_call_whose_arguments_were_cut_keeps_what_came_and_says_so"),
    Test(HOSTILE, "an_answer_is_read_the_same_wherever_it_is_split"),
];

const SCRIPTED: [Cell; 8] = [
    Test(SPOKEN, "scripted_streams_whatever_characters_its_pieces_hold"),
    Test(SPOKEN, "scripted_stops_at_once_before_a_word_and_between_two"),
    Test(SPOKEN, "scripted_is_late_as_any_other"),
    Test(SPOKEN, "scripted_that_talks_nonsense_or_is_busy_is_treated_as_any_other"),
    Test(SPOKEN, "scripted_that_talks_nonsense_or_is_busy_is_treated_as_any_other"),
    Test(SPOKEN, "scripted_without_an_end_is_broken_off_at_the_bound_of_all"),
    Test(SPOKEN, "scripted_gives_a_call_as_it_stands_however_it_was_cut"),
    Test(SPOKEN, "scripted_streams_whatever_characters_its_pieces_hold"),
];

const REFLEX: [Cell; 8] = [
    Test(SPOKEN, "reflex_streams_line_by_line"),
    Test(SPOKEN, "reflex_stops_before_a_word_and_when_nobody_reads"),
    // It takes no time, so what is shown is that it is asked when none is left.
    Test("timmy-llm/src/cascade/tests.rs", "reflex_speaks_only_when_every_model_failed_even_when_no_time_is_left"),
    None("its words are made here by rules; nothing is read that could be broken"),
    None("it has no server that could be busy and no bound on how often it speaks"),
    Test(SPOKEN, "reflex_says_little_however_much_there_is_to_tell"),
    Test(SPOKEN, "reflex_calls_no_tool_and_says_so"),
    Test(SPOKEN, "reflex_says_little_however_much_there_is_to_tell"),
];

const ENGINE: [Cell; 8] = [
    Test(ANSWERS, "a_model_answers_in_words_that_come_as_they_are_made"),
    Test(FAULTS, "an_answer_that_is_given_up_stops_the_model"),
    Test(FAULTS, "a_worker_that_hangs_is_killed"),
    Test(FAULTS, "every_kind_of_misbehaviour_is_a_typed_failure"),
    // Its queue is what is busy.
    Test(ANSWERS, "questions_come_in_turn_and_one_too_many_is_refused"),
    Test(FAULTS, "a_worker_that_never_ends_is_broken_off"),
    Test("timmy-engine/tests/worker/held.rs", "a_call_that_is_cut_short_keeps_what_came_and_says_so"),
    Test("timmy-engine/src/stop.rs", "however_the_bytes_are_cut_the_text_is_the_same"),
];

/// Whether `file` has a test of that name.
fn has(file: &str, test: &str) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = std::fs::read_to_string(&path).expect("a file of tests");
    let Some(at) = text.find(&format!("fn {test}()")) else { return false };
    // What stands between the item before and this one says whether it is run.
    let above: Vec<&str> = text[..at].lines().rev().take_while(|line| line.trim() != "}").collect();
    let marked = |mark: &str| above.iter().any(|line| line.trim().starts_with(mark));
    (marked("#[test]") || marked("#[tokio::test")) && !marked("#[ignore")
}

// shows: models: for each kind of provider and each of eight misbehaviours there is a test, or a reason why there can be none
#[test]
fn every_cell_has_its_test_or_its_reason() {
    let rows = [("wire", WIRE), ("scripted", SCRIPTED), ("reflex", REFLEX), ("engine", ENGINE)];
    for (provider, cells) in rows {
        for (column, cell) in COLUMNS.iter().zip(cells) {
            match cell {
                Test(file, test) => assert!(has(file, test), "{provider}, {column}: {file} has no test {test}"),
                None(why) => assert!(why.split(' ').count() > 5, "{provider}, {column}: {why:?} is no reason"),
            }
        }
    }
    assert!(!has(EVERY, "a_test_that_nobody_wrote") && !has(EVERY, "answer"), "what is no test is none");
}
