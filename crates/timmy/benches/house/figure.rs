//! One measured figure.

use std::time::Duration;

/// Prints a figure. `bound` is what it should keep to, with its unit, or empty.
pub fn figure(name: &str, value: &str, bound: &str, spread: &str) {
    println!("figure\t{name}\t{value}\t{bound}\t{spread}");
}

/// Milliseconds with two digits.
pub fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// The value below which `share` (0 to 1) of the sorted `values` lie.
pub fn quantile<T: Copy>(values: &[T], share: f64) -> T {
    let at = (values.len() as f64 * share) as usize;
    values[at.min(values.len() - 1)]
}
