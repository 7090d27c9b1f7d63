//! The load under which the server is killed: workers in groups, each group around one current thread, each worker with
//! at most one write in flight, each object changed by one worker only. So the fate of every write can be told afterwards.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{Rng, SeededRng};
use serde_json::{Value, json};

use super::model::{Made, Model, Op, Thread, Who};
use super::observe::Cast;
use crate::error::{Error, Result};
use crate::net::api::{self, Session};
use crate::net::request::Method;

/// Senders at once.
pub(crate) const WORKERS: usize = 32;
/// Workers around one thread.
const GROUP: usize = 4;
/// How many groups there are.
pub(crate) const GROUPS: usize = WORKERS / GROUP;
/// Past this many messages of users a thread is left, and deleted later: the data must not grow with the rounds.
const FULL: usize = 150;
/// Past this many threads left behind, the next write of the group deletes one.
const LEFT: usize = 2;

/// What the workers share.
#[derive(Debug)]
pub(crate) struct Board {
    state: Mutex<State>,
    /// Set right before the kill: from then on connections may break.
    pub(crate) killed: AtomicBool,
}

/// What was promised, and where the groups are.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// The promises.
    pub(crate) model: Model,
    /// Each group's thread.
    pub(crate) current: BTreeMap<usize, String>,
    /// Threads that no worker writes to any more, by group.
    left: BTreeMap<usize, Vec<String>>,
    /// Acknowledged writes.
    pub(crate) acknowledged: u64,
}

impl Default for Board {
    fn default() -> Self {
        Self { state: Mutex::default(), killed: AtomicBool::new(false) }
    }
}

impl Board {
    /// What is known; held for moments only.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Before a round: threads that are nobody's current one may be deleted.
    pub(crate) fn sort_threads(&mut self) {
        self.left.clear();
        for (id, thread) in &self.model.threads {
            let group = thread.creator / GROUP;
            if self.current.get(&group) != Some(id) {
                self.left.entry(group).or_default().push(id.clone());
            }
        }
    }

    /// Notes what the server acknowledged.
    pub(crate) fn acknowledge(&mut self, op: &Op, made: &Made) {
        self.model.apply(op, made);
        self.acknowledged += 1;
        if let (Op::Create { creator, .. }, Made::Thread(id)) = (op, made) {
            self.current.insert(creator / GROUP, id.clone());
        }
    }

    /// What `who` does next.
    pub(crate) fn next(&mut self, who: Who, rng: &SeededRng, name: &str) -> Op {
        let group = who / GROUP;
        let left = self.left.entry(group).or_default();
        let dice = rng.below(100);
        if left.len() > LEFT || (dice < 2 && !left.is_empty()) {
            let at = usize::try_from(rng.below(left.len() as u64)).unwrap_or(0);
            return Op::Drop { thread: left.swap_remove(at) };
        }
        let known = self.current.get(&group).and_then(|id| Some((id, self.model.threads.get(id)?)));
        match known {
            Some((id, thread)) if thread.texts.len() < FULL && dice < 98 => {
                change(id, thread, who, dice, rng, name)
            }
            _ => create(who, name),
        }
    }
}

/// A write to the current thread.
fn change(id: &str, thread: &Thread, who: Who, dice: u64, rng: &SeededRng, name: &str) -> Op {
    let id = id.to_owned();
    let own = thread.own_messages(who);
    let pick = |own: &[u64]| own[usize::try_from(rng.below(own.len() as u64)).unwrap_or(0)];
    match dice {
        0..12 if !own.is_empty() => Op::Edit { thread: id, id: pick(&own), content: content(rng, name) },
        12..20 if !own.is_empty() => Op::Delete { thread: id, id: pick(&own) },
        20..26 => {
            let guest = guest(who);
            let present = thread.guests.get(&guest).is_some_and(|guest| guest.present);
            if present { Op::Remove { thread: id, who: guest } } else { Op::Add { thread: id, who: guest } }
        }
        26..30 if thread.creator == who => Op::Retitle { thread: id, topic: format!("topic {name}") },
        _ => Op::Send { thread: id, author: who, content: content(rng, name) },
    }
}

/// A new thread of the group of `who`.
pub(crate) fn create(who: Who, name: &str) -> Op {
    let first = who / GROUP * GROUP;
    let fixed: Vec<Who> = (first..first + GROUP).collect();
    let guests = fixed.iter().map(|worker| guest(*worker)).collect();
    Op::Create { topic: format!("thread {name}"), creator: who, fixed, guests }
}

/// The guest whom only `worker` removes and adds.
const fn guest(worker: Who) -> Who {
    WORKERS + worker
}

/// A text that no other message has; one in sixteen is long enough to span pages on disk.
fn content(rng: &SeededRng, name: &str) -> String {
    let length = if rng.below(16) == 0 { 4096 + rng.below(8192) } else { 8 + rng.below(200) };
    let letters = (0..length).map(|_| char::from(b'a' + u8::try_from(rng.below(26)).unwrap_or(0)));
    format!("{name} ").chars().chain(letters).collect()
}

/// Method, target, body and the status that acknowledges.
fn request(op: &Op, cast: &Cast) -> (Method, String, Option<Value>, u16) {
    let id = |who: &Who| cast.users[*who].id.as_str();
    match op {
        Op::Create { topic, creator, fixed, guests } => {
            let others: Vec<&str> =
                fixed.iter().chain(guests).filter(|who| *who != creator).map(id).collect();
            (Method::Post, api::threads(), Some(api::new_thread(topic, &others)), 201)
        }
        Op::Send { thread, content, .. } => {
            let body = json!({ "content": content, "type": "text" });
            (Method::Post, api::messages(thread), Some(body), 201)
        }
        Op::Edit { thread, id, content } => {
            (Method::Patch, api::message(thread, *id), Some(json!({ "content": content })), 204)
        }
        Op::Delete { thread, id } => (Method::Delete, api::message(thread, *id), None, 204),
        Op::Remove { thread, who } => {
            let target = api::thread(thread, "/participants/:remove");
            (Method::Post, target, Some(api::identifier(id(who))), 204)
        }
        Op::Add { thread, who } => {
            let body = json!({ "participants": [api::participant(id(who))] });
            (Method::Post, api::thread(thread, "/participants/:add"), Some(body), 201)
        }
        Op::Retitle { thread, topic } => {
            (Method::Patch, api::thread(thread, ""), Some(json!({ "topic": topic })), 204)
        }
        Op::Drop { thread } => (Method::Delete, api::thread(thread, ""), None, 204),
    }
}

/// Does one write; what the server named. `None` when it could not say whether it is done (503 and its like).
pub(crate) async fn perform(session: &mut Session, cast: &Cast, by: Who, op: &Op) -> Result<Option<Made>> {
    let (method, target, body, expected) = request(op, cast);
    let answer = session.ask(method, &target, &cast.users[by], body.as_ref()).await?;
    if matches!(answer.status, 408 | 500 | 502 | 503 | 504) {
        return Ok(None);
    }
    let body = answer.expect("write under load", expected)?;
    let lacking = |missing| Error::Answer { doing: "write under load", missing };
    if matches!(op, Op::Create { .. } | Op::Add { .. }) && refuses_somebody(body) {
        return Err(lacking("a participant, who is refused"));
    }
    Ok(Some(match op {
        Op::Create { .. } => Made::Thread(api::created_thread(body)?),
        Op::Send { .. } => Made::Message(api::created_message(body).ok_or_else(|| lacking("a numeric id"))?),
        _ => Made::Nothing,
    }))
}

/// Whether the answer to adding participants names one who was not added.
fn refuses_somebody(body: &[u8]) -> bool {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["invalidParticipants"].as_array().is_some_and(|refused| !refused.is_empty())
}

/// Writes until the server is killed; the write whose fate is unknown, if there is one.
pub(crate) async fn work(
    mut session: Session,
    board: Arc<Board>,
    cast: Arc<Cast>,
    who: Who,
    rng: SeededRng,
    round: usize,
) -> Result<Option<Op>> {
    for turn in 0_u32.. {
        let op = board.state().next(who, &rng, &format!("{round}-{who}-{turn}"));
        match perform(&mut session, &cast, who, &op).await {
            Ok(Some(made)) => board.state().acknowledge(&op, &made),
            Ok(None) => return Ok(Some(op)),
            Err(error) if error.is_broken_connection() && board.killed.load(Ordering::SeqCst) => {
                return Ok(Some(op));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::api::User;

    fn board_with_thread(messages: usize) -> State {
        let mut state = State::default();
        state.acknowledge(&create(0, "x"), &Made::Thread("a".into()));
        for number in 0..messages as u64 {
            let op = Op::Send { thread: "a".into(), author: 1, content: number.to_string() };
            state.acknowledge(&op, &Made::Message(number));
        }
        state
    }

    #[test]
    fn groups_have_their_own_workers_and_guests() {
        let Op::Create { fixed, guests, creator, .. } = create(5, "x") else { panic!("a thread") };
        assert_eq!((creator, fixed, guests), (5, vec![4, 5, 6, 7], vec![36, 37, 38, 39]));
    }

    #[test]
    fn every_kind_of_write_comes_up_and_only_own_things_change() {
        let (mut state, rng) = (board_with_thread(40), SeededRng::new(1));
        state.acknowledge(&create(0, "y"), &Made::Thread("b".into()));
        state.acknowledge(&create(0, "z"), &Made::Thread("a2".into()));
        state.current.insert(0, "a".into());
        let mut kinds = [0; 8];
        for turn in 0..3000 {
            state.sort_threads();
            let op = state.next(1, &rng, &turn.to_string());
            let at = match &op {
                Op::Create { .. } => 0,
                Op::Send { author, .. } => usize::from(*author == 1),
                Op::Edit { id, .. } => {
                    if state.model.threads["a"].texts[id].author == 1 {
                        2
                    } else {
                        7
                    }
                }
                Op::Delete { id, .. } => {
                    if state.model.threads["a"].texts[id].author == 1 {
                        3
                    } else {
                        7
                    }
                }
                Op::Remove { who, .. } | Op::Add { who, .. } => {
                    if *who == guest(1) {
                        4
                    } else {
                        7
                    }
                }
                Op::Retitle { .. } => 7,
                Op::Drop { thread } => {
                    if thread == "a" {
                        7
                    } else {
                        5
                    }
                }
            };
            kinds[at] += 1;
        }
        assert!(kinds[..6].iter().all(|n| *n > 0), "{kinds:?}");
        assert_eq!(kinds[7], 0, "somebody else's thing was changed");
        let retitled = (0..500).any(|n| matches!(state.next(0, &rng, &n.to_string()), Op::Retitle { .. }));
        assert!(retitled, "who made the thread changes its topic");
    }

    #[test]
    fn a_full_thread_is_left_and_too_many_left_threads_are_deleted() {
        let (mut state, rng) = (board_with_thread(FULL), SeededRng::new(2));
        state.sort_threads();
        assert!(matches!(state.next(1, &rng, "n"), Op::Create { .. }));
        for number in 0..=LEFT {
            state.acknowledge(&create(1, &number.to_string()), &Made::Thread(format!("t{number}")));
        }
        state.sort_threads();
        assert!(matches!(state.next(1, &rng, "n"), Op::Drop { thread } if thread != format!("t{LEFT}")));
    }

    #[test]
    fn requests_are_those_of_the_protocol() {
        let user = |n: usize| User { id: format!("8:acs:{n}"), bearer: String::new() };
        let cast = Cast::new((0..2 * WORKERS).map(user).collect());
        let thread = || "19:a".to_owned();
        let line = |op: &Op| {
            let (method, target, body, status) = request(op, &cast);
            let target = target.split('?').next().unwrap_or_default().to_owned();
            format!("{} {target} {status} {}", method.name(), body.unwrap_or_default())
        };
        assert_eq!(
            line(&Op::Edit { thread: thread(), id: 7, content: "x".into() }),
            r#"PATCH /chat/threads/19%3Aa/messages/7 204 {"content":"x"}"#
        );
        assert_eq!(line(&Op::Drop { thread: thread() }), "DELETE /chat/threads/19%3Aa 204 null");
        let remove = line(&Op::Remove { thread: thread(), who: 1 });
        assert!(remove.starts_with("POST /chat/threads/19%3Aa/participants/:remove 204 "), "{remove}");
        assert!(remove.contains("8:acs:1\""), "{remove}");
        let create = line(&create(4, "x"));
        assert!(create.starts_with("POST /chat/threads 201 ") && !create.contains("\"8:acs:4\""), "{create}");
        assert!(create.contains("\"8:acs:5\"") && create.contains("\"8:acs:36\""), "{create}");
    }

    #[test]
    fn a_refused_participant_is_noticed() {
        assert!(refuses_somebody(br#"{"invalidParticipants":[{"target":"x","code":"403"}]}"#));
        assert!(!refuses_somebody(br#"{"chatThread":{},"invalidParticipants":[]}"#));
        assert!(!refuses_somebody(b"{}") && !refuses_somebody(b""));
    }

    #[test]
    fn contents_differ_and_some_are_long() {
        let rng = SeededRng::new(3);
        let all: Vec<String> = (0..200).map(|n| content(&rng, &n.to_string())).collect();
        assert!(all.iter().any(|c| c.len() > 4096) && all.iter().any(|c| c.len() < 256));
        assert!(all.iter().all(|c| c.len() < 28 * 1024));
    }
}
