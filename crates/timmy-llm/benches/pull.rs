//! How fast a model is fetched from a server on this machine: over a real socket, summed, and on the disk. Run with
//! `cargo bench -p timmy-llm --bench pull`. Lines that begin with `figure` go into docs/performance.md.
//!
//! Beside it stand what the two halves of the work cost alone: summing the same bytes, and writing them to the disk.

#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::unwrap_used, reason = "a failed measurement should stop")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use timmy_llm::pull::{Puller, Wanted};
use tokio_util::sync::CancellationToken;

/// Bytes of the file.
const FILE_BYTES: usize = 400 << 20;
/// How often each is measured, one after the other in turn.
const RUNS: usize = 5;

/// A server that sends `file` to whoever asks.
fn serve(file: Arc<Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/m.gguf", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let _ = socket.read(&mut [0; 4_096]);
            let head = format!("HTTP/1.1 200 x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", file.len());
            // Whoever asked may have enough.
            let _ = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&file));
        }
    });
    url
}

fn sum(file: &[u8]) -> String {
    Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn timed(act: impl FnOnce()) -> Duration {
    let began = Instant::now();
    act();
    began.elapsed()
}

fn written(file: &[u8], at: &Path) {
    let mut out = std::fs::File::create(at).unwrap();
    out.write_all(file).unwrap();
    out.sync_all().unwrap();
}

fn report(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let speed = |time: &Duration| format!("{:.0} MB/s", FILE_BYTES as f64 / 1e6 / time.as_secs_f64());
    let (fastest, slowest) = (speed(&times[0]), speed(&times[times.len() - 1]));
    println!("figure\t{name}\t{}\t\t{slowest} to {fastest} over {RUNS}", speed(&times[times.len() / 2]));
}

fn main() {
    let mut state = 7_u32;
    let file: Arc<Vec<u8>> = Arc::new(
        (0..FILE_BYTES)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_le_bytes()[3]
            })
            .collect(),
    );
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (url, sha256) = (serve(Arc::clone(&file)), sum(&file));
    let wanted =
        Wanted { url, bytes: Some(FILE_BYTES as u64), sha256: Some(sha256), file_name: "m.gguf".into(), head: b"" };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let puller = runtime.block_on(Puller::new()).unwrap();
    let (mut pulled, mut summed, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let never = CancellationToken::new();
        pulled.push(timed(|| {
            runtime.block_on(puller.fetch(&wanted, home.path(), None, &never, &mut |_| {})).unwrap();
        }));
        std::fs::remove_file(home.path().join("m.gguf")).unwrap();
        summed.push(timed(|| {
            std::hint::black_box(sum(std::hint::black_box(&file)));
        }));
        kept.push(timed(|| written(&file, &home.path().join("plain"))));
        std::fs::remove_file(home.path().join("plain")).unwrap();
    }
    report("A pull of 400 MiB over the loopback, checked and on the disk, p50", &mut pulled);
    report("The same bytes summed with SHA-256, p50", &mut summed);
    report("The same bytes written to the disk and synced, p50", &mut kept);
}
