//! Servers of tools: `[mcp.NAME]` in `timmy.toml`, their keys in `secrets.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use timmy_domain::Secret;
use timmy_domain::settings::Value;
use timmy_tools::mcp::server::{
    NAME_CHARS_MAX, SERVERS_MAX, VARIABLE_CHARS_MAX, VARIABLES_MAX, WORDS_MAX, is_variable,
};
use timmy_tools::mcp::{Server, Way};
use toml::de::{DeTable, DeValue};

use super::file::{line_of, to_value};
use super::{Config, Explained, unknown};

/// The table under which servers of tools stand.
pub const SERVER_TABLE: &str = "mcp";

/// The keys of a server.
const KEYS: [&str; 7] = ["command", "network", "folders", "folders_write", "env", "url", "read_only"];

/// What stands under one name.
#[derive(Default)]
struct Written {
    command: Vec<String>,
    network: bool,
    folders: Vec<PathBuf>,
    folders_write: Vec<PathBuf>,
    env: BTreeMap<String, Secret>,
    url: String,
    read_only: Vec<String>,
}

impl Written {
    fn set(&mut self, key: &str, value: Value) -> Result<(), String> {
        match (key, value) {
            ("command", Value::List(words)) if !words.is_empty() && words.len() <= WORDS_MAX => self.command = words,
            ("command", _) => {
                return Err(format!("command: expected a list of 1 to {WORDS_MAX} words, the program first"));
            }
            ("network", Value::Bool(on)) => self.network = on,
            ("folders", Value::List(list)) => self.folders = folders(key, list)?,
            ("folders_write", Value::List(list)) => self.folders_write = folders(key, list)?,
            ("env", Value::List(names)) => self.env = variables(names)?,
            ("url", Value::Text(url)) if url.starts_with("http://") || url.starts_with("https://") => self.url = url,
            ("url", _) => return Err("url: expected \"https://…\" or \"http://…\"".to_owned()),
            ("read_only", Value::List(names)) => self.read_only = names,
            ("network", _) => return Err("network: expected true or false".to_owned()),
            (key, _) if KEYS.contains(&key) => return Err(format!("{key}: expected a list of texts")),
            (key, _) => return Err(unknown("key in [mcp]", key, &KEYS)),
        }
        Ok(())
    }

    fn server(self, name: &str) -> Result<Server, &'static str> {
        let bound = !self.folders.is_empty() || !self.folders_write.is_empty() || self.network || !self.env.is_empty();
        let way = match (self.command.is_empty(), self.url.is_empty()) {
            (false, true) => Way::Command {
                argv: self.command,
                network: self.network,
                folders: self.folders,
                folders_write: self.folders_write,
                env: self.env,
            },
            (true, false) if bound => return Err("network, folders and env are for a command; a url has none of them"),
            (true, false) => Way::Url { url: self.url, key: Secret::default() },
            _ => return Err("needs either command = [\"program\", …] or url = \"https://…\""),
        };
        Ok(Server { name: name.to_owned(), way, read_only: self.read_only })
    }
}

/// The names of variables, which have no values yet: those never stand in this file.
fn variables(names: Vec<String>) -> Result<BTreeMap<String, Secret>, String> {
    if names.len() > VARIABLES_MAX {
        return Err(format!("env: {VARIABLES_MAX} variables at most"));
    }
    match names.iter().find(|name| !is_variable(name)) {
        // What was written may be a value.
        Some(name) if name.contains('=') => {
            Err("env: names alone, such as \"API_TOKEN\"; the values stand in secrets.toml".to_owned())
        }
        Some(name) => Err(format!(
            "env: {:?} is no name of a variable that a server may be given, such as \"API_TOKEN\"",
            timmy_domain::text::cut(name, VARIABLE_CHARS_MAX)
        )),
        None => Ok(names.into_iter().map(|name| (name, Secret::default())).collect()),
    }
}

fn folders(key: &str, list: Vec<String>) -> Result<Vec<PathBuf>, String> {
    let whole =
        |path: &String| path.starts_with('/') && !Path::new(path).components().any(|part| part.as_os_str() == "..");
    match list.iter().find(|path| !whole(path)) {
        Some(path) => Err(format!("{key}: {path:?} is no whole path, such as \"/home/you/notes\"")),
        None => Ok(list.into_iter().map(PathBuf::from).collect()),
    }
}

/// Reads every `[mcp.NAME]`.
pub(super) fn read(config: &mut Config, table: &DeTable<'_>, text: &str, faults: &mut Vec<String>) {
    for (name, value) in table {
        let line = line_of(text, name.span().start);
        let called = name.get_ref().to_string();
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let fits = !called.is_empty() && called.len() <= NAME_CHARS_MAX && called.chars().all(good);
        let (DeValue::Table(keys), true) = (value.get_ref(), fits) else {
            faults.push(format!("timmy.toml line {line}: a server of tools stands under [mcp.NAME], with a name of at most {NAME_CHARS_MAX} small letters, digits and underscores"));
            continue;
        };
        let mut written = Written::default();
        for (key, value) in keys {
            let line = line_of(text, key.span().start);
            if let Err(fault) = to_value(value.get_ref()).and_then(|v| written.set(key.get_ref(), v)) {
                faults.push(format!("timmy.toml line {line}: [mcp.{called}] {fault}"));
            }
        }
        match written.server(&called) {
            Ok(server) => {
                config.servers.insert(called, server);
            }
            Err(why) => faults.push(format!("timmy.toml line {line}: [mcp.{called}] {why}")),
        }
    }
    if config.servers.len() > SERVERS_MAX {
        faults.push(format!("timmy.toml: {SERVERS_MAX} servers of tools are kept at most"));
    }
}

/// Takes what secrets.toml has for the server `name`: the key of an address, or the variables of a command. A fault
/// never shows a value.
pub(super) fn take_keys(config: &mut Config, name: &str, given: Vec<(String, Option<Secret>)>) -> Result<(), String> {
    let Some(server) = config.servers.get_mut(name) else { return Err(format!("timmy.toml has no [mcp.{name}]")) };
    match &mut server.way {
        Way::Url { key, .. } => match <[_; 1]>::try_from(given) {
            Ok([(named, Some(secret))]) if named == "api_key" => *key = secret,
            _ => return Err(format!("[mcp.{name}] has one key, api_key = \"…\"")),
        },
        Way::Command { env, .. } => {
            for (variable, value) in given {
                match (env.get_mut(&variable), value) {
                    (Some(place), Some(secret)) => *place = secret,
                    (Some(_), None) => return Err(format!("[mcp.{name}] {variable}: expected a text in quotes")),
                    (None, _) => {
                        return Err(format!(
                            "[mcp.{name}] is a command, which takes the variables that env names alone"
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Gives variables that secrets.toml does not have the value of the variable of the same name that Timmy was started
/// with, which `look` finds.
pub fn fill(config: &mut Config, look: impl Fn(&str) -> Option<String>) {
    for server in config.servers.values_mut() {
        let Way::Command { env, .. } = &mut server.way else { continue };
        for (name, value) in env.iter_mut().filter(|(_, value)| value.is_empty()) {
            *value = look(name).map(Secret::new).unwrap_or_default();
        }
    }
}

/// The keys of `server` as `timmy config explain` shows them.
pub(super) fn explain(server: &Server) -> Vec<Explained> {
    let row = |key: &str, value: String, doc: &str| Explained {
        key: format!("{SERVER_TABLE}.{}.{key}", server.name),
        value,
        source: "timmy.toml".to_owned(),
        default: "\"\"".to_owned(),
        doc: doc.to_owned(),
    };
    let read_only =
        row("read_only", format!("{:?}", server.read_only), "Its tools that only look; all others are asked for.");
    match &server.way {
        Way::Command { argv, network, folders, folders_write, env } => vec![
            row("command", format!("{argv:?}"), "The program and its arguments, run in the fence."),
            row("network", network.to_string(), "Whether it may reach the internet."),
            row("folders", format!("{folders:?}"), "Folders it may read."),
            row("folders_write", format!("{folders_write:?}"), "Folders it may read and change."),
            row("env", variables_shown(env), "Variables it is given; values from secrets.toml or the environment."),
            read_only,
        ],
        Way::Url { url, key } => {
            let set = if key.is_empty() { "not set" } else { "set, not shown" };
            vec![
                row("url", format!("{url:?}"), "Its address."),
                row("api_key", set.to_owned(), "Its key, from secrets.toml."),
                read_only,
            ]
        }
    }
}

/// The names of variables, and of each whether it has a value.
fn variables_shown(env: &BTreeMap<String, Secret>) -> String {
    let shown = |(name, value): (&String, &Secret)| {
        format!("{name} ({})", if value.is_empty() { "not set" } else { "set, not shown" })
    };
    if env.is_empty() { "[]".to_owned() } else { env.iter().map(shown).collect::<Vec<_>>().join(", ") }
}

/// The first folder given to a server that holds, or lies in, `home`, where Timmy keeps what governs him.
#[must_use]
pub fn opens_home<'c>(config: &'c Config, home: &Path) -> Option<(&'c str, &'c Path)> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let home = real(home);
    let touches = |folder: &&PathBuf| real(folder).starts_with(&home) || home.starts_with(real(folder));
    config.servers.values().find_map(|server| match &server.way {
        Way::Command { folders, folders_write, .. } => {
            folders.iter().chain(folders_write).find(touches).map(|folder| (server.name.as_str(), folder.as_path()))
        }
        Way::Url { .. } => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Inputs;

    fn load(file: &str, secrets: &str) -> Result<Config, String> {
        let inputs = Inputs { file: Some(file.into()), secrets: Some(secrets.into()), ..Inputs::default() };
        Config::load(&inputs).map_err(|e| e.to_string())
    }

    // shows: configuration: Servers of tools are named in the settings, with their keys in the file of secrets
    #[test]
    fn servers_are_read_with_their_keys_and_faults_name_the_line() {
        let file = "[mcp.files]\ncommand = [\"node\", \"/opt/s.js\"]\nfolders_write = [\"/home/ana/notes\"]\nread_only = [\"list\"]\n[mcp.far]\nurl = \"https://tools.example.com/mcp\"\n";
        let config = load(file, "[mcp.far]\napi_key = \"very-secret\"\n").expect("read");
        let servers = config.engine().servers;
        assert_eq!(servers.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["far", "files"]);
        assert!(matches!(&servers[0].way, Way::Url { key, .. } if key.expose() == "very-secret"));
        assert!(
            matches!(&servers[1].way, Way::Command { network: false, folders_write, .. } if folders_write.len() == 1)
        );
        let told = format!("{:?} {:?}", config, config.explain());
        assert!(!told.contains("very-secret") && told.contains("mcp.far.api_key"));
        assert_eq!(opens_home(&config, Path::new("/home/ana/notes/.timmy")).map(|(name, _)| name), Some("files"));
        assert_eq!(opens_home(&config, Path::new("/home/ana/.timmy")), None);
        for (bad, says) in [
            ("[mcp.a]\n", "line 1: [mcp.a] needs either command"),
            ("[mcp.A]\nurl = \"http://x\"", "small letters"),
            ("[mcp.a]\nurl = \"ftp://x\"", "line 2: [mcp.a] url: expected"),
            ("[mcp.a]\nurl = \"http://x\"\nnetwork = true", "are for a command"),
            ("[mcp.a]\ncommand = []", "1 to 64 words"),
            ("[mcp.a]\ncommand = [\"x\"]\nfolders = [\"notes\"]", "no whole path"),
            ("[mcp.a]\ncomand = [\"x\"]", "did you mean \"command\""),
        ] {
            let fault = load(bad, "").expect_err(bad);
            assert!(fault.contains(says), "{bad}: {fault}");
        }
        let fault = load("[mcp.a]\ncommand = [\"x\"]", "[mcp.a]\napi_key = \"hidden\"").expect_err("a command");
        assert!(fault.contains("takes the variables that env names") && !fault.contains("hidden"), "{fault}");
    }

    // shows: configuration: Variables of a server of tools are named in the settings; their values come from secrets.toml or the environment, and are shown nowhere
    #[test]
    fn variables_are_named_in_the_file_and_valued_elsewhere() {
        let file = "[mcp.a]\ncommand = [\"x\"]\nenv = [\"API_TOKEN\", \"OTHER_2\", \"THIRD\"]\n";
        let mut config = load(file, "[mcp.a]\nAPI_TOKEN = \"very-secret\"\n").expect("read");
        let around = |name: &str| (name != "THIRD").then(|| format!("around-{name}"));
        fill(&mut config, around);
        let server = config.servers.get("a").expect("there");
        let Way::Command { env, .. } = &server.way else { panic!("a command") };
        let values: Vec<&str> = env.values().map(Secret::expose).collect();
        assert_eq!(values, ["very-secret", "around-OTHER_2", ""], "the file of secrets comes first");
        let told = format!("{:?} {server:?}", explain(server));
        assert!(!told.contains("very-secret") && !told.contains("around-"), "{told}");
        assert!(told.contains("API_TOKEN (set, not shown)") && told.contains("THIRD (not set)"), "{told}");
        for bad in ["PATH", "LD_PRELOAD", "TIMMY__X__Y", "token", "A B", "", "1A", "HOME"] {
            let fault = load(&format!("[mcp.a]\ncommand = [\"x\"]\nenv = [\"{bad}\"]"), "").expect_err(bad);
            assert!(fault.contains("no name of a variable"), "{bad}: {fault}");
        }
        let fault = load("[mcp.a]\ncommand = [\"x\"]\nenv = [\"A=hidden-value\"]", "").expect_err("a value");
        assert!(fault.contains("names alone") && !fault.contains("hidden-value"), "{fault}");
        for secrets in ["[mcp.a]\nNOT_NAMED = \"hidden-value\"", "[mcp.a]\nAPI_TOKEN = [\"hidden-value\"]"] {
            let fault = load(file, secrets).expect_err("not named");
            assert!(!fault.contains("hidden-value"), "{fault}");
        }
        let fault = load("[mcp.a]\nurl = \"http://x\"\nenv = [\"A\"]", "").expect_err("a url");
        assert!(fault.contains("for a command"), "{fault}");
    }
}
