//! Every limit of the product, named in one place (law 11). Configuration may change those of [`Limits`]; the
//! constants are fixed by a format.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest request head (request line and headers) that is read, in bytes; past it 431.
pub const MAX_HEAD: usize = 32 * 1024;
/// The longest request target, in bytes; past it 414.
pub const MAX_URI: usize = 8 * 1024;
/// The most headers in one request; past it 431.
pub const MAX_HEADERS: usize = 64;
/// How deeply JSON may nest; past it 400.
pub const MAX_JSON_DEPTH: usize = 32;
/// The longest paging token accepted, in characters; past it 400.
pub const MAX_PAGE_TOKEN: usize = 1024;
/// The longest value one sealed record may hold, in bytes.
pub const MAX_RECORD: usize = 1024 * 1024;
/// The longest key of a row, in bytes.
pub const MAX_KEY: usize = 256;
/// The longest line of an SMTP command or AUTH response, in bytes with its line end; past it 500 and the connection ends.
/// RFC 4954, section 4, asks for this much for AUTH; commands need far less.
pub const MAX_SMTP_LINE: usize = 12 * 1024;
/// The most recipients of one mail that comes in by SMTP; past it 452. RFC 5321, section 4.5.3.1.8, asks for a hundred.
pub const MAX_SMTP_RECIPIENTS: usize = 100;
/// How many commands of one SMTP session may be wrong, and how many credentials, before it ends with 421.
pub const MAX_SMTP_FAULTS: u32 = 10;
/// How many credentials one SMTP session may offer in vain before it ends with 421.
pub const MAX_SMTP_LOGINS: u32 = 3;
/// How many commands of one SMTP session may pass between two mails before it ends with 421.
pub const MAX_SMTP_IDLE: u32 = 400;
/// The longest name by which a program submits mail, in bytes; past it 400, and nobody.
pub const MAX_SMTP_NAME: usize = 256;
/// How many names of that kind one resource has; past it 400.
pub const MAX_SMTP_USERS: usize = 100;
/// The shortest password that an operator may choose for one, in characters; below it 400.
pub const MIN_SMTP_PASSWORD: usize = 16;
/// How long a client of SMTP may take for a command, from our last reply; past it 421. RFC 5321, section 4.5.3.2.7, asks
/// for at least five minutes.
pub const SMTP_COMMAND_TIMEOUT: Duration = Duration::from_secs(300);
/// How long the text of one mail may take, from 354 to its end; past it 421. A trickle of bytes does not renew it.
pub const SMTP_TEXT_TIMEOUT: Duration = Duration::from_secs(600);
/// How long one SMTP session may last; past it 421.
pub const SMTP_SESSION_TIMEOUT: Duration = Duration::from_secs(3600);
/// How many SMTP connections one address may have at a time, a whole /64 of IPv6 counting as one; past it 421.
pub const MAX_SMTP_PER_ADDRESS: usize = 20;
/// How many SMTP connections one listener has at a time; past it 421. Each may hold one mail in memory.
pub const MAX_SMTP_CONNECTIONS: usize = 256;
/// The longest bounce or complaint that is read, in bytes; past it 552.
pub const MAX_REPORT: usize = 1024 * 1024;
/// The most recipients of one report that are heeded; a report on our mail names one.
pub const MAX_REPORT_RECIPIENTS: usize = 100;
/// How many rules the development outbox of one resource may have; past it 400.
pub const MAX_OUTBOX_RULES: usize = 100;
/// How many items the development outbox of one resource keeps; the oldest go first.
pub const MAX_OUTBOX_ITEMS: usize = 5_000;
/// The most headers of its own that one mail may bring; past it 400.
pub const MAX_MAIL_HEADERS: usize = 64;
/// The most attachments of one mail; past it 400. Their size is bounded by that of the request.
pub const MAX_MAIL_ATTACHMENTS: usize = 256;
/// The longest SMPP PDU that is read, in octets: a message payload of 65,535 and room for the fields around it.
pub const MAX_SMPP_PDU: usize = 65_535 + 1_024;

/// Limits an operator may set. Defaults are those of ACS where ACS has one (`docs/compatibility.md` names them).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Participants in one thread (ACS: 250).
    pub participants_per_thread: usize,
    /// Participants in one create or add request (ACS: 200).
    pub participants_per_request: usize,
    /// Content and metadata of one message, in bytes (ACS: about 28 KB).
    pub message_bytes: usize,
    /// Items of one page (ACS: 200).
    pub page_size: usize,
    /// A topic, in characters.
    pub topic_chars: usize,
    /// A display name, in characters.
    pub display_name_chars: usize,
    /// Metadata of a thread or a participant, keys and values together, in bytes (ACS: 1 KB).
    pub metadata_bytes: usize,
    /// Above this many participants a thread has no read receipts or typing (ACS: 20).
    pub receipts_participants: usize,
    /// The body of any request whose operation names no smaller one, in bytes.
    pub body_bytes: usize,
    /// The body of a request to send mail, attachments in base64 included, in bytes (ACS: 10 MB).
    pub mail_request_bytes: usize,
    /// Recipients of one mail: to, cc and bcc together (ACS: 50).
    pub mail_recipients: usize,
    /// For how long delivery of a mail is tried.
    pub mail_deadline_secs: u64,
    /// For how long it is known what became of a mail, and its operation id names it.
    pub mail_retention_secs: u64,
    /// Domains that one resource may send mail from (ACS: 100).
    pub mail_domains: usize,
    /// Sender usernames of one domain (ACS: 100).
    pub mail_senders_per_domain: usize,
    /// How many periods of membership are remembered for one participant of one thread.
    pub membership_periods: usize,
    /// For how long a repeatability id names its first result.
    pub repeatability_secs: u64,
    /// How far a signature's date may lie from now.
    pub clock_skew_secs: u64,
    /// From the first byte of a request's head to its end; past it 408.
    pub head_timeout_secs: u64,
    /// From the end of the head to the end of the body; past it 408.
    pub body_timeout_secs: u64,
    /// How long a kept-alive connection may rest between requests.
    pub idle_timeout_secs: u64,
    /// How long a TLS handshake may take.
    pub handshake_timeout_secs: u64,
    /// From accepted request to answer; past it 503.
    pub request_timeout_secs: u64,
    /// How long a stopping server waits for requests under way.
    pub drain_timeout_secs: u64,
    /// Open connections; past it new ones wait in the listener's queue.
    pub connections: usize,
    /// Failed authentications from one address within a minute before answers to it slow down.
    pub auth_failures_per_minute: u32,
    /// Commits waiting for the store; past it 503.
    pub commit_queue: usize,
    /// Commits merged into one transaction.
    pub commit_batch: usize,
    /// What a node delivers at once, over all destinations.
    pub deliveries_at_once: usize,
    /// Mails on their way to one destination at once.
    pub mail_sessions: usize,
    /// Texts handed to carriers and not answered yet, for one route.
    pub texts_at_once: usize,
    /// Mails begun in a second to one destination; 0 is no limit.
    pub mail_per_second: u32,
    /// Texts begun in a second on one route; 0 is no limit.
    pub texts_per_second: u32,
    /// How often a commit that lost a race is built anew before the answer is 503.
    pub commit_attempts: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            participants_per_thread: 250,
            participants_per_request: 200,
            message_bytes: 28 * 1024,
            page_size: 200,
            topic_chars: 250,
            display_name_chars: 256,
            metadata_bytes: 1024,
            receipts_participants: 20,
            body_bytes: 256 * 1024,
            mail_request_bytes: 10 * 1024 * 1024,
            mail_recipients: 50,
            mail_deadline_secs: 24 * 3600,
            mail_retention_secs: 7 * 24 * 3600,
            mail_domains: 100,
            mail_senders_per_domain: 100,
            membership_periods: 64,
            repeatability_secs: 24 * 3600,
            clock_skew_secs: 300,
            head_timeout_secs: 10,
            body_timeout_secs: 30,
            idle_timeout_secs: 120,
            handshake_timeout_secs: 10,
            request_timeout_secs: 30,
            drain_timeout_secs: 10,
            connections: 20_000,
            auth_failures_per_minute: 20,
            commit_queue: 16_384,
            commit_batch: 1_024,
            deliveries_at_once: 512,
            mail_sessions: 16,
            texts_at_once: 256,
            mail_per_second: 0,
            texts_per_second: 0,
            commit_attempts: 16,
        }
    }
}

impl Limits {
    /// How long a repeatability id names its first result.
    #[must_use]
    pub const fn repeatability(&self) -> Duration {
        Duration::from_secs(self.repeatability_secs)
    }

    /// For how long delivery of a mail is tried.
    #[must_use]
    pub const fn mail_deadline(&self) -> Duration {
        Duration::from_secs(self.mail_deadline_secs)
    }

    /// For how long it is known what became of a mail.
    #[must_use]
    pub const fn mail_retention(&self) -> Duration {
        Duration::from_secs(self.mail_retention_secs)
    }

    /// How far a signature's date may lie from now.
    #[must_use]
    pub const fn clock_skew(&self) -> Duration {
        Duration::from_secs(self.clock_skew_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_acs() {
        let limits = Limits::default();
        assert_eq!(
            (limits.participants_per_thread, limits.page_size, limits.message_bytes),
            (250, 200, 28_672)
        );
        assert_eq!(limits.clock_skew(), Duration::from_secs(300));
        assert_eq!(limits.repeatability(), Duration::from_secs(86_400));
        assert_eq!((limits.mail_recipients, limits.mail_request_bytes), (50, 10_485_760));
        assert!(limits.mail_deadline() < limits.mail_retention());
        assert!(limits.message_bytes < limits.body_bytes && limits.body_bytes < MAX_RECORD);
    }
}
