//! Handlers of the sms area.

mod opt_outs;
mod send;

use wire::ApiError;

use super::Handler;
use crate::http::Context;
use crate::service::sms::{SmsError, TextDesk};
use crate::service::{busy, unavailable};

/// The handler of the operation called `name`.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "sms.send" => |cx| Box::pin(send::send(cx)),
        "sms.get_delivery_report" => |cx| Box::pin(send::report(cx)),
        "sms.opt_outs.add" => |cx| Box::pin(opt_outs::add(cx)),
        "sms.opt_outs.remove" => |cx| Box::pin(opt_outs::remove(cx)),
        "sms.opt_outs.check" => |cx| Box::pin(opt_outs::check(cx)),
        _ => return None,
    })
}

/// The texts of the resource that was asked.
fn desk(cx: &Context) -> TextDesk<'_> {
    TextDesk { resource: &cx.resource, with: cx.state.texts() }
}

/// What the caller is told.
pub(super) fn answer(error: SmsError) -> ApiError {
    match error {
        SmsError::SenderNotOwned => ApiError::sender_not_owned(),
        SmsError::Busy => busy(),
        SmsError::Store(error) => unavailable(&error),
    }
}

/// Whether a text can be sent to `to`: an international number, of ten digits in the North American plan.
fn is_number(to: &str) -> bool {
    post::text::number::is_e164(to) && (!to.starts_with("+1") || to.len() == 12)
}
