//! The filters, run by a reader of their own: every call, every argument that matters, foreign machines.

use super::*;

const AUDIT_ARCH: u32 = if cfg!(target_arch = "x86_64") { 0xC000_003E } else { 0xC000_00B7 };
const ALLOW: u32 = 0x7FFF_0000;
const KILL: u32 = 0x8000_0000;

fn errno(number: i32) -> u32 {
    0x0005_0000 | number.unsigned_abs()
}

/// Runs a filter as the kernel does (seccomp(2), classic BPF), over `struct seccomp_data`.
fn answer(program: &BpfProgram, machine: u32, call: i64, arguments: [u64; 6]) -> u32 {
    let mut data = Vec::new();
    data.extend(u32::try_from(call).unwrap().to_le_bytes());
    data.extend(machine.to_le_bytes());
    data.extend(0_u64.to_le_bytes());
    arguments.iter().for_each(|argument| data.extend(argument.to_le_bytes()));
    let (mut at, mut accumulator) = (0, 0_u32);
    loop {
        let step = &program[at];
        at += 1;
        let jump = |holds: bool| usize::from(if holds { step.jt } else { step.jf });
        match step.code {
            0x20 => {
                let from = usize::try_from(step.k).unwrap();
                accumulator = u32::from_le_bytes(data[from..from + 4].try_into().unwrap());
            }
            0x54 => accumulator &= step.k,
            0x15 => at += jump(accumulator == step.k),
            0x25 => at += jump(accumulator > step.k),
            0x35 => at += jump(accumulator >= step.k),
            0x05 => at += usize::try_from(step.k).unwrap(),
            0x06 => return step.k,
            other => panic!("an instruction this reader does not know: {other:#x}"),
        }
    }
}

/// What the process gets: the strictest of both filters, of equals that of the later one.
fn both(call: i64, arguments: [u64; 6]) -> u32 {
    let (first, second) = (needed().unwrap(), forbidden().unwrap());
    let answers = [second, first].map(|filter| answer(&filter, AUDIT_ARCH, call, arguments));
    if answers[0] == ALLOW { answers[1] } else { answers[0] }
}

fn with<const N: usize>(first: [i64; N]) -> [u64; 6] {
    std::array::from_fn(|at| first.get(at).copied().unwrap_or(0).cast_unsigned())
}

#[test]
fn every_free_call_passes_whatever_its_arguments() {
    for call in names::ALLOWED.iter().chain(names::ALLOWED_OLD) {
        for arguments in [[0; 6], [u64::MAX; 6]] {
            assert_eq!(both(*call, arguments), ALLOW, "{call}");
        }
    }
}

#[test]
fn every_forbidden_call_is_refused_whatever_its_arguments() {
    for call in names::FORBIDDEN.iter().chain(names::FORBIDDEN_OLD) {
        for arguments in [[0; 6], [u64::MAX; 6]] {
            assert_eq!(both(*call, arguments), errno(libc::EPERM), "{call}");
        }
    }
}

#[test]
fn a_call_is_on_one_list_only() {
    let free: BTreeSet<_> = names::ALLOWED.iter().chain(names::ALLOWED_OLD).collect();
    let forbidden: BTreeSet<_> = names::FORBIDDEN.iter().chain(names::FORBIDDEN_OLD).collect();
    let looked = looked_at();
    assert!(free.is_disjoint(&forbidden));
    assert!(looked.keys().all(|call| !free.contains(call) && !forbidden.contains(call)));
    // A call without a rule would pass always.
    assert!(looked.values().all(|rules| !rules.is_empty()));
    assert_eq!(rules().len(), free.len() + forbidden.len() + looked.len());
}

#[test]
fn what_is_on_no_list_is_unknown_here() {
    // clone3, and numbers that no kernel has.
    for call in [libc::SYS_clone3, 0x3FF, 1_000_000] {
        assert_eq!(both(call, [0; 6]), errno(libc::ENOSYS), "{call}");
    }
}

#[test]
fn the_calls_of_another_machine_end_the_process() {
    let filter = needed().unwrap();
    assert_eq!(answer(&filter, 0x4000_0003, libc::SYS_read, [0; 6]), KILL);
    // The other numbering of the same machine (x32): read is nothing there.
    assert_eq!(both(libc::SYS_read | 0x4000_0000, [0; 6]), errno(libc::ENOSYS));
    assert_eq!(both(libc::SYS_execve | 0x4000_0000, [0; 6]), errno(libc::ENOSYS));
}

#[test]
fn threads_are_made_and_processes_are_not() {
    let thread = libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND;
    assert_eq!(both(libc::SYS_clone, with([thread.into()])), ALLOW);
    for flags in [0, libc::SIGCHLD, libc::CLONE_VM | libc::CLONE_VFORK, libc::CLONE_NEWUSER] {
        assert_eq!(both(libc::SYS_clone, with([flags.into()])), errno(libc::ENOSYS), "{flags:#x}");
    }
}

#[test]
fn memory_is_written_or_run_and_never_both() {
    let (read, write, run) = (libc::PROT_READ, libc::PROT_WRITE, libc::PROT_EXEC);
    for (protection, passes) in [(read, true), (read | write, true), (read | run, true), (write | run, false)]
    {
        let expected = if passes { ALLOW } else { errno(libc::ENOSYS) };
        assert_eq!(both(libc::SYS_mmap, with([0, 0, protection.into()])), expected, "{protection}");
    }
    assert_eq!(both(libc::SYS_mprotect, with([0, 0, (read | write).into()])), ALLOW);
    assert_eq!(both(libc::SYS_mprotect, with([0, 0, (read | run).into()])), errno(libc::ENOSYS));
}

#[test]
fn sockets_are_of_the_internet_and_of_this_machine() {
    let asked = |family: i32, kind: i32, protocol: i32| {
        both(libc::SYS_socket, with([family.into(), kind.into(), protocol.into()]))
    };
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    for family in [libc::AF_INET, libc::AF_INET6, libc::AF_UNIX] {
        assert_eq!(asked(family, libc::SOCK_STREAM | flags, 0), ALLOW, "{family}");
        assert_eq!(asked(family, libc::SOCK_DGRAM, 0), ALLOW, "{family}");
        assert_eq!(asked(family, libc::SOCK_RAW, 0), errno(libc::ENOSYS), "{family}");
    }
    assert_eq!(asked(libc::AF_NETLINK, libc::SOCK_RAW | flags, libc::NETLINK_ROUTE), ALLOW);
    assert_eq!(asked(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT), errno(libc::ENOSYS));
    for family in [libc::AF_PACKET, libc::AF_ALG, libc::AF_VSOCK, libc::AF_KEY, 99] {
        assert_eq!(asked(family, libc::SOCK_DGRAM, 0), errno(libc::ENOSYS), "{family}");
    }
}

#[test]
fn a_process_changes_its_own_limits_and_names_and_not_whether_it_is_dumped() {
    assert_eq!(both(libc::SYS_prlimit64, with([0])), ALLOW);
    assert_eq!(both(libc::SYS_prlimit64, with([1])), errno(libc::ENOSYS));
    assert_eq!(both(libc::SYS_prctl, with([libc::PR_SET_NAME.into()])), ALLOW);
    for asked in [libc::PR_SET_DUMPABLE, libc::PR_SET_PTRACER, libc::PR_CAPBSET_DROP, libc::PR_SET_MM] {
        assert_eq!(both(libc::SYS_prctl, with([asked.into()])), errno(libc::ENOSYS), "{asked}");
    }
    let ioctl = |asked: u64| both(libc::SYS_ioctl, with([0, asked.cast_signed()]));
    assert_eq!((ioctl(libc::FIONBIO), ioctl(libc::TIOCSTI)), (ALLOW, errno(libc::ENOSYS)));
}

/// On a thread of its own: filters hold for the thread that takes them.
#[test]
fn the_kernel_takes_the_filters() {
    std::thread::spawn(|| {
        rustix::thread::set_no_new_privs(true).unwrap();
        let layer = close();
        assert_eq!(layer.holds, super::super::Holds::Whole, "{layer:?}");
        let started = std::process::Command::new("/bin/true").status();
        assert!(started.is_err(), "a process was started");
        assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7, "a thread is started still");
        let found = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        assert!(found.contains("Seccomp:\t2"), "{found}");
    })
    .join()
    .unwrap();
}
