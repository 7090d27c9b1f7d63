//! The page that shows the outbox. It is the same for everybody and holds nothing: its script takes the operator's token
//! from behind the `#` of its address, keeps it in memory alone, and asks for the rest with it.

use ::http::{StatusCode, header};

use crate::http::Reply;

/// What the page may load: its own script, and data it has already. A mail is shown in a frame that inherits this and has
/// no script at all; the styles it brings are why inline styles are let in. Nothing it names is fetched from anywhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; \
    img-src data:; font-src data:; frame-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

pub(super) fn html() -> Reply {
    asset("text/html; charset=utf-8", include_str!("page/page.html"))
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::X_FRAME_OPTIONS, "DENY")
}

pub(super) fn script() -> Reply {
    asset("text/javascript; charset=utf-8", include_str!("page/page.js"))
}

pub(super) fn style() -> Reply {
    asset("text/css; charset=utf-8", include_str!("page/page.css"))
}

fn asset(media: &str, text: &str) -> Reply {
    Reply::body(StatusCode::OK, text.as_bytes().to_vec())
        .header(header::CONTENT_TYPE, media)
        .header(header::CACHE_CONTROL, "no-cache")
}
