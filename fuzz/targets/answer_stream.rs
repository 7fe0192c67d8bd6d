//! Answers of models, in whatever pieces they come.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timmy_fuzz::answer_stream::check(bytes));
