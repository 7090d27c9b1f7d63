//! Requests as each SDK signs them, and what must not pass.

use base::SeededRng;
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_420_800_000);
const SKEW: Duration = Duration::from_secs(300);
const DATE_TEXT: &str = "Mon, 23 Nov 2026 08:00:00 GMT";
const HOST: &str = "contoso.unitedstates.example:8443";

/// One request with what a client signed for it; the fields are changed by the tests.
#[derive(Clone)]
struct Sent {
    method: &'static str,
    target: String,
    /// What the client took for the target and the host when it signed.
    signed_target: String,
    signed_host: String,
    hosts: Vec<&'static str>,
    x_ms_host: Option<&'static str>,
    date: String,
    body: &'static [u8],
}

impl Sent {
    fn new(target: &str) -> Self {
        Self {
            method: "POST",
            target: target.to_owned(),
            signed_target: target.to_owned(),
            signed_host: HOST.to_owned(),
            hosts: vec![HOST],
            x_ms_host: None,
            date: DATE_TEXT.to_owned(),
            body: b"{}",
        }
    }

    fn signing(target: &str, signed_target: &str) -> Self {
        Self { signed_target: signed_target.to_owned(), ..Self::new(target) }
    }

    /// The string to sign, spelled out once more, without the code under test.
    fn string_to_sign(&self) -> String {
        let (method, target, date, host) = (self.method, &self.signed_target, &self.date, &self.signed_host);
        format!("{method}\n{target}\n{date};{host};{}", sha256_base64(self.body))
    }

    fn verify(&self, keys: &[AccessKey], signer: &AccessKey) -> Result<usize, SignatureError> {
        self.verify_signature(keys, &signer.sign(&self.string_to_sign()), NOW)
    }

    fn verify_signature(
        &self,
        keys: &[AccessKey],
        signature: &str,
        now: Timestamp,
    ) -> Result<usize, SignatureError> {
        let header =
            format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}");
        let request = SignedRequest {
            method: self.method,
            path_and_query: &self.target,
            hosts: &self.hosts,
            x_ms_host: self.x_ms_host,
            date: Some(&self.date),
            content_sha256: Some(&sha256_base64(self.body)),
            authorization: &header,
            body_sha256: &crate::hash::sha256(self.body),
        };
        verify(&request, keys, now, SKEW)
    }
}

fn keys() -> [AccessKey; 2] {
    [AccessKey::generate(&SeededRng::new(1)), AccessKey::generate(&SeededRng::new(2))]
}

fn accepts(sent: &Sent) {
    let keys = keys();
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(sent.verify(&keys, key), Ok(at), "{} signed as {}", sent.target, sent.signed_target);
    }
    let stranger = AccessKey::generate(&SeededRng::new(3));
    assert_eq!(sent.verify(&keys, &stranger), Err(SignatureError::Mismatch));
}

fn refuses(sent: &Sent) {
    let keys = keys();
    let answer = sent.verify(&keys, &keys[0]);
    assert_eq!(answer, Err(SignatureError::Mismatch), "{} signed as {}", sent.target, sent.signed_target);
}

#[test]
fn python_signs_the_target_as_sent() {
    accepts(&Sent::new("/identities?api-version=2023-10-01"));
    accepts(&Sent::new("/identities/8%3Aacs%3Ax/:issueAccessToken?api-version=2023-10-01"));
    accepts(&Sent::new("/rooms?continuationToken=a%2Fb%2Bc%3D%3D"));
    accepts(&Sent { method: "GET", body: b"", ..Sent::new("/") });
}

#[test]
fn python_rooms_and_aio_sign_the_target_unquoted() {
    accepts(&Sent::signing("/identities/8%3Aacs%3Ax?api-version=1", "/identities/8:acs:x?api-version=1"));
    accepts(&Sent::signing(
        "/rooms/1/participants/8%3aacs?q=a%20b%7E%27",
        "/rooms/1/participants/8:acs?q=a b~'",
    ));
    accepts(&Sent::signing("/rooms?q=%C3%A9%2A", "/rooms?q=é*"));
    accepts(&Sent::signing("/rooms?continuationToken=ab%3D%3D", "/rooms?continuationToken=ab=="));
}

#[test]
fn javascript_signs_the_query_written_anew() {
    // The path stays as sent; in the query only `A-Z a-z 0-9 * - . _` stay.
    accepts(&Sent::signing("/rooms?q=a%20b~c'd", "/rooms?q=a+b%7Ec%27d"));
    accepts(&Sent::signing("/rooms?q=(*)!", "/rooms?q=%28*%29%21"));
    accepts(&Sent::signing("/rooms?when=2026-11-23T08:00:00Z", "/rooms?when=2026-11-23T08%3A00%3A00Z"));
    accepts(&Sent::signing("/x/8%3Aacs~'?q=%7E", "/x/8%3Aacs~'?q=%7E"));
    accepts(&Sent::signing("/rooms?flag&x=%2a", "/rooms?flag=&x=*"));
    accepts(&Sent::new("/rooms"));
}

#[test]
fn the_host_may_have_a_slash() {
    let slash = format!("{HOST}/");
    accepts(&Sent { signed_host: slash.clone(), ..Sent::new("/identities?a=1") });
    accepts(&Sent { signed_host: slash.clone(), ..Sent::signing("/8%3A?q=~", "/8:?q=~") });
    accepts(&Sent { signed_host: slash, ..Sent::signing("/8%3A?q=~", "/8%3A?q=%7E") });
    refuses(&Sent { signed_host: format!("{HOST}//"), ..Sent::new("/a") });
}

#[test]
fn the_host_may_be_a_public_one_or_x_ms_host() {
    let public = Sent { hosts: vec!["10.0.0.1:8443", "chat.example", HOST], ..Sent::new("/a?b=c") };
    accepts(&public);
    accepts(&Sent { signed_host: "chat.example/".into(), ..public.clone() });
    refuses(&Sent { signed_host: "other.example".into(), ..public.clone() });
    let recording =
        Sent { x_ms_host: Some("contoso.example"), signed_host: "contoso.example".into(), ..public };
    accepts(&recording);
    refuses(&Sent { x_ms_host: None, ..recording.clone() });
    refuses(&Sent { x_ms_host: Some("other.example"), ..recording.clone() });
    let odd = "a.example;b";
    refuses(&Sent { x_ms_host: Some(odd), signed_host: odd.into(), ..recording });
    refuses(&Sent { hosts: vec![], ..Sent::new("/a") });
}

#[test]
fn no_more_hosts_are_tried_than_the_limit() {
    let mut hosts = vec!["x.example"; MAX_HOSTS];
    hosts[MAX_HOSTS - 1] = HOST;
    accepts(&Sent { hosts: hosts.clone(), ..Sent::new("/a") });
    hosts.insert(0, "x.example");
    refuses(&Sent { hosts, ..Sent::new("/a") });
}

#[test]
fn every_signed_part_counts() {
    let keys = keys();
    let sent = Sent::new("/a/b?c=d");
    let signature = keys[0].sign(&sent.string_to_sign());
    assert_eq!(sent.verify_signature(&keys, &signature, NOW), Ok(0));
    let others = [
        Sent { method: "PUT", ..sent.clone() },
        Sent { target: "/a/c?c=d".into(), ..sent.clone() },
        Sent { target: "/a/b?c=e".into(), ..sent.clone() },
        Sent { target: "/a/b".into(), ..sent.clone() },
        Sent { target: "/a%2Fb?c=d".into(), ..sent.clone() },
        Sent { target: "/a/b%3Fc=d".into(), ..sent.clone() },
        Sent { target: "/a/b?c%3Dd&e".into(), ..sent.clone() },
        Sent { hosts: vec!["other.example"], ..sent.clone() },
        Sent { date: "Mon, 23 Nov 2026 08:00:01 GMT".into(), ..sent.clone() },
        Sent { body: b"[]", ..sent.clone() },
    ];
    for other in others {
        let answer = other.verify_signature(&keys, &signature, NOW);
        assert_eq!(answer, Err(SignatureError::Mismatch), "{} {}", other.method, other.target);
    }
    assert_eq!(
        sent.verify_signature(&[], &signature, NOW),
        Err(SignatureError::Mismatch),
        "no key, no caller"
    );
}

#[test]
fn the_date_at_and_past_the_limit() {
    let keys = keys();
    let sent = Sent::new("/a");
    let signature = keys[0].sign(&sent.string_to_sign());
    let millisecond = Duration::from_millis(1);
    for at in [NOW.plus(SKEW), NOW.minus(SKEW)] {
        assert_eq!(sent.verify_signature(&keys, &signature, at), Ok(0));
    }
    for at in [NOW.plus(SKEW + millisecond), NOW.minus(SKEW + millisecond)] {
        assert_eq!(sent.verify_signature(&keys, &signature, at), Err(SignatureError::Skew));
    }
    for bad in ["", "2026-11-23T08:00:00Z", "Mon, 23 Nov 2026 08:00:00", "Mon, 23 Nov 2026 08:00:00 GMT;x"] {
        let sent = Sent { date: bad.into(), ..sent.clone() };
        assert_eq!(sent.verify(&keys, &keys[0]), Err(SignatureError::Malformed("x-ms-date")), "{bad}");
    }
}

/// A request that passes, and then with one thing changed.
fn check(change: impl FnOnce(&mut SignedRequest<'_>)) -> Result<usize, SignatureError> {
    let keys = keys();
    let headers = sign_request(&keys[1], "POST", "/a?b=c", HOST, NOW, b"{}");
    let mut request = SignedRequest {
        method: "POST",
        path_and_query: "/a?b=c",
        hosts: &[HOST],
        x_ms_host: None,
        date: Some(&headers.date),
        content_sha256: Some(&headers.content_sha256),
        authorization: &headers.authorization,
        body_sha256: &crate::hash::sha256(b"{}"),
    };
    change(&mut request);
    verify(&request, &keys, NOW, SKEW)
}

#[test]
fn our_own_client_is_understood() {
    assert_eq!(check(|_| ()), Ok(1));
}

#[test]
fn missing_and_wrong_headers() {
    assert_eq!(check(|r| r.date = None), Err(SignatureError::MissingHeader("x-ms-date")));
    assert_eq!(check(|r| r.content_sha256 = None), Err(SignatureError::MissingHeader("x-ms-content-sha256")));
    assert_eq!(check(|r| r.body_sha256 = &[0; 32]), Err(SignatureError::BodyHash));
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(check(|r| r.content_sha256 = Some(empty)), Err(SignatureError::BodyHash));
    for bad in [
        "",
        "x",
        "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=",
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    ] {
        let answer = check(|r| r.content_sha256 = Some(bad));
        assert_eq!(answer, Err(SignatureError::Malformed("x-ms-content-sha256")), "{bad}");
    }
}

#[test]
fn exactly_the_three_headers() {
    let signature = "A".repeat(43) + "=";
    let header = |headers: &str| format!("HMAC-SHA256 SignedHeaders={headers}&Signature={signature}");
    assert_eq!(parse_authorization(&header("x-ms-date;host;x-ms-content-sha256")), Ok([0; 32]));
    assert_eq!(
        parse_authorization(&header("X-MS-Date;Host;X-MS-Content-SHA256")),
        Ok([0; 32]),
        "names have no case"
    );
    let others = [
        "",
        "x-ms-date",
        "x-ms-date;host",
        "host;x-ms-content-sha256",
        "x-ms-date;x-ms-content-sha256",
        "host;x-ms-date;x-ms-content-sha256",
        "x-ms-date;host;x-ms-content-sha256;authorization",
        "x-ms-date;host;x-ms-content-sha256;",
        "date;host;x-ms-content-sha256",
        "x-ms-date,host,x-ms-content-sha256",
    ];
    for headers in others {
        assert_eq!(
            parse_authorization(&header(headers)),
            Err(SignatureError::Malformed("authorization")),
            "{headers}"
        );
    }
}

#[test]
fn other_authorization_headers() {
    let good = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=";
    let signature = "A".repeat(43) + "=";
    assert!(parse_authorization(&format!("{good}{signature}")).is_ok());
    assert!(
        parse_authorization(&format!("hmac-sha256 {}{signature}", &good[12..])).is_ok(),
        "schemes have no case"
    );
    let long = format!("{good}{}", "A".repeat(300));
    let bad = [
        String::new(),
        "HMAC-SHA256".into(),
        "Bearer abc".into(),
        good.into(),
        format!("{good}{}", "A".repeat(44)),
        format!("{good}{}", "A".repeat(43)),
        format!("{good}{}B=", "A".repeat(42)),
        format!("{good}{signature} "),
        format!("{good}{signature}&x"),
        format!("HMAC-SHA1 {}{signature}", &good[12..]),
        format!("{}&signedheaders={signature}", &good[..20]),
        long,
    ];
    for header in bad {
        assert_eq!(parse_authorization(&header), Err(SignatureError::Malformed("authorization")), "{header}");
    }
}

proptest! {
    #[test]
    fn never_panics(
        (method, target, host, x_host) in (".{0,8}", ".{0,60}", ".{0,20}", ".{0,20}"),
        (date, hash, authorization) in (".{0,40}", ".{0,60}", ".{0,150}"),
        genuine in any::<bool>(),
    ) {
        let keys = keys();
        let signature = keys[0].sign(&target);
        let header = format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}");
        let request = SignedRequest {
            method: &method,
            path_and_query: &target,
            hosts: &[&host],
            x_ms_host: Some(&x_host),
            date: Some(if genuine { DATE_TEXT } else { &date }),
            content_sha256: Some(if genuine { "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" } else { &hash }),
            authorization: if genuine { &header } else { &authorization },
            body_sha256: &crate::hash::sha256(b""),
        };
        prop_assert!(verify(&request, &keys, NOW, SKEW).is_err());
    }

    #[test]
    fn any_target_signed_as_sent_passes(target in "/[ -~]{0,80}") {
        let sent = Sent::new(&target);
        let keys = keys();
        prop_assert_eq!(sent.verify(&keys, &keys[1]), Ok(1));
    }
}
