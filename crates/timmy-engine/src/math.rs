//! The small arithmetic between the products: norms, sums, bends. Plain loops that the compiler turns into vectors.

use half::f16;

/// Lanes that sums are kept in, so that the compiler may use wide registers.
const LANES: usize = 16;

/// The sum of products of two lists of one length.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Adds `factor` times a list onto another.
pub(crate) fn add_scaled(onto: &mut [f32], factor: f32, list: &[f32]) {
    for (onto, number) in onto.iter_mut().zip(list) {
        *onto += factor * number;
    }
}

/// Adds a list onto another.
pub(crate) fn add(onto: &mut [f32], list: &[f32]) {
    for (onto, number) in onto.iter_mut().zip(list) {
        *onto += number;
    }
}

/// Scales a list to length one; a list of zeros stays.
pub(crate) fn to_length_one(list: &mut [f32]) {
    let length = dot(list, list).sqrt();
    if length > 0.0 {
        list.iter_mut().for_each(|number| *number /= length);
    }
}

/// Scales a list to a mean square of one, and by its weights. Zhang and Sennrich, <https://arxiv.org/abs/1910.07467>.
pub(crate) fn norm(list: &mut [f32], weights: &[f32], epsilon: f32) {
    let scale = 1.0 / (dot(list, list) / list.len().max(1) as f32 + epsilon).sqrt();
    for (number, weight) in list.iter_mut().zip(weights) {
        *number = *number * scale * weight;
    }
}

/// Brings a list to mean zero and variance one, scales it by its weights and moves it by `bias`. Ba, Kiros and Hinton,
/// <https://arxiv.org/abs/1607.06450>.
pub(crate) fn centre(list: &mut [f32], weights: &[f32], bias: &[f32], epsilon: f32) {
    let count = list.len().max(1) as f32;
    let mean = list.iter().sum::<f32>() / count;
    list.iter_mut().for_each(|number| *number -= mean);
    let scale = 1.0 / (dot(list, list) / count + epsilon).sqrt();
    for ((number, weight), bias) in list.iter_mut().zip(weights).zip(bias) {
        *number = *number * scale * weight + bias;
    }
}

/// Turns scores into shares of one.
pub(crate) fn shares(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - most).exp();
        sum += *score;
    }
    let scale = 1.0 / sum;
    for score in scores.iter_mut() {
        *score *= scale;
    }
}

/// `gate` bent by x·sigmoid(x), times `up`. Shazeer, <https://arxiv.org/abs/2002.05202>.
pub(crate) fn gate_silu(gate: &mut [f32], up: &[f32]) {
    for (gate, up) in gate.iter_mut().zip(up) {
        *gate = *gate / (1.0 + (-*gate).exp()) * up;
    }
}

/// `gate` bent by the tanh form of GELU, times `up`. Rounded to 16 bits before and after, because llama.cpp looks the
/// bend up in a table of 16-bit numbers. Hendrycks and Gimpel, <https://arxiv.org/abs/1606.08415>.
pub(crate) fn gate_gelu(gate: &mut [f32], up: &[f32]) {
    const ROOT_OF_TWO_OVER_PI: f32 = 0.797_884_6;
    for (gate, up) in gate.iter_mut().zip(up) {
        let x = *gate;
        let bent = if x <= -10.0 {
            0.0
        } else if x >= 10.0 {
            x
        } else {
            let x = f16::from_f32(x).to_f32();
            f16::from_f32(0.5 * x * (1.0 + (ROOT_OF_TWO_OVER_PI * x * (1.0 + 0.044_715 * x * x)).tanh())).to_f32()
        };
        *gate = bent * up;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_takes_the_rest_that_fills_no_lanes() {
        let list: Vec<f32> = (0..37).map(|n| n as f32).collect();
        assert_eq!(dot(&list, &list), (0..37).map(|n| n * n).sum::<i32>() as f32);
    }

    #[test]
    fn a_norm_brings_the_mean_square_to_one() {
        let mut list = vec![3.0; 40];
        norm(&mut list, &[1.0; 40], 0.0);
        assert!(list.iter().all(|number| (number - 1.0).abs() < 1e-6));
    }

    #[test]
    fn a_centred_list_has_mean_zero_and_variance_one_before_it_is_scaled_and_moved() {
        let mut list = [1.0, 3.0, 1.0, 3.0];
        centre(&mut list, &[2.0; 4], &[10.0; 4], 0.0);
        assert_eq!(list, [8.0, 12.0, 8.0, 12.0]);
    }

    #[test]
    fn shares_sum_to_one_also_for_large_scores() {
        let mut scores = vec![1e30, 1e30, -1e30];
        shares(&mut scores);
        assert_eq!(scores, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn the_bends_are_flat_on_the_left_and_straight_on_the_right() {
        let mut gate = vec![-20.0, 0.0, 20.0];
        gate_gelu(&mut gate, &[1.0; 3]);
        assert_eq!(gate, [0.0, 0.0, 20.0]);
        let mut gate = vec![-100.0, 0.0, 100.0];
        gate_silu(&mut gate, &[2.0; 3]);
        assert!(gate[0].abs() < 1e-30 && gate[1] == 0.0 && gate[2] == 200.0, "{gate:?}");
    }
}
