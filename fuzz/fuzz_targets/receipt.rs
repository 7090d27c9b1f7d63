//! Receipts of carriers: no words and no parameters panic, an id is never empty nor longer than SMPP allows, and the message
//! quoted at the end is never taken for the receipt.

#![no_main]

use libfuzzer_sys::fuzz_target;
use post::text::receipt::{IdForm, MAX_MESSAGE_ID, Parameters, read};

fuzz_target!(|data: &[u8]| {
    let Some((&[flags, state], rest)) = data.split_first_chunk::<2>() else { return };
    let words = String::from_utf8_lossy(rest);
    let (id, said) = words.split_once('\n').unwrap_or(("", &words));
    let parameters = Parameters {
        message_id: (flags & 1 == 1).then_some(id),
        state: (flags & 2 == 2).then_some(state),
        error: (flags & 4 == 4).then_some((state, u16::from(flags))),
    };
    let Some(receipt) = read(said, parameters) else { return };
    assert!((1..=MAX_MESSAGE_ID).contains(&receipt.message_id.len()));
    assert!(receipt.error.as_ref().is_none_or(|code| !code.is_empty() && code.len() <= 16));
    for form in [IdForm::Same, IdForm::HexThenDecimal, IdForm::DecimalThenHex] {
        assert!(
            !form.of_receipt(&receipt.message_id).is_empty()
                && !form.of_answer(&receipt.message_id).is_empty()
        );
    }
    let quoted = format!("{said} text:id:other stat:REJECTD err:999");
    if !said.to_ascii_lowercase().contains("text:") {
        assert_eq!(read(&quoted, parameters), Some(receipt), "what is quoted changes nothing");
    }
});
