//! Lays the functions of a release build in the order in which a house first runs them, and strips it.
//!
//! Linux brings a program into memory in pieces of 64 KiB. What a resting house runs is a seventh of its code; left
//! lying where the linker puts it, it is spread so thin that more than half of the program is held in memory.
//! `cargo xtask order` writes the list. Names in it that a build does not have (those of another compiler, say) do
//! nothing but leave their functions where they were.
#![expect(clippy::disallowed_methods, reason = "Cargo speaks to a build script in this way")]

use std::env::var;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=order.txt");
    println!("cargo::rerun-if-env-changed=TIMMY_KEEP_SYMBOLS");
    let is = |name: &str, wanted: &str| var(name).is_ok_and(|value| value == wanted);
    if !is("PROFILE", "release") || !is("CARGO_CFG_TARGET_OS", "linux") {
        return;
    }
    // Not by the profile, whose setting is part of every name in the list.
    if var("TIMMY_KEEP_SYMBOLS").is_err() {
        println!("cargo::rustc-link-arg-bins=-Wl,--strip-all");
    }
    // For this target alone the compiler brings a linker that knows the option; somebody's own choice of one stands.
    let chosen =
        var("RUSTC_LINKER").is_ok() || var("CARGO_ENCODED_RUSTFLAGS").is_ok_and(|flags| flags.contains("link"));
    if let (true, false, Ok(here)) = (is("TARGET", "x86_64-unknown-linux-gnu"), chosen, var("CARGO_MANIFEST_DIR")) {
        println!("cargo::rustc-link-arg-bins=-Wl,--symbol-ordering-file={here}/order.txt");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-warn-symbol-ordering");
    }
}
