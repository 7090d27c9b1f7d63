//! What a mail server's reply means for the one who sent the mail: the delivery statuses of ACS, and which bounces are
//! hard, so that the address is left alone for a while.

/// Delivery statuses of ACS (`EmailDeliveryReportReceived`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryStatus {
    /// The recipient's server took it.
    Delivered,
    /// A hard bounce: there is no such mailbox.
    Bounced,
    /// Not delivered, for another reason, or not in time.
    Failed,
    /// Refused as spam.
    FilteredSpam,
    /// Taken, and put aside.
    Quarantined,
    /// Not sent: the address is on a suppression list.
    Suppressed,
    /// Taken by a list, which sends it on.
    Expanded,
}

impl DeliveryStatus {
    /// The name ACS gives it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "Delivered",
            Self::Bounced => "Bounced",
            Self::Failed => "Failed",
            Self::FilteredSpam => "FilteredSpam",
            Self::Quarantined => "Quarantined",
            Self::Suppressed => "Suppressed",
            Self::Expanded => "Expanded",
        }
    }
}

/// What to do about a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ends here, with this status. [`DeliveryStatus::Bounced`] alone suppresses the address.
    Final(DeliveryStatus),
    /// Try again later.
    Again,
}

/// Enhanced codes (RFC 3463) that together with 550 are a hard bounce.
const HARD_550: [&str; 13] = [
    "5.1.1", "5.1.2", "5.1.3", "5.1.4", "5.1.6", "5.1.9", "5.1.10", "5.2.1", "5.3.2", "5.4.1", "5.4.4",
    "5.4.6", "5.4.310",
];
/// Words by which servers that give no useful code tell that they take a mail for spam.
const SPAM: [&str; 13] = [
    "spam",
    "junk",
    "unsolicited",
    "bulk mail",
    "blacklist",
    "blocklist",
    "block list",
    "denylist",
    "dnsbl",
    "rbl",
    "reputation",
    "spamhaus",
    "content rejected",
];
/// Words by which servers without enhanced codes tell that there is no such mailbox.
const UNKNOWN: [&str; 10] = [
    "user unknown",
    "unknown user",
    "no such user",
    "no such mailbox",
    "mailbox not found",
    "mailbox unavailable",
    "does not exist",
    "recipient rejected",
    "invalid recipient",
    "recipient address rejected",
];

/// What `code` (RFC 5321), `enhanced` (RFC 3463) and the words mean, given in answer to a recipient or to the message.
///
/// The hard bounces are those of ACS's list; beside them, a 550 or 553 without an enhanced code that says in words that
/// nobody is there. `4xx` and what is no reply at all is [`Verdict::Again`].
#[must_use]
pub fn classify(code: u16, enhanced: Option<&str>, text: &str) -> Verdict {
    let says = |words: &[&str]| {
        let text = text.to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    let status = match code {
        200..=299 if says(&["quarantine"]) => DeliveryStatus::Quarantined,
        200..=299 => DeliveryStatus::Delivered,
        500..=599 if is_hard(code, enhanced) => DeliveryStatus::Bounced,
        500..=599 if says(&["quarantine"]) => DeliveryStatus::Quarantined,
        500..=599 if says(&SPAM) => DeliveryStatus::FilteredSpam,
        550 | 553 if enhanced.is_none() && says(&UNKNOWN) => DeliveryStatus::Bounced,
        500..=599 => DeliveryStatus::Failed,
        _ => return Verdict::Again,
    };
    Verdict::Final(status)
}

fn is_hard(code: u16, enhanced: Option<&str>) -> bool {
    match (code, enhanced) {
        (521, Some("5.2.1")) | (525, Some("5.7.13")) | (553, Some("5.1.3")) => true,
        (550, Some(enhanced)) => HARD_550.contains(&enhanced),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, enhanced: Option<&str>, text: &str) -> DeliveryStatus {
        match classify(code, enhanced, text) {
            Verdict::Final(status) => status,
            Verdict::Again => panic!("{code} is not final"),
        }
    }

    #[test]
    fn hard_bounces_are_those_of_acs() {
        let mut hard = vec![(521, "5.2.1"), (525, "5.7.13"), (553, "5.1.3")];
        hard.extend(HARD_550.iter().map(|enhanced| (550, *enhanced)));
        assert_eq!(hard.len(), 16);
        for (code, enhanced) in hard {
            assert_eq!(status(code, Some(enhanced), "no"), DeliveryStatus::Bounced, "{code} {enhanced}");
        }
    }

    #[test]
    fn soft_ones_fail_without_suppression() {
        for (code, enhanced) in [
            (551, "5.1.1"),
            (552, "5.2.2"),
            (552, "5.3.4"),
            (552, "5.5.3"),
            (552, "5.6.0"),
            (552, "5.7.0"),
            (554, "5.1.0"),
            (550, "5.7.1"),
            (550, "5.1.5"),
            (550, "5.1.11"),
            (521, "5.1.1"),
        ] {
            assert_eq!(status(code, Some(enhanced), "no"), DeliveryStatus::Failed, "{code} {enhanced}");
        }
        assert_eq!(status(554, None, "Transaction failed"), DeliveryStatus::Failed);
        assert_eq!(status(503, None, "Bad sequence"), DeliveryStatus::Failed);
    }

    #[test]
    fn words_count_where_codes_say_nothing() {
        assert_eq!(
            status(550, None, "Requested action not taken: Mailbox unavailable"),
            DeliveryStatus::Bounced
        );
        assert_eq!(status(550, None, "<x@y>: User unknown in local table"), DeliveryStatus::Bounced);
        assert_eq!(status(554, None, "No such user"), DeliveryStatus::Failed, "554 is no hard bounce");
        assert_eq!(
            status(550, Some("5.7.1"), "User unknown"),
            DeliveryStatus::Failed,
            "the code goes before"
        );
        assert_eq!(status(554, Some("5.7.1"), "Message contains SPAM"), DeliveryStatus::FilteredSpam);
        assert_eq!(status(550, Some("5.7.1"), "listed at zen.spamhaus.org"), DeliveryStatus::FilteredSpam);
        assert_eq!(status(550, Some("5.1.1"), "spam trap"), DeliveryStatus::Bounced, "the code goes before");
        assert_eq!(status(250, Some("2.6.0"), "held in quarantine"), DeliveryStatus::Quarantined);
        assert_eq!(status(554, Some("5.7.1"), "Quarantined by policy"), DeliveryStatus::Quarantined);
    }

    #[test]
    fn yes_and_not_yet() {
        assert_eq!(status(250, Some("2.0.0"), "Ok: queued"), DeliveryStatus::Delivered);
        assert_eq!(status(251, None, "will forward"), DeliveryStatus::Delivered);
        for code in [421, 450, 451, 452, 455, 0, 354, 600] {
            assert_eq!(classify(code, Some("4.7.1"), "spam? try later"), Verdict::Again, "{code}");
        }
    }

    #[test]
    fn names_are_those_of_the_sdk() {
        use DeliveryStatus::{Bounced, Delivered, Expanded, Failed, FilteredSpam, Quarantined, Suppressed};
        let names: Vec<_> = [Delivered, Bounced, Failed, FilteredSpam, Quarantined, Suppressed, Expanded]
            .map(DeliveryStatus::as_str)
            .into();
        let wanted =
            ["Delivered", "Bounced", "Failed", "FilteredSpam", "Quarantined", "Suppressed", "Expanded"];
        assert_eq!(names, wanted);
    }
}
