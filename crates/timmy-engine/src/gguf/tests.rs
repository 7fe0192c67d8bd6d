use super::*;
use crate::fixture::Fixture;
use crate::shape::Architecture;

fn file() -> Vec<u8> {
    let mut bytes = Vec::new();
    Fixture::tiny(Architecture::Llama).write(&mut bytes).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<Header, EngineError> {
    Header::read(bytes, bytes.len() as u64)
}

#[test]
fn a_whole_file_tells_its_keys_and_where_its_tensors_lie() {
    let bytes = file();
    let header = read(&bytes).unwrap();
    assert_eq!(header.text("general.architecture"), Some("llama"));
    assert_eq!(header.count("llama.block_count"), Some(4));
    let table = &header.tensors["token_embd.weight"];
    assert_eq!((table.kind, table.columns()), (GgmlDType::Q8_0, 64));
    assert!(header.tensors.values().all(|info| info.offset + info.bytes <= bytes.len() as u64));
}

// shows: engine: a model file that is cut short anywhere is refused with the reason
#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let bytes = file();
    for length in (0..bytes.len()).step_by(997).chain(0..64) {
        let refused = read(&bytes[..length]).unwrap_err();
        assert!(matches!(refused, EngineError::Truncated { .. }), "{length}: {refused}");
    }
}

// shows: engine: a hostile model file with changed bytes is refused or read, and never brings the reader down
#[test]
fn changed_bytes_are_refused_or_read_within_bounds() {
    let bytes = file();
    let mut seed = 7_u64;
    for _ in 0..3_000 {
        let mut changed = bytes.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (seed >> 33) as usize % 24_000;
            changed[place] = (seed >> 20) as u8;
        }
        if let Ok(header) = read(&changed) {
            assert!(header.tensors.values().all(|info| info.offset + info.bytes <= bytes.len() as u64));
        }
    }
}

#[test]
fn counts_that_no_file_holds_are_refused_before_anything_is_made_for_them() {
    for (place, what) in [(8, "tensors"), (16, "keys")] {
        let mut bytes = file();
        bytes[place..place + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        let refused = read(&bytes).unwrap_err().to_string();
        assert!(refused.contains(what), "{refused}");
    }
    // A text of 2^63 bytes: the first key's length.
    let mut bytes = file();
    bytes[24..32].copy_from_slice(&(1_u64 << 63).to_le_bytes());
    assert!(matches!(read(&bytes), Err(EngineError::Corrupt(_))));
}

#[test]
fn a_way_of_storing_that_is_unknown_is_named() {
    assert_eq!(foreign_name(39), "MXFP4");
    assert!(matches!(kind_of(39), Err(EngineError::UnsupportedQuantisation(name)) if name == "MXFP4"));
}

/// A file of these keys (name, kind, bytes of the value), tensors (name, sides, kind, offset) and bytes of weights.
fn made(keys: &[(&str, u32, Vec<u8>)], tensors: &[(&str, &[u64], u32, u64)], weights_bytes: usize) -> Vec<u8> {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((keys.len() as u64).to_le_bytes());
    for (name, kind, value) in keys {
        bytes.extend(text(name));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(value);
    }
    for (name, sides, kind, offset) in tensors {
        bytes.extend(text(name));
        bytes.extend((sides.len() as u32).to_le_bytes());
        sides.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
        bytes.extend(kind.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    bytes.resize(bytes.len().next_multiple_of(32) + weights_bytes, 0);
    bytes
}

trait Tap: Sized {
    /// The same after `change`.
    fn tap(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Tap for Vec<u8> {}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

/// The kind of the items and how many are announced, before the items.
fn list(kind: u32, count: u64) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat()
}

#[test]
fn what_is_made_here_is_read_where_nothing_is_wrong_with_it() {
    let good = made(&[("general.name", TEXT_KIND, text("a"))], &[("a", &[32], 0, 0), ("b", &[2, 4], 0, 128)], 160);
    assert_eq!(read(&good).unwrap().tensors["b"].shape, [4, 2]);
}

const TEXT_KIND: u32 = 8;
const LIST_KIND: u32 = 9;

// shows: engine: each kind of hostile model file is refused with the reason
#[test]
fn each_kind_of_hostile_file_is_refused_with_the_reason() {
    let key = |kind, value| made(&[("k", kind, value)], &[], 64);
    let tensor = |sides: &[u64], kind, offset| made(&[], &[("t", sides, kind, offset)], 64);
    let nested = [list(LIST_KIND, 1), list(LIST_KIND, 1), list(0, 0)].concat();
    let alignment = |value: u32| made(&[("general.alignment", 4, value.to_le_bytes().to_vec())], &[], 64);
    let versioned = |version: u32| made(&[], &[], 0).tap(|b| b[4..8].copy_from_slice(&version.to_le_bytes()));
    let old = versioned(1);
    // More than there is, of what is counted there: what follows are zeros.
    let counted = |at: usize| made(&[("k", 7, vec![1])], &[], 0).tap(|b| b[at] += 2);
    let nameless =
        [&b"GGUF\x03\0\0\0"[..], &1_u64.to_le_bytes(), &0_u64.to_le_bytes(), &9_000_u64.to_le_bytes()].concat();
    let cases = [
        ("other beginning", b"GGML\x03\0\0\0aaaaaaaaaaaaaaaa".to_vec(), "does not begin with GGUF"),
        ("old version", old, "version 1"),
        ("a version of tomorrow", versioned(4), "version 4"),
        ("the other end first", versioned(3_u32.swap_bytes()), "version 50331648"),
        ("nothing behind the beginning", b"GGUF".to_vec(), "8 bytes"),
        ("more keys than there are", counted(16), "is there twice"),
        ("more tensors than there are", counted(8), "has 0 sides"),
        ("a text longer than the file", key(TEXT_KIND, 4_000_u64.to_le_bytes().to_vec()), "bytes"),
        ("a name longer than the file", nameless, "bytes"),
        ("numbers longer than the file", key(LIST_KIND, list(10, 9_000)), "bytes"),
        ("a huge alignment", alignment(1 << 17), "alignment"),
        ("an alignment in words", made(&[("general.alignment", TEXT_KIND, text("32"))], &[], 64), "alignment"),
        (
            "an alignment below nothing",
            made(&[("general.alignment", 5, (-32_i32).to_le_bytes().to_vec())], &[], 64),
            "alignment",
        ),
        ("an unknown number of storing", tensor(&[32], u32::MAX, 0), "number 4294967295"),
        ("one within the other", made(&[], &[("a", &[16], 0, 0), ("b", &[4], 0, 0)], 64), "lie over"),
        ("one half behind the end", tensor(&[32], 0, 0), "bytes"),
        ("empty file", Vec::new(), "4 bytes"),
        ("a key twice", made(&[("k", 7, vec![1]), ("k", 7, vec![1])], &[], 0), "\"k\" is there twice"),
        ("an unknown kind of value", key(13, vec![0; 8]), "unknown kind 13"),
        ("lists in lists", key(LIST_KIND, nested), "a list holds lists"),
        ("a list longer than any", key(LIST_KIND, list(0, u64::MAX)), "items of a list"),
        ("a list longer than the file", key(LIST_KIND, list(TEXT_KIND, 4 << 20)), "bytes"),
        ("a list of an unknown kind", key(LIST_KIND, [list(77, 1), vec![0; 8]].concat()), "unknown kind 77"),
        ("a text longer than any", key(TEXT_KIND, u64::MAX.to_le_bytes().to_vec()), "bytes of one text"),
        ("an alignment of nothing", alignment(0), "alignment"),
        ("an odd alignment", alignment(48), "alignment"),
        ("no side", tensor(&[], 0, 0), "has 0 sides"),
        ("five sides", tensor(&[1; 5], 0, 0), "has 5 sides"),
        ("a side of nothing", tensor(&[0, 4], 0, 0), "impossible sides"),
        ("sides whose product is no number", tensor(&[1 << 31; 4], 0, 0), "impossible sides"),
        ("half a block", tensor(&[33], 8, 0), "impossible sides"),
        ("an unknown way of storing", tensor(&[32], 28, 0), "F64"),
        ("behind the end", tensor(&[32], 0, 1 << 20), "bytes"),
        ("behind all numbers", tensor(&[32], 0, u64::MAX - 31), "lies nowhere"),
        ("not aligned", tensor(&[4], 0, 4), "is not aligned"),
        ("a tensor twice", made(&[], &[("t", &[4], 0, 0), ("t", &[4], 0, 32)], 64), "\"t\" is there twice"),
        ("one over the other", made(&[], &[("a", &[16], 0, 0), ("b", &[4], 0, 32)], 64), "\"a\" and \"b\" lie over"),
    ];
    for (what, bytes, reason) in cases {
        let refused = read(&bytes).map(|header| header.tensors).unwrap_err().to_string();
        assert!(refused.contains(reason), "{what}: {refused}");
    }
}

#[test]
fn a_layout_that_is_unknown_or_impossible_is_refused_with_the_reason() {
    let whole = |count: u32| (4, count.to_le_bytes().to_vec());
    let layout = |name: &str, changed: &str, to: Option<(u32, Vec<u8>)>| {
        let mut keys = vec![("general.architecture".to_owned(), TEXT_KIND, text(name))];
        for (key, count) in [
            ("block_count", 2),
            ("embedding_length", 64),
            ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
            ("context_length", 128),
        ] {
            let value = if key == changed { to.clone() } else { Some(whole(count)) };
            keys.extend(value.map(|(kind, value)| (format!("{name}.{key}"), kind, value)));
        }
        keys.push((format!("{name}.attention.layer_norm_rms_epsilon"), 6, 1e-5_f32.to_le_bytes().to_vec()));
        let keys: Vec<_> = keys.iter().map(|(key, kind, value)| (key.as_str(), *kind, value.clone())).collect();
        crate::shape::Shape::read(&read(&made(&keys, &[], 0)).unwrap())
    };
    assert!(layout("llama", "", None).is_ok());
    for (name, changed, to, reason) in [
        ("mamba", "", None, "mamba"),
        ("llama", "block_count", None, "block_count"),
        ("llama", "block_count", Some(whole(0)), "block_count is 0"),
        ("llama", "block_count", Some(whole(u32::MAX)), "block_count is 4294967295"),
        ("llama", "embedding_length", Some((TEXT_KIND, text("64"))), "embedding_length"),
        ("llama", "attention.head_count", Some(whole(0)), "head_count is 0"),
        ("llama", "attention.head_count_kv", Some(whole(3)), "4 heads cannot share 3"),
        ("llama", "context_length", Some(whole(0)), "context_length is 0"),
    ] {
        let refused = layout(name, changed, to).unwrap_err().to_string();
        assert!(refused.contains(reason), "{name} {changed}: {refused}");
    }
}
