//! What the kernel tells of a process under `/proc`: CPU time, memory, limits, parent. It reads; it changes nothing.

use std::fs;

use crate::error::{Error, Result};

/// Clock ticks per second of the CPU times in `/proc/<pid>/stat`. The kernel fixes `USER_HZ` at 100 for user space on
/// every architecture this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// The fields of `/proc/<pid>/stat` that are used; times in ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// The name of the program, without parentheses.
    pub(crate) name: String,
    /// The parent's process id.
    pub(crate) parent: u32,
    /// User and system time of the process itself.
    pub(crate) own_ticks: u64,
    /// User and system time of its children that ended and were waited for.
    pub(crate) reaped_ticks: u64,
}

/// Resident memory of a process, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Now (`VmRSS`).
    pub(crate) resident: u64,
    /// The most it ever was (`VmHWM`).
    pub(crate) peak: u64,
}

/// Reads a line of `/proc/<pid>/stat`. The name may hold spaces and parentheses: it ends at the last `)`.
pub(crate) fn parse_stat(text: &str) -> Option<Stat> {
    let (open, close) = (text.find('(')?, text.rfind(')')?);
    let name = text.get(open + 1..close)?.to_owned();
    let fields: Vec<&str> = text.get(close + 1..)?.split_whitespace().collect();
    // proc(5) counts from 1: state is field 3 and stands first here.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        name,
        parent: u32::try_from(number(4)?).ok()?,
        own_ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
    })
}

/// Reads `VmRSS` and `VmHWM` from `/proc/<pid>/status`.
pub(crate) fn parse_memory(text: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    };
    Some(Memory { resident: bytes("VmRSS")?, peak: bytes("VmHWM")? })
}

/// Reads the soft limit of open files from `/proc/<pid>/limits`; `unlimited` is the greatest number.
pub(crate) fn parse_open_files(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn read(pid: u32, file: &str) -> Result<String> {
    fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|e| Error::io("read /proc of a process", e))
}

/// The process's line in the process table.
pub(crate) fn stat(pid: u32) -> Result<Stat> {
    parse_stat(&read(pid, "stat")?).ok_or(Error::Proc("stat"))
}

/// The process's resident memory.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    parse_memory(&read(pid, "status")?).ok_or(Error::Proc("status"))
}

/// How many files this process, and a child that inherits its limits, may open.
pub(crate) fn open_files_limit() -> Result<u64> {
    parse_open_files(&read(std::process::id(), "limits")?).ok_or(Error::Proc("limits"))
}

/// CPU seconds that a process has used.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    Ok(seconds(stat(pid)?.own_ticks))
}

/// CPU seconds that a process, its living children and its ended ones have used: all of a PostgreSQL.
pub(crate) fn family_cpu_seconds(pid: u32) -> Result<f64> {
    let own = stat(pid)?;
    let entries = fs::read_dir("/proc").map_err(|e| Error::io("read /proc", e))?;
    let children = entries.flatten().filter_map(|entry| {
        let child: u32 = entry.file_name().to_str()?.parse().ok()?;
        // A process may end between the listing and the reading.
        stat(child).ok().filter(|s| s.parent == pid)
    });
    let ticks: u64 = children.map(|s| s.own_ticks + s.reaped_ticks).sum();
    Ok(seconds(own.own_ticks + own.reaped_ticks + ticks))
}

#[expect(clippy::cast_precision_loss, reason = "ticks stay far below 2^52")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "4242 (a (odd) name) S 17 4242 4242 0 -1 4194560 2577 9 0 0 151 49 7 3 20 0 6 0 1234 \
                        1107296256 3456 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0";

    #[test]
    fn a_stat_line_with_an_odd_name() {
        let expected = Stat { name: "a (odd) name".into(), parent: 17, own_ticks: 200, reaped_ticks: 10 };
        assert_eq!(parse_stat(STAT), Some(expected));
    }

    #[test]
    fn what_is_no_stat_line() {
        for bad in ["", "1", "1 (x", "1 (x) S", "1 (x) S 2 3 4 5 6 7 8 9 10 11", ") (", "1 (x) S -1 b c"] {
            assert_eq!(parse_stat(bad), None, "{bad}");
        }
    }

    #[test]
    fn memory_lines() {
        let text =
            "Name:\tchancery\nVmPeak:\t  900000 kB\nVmHWM:\t   40960 kB\nVmRSS:\t   20480 kB\nThreads:\t4\n";
        assert_eq!(parse_memory(text), Some(Memory { resident: 20_480 * 1024, peak: 40_960 * 1024 }));
        assert_eq!(parse_memory("Name:\tkthreadd\n"), None, "a kernel thread has no memory");
        assert_eq!(parse_memory("VmHWM:\tmuch kB\nVmRSS:\t1 kB\n"), None);
    }

    #[test]
    fn open_file_limits() {
        let line = |v: &str| {
            format!(
                "Limit  Soft Limit  Hard Limit  Units\nMax processes  9  9  processes\nMax open files  {v}  files\n"
            )
        };
        assert_eq!(parse_open_files(&line("1024  1048576")), Some(1024));
        assert_eq!(parse_open_files(&line("unlimited  unlimited")), Some(u64::MAX));
        assert_eq!(parse_open_files("Max processes 9 9 processes\n"), None);
    }

    #[test]
    fn this_process_is_there() {
        let me = std::process::id();
        let memory = memory(me).unwrap();
        assert!(memory.resident > 0 && memory.peak >= memory.resident);
        assert!(open_files_limit().unwrap() > 0);
        // In this order: a process goes on using time between two looks.
        let own = cpu_seconds(me).unwrap();
        assert!(family_cpu_seconds(me).unwrap() >= own);
        assert!(stat(u32::MAX).is_err(), "no such process");
    }
}
