//! One text cut into segments of at most 140 octets (3GPP TS 23.040, section 9.2.3.24), in the smallest coding that can
//! write it: the default alphabet, a national one that the carrier understands, or UCS-2.

use super::alphabet::{Alphabet, Language, Shifts};

/// The octets of one segment, user data header and all.
pub const SEGMENT_OCTETS: usize = 140;
/// The most segments one text may have: their number is one octet.
pub const MAX_SEGMENTS: usize = 255;

/// How the characters of a text are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// Septets; here one to an octet, as SMPP carries them.
    Gsm(Shifts),
    /// UTF-16, the high octet first.
    Ucs2,
}

/// The number that the segments of one text have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// One octet (information element 0x00).
    Short(u8),
    /// Two octets (0x08): one octet more of each segment, but it comes again later.
    Long(u16),
}

/// A text that would have more than [`MAX_SEGMENTS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text would take more than {MAX_SEGMENTS} segments")]
pub struct TooLong;

/// How large a text is when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How it is written.
    pub coding: Coding,
    /// In how many segments; an empty text has one.
    pub segments: usize,
}

/// One segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The user data header with its length octet; empty when there is none.
    pub header: Vec<u8>,
    /// The characters: a septet to an octet, or UTF-16.
    pub body: Vec<u8>,
}

/// A text, cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How it is written.
    pub coding: Coding,
    /// At least one.
    pub segments: Vec<Segment>,
}

impl Segment {
    /// Its octets on the air: septets packed, the header filled up to a whole septet.
    #[must_use]
    pub fn octets(&self, coding: Coding) -> usize {
        match coding {
            Coding::Gsm(_) => (self.header.len() * 8).div_ceil(7).saturating_add(self.body.len()) * 7,
            Coding::Ucs2 => (self.header.len() + self.body.len()) * 8,
        }
        .div_ceil(8)
    }
}

/// How large `text` is, with references of one octet. `languages` are the national tables that may be used.
///
/// # Errors
/// When it takes more than [`MAX_SEGMENTS`].
pub fn measure(text: &str, languages: &[Language]) -> Result<Size, TooLong> {
    size(text, languages, SHORT_ELEMENT)
}

/// Cuts `text`. No segment ends between an escape and its code, or between two surrogates. `languages` are the national
/// tables that may be used.
///
/// # Errors
/// When it takes more than [`MAX_SEGMENTS`].
pub fn split(text: &str, languages: &[Language], reference: Reference) -> Result<Segments, TooLong> {
    let concatenation = match reference {
        Reference::Short(_) => SHORT_ELEMENT,
        Reference::Long(_) => LONG_ELEMENT,
    };
    let Size { coding, segments: total } = size(text, languages, concatenation)?;
    let limit = Room::of(coding, if total > 1 { concatenation } else { 0 });
    let mut bodies = Vec::with_capacity(total);
    let mut body = Vec::new();
    each_unit(text, coding, |unit| {
        if body.len() + unit.len() > limit.units * limit.unit {
            bodies.push(std::mem::take(&mut body));
        }
        unit.write(&mut body);
    });
    bodies.push(body);
    debug_assert_eq!(bodies.len(), total);
    let total = u8::try_from(bodies.len()).map_err(|_| TooLong)?;
    let segments = (1_u8..=total).zip(bodies);
    let segments = segments
        .map(|(index, body)| Segment { header: header(coding, reference, total, index), body })
        .collect();
    Ok(Segments { coding, segments })
}

/// The octets of the information element for concatenation with a reference of one octet.
const SHORT_ELEMENT: usize = 5;
/// And of two octets.
const LONG_ELEMENT: usize = 6;

/// One character as it is sent.
enum Unit {
    Septets(super::alphabet::Septets),
    Utf16(char),
}

impl Unit {
    /// In octets of a [`Segment::body`].
    fn len(&self) -> usize {
        match self {
            Self::Septets(septets) => septets.len(),
            Self::Utf16(character) => character.len_utf16() * 2,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Septets(septets) => septets.write(out),
            Self::Utf16(character) => {
                let mut units = [0; 2];
                out.extend(character.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_be_bytes()));
            }
        }
    }
}

/// Calls `take` with each character; those that `coding` cannot write are left out (the coding was chosen so that there
/// is none).
fn each_unit(text: &str, coding: Coding, mut take: impl FnMut(Unit)) {
    match coding {
        Coding::Gsm(shifts) => {
            let alphabet = Alphabet::of(shifts);
            text.chars().filter_map(|one| alphabet.septets(one)).for_each(|one| take(Unit::Septets(one)));
        }
        Coding::Ucs2 => text.chars().for_each(|one| take(Unit::Utf16(one))),
    }
}

/// What a segment holds beside its header.
struct Room {
    /// Septets, or units of UTF-16.
    units: usize,
    /// Octets of a unit in a [`Segment::body`].
    unit: usize,
}

impl Room {
    /// Beside information elements for the tables of `coding` and one of `concatenation` octets.
    fn of(coding: Coding, concatenation: usize) -> Self {
        let header = header_len(coding, concatenation);
        match coding {
            Coding::Gsm(_) => Self { units: (SEGMENT_OCTETS - header) * 8 / 7, unit: 1 },
            Coding::Ucs2 => Self { units: (SEGMENT_OCTETS - header) / 2, unit: 2 },
        }
    }
}

fn header_len(coding: Coding, concatenation: usize) -> usize {
    let tables = match coding {
        Coding::Gsm(shifts) => {
            3 * (usize::from(shifts.locking.is_some()) + usize::from(shifts.single.is_some()))
        }
        Coding::Ucs2 => 0,
    };
    match tables + concatenation {
        0 => 0,
        elements => elements + 1,
    }
}

fn header(coding: Coding, reference: Reference, total: u8, index: u8) -> Vec<u8> {
    let mut elements = vec![0];
    match reference {
        _ if total == 1 => {}
        Reference::Short(number) => elements.extend([0x00, 3, number, total, index]),
        Reference::Long(number) => {
            let [high, low] = number.to_be_bytes();
            elements.extend([0x08, 4, high, low, total, index]);
        }
    }
    if let Coding::Gsm(shifts) = coding {
        let tables = [(0x24, shifts.single), (0x25, shifts.locking)];
        for (element, language) in tables {
            elements.extend(language.into_iter().flat_map(|one| [element, 1, one.identifier()]));
        }
    }
    match u8::try_from(elements.len() - 1) {
        Ok(0) | Err(_) => Vec::new(),
        Ok(len) => {
            elements[0] = len;
            elements
        }
    }
}

/// The coding that takes the fewest segments, and how many; of equals the plainest.
fn size(text: &str, languages: &[Language], concatenation: usize) -> Result<Size, TooLong> {
    let plain = Coding::Gsm(Shifts::default());
    if Alphabet::of(Shifts::default()).measure(text).is_some() {
        return within(Size { coding: plain, segments: count(text, plain, concatenation) });
    }
    let shifts = languages.iter().flat_map(|&language| {
        let (locking, single) = (language.has_locking().then_some(language), Some(language));
        [Shifts { locking: None, single }, Shifts { locking, single: None }, Shifts { locking, single }]
    });
    let writes = |shifts: &Shifts| Alphabet::of(*shifts).measure(text).is_some();
    let codings = shifts.filter(writes).map(Coding::Gsm).chain([Coding::Ucs2]);
    let sizes = codings.map(|coding| Size { coding, segments: count(text, coding, concatenation) });
    within(sizes.min_by_key(|size| size.segments).unwrap_or(Size { coding: Coding::Ucs2, segments: 1 }))
}

fn within(size: Size) -> Result<Size, TooLong> {
    if size.segments > MAX_SEGMENTS { Err(TooLong) } else { Ok(size) }
}

fn count(text: &str, coding: Coding, concatenation: usize) -> usize {
    let whole = filled(text, coding, 0);
    if whole == 1 { 1 } else { filled(text, coding, concatenation) }
}

/// How many segments are filled when each has `concatenation` octets of header beside the tables'.
fn filled(text: &str, coding: Coding, concatenation: usize) -> usize {
    let room = Room::of(coding, concatenation);
    let limit = room.units * room.unit;
    let (mut segments, mut used) = (1, 0);
    each_unit(text, coding, |unit| {
        if used + unit.len() > limit {
            segments += 1;
            used = 0;
        }
        used += unit.len();
    });
    segments
}

#[cfg(test)]
mod tests;
