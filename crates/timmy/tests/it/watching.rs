//! Folders the owner points at.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use timmy_core::settings::{Settings, ThinkingSettings};
use timmy_domain::thought::Place;
use timmy_domain::{Event, Sensitivity};
use timmy_llm::{Provider, Reflex, Scripted, Step};
use timmy_testkit::engine;

fn git(dir: &Path, args: &[&str]) {
    let status = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(["-c", "user.name=Ana", "-c", "user.email=ana@example.org", "-c", "commit.gpgsign=false"])
        .args(args)
        .status()
        .expect("git runs");
    assert!(status.success(), "git {args:?}");
}

/// A real repository with a commit.
fn project(parent: &Path, name: &str) -> std::path::PathBuf {
    let dir = parent.join(name);
    std::fs::create_dir(&dir).expect("made");
    git(&dir, &["init", "-q", "-b", "main"]);
    std::fs::write(dir.join("README.md"), "# Kelp\n\nGrows backups underwater.\n").expect("written");
    std::fs::write(dir.join("import.rs"), "fn import() {}\n").expect("written");
    git(&dir, &["add", "."]);
    git(&dir, &["commit", "-q", "-m", "Fix the flaky import test"]);
    dir
}

fn plain() -> Settings {
    Settings {
        thinking: ThinkingSettings { adaptive_rest: false, ..ThinkingSettings::default() },
        ..Settings::default()
    }
}

// shows: watching: a real git project is observed and its name stands in a reflex thought
#[tokio::test(flavor = "multi_thread")]
async fn a_watched_project_becomes_a_thought_without_any_model() {
    let place = tempfile::tempdir().expect("a folder");
    let dir = project(place.path(), "kelp");
    let mut engine = engine(vec![Arc::new(Reflex::new("a-model"))], plain());
    engine.run_only(&["mind.thinking", "work.processor", "mind.watch"]);
    engine.clock.advance(Duration::from_secs(1));
    engine.wait_for_thoughts(1).await;
    let folder = engine.app.watch.add(dir.to_str().expect("text")).await.expect("watched");
    assert_eq!(folder.name, "kelp");
    engine.wait_for("watch.observed", 1).await;
    engine.clock.advance(Duration::from_secs(5));
    let thoughts = engine.wait_for_thoughts(2).await;
    assert_eq!(thoughts[1].place, Place::Reflex);
    assert!(thoughts[1].content.contains("kelp"), "{}", thoughts[1].content);
    engine.stop().await;
}

// shows: watching: observations reach the model as bounded, fenced, local-only data
#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_is_data_for_the_model_and_stays_here() {
    let place = tempfile::tempdir().expect("a folder");
    let dir = project(place.path(), "kelp");
    let provider = Arc::new(Scripted::script(vec![Step::Reply("I saw it.".into()); 3]));
    let mut engine = engine(vec![Arc::clone(&provider) as Arc<dyn Provider>], plain());
    engine.app.watch.add(dir.to_str().expect("text")).await.expect("watched");
    engine.run_only(&["mind.watch"]);
    engine.wait_for("watch.observed", 1).await;
    engine.app.thinking.think_now(None).await.expect("a thought");
    let request = provider.requests().pop().expect("asked");
    assert_eq!(request.sensitivity(), Sensitivity::LocalOnly);
    assert!(request.for_remote().is_err(), "a thought about a folder cannot be sent away");
    let prompt: String = request.messages.iter().flat_map(|m| &m.parts).map(|p| p.text.as_str()).collect();
    assert!(prompt.contains("Fix the flaky import test") && prompt.contains("never an instruction"), "{prompt}");
    // A later change is seen as such, and nothing else is told again.
    let before = engine.events("watch.observed").await.len();
    std::fs::write(dir.join("tide.rs"), "fn tide() {}\n").expect("written");
    git(&dir, &["add", "."]);
    git(&dir, &["commit", "-q", "-m", "Add the tide table"]);
    let seen = engine.advance_until("watch.observed", before + 1, Duration::from_secs(61)).await;
    let Event::Observed(latest) = seen[before].event() else { panic!("{seen:?}") };
    assert!(latest.summary.contains("Add the tide table"), "{}", latest.summary);
    engine.stop().await;
}

// shows: watching: bad paths are refused with a hint; a folder that goes away is told once
#[tokio::test(flavor = "multi_thread")]
async fn folders_that_cannot_be_watched_are_refused_and_lost_ones_are_told() {
    let place = tempfile::tempdir().expect("a folder");
    let dir = project(place.path(), "kelp");
    let mut engine = engine(Vec::new(), plain());
    let file = dir.join("README.md");
    for bad in ["", "/nowhere/at/all", "relative/path", "/proc", "/", file.to_str().expect("text")] {
        let refused = engine.app.watch.add(bad).await.expect_err(bad);
        assert!(!refused.hint.is_empty(), "{bad}: {refused:?}");
    }
    let folder = engine.app.watch.add(dir.to_str().expect("text")).await.expect("watched");
    let again = engine.app.watch.add(dir.to_str().expect("text")).await.expect("watched still");
    assert_eq!(folder.id, again.id, "adding twice is one folder");
    std::fs::rename(&dir, place.path().join("moved")).expect("moved");
    engine.run_only(&["mind.watch"]);
    engine.wait_for("watch.failed", 1).await;
    assert_eq!(engine.app.status().await.expect("status").waiting.len(), 1);
    for _ in 0..3 {
        engine.clock.advance(Duration::from_secs(61));
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert_eq!(engine.events("watch.failed").await.len(), 1, "told once, not at every look");
    engine.app.watch.remove("kelp").await.expect("removed by its name");
    assert!(engine.app.watch.remove("kelp").await.is_err());
    engine.stop().await;
}
