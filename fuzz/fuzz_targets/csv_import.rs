//! Inventories of phone numbers as an operator sends them: no text panics, what is read keeps its limits and holds no
//! number twice, what is refused is told by lines that the text has, and no fault quotes a number. And patches of SIP
//! routing, whose patterns are compiled.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use post::numbers::{MAX_NUMBERS, csv};

/// The longest run of digits that a fault may show: its own line numbers and limits are shorter.
const DIGITS: usize = 7;

fuzz_target!(|bytes: &[u8]| {
    let _ = wire::sip::Patch::parse(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match csv::read(text) {
        Ok(inventory) => {
            assert!((1..=MAX_NUMBERS).contains(&inventory.numbers.len()));
            let distinct: BTreeSet<_> = inventory.numbers.iter().map(|(number, _)| number.expose()).collect();
            assert_eq!(distinct.len(), inventory.numbers.len(), "a number twice");
            assert!(inventory.numbers.iter().all(|(_, offer)| *offer < inventory.offers.len()));
            for offer in &inventory.offers {
                assert!(offer.country.len() == 2 && offer.cost.currency.len() == 3);
            }
        }
        Err(faults) => {
            assert!((1..=csv::MAX_FAULTS).contains(&faults.len()));
            let lines = text.matches('\n').count() + 1;
            for fault in &faults {
                assert!((1..=lines).contains(&fault.line), "line {} of {lines}", fault.line);
                let mut runs = fault.what.split(|c: char| !c.is_ascii_digit());
                // The one number that a fault may show is the example of how to write one.
                let quotes = runs.any(|run| run.len() >= DIGITS && run != "442079460000");
                assert!(!quotes, "a fault quotes a number");
            }
            assert!(faults.is_sorted_by_key(|fault| fault.line), "faults in the order of lines");
        }
    }
});
