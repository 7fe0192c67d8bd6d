//! Host, origin, cookies and keys of a request.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timmy_fuzz::door::check(bytes));
