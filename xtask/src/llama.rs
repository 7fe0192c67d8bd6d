//! `cargo xtask llama`: Timmy with llama.cpp built in, the optional feature `engine-llama`, built and tested.
//!
//! llama.cpp is compiled from the source that its crate brings, which takes a compiler for C++, cmake, and libclang for
//! the list of its calls. Nothing else in the house needs them, so no other check builds this.

use std::path::Path;

use anyhow::{Context, bail};

use crate::shell;

/// The feature.
const FEATURE: &str = "engine-llama";
/// Where all of this is built: a folder of its own, so that what other checks built stays as it is. Cargo would build
/// half the house anew each time the feature comes or goes. Without the second line clippy and the tests would differ in
/// what they note of the programs that build, and compile llama.cpp once each.
const BUILT: [&str; 4] = ["--target-dir", "target/llama", "--config", "profile.dev.build-override.debug=false"];
/// What Debian and Ubuntu call what is needed.
const PACKAGES: [&str; 4] = ["cmake", "g++", "libclang-dev", "make"];
/// What is done, one after the other: the engine by itself, then the whole program. Of the whole workspace, as one
/// package alone has other features and is built anew.
const STEPS: [&[&str]; 3] = [
    &["clippy", "--quiet", "--test", "worker", "--test", "it"],
    &["test", "--test", "worker"],
    &["test", "--test", "it", "llama::"],
];

/// Builds and tests it; `false` when something failed.
///
/// Where what is needed cannot be had this skips and says so, except in an unattended run, where it fails.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    if let Err(why) = ready(root)? {
        if shell::unattended() {
            bail!("llama.cpp cannot be built: {why}");
        }
        println!("llama: SKIPPED, so nothing is shown about {FEATURE}: {why}");
        return Ok(true);
    }
    println!("llama: compiling llama.cpp the first time takes ten minutes of a processor");
    for arguments in STEPS {
        let (verb, rest) = arguments.split_at(1);
        let all = ["--locked", "--workspace", "--features", FEATURE];
        let mut arguments = [verb, &BUILT[..], &all[..], rest].concat();
        if verb == ["clippy"] {
            arguments.extend(["--", "-D", "warnings"]);
        }
        println!("llama: cargo {}", arguments.join(" "));
        if !shell::succeeds("cargo", &arguments, root)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether everything is there, installed where that is possible without asking: as root, with apt. Else why not.
fn ready(root: &Path) -> anyhow::Result<Result<(), String>> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(Ok(()));
    }
    let missing = missing.join(", ");
    let user = shell::output("id", &["-u"], root).unwrap_or_default();
    if user.trim() != "0" || !shell::has("apt-get") {
        let names = PACKAGES.join(" ");
        return Ok(Err(format!("{missing} is missing; Debian and Ubuntu have what is needed in: {names}")));
    }
    println!("llama: {missing} is missing; installing with apt-get");
    let install = ["install", "-y", "-qq", "--no-install-recommends"];
    for arguments in [vec!["update", "-qq"], [&install[..], &PACKAGES[..]].concat()] {
        let done = shell::command("apt-get", &arguments, root).env("DEBIAN_FRONTEND", "noninteractive").status();
        if !done.context("cannot start apt-get")?.success() {
            return Ok(Err(format!("apt-get {} failed", arguments.join(" "))));
        }
    }
    let missing = self::missing();
    Ok(if missing.is_empty() { Ok(()) } else { Err(format!("{} does not start", missing.join(", "))) })
}

/// What is not there.
fn missing() -> Vec<&'static str> {
    let mut missing: Vec<&str> = ["cmake", "c++", "make"].into_iter().filter(|program| !shell::has(program)).collect();
    if !has_libclang() {
        missing.push("libclang");
    }
    missing
}

/// Whether the library is there that reads headers: where the environment says, or where the system looks.
fn has_libclang() -> bool {
    let known = shell::output("ldconfig", &["-p"], Path::new(".")).unwrap_or_default();
    shell::variable("LIBCLANG_PATH").is_some() || known.lines().any(is_libclang)
}

/// Whether a line of the system's list is that library. The one for programs in C++ has nearly the same name.
fn is_libclang(line: &str) -> bool {
    let name = line.trim_start().strip_prefix("libclang").unwrap_or_default();
    name.starts_with(".so") || name.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_for_headers_is_told_from_the_one_for_programs() {
        let rows = [
            ("\tlibclang-14.so.14 (libc6,x86-64) => /lib/x86_64-linux-gnu/libclang-14.so.14", true),
            ("\tlibclang.so.1 (libc6,x86-64) => /usr/lib/libclang.so.1", true),
            ("\tlibclang-cpp.so.14 (libc6,x86-64) => /lib/x86_64-linux-gnu/libclang-cpp.so.14", false),
            ("\tlibc.so.6 (libc6,x86-64) => /lib/libc.so.6", false),
        ];
        for (line, expected) in rows {
            assert_eq!(is_libclang(line), expected, "{line}");
        }
    }
}
