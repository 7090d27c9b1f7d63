//! Tries to break out of the closed host from inside, in every way that safe code can try. Each attempt is made so that it
//! does no harm where it should succeed: programs, folders and modules that do not exist, a change to what already is.

use std::ffi::CStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module};
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, UnixAddr, bind, connect, listen, socket,
};
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::sys::{memfd, personality, prctl, ptrace, reboot, signal, stat};
use nix::unistd::{chroot, execv, gethostname, getpid, getppid, getuid, pivot_root, sethostname, setuid};
use serde::Serialize;

/// What nobody has: attempts name it, so that they fail harmlessly where nothing stops them.
const NOTHING: &str = "/nonexistent-chancery-probe";
const NOTHING_C: &CStr = c"/nonexistent-chancery-probe";

/// What came of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// What was tried.
    pub tried: &'static str,
    /// Which layer is there to stop it: `files`, `calls`, `doors`, `dumps`.
    pub layer: &'static str,
    /// Whether it was stopped.
    pub denied: bool,
    /// What the system answered.
    pub answer: String,
}

/// What the attempts need that must be made before the host is closed.
#[derive(Debug)]
pub struct Bait {
    own: PathBuf,
    outside: PathBuf,
    abroad: Option<(OwnedFd, UnixAddr)>,
}

impl Bait {
    /// `own` is a folder that stays open to the process, `outside` one that does not and that holds a file `secret`.
    #[must_use]
    pub fn new(own: &Path, outside: &Path) -> Self {
        Self { own: own.to_owned(), outside: outside.to_owned(), abroad: abroad(outside).ok() }
    }
}

/// A socket of this machine that belongs to nobody inside.
fn abroad(outside: &Path) -> Result<(OwnedFd, UnixAddr), Errno> {
    let name = outside.as_os_str().as_encoded_bytes();
    let address = UnixAddr::new_abstract(&name[..name.len().min(100)])?;
    let at = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    bind(at.as_raw_fd(), &address)?;
    listen(&at, Backlog::new(1)?)?;
    Ok((at, address))
}

type Try = fn(&Bait) -> io::Result<()>;

/// Everything that is tried, with the layer that is to stop it.
const ATTEMPTS: &[(&str, &str, Try)] = &[
    ("read a file outside its folders", "files", |bait| fs::read(bait.outside.join("secret")).map(drop)),
    ("read /etc/passwd", "files", |_| fs::read("/etc/passwd").map(drop)),
    ("list the root of the file system", "files", |_| fs::read_dir("/").map(drop)),
    ("write a file outside its folders", "files", |bait| fs::write(bait.outside.join("new"), "x")),
    ("remove a file outside its folders", "files", |bait| fs::remove_file(bait.outside.join("secret"))),
    ("put a file beside its own program", "files", |_| {
        let beside = std::env::current_exe()?.with_file_name(".chancery-probe");
        fs::write(&beside, "x").and_then(|()| fs::remove_file(&beside))
    }),
    ("read the environment of the first process", "files", |_| fs::read("/proc/1/environ").map(drop)),
    ("set a value of the kernel", "files", |_| append(Path::new("/proc/sys/kernel/core_pattern"))),
    ("make a link out of its folders", "calls", |bait| {
        std::os::unix::fs::symlink("/etc", bait.own.join("link"))
    }),
    ("reach an abstract socket of another program", "files", |bait| match &bait.abroad {
        Some((_, address)) => {
            let from = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
            Ok(connect(from.as_raw_fd(), address)?)
        }
        None => Err(io::ErrorKind::Unsupported.into()),
    }),
    ("start a shell", "calls", |_| Command::new("/bin/sh").arg("-c").arg("true").status().map(drop)),
    ("become another program", "calls", |_| execv(NOTHING_C, &[NOTHING_C]).map(drop).map_err(Into::into)),
    ("let a debugger in", "calls", |_| Ok(ptrace::traceme()?)),
    ("read memory as a debugger would", "calls", |_| read_memory()),
    ("signal another process", "calls", |_| Ok(signal::kill(getppid(), None)?)),
    ("mount a file system", "calls", |_| {
        let nothing = None::<&str>;
        Ok(mount(nothing, NOTHING, Some("proc"), MsFlags::empty(), nothing)?)
    }),
    ("unmount a file system", "calls", |_| Ok(umount(NOTHING)?)),
    ("change its root folder", "calls", |_| Ok(chroot(NOTHING)?)),
    ("exchange the root folder", "calls", |_| Ok(pivot_root(NOTHING, NOTHING)?)),
    ("leave its namespaces", "calls", |_| Ok(unshare(CloneFlags::CLONE_FS)?)),
    ("enter another namespace", "calls", |_| Ok(setns(null()?, CloneFlags::CLONE_NEWNET)?)),
    ("load a kernel module", "calls", |_| Ok(finit_module(&null()?, c"", ModuleInitFlags::empty())?)),
    ("unload a kernel module", "calls", |_| {
        Ok(delete_module(c"nonexistent_chancery", DeleteModuleFlags::O_NONBLOCK)?)
    }),
    ("reach the switch that restarts the machine", "calls", |_| Ok(reboot::set_cad_enabled(true)?)),
    ("rename the machine", "calls", |_| Ok(sethostname(gethostname()?)?)),
    ("change its user", "calls", |_| Ok(setuid(getuid())?)),
    ("change how it is executed", "calls", |_| personality::get().map(drop).map_err(Into::into)),
    ("make a device", "calls", |bait| {
        let mode = stat::Mode::from_bits_truncate(0o600);
        Ok(stat::mknod(&bait.own.join("device"), stat::SFlag::S_IFCHR, mode, stat::makedev(1, 3))?)
    }),
    ("make a program in memory", "calls", |_| {
        memfd::memfd_create(c"probe", memfd::MFdFlags::MFD_CLOEXEC).map(drop).map_err(Into::into)
    }),
    ("open a raw socket", "calls", |_| open_socket(AddressFamily::Inet, SockType::Raw)),
    ("listen to all packets of the network", "calls", |_| open_socket(AddressFamily::Packet, SockType::Raw)),
    ("let its memory be dumped again", "dumps", |_| Ok(prctl::set_dumpable(true)?)),
    ("listen at another port", "doors", |_| {
        let at = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        bind(at.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
        Ok(listen(&at, Backlog::new(1)?)?)
    }),
];

/// Tries everything. The process should have nothing else to do afterwards.
#[must_use]
pub fn run(bait: &Bait) -> Vec<Attempt> {
    ATTEMPTS
        .iter()
        .map(|(tried, layer, attempt)| {
            let (denied, answer) = judge(attempt(bait));
            Attempt { tried, layer, denied, answer }
        })
        .collect()
}

/// Stopped is what a layer stops: forbidden, refused, or unknown here. Any other failure came from beyond it.
fn judge(done: io::Result<()>) -> (bool, String) {
    match done {
        Ok(()) => (false, "it worked".to_owned()),
        Err(fault) => {
            let stops = [libc::EPERM, libc::EACCES, libc::ENOSYS];
            (fault.raw_os_error().is_some_and(|number| stops.contains(&number)), fault.to_string())
        }
    }
}

fn append(path: &Path) -> io::Result<()> {
    OpenOptions::new().append(true).open(path).map(drop)
}

fn null() -> io::Result<File> {
    File::open("/dev/null")
}

fn open_socket(family: AddressFamily, kind: SockType) -> io::Result<()> {
    socket(family, kind, SockFlag::SOCK_CLOEXEC, None).map(drop).map_err(Into::into)
}

fn read_memory() -> io::Result<()> {
    let secret = [7_u8; 8];
    let mut seen = [0; 8];
    let remote = [RemoteIoVec { base: secret.as_ptr().addr(), len: secret.len() }];
    process_vm_readv(getpid(), &mut [IoSliceMut::new(&mut seen)], &remote)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_refusals_count_as_stopped() {
        let from = |number| judge(Err(io::Error::from_raw_os_error(number))).0;
        for stopped in [libc::EPERM, libc::EACCES, libc::ENOSYS] {
            assert!(from(stopped), "{stopped}");
        }
        for beyond in [libc::ENOENT, libc::EINVAL, libc::EBUSY, libc::ENODEV] {
            assert!(!from(beyond), "{beyond}");
        }
        assert!(!judge(Ok(())).0);
        assert!(!judge(Err(io::ErrorKind::Unsupported.into())).0);
    }

    #[test]
    fn every_layer_is_tried_and_nothing_twice() {
        let mut names: Vec<_> = ATTEMPTS.iter().map(|(tried, ..)| *tried).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ATTEMPTS.len());
        for layer in ["files", "calls", "dumps", "doors"] {
            assert!(ATTEMPTS.iter().any(|(_, with, _)| *with == layer), "{layer}");
        }
    }
}
