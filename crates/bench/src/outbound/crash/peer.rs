//! The two who may stand at the other end, and what is said to the server for each.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::args::QueueCrashArgs;
use crate::error::Result;
use crate::host::Running;
use crate::outbound::strict_sink::StrictSink;
use crate::smsc::{Behaviour, Centre};

/// Who takes what leaves, and remembers it.
pub(super) enum Peer {
    /// A mail server, with how many sessions the server has with it.
    Mail(StrictSink, usize),
    /// An SMS centre, with how many texts the server has under way: those whose answer is not yet recorded.
    Text(Centre, usize),
}

impl Peer {
    /// Starts the one that is asked for.
    pub(super) async fn start(args: &QueueCrashArgs) -> Result<Self> {
        if args.texts {
            let behaviour = Behaviour { receipts: true, remember: true, ..Behaviour::default() };
            return Ok(Self::Text(Centre::start(behaviour)?, args.at_once));
        }
        Ok(Self::Mail(StrictSink::start().await?, args.sessions))
    }

    /// What the server is started with.
    pub(super) fn arguments(&self) -> [String; 2] {
        match self {
            Self::Mail(sink, _) => ["--mail".to_owned(), format!("smtp://127.0.0.1:{}", sink.port)],
            Self::Text(centre, _) => {
                ["--sms".to_owned(), format!("smpp://bench:bench@127.0.0.1:{}", centre.port())]
            }
        }
    }

    /// What is sent, for the report.
    pub(super) const fn what(&self) -> &'static str {
        match self {
            Self::Mail(..) => "mails",
            Self::Text(..) => "texts",
        }
    }

    /// The most that may be under way at one kill.
    pub(super) const fn under_way(&self) -> usize {
        match self {
            Self::Mail(_, most) | Self::Text(_, most) => *most,
        }
    }

    /// Who sends.
    pub(super) fn sender(&self, running: &Running) -> Result<String> {
        match self {
            Self::Mail(..) => Ok(format!("donotreply@{}", running.mail_domain()?)),
            Self::Text(..) => running.number(),
        }
    }

    /// Where it is posted to.
    pub(super) const fn target(&self) -> &'static str {
        match self {
            Self::Mail(..) => "/emails:send?api-version=2025-09-01",
            Self::Text(..) => "/sms?api-version=2021-03-07",
        }
    }

    /// The request of a number.
    pub(super) fn body(&self, from: &str, number: u64) -> Value {
        match self {
            Self::Mail(..) => json!({
                "senderAddress": from,
                "recipients": { "to": [{ "address": format!("r{number}@sink.example") }] },
                "content": { "subject": format!("number {number}"), "plainText": "a letter" },
            }),
            Self::Text(..) => json!({
                "from": from,
                "smsRecipients": [{ "to": format!("+1425{number:07}") }],
                "message": format!("number {number}"),
                "smsSendOptions": { "enableDeliveryReport": true },
            }),
        }
    }

    /// The id in the answer.
    pub(super) fn id<'a>(&self, answer: &'a Value) -> Option<&'a str> {
        match self {
            Self::Mail(..) => answer["id"].as_str(),
            Self::Text(..) => answer["value"][0]["messageId"].as_str(),
        }
    }

    /// Where its status is found.
    pub(super) fn status_target(&self, id: &str) -> String {
        match self {
            Self::Mail(..) => format!("/emails/operations/{id}?api-version=2025-09-01"),
            Self::Text(..) => format!("/deliveryReports/{id}?api-version=2026-01-23"),
        }
    }

    /// Whether there is nothing to be found before the end.
    pub(super) const fn unknown_is_pending(&self) -> bool {
        matches!(self, Self::Text(..))
    }

    /// The status, when it is final.
    pub(super) fn final_status<'a>(&self, found: &'a Value) -> Option<&'a str> {
        match self {
            Self::Mail(..) => found["status"].as_str().filter(|s| !matches!(*s, "Running" | "NotStarted")),
            Self::Text(..) => found["deliveryStatus"].as_str().filter(|s| *s != "Pending"),
        }
    }

    /// How many different ones came.
    pub(super) fn count(&self) -> usize {
        match self {
            Self::Mail(sink, _) => sink.count(),
            Self::Text(centre, _) => centre.different_texts(),
        }
    }

    /// How often each number came.
    pub(super) fn taken(&self) -> HashMap<u64, u32> {
        match self {
            Self::Mail(sink, _) => sink.taken(),
            Self::Text(centre, _) => {
                let number =
                    |said: &[u8]| std::str::from_utf8(said).ok()?.strip_prefix("number ")?.parse().ok();
                centre.texts().iter().filter_map(|(said, times)| Some((number(said)?, *times))).collect()
            }
        }
    }
}
