//! What the process asks of its machine before it serves: as many open files as it may have, and no core dumps, which
//! would put keys and content on a disk unsealed.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Asks for it. What is refused is logged, and `doctor` says more.
pub(super) fn prepare() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if setrlimit(Resource::Core, none).is_err() {
        tracing::warn!("core dumps could not be turned off: a crash may leave keys on a disk");
    }
    let files = getrlimit(Resource::Nofile);
    if files.current != files.maximum
        && setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).is_err()
    {
        tracing::warn!("the number of open files could not be raised");
    }
}

/// How many files the process may have open once [`prepare`] has asked; `None` for no limit.
pub(super) fn most_files() -> Option<u64> {
    getrlimit(Resource::Nofile).maximum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn afterwards_there_are_no_core_dumps_and_all_the_files_there_may_be() {
        prepare();
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        let files = getrlimit(Resource::Nofile);
        assert_eq!(files.current, files.maximum);
        assert_eq!(most_files(), files.maximum);
    }
}
