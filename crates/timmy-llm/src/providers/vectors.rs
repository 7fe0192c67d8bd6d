//! Reading vectors that a server made of texts.

use serde_json::Value;

use crate::failure::Failure;

/// Texts in one request; more travel in several.
pub const TEXTS_MAX: usize = 64;
/// Numbers of one vector.
pub const DIMENSIONS_MAX: usize = 16_384;

/// The vectors of `rows`, which must be `count` of one length with nothing but finite numbers in them.
pub fn read<'v>(rows: impl Iterator<Item = &'v Value>, count: usize) -> Result<Vec<Vec<f32>>, Failure> {
    let vectors: Vec<Vec<f32>> = rows.take(count + 1).map(one).collect::<Result<_, _>>()?;
    let length = vectors.first().map_or(0, Vec::len);
    if vectors.len() != count || vectors.iter().any(|v| v.len() != length) {
        return Err(none(&format!("{} vectors came for {count} texts, or of different lengths", vectors.len())));
    }
    Ok(vectors)
}

/// Checks that vectors of several requests have one length.
pub fn alike(vectors: &[Vec<f32>]) -> Result<(), Failure> {
    let length = vectors.first().map_or(0, Vec::len);
    if vectors.iter().all(|v| v.len() == length) { Ok(()) } else { Err(none("vectors of different lengths came")) }
}

fn one(row: &Value) -> Result<Vec<f32>, Failure> {
    let numbers = row.as_array().filter(|n| !n.is_empty()).ok_or_else(|| none("a vector is missing"))?;
    if numbers.len() > DIMENSIONS_MAX {
        return Err(Failure::TooLarge { what: format!("a vector has over {DIMENSIONS_MAX} numbers") });
    }
    // Half the digits are enough for what a vector is compared with.
    #[expect(clippy::cast_possible_truncation, reason = "a vector is kept in single precision")]
    let single = |number: &Value| number.as_f64().map(|n| n as f32).filter(|n| n.is_finite());
    numbers.iter().map(single).collect::<Option<_>>().ok_or_else(|| none("a vector holds something else than numbers"))
}

fn none(what: &str) -> Failure {
    Failure::Malformed { what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn vectors_are_read_or_refused() {
        let read = |rows: Value, count| read(rows.as_array().expect("rows").iter(), count);
        assert_eq!(read(json!([[1, 0.5], [0, -1]]), 2), Ok(vec![vec![1.0, 0.5], vec![0.0, -1.0]]));
        assert_eq!(read(json!([]), 0), Ok(vec![]));
        for (rows, count) in [
            (json!([[1]]), 2),
            (json!([[1], [2], [3]]), 2),
            (json!([[1], [2, 3]]), 2),
            (json!([[]]), 1),
            (json!([null]), 1),
            (json!([["x"]]), 1),
            (json!([[1e300]]), 1),
        ] {
            assert!(matches!(read(rows.clone(), count), Err(Failure::Malformed { .. })), "{rows}");
        }
        assert!(matches!(read(json!([vec![0; DIMENSIONS_MAX + 1]]), 1), Err(Failure::TooLarge { .. })));
    }
}
