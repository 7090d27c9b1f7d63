//! Who wrapped a key: the name of a key service beside what it gave, so that every node asks the same one. Layout:
//! `docs/formats/envelope.md`.

use crate::seal::Sealed;

/// The name of the cell's own root.
pub const ROOT: &str = "root";
/// The longest name of a key service, in bytes.
pub const MAX_HOLDER: usize = 64;
/// The first byte of a wrapped key whose holder is named. What the root wrapped begins otherwise.
const NAMED: u8 = 0xC1;

/// What `holder` wrapped, as it is stored; `None` when its name is empty or too long.
#[must_use]
pub fn stored(holder: &str, wrapped: Sealed) -> Option<Sealed> {
    if holder == ROOT {
        return Some(wrapped);
    }
    let len = u8::try_from(holder.len()).ok().filter(|len| (1..=MAX_HOLDER).contains(&usize::from(*len)));
    let parts = [&[NAMED, len?], holder.as_bytes(), wrapped.as_bytes()];
    Some(Sealed::from_stored(parts.concat()))
}

/// Who wrapped what is stored, and what it gave; `None` when it is neither form.
#[must_use]
pub fn parsed(stored: &Sealed) -> Option<(&str, Sealed)> {
    let bytes = stored.as_bytes();
    let [NAMED, len, rest @ ..] = bytes else { return Some((ROOT, stored.clone())) };
    let (name, wrapped) = rest.split_at_checked(usize::from(*len))?;
    let name = std::str::from_utf8(name).ok()?;
    (!name.is_empty() && name.len() <= MAX_HOLDER && name != ROOT)
        .then(|| (name, Sealed::from_stored(wrapped.to_vec())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped() -> Sealed {
        Sealed::from_stored(vec![1, 2, 3])
    }

    #[test]
    fn what_the_root_wrapped_is_stored_as_it_is() {
        assert_eq!(stored(ROOT, wrapped()), Some(wrapped()));
        assert_eq!(parsed(&wrapped()), Some((ROOT, wrapped())));
        assert_eq!(parsed(&Sealed::from_stored(Vec::new())), Some((ROOT, Sealed::from_stored(Vec::new()))));
    }

    #[test]
    fn another_holder_is_named_up_to_a_limit() {
        for name in ["a", "contoso-vault", &"x".repeat(MAX_HOLDER)] {
            let row = stored(name, wrapped()).unwrap();
            assert_eq!(parsed(&row), Some((name, wrapped())));
        }
        for name in [String::new(), "x".repeat(MAX_HOLDER + 1), "x".repeat(300)] {
            assert_eq!(stored(&name, wrapped()), None, "{}", name.len());
        }
    }

    #[test]
    fn what_is_neither_form_is_said_to_be() {
        let bad: [&[u8]; 6] = [
            &[NAMED, 0, 1],
            &[NAMED, 5, b'a'],
            &[NAMED, 1, 0xFF, 1],
            &[NAMED, 65],
            &[NAMED, 4, b'r', b'o', b'o', b't', 1],
            &[[NAMED, 65].as_slice(), &[b'x'; 65]].concat(),
        ];
        for bytes in bad {
            assert_eq!(parsed(&Sealed::from_stored(bytes.to_vec())), None, "{bytes:?}");
        }
        // Too short for a name's length: of no known form, so the root is asked, and refuses it.
        assert_eq!(parsed(&Sealed::from_stored(vec![NAMED])).map(|(name, _)| name), Some(ROOT));
    }
}
