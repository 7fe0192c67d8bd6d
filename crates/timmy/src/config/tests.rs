//! Each layer wins over the one before, and each fault says where and what.

use super::*;

fn from_file(text: &str) -> Result<Config, ConfigError> {
    Config::load(&Inputs { file: Some(text.to_owned()), ..Inputs::default() })
}

#[test]
fn later_layers_win_and_the_source_is_told() {
    let inputs = Inputs {
        file: Some("[thinking]\ninterval_seconds = 60\nenabled = false\n".to_owned()),
        environment: vec![("TIMMY__THINKING__INTERVAL_SECONDS".to_owned(), "30".to_owned())],
        flags: vec![("server", "port", Value::Int(0))],
        ..Inputs::default()
    };
    let config = Config::load(&inputs).expect("no fault");
    assert_eq!((config.thinking.interval_seconds, config.thinking.enabled, config.server.port), (30, false, 0));
    let source = |key: &str| config.explain().into_iter().find(|e| e.key == key).map(|e| e.source);
    assert_eq!(source("thinking.enabled").as_deref(), Some("timmy.toml line 3"));
    assert_eq!(source("thinking.interval_seconds").as_deref(), Some("environment TIMMY__THINKING__INTERVAL_SECONDS"));
    assert_eq!(source("server.port").as_deref(), Some("flag"));
    assert_eq!(source("talk.max_tokens").as_deref(), Some("default"));
}

#[test]
fn faults_name_the_line_and_the_nearest_name() {
    let rows = [
        ("[thinkng]\nenabled = true", "timmy.toml line 1: unknown section \"thinkng\"; did you mean \"thinking\"?"),
        (
            "\n[thinking]\nintervall_seconds = 3",
            "timmy.toml line 3: unknown key in [thinking] \"intervall_seconds\"; did you mean \"interval_seconds\"?",
        ),
        (
            "[thinking]\ninterval_seconds = 0",
            "timmy.toml line 2: [thinking] interval_seconds: expected a whole number from 1 to 86400, not 0",
        ),
        ("[thinking]\nenabled = \"yes\"", "timmy.toml line 2: [thinking] enabled: expected true or false, not \"yes\""),
        ("port = 3", "timmy.toml line 1: \"port\" stands outside a section; put it under one, such as [thinking]"),
        (
            "[cascade]\nproviders = [\"olama\"]",
            "[cascade] providers: unknown provider \"olama\"; did you mean \"ollama\"?",
        ),
        (
            "[cascade]\nprefer = \"scripted\"",
            "[cascade] prefer: unknown provider of [cascade] providers \"scripted\"; known are ollama, engine, reflex, auto",
        ),
        (
            "[thinking]\nquiet_from = \"22:00\"",
            "[thinking] quiet_from and quiet_until: set both for quiet hours, or neither",
        ),
        (
            "[server]\nbind = \"everywhere\"",
            "[server] bind: \"everywhere\" is no address; use 127.0.0.1 for this machine only",
        ),
        (
            "[provider.Bad]\nurl = \"x\"",
            "timmy.toml line 1: a provider stands under [provider.NAME], with a name of small letters, digits and dashes",
        ),
        (
            "[provider.grok]\nmodel = \"m\"",
            "timmy.toml line 1: [provider.grok] needs url = \"https://…\" or \"http://…\"",
        ),
        (
            "[provider.reflex]\nurl = \"http://x\"",
            "timmy.toml line 1: \"reflex\" is the name of a built-in provider; choose another",
        ),
    ];
    for (text, fault) in rows {
        assert_eq!(from_file(text).map(|_| ()), Err(ConfigError(vec![fault.to_owned()])), "{text}");
    }
    let broken = from_file("[thinking\n").map(|_| ()).expect_err("not TOML").to_string();
    assert!(broken.contains("timmy.toml line 1"), "{broken}");
}

#[test]
fn every_fault_is_told_at_once() {
    let faults = from_file("[thinking]\na = 1\nb = 2\n[talk]\nc = 3\n").map(|_| ()).expect_err("faults").0;
    assert_eq!(faults.len(), 3);
}

#[test]
fn environment_faults_name_the_variable() {
    let load = |name: &str, value: &str| {
        let environment = vec![(name.to_owned(), value.to_owned())];
        Config::load(&Inputs { environment, ..Inputs::default() }).map(|_| ()).expect_err("a fault").0.join("")
    };
    assert!(load("TIMMY__THINKING", "1").contains("expected TIMMY__SECTION__KEY"));
    assert!(load("TIMMY__THINKING__ENABLED", "maybe").contains("expected true or false"));
    assert!(load("TIMMY__THINKING__ENABLD", "true").contains("did you mean \"enabled\"?"));
    assert!(load("TIMMY__\u{1b}[2J\n__ENABLED", "true").starts_with("environment TIMMY__ [2J __ENABLED: "));
}

#[test]
fn a_secret_is_never_shown() {
    let inputs = Inputs {
        file: Some(
            "[provider.grok]\nkind = \"openai\"\nurl = \"https://api.x.ai/v1\"\nmodel = \"grok-3-fast\"\n".to_owned(),
        ),
        secrets: Some("[provider.grok]\napi_key = \"xai-very-secret\"\n".to_owned()),
        ..Inputs::default()
    };
    let config = Config::load(&inputs).expect("no fault");
    assert_eq!(config.providers["grok"].api_key.expose(), "xai-very-secret");
    let shown = format!("{:?} {:?}", config, config.explain());
    assert!(!shown.contains("very-secret"), "{shown}");
    for broken in [
        "[provider.grok]\napi_key = \"xai-very-secret",
        "[provider.grok]\napi_keys = \"xai-very-secret\"",
        "xai-very-secret",
    ] {
        let inputs = Inputs { secrets: Some(broken.to_owned()), ..inputs.clone() };
        let fault = Config::load(&inputs).map(|_| ()).expect_err("a fault").to_string();
        assert!(fault.contains("secrets.toml") && !fault.contains("very-secret"), "{fault}");
    }
}
