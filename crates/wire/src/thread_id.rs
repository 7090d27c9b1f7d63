//! Thread ids as clients see them: `19:<32 hexadecimal digits>@thread.v2`.

use base::ThreadId;

const BEFORE: &str = "19:";
const AFTER: &str = "@thread.v2";

/// Reads a (decoded) path segment. `None` for anything [`format`] would not write.
#[must_use]
pub fn parse(text: &str) -> Option<ThreadId> {
    ThreadId::from_hex(text.strip_prefix(BEFORE)?.strip_suffix(AFTER)?).ok()
}

/// As bodies hold it.
#[must_use]
pub fn format(thread: ThreadId) -> String {
    format!("{BEFORE}{}{AFTER}", thread.to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips() {
        let thread = ThreadId::from_bytes([0xAB; 16]);
        assert_eq!(format(thread), "19:abababababababababababababababab@thread.v2");
        assert_eq!(parse(&format(thread)), Some(thread));
    }

    #[test]
    fn refuses_what_it_does_not_write() {
        let hex = "ab".repeat(16);
        for bad in [
            "",
            "19:@thread.v2",
            &hex,
            &format!("19:{hex}"),
            &format!("19:{hex}@thread.v1"),
            &format!("19:{}@thread.v2", hex.to_uppercase()),
            &format!("19:{hex}@thread.v2 "),
            &format!("19:19:{hex}@thread.v2"),
            "19:uni01_uy5ucb66ugp3lrhe7pxso6xx4hsmm3dl6eyjfefv2n6x3rrurpea@thread.v2",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
