//! Files of a watched folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timmy_fuzz::watched_folder::check(bytes));
