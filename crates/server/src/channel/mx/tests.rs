//! Which servers a destination has, and how each must prove who it is, with a DNS and a web that say what the test says.

use std::collections::HashMap;
use std::net::IpAddr;

use ::http::HeaderMap;
use base::{ManualClock, Personal, SeededRng};
use bytes::Bytes;
use guard::tls::mail::Tlsa;

use super::*;
use crate::channel::dns::Found;
use crate::channel::webhook::{HookAnswer, HookFault, HookRequest};

/// A world of one domain, `example.org`.
#[derive(Default)]
struct World {
    mx: Option<Result<Found<(u16, String)>, DnsFault>>,
    tlsa: HashMap<String, Result<Vec<Tlsa>, DnsFault>>,
    txt: Mutex<Vec<String>>,
    policy: Mutex<Option<String>>,
    asked: Mutex<Vec<String>>,
}

impl MailDns for World {
    fn mx<'a>(&'a self, domain: &'a str) -> BoxFuture<'a, Result<Found<(u16, String)>, DnsFault>> {
        self.asked.lock().unwrap().push(format!("MX {domain}"));
        Box::pin(async { self.mx.clone().unwrap_or(Ok(Found::default())) })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsFault>> {
        // Nobody has the address of a server that begins with "no".
        let address = IpAddr::from([192, 0, 2, host.len() as u8]);
        Box::pin(async move { if host.starts_with("no") { Ok(vec![]) } else { Ok(vec![address]) } })
    }

    fn tlsa<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, Result<Vec<Tlsa>, DnsFault>> {
        self.asked.lock().unwrap().push(format!("TLSA {host} {port}"));
        Box::pin(async move { self.tlsa.get(host).cloned().unwrap_or(Ok(Vec::new())) })
    }

    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsFault>> {
        assert_eq!(name, "_mta-sts.example.org");
        Box::pin(async { Ok(self.txt.lock().unwrap().clone()) })
    }
}

impl HookChannel for World {
    fn send(&self, request: HookRequest) -> BoxFuture<'_, Result<HookAnswer, HookFault>> {
        assert_eq!(
            (request.method, request.url.expose().as_str()),
            ("GET", "https://mta-sts.example.org/.well-known/mta-sts.txt")
        );
        self.asked.lock().unwrap().push("POLICY".into());
        Box::pin(async {
            let policy = self.policy.lock().unwrap().clone().ok_or(HookFault::Socket)?;
            let (kind, text) = policy.split_once('|').unwrap_or(("text/plain; charset=utf-8", &policy));
            let headers = HeaderMap::from_iter([(::http::header::CONTENT_TYPE, kind.parse().unwrap())]);
            Ok(HookAnswer { status: 200, headers, body: Personal::new(Bytes::from(text.to_owned())) })
        })
    }
}

fn mx(servers: &[(u16, &str)], proven: bool) -> Option<Result<Found<(u16, String)>, DnsFault>> {
    let records = servers.iter().map(|(preference, server)| (*preference, (*server).to_owned())).collect();
    Some(Ok(Found { records, proven }))
}

fn router(world: World, seed: u64) -> (Direct, Arc<World>, Arc<ManualClock>) {
    let (world, clock) = (Arc::new(world), Arc::new(ManualClock::new(Timestamp::from_millis(1_000))));
    let tools = Tools {
        dns: Arc::clone(&world) as Arc<dyn MailDns>,
        web: Arc::clone(&world) as Arc<dyn HookChannel>,
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        rng: Arc::new(SeededRng::new(seed)),
        verified: mail_unverified(),
        port: 25,
    };
    (Direct::new(tools), world, clock)
}

/// Name and kind of TLS of each hop.
fn told(hops: &[Hop], router: &Direct) -> Vec<(String, &'static str)> {
    let kind = |tls: &Tls| match tls {
        Tls::Off => "off",
        Tls::FromStart(_) => "start",
        Tls::Offered(_) => "offered",
        Tls::Must(config) if Arc::ptr_eq(config, &router.tools.verified) => "verified",
        Tls::Must(config) if Arc::ptr_eq(config, &router.unverified) => "must",
        Tls::Must(_) => "dane",
    };
    hops.iter().map(|hop| (hop.name.clone(), kind(&hop.tls))).collect()
}

async fn route(world: World) -> Result<Vec<(String, &'static str)>, NoRoute> {
    let (router, _, _) = router(world, 1);
    router.route("example.org").await.map(|hops| told(&hops, &router))
}

#[tokio::test]
async fn by_preference_and_by_chance_among_equals() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let servers = [(20, "c.example"), (10, "a.example"), (10, "b.example")];
        let (router, ..) = router(World { mx: mx(&servers, false), ..World::default() }, seed);
        let hops = router.route("example.org").await.unwrap();
        assert_eq!(
            (hops[2].host.as_str(), hops[2].name.as_str(), hops[2].port),
            ("192.0.2.9", "c.example", 25)
        );
        assert!(hops.iter().all(|hop| matches!(hop.tls, Tls::Offered(_))));
        seen.insert(hops[0].name.clone());
    }
    assert_eq!(seen.len(), 2, "both share the work");
}

#[tokio::test]
async fn domains_without_servers() {
    let implicit = route(World::default()).await.unwrap();
    assert_eq!(implicit, [("example.org".to_owned(), "offered")]);
    let never = |enhanced, text| Err(NoRoute::Never { enhanced, text });
    let null = World { mx: mx(&[(0, "")], false), ..World::default() };
    assert_eq!(route(null).await, never("5.1.10", "the domain takes no mail"));
    let none = World { mx: Some(Err(DnsFault::NoName)), ..World::default() };
    assert_eq!(route(none).await, never("5.4.310", "the domain does not exist"));
    let homeless = World { mx: mx(&[(10, "nowhere.example"), (20, "a.example")], false), ..World::default() };
    assert_eq!(route(homeless).await.unwrap(), [("a.example".to_owned(), "offered")]);
    let homeless = World { mx: mx(&[(10, "nowhere.example")], false), ..World::default() };
    assert_eq!(route(homeless).await, Err(NoRoute::Later("no server of the domain has an address")));
    let failed = World { mx: Some(Err(DnsFault::Failed)), ..World::default() };
    assert_eq!(route(failed).await, Err(NoRoute::Later("the DNS gives no answer")));
}

fn record(usage: u8) -> Tlsa {
    Tlsa { usage, selector: 1, matching: 1, data: vec![7; 32] }
}

#[tokio::test]
async fn dane_counts_where_it_is_proven() {
    let world = |proven, records| World {
        mx: mx(&[(10, "a.example"), (20, "b.example")], proven),
        tlsa: HashMap::from([("a.example".to_owned(), records)]),
        ..World::default()
    };
    let (a, b) = ("a.example".to_owned(), "b.example".to_owned());
    let good = || Ok(vec![record(3)]);
    assert_eq!(route(world(true, good())).await.unwrap(), [(a.clone(), "dane"), (b.clone(), "offered")]);
    assert_eq!(route(world(false, good())).await.unwrap(), [(a.clone(), "offered"), (b.clone(), "offered")]);
    let unusable = Ok(vec![record(0)]);
    assert_eq!(route(world(true, unusable)).await.unwrap(), [(a, "must"), (b.clone(), "offered")]);
    // Where it cannot be known whether there are records, nothing is sent.
    assert_eq!(route(world(true, Err(DnsFault::Failed))).await.unwrap(), [(b, "offered")]);
}

const POLICY: &str = "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 1000\n";

fn with_policy(policy: &str) -> World {
    World {
        mx: mx(&[(10, "a.example"), (20, "b.example")], true),
        txt: Mutex::new(vec!["v=STSv1; id=1".into()]),
        policy: Mutex::new(Some(policy.to_owned())),
        ..World::default()
    }
}

#[tokio::test]
async fn a_policy_names_the_servers() {
    let (a, b) = ("a.example".to_owned(), "b.example".to_owned());
    assert_eq!(route(with_policy(POLICY)).await.unwrap(), [(a.clone(), "verified")], "b is not named");
    let both = [(a.clone(), "offered"), (b.clone(), "offered")];
    for other in [
        POLICY.replace("enforce", "testing"),
        POLICY.replace("enforce", "none"),
        "<html>".into(),
        format!("text/html|{POLICY}"),
    ] {
        assert_eq!(route(with_policy(&other)).await.unwrap(), both, "{other}");
    }
    let nobody = with_policy(&POLICY.replace("a.example", "c.example"));
    assert_eq!(route(nobody).await, Err(NoRoute::Later("no server of the domain can prove who it is")));
    // DANE goes before it, also for a server that the policy does not name.
    let mut world = with_policy(POLICY);
    world.tlsa.insert(b.clone(), Ok(vec![record(3)]));
    assert_eq!(route(world).await.unwrap(), [(a, "verified"), (b, "dane")]);
}

#[tokio::test]
async fn a_policy_outlives_the_loss_of_its_sources() {
    let (router, world, clock) = router(with_policy(POLICY), 1);
    let kinds = async |router: &Direct| told(&router.route("example.org").await.unwrap(), router);
    let enforced = [("a.example".to_owned(), "verified")];
    assert_eq!(kinds(&router).await, enforced);
    // The record is gone, then there is another one whose policy cannot be had.
    for txt in [vec![], vec!["v=STSv1; id=2".to_owned()]] {
        *world.txt.lock().unwrap() = txt;
        *world.policy.lock().unwrap() = None;
        clock.advance(FRESH);
        assert_eq!(kinds(&router).await, enforced);
    }
    clock.advance(Duration::from_secs(1_000));
    assert_eq!(kinds(&router).await.len(), 2, "its time is over");
    let fetched = world.asked.lock().unwrap().iter().filter(|what| *what == "POLICY").count();
    assert_eq!(fetched, 3, "once, and twice in vain");
}

#[tokio::test]
async fn what_was_found_is_remembered_for_a_while() {
    let (router, world, clock) = router(with_policy(POLICY), 1);
    let questions = || world.asked.lock().unwrap().iter().filter(|what| what.starts_with("MX")).count();
    for _ in 0..3 {
        router.route("example.org").await.unwrap();
    }
    assert_eq!(questions(), 1);
    clock.advance(FRESH);
    router.route("example.org").await.unwrap();
    assert_eq!(questions(), 2);
    let fetched = world.asked.lock().unwrap().iter().filter(|what| *what == "POLICY").count();
    assert_eq!(fetched, 1, "the same id is the same policy");
}
