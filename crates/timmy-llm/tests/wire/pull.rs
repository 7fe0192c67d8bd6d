//! Fetching a file over real sockets, from a server that breaks off, begins again, and lies.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sha2::{Digest, Sha256};
use timmy_llm::pull::{Asked, Further, Gate, PART_FOLDER, Progress, PullFailure, Puller, Wanted, unfinished_bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How the server behaves.
#[derive(Clone, Debug)]
enum Manner {
    /// As it should.
    Good,
    /// Closes each connection after this many bytes.
    Breaks(usize),
    /// Knows no ranges.
    WholeOnly,
    /// Sends another part than was asked for, once.
    WrongRange,
    /// Never ends.
    Endless,
    /// Sends this many bytes and then nothing.
    Silent(usize),
    /// Answers with this status.
    Status(u16),
    /// Sends on to this address.
    Leads(String),
    /// Says that it sends this many bytes more than the file has, and sends the file.
    Boasts(isize),
    /// Closes each connection after this many bytes, and has a mark for the file: for each connection another one, or
    /// always the same.
    Marks(usize, bool),
}

struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Option<usize>>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(file: Arc<Vec<u8>>, manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/file", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<Option<usize>>>> = Arc::default();
        let (seen, times) = (Arc::clone(&asked), Arc::new(AtomicUsize::new(0)));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (file, manner, seen) = (Arc::clone(&file), manner.clone(), Arc::clone(&seen));
                let time = times.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move {
                    let mut head = vec![0; 4_096];
                    let read = stream.read(&mut head).await.unwrap_or(0);
                    let head = String::from_utf8_lossy(&head[..read]).to_ascii_lowercase();
                    let mut range: Option<usize> =
                        head.lines().find_map(|l| l.strip_prefix("range: bytes=")?.split('-').next()?.parse().ok());
                    if let Manner::Marks(_, true) = manner
                        && head.contains("if-range:")
                    {
                        // It is not the same file any more, so the whole is sent.
                        range = None;
                    }
                    seen.lock().expect("not poisoned").push(range);
                    // A client that has enough closes; that is no fault of this server.
                    let _ = answer(&mut stream, &file, &manner, range, time).await;
                });
            }
        });
        Self { url, asked, task }
    }

    fn asked(&self) -> Vec<Option<usize>> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

async fn answer(
    stream: &mut tokio::net::TcpStream,
    file: &[u8],
    manner: &Manner,
    range: Option<usize>,
    time: usize,
) -> std::io::Result<()> {
    let from = if matches!(manner, Manner::WholeOnly) { 0 } else { range.unwrap_or(0) };
    let told = if matches!(manner, Manner::WrongRange) && time == 0 { from + 1 } else { from };
    let rest = &file[from.min(file.len())..];
    let head = match (manner, range) {
        (Manner::Status(status), _) => format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n"),
        (Manner::Leads(to), _) => format!("HTTP/1.1 302 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"),
        (Manner::Endless, _) => "HTTP/1.1 200 x\r\nconnection: close\r\n\r\n".to_owned(),
        (Manner::Boasts(more), _) => {
            format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n\r\n", file.len().saturating_add_signed(*more))
        }
        (Manner::Marks(_, changes), _) => {
            let mark = if *changes { time } else { 0 };
            let part = range.map_or(String::new(), |_| {
                format!("content-range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len())
            });
            let status = if range.is_some() { 206 } else { 200 };
            format!("HTTP/1.1 {status} x\r\netag: \"{mark}\"\r\n{part}content-length: {}\r\n\r\n", rest.len())
        }
        (Manner::WholeOnly, _) | (_, None) => format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\n\r\n", rest.len()),
        (_, Some(_)) => format!(
            "HTTP/1.1 206 x\r\ncontent-length: {}\r\ncontent-range: bytes {told}-{}/{}\r\n\r\n",
            rest.len(),
            file.len() - 1,
            file.len()
        ),
    };
    stream.write_all(head.as_bytes()).await?;
    match manner {
        Manner::Status(_) | Manner::Leads(_) => Ok(()),
        Manner::Breaks(bytes) | Manner::Marks(bytes, _) => stream.write_all(&rest[..rest.len().min(*bytes)]).await,
        Manner::Silent(bytes) => {
            stream.write_all(&rest[..rest.len().min(*bytes)]).await?;
            std::future::pending().await
        }
        Manner::Endless => loop {
            stream.write_all(&[b'x'; 65_536]).await?;
        },
        _ => stream.write_all(rest).await,
    }
}

fn file(bytes: usize) -> Arc<Vec<u8>> {
    // Not a repetition, so that a piece at the wrong place is noticed.
    let mut state = 7_u32;
    Arc::new(
        (0..bytes)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_le_bytes()[3]
            })
            .collect(),
    )
}

fn wanted(url: &str, file: &[u8]) -> Wanted {
    let sha256 = Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = Some(file.len() as u64);
    Wanted { url: url.to_owned(), bytes, sha256: Some(sha256), file_name: "m.gguf".into(), head: b"" }
}

/// The same by somebody who knows neither its length nor its checksum.
fn unknown(url: &str) -> Wanted {
    Wanted { url: url.to_owned(), file_name: "m.gguf".into(), ..Wanted::default() }
}

async fn puller() -> Puller {
    Puller::new().await.expect("a client").bearing(Duration::from_millis(300), Duration::from_millis(1))
}

async fn fetch(wanted: &Wanted, folder: &Path) -> Result<std::path::PathBuf, PullFailure> {
    let never = CancellationToken::new();
    Ok(puller().await.fetch(wanted, folder, None, &never, &mut |_| {}).await?.path)
}

/// What lies in `folder` beside the folder of unfinished files.
fn lying(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").file_name());
    entries.map(|n| n.to_string_lossy().into_owned()).filter(|n| n != PART_FOLDER).collect()
}

// shows: models: a pull goes on where the connection broke, is checked, and installs whole
#[tokio::test]
async fn a_pull_goes_on_where_the_connection_broke() {
    let file = file(300_000);
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(Arc::clone(&file), Manner::Breaks(70_000)).await;
    let wanted = wanted(&server.url, &file);
    let path = fetch(&wanted, home.path()).await.expect("fetched");
    assert_eq!(std::fs::read(&path).expect("the file"), *file);
    assert_eq!(lying(home.path()), ["m.gguf"]);
    assert_eq!(unfinished_bytes(home.path(), &wanted.part_name()), 0);
    let asked = server.asked();
    assert_eq!(asked[0], None);
    assert!(asked.len() >= 5 && asked.windows(2).all(|two| two[0] < two[1]), "each goes on further: {asked:?}");
}

// shows: models: a pull that was stopped leaves nothing half-installed and goes on the next time
#[tokio::test]
async fn a_stopped_pull_is_kept_and_goes_on() {
    let file = file(200_000);
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(Arc::clone(&file), Manner::Silent(80_000)).await;
    let wanted_here = wanted(&server.url, &file);
    let stop = CancellationToken::new();
    let patient = Puller::new().await.expect("a client");
    let mut told = Vec::new();
    let stopped = {
        let (stop, told) = (stop.clone(), &mut told);
        let stopping = async {
            while unfinished_bytes(home.path(), &wanted_here.part_name()) < 80_000 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            stop.cancel();
        };
        let mut telling = |progress: Progress| told.push(progress);
        let fetching = patient.fetch(&wanted_here, home.path(), None, &stop, &mut telling);
        tokio::join!(fetching, stopping).0
    };
    assert_eq!(stopped, Err(PullFailure::Cancelled));
    assert_eq!(lying(home.path()), Vec::<String>::new());
    assert_eq!(unfinished_bytes(home.path(), &wanted_here.part_name()), 80_000);
    assert_eq!(told[0], Progress { bytes_here: 0, bytes: 200_000, bytes_new: 0 });

    let good = Server::start(Arc::clone(&file), Manner::Good).await;
    fetch(&wanted(&good.url, &file), home.path()).await.expect("fetched");
    assert_eq!(good.asked(), [Some(80_000)]);
    assert_eq!(std::fs::read(home.path().join("m.gguf")).expect("the file"), *file);
}

#[tokio::test]
async fn a_server_without_ranges_and_one_that_mistakes_them_begin_again() {
    let file = file(50_000);
    for manner in [Manner::WholeOnly, Manner::WrongRange] {
        let home = tempfile::tempdir().expect("a folder");
        let server = Server::start(Arc::clone(&file), manner.clone()).await;
        let wanted = wanted(&server.url, &file);
        std::fs::create_dir_all(home.path().join(PART_FOLDER)).expect("a folder");
        std::fs::write(home.path().join(PART_FOLDER).join(wanted.part_name()), &file[..20_000]).expect("a part");
        let path = fetch(&wanted, home.path()).await.expect("fetched");
        assert_eq!(std::fs::read(path).expect("the file"), *file, "{manner:?}");
        assert_eq!(server.asked()[0], Some(20_000), "{manner:?}");
    }
}

// shows: models: what is not the file that was asked for is never installed
#[tokio::test]
async fn what_is_not_the_file_is_thrown_away() {
    let (good, other) = (file(50_000), file(50_001));
    let same_length = Arc::new(other[1..].to_vec());
    for (what, served, manner) in
        [("another file", same_length, Manner::Good), ("an endless one", Arc::clone(&good), Manner::Endless)]
    {
        let home = tempfile::tempdir().expect("a folder");
        let server = Server::start(served, manner).await;
        let wanted = wanted(&server.url, &good);
        let refused = fetch(&wanted, home.path()).await;
        assert!(matches!(refused, Err(PullFailure::Wrong { .. })), "{what}: {refused:?}");
        assert_eq!(lying(home.path()), Vec::<String>::new(), "{what}");
        assert_eq!(unfinished_bytes(home.path(), &wanted.part_name()), 0, "{what}");
    }
    // A part that lies, from a disk that forgot: noticed at the end, and gone for the next time.
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(Arc::clone(&good), Manner::Good).await;
    let wanted = wanted(&server.url, &good);
    std::fs::create_dir_all(home.path().join(PART_FOLDER)).expect("a folder");
    std::fs::write(home.path().join(PART_FOLDER).join(wanted.part_name()), vec![0; 10_000]).expect("a part");
    assert!(matches!(fetch(&wanted, home.path()).await, Err(PullFailure::Wrong { .. })));
    fetch(&wanted, home.path()).await.expect("the second time");
}

// shows: models: a lost network, a full disk and a server that refuses are told apart
#[tokio::test]
async fn each_end_has_its_reason_and_its_hint() {
    let file = file(50_000);
    let home = tempfile::tempdir().expect("a folder");
    for (manner, expected) in [
        (Manner::Breaks(0), PullFailure::Lost { what: "it ended early" }),
        (Manner::Silent(0), PullFailure::Lost { what: "it fell silent" }),
        (Manner::Status(503), PullFailure::Lost { what: "the server has a fault" }),
        (Manner::Status(404), PullFailure::Refused { status: 404 }),
        (Manner::Status(403), PullFailure::Refused { status: 403 }),
        (Manner::Leads("http://198.51.100.1/file".into()), PullFailure::Refused { status: 0 }),
        (Manner::Leads("/file".into()), PullFailure::Refused { status: 0 }),
    ] {
        let server = Server::start(Arc::clone(&file), manner.clone()).await;
        let failed = fetch(&wanted(&server.url, &file), home.path()).await.expect_err("no file");
        let lost = matches!((&failed, &expected), (PullFailure::Lost { .. }, PullFailure::Lost { .. }));
        assert!(lost || failed == expected, "{manner:?}: {failed:?}");
        assert!(failed.problem().hint.ends_with('.') && !failed.to_string().is_empty());
        assert_eq!(lying(home.path()), Vec::<String>::new(), "{manner:?}");
    }
    let server = Server::start(Arc::clone(&file), Manner::Good).await;
    let wanted = wanted(&server.url, &file);
    let never = CancellationToken::new();
    let full = puller().await.fetch(&wanted, home.path(), Some(1_000_000), &never, &mut |_| {}).await;
    assert_eq!(full, Err(PullFailure::DiskFull { missing: 50_000 }));
    assert!(server.asked().is_empty(), "nothing was asked for");
    // A disk that fills up on the way, as the kernel tells it.
    if Path::new("/dev/full").exists() {
        std::fs::create_dir_all(home.path().join(PART_FOLDER)).expect("a folder");
        let part = home.path().join(PART_FOLDER).join(wanted.part_name());
        let _ = std::fs::remove_file(&part);
        std::os::unix::fs::symlink("/dev/full", &part).expect("a link");
        let full = fetch(&wanted, home.path()).await;
        assert!(matches!(full, Err(PullFailure::DiskFull { .. })), "{full:?}");
    }
}

#[tokio::test]
async fn only_exact_files_are_asked_for() {
    let home = tempfile::tempdir().expect("a folder");
    let good = wanted("https://models.example/m.gguf", b"x");
    let rows = [
        Wanted { url: "http://models.example/m.gguf".into(), ..good.clone() },
        Wanted { url: "file:///etc/passwd".into(), ..good.clone() },
        Wanted { url: "https://me:word@models.example/m.gguf".into(), ..good.clone() },
        Wanted { sha256: Some(String::new()), ..good.clone() },
        Wanted { sha256: Some("../../../etc/passwd".into()), ..good.clone() },
        Wanted { bytes: Some(u64::MAX), ..good.clone() },
        Wanted { file_name: "../m.gguf".into(), ..good.clone() },
        Wanted { file_name: ".part".into(), ..good },
    ];
    for wanted in rows {
        let refused = fetch(&wanted, home.path()).await;
        assert!(matches!(refused, Err(PullFailure::Wrong { .. })), "{wanted:?}: {refused:?}");
    }
}

// shows: models: a server that lies about the length of a file is caught before anything is written
#[tokio::test]
async fn a_server_that_lies_about_the_length_is_caught_at_its_word() {
    let file = file(50_000);
    for more in [-1_000, 1_000, 1 << 40] {
        let home = tempfile::tempdir().expect("a folder");
        let server = Server::start(Arc::clone(&file), Manner::Boasts(more)).await;
        let wanted = wanted(&server.url, &file);
        let refused = fetch(&wanted, home.path()).await;
        assert!(matches!(refused, Err(PullFailure::Wrong { .. })), "{more}: {refused:?}");
        assert_eq!(lying(home.path()), Vec::<String>::new(), "{more}");
        assert_eq!(unfinished_bytes(home.path(), &wanted.part_name()), 0, "{more}");
    }
    // Where only the server knows how long it is, a promise that is not kept is a lost connection.
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(Arc::clone(&file), Manner::Boasts(1_000)).await;
    let refused = fetch(&unknown(&server.url), home.path()).await;
    assert!(matches!(refused, Err(PullFailure::Lost { .. })), "{refused:?}");
    assert_eq!(lying(home.path()), Vec::<String>::new());
}

// shows: models: a network that is lost midway and comes back costs no byte that came before
#[tokio::test]
async fn a_network_that_comes_back_goes_on() {
    let file = file(200_000);
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(Arc::clone(&file), Manner::Breaks(90_000)).await;
    let gone = wanted(&server.url, &file);
    let never = CancellationToken::new();
    let puller = puller().await;
    // The server breaks off once, and from then on nobody listens.
    let lost = {
        let mut told = |at: Progress| {
            if at.bytes_here > 0 {
                server.task.abort();
            }
        };
        puller.fetch(&gone, home.path(), None, &never, &mut told).await
    };
    assert!(matches!(lost, Err(PullFailure::Lost { .. })), "{lost:?}");
    let here = unfinished_bytes(home.path(), &gone.part_name());
    assert!(here > 0 && here < 200_000, "{here}");
    assert_eq!(lying(home.path()), Vec::<String>::new());
    let back = Server::start(Arc::clone(&file), Manner::Good).await;
    fetch(&wanted(&back.url, &file), home.path()).await.expect("fetched");
    assert_eq!(back.asked(), [usize::try_from(here).ok()]);
    assert_eq!(std::fs::read(home.path().join("m.gguf")).expect("the file"), *file);
}

// shows: models: without a checksum nothing is taken for verified: pieces are put together only while the server says that the file is the same
#[tokio::test]
async fn without_a_checksum_pieces_belong_together_only_by_a_mark() {
    let file = file(50_000);
    let whole = |home: &Path| std::fs::read(home.join("m.gguf")).expect("the file");
    let from = |server: &Server| server.asked().iter().filter(|from| from.is_some_and(|from| from > 0)).count();
    // The same mark: it goes on where it broke.
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(Arc::clone(&file), Manner::Marks(20_000, false)).await;
    let never = CancellationToken::new();
    let wanted = unknown(&server.url);
    let fetched = puller().await.fetch(&wanted, home.path(), None, &never, &mut |_| {}).await.expect("fetched");
    assert_eq!((whole(home.path()), fetched.bytes), (file.to_vec(), 50_000));
    let sum: String = Sha256::digest(&*file).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(fetched.sha256, sum, "it says what came");
    assert_eq!(from(&server), 2);
    // Another file each time, or no mark at all: each connection begins again, so it never becomes whole.
    for manner in [Manner::Marks(20_000, true), Manner::Breaks(20_000)] {
        let home = tempfile::tempdir().expect("a folder");
        let server = Server::start(Arc::clone(&file), manner.clone()).await;
        let lost = fetch(&unknown(&server.url), home.path()).await;
        assert!(matches!(lost, Err(PullFailure::Lost { .. })), "{manner:?}: {lost:?}");
        assert_eq!(lying(home.path()), Vec::<String>::new(), "{manner:?}");
        assert_eq!(std::fs::read_dir(home.path().join(PART_FOLDER)).expect("a folder").count(), 0, "{manner:?}");
    }
    // What is no model is not installed, whoever vouches for it.
    let home = tempfile::tempdir().expect("a folder");
    let server = Server::start(Arc::clone(&file), Manner::Good).await;
    let wanted = Wanted { head: b"GGUF", ..unknown(&server.url) };
    assert!(matches!(fetch(&wanted, home.path()).await, Err(PullFailure::Wrong { .. })));
    assert_eq!(lying(home.path()), Vec::<String>::new());
}

/// Writes down who is to be asked, and says whether that may be.
struct Porter {
    told: Mutex<Vec<Further>>,
    lets: bool,
}

impl Gate for Porter {
    fn may_ask<'a>(&'a self, further: &'a Further) -> Asked<'a> {
        self.told.lock().expect("not poisoned").push(further.clone());
        let stays = || PullFailure::Stays { what: "not fetched, because all stays here".to_owned() };
        Box::pin(async move { if self.lets { Ok(()) } else { Err(stays()) } })
    }
}

// shows: models: a further host to which a pull is sent on is written down before it is asked, and not asked when it must not be
#[tokio::test]
async fn a_further_host_is_named_before_it_is_asked() {
    let file = file(10_000);
    for lets in [true, false] {
        let home = tempfile::tempdir().expect("a folder");
        let files = Server::start(Arc::clone(&file), Manner::Breaks(6_000)).await;
        let hub = Server::start(Arc::clone(&file), Manner::Leads(files.url.clone())).await;
        let porter = Arc::new(Porter { told: Mutex::default(), lets });
        let puller = puller().await.through_gate(porter.clone());
        let (wanted, never) = (wanted(&hub.url, &file), CancellationToken::new());
        let fetched = puller.fetch(&wanted, home.path(), None, &never, &mut |_| {}).await;
        let host = files.url.trim_start_matches("http://").trim_end_matches("/file");
        let further = Further { host: host.to_owned(), bytes: files.url.len() as u64, leaves: false };
        let told = porter.told.lock().expect("not poisoned").clone();
        if lets {
            assert_eq!(std::fs::read(fetched.expect("the file").path).expect("a file"), *file);
            assert_eq!(files.asked(), [None, Some(6_000)], "it goes on where it was, there too");
            assert_eq!(told, [further.clone(), further], "each connection is sent on anew");
        } else {
            assert!(matches!(fetched, Err(PullFailure::Stays { .. })), "{fetched:?}");
            assert_eq!((files.asked(), hub.asked().len(), told), (vec![], 1, vec![further]));
        }
    }
}
