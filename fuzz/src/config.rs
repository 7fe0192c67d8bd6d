//! Configuration: understood, or refused with words; secrets stay secret; a changed value changes nothing else.

use timmy::config::{Config, Inputs, edit};
use timmy_domain::settings::Value;
use timmy_domain::text::is_harmful;

/// What stands in `secrets.toml` and must never be repeated.
const SECRET: &str = "sk-kelp-0192f0c1";

/// Reads `bytes` as `timmy.toml`; what stands after a zero byte are variables, each with its value on one line.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (file, variables) = text.split_once('\0').unwrap_or((text, ""));
    let environment: Vec<(String, String)> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (format!("TIMMY__{name}"), value.to_owned()))
        .collect();
    let secrets = format!("[provider.kelp]\napi_key = \"{SECRET}\"\n");
    let inputs = Inputs { file: Some(file.to_owned()), secrets: Some(secrets), environment, flags: Vec::new() };
    match Config::load(&inputs) {
        Ok(config) => {
            for line in config.explain() {
                let said = format!("{line:?}");
                assert!(!said.contains(SECRET), "a secret is told: {said}");
            }
        }
        Err(error) => {
            assert!(!error.0.is_empty(), "what is refused says why");
            for fault in &error.0 {
                assert!(!fault.contains(SECRET) && !fault.is_empty(), "{fault:?}");
                assert!(!fault.contains(is_harmful) && !fault.contains('\n'), "a fault is one safe line: {fault:?}");
            }
        }
    }
    changed(file);
}

/// One value is set in the text, and taken out again.
fn changed(text: &str) {
    let alone = |text: &str| Config::load(&Inputs { file: Some(text.to_owned()), ..Inputs::default() });
    let Ok(before) = alone(text) else { return };
    let (key, value) = ("thinking.interval_seconds", Value::Int(601));
    let Ok(edited) = edit::set(text, key, &value) else { return };
    let after = alone(&edited).unwrap_or_else(|error| panic!("{error}\n{edited:?}"));
    for (old, new) in before.explain().iter().zip(after.explain()) {
        let wanted = if old.key == key { "601" } else { old.value.as_str() };
        assert_eq!(new.value, wanted, "{} in {edited:?}", old.key);
    }
    let back = edit::unset(&edited, key).expect("what was set can be unset");
    let back = alone(&back).unwrap_or_else(|error| panic!("{error}\n{back:?}"));
    let interval = |config: &Config| config.explain().into_iter().find(|line| line.key == key).map(|line| line.value);
    assert_eq!(interval(&back), interval(&Config::default()), "the default holds again");
}
