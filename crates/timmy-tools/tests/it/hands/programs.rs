//! Programs of the owner's own, and archives that would unpack elsewhere.

use super::*;

// shows: hands: A program of the owner's own runs only from a folder he let programs run from, and only as itself
#[tokio::test]
async fn a_program_of_the_owner_runs_only_from_a_folder_he_named() {
    let mut bench = Bench::new(true);
    let (bin, other) = (bench.folder.with_file_name("bin"), bench.folder.with_file_name("other"));
    for folder in [&bin, &other] {
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("kelp"), "#!/bin/sh\necho \"kelp in $PWD\"\n").unwrap();
        fs::set_permissions(folder.join("kelp"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let whole = bin.join("kelp").display().to_string();
    assert_eq!(bench.command(&[&whole]).await.unwrap_err().failing(), Failing::Refused, "nobody let it");
    let grants = Grants::new(vec![Grant::new(&bench.folder, true).unwrap()], &[]).with_programs(vec![bin.clone()]);
    bench.scope.grants = Arc::new(grants);
    bench.running.grants = Arc::clone(&bench.scope.grants);
    let ran = bench.command(&[&whole]).await.unwrap();
    assert!(ran.text.contains("kelp in ") && ran.evidence == ["status 0"], "{}", ran.text);
    let elsewhere = other.join("kelp").display().to_string();
    for name in [elsewhere.as_str(), "../bin/kelp"] {
        assert_eq!(bench.command(&[name]).await.unwrap_err().failing(), Failing::Refused, "{name}");
    }
    assert_eq!(bench.command(&["kelp"]).await.unwrap_err().failing(), Failing::Permanent, "no name stands for it");
    std::os::unix::fs::symlink(other.join("kelp"), bin.join("linked")).unwrap();
    let linked = bin.join("linked").display().to_string();
    assert_eq!(bench.command(&[&linked]).await.unwrap_err().failing(), Failing::Refused, "a link leads out");
    let written = bench.command(&["cp", "/bin/true", &bin.join("mine").display().to_string()]).await.unwrap();
    assert_ne!(written.evidence, ["status 0"], "no tool writes there");
    let plan = bench.plan("run_command", json!({"argv": [whole]})).await.unwrap();
    fs::write(bin.join("kelp"), "#!/bin/sh\necho exchanged\n").unwrap();
    assert_eq!(bench.run(&plan).await.unwrap_err().failing(), Failing::Refused, "exchanged after the plan");
}

// shows: hands: case 25: archives with upward paths, whole paths and links write nothing outside the granted folder
#[tokio::test]
async fn case_25_an_archive_unpacks_nowhere_else() {
    let bench = Bench::new(true);
    let outside = bench.folder.with_file_name("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept.txt"), "kept").unwrap();
    bench.write("evil.txt", "evil");
    let far = outside.display().to_string();
    // One name that leads up, one that is whole, and a link with a file behind it.
    let made = Command::new("tar")
        .current_dir(&bench.folder)
        .args(["-P", "-cf", "up.tar", "--transform", "s,^evil.txt,../outside/kept.txt,", "evil.txt"])
        .status();
    if !made.is_ok_and(|status| status.success()) {
        println!("skipped: there is no GNU tar to make such an archive with");
        return;
    }
    let tar = |args: &[&str]| {
        assert!(Command::new("tar").current_dir(&bench.folder).args(args).status().unwrap().success(), "{args:?}");
    };
    tar(&["-P", "-cf", "whole.tar", "--transform", &format!("s,^evil.txt,{far}/new.txt,"), "evil.txt"]);
    std::os::unix::fs::symlink(&outside, bench.folder.join("way")).unwrap();
    tar(&["-cf", "link.tar", "way"]);
    tar(&["-rf", "link.tar", "--transform", "s,^evil.txt,way/kept.txt,", "evil.txt"]);
    fs::remove_file(bench.folder.join("way")).unwrap();
    for archive in ["up.tar", "whole.tar", "link.tar"] {
        for way in [
            &["tar", "-xf", archive][..],
            &["tar", "-P", "-xf", archive],
            &["tar", "-P", "--keep-directory-symlink", "-xf", archive],
        ] {
            // Whether tar complains is its own business; what it wrote counts.
            let _ = bench.command(way).await;
            assert_eq!(fs::read_to_string(outside.join("kept.txt")).unwrap(), "kept", "{way:?}");
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{way:?}");
            let _ = fs::remove_file(bench.folder.join("way"));
        }
    }
}
