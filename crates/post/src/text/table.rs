//! The alphabets of 3GPP TS 23.038: the default alphabet and its extension table (section 6.2.1), and the national
//! language tables of annex A. Each is written as its 128 characters in order, sixteen a row. A blank anywhere but at
//! 0x20 is a code without a character, `\u{1b}` is the escape to the extension table.

use super::alphabet::Language;

/// The default alphabet.
pub(super) const DEFAULT: &str = concat!(
    "@£$¥èéùìòÇ\nØø\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ",
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "¿abcdefghijklmno",
    "pqrstuvwxyzäöñüà",
);

/// The extension of the default alphabet.
pub(super) const EXTENSION: &str = concat!(
    "          \u{c}     ",
    "    ^           ",
    "        {}     \\",
    "            [~] ",
    "|               ",
    "                ",
    "     €          ",
    "                ",
);

const TURKISH_LOCKING: &str = concat!(
    "@£$¥€éùıòÇ\nĞğ\rÅå",
    "Δ_ΦΓΛΩΠΨΣΘΞ\u{1b}ŞşßÉ",
    " !\"#¤%&'()*+,-./",
    "0123456789:;<=>?",
    "İABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÄÖÑÜ§",
    "çabcdefghijklmno",
    "pqrstuvwxyzäöñüà",
);

const TURKISH_SINGLE: &str = concat!(
    "          \u{c}     ",
    "    ^           ",
    "        {}     \\",
    "            [~] ",
    "|      Ğ İ      ",
    "   Ş            ",
    "   ç € ğ ı      ",
    "   ş            ",
);

const SPANISH_SINGLE: &str = concat!(
    "         ç\u{c}     ",
    "    ^           ",
    "        {}     \\",
    "            [~] ",
    "|Á       Í     Ó",
    "     Ú          ",
    " á   €   í     ó",
    "     ú          ",
);

const PORTUGUESE_LOCKING: &str = concat!(
    "@£$¥êéúíóç\nÔô\rÁá",
    "Δ_ªÇÀ∞^\\€Ó|\u{1b}ÂâÊÉ",
    " !\"#º%&'()*+,-./",
    "0123456789:;<=>?",
    "ÍABCDEFGHIJKLMNO",
    "PQRSTUVWXYZÃÕÚÜ§",
    "~abcdefghijklmno",
    "pqrstuvwxyzãõ`üà",
);

const PORTUGUESE_SINGLE: &str = concat!(
    "     ê   ç\u{c}Ôô Áá",
    "  ΦΓ^ΩΠΨΣΘ     Ê",
    "        {}     \\",
    "            [~] ",
    "|À       Í     Ó",
    "     Ú     ÃÕ   ",
    " Â   €   í     ó",
    "     ú     ãõ  â",
);

/// The locking shift table of a language; Spanish has none.
pub(super) const fn locking(language: Language) -> Option<&'static str> {
    match language {
        Language::Turkish => Some(TURKISH_LOCKING),
        Language::Spanish => None,
        Language::Portuguese => Some(PORTUGUESE_LOCKING),
    }
}

/// The single shift table of a language.
pub(super) const fn single(language: Language) -> &'static str {
    match language {
        Language::Turkish => TURKISH_SINGLE,
        Language::Spanish => SPANISH_SINGLE,
        Language::Portuguese => PORTUGUESE_SINGLE,
    }
}
