//! What nodes of one cell tell each other about what is listened to: ids and instants, never content.

use base::{MessageId, ResourceId, ThreadId, Timestamp, UserId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use store::engine::exchange::MAX_TEXT;
use thiserror::Error;

/// How many users one notice names at most: so many fit a text.
pub(super) const MAX_USERS: usize = 200;

/// Something that others should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Notice {
    /// There is something new in a thread.
    Changed(ThreadId),
    /// Some came into it with a message; at most [`MAX_USERS`].
    Joined(ThreadId, MessageId, Vec<UserId>),
    /// Somebody types.
    Typing(ThreadId, UserId, Timestamp),
    /// Somebody has read up to a message.
    Read(ThreadId, UserId, MessageId, Timestamp),
    /// Metadata or retention of it are new.
    Updated(ThreadId, UserId, Timestamp),
    /// Somebody was removed from it, by a message.
    Left(ThreadId, UserId, MessageId),
    /// It was deleted, by this one.
    Ended(ThreadId, UserId, Timestamp),
    /// A user's tokens are revoked, or the user is deleted.
    Revoked(UserId),
}

/// What is said at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Word {
    /// Somebody listens at the node that says it.
    Here,
    /// To be acted on.
    Tell(Vec<(ResourceId, Notice)>),
    /// To be acted on, and acknowledged under this number.
    Ask(u64, ResourceId, Notice),
    /// The node of these bytes asked this, and the attendance of that name has acted on it.
    Done([u8; 8], u64, [u8; 16]),
}

/// What is said, and by which node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Said {
    /// Which of them.
    pub(super) by: [u8; 8],
    /// What.
    pub(super) word: Word,
}

/// Nobody of this version said that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("another node said what this one does not understand")]
pub(super) struct Unclear;

impl Said {
    /// As it goes over the wire.
    pub(super) fn encode(&self) -> String {
        // Writing into memory does not fail for what can be serialised at all.
        BASE64.encode(postcard::to_stdvec(self).unwrap_or_default())
    }

    /// As it came.
    pub(super) fn decode(text: &str) -> Result<Self, Unclear> {
        let bytes = BASE64.decode(text).map_err(|_| Unclear)?;
        postcard::from_bytes(&bytes).map_err(|_| Unclear)
    }
}

/// All of it in as few texts as take it, in its order.
pub(super) fn pack(by: [u8; 8], mut notices: Vec<(ResourceId, Notice)>) -> Vec<String> {
    let text = Said { by, word: Word::Tell(notices.clone()) }.encode();
    if text.len() <= MAX_TEXT || notices.len() < 2 {
        return vec![text];
    }
    let rest = notices.split_off(notices.len() / 2);
    let mut texts = pack(by, notices);
    texts.extend(pack(by, rest));
    texts
}

#[cfg(test)]
mod tests {
    use base::{Rng, SeededRng};

    use super::*;

    const BY: [u8; 8] = [7; 8];

    fn user(rng: &SeededRng) -> UserId {
        UserId::mint(rng)
    }

    #[test]
    fn what_is_said_is_understood() {
        let rng = SeededRng::new(1);
        let (thread, resource, at) =
            (ThreadId::mint(&rng), ResourceId::mint(&rng), Timestamp::from_millis(5));
        let notices = [
            Notice::Changed(thread),
            Notice::Joined(thread, MessageId(9), vec![user(&rng), user(&rng)]),
            Notice::Typing(thread, user(&rng), at),
            Notice::Read(thread, user(&rng), MessageId(2), at),
            Notice::Updated(thread, user(&rng), at),
            Notice::Left(thread, user(&rng), MessageId(3)),
            Notice::Ended(thread, user(&rng), at),
            Notice::Revoked(user(&rng)),
        ];
        let told = Word::Tell(notices.iter().map(|notice| (resource, notice.clone())).collect());
        let asked = notices.into_iter().map(|notice| Word::Ask(u64::MAX, resource, notice));
        for word in asked.chain([Word::Here, told, Word::Done(BY, 1, rng.id())]) {
            let said = Said { by: BY, word };
            assert_eq!(Said::decode(&said.encode()), Ok(said));
        }
    }

    #[test]
    fn what_nobody_says_is_unclear() {
        for text in ["", "!", "AAAA", "/////////////w", "ü"] {
            assert_eq!(Said::decode(text), Err(Unclear), "{text}");
        }
    }

    #[test]
    fn much_goes_in_several_texts_in_its_order() {
        let rng = SeededRng::new(1);
        let resource = ResourceId::mint(&rng);
        let notices: Vec<_> = (0..500).map(|_| (resource, Notice::Changed(ThreadId::mint(&rng)))).collect();
        let texts = pack(BY, notices.clone());
        assert!(texts.len() > 1 && texts.iter().all(|text| text.len() <= MAX_TEXT));
        let mut heard = Vec::new();
        for text in texts {
            match Said::decode(&text).unwrap().word {
                Word::Tell(some) => heard.extend(some),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(heard, notices);
        assert_eq!(pack(BY, Vec::new()).len(), 1);
    }

    #[test]
    fn the_most_who_may_join_at_once_fit_a_text() {
        let rng = SeededRng::new(1);
        let users = (0..MAX_USERS).map(|_| user(&rng)).collect();
        let joined = Notice::Joined(ThreadId::mint(&rng), MessageId(u64::MAX), users);
        let texts = pack(BY, vec![(ResourceId::mint(&rng), joined)]);
        assert!(texts.len() == 1 && texts[0].len() <= MAX_TEXT, "{}", texts[0].len());
    }
}
