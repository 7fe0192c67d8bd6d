//! Attempts at the kernel, made of nothing but machine instructions, so that no library stands in between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use timmy_tools::process::Run;
use timmy_tools::sandbox::{Policy, Tier};

use super::{Scene, at_least, run};

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// Where its zeros begin; a pointer to there is one to an empty structure.
const ZEROS: u64 = BASE + 0x1000;
/// What the kernel says to what is refused, and to what does not exist.
const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

/// The smallest program there is: one call with up to six arguments; its exit code is the error, or zero.
fn program(number: u64, arguments: [u64; 6]) -> Vec<u8> {
    // rdi, rsi, rdx, r10, r8, r9, then rax.
    let registers: [[u8; 2]; 6] = [[0x48, 0xbf], [0x48, 0xbe], [0x48, 0xba], [0x49, 0xba], [0x49, 0xb8], [0x49, 0xb9]];
    let mut code = Vec::new();
    for (register, argument) in registers.into_iter().zip(arguments) {
        code.extend(register);
        code.extend(argument.to_le_bytes());
    }
    code.extend([0x48, 0xb8]);
    code.extend(number.to_le_bytes());
    // The call; then the exit with the error turned positive, or with zero.
    code.extend([0x0f, 0x05, 0x48, 0xf7, 0xd8, 0x31, 0xff, 0x48, 0x85, 0xc0, 0x0f, 0x4f, 0xf8]);
    code.extend([0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05]);
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let halves = |elf: &mut Vec<u8>, values: &[u16]| values.iter().for_each(|value| elf.extend(value.to_le_bytes()));
    let longs = |elf: &mut Vec<u8>, values: &[u64]| values.iter().for_each(|value| elf.extend(value.to_le_bytes()));
    halves(&mut elf, &[2, 62, 1, 0]);
    longs(&mut elf, &[BASE + 120, 64, 0]);
    halves(&mut elf, &[0, 0, 64, 56, 1, 64, 0, 0]);
    // One segment that may be read, written and run, with zeros behind the code.
    elf.extend(1_u32.to_le_bytes());
    elf.extend(7_u32.to_le_bytes());
    let bytes = 120 + code.len() as u64;
    longs(&mut elf, &[0, BASE, BASE, bytes, 0x3000, 0x1000]);
    elf.extend(code);
    elf
}

/// A call, with what the control gives outside where that tells something.
struct Call {
    name: &'static str,
    number: u64,
    arguments: [u64; 6],
    /// Whether it works outside for whoever runs this; `None` where that depends on the system.
    works: Option<bool>,
}

const fn call(name: &'static str, number: u64, arguments: [u64; 6], works: Option<bool>) -> Call {
    Call { name, number, arguments, works }
}

/// Calls of x86-64 by number.
const CALLS: [Call; 22] = [
    call("getpid, as the control within", 39, [0; 6], Some(true)),
    call("keyctl: the session's keys", 250, [0, u64::MAX - 2, 1, 0, 0, 0], Some(true)),
    call("add_key", 248, [ZEROS, ZEROS, 0, 0, u64::MAX - 2, 0], None),
    call("request_key", 249, [ZEROS, ZEROS, 0, 0, 0, 0], None),
    call("io_uring_setup", 425, [8, ZEROS, 0, 0, 0, 0], None),
    call("ptrace: be traced", 101, [0; 6], Some(true)),
    call("process_vm_readv", 310, [1, ZEROS, 0, ZEROS, 0, 0], None),
    call("userfaultfd", 323, [1, 0, 0, 0, 0, 0], None),
    call("perf_event_open", 298, [ZEROS, 0, u64::MAX, u64::MAX, 0, 0], None),
    call("bpf", 321, [0, ZEROS, 0, 0, 0, 0], None),
    call("unshare: users", 272, [0x1000_0000, 0, 0, 0, 0, 0], Some(true)),
    call("clone: users", 56, [0x1000_0011, 0, 0, 0, 0, 0], None),
    call("clone3", 435, [ZEROS, 88, 0, 0, 0, 0], None),
    call("setns", 308, [0, 0, 0, 0, 0, 0], None),
    call("chroot", 161, [ZEROS, 0, 0, 0, 0, 0], None),
    call("mount", 165, [ZEROS, ZEROS, ZEROS, 0, 0, 0], None),
    call("pivot_root", 155, [ZEROS, ZEROS, 0, 0, 0, 0], None),
    call("memfd_create", 319, [ZEROS, 0, 0, 0, 0, 0], Some(true)),
    call("open_by_handle_at", 304, [0, ZEROS, 0, 0, 0, 0], None),
    call("socket: netlink", 41, [16, 3, 0, 0, 0, 0], Some(true)),
    call("ioctl: words for a terminal", 16, [0, 0x5412, ZEROS, 0, 0, 0], None),
    // The other range of numbers that x86 has: the same call, past a filter that only knows the first.
    call("x32: socket", 0x4000_0000 + 41, [2, 1, 0, 0, 0, 0], None),
];

// shows: hands: keys, tracing, io_uring, namespaces, mounts, terminals: the calls a tool does not need do not exist for it
#[tokio::test]
async fn calls_a_tool_does_not_need() {
    if !at_least(Tier::T2, "calls").await {
        return;
    }
    if !cfg!(target_arch = "x86_64") {
        println!("skipped: the machine instructions of this test are those of x86-64");
        return;
    }
    let scene = Scene::new();
    for (number, tried) in CALLS.iter().enumerate() {
        let at = scene.outside.join(format!("call-{number}"));
        fs::write(&at, program(tried.number, tried.arguments)).expect("written");
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).expect("set");
        let within = run(Run::new(&at, Policy::untrusted().runs(&at))).await.status.code();
        let outside = Command::new(&at).status().expect("it runs").code();
        if number == 0 {
            assert_eq!((within, outside), (Some(0), Some(0)), "the smallest program itself");
            continue;
        }
        assert!(matches!(within, Some(EPERM | ENOSYS)), "{}: {within:?}, outside {outside:?}", tried.name);
        if tried.works == Some(true) {
            assert_eq!(outside, Some(0), "the control: {}", tried.name);
        }
    }
}
