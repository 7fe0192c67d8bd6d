//! Headers of model files.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| timmy_fuzz::gguf_header::check(bytes));
