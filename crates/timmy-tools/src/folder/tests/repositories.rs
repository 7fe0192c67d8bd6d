use super::*;

#[tokio::test]
async fn a_first_look_at_a_repository_tells_its_commits_and_files() {
    let (_outer, repo) = repository("kelp");
    write(&repo, "src/a.rs", "fn a() {}\nfn better() {}\nfn c() {}\n", 7_200);
    raw_git(&repo, 7_200, &["commit", "--quiet", "-am", "Fix the flaky import test"]);
    write(&repo, ".gitignore", "out.txt\n", 100);
    raw_git(&repo, 100, &["add", "."]);
    raw_git(&repo, 7_200, &["commit", "--quiet", "--amend", "--no-edit"]);
    write(&repo, "out.txt", "made by a tool\n", 5);
    let look = first(&repo).await;
    assert_eq!(
        summaries(&look),
        [
            "kelp: a git repository on main with 2 text files, Markdown and Rust; its read-me begins “Kelp”.",
            "kelp: 2 commits in the last week on main, latest “Fix the flaky import test” by Ana on 18 May.",
            "kelp: the most recently changed file is src/a.rs, on 18 May; before it README.md.",
        ]
    );
    let commits = &look.observations[1].detail;
    assert!(commits.ends_with(", on 17 May, Ana: Begin the importer"), "{commits}");
    assert_eq!(again(&repo, &look).await.observations, []);
}

#[tokio::test]
async fn new_commits_are_counted_and_the_latest_is_named() {
    let (_outer, repo) = repository("kelp");
    let one = first(&repo).await;
    for (i, subject) in ["Add b", "Add c", "Fix the flaky import test"].into_iter().enumerate() {
        write(&repo, "b.rs", format!("// {i}\n"), 500);
        raw_git(&repo, 500, &["add", "."]);
        raw_git(&repo, 120, &["commit", "--quiet", "-m", subject]);
    }
    let two = again(&repo, &one).await;
    let seen = only(&two);
    assert_eq!(seen.kind, ObservationKind::Commits);
    assert_eq!(seen.summary, "kelp: 3 new commits on main, latest “Fix the flaky import test” by Ana on 18 May.");
    assert_eq!(seen.detail.lines().count(), 3, "{}", seen.detail);
    assert_eq!(again(&repo, &two).await.observations, []);
}

#[tokio::test]
async fn another_branch_and_rewritten_history_are_told_apart() {
    let (_outer, repo) = repository("kelp");
    let main = first(&repo).await;
    raw_git(&repo, 0, &["checkout", "--quiet", "-b", "idea"]);
    let same = again(&repo, &main).await;
    assert_eq!(summaries(&same), ["kelp: now on idea, with no new commit."]);
    raw_git(&repo, 60, &["commit", "--quiet", "--allow-empty", "-m", "Try it"]);
    let idea = again(&repo, &same).await;
    assert_eq!(summaries(&idea), ["kelp: 1 new commit on idea, latest “Try it” by Ana on 18 May."]);
    raw_git(&repo, 30, &["commit", "--quiet", "--amend", "--allow-empty", "-m", "Try it well"]);
    let amended = again(&repo, &idea).await;
    let wanted = "kelp: the history was rewritten on idea, latest “Try it well” by Ana on 18 May.";
    assert_eq!(summaries(&amended), [wanted]);
    raw_git(&repo, 0, &["checkout", "--quiet", "main"]);
    let back = again(&repo, &amended).await;
    assert_eq!(summaries(&back), ["kelp: now on main, latest “Begin the importer” by Ana on 17 May."]);
    raw_git(&repo, 0, &["checkout", "--quiet", "--detach"]);
    let detached = again(&repo, &back).await;
    assert_eq!(summaries(&detached), ["kelp: at the same commit, now on no branch, with no new commit."]);
}

#[tokio::test]
async fn uncommitted_work_is_found_without_git_comparing_it() {
    let (_outer, repo) = repository("kelp");
    write(&repo, "gone.txt", "soon gone\n", 80_000);
    write(&repo, "staged.txt", "one\n", 80_000);
    raw_git(&repo, 80_000, &["add", "."]);
    raw_git(&repo, 80_000, &["commit", "--quiet", "-m", "More"]);
    let clean = first(&repo).await;
    assert_eq!(clean.observations.len(), 3, "{clean:#?}");

    // The same size, so only the content tells.
    write(&repo, "src/a.rs", "fn a() {}\nfn B() {}\nfn c() {}\n", 300);
    write(&repo, "new.md", "# Thought\n", 200);
    write(&repo, "staged.txt", "two\n", 400);
    raw_git(&repo, 0, &["add", "staged.txt"]);
    fs::remove_file(repo.join("gone.txt")).unwrap();
    touch(&repo.join("README.md"), 10);
    let dirty = again(&repo, &clean).await;
    let seen = only(&dirty);
    assert_eq!(
        seen.summary,
        "kelp: 4 files touched since the last look and not committed (2 changed, 1 new, 1 deleted): \
         new.md, src/a.rs, staged.txt and 1 more."
    );
    assert_eq!(
        seen.detail,
        "new.md (new, on 18 May)\n# Thought\nsrc/a.rs (changed, on 18 May)\n- fn b() {}\n+ fn B() {}\n\
         staged.txt (changed, on 18 May)\n- one\n+ two\ngone.txt (deleted)"
    );
    assert_eq!(again(&repo, &dirty).await.observations, []);

    raw_git(&repo, 60, &["commit", "--quiet", "-m", "Stage two"]);
    let less = again(&repo, &dirty).await;
    assert_eq!(only(&less).kind, ObservationKind::Commits, "work that was told before is not told again");
    write(&repo, "new.md", "# Thought\n\nLonger.\n", 20);
    let more = again(&repo, &less).await;
    let wanted = "kelp: 1 file touched since the last look and not committed (1 new): new.md.";
    assert_eq!(summaries(&more), [wanted]);
}

#[tokio::test]
async fn a_repository_without_commits_then_gets_its_first_ones() {
    let (_outer, repo) = folder("kelp");
    raw_git(&repo, 0, &["init", "--quiet", "--initial-branch=main"]);
    write(&repo, "a.md", "A\n", 50);
    let one = first(&repo).await;
    assert_eq!(
        summaries(&one),
        ["kelp: a git repository on main with 1 text file, Markdown.", "kelp: 1 file not committed (1 new): a.md.",]
    );
    raw_git(&repo, 0, &["add", "."]);
    assert_eq!(again(&repo, &one).await.observations, []);
    raw_git(&repo, 30, &["commit", "--quiet", "-m", "Begin"]);
    let two = again(&repo, &one).await;
    assert_eq!(summaries(&two), ["kelp: the first 1 commit on main, latest “Begin” by Ana on 18 May."]);
}

#[tokio::test]
async fn a_linked_work_tree_is_read_like_any_other() {
    let (outer, repo) = repository("kelp");
    raw_git(&repo, 0, &["worktree", "add", "--quiet", "-b", "side", "../side"]);
    let side = fs::canonicalize(outer.path()).unwrap().join("side");
    let look = first(&side).await;
    assert!(summaries(&look)[0].starts_with("side: a git repository on side with 2 text files"), "{look:#?}");
}

#[tokio::test]
async fn a_plain_folder_may_become_a_repository_and_back() {
    let (_outer, notes) = folder("notes");
    write(&notes, "a.md", "A\n", 5_000);
    let plain = first(&notes).await;
    raw_git(&notes, 0, &["init", "--quiet", "--initial-branch=main"]);
    raw_git(&notes, 0, &["add", "."]);
    raw_git(&notes, 60, &["commit", "--quiet", "-m", "Begin"]);
    let repo = again(&notes, &plain).await;
    let wanted = "notes: 1 commit in the last week on main, latest “Begin” by Ana on 18 May.";
    assert_eq!(summaries(&repo), [wanted]);
    fs::remove_dir_all(notes.join(".git")).unwrap();
    let back = again(&notes, &repo).await;
    assert_eq!(back.observations, []);
    write(&notes, "a.md", "B\n", 50);
    assert_eq!(summaries(&again(&notes, &back).await), ["notes: 1 file changed since the last look: a.md."]);
}
