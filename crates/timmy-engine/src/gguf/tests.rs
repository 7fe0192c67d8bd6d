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
