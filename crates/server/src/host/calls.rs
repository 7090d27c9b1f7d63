//! seccomp: which system calls the process may make. Three filters, of which the strictest answer counts: what is not known to
//! be needed does not exist, what is known to be dangerous is refused, and later, once every door is open, nobody listens anew.

use std::collections::{BTreeMap, BTreeSet};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::{Layer, names};

const NAME: &str = "calls";

/// Flags of clone(2) that make a thread: with it, no process is made.
const CLONE_THREAD: u64 = libc::CLONE_THREAD as u64;
const WRITABLE: u64 = libc::PROT_WRITE as u64;
const EXECUTABLE: u64 = libc::PROT_EXEC as u64;
/// What may be asked of open files by ioctl(2): nothing that changes a terminal or a device.
const IOCTLS: [u64; 6] =
    [libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::FIONCLEX, libc::TCGETS, libc::TIOCGWINSZ];
/// What may be asked by prctl(2): names, and to give up more. `PR_SET_DUMPABLE` is not among it.
const PRCTLS: [i32; 6] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_NO_NEW_PRIVS,
    libc::PR_SET_SECCOMP,
];
/// The families of sockets: the internet, and this machine. Name resolution asks the kernel for its addresses by the last.
const FAMILIES: [i32; 4] = [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX, libc::AF_NETLINK];
/// What a socket's type may be once its flags are off: no raw packets.
const TYPES: [i32; 2] = [libc::SOCK_STREAM, libc::SOCK_DGRAM];
const TYPE_MASK: u64 = 0xF;

/// A call and when it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Always.
    Free(i64),
    /// When its arguments are harmless.
    Looked(i64),
    /// Never.
    Forbidden(i64),
}

/// All calls that the filters name.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let free = names::ALLOWED.iter().chain(names::ALLOWED_OLD).map(|call| Rule::Free(*call));
    let looked = looked_at().into_keys().map(Rule::Looked);
    let forbidden = names::FORBIDDEN.iter().chain(names::FORBIDDEN_OLD).map(|call| Rule::Forbidden(*call));
    free.chain(looked).chain(forbidden).collect()
}

pub(super) fn close() -> Layer {
    let done =
        needed().and_then(|known| apply(&known)).and_then(|()| forbidden()).and_then(|bad| apply(&bad));
    match done {
        Ok(()) => Layer::whole(NAME, "seccomp knows those the server makes, and no others"),
        Err(fault) => Layer::none(NAME, format!("seccomp could not be set up: {fault}")),
    }
}

/// For all threads there are.
pub(super) fn shut_doors() -> Layer {
    const NAME: &str = "doors";
    let filter =
        filter(BTreeMap::from([(libc::SYS_listen, Vec::new())]), SeccompAction::Allow, refuse(libc::EPERM));
    match filter.and_then(|program| seccompiler::apply_filter_all_threads(&program)) {
        Ok(()) => Layer::whole(NAME, "nothing in the process can listen at another address"),
        Err(fault) => Layer::none(NAME, format!("more could be opened: {fault}")),
    }
}

fn apply(program: &BpfProgram) -> Result<(), seccompiler::Error> {
    seccompiler::apply_filter(program)
}

fn refuse(number: i32) -> SeccompAction {
    SeccompAction::Errno(number.unsigned_abs())
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    other: SeccompAction,
    named: SeccompAction,
) -> Result<BpfProgram, seccompiler::Error> {
    let machine = TargetArch::try_from(std::env::consts::ARCH).map_err(seccompiler::Error::Backend)?;
    let filter = SeccompFilter::new(rules, other, named, machine).map_err(seccompiler::Error::Backend)?;
    BpfProgram::try_from(filter).map_err(seccompiler::Error::Backend)
}

/// What is not here does not exist.
fn needed() -> Result<BpfProgram, seccompiler::Error> {
    let mut rules: BTreeMap<_, _> =
        names::ALLOWED.iter().chain(names::ALLOWED_OLD).map(|call| (*call, Vec::new())).collect();
    rules.extend(looked_at());
    // These are refused by the other filter, in words that a person understands.
    for call in names::FORBIDDEN.iter().chain(names::FORBIDDEN_OLD) {
        rules.insert(*call, Vec::new());
    }
    filter(rules, refuse(libc::ENOSYS), SeccompAction::Allow)
}

fn forbidden() -> Result<BpfProgram, seccompiler::Error> {
    let all: BTreeSet<_> = names::FORBIDDEN.iter().chain(names::FORBIDDEN_OLD).collect();
    let rules = all.into_iter().map(|call| (*call, Vec::new())).collect();
    filter(rules, SeccompAction::Allow, refuse(libc::EPERM))
}

/// Calls that pass with some arguments only: any one of the rules of a call lets it pass.
fn looked_at() -> BTreeMap<i64, Vec<SeccompRule>> {
    let mut rules = BTreeMap::new();
    // A thread, never a process. clone3 hides its flags from a filter: unknown here, so that libraries use clone.
    rules.insert(libc::SYS_clone, any([all([has(0, CLONE_THREAD, CLONE_THREAD)])]));
    // Nothing is written that is then run.
    rules.insert(libc::SYS_mmap, any([all([has(2, EXECUTABLE, 0)]), all([has(2, WRITABLE, 0)])]));
    rules.insert(libc::SYS_mprotect, any([all([has(2, EXECUTABLE, 0)])]));
    rules.insert(libc::SYS_ioctl, any(IOCTLS.map(|asked| all([is(1, asked)]))));
    rules.insert(libc::SYS_prctl, any(PRCTLS.map(|asked| all([is(0, asked.unsigned_abs().into())]))));
    // Limits of this process alone.
    rules.insert(libc::SYS_prlimit64, any([all([is(0, 0)])]));
    let sockets = FAMILIES.into_iter().flat_map(|family| {
        TYPES.map(|kind| {
            let kind = kind.unsigned_abs().into();
            all([is(0, family.unsigned_abs().into()), has(1, TYPE_MASK, kind)])
        })
    });
    // Asking the kernel for addresses is a raw socket by name only.
    let netlink = all([
        is(0, libc::AF_NETLINK.unsigned_abs().into()),
        has(1, TYPE_MASK, libc::SOCK_RAW.unsigned_abs().into()),
        is(2, libc::NETLINK_ROUTE.unsigned_abs().into()),
    ]);
    rules.insert(libc::SYS_socket, any(sockets.chain([netlink])));
    rules.insert(libc::SYS_socketpair, any([all([is(0, libc::AF_UNIX.unsigned_abs().into())])]));
    rules
}

fn any(rules: impl IntoIterator<Item = Option<SeccompRule>>) -> Vec<SeccompRule> {
    rules.into_iter().flatten().collect()
}

fn all<const N: usize>(conditions: [Option<SeccompCondition>; N]) -> Option<SeccompRule> {
    SeccompRule::new(conditions.into_iter().collect::<Option<Vec<_>>>()?).ok()
}

fn is(argument: u8, value: u64) -> Option<SeccompCondition> {
    SeccompCondition::new(argument, Dword, SeccompCmpOp::Eq, value).ok()
}

fn has(argument: u8, mask: u64, value: u64) -> Option<SeccompCondition> {
    SeccompCondition::new(argument, Dword, SeccompCmpOp::MaskedEq(mask), value).ok()
}

#[cfg(test)]
#[path = "calls_tests.rs"]
mod tests;
