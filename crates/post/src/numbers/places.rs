//! Countries and calling codes, as far as they are needed to write a number for people. A number of a country that is
//! not in the table is written without groups.

use base::PhoneNumber;

/// A country as the telephone knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1, two capitals.
    pub iso: &'static str,
    /// Its English name.
    pub name: &'static str,
    /// Its calling code.
    pub calling: &'static str,
    /// What is dialled before the area code within the country.
    pub trunk: &'static str,
}

const fn country(
    iso: &'static str,
    name: &'static str,
    calling: &'static str,
    trunk: &'static str,
) -> Country {
    Country { iso, name, calling, trunk }
}

/// Several countries share the code 1; the first of them stands for all where only the number is known.
static COUNTRIES: &[Country] = &[
    country("US", "United States", "1", ""),
    country("CA", "Canada", "1", ""),
    country("PR", "Puerto Rico", "1", ""),
    country("AT", "Austria", "43", "0"),
    country("AU", "Australia", "61", "0"),
    country("BE", "Belgium", "32", "0"),
    country("BR", "Brazil", "55", "0"),
    country("CH", "Switzerland", "41", "0"),
    country("CZ", "Czechia", "420", ""),
    country("DE", "Germany", "49", "0"),
    country("DK", "Denmark", "45", ""),
    country("EE", "Estonia", "372", ""),
    country("ES", "Spain", "34", ""),
    country("FI", "Finland", "358", "0"),
    country("FR", "France", "33", "0"),
    country("GB", "United Kingdom", "44", "0"),
    country("HK", "Hong Kong SAR", "852", ""),
    country("IE", "Ireland", "353", "0"),
    country("IN", "India", "91", "0"),
    country("IT", "Italy", "39", ""),
    country("JP", "Japan", "81", "0"),
    country("KR", "South Korea", "82", "0"),
    country("LT", "Lithuania", "370", "0"),
    country("LU", "Luxembourg", "352", ""),
    country("LV", "Latvia", "371", ""),
    country("MX", "Mexico", "52", ""),
    country("MY", "Malaysia", "60", "0"),
    country("NL", "Netherlands", "31", "0"),
    country("NO", "Norway", "47", ""),
    country("NZ", "New Zealand", "64", "0"),
    country("PL", "Poland", "48", ""),
    country("PT", "Portugal", "351", ""),
    country("SE", "Sweden", "46", "0"),
    country("SG", "Singapore", "65", ""),
    country("SK", "Slovakia", "421", "0"),
    country("TH", "Thailand", "66", "0"),
    country("TW", "Taiwan", "886", "0"),
    country("ZA", "South Africa", "27", "0"),
];

/// The country of these two letters.
#[must_use]
pub fn by_iso(iso: &str) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| country.iso.eq_ignore_ascii_case(iso))
}

/// The English name of a country; its two letters when it has none here.
#[must_use]
pub fn name(iso: &str) -> &str {
    by_iso(iso).map_or(iso, |country| country.name)
}

/// The country whose calling code the number begins with.
#[must_use]
pub fn of(number: &PhoneNumber) -> Option<&'static Country> {
    COUNTRIES.iter().find(|country| number.digits().starts_with(country.calling))
}

/// A number as people write it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Within its country: `(425) 555-0123`.
    pub national: base::Personal<String>,
    /// From anywhere: `+1 425-555-0123`.
    pub international: base::Personal<String>,
}

/// Writes a number for people.
#[must_use]
pub fn write(number: &PhoneNumber) -> Written {
    let Some(country) = of(number) else {
        return Written {
            national: number.digits().to_owned().into(),
            international: number.expose().to_owned().into(),
        };
    };
    let rest = &number.digits()[country.calling.len()..];
    let (national, international) = match (country.calling, rest.len()) {
        ("1", 10) => {
            let (area, exchange, line) = (&rest[..3], &rest[3..6], &rest[6..]);
            (format!("({area}) {exchange}-{line}"), format!("{area}-{exchange}-{line}"))
        }
        _ => {
            let grouped = groups(rest);
            (format!("{}{grouped}", country.trunk), grouped)
        }
    };
    Written {
        national: national.into(),
        international: format!("+{} {international}", country.calling).into(),
    }
}

/// Digits in groups of three, the last of three to five.
fn groups(digits: &str) -> String {
    let (mut out, mut rest) = (String::new(), digits);
    while rest.len() > 5 {
        let (group, after) = rest.split_at(3);
        out.push_str(group);
        out.push(' ');
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn written(number: &str) -> (String, String) {
        let written = write(&number.parse().unwrap());
        (written.national.into_inner(), written.international.into_inner())
    }

    #[test]
    fn numbers_are_written_for_people() {
        for (number, national, international) in [
            ("+14255550123", "(425) 555-0123", "+1 425-555-0123"),
            ("+442079460123", "0207 946 0123", "+44 207 946 0123"),
            ("+4917604069012", "0176 040 69012", "+49 176 040 69012"),
            ("+4560123456", "601 23456", "+45 601 23456"),
            ("+9991234567", "9991234567", "+9991234567"),
        ] {
            let (within, abroad) = written(number);
            assert_eq!((within.as_str(), abroad.as_str()), (national, international));
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            assert_eq!(digits(&abroad), number[1..], "no digit is lost");
        }
    }

    #[test]
    fn every_country_is_found_by_its_letters() {
        let all: BTreeSet<_> = COUNTRIES.iter().map(|country| country.iso).collect();
        assert_eq!(all.len(), COUNTRIES.len());
        assert_eq!(by_iso("gb").map(|country| country.name), Some("United Kingdom"));
        assert_eq!((name("US"), name("XX")), ("United States", "XX"));
        assert_eq!(of(&"+353851234567".parse().unwrap()).map(|country| country.iso), Some("IE"));
    }

    #[test]
    fn no_calling_code_hides_another() {
        for (at, one) in COUNTRIES.iter().enumerate() {
            let hidden = COUNTRIES[..at]
                .iter()
                .find(|earlier| one.calling.starts_with(earlier.calling) && one.calling != earlier.calling);
            assert_eq!(hidden, None, "{}", one.iso);
        }
    }
}
