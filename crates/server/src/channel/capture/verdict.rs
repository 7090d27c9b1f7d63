//! What a rule makes of one recipient, in the words of a real peer.

use post::text::segment::measure;
use wire::outbox::{Action, Rule};

use super::{CARRIER, Fate};
use crate::channel::{MailOutcome, SmtpReply, TextOutcome, TextParcel, TextState};

/// The name of the mail server there would be; `.invalid` is nobody's (RFC 2606).
const HOST: &str = "outbox.invalid";
/// ESME_RINVDSTADR (SMPP 3.4, section 5.1.3): the destination is none.
const INVALID_DESTINATION: u32 = 0x0B;

/// Of a mail.
pub(super) fn mail(rule: Option<&Rule>, put_off: bool) -> (MailOutcome, Fate) {
    let reply = |code: u32, enhanced: &str, text: &str| SmtpReply {
        code: u16::try_from(code).unwrap_or(550),
        enhanced: Some(enhanced.to_owned()),
        text: text.to_owned().into(),
        host: HOST.to_owned(),
    };
    let refused = |rule: &Rule, enhanced: &str, text: &str| {
        let code = if rule.code == 0 { 550 } else { rule.code };
        (MailOutcome::Refused(reply(code, enhanced, text)), Fate::Refused)
    };
    match rule {
        Some(rule) if rule.action == Action::Bounce => {
            refused(rule, "5.1.1", "There is no such mailbox here")
        }
        Some(rule) if rule.action == Action::Refuse => {
            refused(rule, "5.7.1", "The message is refused by policy")
        }
        Some(_) if put_off => {
            let said = reply(451, "4.7.1", "Too many messages; try again later");
            let reason = "a rule of the development outbox puts it off".to_owned();
            (MailOutcome::Later { reply: Some(said), reason }, Fate::Later)
        }
        _ => (MailOutcome::Accepted(reply(250, "2.0.0", "Captured")), Fate::Accepted),
    }
}

/// Of a text.
pub(super) fn text(rule: Option<&Rule>, put_off: bool, parcel: &TextParcel) -> (TextOutcome, Fate) {
    let carrier = CARRIER.to_owned();
    match rule {
        Some(rule) if rule.action == Action::Refuse => {
            let status = if rule.code == 0 { INVALID_DESTINATION } else { rule.code };
            (TextOutcome::Refused { carrier, status }, Fate::Refused)
        }
        Some(_) if put_off => {
            let reason = "a rule of the development outbox puts it off".to_owned();
            (TextOutcome::Later { reason, after: None }, Fate::Later)
        }
        _ => {
            // The same text gets the same ids however often it is handed over, as its receipts must find it.
            let id = base::hex(&parcel.id);
            let segments = measure(parcel.text.expose(), &[]).map_or(1, |size| size.segments);
            let message_ids = (1..=segments).map(|at| format!("{id}-{at}")).collect();
            (TextOutcome::Accepted { carrier, message_ids }, Fate::Accepted)
        }
    }
}

/// What the receipt of a text that was taken says, and the network's error; none when none ever comes.
pub(super) fn receipt(rule: Option<&Rule>) -> Option<(TextState, Option<&'static str>)> {
    match rule.map(|rule| rule.action) {
        Some(Action::LoseReceipt) => None,
        Some(Action::Bounce) => Some((TextState::Undeliverable, Some("001"))),
        Some(Action::FailReceipt) => Some((TextState::Rejected, Some("002"))),
        _ => Some((TextState::Delivered, None)),
    }
}
