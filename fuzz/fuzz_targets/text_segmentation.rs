//! Texts to segments and back: none is over 140 octets, no character is cut, the count that is told beforehand is right, and
//! what is put together is what was cut.

#![no_main]

use base::{Personal, Timestamp};
use libfuzzer_sys::fuzz_target;
use post::text::alphabet::Language;
use post::text::assemble::{Assembler, Ends, Header, Part, Script, Taken, decode};
use post::text::segment::{Coding, Reference, SEGMENT_OCTETS, measure, split};

fuzz_target!(|data: &[u8]| {
    let Some((&[high, low, number], rest)) = data.split_first_chunk::<3>() else { return };
    let flags = u16::from_be_bytes([high, low]);
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let languages: Vec<_> =
        Language::ALL.into_iter().filter(|one| flags >> one.identifier() & 1 == 1).collect();
    let reference =
        if flags & 1 == 1 { Reference::Long(u16::from(number) << 3) } else { Reference::Short(number) };
    let Ok(cut) = split(text, &languages, reference) else { return };
    if flags & 1 == 0 {
        let size = measure(text, &languages).expect("it could be cut");
        assert_eq!((size.coding, size.segments), (cut.coding, cut.segments.len()));
    }
    let ends = Ends { from: Personal::new(String::new()), to: Personal::new(String::new()) };
    let mut assembler = Assembler::default();
    let mut whole = None;
    for segment in &cut.segments {
        assert!(segment.octets(cut.coding) <= SEGMENT_OCTETS);
        let wire = [segment.header.as_slice(), &segment.body].concat();
        let (header, body) = if segment.header.is_empty() {
            (Header::default(), &wire[..])
        } else {
            Header::read(&wire).expect("ours")
        };
        let script = match cut.coding {
            Coding::Gsm(_) => Script::Gsm(header.shifts),
            Coding::Ucs2 => Script::Ucs2,
        };
        let part = Part { script, body: body.to_vec() };
        assert!(
            !decode([&part]).contains(char::REPLACEMENT_CHARACTER)
                || text.contains(char::REPLACEMENT_CHARACTER)
        );
        match header.place {
            None => whole = Some(decode([&part])),
            Some(place) => {
                if let Taken::Whole(text) = assembler.take(ends.clone(), place, part, Timestamp::EPOCH) {
                    whole = Some(text.text.into_inner());
                }
            }
        }
    }
    assert_eq!(whole.as_deref(), Some(text));
});
