//! Landlock: files beyond the server's own do not open, whoever asks from inside. Signals and abstract sockets do not leave
//! the process either.

use std::path::Path;

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, RulesetStatus,
    Scope,
};

use super::{Holds, Layer, Needs};

const NAME: &str = "files";
/// What is asked for; an older kernel gives what it has. 6 came with Linux 6.12.
const WANTED: ABI = ABI::V6;

/// What every server reads: how names are resolved, which authorities are trusted, what time it is elsewhere, and what the
/// runtime asks about its own process and its share of the machine.
const EVERYONE: [&str; 16] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/etc/ssl/cert.pem",
    "/usr/share/ca-certificates",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/proc/self",
    "/sys/fs/cgroup",
];
/// Devices that hold nothing.
const DEVICES: [&str; 3] = ["/dev/null", "/dev/urandom", "/dev/random"];

pub(super) fn close(needs: &Needs) -> Layer {
    match restrict(needs) {
        Ok(status) => tell(&status),
        Err(fault) => Layer::none(NAME, format!("Landlock could not be set up: {fault}")),
    }
}

fn tell(status: &RestrictionStatus) -> Layer {
    let (holds, found) = match status.ruleset {
        RulesetStatus::FullyEnforced => (Holds::Whole, "Landlock leaves the server its own"),
        RulesetStatus::PartiallyEnforced => {
            (Holds::Part, "Landlock of this kernel leaves files closed, but not all of what it could close")
        }
        RulesetStatus::NotEnforced => (Holds::None, "this kernel has no Landlock"),
    };
    Layer { name: NAME, holds, found: found.to_owned() }
}

fn restrict(needs: &Needs) -> Result<RestrictionStatus, RulesetError> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing =
        (AccessFs::from_all(WANTED) & !(AccessFs::Execute | AccessFs::IoctlDev | special())) | reading;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .scope(Scope::from_all(WANTED))?
        .create()?;
    let everyone = EVERYONE.iter().map(|path| (Path::new(path), reading));
    let devices = DEVICES.iter().map(|path| (Path::new(path), AccessFs::ReadFile | AccessFs::WriteFile));
    let read = needs.read.iter().map(|path| (path.as_path(), reading));
    let write = needs.write.iter().map(|path| (path.as_path(), writing));
    let socket = AccessFs::MakeSock | AccessFs::RemoveFile | AccessFs::Refer;
    let sockets = needs.sockets.iter().map(|path| (path.as_path(), reading | socket));
    let remove = needs.remove.iter().map(|path| (path.as_path(), AccessFs::RemoveDir.into()));
    for (path, access) in everyone.chain(devices).chain(read).chain(write).chain(sockets).chain(remove) {
        // What is not there cannot be opened later either.
        let Ok(opened) = PathFd::new(path) else { continue };
        let access = if path.is_dir() { access } else { access & AccessFs::from_file(WANTED) };
        if !access.is_empty() {
            rules = rules.add_rule(PathBeneath::new(opened, access))?;
        }
    }
    rules.restrict_self()
}

/// Devices, pipes, sockets: the server makes none.
fn special() -> BitFlags<AccessFs> {
    AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeFifo | AccessFs::MakeSock | AccessFs::MakeSym
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// On a thread of its own: what it gives up is given up for that thread alone.
    #[test]
    fn a_closed_thread_reaches_its_own_files_and_no_others() {
        let [own, read, sockets, other] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
        for folder in [&own, &read, &sockets, &other] {
            fs::write(folder.path().join("f"), "text").unwrap();
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let needs = Needs {
                    read: vec![read.path().into(), "/nowhere/at/all".into()],
                    write: vec![own.path().into()],
                    sockets: vec![sockets.path().into()],
                    ..Needs::default()
                };
                let layer = close(&needs);
                if layer.holds == Holds::None {
                    assert!(!Path::new("/sys/kernel/security/landlock").exists(), "{layer:?}");
                    return;
                }
                assert_eq!(fs::read_to_string(own.path().join("f")).unwrap(), "text");
                fs::write(own.path().join("g"), "new").unwrap();
                fs::rename(own.path().join("g"), own.path().join("h")).unwrap();
                fs::remove_file(own.path().join("h")).unwrap();
                fs::create_dir_all(own.path().join("a/b")).unwrap();
                fs::remove_dir_all(own.path().join("a")).unwrap();
                assert_eq!(fs::read_to_string(read.path().join("f")).unwrap(), "text");
                let denied = |done: std::io::Result<()>| {
                    assert_eq!(done.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
                };
                let made = |name| std::os::unix::net::UnixListener::bind(sockets.path().join(name)).map(drop);
                made("s").unwrap();
                fs::rename(sockets.path().join("s"), sockets.path().join("t")).unwrap();
                fs::remove_file(sockets.path().join("t")).unwrap();
                denied(fs::write(sockets.path().join("f"), "changed"));
                denied(std::os::unix::net::UnixListener::bind(own.path().join("s")).map(drop));
                denied(fs::write(read.path().join("f"), "changed"));
                denied(fs::remove_file(read.path().join("f")));
                denied(fs::read(other.path().join("f")).map(drop));
                denied(fs::read_dir(other.path()).map(drop));
                denied(fs::write(other.path().join("g"), ""));
                denied(std::os::unix::fs::symlink("/etc", own.path().join("link")));
            });
        });
        assert_eq!(fs::read_to_string(read.path().join("f")).unwrap(), "text");
        assert!(fs::read(other.path().join("f")).is_ok(), "other threads kept what they had");
    }
}
