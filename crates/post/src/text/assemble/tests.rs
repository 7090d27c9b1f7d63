//! Parts in any order, twice, too few, too many; and what was cut is put together again.

use proptest::prelude::*;

use super::super::segment::{Coding, Reference, split};
use super::*;

const START: Timestamp = Timestamp::from_millis(1_000_000);

fn ends(from: &str) -> Ends {
    Ends { from: Personal::new(from.into()), to: Personal::new("+14255550100".into()) }
}

fn part(text: &str) -> Part {
    Part { script: Script::Latin1, body: text.as_bytes().to_vec() }
}

fn place(reference: u16, total: u8, index: u8) -> Place {
    Place::new(reference, total, index).unwrap()
}

#[test]
fn headers_are_read_and_bad_ones_are_not() {
    let (header, body) = Header::read(&[5, 0, 3, 7, 2, 1, b'a']).unwrap();
    assert_eq!((header.place, body), (Some(place(7, 2, 1)), &b"a"[..]));
    let (header, _) = Header::read(&[6, 8, 4, 1, 2, 3, 3]).unwrap();
    assert_eq!(header.place, Some(place(0x0102, 3, 3)));
    let (header, _) = Header::read(&[6, 0x24, 1, 1, 0x25, 1, 3]).unwrap();
    assert_eq!(
        header.shifts,
        Shifts { locking: Some(Language::Portuguese), single: Some(Language::Turkish) }
    );
    let (header, body) = Header::read(&[4, 5, 2, 1, 1, b'x']).unwrap();
    assert_eq!((header, body), (Header::default(), &b"x"[..]), "an unknown element is passed over");
    for alone in [[5, 0, 3, 7, 1, 1], [5, 0, 3, 7, 2, 3], [5, 0, 3, 7, 2, 0], [5, 0, 3, 7, 0, 0]] {
        assert_eq!(Header::read(&alone).unwrap().0.place, None, "{alone:?}");
    }
    for bad in [&[][..], &[5, 0, 3], &[3, 0, 3, 7], &[1, 0]] {
        assert_eq!(Header::read(bad), None, "{bad:?}");
    }
}

fn whole(taken: Taken) -> Whole {
    match taken {
        Taken::Whole(whole) => whole,
        other => panic!("not whole: {other:?}"),
    }
}

#[test]
fn parts_come_in_any_order_and_twice() {
    let mut assembler = Assembler::default();
    assert_eq!(assembler.take(ends("a"), place(1, 3, 3), part("C"), START), Taken::Waiting);
    assert_eq!(assembler.take(ends("a"), place(1, 3, 1), part("A"), START), Taken::Waiting);
    assert_eq!(assembler.take(ends("a"), place(1, 3, 1), part("A"), START), Taken::Waiting);
    assert_eq!(assembler.take(ends("b"), place(1, 3, 2), part("x"), START), Taken::Waiting, "another sender");
    assert_eq!(assembler.take(ends("a"), place(2, 3, 2), part("x"), START), Taken::Waiting, "another text");
    let whole = whole(assembler.take(ends("a"), place(1, 3, 2), part("B"), START));
    assert_eq!((whole.text.expose().as_str(), whole.parts, whole.total), ("ABC", 3, 3));
    assert_eq!(assembler.len(), 3);
}

#[test]
fn a_kept_text_is_remembered_and_one_that_was_not_is_given_out_again() {
    let mut assembler = Assembler::default();
    let (first, second) = (place(1, 2, 1), place(1, 2, 2));
    assembler.take(ends("a"), first, part("A"), START);
    let given = whole(assembler.take(ends("a"), second, part("B"), START));
    assert_eq!(assembler.take(ends("a"), second, part("B"), START), Taken::Waiting, "being kept just now");
    assembler.settle(&given, false, START);
    assert!(!assembler.is_kept(&ends("a"), first));
    let again = whole(assembler.take(ends("a"), second, part("B"), START));
    assert_eq!(again.text, given.text);
    assembler.settle(&again, true, START);
    assert!(assembler.is_kept(&ends("a"), first));
    assert_eq!(assembler.take(ends("a"), first, part("A"), START), Taken::Known);
    assert_eq!(assembler.take(ends("a"), first, part("new"), START), Taken::Waiting, "the circle came round");
    assembler.settle(&again, true, START);
    assert!(!assembler.is_kept(&ends("a"), first), "the word about the old text is not about the new one");
    let new = whole(assembler.take(ends("a"), second, part("B"), START));
    assert_eq!(new.text.expose(), "newB");
    assembler.settle(&new, true, START);
    assert!(
        assembler.overdue(START.plus(PATIENCE)).is_none() && assembler.is_empty(),
        "forgotten in silence"
    );
}

#[test]
fn what_waits_too_long_is_given_out_with_a_mark() {
    let mut assembler = Assembler::default();
    assembler.take(ends("a"), place(1, 4, 2), part("B"), START);
    let early = START.plus(PATIENCE).minus(Duration::from_millis(1));
    assert!(assembler.overdue(early).is_none());
    let late = START.plus(PATIENCE);
    let whole = assembler.overdue(late).unwrap();
    assert_eq!(whole.text.expose(), "[\u{2026}]B[\u{2026}]");
    assert_eq!((whole.parts, whole.total), (1, 4));
    assert!(assembler.overdue(late).is_none(), "given out once");
    assembler.settle(&whole, false, late);
    assert!(assembler.overdue(late).is_none());
    assert!(assembler.overdue(late.plus(PATIENCE)).is_some(), "again when it could not be kept");
}

#[test]
fn one_too_many_pushes_the_oldest_out() {
    let mut assembler = Assembler::default();
    for number in 0..MAX_WAITING {
        let at = START.plus(Duration::from_millis(number as u64));
        assembler.take(ends(&number.to_string()), place(1, 2, 1), part("x"), at);
    }
    let now = START.plus(Duration::from_secs(5));
    assert!(assembler.overdue(now).is_none(), "the limit is not passed yet");
    assembler.take(ends("last"), place(1, 2, 1), part("x"), now);
    let oldest = assembler.overdue(now).unwrap();
    assert_eq!(oldest.ends, ends("0"));
    assembler.settle(&oldest, true, now);
    assert_eq!(assembler.overdue(now).unwrap().ends, ends("1"));
    assert!(assembler.overdue(now).is_none());
}

#[test]
fn characters_cut_by_their_sender_are_whole_again() {
    let ucs2 = |body: &[u8]| Part { script: Script::Ucs2, body: body.to_vec() };
    assert_eq!(decode([&ucs2(&[0xd8, 0x3d]), &ucs2(&[0xde, 0x00])]), "\u{1f600}");
    assert_eq!(decode([&ucs2(&[0xd8, 0x3d]), &part("a")]), "\u{fffd}a");
    assert_eq!(decode([&ucs2(&[0, 0x41, 0])]), "A", "half a unit at the end is dropped");
    let gsm = |body: &[u8]| Part { script: Script::Gsm(Shifts::default()), body: body.to_vec() };
    assert_eq!(decode([&gsm(&[0x1b]), &gsm(&[0x65])]), "\u{20ac}");
    assert_eq!(decode(&[]), "");
}

proptest! {
    #[test]
    fn what_was_cut_is_put_together_in_any_order(
        text in "[a-zA-Z0-9 \\[\\]{}~\u{20ac}şğãá\u{4e2d}\u{1f600}]{0,700}",
        long: bool,
        order in any::<u64>(),
    ) {
        let reference = if long { Reference::Long(0x1234) } else { Reference::Short(0x34) };
        let cut = split(&text, &Language::ALL, reference).unwrap();
        let mut segments = cut.segments.clone();
        let len = segments.len();
        segments.rotate_left(usize::try_from(order).unwrap_or(0) % len);
        let mut assembler = Assembler::default();
        let mut whole: Option<String> = None;
        for segment in &segments {
            let wire = [segment.header.clone(), segment.body.clone()].concat();
            let read = if segment.header.is_empty() { (Header::default(), &wire[..]) } else { Header::read(&wire).unwrap() };
            let script = match cut.coding {
                Coding::Gsm(_) => Script::Gsm(read.0.shifts),
                Coding::Ucs2 => Script::Ucs2,
            };
            let part = Part { script, body: read.1.to_vec() };
            match read.0.place {
                None => whole = Some(decode([&part])),
                Some(place) => {
                    if let Taken::Whole(text) = assembler.take(ends("a"), place, part, START) {
                        whole = Some(text.text.into_inner());
                    }
                }
            }
        }
        prop_assert_eq!(whole, Some(text));
    }

    #[test]
    fn no_header_breaks_it(octets in prop::collection::vec(any::<u8>(), 0..160)) {
        if let Some((header, body)) = Header::read(&octets) {
            prop_assert_eq!(body.len() + 1 + usize::from(octets[0]), octets.len());
            prop_assert!(header.place.is_none_or(|place| place.index >= 1 && place.index <= place.total));
        }
    }
}
