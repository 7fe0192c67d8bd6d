//! Numbers as people read them.

/// Digits in groups of three: `48,236`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in decimal units: `812 B`, `6.1 MB`, `412 GB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if number < 1_000 {
        return format!("{number} B");
    }
    let mut unit = 0;
    let mut tenths = number.saturating_mul(10) / 1_000;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    if tenths < 1_000 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", count(tenths / 10), UNITS[unit])
    }
}

/// How long something took, from milliseconds: `80 ms`, `6.2 s`, `41 s`, `4 min 10 s`, `3 h 5 min`.
#[must_use]
pub fn duration_ms(millis: i64) -> String {
    let millis = u64::try_from(millis).unwrap_or(0);
    let seconds = millis / 1_000;
    match seconds {
        0 if millis < 100 => format!("{millis} ms"),
        0..10 => format!("{seconds}.{} s", millis % 1_000 / 100),
        10..60 => format!("{seconds} s"),
        60..3_600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ if (seconds / 60).is_multiple_of(60) => format!("{} h", seconds / 3_600),
        _ => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// How long something took, from microseconds: `80 µs`, `6.2 ms`, then as [`duration_ms`].
#[must_use]
pub fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => duration_ms(i64::try_from(micros / 1_000).unwrap_or(i64::MAX)),
    }
}

/// A wire name as words: `parent_id` becomes `Parent id`.
#[must_use]
pub fn title(name: &str) -> String {
    let words = name.replace(['_', '.', '-'], " ");
    let mut chars = words.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!([count(0), count(999), count(48_236), count(1_000_000)], ["0", "999", "48,236", "1,000,000"]);
        assert_eq!([bytes(812), bytes(6_100_000), bytes(412_000_000_000)], ["812 B", "6.1 MB", "412 GB"]);
        assert_eq!(bytes(99_950), "99.9 kB");
        assert_eq!(bytes(u64::MAX), "1,844,674 TB");
        let rows = [(80, "80 ms"), (400, "0.4 s"), (6_200, "6.2 s"), (41_000, "41 s"), (250_000, "4 min 10 s")];
        for (millis, wanted) in rows {
            assert_eq!(duration_ms(millis), wanted);
        }
        assert_eq!([duration_ms(300_000), duration_ms(11_100_000), duration_ms(-1)], ["5 min", "3 h 5 min", "0 ms"]);
    }
}
