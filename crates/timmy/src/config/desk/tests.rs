//! What the desk writes Timmy can start with; everything else is refused and nothing is lost.

use timmy_web::desk::Desk as _;

use super::*;

const OWN: &str = "# Mine.\n[thinking]\ninterval_seconds = 600 # slow\n";

fn home(text: &str) -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().expect("a folder");
    let home = Home { path: folder.path().to_owned() };
    if !text.is_empty() {
        fs::write(home.config(), text).expect("written");
    }
    (folder, home)
}

fn desk(home: &Home, flags: Flags) -> Desk {
    let running = wire::load_config(home, flags.clone()).unwrap_or_default();
    Desk::new(home.clone(), flags, running)
}

fn set(key: &str, value: &str) -> Change {
    Change { key: key.to_owned(), value: Some(Given::Text(value.to_owned())) }
}

// shows: configuration: a setting is written to the file, every other line stays, and it waits for the next start
#[test]
fn a_change_is_written_and_waits_for_the_next_start() {
    let (_folder, home) = home(OWN);
    let desk = desk(&home, Vec::new());
    let told = desk.change(&[set("thinking.interval_seconds", "60")]).expect("changed");
    assert_eq!(fs::read_to_string(home.config()).expect("read"), OWN.replace("600", "60"));
    assert_eq!((told[0].running.as_str(), told[0].next.as_str(), told[0].waits()), ("600", "60", true));
    assert_eq!(told[0].holder, Holder::File(3));
    let sheet = desk.sheet().expect("a sheet");
    assert_eq!(sheet.setting("thinking.interval_seconds"), Some(&told[0]));
    assert!(sheet.setting("talk.max_tokens").is_some_and(|s| !s.waits() && s.holder == Holder::Default));
    desk.change(&[Change { key: "thinking.interval_seconds".into(), value: None }]).expect("taken out");
    assert_eq!(fs::read_to_string(home.config()).expect("read"), "# Mine.\n[thinking]\n");
}

#[test]
fn a_file_that_is_not_there_is_made_for_the_owner_alone() {
    let (_folder, home) = home("");
    let desk = desk(&home, Vec::new());
    let given = Given::List(vec!["scripted".into(), "reflex".into()]);
    desk.change(&[Change { key: "cascade.providers".into(), value: Some(given) }]).expect("changed");
    assert_eq!(fs::read_to_string(home.config()).expect("read"), "[cascade]\nproviders = [\"scripted\", \"reflex\"]\n");
    assert_eq!(fs::metadata(home.config()).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(!home.config().with_extension("toml.new").exists());
}

#[test]
fn a_link_stays_a_link() {
    let (folder, home) = home("");
    let real = folder.path().join("elsewhere.toml");
    fs::write(&real, OWN).expect("written");
    std::os::unix::fs::symlink(&real, home.config()).expect("linked");
    desk(&home, Vec::new()).change(&[set("thinking.interval_seconds", "60")]).expect("changed");
    assert!(fs::symlink_metadata(home.config()).expect("there").is_symlink());
    assert_eq!(fs::read_to_string(real).expect("read"), OWN.replace("600", "60"));
}

// shows: configuration: what would not start is refused with the reason, and the file stays as it is
#[test]
fn what_would_not_start_is_refused_and_nothing_is_written() {
    let (_folder, home) = home(OWN);
    let desk = desk(&home, Vec::new());
    let rows = [
        ("thinking.interval_seconds", "0", "expected a whole number from 1 to 86400, not 0"),
        ("thinking.interval_seconds", "often", "expected a whole number"),
        ("thinking.enabled", "maybe", "expected true or false"),
        ("thinking.quiet_from", "22:00", "set both for quiet hours, or neither"),
        ("thinkin.enabled", "true", "did you mean \"thinking.enabled\"?"),
        ("cascade.prefer", "olama", "did you mean \"ollama\"?"),
        ("provider.grok.api_key", "xai-very-secret", "unknown setting"),
        ("provider.grok.url", "nowhere", "needs url"),
        ("", "", "unknown setting"),
    ];
    for (key, value, why) in rows {
        let problem = desk.change(&[set(key, value)]).expect_err(key);
        assert!(problem.message.contains(why), "{key}: {}", problem.message);
        assert!(!problem.message.contains("very-secret"));
        // One that is refused takes the others with it.
        assert!(desk.change(&[set("talk.max_tokens", "99"), set(key, value)]).is_err());
        assert_eq!(fs::read_to_string(home.config()).expect("read"), OWN);
    }
    let both = [set("thinking.quiet_from", "22:00"), set("thinking.quiet_until", "07:00")];
    assert!(desk.change(&both).is_ok(), "keys that belong together are changed together");
}

#[test]
fn what_wins_over_the_file_cannot_be_set_in_it() {
    let (_folder, home) = home(OWN);
    let desk = desk(&home, vec![("server", "port", Value::Int(0))]);
    let sheet = desk.sheet().expect("a sheet");
    assert_eq!(
        sheet.setting("server.port").map(|s| s.holder.clone()),
        Some(Holder::Above("a flag of the command line".into()))
    );
    assert_eq!(desk.change(&[set("server.port", "9000")]).map_err(|p| p.code), Err("setting_held"));
}

#[test]
fn secrets_are_neither_shown_nor_taken() {
    let (_folder, home) = home("[provider.grok]\nurl = \"https://api.x.ai/v1\"\n");
    fs::write(home.secrets(), "[provider.grok]\napi_key = \"xai-very-secret\"\n").expect("written");
    fs::set_permissions(home.secrets(), fs::Permissions::from_mode(0o600)).expect("closed");
    let desk = desk(&home, Vec::new());
    let sheet = desk.sheet().expect("a sheet");
    let key = sheet.setting("provider.grok.api_key").expect("listed");
    assert_eq!((key.running.as_str(), key.field.as_str(), key.is_editable()), ("set, not shown", "", false));
    assert!(!format!("{sheet:?}").contains("very-secret"));
    assert_eq!(desk.change(&[set("provider.grok.api_key", "x")]).map_err(|p| p.code), Err("setting_secret"));
    desk.change(&[set("provider.grok.model", "grok-3")]).expect("changed");
    assert!(fs::read_to_string(home.config()).expect("read").contains("model = \"grok-3\""));
}

#[test]
fn a_new_provider_begins_with_its_address() {
    let (_folder, home) = home(OWN);
    let desk = desk(&home, Vec::new());
    let told = desk.change(&[set("provider.friend.url", "http://friend.lan/v1")]).expect("changed");
    assert_eq!(told[0].key, "provider.friend.url");
    desk.change(&[set("cascade.providers", "friend, reflex")]).expect("changed");
    assert_eq!(
        desk.sheet().expect("a sheet").setting("cascade.providers").map(|s| s.field.clone()),
        Some("friend\nreflex".into())
    );
}

#[test]
fn a_file_broken_by_hand_is_told_and_can_be_mended() {
    let (_folder, home) = home(OWN);
    let desk = desk(&home, Vec::new());
    fs::write(home.config(), "[thinking]\ninterval_seconds = 0\n").expect("written");
    let sheet = desk.sheet().expect("a sheet");
    assert_eq!(sheet.faults.len(), 1);
    assert_eq!(
        sheet.setting("thinking.interval_seconds").map(|s| s.running.clone()),
        Some("600".into()),
        "this run goes on"
    );
    assert!(desk.change(&[set("talk.max_tokens", "99")]).is_err(), "the fault would still be there");
    desk.change(&[set("thinking.interval_seconds", "30")]).expect("mended");
    assert_eq!(desk.sheet().expect("a sheet").faults, Vec::<String>::new());
}

#[test]
fn texts_with_a_comma_are_given_as_in_the_file() {
    let read_list = |text: &str| read(&Kind::List, &Given::Text(text.into()));
    assert_eq!(read_list("a, b"), Ok(Value::List(vec!["a".into(), "b".into()])));
    assert_eq!(read_list("[\"a, b\", \"c\"]"), Ok(Value::List(vec!["a, b".into(), "c".into()])));
    assert!(read_list("[a").is_err() && read_list("[1]").is_err());
}
