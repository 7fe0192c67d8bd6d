//! Namespaces: an own view of users, processes, mounts, shared memory and the network.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind_recursive, mount_change, mount_remount};

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set, set_capabilities,
};

use super::{Done, Failure};
use crate::sandbox::policy::{KEPT_NAMES, Net, Policy};

/// Process numbers a process namespace hands out at most, where the kernel lets each have its own bound (Linux 6.14).
/// The smallest it takes is 301.
const PROCESS_NUMBERS_MIN: u64 = 301;

/// Makes the namespaces. The user inside is the one outside, without any power over the system.
pub(super) fn enter(net: Net) -> Done<()> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWUTS;
    if net == Net::None {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags).map_err(|error| Failure::new("namespaces", error))?;
    let map = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| Failure::new("namespaces", format!("{file}: {error}")))
    };
    map("setgroups", "deny".to_owned())?;
    map("uid_map", format!("{user} {user} 1"))?;
    map("gid_map", format!("{group} {group} 1"))?;
    carry_over()
}

/// A user other than root loses every capability when a program starts. The next stage needs two of them, within the
/// new namespaces: to mount there, and to give all of them up.
fn carry_over() -> Done<()> {
    let failed = |error| Failure::new("namespaces", format!("capabilities: {error}"));
    let needed = CapabilitySet::SYS_ADMIN | CapabilitySet::SETPCAP;
    let had = capabilities(None).map_err(failed)?;
    set_capabilities(None, CapabilitySets { inheritable: needed, ..had }).map_err(failed)?;
    for one in [CapabilitySet::SYS_ADMIN, CapabilitySet::SETPCAP] {
        configure_capability_in_ambient_set(one, true).map_err(failed)?;
    }
    Ok(())
}

/// Furnishes the namespaces from within: a process list of its own, and folders in which nothing written can be run.
/// Gives what could not be had, as words for the house.
pub(super) fn furnish(policy: &Policy) -> Done<String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error| Failure::new("namespaces", format!("{what}: {error}"))
    };
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).map_err(failed("mounts"))?;
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "/proc", "proc", quiet, None).map_err(failed("proc"))?;
    for path in policy.rw.iter().filter(|path| path.exists()) {
        let exec = policy.exec.iter().any(|exec| path.starts_with(exec));
        bind(path, if exec { MountFlags::empty() } else { MountFlags::NOEXEC })?;
    }
    for path in policy.exec.iter().filter(|exec| policy.rw.iter().any(|rw| exec.starts_with(rw) && *exec != rw)) {
        if path.exists() {
            bind(path, MountFlags::empty())?;
        }
    }
    for path in kept(policy) {
        bind(&path, MountFlags::RDONLY)?;
    }
    let numbers = PROCESS_NUMBERS_MIN.max(policy.limits.processes);
    let bounded = fs::write("/proc/sys/kernel/pid_max", numbers.to_string()).is_ok();
    // The limit on processes of a user does not count for root.
    let root = rustix::process::geteuid().is_root();
    Ok(if bounded || !root { String::new() } else { " missing=processes".to_owned() })
}

/// What exists below writable folders and stays as it is.
pub(super) fn kept(policy: &Policy) -> Vec<PathBuf> {
    let named = policy.rw.iter().flat_map(|rw| KEPT_NAMES.iter().map(move |name| rw.join(name)));
    let all = named.chain(policy.keep.iter().cloned());
    // What is granted by its own name is meant.
    all.filter(|path| !policy.rw.contains(path) && path.symlink_metadata().is_ok_and(|it| !it.is_symlink())).collect()
}

/// Puts a path over itself with less that can be done there.
fn bind(path: &Path, less: MountFlags) -> Done<()> {
    let failed = |error| Failure::new("namespaces", format!("{}: {error}", path.display()));
    mount_bind_recursive(path, path).map_err(failed)?;
    // What the system took from this mount cannot be given back by leaving it out here.
    let now = statvfs(path).map_err(failed)?.f_flag;
    let keep = [
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::RDONLY, MountFlags::RDONLY),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    // Where a folder to write had its programs taken, a folder to run below it gets them back.
    let keep = keep
        .into_iter()
        .filter(|(has, _)| now.contains(*has) && !(less.is_empty() && *has == StatVfsMountFlags::NOEXEC));
    let flags =
        keep.fold(less | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::BIND, |all, (_, flag)| all | flag);
    mount_remount(path, flags, "").map_err(failed)
}
