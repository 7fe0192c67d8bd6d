//! seccomp: which system calls there are at all. What the kernel does not offer cannot be used against it.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

use super::{Done, Failure};
use crate::sandbox::order::Order;
use crate::sandbox::policy::Net;
use crate::sandbox::tier::Tier;

/// The highest number of a call this house has looked at (`mseal`, Linux 6.10). Later ones do not exist for a child,
/// and neither do those of the other number range that x86 has.
const CALL_LAST: c_long = 462;

/// Refused: other processes, the kernel itself, its keys, its mounts and clocks, and new namespaces.
const REFUSED: &[c_long] = &[
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_perf_event_open,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_chroot,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
    // A file without a name lies in no folder, so no rule about folders would hold for running it.
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
];

/// Calls that do not exist for a child, so that programs take the older way, which can be looked at.
const ABSENT: &[c_long] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// Requests to a terminal that put words into somebody else's mouth: `TIOCSTI` and `TIOCLINUX`.
const TERMINAL_REQUESTS: [u64; 2] = [0x5412, 0x541c];

/// Flags that make a new namespace.
const NAMESPACE_FLAGS: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

/// The kind of processor this was built for. One that the filter does not know has no filter, and so the lowest tier.
const MACHINE: &str = if cfg!(target_arch = "x86_64") {
    "x86_64"
} else if cfg!(target_arch = "aarch64") {
    "aarch64"
} else if cfg!(target_arch = "riscv64") {
    "riscv64"
} else {
    "unknown"
};

/// Below this form Landlock does not hold back cutting a file short.
const ABI_WITH_TRUNCATE: u32 = 3;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Leaves only the calls a child may use.
pub(super) fn restrict(order: &Order, abi: u32) -> Done<()> {
    let failed = |error: &dyn std::fmt::Display| Failure::new("seccomp", error);
    for program in [known(abi), refused(order, abi)] {
        let program = program.map_err(|error| failed(&error))?;
        seccompiler::apply_filter(&program).map_err(|error| failed(&error))?;
    }
    Ok(())
}

/// Everything that is not known does not exist.
fn known(abi: u32) -> Result<BpfProgram, seccompiler::BackendError> {
    // Its flags lie in memory, where a filter cannot look.
    let blind = (abi < ABI_WITH_TRUNCATE).then_some(libc::SYS_openat2);
    let numbers = (0..=CALL_LAST).filter(|number| !ABSENT.contains(number) && blind != Some(*number));
    let rules = numbers.map(|number| (number, Vec::new())).collect();
    compile(rules, SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow)
}

/// Of what is known, some is refused, wholly or with some arguments.
fn refused(order: &Order, abi: u32) -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|number| (*number, Vec::new())).collect();
    #[cfg(target_arch = "x86_64")]
    for number in [libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt, libc::SYS_kexec_file_load] {
        rules.insert(number, Vec::new());
    }
    let requests = TERMINAL_REQUESTS.map(|request| rule(&[is(1, request)?])).into_iter().collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_ioctl, requests);
    let flags = NAMESPACE_FLAGS.map(|flag| rule(&[has(0, flag as u64, flag as u64)?])).into_iter();
    rules.insert(libc::SYS_clone, flags.collect::<Result<_, _>>()?);
    match order.policy.net {
        // A pair of connected sockets remains; it leads nowhere but to a process of the same fence.
        Net::None => rules.insert(libc::SYS_socket, Vec::new()),
        Net::Full => {
            let families = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
            let none = families.map(|family| is_not(0, family as u64)).into_iter().collect::<Result<Vec<_>, _>>()?;
            let netlink = [is(0, libc::AF_NETLINK as u64)?, is_not(2, libc::NETLINK_ROUTE as u64)?];
            rules.insert(libc::SYS_socket, vec![rule(&none)?, rule(&netlink)?])
        }
    };
    if order.tier != Tier::T3 {
        // Without a process namespace the group is what ends a child with all it started; nothing may leave it.
        rules.insert(libc::SYS_setsid, Vec::new());
        rules.insert(libc::SYS_setpgid, Vec::new());
    }
    if abi < ABI_WITH_TRUNCATE {
        truncation(&mut rules)?;
    }
    compile(rules, SeccompAction::Allow, SeccompAction::Errno(libc::EPERM as u32))
}

/// Cutting short by name, or by opening to read.
fn truncation(rules: &mut Rules) -> Result<(), seccompiler::BackendError> {
    let mode = (libc::O_TRUNC | libc::O_ACCMODE) as u64;
    rules.insert(libc::SYS_truncate, Vec::new());
    rules.insert(libc::SYS_openat, vec![rule(&[has(2, mode, libc::O_TRUNC as u64)?])?]);
    #[cfg(target_arch = "x86_64")]
    rules.insert(libc::SYS_open, vec![rule(&[has(1, mode, libc::O_TRUNC as u64)?])?]);
    Ok(())
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let machine = TargetArch::try_from(MACHINE)?;
    SeccompFilter::new(rules, otherwise, matched, machine)?.try_into()
}

fn rule(conditions: &[SeccompCondition]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.to_vec())
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

fn has(argument: u8, mask: u64, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(mask), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Policy;
    use crate::sandbox::order::Order;

    /// Instructions the kernel takes at most in one filter.
    const INSTRUCTIONS_MAX: usize = 4_096;

    #[test]
    fn every_filter_fits_into_the_kernel() {
        for abi in [1, 2, 3, 7] {
            for tier in ["T2", "T3"] {
                for net in [Net::None, Net::Full] {
                    let mut order = Order::read(format!("form\x001\0tier\0{tier}\0").as_bytes()).expect("an order");
                    order.policy = Policy::untrusted().net(net);
                    for filter in [known(abi).expect("compiled"), refused(&order, abi).expect("compiled")] {
                        assert!(filter.len() <= INSTRUCTIONS_MAX, "{}", filter.len());
                    }
                }
            }
        }
    }
}
