//! Shapes in which amounts, waits and popularity are drawn.

use rand_distr::{Gamma, Zipf};

use crate::generate::Dice;

/// Draws one of `choices`, each as likely; there is at least one.
pub(super) fn one_of<T: Copy>(dice: &mut Dice, choices: &[T]) -> T {
    *dice.pick(choices)
}

/// Draws one of `choices`, as likely as its weight says; there is at least one.
pub(super) fn weighted<T: Copy>(dice: &mut Dice, choices: &[(f64, T)]) -> T {
    *dice.pick_weighted(choices)
}

/// Draws a number whose logarithm is normal; half of them are below `median`.
pub(super) fn log_normal(dice: &mut Dice, median: f64, deviation: f64) -> f64 {
    median * (deviation * dice.normal()).exp()
}

/// Draws a number from 1 up, of which a share of `x^-shape` is above `x`.
pub(super) fn pareto(dice: &mut Dice, shape: f64) -> f64 {
    (1.0 - dice.unit()).powf(-1.0 / shape)
}

/// Draws a number above 0 with mean `mean`; the lower `shape`, the more are far from it.
pub(super) fn gamma(dice: &mut Dice, shape: f64, mean: f64) -> f64 {
    dice.sample(&Gamma::new(shape, mean / shape).expect("shapes and means are above 0"))
}

/// Draws a number below `count`, of which the first come most often (Zipf, exponent 1.1).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a whole number from 1 to count"
)]
pub(super) fn rank(dice: &mut Dice, count: u32) -> u32 {
    let zipf = Zipf::new(f64::from(count), 1.1).expect("there is something to rank");
    (dice.sample(&zipf) as u32).clamp(1, count) - 1
}

/// Returns bits that `number` alone decides, as unlike those of its neighbours as random ones.
///
/// What is the same about a customer for everybody who meets it comes from here.
pub(super) const fn scatter(number: u64) -> u64 {
    // The finaliser of SplitMix64.
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Returns the choice that `bits` make.
#[expect(clippy::cast_possible_truncation, reason = "below a length")]
pub(super) fn choice<T>(choices: &[T], bits: u64) -> &T {
    &choices[(bits % choices.len() as u64) as usize]
}

/// Returns the whole number nearest to `value`, which is not below 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast of a float stops at the ends of the range"
)]
pub(super) fn whole(value: f64) -> u32 {
    value.round() as u32
}

/// Draws a place among `count`, each as likely; 0 when there is none.
#[expect(clippy::cast_possible_truncation, reason = "below a length")]
pub(super) fn place_below(dice: &mut Dice, count: usize) -> usize {
    dice.below(count as u64) as usize
}
