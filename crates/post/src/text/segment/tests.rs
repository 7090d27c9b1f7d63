//! Segments against the numbers everyone knows, and properties that must hold for any text.

use proptest::prelude::*;

use super::*;

const SHORT: Reference = Reference::Short(7);
const PLAIN: Coding = Coding::Gsm(Shifts { locking: None, single: None });

fn size_of(text: &str) -> (Coding, usize) {
    let size = measure(text, &[]).unwrap();
    (size.coding, size.segments)
}

#[test]
fn segments_hold_160_153_70_67() {
    for (len, segments) in [(0, 1), (1, 1), (160, 1), (161, 2), (306, 2), (307, 3)] {
        assert_eq!(size_of(&"a".repeat(len)), (PLAIN, segments), "{len}");
    }
    for (len, segments) in [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3)] {
        assert_eq!(size_of(&"\u{4e2d}".repeat(len)), (Coding::Ucs2, segments), "{len}");
    }
    for (len, segments) in [(80, 1), (81, 2), (152, 2), (153, 3)] {
        assert_eq!(size_of(&"[".repeat(len)), (PLAIN, segments), "{len} brackets: 76 pairs a segment");
    }
    for (len, segments) in [(35, 1), (36, 2), (66, 2), (67, 3)] {
        assert_eq!(size_of(&"\u{1f600}".repeat(len)), (Coding::Ucs2, segments), "{len} pairs: 33 a segment");
    }
}

#[test]
fn a_text_may_have_255_segments_and_no_more() {
    assert_eq!(size_of(&"a".repeat(153 * 255)).1, 255);
    assert_eq!(measure(&"a".repeat(153 * 255 + 1), &[]), Err(TooLong));
    assert_eq!(split(&"a".repeat(153 * 255 + 1), &[], SHORT), Err(TooLong));
    assert_eq!(split(&"a".repeat(152 * 255), &[], Reference::Long(1)).unwrap().segments.len(), 255);
    assert_eq!(split(&"a".repeat(152 * 255 + 1), &[], Reference::Long(1)), Err(TooLong));
}

#[test]
fn headers_are_as_ts_23_040_has_them() {
    let two = split(&"a".repeat(161), &[], SHORT).unwrap();
    assert_eq!(two.segments[0].header, [5, 0, 3, 7, 2, 1]);
    assert_eq!(two.segments[1].header, [5, 0, 3, 7, 2, 2]);
    assert_eq!((two.segments[0].body.len(), two.segments[1].body.len()), (153, 8));
    assert_eq!(two.segments[0].octets(PLAIN), 140);
    let long = split(&"a".repeat(161), &[], Reference::Long(0x0102)).unwrap();
    assert_eq!(long.segments[1].header, [6, 8, 4, 1, 2, 2, 2]);
    assert_eq!(long.segments[0].body.len(), 152);
    let one = split("a", &[], SHORT).unwrap();
    assert_eq!(one.segments, [Segment { header: vec![], body: vec![0x61] }]);
    assert_eq!(split("", &[], SHORT).unwrap().segments, [Segment::default()]);
}

#[test]
fn a_national_table_is_taken_when_it_saves_segments() {
    let text = format!("{}ş", "a".repeat(100));
    assert_eq!(size_of(&text), (Coding::Ucs2, 2), "the carrier knows no Turkish");
    let known = measure(&text, &[Language::Spanish, Language::Turkish]).unwrap();
    let single = Shifts { locking: None, single: Some(Language::Turkish) };
    assert_eq!(known, Size { coding: Coding::Gsm(single), segments: 1 });
    let cut = split(&text, &[Language::Turkish], SHORT).unwrap();
    assert_eq!(cut.segments[0].header, [3, 0x24, 1, 1]);
    let heavy = split(&"ş".repeat(150), &[Language::Turkish], SHORT).unwrap();
    assert_eq!(heavy.coding, Coding::Gsm(Shifts { locking: Some(Language::Turkish), single: None }));
    assert_eq!(heavy.segments[0].header, [3, 0x25, 1, 1]);
    assert_eq!(heavy.segments.len(), 1);
    let both = split(&format!("{}ş{{İ}}", "ı".repeat(200)), &[Language::Turkish], SHORT).unwrap();
    assert_eq!(both.segments.len(), 2);
    assert_eq!(both.segments[0].header[..6], [8, 0, 3, 7, 2, 1]);
    assert_eq!(measure("plain", &Language::ALL).unwrap(), Size { coding: PLAIN, segments: 1 });
}

/// Characters of every kind that matters: one septet, two, national, one unit of UTF-16, two.
fn any_text() -> impl Strategy<Value = String> {
    let kinds = prop_oneof![
        6 => "[a-zA-Z0-9 ]{0,60}",
        2 => "[\\[\\]{}~^|\\\\\u{20ac}]{0,60}",
        1 => "[şğİıãõáç]{0,40}",
        1 => "[\u{4e2d}\u{430}]{0,40}",
        1 => "[\u{1f600}-\u{1f64f}]{0,40}",
    ];
    prop::collection::vec(kinds, 0..12).prop_map(|parts| parts.concat())
}

fn whole(segment: &Segment, coding: Coding) -> bool {
    match coding {
        Coding::Gsm(_) => {
            let mut codes = segment.body.iter();
            while let Some(code) = codes.next() {
                if *code == super::super::alphabet::ESCAPE && codes.next().is_none() {
                    return false;
                }
            }
            segment.body.iter().all(|code| *code < 0x80)
        }
        Coding::Ucs2 => {
            let units: Vec<_> =
                segment.body.chunks(2).map(|pair| u16::from_be_bytes(pair.try_into().unwrap())).collect();
            String::from_utf16(&units).is_ok()
        }
    }
}

proptest! {
    #[test]
    fn no_segment_is_over_140_octets_or_cut_within_a_character(text in any_text(), long: bool, number: u16, some in 0..14_usize) {
        let reference = if long { Reference::Long(number) } else { Reference::Short(number as u8) };
        let languages = &Language::ALL[..some.min(Language::ALL.len())];
        let cut = split(&text, languages, reference).unwrap();
        prop_assert!(cut.segments.iter().all(|segment| segment.octets(cut.coding) <= SEGMENT_OCTETS));
        prop_assert!(cut.segments.iter().all(|segment| whole(segment, cut.coding)));
        prop_assert!(cut.segments.len() == 1 || cut.segments.iter().all(|segment| !segment.body.is_empty()));
        if !long {
            let size = measure(&text, languages).unwrap();
            prop_assert_eq!((size.coding, size.segments), (cut.coding, cut.segments.len()));
        }
    }

    #[test]
    fn the_parts_make_the_whole(text in any_text(), some in 0..14_usize) {
        let cut = split(&text, &Language::ALL[..some.min(Language::ALL.len())], SHORT).unwrap();
        let body = cut.segments.iter().flat_map(|segment| segment.body.clone()).collect::<Vec<_>>();
        let back = match cut.coding {
            Coding::Gsm(shifts) => {
                let mut back = String::new();
                Alphabet::of(shifts).read(&body, &mut back);
                back
            }
            Coding::Ucs2 => {
                let units = body.chunks(2).map(|pair| u16::from_be_bytes(pair.try_into().unwrap()));
                String::from_utf16(&units.collect::<Vec<_>>()).unwrap()
            }
        };
        prop_assert_eq!(back, text);
    }
}
