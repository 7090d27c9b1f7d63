//! What people answer to a sender to be left alone, and what is answered to them, for each kind of sender.

/// The most letters of a keyword; anything longer is a message.
const MAX_KEYWORD: usize = 16;

/// A word that is the whole of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// Nothing more, please.
    Stop,
    /// Again, please.
    Start,
    /// Who is this?
    Help,
}

const STOP: [&str; 8] = ["STOP", "ARRET", "QUIT", "END", "REVOKE", "OPT OUT", "CANCEL", "UNSUBSCRIBE"];
const START: [&str; 2] = ["START", "UNSTOP"];

impl Keyword {
    /// Reads a message: a keyword is the whole of it, whatever the case of its letters and the space around it.
    #[must_use]
    pub fn read(message: &str) -> Option<Self> {
        let word = message.trim();
        if word.len() > MAX_KEYWORD {
            return None;
        }
        let is = |known: &&str| word.eq_ignore_ascii_case(known);
        if STOP.iter().any(&is) {
            Some(Self::Stop)
        } else if START.iter().any(is) {
            Some(Self::Start)
        } else {
            word.eq_ignore_ascii_case("HELP").then_some(Self::Help)
        }
    }
}

/// Kinds of sender as far as keywords are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A toll-free number of the North American plan.
    TollFree,
    /// Another number of the North American plan.
    LongCode,
    /// A short code of the United States.
    UsShortCode,
    /// A short code of another country.
    OtherShortCode,
    /// A number of another plan.
    Foreign,
    /// A name: nobody can answer it.
    Name,
}

/// What is done about a keyword.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handling {
    /// Whether the list of opt-outs follows it.
    pub listed: bool,
    /// What is answered.
    pub reply: Option<&'static str>,
}

/// The area codes of toll-free numbers (North American Numbering Plan).
const TOLL_FREE: [&str; 7] = ["800", "833", "844", "855", "866", "877", "888"];

const TOLL_FREE_STOPPED: &str = "NETWORK MSG: You replied with the word STOP, which blocks all texts sent from this \
                                 number. Text back UNSTOP to receive messages again.";
const TOLL_FREE_STARTED: &str = "NETWORK MSG: You have replied UNSTOP and will begin receiving messages again from \
                                 this number.";
const STOPPED: &str =
    "You have successfully been unsubscribed to messages from this number. Reply START to resubscribe";
const STARTED: &str =
    "You have successfully been re-subscribed to messages from this number. Reply STOP to unsubscribe.";
/// ACS documents no text of its own: customers write theirs.
const HELPED: &str = "Reply STOP to receive no more messages from this number, START to receive them again.";

impl Kind {
    /// The kind of an international number, given without `+`.
    #[must_use]
    pub fn of_number(digits: &str) -> Self {
        match digits.strip_prefix('1') {
            Some(national) if TOLL_FREE.iter().any(|code| national.starts_with(code)) => Self::TollFree,
            Some(_) => Self::LongCode,
            None => Self::Foreign,
        }
    }

    /// The kind of a short code of a country (ISO 3166-1, two letters).
    #[must_use]
    pub fn of_short_code(country: &str) -> Self {
        if country.eq_ignore_ascii_case("US") { Self::UsShortCode } else { Self::OtherShortCode }
    }

    /// Whether recipients can ask not to hear from it.
    #[must_use]
    pub const fn has_opt_outs(self) -> bool {
        !matches!(self, Self::Name)
    }

    /// What is done when `keyword` comes to such a number (ACS behaviour section 4). Short codes of other countries are
    /// left to the application; numbers of other plans follow the list and answer nothing, as with Messaging Connect.
    #[must_use]
    pub const fn handling(self, keyword: Keyword) -> Handling {
        match self {
            Self::Name | Self::OtherShortCode => Handling { listed: false, reply: None },
            Self::Foreign => Handling { listed: !matches!(keyword, Keyword::Help), reply: None },
            Self::TollFree => match keyword {
                Keyword::Stop => Handling { listed: true, reply: Some(TOLL_FREE_STOPPED) },
                Keyword::Start => Handling { listed: true, reply: Some(TOLL_FREE_STARTED) },
                Keyword::Help => Handling { listed: false, reply: Some(HELPED) },
            },
            Self::UsShortCode | Self::LongCode => match keyword {
                Keyword::Stop => Handling { listed: true, reply: Some(STOPPED) },
                Keyword::Start => Handling { listed: true, reply: Some(STARTED) },
                Keyword::Help => Handling { listed: false, reply: Some(HELPED) },
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_keyword_is_the_whole_message() {
        for word in [
            "STOP",
            "stop",
            " Stop\r\n",
            "arret",
            "QUIT",
            "End",
            "revoke",
            "Opt Out",
            "CANCEL",
            "unsubscribe",
        ] {
            assert_eq!(Keyword::read(word), Some(Keyword::Stop), "{word}");
        }
        for word in ["START", "unstop\t"] {
            assert_eq!(Keyword::read(word), Some(Keyword::Start), "{word}");
        }
        assert_eq!(Keyword::read(" help "), Some(Keyword::Help));
        for no in
            ["", "STOP!", "please stop", "STOP STOP", "OPTOUT", "OPT  OUT", "ST0P", "stopp", "yes", "ſtop"]
        {
            assert_eq!(Keyword::read(no), None, "{no}");
        }
    }

    #[test]
    fn numbers_are_told_apart() {
        assert_eq!(Kind::of_number("18335550100"), Kind::TollFree);
        assert_eq!(Kind::of_number("14255550100"), Kind::LongCode);
        assert_eq!(Kind::of_number("43660123456"), Kind::Foreign);
        assert_eq!(
            (Kind::of_short_code("us"), Kind::of_short_code("CA")),
            (Kind::UsShortCode, Kind::OtherShortCode)
        );
        assert!(Kind::OtherShortCode.has_opt_outs() && !Kind::Name.has_opt_outs());
    }

    #[test]
    fn each_kind_answers_as_acs_documents() {
        let reply = |kind: Kind, keyword| kind.handling(keyword).reply.unwrap_or_default();
        assert!(
            reply(Kind::TollFree, Keyword::Stop).starts_with("NETWORK MSG: You replied with the word STOP")
        );
        assert!(reply(Kind::TollFree, Keyword::Start).starts_with("NETWORK MSG: You have replied UNSTOP"));
        assert!(reply(Kind::UsShortCode, Keyword::Stop).ends_with("Reply START to resubscribe"));
        assert!(reply(Kind::LongCode, Keyword::Start).contains("re-subscribed"));
        for kind in [Kind::TollFree, Kind::LongCode, Kind::UsShortCode, Kind::Foreign] {
            assert!(kind.handling(Keyword::Stop).listed && kind.handling(Keyword::Start).listed, "{kind:?}");
            assert!(!kind.handling(Keyword::Help).listed, "{kind:?}");
        }
        for keyword in [Keyword::Stop, Keyword::Start, Keyword::Help] {
            assert_eq!(Kind::OtherShortCode.handling(keyword), Handling::default());
            assert_eq!(Kind::Name.handling(keyword), Handling::default());
            assert_eq!(Kind::Foreign.handling(keyword).reply, None);
        }
    }

    #[test]
    fn every_answer_fits_two_segments() {
        for text in [TOLL_FREE_STOPPED, TOLL_FREE_STARTED, STOPPED, STARTED, HELPED] {
            assert!(text.is_ascii() && text.len() <= 306, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_message_breaks_it(message in ".*") {
            let _ = Keyword::read(&message);
        }
    }
}
