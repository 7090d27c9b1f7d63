//! Characters to septets and back, by the default alphabet of 3GPP TS 23.038 or a national one.

use std::sync::LazyLock;

use super::table;

/// The escape to the extension table.
pub(super) const ESCAPE: u8 = 0x1b;

/// A national language with tables of its own (TS 23.038, section 6.2.1.2.4); the numbers are its language identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Language {
    /// Turkish.
    Turkish = 1,
    /// Spanish: a single shift table only.
    Spanish = 2,
    /// Portuguese.
    Portuguese = 3,
    /// Bengali and Assamese.
    Bengali = 4,
    /// Gujarati.
    Gujarati = 5,
    /// Hindi.
    Hindi = 6,
    /// Kannada.
    Kannada = 7,
    /// Malayalam.
    Malayalam = 8,
    /// Oriya.
    Oriya = 9,
    /// Punjabi.
    Punjabi = 10,
    /// Tamil.
    Tamil = 11,
    /// Telugu.
    Telugu = 12,
    /// Urdu.
    Urdu = 13,
}

impl Language {
    /// Every language, by its identifier.
    pub const ALL: [Self; 13] = [
        Self::Turkish,
        Self::Spanish,
        Self::Portuguese,
        Self::Bengali,
        Self::Gujarati,
        Self::Hindi,
        Self::Kannada,
        Self::Malayalam,
        Self::Oriya,
        Self::Punjabi,
        Self::Tamil,
        Self::Telugu,
        Self::Urdu,
    ];

    /// The language that has this identifier.
    #[must_use]
    pub fn from_identifier(identifier: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.identifier() == identifier)
    }

    /// Its language identifier, as it stands in a user data header.
    #[must_use]
    pub const fn identifier(self) -> u8 {
        self as u8
    }

    /// Whether it has a locking shift table.
    #[must_use]
    pub const fn has_locking(self) -> bool {
        !matches!(self, Self::Spanish)
    }
}

/// Which tables a text is written with: the default ones where none is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shifts {
    /// In place of the default alphabet.
    pub locking: Option<Language>,
    /// In place of the extension table.
    pub single: Option<Language>,
}

/// One table, both ways.
struct Table {
    characters: [Option<char>; 128],
    /// Codes of the characters of ASCII; [`Table::NONE`] where it has none.
    ascii: [u8; 128],
    /// Codes of all others, by character.
    others: Vec<(char, u8)>,
}

impl Table {
    const NONE: u8 = 0xff;

    fn read(text: &str) -> Self {
        let mut table = Self { characters: [None; 128], ascii: [Self::NONE; 128], others: Vec::new() };
        for (code, character) in (0_u8..128).zip(text.chars()) {
            if character == '\u{1b}' || (character == ' ' && code != 0x20) {
                continue;
            }
            table.characters[usize::from(code)] = Some(character);
            match table.ascii.get_mut(character as usize) {
                Some(slot) if *slot == Self::NONE => *slot = code,
                Some(_) => {}
                None => table.others.push((character, code)),
            }
        }
        table.others.sort_unstable();
        table
    }

    fn code(&self, character: char) -> Option<u8> {
        if let Some(&code) = self.ascii.get(character as usize) {
            return (code != Self::NONE).then_some(code);
        }
        let at = self.others.partition_point(|(other, _)| *other < character);
        self.others.get(at).filter(|(other, _)| *other == character).map(|(_, code)| *code)
    }

    fn character(&self, code: u8) -> Option<char> {
        self.characters[usize::from(code & 0x7f)]
    }
}

static DEFAULT: LazyLock<Table> = LazyLock::new(|| Table::read(table::DEFAULT));
static EXTENSION: LazyLock<Table> = LazyLock::new(|| Table::read(table::EXTENSION));
static LOCKING: LazyLock<Vec<Table>> = LazyLock::new(|| {
    let of = |one| table::locking(one).unwrap_or_else(|| table::DEFAULT.to_owned());
    Language::ALL.into_iter().map(|one| Table::read(&of(one))).collect()
});
static SINGLE: LazyLock<Vec<Table>> =
    LazyLock::new(|| Language::ALL.into_iter().map(|one| Table::read(&table::single(one))).collect());

/// The two tables that a text is written with.
#[derive(Clone, Copy)]
pub(super) struct Alphabet {
    main: &'static Table,
    extension: &'static Table,
}

/// A character as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Septets {
    One(u8),
    /// Behind an escape; the two must not be parted.
    Escaped(u8),
}

impl Septets {
    pub(super) const fn len(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Escaped(_) => 2,
        }
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::One(code) => out.push(code),
            Self::Escaped(code) => out.extend([ESCAPE, code]),
        }
    }
}

impl Alphabet {
    pub(super) fn of(shifts: Shifts) -> Self {
        let of = |tables: &'static [Table], language: Option<Language>| {
            language.and_then(|one| tables.get(usize::from(one.identifier()) - 1))
        };
        Self {
            main: of(&LOCKING, shifts.locking).unwrap_or(&DEFAULT),
            extension: of(&SINGLE, shifts.single).unwrap_or(&EXTENSION),
        }
    }

    pub(super) fn septets(self, character: char) -> Option<Septets> {
        if let Some(code) = self.main.code(character) {
            return Some(Septets::One(code));
        }
        self.extension.code(character).map(Septets::Escaped)
    }

    /// How many septets `text` takes; `None` when it cannot be written with these tables.
    pub(super) fn measure(self, text: &str) -> Option<usize> {
        text.chars().try_fold(0, |sum, character| Some(sum + self.septets(character)?.len()))
    }

    /// What septets say. An escaped code without a character shows that of the main table, and an escape behind an escape
    /// or at the end a blank, as TS 23.038 asks of receivers. The high bit of each octet is not looked at.
    pub(super) fn read(self, septets: &[u8], out: &mut String) {
        let mut codes = septets.iter().map(|octet| octet & 0x7f);
        while let Some(code) = codes.next() {
            let character = if code == ESCAPE {
                match codes.next() {
                    None | Some(ESCAPE) => None,
                    Some(next) => self.extension.character(next).or_else(|| self.main.character(next)),
                }
            } else {
                self.main.character(code)
            };
            out.push(character.unwrap_or(' '));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str, shifts: Shifts) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for character in text.chars() {
            Alphabet::of(shifts).septets(character)?.write(&mut out);
        }
        Some(out)
    }

    fn all_shifts() -> Vec<Shifts> {
        let mut languages: Vec<_> = Language::ALL.into_iter().map(Some).collect();
        languages.push(None);
        let pairs = languages
            .iter()
            .flat_map(|&locking| languages.iter().map(move |&single| Shifts { locking, single }));
        pairs.collect()
    }

    #[test]
    fn each_table_has_128_places() {
        let mut tables = vec![table::DEFAULT.to_owned(), table::EXTENSION.to_owned()];
        tables.extend(Language::ALL.into_iter().filter_map(table::locking));
        tables.extend(Language::ALL.into_iter().map(table::single));
        for table in tables {
            assert_eq!(table.chars().count(), 128, "{table}");
        }
    }

    #[test]
    fn known_codes_of_the_default_alphabet() {
        let none = Shifts::default();
        assert_eq!(write("@\u{e0}A z", none), Some(vec![0, 0x7f, 0x41, 0x20, 0x7a]));
        assert_eq!(write("\u{20ac}[]{}\\^~|", none).map(|codes| codes.len()), Some(18));
        assert_eq!(write("\u{20ac}", none), Some(vec![0x1b, 0x65]));
        assert_eq!(write("`", none), None, "a backtick has no code");
        assert_eq!(write("\u{e7}", none), None, "only the capital cedilla");
        assert_eq!(write("\u{1b}", none), None, "an escape is not a character");
    }

    #[test]
    fn known_codes_of_the_languages() {
        let only = |language| Shifts { locking: None, single: Some(language) };
        let whole = |language| Shifts { locking: Some(language), single: Some(language) };
        assert_eq!(write("ğ", only(Language::Turkish)), Some(vec![0x1b, 0x67]));
        assert_eq!(write("ğıŞ", whole(Language::Turkish)), Some(vec![0x0c, 0x07, 0x1c]));
        assert_eq!(write("á", only(Language::Spanish)), Some(vec![0x1b, 0x61]));
        assert_eq!(write("ãç", whole(Language::Portuguese)), Some(vec![0x7b, 0x09]));
        assert_eq!(write("Ã", only(Language::Portuguese)), Some(vec![0x1b, 0x5b]));
        assert!(!Language::Spanish.has_locking() && Language::Turkish.has_locking());
        assert_eq!(Language::from_identifier(3), Some(Language::Portuguese));
        assert_eq!((Language::from_identifier(0), Language::from_identifier(200)), (None, None));
    }

    #[test]
    fn what_every_table_can_write_it_reads_back() {
        for shifts in all_shifts() {
            let alphabet = Alphabet::of(shifts);
            let mut known = 0;
            for character in (0_u32..0x3000).filter_map(char::from_u32) {
                let Some(septets) = alphabet.septets(character) else { continue };
                let (mut codes, mut text) = (Vec::new(), String::new());
                septets.write(&mut codes);
                alphabet.read(&codes, &mut text);
                assert_eq!(text, character.to_string(), "{shifts:?}");
                assert_eq!(codes.len(), septets.len());
                known += 1;
            }
            assert!((90..=300).contains(&known), "{shifts:?} knows {known}");
        }
    }

    #[test]
    fn reading_never_fails() {
        let read = |codes: &[u8]| {
            let mut text = String::new();
            Alphabet::of(Shifts::default()).read(codes, &mut text);
            text
        };
        assert_eq!(read(&[0x41, 0x1b]), "A ");
        assert_eq!(read(&[0x1b, 0x1b, 0x42]), " B");
        assert_eq!(read(&[0x1b, 0x41]), "A", "no such extension: the main table's");
        assert_eq!(read(&[0xc1]), "A");
        assert_eq!(read(&(0..=255).collect::<Vec<_>>()).chars().count(), 254);
    }
}
