//! Backups.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timmy_fuzz::archive::check(bytes));
