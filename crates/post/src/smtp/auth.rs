//! AUTH PLAIN (RFC 4616) and LOGIN (as Microsoft's clients speak it), step by step.

use base::{Personal, Secret};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use smtp_proto::{AUTH_LOGIN, AUTH_OAUTHBEARER, AUTH_PLAIN, AUTH_XOAUTH2};

use super::Reply;

/// What LOGIN asks for, in base64 as it is sent: `Username:` and `Password:`.
const USERNAME: &str = "VXNlcm5hbWU6";
const PASSWORD: &str = "UGFzc3dvcmQ6";

/// An exchange under way: what the next line of the client is.
pub(super) enum Exchange {
    /// The whole of PLAIN.
    Plain,
    /// The name of LOGIN.
    Name,
    /// The password of LOGIN, to the name.
    Password(Personal<String>),
}

/// What follows a line of the client.
pub(super) enum Next {
    /// The client is asked for the next line.
    Go(Exchange, Reply),
    /// This is who it says it is.
    Offered(Personal<String>, Secret<String>),
    /// It cannot go on.
    Refused(Reply),
}

/// Begins an exchange of `mechanism`, with the initial response when there is one.
pub(super) fn begin(mechanism: u64, initial: &str) -> Next {
    let exchange = match mechanism {
        AUTH_PLAIN if initial.is_empty() => return Next::Go(Exchange::Plain, Reply::new(334, "", "")),
        AUTH_LOGIN if initial.is_empty() => return Next::Go(Exchange::Name, Reply::new(334, "", USERNAME)),
        AUTH_PLAIN => Exchange::Plain,
        AUTH_LOGIN => Exchange::Name,
        AUTH_XOAUTH2 | AUTH_OAUTHBEARER => {
            let text =
                "Tokens are not taken here; use AUTH PLAIN or LOGIN with an SMTP credential of the resource";
            return Next::Refused(Reply::new(504, "5.7.4", text));
        }
        _ => return Next::Refused(Reply::new(504, "5.7.4", "Unrecognized authentication type")),
    };
    exchange.take(initial.as_bytes())
}

impl Exchange {
    /// Takes one line of the client, without its end.
    pub(super) fn take(self, line: &[u8]) -> Next {
        if line == b"*" {
            return Next::Refused(Reply::new(501, "5.7.0", "Authentication cancelled"));
        }
        // `=` is how an empty initial response is written (RFC 4954, section 4).
        let bytes = if line == b"=" { Ok(Vec::new()) } else { STANDARD.decode(line) };
        let Some(text) = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
            return Next::Refused(Reply::new(501, "5.5.2", "Cannot decode the response"));
        };
        match self {
            Self::Name => Next::Go(Self::Password(text.into()), Reply::new(334, "", PASSWORD)),
            Self::Password(name) => Next::Offered(name, Secret::new(text)),
            Self::Plain => plain(&text),
        }
    }
}

/// `[authzid] NUL authcid NUL passwd`. To act as somebody else (an authzid of another name) is nobody's right here.
fn plain(text: &str) -> Next {
    let mut parts = text.split('\0');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(acts_as), Some(name), Some(password), None) if acts_as.is_empty() || acts_as == name => {
            Next::Offered(name.to_owned().into(), Secret::new(password.to_owned()))
        }
        (Some(_), Some(_), Some(_), None) => Next::Refused(Reply::not_authenticated()),
        _ => Next::Refused(Reply::new(501, "5.5.2", "Cannot decode the response")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(next: Next) -> Option<(String, String)> {
        match next {
            Next::Offered(name, password) => Some((name.into_inner(), password.expose().clone())),
            Next::Go(..) | Next::Refused(_) => None,
        }
    }

    fn refused(next: Next) -> u16 {
        match next {
            Next::Refused(reply) => reply.code(),
            Next::Go(..) | Next::Offered(..) => 0,
        }
    }

    #[test]
    fn what_login_asks_is_what_it_says() {
        assert_eq!(STANDARD.decode(USERNAME).unwrap(), b"Username:");
        assert_eq!(STANDARD.decode(PASSWORD).unwrap(), b"Password:");
    }

    #[test]
    fn plain_with_and_without_an_initial_response() {
        let both = Some(("contoso|app|tenant".to_owned(), "pa ss".to_owned()));
        let response = STANDARD.encode("\0contoso|app|tenant\0pa ss");
        assert_eq!(offered(begin(AUTH_PLAIN, &response)), both);
        let Next::Go(exchange, reply) = begin(AUTH_PLAIN, "") else { panic!("it must ask") };
        assert_eq!(reply.code(), 334);
        assert_eq!(offered(exchange.take(response.as_bytes())), both);
        let same = STANDARD.encode("contoso|app|tenant\0contoso|app|tenant\0pa ss");
        assert_eq!(offered(begin(AUTH_PLAIN, &same)), both);
    }

    #[test]
    fn login_asks_twice() {
        for initial in ["", &STANDARD.encode("user@example.com")] {
            let mut next = begin(AUTH_LOGIN, initial);
            if initial.is_empty() {
                let Next::Go(exchange, reply) = next else { panic!("it must ask") };
                assert_eq!(reply, Reply::new(334, "", USERNAME));
                next = exchange.take(STANDARD.encode("user@example.com").as_bytes());
            }
            let Next::Go(exchange, reply) = next else { panic!("it must ask") };
            assert_eq!(reply, Reply::new(334, "", PASSWORD));
            let got = offered(exchange.take(STANDARD.encode("secret").as_bytes()));
            assert_eq!(got, Some(("user@example.com".to_owned(), "secret".to_owned())));
        }
    }

    #[test]
    fn what_is_no_response_is_refused() {
        let of = |text: &str| STANDARD.encode(text);
        assert_eq!(refused(begin(AUTH_PLAIN, "!")), 501);
        assert_eq!(refused(begin(AUTH_PLAIN, "*")), 501);
        assert_eq!(refused(begin(AUTH_PLAIN, "=")), 501);
        for text in ["", "a", "a\0b", "\0a\0b\0c", "\0\0\0\0"] {
            assert_eq!(refused(Exchange::Plain.take(of(text).as_bytes())), 501, "{text:?}");
        }
        assert_eq!(refused(begin(AUTH_PLAIN, &of("root\0user\0password"))), 535);
        assert_eq!(refused(begin(AUTH_PLAIN, &STANDARD.encode([0, 0xff, 0, 1]))), 501);
        assert_eq!(refused(begin(AUTH_XOAUTH2, &of("user=a"))), 504);
        assert_eq!(refused(begin(smtp_proto::AUTH_CRAM_MD5, "")), 504);
        assert_eq!(refused(Exchange::Name.take(b"*")), 501);
        assert_eq!(refused(Exchange::Password(String::new().into()).take(b"*")), 501);
    }
}
