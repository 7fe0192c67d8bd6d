use super::*;

fn looked(argv: &[&str]) -> Seen {
    see(&argv.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

#[test]
fn what_stands_behind_wrappers_is_looked_at() {
    for argv in [
        &["nice", "-n", "5", "sudo", "rm", "x"][..],
        &["env", "A=1", "sudo", "rm", "x"],
        &["timeout", "-k", "5", "10", "sudo", "x"],
        &["sh", "-c", "ls; sudo x"],
        &["find", ".", "-exec", "sudo", "x", ";"],
        &["xargs", "-n", "1", "sudo"],
    ] {
        let seen = looked(argv);
        assert!(seen.is_wrapped() && seen.floor.is_some_and(|floor| floor.contains("sudo")), "{argv:?}");
    }
}

#[test]
fn every_wrapper_is_one_by_its_name() {
    for name in
        ["sh", "env", "nohup", "timeout", "xargs", "sudo", "python3.12", "ld-linux-x86-64.so.2", "busybox", "stdbuf"]
    {
        assert!(wrappers::is_wrapper(name), "{name}");
    }
    assert!(!wrappers::is_wrapper("ls"));
}

#[test]
fn wrappers_within_wrappers_end() {
    let argv = vec!["nohup"; 50];
    assert!(looked(&argv).opaque.is_some());
}

#[test]
fn shortenings_of_options_count_and_other_options_do_not() {
    assert!(is_long("--compress-prog=x", "compress-program") && is_long("--c", "compress-program"));
    assert!(!is_long("--check", "compress-program") && !is_long("-c", "compress-program") && !is_long("--", "x"));
}
