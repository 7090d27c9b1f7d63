//! The SMPP channel against node-smpp as an SMS centre, over real sockets: `tests/peers/sms/run channel` starts these. Nothing
//! is lost, and nothing comes twice but what the centre took and could not say so.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base::{Clock, Personal, ResourceId, Rng, Secret, SeededRng, SystemClock};
use guard::BoxFuture;
use post::text::alphabet::Language;
use serde_json::{Value, json};
use server::channel::smpp::{CarrierSettings, Smpp};
use server::channel::{
    Dial, Stream, TextChannel, TextIn, TextInbox, TextOutcome, TextParcel, TextReceipt, TextState,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// Where node-smpp is; `tests/peers/sms/run` installs it and says so, and is a step of its own of `scripts/test`.
const CENTRE: &str = "CHANCERY_SMS_CENTRE";

/// Whether there is a centre to talk to.
fn asked_for() -> bool {
    std::env::var_os(CENTRE).is_some()
}

struct Sockets;

impl Dial for Sockets {
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

#[derive(Default)]
struct Inbox {
    receipts: Mutex<Vec<TextReceipt>>,
    texts: Mutex<Vec<TextIn>>,
}

impl TextInbox for Inbox {
    fn receipt(&self, receipt: TextReceipt) -> BoxFuture<'_, bool> {
        self.receipts.lock().unwrap().push(receipt);
        Box::pin(async { true })
    }

    fn text(&self, text: TextIn) -> BoxFuture<'_, bool> {
        self.texts.lock().unwrap().push(text);
        Box::pin(async { true })
    }
}

/// The centre, and a channel that is bound to it.
struct World {
    centre: Child,
    control: u16,
    smpp: Arc<Smpp>,
    inbox: Arc<Inbox>,
    stop: Arc<Notify>,
    running: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new(change: impl FnOnce(&mut CarrierSettings)) -> Self {
        let script = std::env::var_os(CENTRE).map(PathBuf::from).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ready = folder.path().join("ready.json");
        let centre = Command::new("node").arg(script).arg(&ready).stdin(Stdio::piped()).spawn().unwrap();
        let ready: Value =
            eventually(|| std::fs::read(&ready).ok().and_then(|text| serde_json::from_slice(&text).ok()))
                .await;
        let port = |name: &str| u16::try_from(ready[name].as_u64().unwrap()).unwrap();
        let mut carrier =
            CarrierSettings::new("node", "127.0.0.1", port("smpp"), "chancery", Secret::new("secret".into()));
        carrier.answer = Duration::from_secs(2);
        change(&mut carrier);
        let inbox = Arc::new(Inbox::default());
        let takes: Arc<dyn TextInbox> = inbox.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let smpp = Arc::new(Smpp::new(vec![carrier], &takes, &clock));
        let stop = Arc::new(Notify::new());
        let mut running = JoinSet::new();
        let (runs, told) = (Arc::clone(&smpp), Arc::clone(&stop));
        let rng: Arc<dyn Rng> = Arc::new(SeededRng::new(7));
        running.spawn(async move { runs.run(Arc::new(Sockets), rng, told.notified()).await });
        let world = Self { centre, control: port("control"), smpp, inbox, stop, running, _folder: folder };
        eventually(|| world.smpp.bound().all(|(_, bound, of)| bound == of).then_some(())).await;
        world
    }

    async fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.control)).await.unwrap();
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let body = String::from_utf8_lossy(&answer[at..]);
        // Node sends a short answer whole, a long one in chunks.
        let json: String = if body.starts_with('{') { body.into_owned() } else { unchunk(&body) };
        serde_json::from_str(&json).unwrap()
    }

    async fn behave(&self, how: Value) {
        self.control("POST", "/behaviour", &how).await;
    }

    async fn state(&self) -> Value {
        self.control("GET", "/state", &json!({})).await
    }

    /// Sends as a courier does: again when told to, until it is taken or refused.
    fn send(&self, tasks: &mut JoinSet<(usize, TextOutcome)>, number: usize, said: String) {
        let smpp = Arc::clone(&self.smpp);
        tasks.spawn(async move {
            let parcel = parcel(number, said);
            loop {
                match smpp.submit(&parcel).await {
                    TextOutcome::Later { after, .. } => {
                        tokio::time::sleep(after.unwrap_or(Duration::from_millis(200))).await;
                    }
                    outcome => return (number, outcome),
                }
            }
        });
    }

    fn receipts(&self) -> BTreeMap<String, u32> {
        let mut seen = BTreeMap::new();
        for receipt in self.inbox.receipts.lock().unwrap().iter() {
            assert_eq!(receipt.state, TextState::Delivered);
            *seen.entry(receipt.message_id.clone()).or_default() += 1;
        }
        seen
    }

    async fn end(mut self) {
        self.stop.notify_one();
        self.running.join_next().await.unwrap().unwrap();
        drop(self.centre.stdin.take());
        assert!(self.centre.wait().unwrap().success());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // By its handle: it is ours.
        let _ = self.centre.kill();
        let _ = self.centre.wait();
    }
}

fn unchunk(body: &str) -> String {
    let mut lines = body.split("\r\n");
    let mut whole = String::new();
    while let (Some(size), Some(chunk)) = (lines.next(), lines.next()) {
        if size == "0" {
            break;
        }
        whole.push_str(chunk);
    }
    whole
}

fn parcel(number: usize, said: String) -> TextParcel {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&(number as u64).to_le_bytes());
    TextParcel {
        id,
        resource: ResourceId::CELL,
        from: Personal::new("+14255550100".into()),
        to: Personal::new(format!("+1425556{number:04}")),
        text: Personal::new(said),
        receipt: true,
        validity: Duration::from_secs(3600),
    }
}

/// Waits until `look` finds something; within 20 seconds.
async fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came about");
}

async fn taken(tasks: &mut JoinSet<(usize, TextOutcome)>) -> BTreeMap<usize, Vec<String>> {
    let mut ids = BTreeMap::new();
    while let Some(ended) = tasks.join_next().await {
        match ended.unwrap() {
            (number, TextOutcome::Accepted { message_ids, .. }) => ids.insert(number, message_ids),
            other => panic!("{other:?}"),
        };
    }
    ids
}

#[tokio::test]
async fn nothing_is_lost_though_the_centre_throttles_and_hangs_up() {
    if !asked_for() {
        return;
    }
    const TEXTS: usize = 1000;
    let world = World::new(|carrier| carrier.window = 50).await;
    world.behave(json!({"throttleEvery": 401, "dropEvery": 300, "dropsLeft": 3, "receipts": "late"})).await;
    let mut tasks = JoinSet::new();
    for number in 0..TEXTS {
        world.send(&mut tasks, number, format!("number {number}"));
    }
    let ids = taken(&mut tasks).await;
    assert_eq!(ids.len(), TEXTS);
    let state = world.state().await;
    let mut came: BTreeMap<String, usize> = BTreeMap::new();
    let mut unheard = 0;
    for submission in state["submissions"].as_array().unwrap() {
        *came.entry(submission["text"].as_str().unwrap().to_owned()).or_default() += 1;
        unheard += usize::from(submission["answered"] == false);
    }
    assert_eq!(came.len(), TEXTS, "each came");
    let twice: usize = came.values().map(|times| times - 1).sum();
    // What the centre took and answered may have been lost on the way as well: at most a window for each hang-up.
    assert_eq!(state["counts"]["dropped"], 3);
    assert!(unheard <= 3 && twice <= 3 * 50, "{twice} twice, {unheard} not answered");
    assert!(state["counts"]["throttled"].as_u64().unwrap() > 0);
    // Each text that was taken has its receipt, whatever became of the connection meanwhile.
    eventually(|| {
        let seen = world.receipts();
        ids.values().flatten().all(|id| seen.contains_key(id)).then_some(())
    })
    .await;
    world.end().await;
}

#[tokio::test]
async fn receipts_come_early_late_twice_and_for_nobody() {
    if !asked_for() {
        return;
    }
    let world = World::new(|_| {}).await;
    for (how, times) in [("early", 1), ("late", 1), ("twice", 2), ("unknown", 1)] {
        world.inbox.receipts.lock().unwrap().clear();
        world.behave(json!({"receipts": how})).await;
        let mut tasks = JoinSet::new();
        for number in 0..20 {
            world.send(&mut tasks, number, format!("{how} {number}"));
        }
        let ids = taken(&mut tasks).await;
        let strangers = if how == "unknown" { 20 } else { 0 };
        eventually(|| {
            let all: u32 = world.receipts().values().sum();
            (all == 20 * times + strangers).then_some(())
        })
        .await;
        let seen = world.receipts();
        assert!(ids.values().flatten().all(|id| seen.get(id) == Some(&times)), "{how}: {seen:?}");
    }
    let state = world.state().await;
    assert_eq!(state["counts"]["refused"], 0);
    assert_eq!(
        state["binds"][0],
        json!({"system_id": "chancery", "version": 0x34, "kind": "bind_transceiver"})
    );
    world.end().await;
}

#[tokio::test]
async fn another_stack_reads_what_we_write_and_we_read_what_it_writes() {
    if !asked_for() {
        return;
    }
    let world = World::new(|carrier| carrier.languages = Language::ALL.to_vec()).await;
    let said = [
        "plain @ £ [x] {y} \u{20ac} ~ ^ \\ |".to_owned(),
        "a".repeat(400),
        "{}".repeat(100),
        "\u{4e2d}\u{6587} \u{1f600}".repeat(30),
        "Çok güzel değil mi? İyi akşamlar ığşç".to_owned(),
        "¿Qué tal? Mañana está bien, adiós. ç á í ó ú".to_owned(),
        "Não há pão, só coração e limões. âêô".to_owned(),
    ];
    let mut tasks = JoinSet::new();
    for (number, text) in said.iter().enumerate() {
        world.send(&mut tasks, number, text.clone());
    }
    let ids = taken(&mut tasks).await;
    let state = world.state().await;
    let submissions = state["submissions"].as_array().unwrap();
    let by_id = |id: &String| submissions.iter().find(|one| one["id"] == **id).unwrap();
    for (number, text) in said.iter().enumerate() {
        let read: String = ids[&number].iter().map(|id| by_id(id)["text"].as_str().unwrap()).collect();
        assert_eq!(read, *text);
        assert_eq!(by_id(&ids[&number][0])["to"], format!("1425556{number:04}"));
    }
    assert!(by_id(&ids[&4][0])["udh"].to_string().contains("[36,1,1]"), "Turkish, single shift");
    for text in ["Hi", "\u{1f600} a long one with everything \u{20ac}\u{4e2d} ".repeat(9).trim()] {
        world.inbox.texts.lock().unwrap().clear();
        let body = json!({"from": "14255550199", "to": "14255550100", "text": text});
        let parts = world.control("POST", "/deliver", &body).await["parts"].as_u64().unwrap();
        let got = eventually(|| world.inbox.texts.lock().unwrap().pop()).await;
        assert_eq!((got.text.expose().as_str(), u64::from(got.segments)), (text, parts));
        assert_eq!(got.from.expose(), "+14255550199");
    }
    world.end().await;
}

#[tokio::test]
async fn refusals_silence_and_wrong_passwords() {
    if !asked_for() {
        return;
    }
    let world = World::new(|_| {}).await;
    world.behave(json!({"status": 0x0b})).await;
    let refused = world.smpp.submit(&parcel(1, "x".into())).await;
    assert_eq!(refused, TextOutcome::Refused { carrier: "node".into(), status: 0x0b });
    world.behave(json!({"status": 0, "answer": false})).await;
    let silent = world.smpp.submit(&parcel(1, "x".into())).await;
    assert!(matches!(silent, TextOutcome::Later { .. }), "{silent:?}");
    world.control("POST", "/drop", &json!({})).await;
    eventually(|| world.smpp.bound().all(|(_, bound, _)| bound == 0).then_some(())).await;
    eventually(|| world.smpp.bound().all(|(_, bound, of)| bound == of).then_some(())).await;
    world.behave(json!({"answer": true})).await;
    assert!(matches!(world.smpp.submit(&parcel(2, "y".into())).await, TextOutcome::Accepted { .. }));
    world.end().await;
}
