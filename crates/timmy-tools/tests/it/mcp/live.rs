//! The official packages as live peers: the Python one over pipes and over HTTP, the reference servers in TypeScript.
//!
//! `cargo xtask toolservers` installs them and says here where they are; without it these tests say that they skip.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::*;

/// Where the packages are, or a plain word that they are not.
fn installed(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os(name).map(PathBuf::from);
    if found.is_none() {
        println!("SKIPPED: {name} is not set; `cargo xtask toolservers` sets it, so nothing is shown here");
    }
    found
}

fn script() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/mcp/server.py").display().to_string()
}

/// A server that the test runs itself, at a free port.
struct Served(Child);

impl Served {
    fn start(command: &mut Command, port: u16) -> Self {
        let served = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return served;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("nobody listens at {port}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn at(url: String) -> Server {
    Server { way: Way::Url { url, key: Default::default() }, ..command(&[], &[]) }
}

async fn connected(server: Server) -> Bench {
    let outer = tempfile::tempdir().unwrap();
    let file = outer.path().join("unused");
    let bench = Bench::of(server, outer, file);
    bench.until(|state| matches!(state, State::Connected { .. })).await;
    bench
}

async fn adds_and_shouts(bench: &Bench) {
    assert_eq!(bench.hub.tools().len(), 2, "{:?}", bench.state());
    assert_eq!(bench.call("mcp_kelp_add", &json!({"a": 2, "b": 40})).await.unwrap().text, "42");
    assert_eq!(bench.call("mcp_kelp_shout", &json!({"text": "kelp"})).await.unwrap().text, "KELP");
    let failed = bench.call("mcp_kelp_shout", &json!({"text": ""})).await.unwrap_err();
    assert!(failed.to_string().contains("failed:"), "{failed}");
}

// shows: hands: The official Python server of tools is driven over its pipes, in the fence
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_server_over_pipes() {
    let Some(venv) = installed("TIMMY_TEST_PYTHON_PEER") else { return };
    let python = venv.join("bin/python").display().to_string();
    let mut server = command(&[&python, &script()], &[]);
    if let Way::Command { folders, .. } = &mut server.way {
        folders.push(venv.clone());
        // A Python that somebody built lies elsewhere than the system's, and reads itself.
        folders.extend(python_home(&venv));
    }
    adds_and_shouts(&connected(server).await).await;
}

fn python_home(venv: &Path) -> Option<PathBuf> {
    let told =
        Command::new(venv.join("bin/python")).args(["-c", "import sys; print(sys.base_prefix)"]).output().unwrap();
    let path = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim());
    Some(path).filter(|path| !path.starts_with("/usr") || path.starts_with("/usr/local"))
}

// shows: hands: The official Python server of tools is driven over streamable HTTP
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_server_over_http() {
    let Some(venv) = installed("TIMMY_TEST_PYTHON_PEER") else { return };
    let port = free_port();
    let _served = Served::start(Command::new(venv.join("bin/python")).arg(script()).arg(port.to_string()), port);
    adds_and_shouts(&connected(at(format!("http://127.0.0.1:{port}/mcp"))).await).await;
}

// shows: hands: The reference server of files is driven in the fence, and reaches only the folder it was given
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_server_of_files() {
    let Some(modules) = installed("TIMMY_TEST_NODE_PEER") else { return };
    let outer = tempfile::tempdir().unwrap();
    let notes = outer.path().canonicalize().unwrap().join("notes");
    fs::create_dir(&notes).unwrap();
    fs::write(notes.join("kelp.txt"), "It sways.").unwrap();
    let index = modules.join("@modelcontextprotocol/server-filesystem/dist/index.js").display().to_string();
    let mut server = command(&["node", &index, &notes.display().to_string()], &[&notes]);
    if let Way::Command { folders, .. } = &mut server.way {
        folders.push(modules);
    }
    let bench = connected(server).await;
    let path = notes.join("kelp.txt").display().to_string();
    assert!(bench.call("mcp_kelp_read_text_file", &json!({"path": path})).await.unwrap().text.contains("It sways."));
    let new = notes.join("new.txt").display().to_string();
    bench.call("mcp_kelp_write_file", &json!({"path": new, "content": "So it does."})).await.unwrap();
    assert_eq!(fs::read_to_string(&new).unwrap(), "So it does.");
    assert!(bench.call("mcp_kelp_read_text_file", &json!({"path": "/etc/passwd"})).await.is_err());
}

// shows: hands: The reference server of everything is driven over its pipes and over streamable HTTP
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_server_of_everything() {
    let Some(modules) = installed("TIMMY_TEST_NODE_PEER") else { return };
    let index = modules.join("@modelcontextprotocol/server-everything/dist/index.js").display().to_string();
    let mut server = command(&["node", &index, "stdio"], &[]);
    if let Way::Command { folders, .. } = &mut server.way {
        folders.push(modules);
    }
    let bench = connected(server).await;
    assert!(bench.call("mcp_kelp_echo", &json!({"message": "kelp"})).await.unwrap().text.contains("kelp"));
    let port = free_port();
    let mut node = Command::new("node");
    let _served = Served::start(node.args([&index, "streamableHttp"]).env("PORT", port.to_string()), port);
    let bench = connected(at(format!("http://127.0.0.1:{port}/mcp"))).await;
    assert!(bench.call("mcp_kelp_echo", &json!({"message": "far"})).await.unwrap().text.contains("far"));
    let picture = bench.call("mcp_kelp_get_tiny_image", &json!({})).await.unwrap();
    assert!(picture.text.contains("[image of image/png, about"), "{}", picture.text);
}
