//! The client frames of the live feed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timmy_fuzz::client_frame::check(bytes));
