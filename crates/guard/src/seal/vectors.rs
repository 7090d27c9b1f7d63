//! The test vectors of envelope format 1: made here from fixed seeds, kept in `docs/formats/vectors/envelope-1.json`,
//! read by a second implementation (`tests/formats/read_envelope.py`). A vector once published must not change.
//!
//! After a deliberate addition: `CHANCERY_WRITE_VECTORS=1 cargo nextest run -p guard vectors`.

use std::path::Path;

use base::{Geography, ResourceId, Rng as _, SeededRng};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{OpenError, Place, ScopeKey, Sealed};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats/vectors/envelope-1.json");

#[derive(Serialize)]
struct File {
    format: &'static str,
    document: &'static str,
    good: Vec<Vector>,
    bad: Vec<Vector>,
}

/// One case. Bytes are hexadecimal. `key` to `scope` are what the reader has, not necessarily what the writer had.
#[derive(Clone, Serialize)]
struct Vector {
    name: String,
    key: String,
    generation: u32,
    geography: String,
    resource: String,
    keyspace: String,
    row_key: String,
    scope: String,
    sealed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plaintext: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrapped: Option<Wrapped>,
    /// Whether what opens is to be taken for a wrapped key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unwrap: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Clone, Serialize)]
struct Wrapped {
    key: String,
    generation: u32,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).map(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap()).collect()
}

fn reason(error: OpenError) -> &'static str {
    match error {
        OpenError::Malformed => "malformed",
        OpenError::UnsupportedVersion(_) => "version",
        OpenError::UnsupportedSuite(_) => "suite",
        OpenError::WrongGeneration => "generation",
        OpenError::WrongKey => "key",
        OpenError::Refused => "refused",
    }
}

/// What a writer has.
#[derive(Clone)]
struct Case {
    key: [u8; 32],
    generation: u32,
    geography: Geography,
    resource: [u8; 16],
    keyspace: String,
    row: Vec<u8>,
    scope: Vec<u8>,
}

impl Case {
    fn usual() -> Self {
        Self {
            key: std::array::from_fn(|at| at as u8),
            generation: 1,
            geography: "europe".parse().unwrap(),
            resource: std::array::from_fn(|at| 0xA0 + at as u8),
            keyspace: "message".to_owned(),
            row: b"thread-1/message-1".to_vec(),
            scope: b"thread-1/author-1".to_vec(),
        }
    }

    fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut case = Self::usual();
        change(&mut case);
        case
    }

    fn key(&self) -> ScopeKey {
        ScopeKey::from_bytes(Zeroizing::new(self.key), self.generation)
    }

    fn place(&self) -> Place<'_> {
        Place {
            geography: &self.geography,
            resource: ResourceId::from_bytes(self.resource),
            keyspace: &self.keyspace,
            key: &self.row,
            scope: &self.scope,
        }
    }

    fn seal(&self, seed: u64, hint: &[u8], plaintext: &[u8]) -> Sealed {
        self.key().seal(&SeededRng::new(seed), &self.place(), hint, plaintext).unwrap()
    }

    fn vector(&self, name: &str, sealed: &Sealed) -> Vector {
        Vector {
            name: name.to_owned(),
            key: hex(&self.key),
            generation: self.generation,
            geography: self.geography.to_string(),
            resource: hex(&self.resource),
            keyspace: self.keyspace.clone(),
            row_key: hex(&self.row),
            scope: hex(&self.scope),
            sealed: hex(sealed.as_bytes()),
            hint: None,
            plaintext: None,
            wrapped: None,
            unwrap: false,
            reason: None,
        }
    }
}

fn good() -> Vec<Vector> {
    let long: Vec<u8> = (0..4096u32).map(|n| (n * 7) as u8).collect();
    let usual = Case::usual;
    let cases: Vec<(&str, Case, &[u8], &[u8])> = vec![
        ("a short text", usual(), b"", b"hello"),
        ("nothing at all", usual(), b"", b""),
        ("one byte", usual(), b"", &[0]),
        ("one block", usual(), b"", &[0x55; 16]),
        ("one byte over a block", usual(), b"", &[0x55; 17]),
        ("4096 bytes", usual(), b"", &long),
        ("text outside ASCII", usual(), b"", "Grüezi mitenand, 你好".as_bytes()),
        ("a hint", usual(), b"author-1/7", b"hello"),
        ("the longest hint", usual(), &[0xEE; 64], b"hello"),
        ("generation 0", Case::with(|c| c.generation = 0), b"", b"hello"),
        ("the greatest generation", Case::with(|c| c.generation = u32::MAX), b"", b"hello"),
        ("a key of ones", Case::with(|c| c.key = [0xFF; 32]), b"", b"hello"),
        ("a key of zeros", Case::with(|c| c.key = [0; 32]), b"", b"hello"),
        ("the resource that is the cell", Case::with(|c| c.resource = [0; 16]), b"", b"hello"),
        (
            "the longest geography",
            Case::with(|c| c.geography = "g".repeat(40).parse().unwrap()),
            b"",
            b"hello",
        ),
        ("the longest keyspace", Case::with(|c| c.keyspace = "k".repeat(64)), b"", b"hello"),
        ("an empty row key and scope", Case::with(|c| (c.row, c.scope) = (vec![], vec![])), b"", b"hello"),
        (
            "the longest row key and scope",
            Case::with(|c| (c.row, c.scope) = (vec![1; 256], vec![2; 256])),
            b"",
            b"hello",
        ),
    ];
    let mut out: Vec<Vector> = (1..)
        .zip(cases)
        .map(|(seed, (name, case, hint, plaintext))| {
            let sealed = case.seal(seed, hint, plaintext);
            let (hint, plaintext) = (Some(hex(hint)), Some(hex(plaintext)));
            Vector { hint, plaintext, ..case.vector(name, &sealed) }
        })
        .collect();
    out.push(wrapped());
    out
}

fn wrapped() -> Vector {
    let case = Case::with(|c| c.keyspace = "scope_key".to_owned());
    let (rng, mut inner) = (SeededRng::new(100), [0; 32]);
    rng.fill(&mut inner);
    let sealed =
        ScopeKey::from_bytes(Zeroizing::new(inner), 5).wrap(&rng, &case.key(), &case.place()).unwrap();
    let wrapped = Some(Wrapped { key: hex(&inner), generation: 5 });
    let plaintext = Some(hex(&[&[1, 0, 0, 0, 5], inner.as_slice()].concat()));
    let hint = Some(String::new());
    Vector { wrapped, unwrap: true, plaintext, hint, ..case.vector("a wrapped key", &sealed) }
}

/// Genuine records that are not keys.
fn not_keys() -> Vec<Vector> {
    let case = Case::with(|c| c.keyspace = "scope_key".to_owned());
    let plain = |first: u8, len: usize| [vec![first, 0, 0, 0, 5], vec![9; len - 5]].concat();
    (400..)
        .zip([
            ("a wrapped key of a byte too few", plain(1, 36)),
            ("a wrapped key of a byte too many", plain(1, 38)),
            ("a wrapped key of another version", plain(2, 37)),
            ("a wrapped key of nothing", vec![]),
        ])
        .map(|(seed, (name, plain))| Vector {
            unwrap: true,
            ..case.vector(name, &case.seal(seed, b"", &plain))
        })
        .collect()
}

/// Bytes with their lowest bit flipped.
const FLIPS: [(&str, usize); 14] = [
    ("a flipped bit in the version", 0),
    ("a flipped bit in the suite", 1),
    ("a flipped bit in the generation", 2),
    ("a flipped last bit of the generation", 5),
    ("a flipped bit in the hint length", 6),
    ("a flipped bit in the hint", 8),
    ("a flipped bit in the first half of the nonce", 11),
    ("a flipped bit in the second half of the nonce", 34),
    ("a flipped bit in the commitment", 35),
    ("a flipped last bit of the commitment", 66),
    ("a flipped bit in the ciphertext", 67),
    ("a flipped last bit of the ciphertext", 85),
    ("a flipped bit in the tag", 86),
    ("a flipped last bit of the tag", 101),
];

/// Lengths the envelope is cut to.
const CUTS: [(&str, usize); 13] = [
    ("empty", 0),
    ("cut after the version", 1),
    ("cut after the suite", 2),
    ("cut within the generation", 4),
    ("cut after the generation", 6),
    ("cut after the hint length", 7),
    ("cut after the hint", 11),
    ("cut after the nonce", 35),
    ("cut after the commitment", 67),
    ("cut within the only tag that is left", 82),
    ("cut to an empty ciphertext and a wrong tag", 83),
    ("cut after the ciphertext", 86),
    ("cut by one byte", 101),
];

/// Changes of the bytes, read in the right place with the right key. The hint is 4 bytes, the text 19.
fn changed_bytes() -> Vec<Vector> {
    let case = Case::usual();
    let sealed = case.seal(200, b"hint", b"the quick brown fox");
    let other_key = Case::with(|c| c.key = [0x77; 32]);
    let foreign = other_key.seal(201, b"hint", b"the quick brown fox").into_bytes();
    let second = case.seal(202, b"hint", b"the quick brown fox").into_bytes();
    let mut out = Vec::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sealed.as_bytes().to_vec();
        change(&mut bytes);
        out.push(case.vector(name, &Sealed::from_stored(bytes)));
    };
    for (name, at) in FLIPS {
        add(name, &|bytes| bytes[at] ^= 1);
    }
    add("a version of the future", &|bytes| bytes[0] = 2);
    add("version 0", &|bytes| bytes[0] = 0);
    add("a suite of the future", &|bytes| bytes[1] = 2);
    add("suite 0", &|bytes| bytes[1] = 0);
    add("a hint length over 64", &|bytes| bytes[6] = 65);
    add("a hint length beyond the end", &|bytes| {
        bytes.truncate(60);
        bytes[6] = 64;
    });
    for (name, len) in CUTS {
        add(name, &|bytes| bytes.truncate(len));
    }
    add("extended by one byte", &|bytes| bytes.push(0));
    add("extended by a copy of its tag", &|bytes| bytes.extend_from_within(86..));
    add("preceded by one byte", &|bytes| bytes.insert(0, 1));
    add("the commitment of another key, all else right", &|bytes| {
        bytes[35..67].copy_from_slice(&foreign[35..67]);
    });
    add("the right commitment, all else of another key", &|bytes| {
        bytes[11..35].copy_from_slice(&foreign[11..35]);
        bytes[67..].copy_from_slice(&foreign[67..]);
    });
    add("the nonce of another record", &|bytes| bytes[11..35].copy_from_slice(&second[11..35]));
    add("the ciphertext of another record", &|bytes| bytes[67..86].copy_from_slice(&second[67..86]));
    add("the tag of another record", &|bytes| bytes[86..].copy_from_slice(&second[86..]));
    add("a tag of zeros", &|bytes| bytes[86..].fill(0));
    add("a hint cut off, with its length", &|bytes| {
        bytes.drain(7..11);
        bytes[6] = 0;
    });
    out
}

/// The right bytes in a wrong place or for a wrong key.
fn changed_reader() -> Vec<Vector> {
    let sealed = Case::usual().seal(300, b"hint", b"the quick brown fox");
    let mut out = Vec::new();
    let mut add = |name: &str, change: &dyn Fn(&mut Case)| out.push(Case::with(change).vector(name, &sealed));
    add("read in another geography", &|c| c.geography = "uk".parse().unwrap());
    add("read in a geography that begins alike", &|c| c.geography = "europe2".parse().unwrap());
    add("read in another resource", &|c| c.resource[15] ^= 1);
    add("read in the cell's own resource", &|c| c.resource = [0; 16]);
    add("read in another keyspace", &|c| c.keyspace = "thread".to_owned());
    add("moved to another row", &|c| c.row = b"thread-1/message-2".to_vec());
    add("moved to a row without a key", &|c| c.row.clear());
    add("read in another scope", &|c| c.scope = b"thread-1/author-2".to_vec());
    add("read without a scope", &|c| c.scope.clear());
    add("a byte moved from the scope to the row key", &|c| {
        let first = c.scope.remove(0);
        c.row.push(first);
    });
    add("a byte moved from the row key to the keyspace", &|c| {
        c.row.remove(0);
        c.keyspace.push('t');
    });
    add("row key and scope exchanged", &|c| std::mem::swap(&mut c.row, &mut c.scope));
    add("read with another key", &|c| c.key[31] ^= 1);
    add("read with the key of another generation", &|c| c.generation = 2);
    add("a row key longer than allowed", &|c| c.row = vec![1; 257]);
    add("a scope longer than allowed", &|c| c.scope = vec![1; 257]);
    add("a keyspace longer than allowed", &|c| c.keyspace = "k".repeat(65));
    let mut bytes = sealed.into_bytes();
    bytes[5] = 2;
    let both = Case::with(|c| c.generation = 2);
    out.push(both.vector("generation changed on both sides", &Sealed::from_stored(bytes)));
    out
}

fn open(vector: &Vector) -> Result<Vec<u8>, OpenError> {
    let geography = vector.geography.parse().unwrap();
    let (row, scope) = (unhex(&vector.row_key), unhex(&vector.scope));
    let place = Place {
        geography: &geography,
        resource: ResourceId::from_bytes(unhex(&vector.resource).try_into().unwrap()),
        keyspace: &vector.keyspace,
        key: &row,
        scope: &scope,
    };
    let key = Zeroizing::new(unhex(&vector.key).try_into().unwrap());
    let (key, sealed) =
        (ScopeKey::from_bytes(key, vector.generation), Sealed::from_stored(unhex(&vector.sealed)));
    if vector.unwrap {
        ScopeKey::unwrap(&key, &place, &sealed)?;
    }
    key.open(&place, &sealed)
}

#[test]
fn the_published_vectors_are_current() {
    let good = good();
    for vector in &good {
        assert_eq!(
            open(vector).map(|text| hex(&text)),
            Ok(vector.plaintext.clone().unwrap()),
            "{}",
            vector.name
        );
    }
    let mut bad = changed_bytes();
    bad.extend(changed_reader());
    bad.extend(not_keys());
    for vector in &mut bad {
        vector.reason = Some(reason(open(vector).expect_err(&vector.name)));
    }
    assert!(good.len() >= 12 && bad.len() >= 25);
    for why in ["malformed", "version", "suite", "generation", "key", "refused"] {
        assert!(bad.iter().any(|vector| vector.reason == Some(why)), "no vector for {why}");
    }
    let file = File { format: "chancery envelope 1", document: "docs/formats/envelope.md", good, bad };
    let text = serde_json::to_string_pretty(&file).unwrap() + "\n";
    if std::env::var_os("CHANCERY_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(Path::new(FILE).parent().unwrap()).unwrap();
        std::fs::write(FILE, &text).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(kept == text, "the vectors in {FILE} are not those of this code");
}
