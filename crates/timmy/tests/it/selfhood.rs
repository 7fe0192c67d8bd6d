//! The version-controlled self.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use timmy_core::settings::Settings;
use timmy_domain::Event;
use timmy_llm::{Provider, Scripted, Step};
use timmy_testkit::engine;

fn git(dir: &std::path::Path, args: &[&str]) -> String {
    let out = Command::new("git").arg("-C").arg(dir).args(args).output().expect("git runs");
    String::from_utf8_lossy(&out.stdout).trim().to_owned()
}

// shows: process: mind/ is a git repository; an edit of the owner takes effect and is committed
#[tokio::test(flavor = "multi_thread")]
async fn mind_is_a_repository_and_the_owners_edit_takes_effect() {
    let provider = Arc::new(Scripted::script(vec![Step::Reply("Aye.".into())]));
    let mut engine = engine(vec![Arc::clone(&provider) as Arc<dyn Provider>], Settings::default());
    let mind = engine.app.ctx.mind_dir.clone();
    engine.run_only(&["selfhood", "mind.thinking", "work.processor"]);
    engine.wait_until(|| git(&mind, &["log", "--oneline"]).lines().count() == 1).await;
    assert!(git(&mind, &["ls-files"]).contains("persona.md"));
    std::fs::write(mind.join("persona.md"), "You are Timmy, and today you talk like a sailor.\n").expect("written");
    std::fs::write(mind.join("seeds/creative.md"), "- A shanty about backups.\n").expect("written");
    let told = engine.advance_until("mind.changed", 1, Duration::from_secs(15)).await;
    let Event::MindChanged(change) = told[0].event() else { panic!("{told:?}") };
    assert_eq!(change.files, ["persona.md", "seeds/creative.md"]);
    assert_eq!(git(&mind, &["log", "--oneline"]).lines().count(), 2);
    assert_eq!(git(&mind, &["status", "--porcelain"]), "");
    engine.wait_for_thoughts(1).await;
    engine.stop().await;
    let asked = Arc::new(Scripted::script(vec![Step::Reply("Ahoy.".into())]));
    let mut again = engine.reopen(vec![Arc::clone(&asked) as Arc<dyn Provider>], Settings::default());
    again.run_only(&["talk.answer"]);
    again.ask("Who are you?").await;
    assert!(format!("{:?}", asked.requests()).contains("talk like a sailor"));
    again.stop().await;
}
