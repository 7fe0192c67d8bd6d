//! The models on this machine, through the engine: registered, fetched, put aside, and used.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use timmy_core::library::NewModel;
use timmy_core::library::pulls::PullState;
use timmy_core::settings::Settings;
use timmy_domain::model::catalogue;
use timmy_llm::Scripted;
use timmy_llm::pull::Wanted;
use timmy_testkit::{Engine, engine};

const WEIGHTS: &[u8] = b"GGUF\x03\0\0\0weights";

fn quiet() -> Settings {
    let mut settings = Settings::default();
    settings.thinking.enabled = false;
    settings
}

fn house() -> Engine {
    engine(vec![Arc::new(Scripted::new(&timmy_llm::ScriptedSettings::default()))], quiet())
}

/// A file of the folder of models.
fn own_file(engine: &Engine, name: &str) -> String {
    let folder = engine.app.library.folder();
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), WEIGHTS).expect("written");
    folder.join(name).to_string_lossy().into_owned()
}

fn new(name: &str, path: &str) -> NewModel {
    NewModel { name: name.into(), path: path.into(), ..NewModel::default() }
}

// shows: models: a model that was switched off stays so over a restart
#[tokio::test]
async fn an_inactive_model_stays_registered_over_a_restart() {
    let mut engine = house();
    let path = own_file(&engine, "m.gguf");
    engine.app.library.register(new("m", &path)).await.expect("registered");
    engine.app.library.assign("timmy", "m").await.expect("assigned");
    assert_eq!(engine.app.ctx.model_of("timmy").await.as_deref(), Some("m"));
    engine.app.library.switch("m", false).await.expect("switched");
    engine.stop().await;
    let engine = engine.reopen(vec![], quiet());
    let models = engine.app.library.list(None).await.expect("a list");
    assert_eq!((models.len(), models[0].active, models[0].bytes), (1, false, WEIGHTS.len() as u64));
    assert_eq!(engine.app.ctx.model_of("timmy").await, None, "it is not asked");
    assert_eq!(engine.events("model.*").await.len(), 3);
}

#[tokio::test]
async fn only_granted_paths_are_registered_and_the_owner_imports_any() {
    let engine = house();
    let other = tempfile::tempdir().expect("a folder");
    let far = other.path().join("far.gguf");
    std::fs::write(&far, WEIGHTS).expect("written");
    let far = far.to_string_lossy().into_owned();
    let refused = engine.app.library.register(new("far", &far)).await.expect_err("not granted");
    assert_eq!(refused.code, "path_not_granted");
    engine.app.library.import(new("far", &far)).await.expect("imported");
    for (name, path) in [("../x", far.as_str()), ("x", ""), ("x", "/nowhere/at/all")] {
        assert!(engine.app.library.import(new(name, path)).await.is_err(), "{name} {path}");
    }
    let gone = engine.app.library.remove("far").await.expect("removed");
    assert!(std::fs::exists(gone.path).expect("looked"), "a file of somebody else stays where it is");
}

// shows: models: a removed model comes back with its file and its agents
#[tokio::test]
async fn a_removed_model_comes_back_whole() {
    let engine = house();
    let path = own_file(&engine, "m.gguf");
    let library = &engine.app.library;
    library.register(new("m", &path)).await.expect("registered");
    library.assign("timmy", "m").await.expect("assigned");
    library.remove("m").await.expect("removed");
    assert!(!std::fs::exists(&path).expect("looked"));
    assert!(
        library.list(None).await.expect("a list").is_empty() && library.assignments().await.expect("a list").is_empty()
    );
    library.restore("m").await.expect("back");
    assert_eq!(std::fs::read(&path).expect("the file"), WEIGHTS);
    assert_eq!(library.assignments().await.expect("a list").len(), 1);
    // Later it is gone, and its room is free.
    library.remove("m").await.expect("removed");
    engine.clock.advance(Duration::from_secs(3_601));
    assert!(library.restore("m").await.is_err());
    assert_eq!(std::fs::read_dir(library.folder().join(".removed")).expect("a folder").count(), 0);
}

// shows: models: how fast memory and disk are is measured beside everything else: the first look says so and does not wait
#[tokio::test]
async fn the_machine_is_measured_beside_everything_else() {
    let engine = house();
    let library = &engine.app.library;
    let (machine, speeds) = library.measured().await;
    assert!(speeds.measuring && machine.memory_read_bytes_per_second == 0, "the first look does not wait");
    let offers = library.offers(machine).await.expect("offers");
    assert!(offers.iter().all(|offer| offer.tenths_of_tokens_per_second == 0), "nothing is said that is not known");
    while library.measured().await.1.measuring {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (machine, speeds) = library.measured().await;
    assert!(machine.memory_read_bytes_per_second > 0 && speeds.measured_at.is_some(), "{speeds:?}");
}

/// A server that sends `body` to whoever asks; the part after `hold` only once `go` is told.
fn serve(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/m.gguf", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { return };
            let _ = socket.read(&mut [0; 4_096]);
            let head = format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
        }
    });
    url
}

// shows: models: a model the owner asked for is fetched, checked, registered and used
#[tokio::test]
async fn a_pulled_model_is_registered_and_asked_for() {
    let engine = house();
    let entry = catalogue::find("qwen3-0.6b").expect("an entry");
    let sha256 = Some(Sha256::digest(WEIGHTS).iter().map(|byte| format!("{byte:02x}")).collect());
    let (url, bytes) = (serve(WEIGHTS.to_vec()), Some(WEIGHTS.len() as u64));
    let wanted = Wanted { url, bytes, sha256, file_name: entry.file_name(), head: b"GGUF" };
    let pulls = &engine.app.library.pulls;
    pulls.begin(entry, wanted).await.expect("begun");
    engine.wait_for("model.registered", 1).await;
    engine.wait_until(|| pulls.get(entry.name).is_some_and(|p| p.state == PullState::Done)).await;
    let model = engine.app.library.get(entry.name).await.expect("registered");
    assert_eq!(std::fs::read(&model.path).expect("the file"), WEIGHTS);
    assert_eq!(engine.events("model.pull_started").await.len(), 1);
    assert_eq!(pulls.cancel(entry.name).expect_err("it is done").code, "no_pull");
    assert_eq!(pulls.start("phi-4").await.expect_err("no checksum").code, "checksum_unknown");
    assert_eq!(pulls.start("nothing").await.expect_err("no such model").code, "unknown_model");
}

#[tokio::test]
async fn a_stopped_pull_says_so_and_installs_nothing() {
    let engine = house();
    let entry = catalogue::find("qwen3-1.7b").expect("an entry");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/m.gguf", listener.local_addr().expect("an address"));
    let (bytes, sha256) = (Some(1_000), Some("ab".repeat(32)));
    let wanted = Wanted { url, bytes, sha256, file_name: entry.file_name(), head: b"" };
    let pulls = &engine.app.library.pulls;
    pulls.begin(entry, wanted.clone()).await.expect("begun");
    pulls.begin(entry, wanted.clone()).await.expect("it is told as it stands");
    assert_eq!(pulls.cancel(entry.name).expect("stopped").state, PullState::Stopping);
    // Nothing ran since, so it has not ended: a second one would write into the same file.
    assert_eq!(pulls.begin(entry, wanted.clone()).await.expect_err("not yet").code, "pull_stopping");
    engine.wait_for("model.pull_ended", 1).await;
    engine.wait_until(|| pulls.get(entry.name).is_some_and(|p| p.state == PullState::Cancelled)).await;
    assert!(engine.app.library.list(None).await.expect("a list").is_empty());
}
