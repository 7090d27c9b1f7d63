//! The tables of the languages of India (3GPP TS 23.038, annex A.2 and A.3). Nine of them are laid out alike: the blocks of
//! their scripts in Unicode have the same order, and the tables follow it, so a table is the base of its block, the places
//! that its script leaves empty, and what stands at the end. Urdu has an order of its own.

/// A place that holds the next of [`Script::last`].
const LAST: u8 = 0x7f;
/// The places of a locking table: from 0x80 the distance from the base of the block, otherwise the character itself.
#[rustfmt::skip]
const PLACES: [u8; 128] = [
    0x81, 0x82, 0x83, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, b'\n', 0x8c, 0x8d, b'\r', 0x8e, 0x8f,
    0x90, 0x91, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0x1b, 0x9b, 0x9c, 0x9d, 0x9e,
    b' ', b'!', 0x9f, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, b')', b'(', 0xa5, 0xa6, b',', 0xa7, b'.', 0xa8,
    b'0', b'1', b'2', b'3', b'4', b'5', b'6', b'7', b'8', b'9', b':', b';', 0xa9, 0xaa, 0xab, b'?',
    0xac, 0xad, 0xae, 0xaf, 0xb0, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xbc, 0xbd,
    0xbe, 0xbf, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd,
    LAST, b'a', b'b', b'c', b'd', b'e', b'f', b'g', b'h', b'i', b'j', b'k', b'l', b'm', b'n', b'o',
    b'p', b'q', b'r', b's', b't', b'u', b'v', b'w', b'x', b'y', b'z', LAST, LAST, LAST, LAST, LAST,
];

/// One script.
pub(super) struct Script {
    /// The first code point of its block.
    base: u32,
    /// The distances from it that have no character.
    absent: &'static [u8],
    /// What stands at 0x60 and from 0x7b on.
    last: [char; 6],
    /// What stands in the single shift table at 0x19 and 0x1a.
    signs: [char; 2],
    /// What stands there behind the digits zero to nine, from 0x26 on, around the brackets and the backslash.
    more: &'static str,
}

pub(super) const BENGALI: Script = Script {
    base: 0x980,
    absent: &[0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x33, 0x34, 0x35, 0x45, 0x46, 0x49, 0x4a],
    last: ['\u{9ce}', '\u{9d7}', '\u{9dc}', '\u{9dd}', '\u{9f0}', '\u{9f1}'],
    // Its digits begin where the others have signs.
    signs: ['\u{9e6}', '\u{9e7}'],
    more: "\u{9df}\u{9e0}\u{9e1}\u{9e2}\u{9e3}\u{9f2}\u{9f3}\u{9f4}\u{9f5}\u{9f6}\u{9f7}\u{9f8}\u{9f9}\u{9fa}",
};
pub(super) const GUJARATI: Script = Script {
    base: 0xa80,
    absent: &[0x0e, 0x12, 0x29, 0x31, 0x34, 0x46, 0x4a],
    last: ['\u{ad0}', '\u{ae0}', '\u{ae1}', '\u{ae2}', '\u{ae3}', '\u{af1}'],
    signs: DANDAS,
    more: "",
};
pub(super) const HINDI: Script = Script {
    base: 0x900,
    absent: &[],
    last: ['\u{950}', '\u{972}', '\u{97b}', '\u{97c}', '\u{97e}', '\u{97f}'],
    signs: DANDAS,
    more: "\u{951}\u{952}\u{953}\u{954}\u{958}\u{959}\u{95a}\u{95b}\u{95c}\u{95d}\u{95e}\u{95f}\u{960}\u{961}\u{962}\u{963}\u{970}\u{971}",
};
pub(super) const KANNADA: Script = Script {
    base: 0xc80,
    absent: &[0x01, 0x0d, 0x11, 0x29, 0x34, 0x45, 0x49],
    last: ['\u{cd5}', '\u{cd6}', '\u{ce0}', '\u{ce1}', '\u{ce2}', '\u{ce3}'],
    signs: DANDAS,
    more: "\u{cde}\u{cf1}\u{cf2}",
};
pub(super) const MALAYALAM: Script = Script {
    base: 0xd00,
    absent: &[0x01, 0x0d, 0x11, 0x29, 0x3c, 0x45, 0x49],
    last: ['\u{d57}', '\u{d60}', '\u{d61}', '\u{d62}', '\u{d63}', '\u{d79}'],
    signs: DANDAS,
    more: "\u{d70}\u{d71}\u{d72}\u{d73}\u{d74}\u{d75}\u{d7a}\u{d7b}\u{d7c}\u{d7d}\u{d7e}\u{d7f}",
};
pub(super) const ORIYA: Script = Script {
    base: 0xb00,
    absent: &[0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x34, 0x45, 0x46, 0x49, 0x4a],
    last: ['\u{b56}', '\u{b57}', '\u{b60}', '\u{b61}', '\u{b62}', '\u{b63}'],
    signs: DANDAS,
    more: "\u{b5c}\u{b5d}\u{b5f}\u{b70}\u{b71}",
};
pub(super) const PUNJABI: Script = Script {
    base: 0xa00,
    absent: &[
        0x0b, 0x0c, 0x0d, 0x0e, 0x11, 0x12, 0x29, 0x31, 0x34, 0x37, 0x3d, 0x43, 0x44, 0x45, 0x46, 0x49, 0x4a,
    ],
    last: ['\u{a51}', '\u{a70}', '\u{a71}', '\u{a72}', '\u{a73}', '\u{a74}'],
    signs: DANDAS,
    more: "\u{a59}\u{a5a}\u{a5b}\u{a5c}\u{a5e}\u{a75}",
};
pub(super) const TAMIL: Script = Script {
    base: 0xb80,
    absent: &[
        0x01, 0x0b, 0x0c, 0x0d, 0x11, 0x16, 0x17, 0x18, 0x1b, 0x1d, 0x20, 0x21, 0x22, 0x25, 0x26, 0x27, 0x2b,
        0x2c, 0x2d, 0x3c, 0x3d, 0x43, 0x44, 0x45, 0x49,
    ],
    last: ['\u{bd0}', '\u{bd7}', '\u{bf0}', '\u{bf1}', '\u{bf2}', '\u{bf9}'],
    signs: DANDAS,
    more: "\u{bf3}\u{bf4}\u{bf5}\u{bf6}\u{bf7}\u{bf8}\u{bfa}",
};
pub(super) const TELUGU: Script = Script {
    base: 0xc00,
    absent: &[0x0d, 0x11, 0x29, 0x34, 0x3c, 0x45, 0x49],
    last: ['\u{c55}', '\u{c56}', '\u{c60}', '\u{c61}', '\u{c62}', '\u{c63}'],
    signs: [' ', ' '],
    more: "\u{c58}\u{c59}\u{c78}\u{c79}\u{c7a}\u{c7b}\u{c7c}\u{c7d}\u{c7e}\u{c7f}",
};

/// The danda and the double danda, which most of these scripts share.
const DANDAS: [char; 2] = ['\u{964}', '\u{965}'];

/// The locking table of Urdu.
pub(super) const URDU_LOCKING: &str = concat!(
    "\u{627}\u{622}\u{628}\u{67b}\u{680}\u{67e}\u{6a6}\u{62a}\u{6c2}\u{67f}\n\u{679}\u{67d}\r\u{67a}\u{67c}",
    "\u{62b}\u{62c}\u{681}\u{684}\u{683}\u{685}\u{686}\u{687}\u{62d}\u{62e}\u{62f}\u{1b}\u{68c}\u{688}\u{689}\u{68a}",
    " !\u{68f}\u{68d}\u{630}\u{631}\u{691}\u{693})(\u{699}\u{632},\u{696}.\u{698}",
    "0123456789:;\u{69a}\u{633}\u{634}?",
    "\u{635}\u{636}\u{637}\u{638}\u{639}\u{641}\u{642}\u{6a9}\u{6aa}\u{6ab}\u{6af}\u{6b3}\u{6b1}\u{644}\u{645}\u{646}",
    "\u{6ba}\u{6bb}\u{6bc}\u{648}\u{6c4}\u{6d5}\u{6c1}\u{6be}\u{621}\u{6cc}\u{6d0}\u{6d2}\u{64d}\u{650}\u{64f}\u{657}",
    "\u{654}abcdefghijklmno",
    "pqrstuvwxyz\u{655}\u{651}\u{653}\u{656}\u{670}",
);

/// What the single shift tables of India begin and end with.
const BEFORE: &str = concat!("@£$¥¿\"¤%&'\u{c}*+ -/", "<=>¡^¡_#*");
const AFTER: &str = concat!("|ABCDEFGHIJKLMNO", "PQRSTUVWXYZ     ", "     €          ", "                ");

impl Script {
    /// Its locking table.
    pub(super) fn locking(&self) -> String {
        let mut last = self.last.into_iter();
        let character = |place: u8| match place {
            LAST => last.next().unwrap_or(' '),
            0x80.. if self.absent.contains(&(place - 0x80)) => ' ',
            0x80.. => char::from_u32(self.base + u32::from(place - 0x80)).unwrap_or(' '),
            ascii => char::from(ascii),
        };
        PLACES.into_iter().map(character).collect()
    }

    /// Its single shift table.
    pub(super) fn single(&self) -> String {
        let digits = (0x66..0x70).filter_map(|distance| char::from_u32(self.base + distance));
        // Bengali has its first two digits in the place of signs.
        let digits: Vec<_> = digits.filter(|digit| !self.signs.contains(digit)).collect();
        let behind: Vec<_> = digits.into_iter().chain(self.more.chars()).collect();
        single(self.signs, &behind, ['[', '~', ']', ' '])
    }
}

/// The single shift table of Urdu.
pub(super) fn urdu_single() -> String {
    let digits = (0x6f0..0x6fa).filter_map(char::from_u32);
    let more = "\u{60c}\u{60d}\u{60e}\u{60f}\u{610}\u{611}\u{612}\u{613}\u{614}\u{61b}\u{61f}\u{640}\u{652}\u{658}\u{66b}\u{66c}\u{672}\u{673}\u{6cd}";
    let behind: Vec<_> = digits.chain(more.chars()).collect();
    single(['\u{600}', '\u{601}'], &behind, ['[', '~', ']', '\u{6d4}'])
}

/// Lays a single shift table out: two signs, then what follows them around the escape, the brackets and the backslash.
fn single(signs: [char; 2], behind: &[char], end: [char; 4]) -> String {
    let mut behind = behind.iter().copied();
    let mut table = BEFORE.to_owned();
    table.extend(signs);
    for code in 0x1b..0x3c_u8 {
        table.push(match code {
            0x1b => ' ',
            0x28 => '{',
            0x29 => '}',
            0x2f => '\\',
            _ => behind.next().unwrap_or(' '),
        });
    }
    table.extend(end);
    table.push_str(AFTER);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_table_has_the_characters_of_the_standard_at_known_places() {
        let at = |table: &str, code: usize| table.chars().nth(code);
        let hindi = HINDI.locking();
        assert_eq!(
            (at(&hindi, 0x00), at(&hindi, 0x15), at(&hindi, 0x7f)),
            (Some('ँ'), Some('क'), Some('\u{97f}'))
        );
        assert_eq!(
            (at(&hindi, 0x4f), at(&hindi, 0x5f), at(&hindi, 0x60)),
            (Some('ऽ'), Some('\u{94d}'), Some('ॐ'))
        );
        let single = HINDI.single();
        assert_eq!(
            (at(&single, 0x19), at(&single, 0x1c), at(&single, 0x25)),
            (Some('।'), Some('०'), Some('९'))
        );
        assert_eq!(
            (at(&single, 0x26), at(&single, 0x2a), at(&single, 0x30)),
            (Some('\u{951}'), Some('\u{953}'), Some('\u{95b}'))
        );
        assert_eq!(
            (at(&single, 0x3a), at(&single, 0x3b), at(&single, 0x65)),
            (Some('\u{971}'), Some(' '), Some('€'))
        );
        let bengali = BENGALI.single();
        assert_eq!(
            (at(&bengali, 0x19), at(&bengali, 0x1c), at(&bengali, 0x24)),
            (Some('০'), Some('২'), Some('\u{9df}'))
        );
        assert_eq!(
            (at(&bengali, 0x27), at(&bengali, 0x2a), at(&bengali, 0x34)),
            (Some('\u{9e2}'), Some('\u{9e3}'), Some('\u{9fa}'))
        );
        let urdu = urdu_single();
        assert_eq!(
            (at(&urdu, 0x1a), at(&urdu, 0x2f), at(&urdu, 0x3b)),
            (Some('\u{601}'), Some('\\'), Some('\u{6cd}'))
        );
        assert_eq!(
            (at(&urdu, 0x3c), at(&urdu, 0x3f), at(URDU_LOCKING, 0x60)),
            (Some('['), Some('\u{6d4}'), Some('\u{654}'))
        );
        assert_eq!((at(&TELUGU.single(), 0x19), at(&TELUGU.single(), 0x33)), (Some(' '), Some(' ')));
    }
}
