//! What leaves the home in a file: no backup and no export holds a secret.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::QUIET;
use crate::support::{Server, home, json as cli_json};
use crate::web::session;

const PASSWORD: &str = "correct horse battery staple";

/// Every file below `dir`, with what it holds.
fn files(dir: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
        }
    }
}

// shows: backup: no backup and no export of an area holds a key, a token, a session or the password; secrets.toml and run.json are in none (36)
#[test]
fn case_36_no_backup_and_no_export_holds_a_secret() {
    let (home, out) = (home(), home());
    let config = "[cascade]\nproviders = [\"scripted\", \"paid\"]\n[provider.paid]\nkind = \"openai\"\nurl = \"https://models.example/v1\"\nmodel = \"m\"\n";
    std::fs::write(home.path().join("timmy.toml"), config).expect("written");
    let secrets = home.path().join("secrets.toml");
    std::fs::write(&secrets, "[provider.paid]\napi_key = \"sk-canary-of-the-test\"\n").expect("written");
    std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(0o600)).expect("closed");
    let server = Server::start_with(home.path(), &QUIET[1..]);
    let token = server.post("/api/tokens", &json!({"name": "phone", "scope": "admin"}));
    assert_eq!(server.ask("PUT", "/api/login/password", Some(&json!({"password": PASSWORD}))).0, 200);
    let (cookie, csrf) = session(&server);
    server.post("/thinking/api/inject", &json!({"content": "a thought that is worth keeping"}));
    let words = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    let cookie = cookie.split_once('=').expect("a pair").1.to_owned();
    let secret =
        [server.token.clone(), words(&token["token"]), cookie, PASSWORD.to_owned(), "sk-canary-of-the-test".to_owned()];
    let mut kept = 0;
    for area in ["", "thoughts", "talk", "watch", "events", "mind", "settings"] {
        let to = out.path().join(format!("made-{area}"));
        std::fs::create_dir(&to).expect("made");
        let only = if area.is_empty() { vec![] } else { vec!["--only", area] };
        let made = cli_json(home.path(), &[&["backup", "--to", to.to_str().expect("text")][..], &only].concat());
        let file = words(&made["path"]);
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} is closed to others: {mode:o}");
        let open = to.join("open");
        std::fs::create_dir(&open).expect("made");
        let unpacked = Command::new("tar").arg("-xf").arg(&file).arg("-C").arg(&open).status().expect("tar runs");
        assert!(unpacked.success(), "{file}");
        let mut found = Vec::new();
        files(&open, &mut found);
        assert!(!found.is_empty(), "{file} holds something");
        for (name, bytes) in &found {
            for never in ["secrets.toml", "run.json", "timmy.db.key", "/lock"] {
                assert!(!name.ends_with(never), "{name} in {file}");
            }
            let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(!secret.iter().any(|secret| holds(secret)), "{name} in {file} holds a secret");
            // The whole home keeps what opens it, as hashes; what goes elsewhere does not even hold those.
            assert!(area.is_empty() || !(holds("$argon2id$") || holds(&csrf)), "{name} in {file}");
            kept += usize::from(holds("worth keeping"));
        }
    }
    assert!(kept >= 2, "the search finds what is there: the thought, in the home and in its area");
}
