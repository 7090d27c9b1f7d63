//! Mails that programs submit: none panics, what is taken out of one is not larger than it, and its headers can be set.

#![no_main]

use libfuzzer_sys::fuzz_target;
use post::mail::{check_header, submitted};

fuzz_target!(|data: &[u8]| {
    let Some(mail) = submitted::read(data) else { return };
    for (name, value) in &mail.headers {
        assert!(check_header(name.expose(), value.expose()).is_ok());
        assert!(!value.expose().contains(['\r', '\n']));
    }
    // Nested encoded messages are opened three deep at most.
    let files: usize = mail.files.iter().map(|file| file.content.expose().len()).sum();
    assert!(files <= 4 * data.len(), "{files} from {}", data.len());
    for file in &mail.files {
        assert!(file.content_type.contains('/') && file.content_type.is_ascii());
    }
});
