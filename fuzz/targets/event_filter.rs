//! The filter of the log.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timmy_fuzz::event_filter::check(bytes));
