//! Products with 8-bit weights (Q8_0) on the bytes as they lie in the file, without a copy in another order.
//!
//! A block is 34 bytes: a 16-bit scale and 32 signed bytes. The other side is cut into blocks of 32 with their own
//! scale, as every implementation of the format does. For one input each row is walked through from its first byte to
//! its last: what limits these products is the memory, which brings bytes in their order twice as fast as in four rows
//! side by side. Of many inputs four are held against two rows, so that what was fetched is used several times.
//! The wide instructions come from `pulp`, which asks the processor once and is safe to call.

use core::arch::x86_64::{__m256, __m256i};

use pulp::x86::{V3, V4};
use rayon::prelude::*;

/// Numbers in a block.
const BLOCK: usize = 32;
/// Bytes of a block.
const BLOCK_BYTES: usize = 34;
/// Blocks whose scales are widened together.
const GROUP: usize = 8;
/// Inputs that a row is held against together.
const TOGETHER: usize = 4;
/// Rows that several inputs are held against together.
const PAIR: usize = 2;
/// Rows below which handing work to other threads costs more than it brings.
const PARALLEL_ROWS_MIN: usize = 256;

/// The widest instructions this engine has a kernel for.
#[derive(Clone, Copy)]
enum Level {
    Wide(V4),
    Usual(V3),
}

/// The kernel of this machine.
#[derive(Clone, Copy)]
pub(crate) struct Kernel(Level);

/// A list in blocks of 8 bits, each between -127 and 127.
struct Cut {
    scales: Vec<f32>,
    numbers: Vec<[i8; BLOCK]>,
}

impl Kernel {
    /// The kernel for this processor, when it has the instructions.
    pub(crate) fn find() -> Option<Self> {
        V4::try_new().map(Level::Wide).or_else(|| V3::try_new().map(Level::Usual)).map(Self)
    }

    /// Multiplies `inputs` (rows of `columns` numbers) with the rows in `bytes` into `outputs`. The sizes were checked
    /// by the caller.
    pub(crate) fn times(self, bytes: &[u8], columns: usize, inputs: &[f32], outputs: &mut [f32]) {
        let cuts: Vec<Cut> = inputs.chunks_exact(columns).map(|input| self.cut(input)).collect();
        let row_bytes = columns / BLOCK * BLOCK_BYTES;
        let rows = bytes.len() / row_bytes;
        let count = cuts.len();
        if count == 1 {
            self.spread(bytes, row_bytes, &cuts, outputs);
            return;
        }
        // Rows outside, inputs inside: each weight is fetched once. The outcome stands on its side then.
        let mut turned = vec![0.0; rows * count];
        self.spread(bytes, row_bytes, &cuts, &mut turned);
        for (token, output) in outputs.chunks_exact_mut(rows).enumerate() {
            for (row, number) in output.iter_mut().enumerate() {
                *number = turned[row * count + token];
            }
        }
    }

    /// Shares the rows among the threads of the pool this runs in, when it runs in one.
    fn spread(self, bytes: &[u8], row_bytes: usize, cuts: &[Cut], turned: &mut [f32]) {
        let count = cuts.len();
        let rows = turned.len() / count;
        let threads = rayon::current_thread_index().map_or(1, |_| rayon::current_num_threads());
        if threads == 1 || rows < PARALLEL_ROWS_MIN {
            self.rows(bytes, row_bytes, cuts, turned);
            return;
        }
        let share = rows.div_ceil(threads * 2);
        let parts = bytes.par_chunks(share * row_bytes).zip(turned.par_chunks_mut(share * count));
        parts.for_each(|(bytes, turned)| self.rows(bytes, row_bytes, cuts, turned));
    }

    fn rows(self, bytes: &[u8], row_bytes: usize, cuts: &[Cut], turned: &mut [f32]) {
        match self.0 {
            Level::Wide(simd) => simd.vectorize(Rows { simd: *simd, bytes, row_bytes, cuts, turned }),
            Level::Usual(simd) => simd.vectorize(Rows { simd, bytes, row_bytes, cuts, turned }),
        }
    }

    /// Cuts a list into blocks.
    fn cut(self, input: &[f32]) -> Cut {
        match self.0 {
            Level::Wide(simd) => simd.vectorize(
                #[inline(always)]
                || cut(input),
            ),
            Level::Usual(simd) => simd.vectorize(
                #[inline(always)]
                || cut(input),
            ),
        }
    }
}

#[inline(always)]
fn cut(input: &[f32]) -> Cut {
    let (blocks, _) = input.as_chunks::<BLOCK>();
    let mut scales = Vec::with_capacity(blocks.len());
    let mut numbers = Vec::with_capacity(blocks.len());
    for block in blocks {
        let mut lanes = [0.0_f32; 8];
        for eight in block.as_chunks::<8>().0 {
            for lane in 0..8 {
                lanes[lane] = if eight[lane].abs() > lanes[lane] { eight[lane].abs() } else { lanes[lane] };
            }
        }
        let most = lanes.iter().copied().fold(0.0, f32::max);
        let scale = most / 127.0;
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        scales.push(half::f16::from_f32(scale).to_f32());
        let mut cut = [0_i8; BLOCK];
        for (cut, number) in cut.iter_mut().zip(block) {
            *cut = (number * inverse).round_ties_even() as i8;
        }
        numbers.push(cut);
    }
    Cut { scales, numbers }
}

/// Walks through the rows. Written once and compiled for each level, into which it is drawn whole: what is called
/// through a closure would not be compiled for the instructions of the level.
struct Rows<'a> {
    simd: V3,
    bytes: &'a [u8],
    row_bytes: usize,
    cuts: &'a [Cut],
    turned: &'a mut [f32],
}

impl pulp::NullaryFnOnce for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let count = self.cuts.len();
        if count < TOGETHER {
            for (row, turned) in self.bytes.chunks_exact(self.row_bytes).zip(self.turned.chunks_exact_mut(count)) {
                walk::<1, 2>(self.simd, [row], self.cuts, turned);
            }
            return;
        }
        let mut bytes = self.bytes.chunks_exact(PAIR * self.row_bytes);
        let mut turned = self.turned.chunks_exact_mut(PAIR * count);
        for (pair, turned) in (&mut bytes).zip(&mut turned) {
            let (first, second) = pair.split_at(self.row_bytes);
            walk::<PAIR, 1>(self.simd, [first, second], self.cuts, turned);
        }
        let turned = turned.into_remainder();
        if !turned.is_empty() {
            walk::<1, 2>(self.simd, [bytes.remainder()], self.cuts, turned);
        }
    }
}

/// Some rows times all inputs; `turned` takes the products of the first row, then of the next.
#[inline(always)]
fn walk<const ROWS: usize, const SUMS: usize>(simd: V3, rows: [&[u8]; ROWS], cuts: &[Cut], turned: &mut [f32]) {
    let mut blocks: [&[[u8; BLOCK_BYTES]]; ROWS] = [&[]; ROWS];
    for row in 0..ROWS {
        blocks[row] = rows[row].as_chunks::<BLOCK_BYTES>().0;
    }
    let (fours, rest) = cuts.as_chunks::<TOGETHER>();
    for (place, cuts) in fours.iter().enumerate() {
        let found = products::<ROWS, TOGETHER, SUMS>(simd, &blocks, cuts);
        for (row, found) in found.iter().enumerate() {
            let start = row * (turned.len() / ROWS) + place * TOGETHER;
            turned[start..start + TOGETHER].copy_from_slice(found);
        }
    }
    for (place, cut) in rest.iter().enumerate() {
        let found = products::<ROWS, 1, SUMS>(simd, &blocks, std::array::from_ref(cut));
        for (row, [found]) in found.into_iter().enumerate() {
            turned[row * (turned.len() / ROWS) + fours.len() * TOGETHER + place] = found;
        }
    }
}

/// The scale of a block: a 16-bit number, widened by moving its bits and mending its exponent. The compiler turns it
/// into a few instructions for a whole group.
#[inline(always)]
fn scale(block: &[u8; BLOCK_BYTES]) -> f32 {
    const MEND: f32 = f32::from_bits((254 - 15) << 23);
    let bits = u32::from(u16::from_le_bytes([block[0], block[1]]));
    let size = f32::from_bits((bits & 0x7fff) << 13) * MEND;
    f32::from_bits(size.to_bits() | (bits & 0x8000) << 16)
}

/// Some rows times some inputs. With one row and one input there are two sums, so that one addition need not wait for
/// the other. Every place is known to the compiler but that of the group, so that the sums stay in registers.
#[inline(always)]
fn products<const ROWS: usize, const INPUTS: usize, const SUMS: usize>(
    simd: V3,
    rows: &[&[[u8; BLOCK_BYTES]]; ROWS],
    cuts: &[Cut; INPUTS],
) -> [[f32; INPUTS]; ROWS] {
    let mut sums = [[[simd.avx._mm256_setzero_ps(); SUMS]; INPUTS]; ROWS];
    let whole = rows[0].len() / GROUP;
    for place in 0..whole {
        let mut blocks: [&[[u8; BLOCK_BYTES]; GROUP]; ROWS] = [&rows[0].as_chunks().0[place]; ROWS];
        for row in 1..ROWS {
            blocks[row] = &rows[row].as_chunks().0[place];
        }
        let mut numbers: [&[[i8; BLOCK]; GROUP]; INPUTS] = [&cuts[0].numbers.as_chunks().0[place]; INPUTS];
        let mut scales = [[[0.0; GROUP]; INPUTS]; ROWS];
        for input in 0..INPUTS {
            numbers[input] = &cuts[input].numbers.as_chunks().0[place];
        }
        for row in 0..ROWS {
            let own = group_scales(blocks[row]);
            for input in 0..INPUTS {
                let others: &[f32; GROUP] = &cuts[input].scales.as_chunks().0[place];
                for block in 0..GROUP {
                    scales[row][input][block] = own[block] * others[block];
                }
            }
        }
        for pair in 0..GROUP / 2 {
            for half in 0..2 {
                let block = 2 * pair + half;
                for row in 0..ROWS {
                    let weights = pulp::cast(bytes_of(&blocks[row][block]));
                    for input in 0..INPUTS {
                        let sum = &mut sums[row][input][half % SUMS];
                        *sum = add_block(simd, weights, &numbers[input][block], scales[row][input][block], *sum);
                    }
                }
            }
        }
    }
    let mut products = [[0.0; INPUTS]; ROWS];
    for row in 0..ROWS {
        for input in 0..INPUTS {
            products[row][input] = summed(simd, rows[row], whole * GROUP, &cuts[input], sums[row][input]);
        }
    }
    products
}

/// What the sums come to, with the blocks from `first` on, which fill no group.
#[inline(always)]
fn summed<const SUMS: usize>(
    simd: V3,
    blocks: &[[u8; BLOCK_BYTES]],
    first: usize,
    cut: &Cut,
    sums: [__m256; SUMS],
) -> f32 {
    let mut sum = sums[0];
    for other in &sums[1..] {
        sum = simd.avx._mm256_add_ps(sum, *other);
    }
    for (place, block) in blocks.iter().enumerate().skip(first) {
        let scale = scale(block) * cut.scales[place];
        sum = add_block(simd, pulp::cast(bytes_of(block)), &cut.numbers[place], scale, sum);
    }
    let lanes: [f32; 8] = pulp::cast(sum);
    let fours = [lanes[0] + lanes[4], lanes[1] + lanes[5], lanes[2] + lanes[6], lanes[3] + lanes[7]];
    (fours[0] + fours[2]) + (fours[1] + fours[3])
}

/// The scales of a group of blocks.
#[inline(always)]
fn group_scales(blocks: &[[u8; BLOCK_BYTES]; GROUP]) -> [f32; GROUP] {
    let mut scales = [0.0; GROUP];
    for block in 0..GROUP {
        scales[block] = scale(&blocks[block]);
    }
    scales
}

#[inline(always)]
fn bytes_of(block: &[u8; BLOCK_BYTES]) -> [u8; BLOCK] {
    let mut bytes = [0; BLOCK];
    bytes.copy_from_slice(&block[2..]);
    bytes
}

/// Adds a block times a block of the input, by lanes. The instruction for products of bytes wants one side without
/// signs, so the sign of each weight goes over to the input. A pair sums to no more than 2 x 128 x 127, which 16 bits
/// hold, so that nothing is lost before the scale.
#[inline(always)]
fn add_block(simd: V3, weights: __m256i, numbers: &[i8; BLOCK], scale: f32, sums: __m256) -> __m256 {
    let signed = simd.avx2._mm256_sign_epi8(pulp::cast(*numbers), weights);
    let pairs = simd.avx2._mm256_maddubs_epi16(simd.avx2._mm256_abs_epi8(weights), signed);
    let fours = simd.avx2._mm256_madd_epi16(pairs, simd.avx._mm256_set1_epi16(1));
    simd.fma._mm256_fmadd_ps(simd.avx._mm256_set1_ps(scale), simd.avx._mm256_cvtepi32_ps(fours), sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten blocks a row leave two beside the group, and six inputs two beside the four.
    #[test]
    fn products_are_those_of_plain_numbers_beside_whole_groups_too() {
        let Some(kernel) = Kernel::find() else {
            eprintln!("SKIPPED: this processor has no instructions the kernel needs");
            return;
        };
        let (rows, blocks, count) = (7, 10, 6);
        let mut bytes = Vec::new();
        for block in 0..rows * blocks {
            bytes.extend(half::f16::from_f32(if block % 3 == 0 { -0.02 } else { 0.01 }).to_le_bytes());
            // From the least to the most that a byte holds: the least has no counterpart above zero.
            bytes.extend((0..BLOCK).map(|place| ((block * 29 + place * 11) % 256) as u8));
        }
        let columns = blocks * BLOCK;
        // Whole numbers up to 127 in each block are cut without rounding, but for that of the scale.
        let inputs: Vec<f32> =
            (0..count * columns).map(|n| if n % BLOCK == 0 { 127.0 } else { (n * 7 % 255) as f32 - 127.0 }).collect();
        let mut outputs = vec![0.0; count * rows];
        for levels in [kernel, Kernel(Level::Usual(V3::try_new().unwrap()))] {
            levels.times(&bytes, columns, &inputs, &mut outputs);
            for (place, output) in outputs.iter().enumerate() {
                let (input, row) = (&inputs[place / rows * columns..], place % rows);
                let wanted: f32 = (0..columns)
                    .map(|column| {
                        let block = &bytes[(row * blocks + column / BLOCK) * BLOCK_BYTES..];
                        let scale = half::f16::from_le_bytes([block[0], block[1]]).to_f32();
                        scale * f32::from(block[2 + column % BLOCK] as i8) * input[column]
                    })
                    .sum();
                assert!((output - wanted).abs() < 0.5, "{place}: {output} for {wanted}");
            }
        }
    }
}
