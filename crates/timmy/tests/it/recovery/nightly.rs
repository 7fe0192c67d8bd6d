//! The nightly backup over simulated nights.

use std::sync::Arc;
use std::time::Duration;

use timmy_core::backup::Proof;
use timmy_core::backup::proof::NOTE;
use timmy_core::settings::Settings;
use timmy_domain::Event;
use timmy_llm::Reflex;
use timmy_testkit::{Engine, engine};

fn house() -> Engine {
    engine(vec![Arc::new(Reflex::new("a-model"))], Settings::default())
}

fn home(engine: &Engine) -> std::path::PathBuf {
    engine.app.backups.home().to_owned()
}

const QUARTER: Duration = Duration::from_secs(900);
const DAY: Duration = Duration::from_secs(86_400);

/// Lets time pass in small steps until the part has looked at each.
async fn pass(engine: &Engine, time: Duration) {
    for _ in 0..time.as_secs() / QUARTER.as_secs() {
        engine.clock.advance(QUARTER);
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
}

// shows: backup: made every night at its hour, checked as a restore would, and the old ones go by the rule
#[tokio::test(flavor = "multi_thread")]
async fn every_night_has_its_backup_and_its_drill() {
    let mut engine = house();
    engine.app.thinking.inject("kelp").await.expect("put in");
    engine.run_only(&["backup"]);
    // It is 08:00: nothing until the night.
    let begun = timmy_core::clock::Clock::now(&engine.clock);
    pass(&engine, Duration::from_secs(19 * 3_600)).await;
    assert!(engine.events("backup.*").await.is_empty(), "it is 03:00");
    let made = engine.advance_until("backup.made", 1, QUARTER).await;
    let drilled = engine.wait_for("backup.drilled", 1).await;
    assert_eq!(drilled[0].cause, Some(made[0].seq));
    let Event::BackupMade(told) = made[0].event() else { panic!("{made:?}") };
    assert_eq!((told.why.as_str(), told.areas.as_slice()), ("nightly", &["home".to_owned()][..]));
    assert!(made[0].at >= begun.plus(Duration::from_secs(19 * 3_600 + 1_800)), "before its hour: {}", made[0].at);
    for night in 2..=12 {
        engine.advance_until("backup.drilled", night, 2 * QUARTER).await;
    }
    let list = engine.app.backups.list().await.expect("lists");
    assert!(list.iter().all(|l| l.nightly));
    // Seven days, and the last of the weeks before.
    assert!((7..12).contains(&list.len()), "{list:?}");
    assert_eq!(engine.events("backup.made").await.len(), 12);
    engine.stop().await;
}

// shows: backup: a machine that slept through nights makes up for it once, and a disabled one rests
#[tokio::test(flavor = "multi_thread")]
async fn a_night_that_was_slept_through_is_made_up_for_once() {
    let mut engine = house();
    engine.run_only(&["backup"]);
    engine.wait_until(|| engine.app.ctx.reports.all().iter().any(|p| p.note.contains("first one is made"))).await;
    // Asleep for five days, awake at ten in the morning.
    engine.clock.advance(5 * DAY + Duration::from_secs(2 * 3_600));
    engine.wait_for("backup.drilled", 1).await;
    pass(&engine, Duration::from_secs(12 * 3_600)).await;
    assert_eq!(engine.events("backup.made").await.len(), 1, "five nights are one backup");
    engine.stop().await;
    let mut settings = Settings::default();
    settings.backup.enabled = false;
    let mut engine = engine.reopen(vec![Arc::new(Reflex::new("a-model"))], settings);
    engine.run_only(&["backup"]);
    pass(&engine, 2 * DAY).await;
    assert_eq!(engine.events("backup.made").await.len(), 1, "switched off");
    engine.stop().await;
}

// shows: backup: the clock set forward and back neither stops the nightly backups nor makes many
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_wrong_does_not_stop_the_nights() {
    let mut engine = house();
    let begun = timmy_core::clock::Clock::now(&engine.clock);
    engine.run_only(&["backup"]);
    engine.wait_until(|| engine.app.ctx.reports.all().iter().any(|p| p.note.contains("first one is made"))).await;
    engine.clock.set(begun.plus(400 * DAY));
    engine.advance_until("backup.made", 1, Duration::from_secs(61)).await;
    engine.wait_for("backup.drilled", 1).await;
    engine.clock.set(begun);
    // The next nights come as usual, and what the wrong year made pushes nothing out.
    for night in 2..=4 {
        engine.advance_until("backup.drilled", night, QUARTER).await;
    }
    let list = engine.app.backups.list().await.expect("lists");
    assert_eq!(list.len(), 4, "{list:?}");
    assert!(list[0].created_at > begun.plus(300 * DAY));
    engine.stop().await;
}

// shows: backup: a backup that would not restore is told by its drill, and shown on Health
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_would_not_restore_is_told() {
    let mut engine = house();
    // A mind whose history lies elsewhere packs well, and would not come back.
    spoil(&engine, true);
    engine.run_only(&["backup"]);
    let failed = engine.advance_until("backup.drill_failed", 1, QUARTER).await;
    assert!(failed[0].event().sentence().contains("lies elsewhere"), "{}", failed[0].data);
    engine.wait_until(|| engine.app.ctx.reports.all().iter().any(|p| p.name == "backup" && p.troubled)).await;
    assert!(engine.app.backups.last_drill().await.expect("reads").is_some_and(|r| r.name == "backup.drill_failed"));
    engine.stop().await;
}

/// Makes the mind one that packs well and would not come back, or takes that away again.
fn spoil(engine: &Engine, bad: bool) {
    let git = home(engine).join("mind/.git");
    let alternates = git.join("objects/info/alternates");
    if bad {
        std::fs::create_dir_all(git.join("objects/info")).expect("made");
        std::fs::write(git.join("HEAD"), "ref: refs/heads/main\n").expect("written");
        std::fs::write(git.join("config"), "[core]\n").expect("written");
        std::fs::create_dir_all(git.join("refs/heads")).expect("made");
        std::fs::write(alternates, "/elsewhere\n").expect("written");
    } else {
        std::fs::remove_file(alternates).expect("removed");
    }
}

async fn lying(engine: &Engine) -> Vec<(String, Proof)> {
    engine.app.backups.list().await.expect("lists").into_iter().map(|l| (l.file, l.proof)).collect()
}

// shows: backup: nights whose backups would not restore push out none that proved good, and do not fill the disk
#[tokio::test(flavor = "multi_thread")]
async fn failed_nights_push_out_none_that_proved_good() {
    let mut settings = Settings::default();
    (settings.backup.keep_daily, settings.backup.keep_weekly) = (1, 0);
    let providers = || -> Vec<Arc<dyn timmy_llm::Provider>> { vec![Arc::new(Reflex::new("a-model"))] };
    let mut engine = engine(providers(), settings.clone());
    engine.run_only(&["backup"]);
    engine.advance_until("backup.drilled", 1, QUARTER).await;
    let good = lying(&engine).await;
    assert_eq!(good.len(), 1);
    spoil(&engine, true);
    for night in 1..=3 {
        engine.advance_until("backup.drill_failed", night, QUARTER).await;
    }
    engine.stop().await;
    // What is known of them survives a restart.
    let mut engine = engine.reopen(providers(), settings);
    engine.run_only(&["backup"]);
    for night in 4..=5 {
        engine.advance_until("backup.drill_failed", night, QUARTER).await;
    }
    let cleared = |files: usize| {
        let folder = home(&engine).join("backups");
        move || std::fs::read_dir(&folder).expect("a folder").count() == files + 1
    };
    engine.wait_until(cleared(3)).await;
    let there = lying(&engine).await;
    assert_eq!(there.iter().map(|l| l.1).collect::<Vec<_>>(), [Proof::Failed, Proof::Failed, Proof::Proven]);
    assert_eq!(there[2].0, good[0].0);
    assert_eq!(engine.events("backup.drilled").await.len(), 1, "nothing that is known is checked again");
    // Once one proves good again, it takes the place of the good one.
    spoil(&engine, false);
    engine.advance_until("backup.drilled", 2, QUARTER).await;
    engine.wait_until(cleared(3)).await;
    let there = lying(&engine).await;
    assert_eq!(there.iter().map(|l| l.1).collect::<Vec<_>>(), [Proof::Proven, Proof::Failed, Proof::Failed]);
    engine.stop().await;
}

// shows: backup: a check that was cut off says nothing of the backup, and is made up for with its event
#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_was_cut_off_is_made_up_for() {
    let mut engine = house();
    engine.run_only(&["backup"]);
    let made = engine.advance_until("backup.made", 1, QUARTER).await[0].clone();
    engine.wait_for("backup.drilled", 1).await;
    engine.stop().await;
    let mut engine = engine.reopen(vec![Arc::new(Reflex::new("a-model"))], Settings::default());
    // As if Timmy had been stopped before it was known.
    std::fs::remove_file(home(&engine).join("backups").join(NOTE)).expect("removed");
    let list = engine.app.backups.list().await.expect("lists");
    assert_eq!(list[0].proof, Proof::Unproven);
    {
        let checking = engine.app.backups.check(&list[0]);
        tokio::select! {
            biased;
            done = checking => panic!("it was not cut off: {done:?}"),
            () = std::future::ready(()) => {}
        }
    }
    engine.wait_until(|| engine.app.backups.making().is_none()).await;
    assert_eq!(engine.app.backups.list().await.expect("lists")[0].proof, Proof::Unproven, "neither whole nor bad");
    assert_eq!(engine.events("backup.*").await.len(), 2, "and nothing is told");
    // Not at once after the start: the owner comes first.
    engine.run_only(&["backup"]);
    engine.wait_until(|| engine.app.ctx.reports.all().iter().any(|p| p.name == "backup")).await;
    assert_eq!(engine.events("backup.drilled").await.len(), 1);
    let drilled = engine.advance_until("backup.drilled", 2, Duration::from_secs(61)).await;
    assert_eq!(drilled[1].cause, Some(made.seq));
    assert_eq!(engine.events("backup.made").await.len(), 1, "it is checked, and not made once more");
    engine.wait_until(|| home(&engine).join("backups").join(NOTE).exists()).await;
    assert_eq!(engine.app.backups.list().await.expect("lists")[0].proof, Proof::Proven);
    engine.stop().await;
}

// shows: backup: with too little room the night is left out with an event, and tried again later
#[tokio::test(flavor = "multi_thread")]
async fn without_room_the_night_is_left_out_and_told() {
    let mut engine = house();
    std::fs::create_dir(home(&engine).join("blobs")).expect("made");
    let vast = home(&engine).join("blobs/vast");
    std::fs::File::create(&vast).and_then(|f| f.set_len(1 << 43)).expect("a file with nothing in it");
    engine.run_only(&["backup"]);
    let skipped = engine.advance_until("backup.skipped", 1, QUARTER).await;
    assert!(
        matches!(skipped[0].event(), Event::BackupSkipped(e) if e.needed_bytes >= 1 << 44 && e.free_bytes < e.needed_bytes)
    );
    assert!(engine.events("backup.made").await.is_empty());
    std::fs::remove_file(vast).expect("removed");
    engine.advance_until("backup.drilled", 1, QUARTER).await;
    let skipped = engine.events("backup.skipped").await.len();
    assert!(skipped <= 2, "told {skipped} times in an hour");
    engine.stop().await;
}
