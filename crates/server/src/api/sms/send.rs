//! `POST /sms` and `GET /deliveryReports/{outgoingMessageId}`.

use ::http::{StatusCode, header};
use post::text::keyword::Kind;
use wire::ApiError;
use wire::operation::{Per, Rate};
use wire::sms::{Recipient, Repeat, SendItem, SendItems, SendOutcome, SendText, not_found};

use super::{answer, desk, is_number};
use crate::http::{Context, Reply};
use crate::service::sms::{NewText, NewTexts, Origin, Outcome};

/// `POST /sms`.
pub(super) async fn send(cx: &Context) -> Result<Reply, ApiError> {
    let asked = SendText::parse(&cx.body, cx.api_version)?;
    let desk = desk(cx);
    let from = desk.sender(&asked.from).await.map_err(answer)?;
    if asked.partner {
        return Err(ApiError::validation(
            "smsSendOptions.messagingConnect",
            "MessagingConnect option is not matching with the number information.",
        ));
    }
    if let [Recipient { to, .. }] = &asked.recipients[..]
        && !is_like_a_number(to.expose())
    {
        return Err(ApiError::validation("smsRecipients.to", "Invalid To phone number format."));
    }
    count(cx, &from, asked.recipients.len())?;
    let good = |one: &&Recipient| is_number(one.to.expose()) && one.repeat != Repeat::BadDate;
    let recipients = asked.recipients.iter().filter(good).map(|one| NewText {
        to: one.to.clone(),
        repeat: match &one.repeat {
            Repeat::Under(id) => Some(id.clone()),
            Repeat::Never | Repeat::BadDate => None,
        },
    });
    let new = NewTexts {
        from,
        text: asked.message,
        recipients: recipients.collect(),
        report: asked.report,
        tag: asked.tag,
        wait: asked.report_timeout,
    };
    let mut outcomes = desk.send(new).await.map_err(answer)?.into_iter();
    let items = asked.recipients.into_iter().map(|one| {
        let outcome = match (is_number(one.to.expose()), &one.repeat) {
            (false, _) => SendOutcome::BadNumber,
            (true, Repeat::BadDate) => SendOutcome::BadDate,
            (true, repeat) => match outcomes.next() {
                Some(Outcome::Accepted { message_id }) => {
                    SendOutcome::Accepted { message_id, repeatable: *repeat != Repeat::Never }
                }
                Some(Outcome::RepeatDiffers) | None => SendOutcome::RepeatDiffers,
            },
        };
        SendItem { to: one.to, outcome }
    });
    Ok(Reply::body(StatusCode::ACCEPTED, SendItems(items.collect()).render()))
}

/// Counts each text against what its sender may send in a minute (ACS behaviour, section 4).
fn count(cx: &Context, from: &Origin, texts: usize) -> Result<(), ApiError> {
    let rate = |bucket, max| Rate { bucket, window_secs: 60, max, per: Per::Resource };
    let (rate, sender) = match from.kind() {
        Kind::TollFree => (rate("sms.toll_free", 200), from.list_id()),
        Kind::UsShortCode | Kind::OtherShortCode => (rate("sms.short_code", 6_000), from.list_id()),
        Kind::Name => (rate("sms.name", 600), None),
        // ACS documents none: the carrier has its own.
        Kind::LongCode | Kind::Foreign => return Ok(()),
    };
    (0..texts).try_for_each(|_| cx.count_sender(&rate, sender))
}

/// ACS refuses a whole request whose only recipient is no number at all, and answers an item where it merely is a wrong
/// one.
fn is_like_a_number(to: &str) -> bool {
    let digits = to.strip_prefix('+').unwrap_or(to);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `GET /deliveryReports/{outgoingMessageId}`.
pub(super) async fn report(cx: &Context) -> Result<Reply, ApiError> {
    let id = cx.params.get("outgoingMessageId").unwrap_or_default();
    match desk(cx).report(id).await.map_err(answer)? {
        Some(report) => Ok(Reply::body(StatusCode::OK, report.render())),
        None => {
            let trace = base::hex(&cx.rng().id());
            let body = not_found(&format!("00-{trace}-{}-00", &trace[..16]));
            Ok(Reply::body(StatusCode::NOT_FOUND, body)
                .header(header::CONTENT_TYPE, "application/problem+json; charset=utf-8"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_what_is_like_them() {
        for good in ["+14255550100", "+43660123456", "+4915112345678"] {
            assert!(is_number(good) && is_like_a_number(good), "{good}");
        }
        for wrong in ["+112345678901", "+1425555010", "14255550100", "+1", "123"] {
            assert!(!is_number(wrong) && is_like_a_number(wrong), "{wrong}");
        }
        for none in ["", "+", "Ad155500000000000", "+1 425", "x"] {
            assert!(!is_number(none) && !is_like_a_number(none), "{none}");
        }
    }
}
