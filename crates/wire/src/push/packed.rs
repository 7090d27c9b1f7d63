//! Several frames in one body, as long polling carries them: `U+FFFD length U+FFFD frame`, the length in UTF-16 units; one
//! frame alone is sent bare.

const MARK: char = '\u{fffd}';

/// Frames as one body.
#[must_use]
pub fn pack(frames: &[String]) -> String {
    if let [one] = frames {
        return one.clone();
    }
    let mut body = String::with_capacity(frames.iter().map(|frame| frame.len() + 12).sum());
    for frame in frames {
        body.push(MARK);
        body.push_str(&frame.encode_utf16().count().to_string());
        body.push(MARK);
        body.push_str(frame);
    }
    body
}

/// The frames of one body.
#[must_use]
pub fn unpack(body: &str) -> Unpacked<'_> {
    Unpacked { rest: body }
}

/// See [`unpack`]. Each frame as it stands; an error, and then nothing, where a length does not fit.
#[derive(Clone, Debug)]
pub struct Unpacked<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Unpacked<'a> {
    type Item = Result<&'a str, super::frame::FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let Some(marked) = self.rest.strip_prefix(MARK) else {
            return Some(Ok(std::mem::take(&mut self.rest)));
        };
        let found = take(marked);
        self.rest = found.map_or("", |(_, rest)| rest);
        Some(found.map(|(frame, _)| frame).ok_or(super::frame::FrameError::Malformed))
    }
}

/// The frame after a mark, and what follows it.
fn take(marked: &str) -> Option<(&str, &str)> {
    let (length, rest) = marked.split_once(MARK)?;
    let length: usize = length.parse().ok()?;
    let mut units = 0;
    for (at, letter) in rest.char_indices() {
        if units == length {
            return Some(rest.split_at(at));
        }
        units += letter.len_utf16();
    }
    (units == length).then_some((rest, ""))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_frame_is_bare_and_several_are_marked() {
        assert_eq!(pack(&["2::".to_owned()]), "2::");
        assert_eq!(pack(&[]), "");
        let both = pack(&["2::".to_owned(), "3:::ü😀".to_owned()]);
        assert_eq!(both, "\u{fffd}3\u{fffd}2::\u{fffd}7\u{fffd}3:::ü😀");
        let back: Vec<_> = unpack(&both).map(Result::unwrap).collect();
        assert_eq!(back, ["2::", "3:::ü😀"]);
    }

    #[test]
    fn a_length_that_does_not_fit_ends_it() {
        for bad in ["\u{fffd}", "\u{fffd}x\u{fffd}2::", "\u{fffd}4\u{fffd}2::", "\u{fffd}1\u{fffd}😀"] {
            assert!(unpack(bad).next().unwrap().is_err(), "{bad}");
            assert_eq!(unpack(bad).count(), 1, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_out(frames in prop::collection::vec("[^\u{fffd}]{1,20}", 0..6)) {
            let body = pack(&frames);
            let back: Vec<String> = unpack(&body).map(|frame| frame.unwrap().to_owned()).collect();
            prop_assert_eq!(back, frames);
        }

        #[test]
        fn nothing_makes_it_panic(body in "[\u{fffd}0-9a😀]{0,40}") {
            let _ = unpack(&body).count();
        }
    }
}
