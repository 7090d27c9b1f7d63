//! Users and threads for a run, made before anything is measured.

use base::{Rng, SeededRng};
use tokio::task::JoinSet;

use super::load::Thread;
use crate::error::{Error, Result};
use crate::net::api::{Resource, Session};
use crate::net::request::STAMP;

/// Bytes of a message's content.
pub(crate) const CONTENT: usize = 200;
/// Sessions that work at once.
const SESSIONS: usize = 16;

/// What follows the number in every message: letters that do not repeat.
pub(crate) fn filler(seed: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz ,.-'!";
    let rng = SeededRng::new(seed);
    let letter = |_| char::from(LETTERS[usize::try_from(rng.below(32)).unwrap_or(0)]);
    (STAMP..CONTENT).map(letter).collect()
}

/// Makes `count` threads with `participants` users each.
pub(crate) async fn threads(resource: &Resource, count: usize, participants: usize) -> Result<Vec<Thread>> {
    let mut working = JoinSet::new();
    for session in 0..SESSIONS.min(count) {
        let resource = resource.clone();
        let share = (session..count).step_by(SESSIONS).len();
        working.spawn(async move {
            let (mut session, mut made) = (Session::open(&resource.endpoint).await?, Vec::new());
            for _ in 0..share {
                made.push(thread(&mut session, &resource, participants).await?);
            }
            Ok::<_, Error>(made)
        });
    }
    let mut all = Vec::with_capacity(count);
    while let Some(made) = working.join_next().await {
        all.extend(made.map_err(|e| Error::Server(e.to_string()))??);
    }
    Ok(all)
}

async fn thread(session: &mut Session, resource: &Resource, participants: usize) -> Result<Thread> {
    let mut users = Vec::with_capacity(participants);
    for _ in 0..participants {
        users.push(session.create_user(resource).await?);
    }
    let Some((creator, others)) = users.split_first() else {
        return Err(Error::Usage("a thread needs a participant".into()));
    };
    let others: Vec<&str> = others.iter().map(|user| user.id.as_str()).collect();
    let id = session.create_thread(creator, "benchmark", &others).await?;
    Ok(Thread { id, users })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::load::content;

    #[test]
    fn contents_have_their_length_and_need_no_escape() {
        let filler = filler(7);
        assert_eq!(content(u64::MAX, &filler).len(), CONTENT);
        assert!(filler.chars().all(|c| c.is_ascii() && c != '"' && c != '\\' && !c.is_control()));
        assert_ne!(filler, super::filler(8));
        assert_eq!(filler, super::filler(7), "one seed, one text");
    }
}
