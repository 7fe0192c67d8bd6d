//! Landlock: which files may be read, written and run. Holds for root as well, and for good.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::namespaces::kept;
use super::{Done, Failure};
use crate::sandbox::order::Order;
use crate::sandbox::policy::{Net, SYSTEM_PROGRAMS, SYSTEM_READ};
use crate::sandbox::tier::Tier;

/// The newest form of Landlock this file has rules for.
const ABI_KNOWN: ABI = ABI::V6;

/// Devices every program may use: they give nothing away and keep nothing.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Leaves only what the order grants. Gives the form of Landlock that holds it.
pub(super) fn restrict(order: &Order) -> Done<u32> {
    let enforced = rules(order).and_then(RulesetCreated::restrict_self);
    let status = enforced.map_err(|error| Failure::new("landlock", error))?;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if status.ruleset != RulesetStatus::NotEnforced => {
            Ok(effective_abi as u32)
        }
        _ => Err(Failure::new("landlock", "the kernel has none")),
    }
}

fn rules(order: &Order) -> Result<RulesetCreated, RulesetError> {
    let policy = &order.policy;
    // Writing must be held, or nothing starts; what newer kernels can hold besides is taken where it is there.
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(ABI::V1))?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI_KNOWN))?
        .scope(Scope::from_all(ABI_KNOWN))?;
    if policy.net == Net::None {
        rules = rules.handle_access(AccessNet::from_all(ABI_KNOWN))?;
    }
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = read | AccessFs::Execute;
    // No devices, and nothing written may be run.
    let write = AccessFs::from_all(ABI_KNOWN)
        & !(AccessFs::Execute | AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::IoctlDev);
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let mut made = rules.create()?;
    for path in SYSTEM_READ {
        made = grant(made, Path::new(path), read)?;
    }
    for path in SYSTEM_PROGRAMS {
        made = grant(made, Path::new(path), run)?;
    }
    for path in DEVICES {
        made = grant(made, Path::new(path), device)?;
    }
    for path in &policy.ro {
        made = grant(made, path, read)?;
    }
    for path in &policy.exec {
        made = grant(made, path, run)?;
    }
    let kept = kept(policy);
    for path in &policy.rw {
        // In a mount namespace what is kept is mounted so that it cannot be written.
        if order.tier == Tier::T3 || !kept.iter().any(|kept| kept.starts_with(path)) {
            made = grant(made, path, write)?;
            continue;
        }
        made = around(made, path, &kept, (read, write))?;
    }
    Ok(made)
}

/// Grants writing below `folder` but not in what is `kept`. Landlock only adds: so each entry is granted but those that
/// are kept or hold what is, and nothing new can be made beside those. Goes as deep as `kept` does.
fn around(
    made: RulesetCreated,
    folder: &Path,
    kept: &[PathBuf],
    (read, write): (BitFlags<AccessFs>, BitFlags<AccessFs>),
) -> Result<RulesetCreated, RulesetError> {
    let mut made = grant(made, folder, read)?;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let entry = entry.path();
        if entry.symlink_metadata().is_ok_and(|it| it.is_symlink()) {
            continue;
        }
        if !kept.iter().any(|kept| kept.starts_with(&entry)) {
            made = grant(made, &entry, write)?;
        } else if entry.is_dir() && !kept.contains(&entry) {
            made = around(made, &entry, kept, (read, write))?;
        }
    }
    Ok(made)
}

/// Grants `access` below `path`. A path that is not there grants nothing.
fn grant(made: RulesetCreated, path: &Path, access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    let Ok(handle) = PathFd::new(path) else { return Ok(made) };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(ABI_KNOWN) };
    made.add_rule(PathBeneath::new(handle, access))
}
