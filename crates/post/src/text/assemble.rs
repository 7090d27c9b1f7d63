//! Segments that come in, put together again: the user data header read, the parts of one text held until all are there,
//! and their octets decoded as one, so that a character cut in two by its sender is whole again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use base::{Personal, Timestamp};

use super::alphabet::{Alphabet, Language, Shifts};

/// For how long parts wait for the others; networks bring all within minutes, or never.
pub const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// The most texts that wait for parts; past it the oldest is given out as it is.
pub const MAX_WAITING: usize = 4096;
/// What stands for parts that never came.
const GAP: &str = "[\u{2026}]";

/// How the octets of a part are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Septets, one to an octet, by these tables.
    Gsm(Shifts),
    /// ISO-8859-1; ASCII is a part of it.
    Latin1,
    /// UTF-16, the high octet first.
    Ucs2,
}

/// A part's place among the parts of one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What the parts have in common.
    pub reference: u16,
    /// How many there are; at least two.
    pub total: u8,
    /// Which this is, from 1.
    pub index: u8,
}

impl Place {
    /// `None` for a place that no part can have, and for a text of one part: then the part is a text by itself, as
    /// TS 23.040, section 9.2.3.24.1, asks.
    #[must_use]
    pub const fn new(reference: u16, total: u8, index: u8) -> Option<Self> {
        if total < 2 || index == 0 || index > total { None } else { Some(Self { reference, total, index }) }
    }
}

/// What a user data header says, of what matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The place of the part.
    pub place: Option<Place>,
    /// The national tables.
    pub shifts: Shifts,
}

impl Header {
    /// Reads the header at the beginning of `octets`; also what follows it. `None` when it is longer than what is there,
    /// or an element longer than the header. Unknown elements are passed over.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<(Self, &[u8])> {
        let (&len, rest) = octets.split_first()?;
        let (mut elements, body) = rest.split_at_checked(usize::from(len))?;
        let mut header = Self::default();
        while let [kind, len, rest @ ..] = elements {
            let (value, rest) = rest.split_at_checked(usize::from(*len))?;
            elements = rest;
            match (kind, value) {
                (0x00, &[reference, total, index]) => {
                    header.place = Place::new(u16::from(reference), total, index);
                }
                (0x08, &[high, low, total, index]) => {
                    header.place = Place::new(u16::from_be_bytes([high, low]), total, index);
                }
                (0x24, &[language]) => header.shifts.single = Language::from_identifier(language),
                (0x25, &[language]) => header.shifts.locking = Language::from_identifier(language),
                _ => {}
            }
        }
        elements.is_empty().then_some((header, body))
    }
}

/// One part.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// How to read it.
    pub script: Script,
    /// Its octets, without header.
    pub body: Vec<u8>,
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What it says is a person's.
        f.debug_struct("Part").field("script", &self.script).field("octets", &self.body.len()).finish()
    }
}

/// What parts in their order say.
#[must_use]
pub fn decode<'a>(parts: impl IntoIterator<Item = &'a Part>) -> String {
    let mut text = String::new();
    let mut run: Option<(Script, Vec<u8>)> = None;
    for part in parts {
        match &mut run {
            Some((script, octets)) if *script == part.script => octets.extend(&part.body),
            _ => {
                if let Some((script, octets)) = run.replace((part.script, part.body.clone())) {
                    decode_run(script, &octets, &mut text);
                }
            }
        }
    }
    if let Some((script, octets)) = run {
        decode_run(script, &octets, &mut text);
    }
    text
}

fn decode_run(script: Script, octets: &[u8], text: &mut String) {
    match script {
        Script::Gsm(shifts) => Alphabet::of(shifts).read(octets, text),
        Script::Latin1 => text.extend(octets.iter().map(|octet| char::from(*octet))),
        Script::Ucs2 => {
            let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            text.extend(char::decode_utf16(units).map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
    }
}

/// Whose parts belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ends {
    /// Who sent them.
    pub from: Personal<String>,
    /// Whom they go to.
    pub to: Personal<String>,
}

/// A text put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// From whom to whom.
    pub ends: Ends,
    /// What it says.
    pub text: Personal<String>,
    /// How many parts came.
    pub parts: u32,
    /// How many there should have been.
    pub total: u32,
    reference: u16,
    serial: u64,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It waits for others, or for what becomes of its whole text.
    Waiting,
    /// The text is whole. Say with [`Assembler::settle`] whether it could be kept.
    Whole(Whole),
    /// It belongs to a text that was kept; the sender did not hear so.
    Known,
}

type Key = (Ends, u16, u32);

enum Phase {
    Collecting,
    /// Given out; whether it is kept is not known yet.
    Given,
    /// Kept; remembered for a while, so that a part that comes again is known.
    Kept,
}

struct Waiting {
    since: Timestamp,
    serial: u64,
    phase: Phase,
    parts: BTreeMap<u8, Part>,
}

/// Holds parts until their texts are whole and kept.
#[derive(Default)]
pub struct Assembler {
    serial: u64,
    waiting: BTreeMap<Key, Waiting>,
    /// Those of them that are not given out, by age.
    ages: BTreeSet<(Timestamp, Key)>,
}

impl Assembler {
    /// Takes a part. One that came before changes nothing. A part that differs from the one at its place begins another
    /// text when the text before it was whole: senders count their references in a small circle.
    pub fn take(&mut self, ends: Ends, place: Place, part: Part, now: Timestamp) -> Taken {
        let key = (ends, place.reference, u32::from(place.total));
        if let Some(before) = self.waiting.get(&key) {
            let same = before.parts.get(&place.index) == Some(&part);
            match before.phase {
                Phase::Kept if same => return Taken::Known,
                Phase::Given if same => return Taken::Waiting,
                Phase::Kept | Phase::Given => self.forget(&key),
                Phase::Collecting => {}
            }
        }
        let serial = &mut self.serial;
        let waiting = self.waiting.entry(key.clone()).or_insert_with(|| {
            self.ages.insert((now, key.clone()));
            *serial += 1;
            Waiting { since: now, serial: *serial, phase: Phase::Collecting, parts: BTreeMap::new() }
        });
        waiting.parts.entry(place.index).or_insert(part);
        let whole = waiting.parts.len() == usize::from(place.total);
        match whole.then(|| self.give(&key)).flatten() {
            Some(whole) => Taken::Whole(whole),
            None => Taken::Waiting,
        }
    }

    /// Says whether a text that was given out could be kept. One that could not waits on, and is given out again when
    /// one of its parts comes again, or when it is overdue.
    pub fn settle(&mut self, whole: &Whole, kept: bool, now: Timestamp) {
        let key = (whole.ends.clone(), whole.reference, whole.total);
        let Some(waiting) = self.waiting.get_mut(&key).filter(|one| one.serial == whole.serial) else {
            return;
        };
        waiting.phase = if kept { Phase::Kept } else { Phase::Collecting };
        waiting.since = now;
        self.ages.insert((now, key));
    }

    /// Whether the text that this part belongs to was kept.
    #[must_use]
    pub fn is_kept(&self, ends: &Ends, place: Place) -> bool {
        let key = (ends.clone(), place.reference, u32::from(place.total));
        self.waiting.get(&key).is_some_and(|waiting| matches!(waiting.phase, Phase::Kept))
    }

    /// Gives out a text whose parts waited for [`PATIENCE`], or that is one too many, with a mark where parts are
    /// missing; forgets kept ones as old.
    pub fn overdue(&mut self, now: Timestamp) -> Option<Whole> {
        loop {
            let (since, key) = self.ages.first()?;
            if since.plus(PATIENCE) > now && self.ages.len() <= MAX_WAITING {
                return None;
            }
            let key = key.clone();
            match self.waiting.get(&key)?.phase {
                Phase::Kept => self.forget(&key),
                Phase::Collecting | Phase::Given => return self.give(&key),
            }
        }
    }

    /// How many texts are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn forget(&mut self, key: &Key) {
        if let Some(waiting) = self.waiting.remove(key) {
            self.ages.remove(&(waiting.since, key.clone()));
        }
    }

    fn give(&mut self, key: &Key) -> Option<Whole> {
        let waiting = self.waiting.get_mut(key)?;
        waiting.phase = Phase::Given;
        self.ages.remove(&(waiting.since, key.clone()));
        let (ends, reference, total) = key.clone();
        let mut text = String::new();
        let mut run: Vec<&Part> = Vec::new();
        for index in 1..=u8::try_from(total).unwrap_or(u8::MAX) {
            if let Some(part) = waiting.parts.get(&index) {
                run.push(part);
                continue;
            }
            text.push_str(&decode(run.drain(..)));
            if !text.ends_with(GAP) {
                text.push_str(GAP);
            }
        }
        text.push_str(&decode(run));
        let parts = u32::try_from(waiting.parts.len()).unwrap_or(u32::MAX);
        Some(Whole { ends, text: Personal::new(text), parts, total, reference, serial: waiting.serial })
    }
}

#[cfg(test)]
mod tests;
