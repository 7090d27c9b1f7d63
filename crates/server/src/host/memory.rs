//! Memory that leaves the process in no way: no core dump, no debugger, no swap.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{DumpableBehavior, Resource, getrlimit, set_dumpable_behavior};

use super::Layer;

/// The layer that depends on a limit of the user and not on the kernel.
pub(super) const LOCKED: &str = "memory";
const DUMPS: &str = "dumps";
/// `CAP_IPC_LOCK` in the set of effective capabilities (capabilities(7)): it lifts the limit.
const IPC_LOCK: u64 = 1 << 14;

/// No core dump, and none of the user's other processes may look into this one.
pub(super) fn no_dumps() -> Layer {
    match set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        Ok(()) => Layer::whole(DUMPS, "neither cores nor debuggers see the memory"),
        Err(fault) => Layer::none(DUMPS, format!("cannot be turned off: {fault}")),
    }
}

/// Keeps every page that comes into memory there, keys among them. A limit that is not high enough for the whole process is
/// left alone: past it, the process would be refused memory.
pub(super) fn lock() -> Layer {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if getrlimit(Resource::Memlock).current.is_some() && !capable(&status) {
        return Layer::none(
            LOCKED,
            "may be swapped: raise the limit (LimitMEMLOCK=infinity, ulimit -l unlimited)",
        );
    }
    match mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT) {
        Ok(()) => Layer::whole(LOCKED, "is never swapped"),
        Err(fault) => Layer::none(LOCKED, format!("may be swapped: {fault}")),
    }
}

/// Whether `/proc/self/status` shows the capability that lifts the limit.
fn capable(status: &str) -> bool {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    set.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).is_some_and(|set| set & IPC_LOCK != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capability_is_one_bit() {
        assert!(capable("Name:\tx\nCapEff:\t0000000000004000\n"));
        assert!(capable("CapEff:\t000001ffffffffff\n"));
        for without in ["", "CapEff:\t0000000000000000\n", "CapEff:\tffffffffffffbfff\n", "CapEff:\tno\n"] {
            assert!(!capable(without), "{without}");
        }
    }
}
