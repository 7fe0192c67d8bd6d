//! What programs outside the fence obey stays as it is, however deep it lies in a folder that may be written.

use super::*;

// shows: hands: Hooks, keys and settings of programs in folders below a granted one are written by no tool and no program that is run
#[tokio::test]
async fn nested_names_that_others_obey_stay_as_they_are() {
    let bench = Bench::new(true);
    let kept =
        ["a/.git/hooks/pre-commit", "a/b/.ssh/authorized_keys", "a/.timmy/rules.toml", "c/d/e/.cargo/config.toml"];
    kept.iter().for_each(|path| bench.write(path, "as it was\n"));
    bench.write("a/b/plain.txt", "as it was\n");
    for path in kept.iter().chain(&["a/.GIT/x", "new/.ssh/config", "new/.Timmy/x", "x/.husky/pre-push", "a/.gnupg/x"]) {
        let change = json!({"path": path, "how": "overwrite", "content": "changed\n"});
        let error = bench.call("write_file", change).await.unwrap_err();
        assert_eq!(error.failing(), Failing::Refused, "{path}: {error}");
        // A program finds it as it was, or cannot make it where it is kept already.
        if kept.contains(path) {
            let told = bench.command(&["cp", "a/b/plain.txt", path]).await.unwrap();
            assert_ne!(told.evidence, ["status 0"], "{path}");
            let told = bench.command(&["rm", "-f", path]).await.unwrap();
            assert_ne!(told.evidence, ["status 0"], "{path}");
            assert_eq!(fs::read_to_string(bench.folder.join(path)).unwrap(), "as it was\n");
        }
    }
    let moved = bench.command(&["mv", "c/d/e/.cargo", "c/d/e/other"]).await.unwrap();
    assert_ne!(moved.evidence, ["status 0"]);
    // All else there is written as before.
    let told = bench.command(&["cp", "c/d/e/.cargo/config.toml", "a/b/plain.txt"]).await.unwrap();
    assert_eq!(told.evidence, ["status 0"], "{}", told.text);
    let change = json!({"path": "a/b/plain.txt", "how": "overwrite", "content": "changed\n"});
    bench.call("write_file", change).await.unwrap();
}
