//! The alphabets of 3GPP TS 23.038: the default alphabet and its extension table (section 6.2.1), and the national
//! language tables of annex A. Each is written as its 128 characters in order, sixteen a row. A blank anywhere but at
//! 0x20 is a code without a character, `\u{1b}` is the escape to the extension table.

mod brahmic;

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
pub(super) fn locking(language: Language) -> Option<String> {
    Some(match language {
        Language::Turkish => TURKISH_LOCKING.to_owned(),
        Language::Spanish => return None,
        Language::Portuguese => PORTUGUESE_LOCKING.to_owned(),
        Language::Urdu => brahmic::URDU_LOCKING.to_owned(),
        _ => script(language)?.locking(),
    })
}

/// The single shift table of a language.
pub(super) fn single(language: Language) -> String {
    match language {
        Language::Turkish => TURKISH_SINGLE.to_owned(),
        Language::Spanish => SPANISH_SINGLE.to_owned(),
        Language::Portuguese => PORTUGUESE_SINGLE.to_owned(),
        _ => script(language).map_or_else(brahmic::urdu_single, brahmic::Script::single),
    }
}

const fn script(language: Language) -> Option<&'static brahmic::Script> {
    Some(match language {
        Language::Bengali => &brahmic::BENGALI,
        Language::Gujarati => &brahmic::GUJARATI,
        Language::Hindi => &brahmic::HINDI,
        Language::Kannada => &brahmic::KANNADA,
        Language::Malayalam => &brahmic::MALAYALAM,
        Language::Oriya => &brahmic::ORIYA,
        Language::Punjabi => &brahmic::PUNJABI,
        Language::Tamil => &brahmic::TAMIL,
        Language::Telugu => &brahmic::TELUGU,
        Language::Turkish | Language::Spanish | Language::Portuguese | Language::Urdu => return None,
    })
}
