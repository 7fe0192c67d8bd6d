//! The mind's files or its history are gone.

use std::sync::Arc;
use std::time::Duration;

use timmy_core::settings::Settings;
use timmy_domain::Event;
use timmy_llm::Reflex;
use timmy_testkit::engine;

/// Removes a folder in which git may still be at work.
fn remove(folder: &std::path::Path) {
    let began = std::time::Instant::now();
    while std::fs::remove_dir_all(folder).is_err() {
        assert!(began.elapsed().as_secs() < 20, "{} stays", folder.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

// shows: process: a mind whose files or history are gone is begun anew, and that is told
#[tokio::test(flavor = "multi_thread")]
async fn a_mind_that_is_gone_is_begun_anew_and_told() {
    let mut engine = engine(vec![Arc::new(Reflex::new("a-model"))], Settings::default());
    let mind = engine.app.backups.home().join("mind");
    engine.run_only(&["selfhood"]);
    engine.wait_until(|| mind.join(".git/HEAD").exists() && mind.join("persona.md").exists()).await;
    engine.wait_until(|| engine.app.ctx.reports.all().iter().any(|p| p.name == "selfhood" && p.ran_at.is_some())).await;
    assert!(engine.events("mind.renewed").await.is_empty(), "the first beginning is none anew");
    let look = Duration::from_secs(11);
    std::fs::remove_file(mind.join("seeds/creative.md")).expect("removed");
    let told = engine.advance_until("mind.renewed", 1, look).await;
    assert!(matches!(told[0].event(), Event::MindRenewed(e) if e.files == ["seeds/creative.md"] && !e.history));
    remove(&mind.join(".git"));
    let told = engine.advance_until("mind.renewed", 2, look).await;
    assert!(matches!(told[1].event(), Event::MindRenewed(e) if e.history));
    remove(&mind);
    let told = engine.advance_until("mind.renewed", 3, look).await;
    assert!(matches!(told[2].event(), Event::MindRenewed(e) if e.history && e.files.len() >= 7));
    assert!(mind.join("persona.md").exists());
    engine.stop().await;
}
