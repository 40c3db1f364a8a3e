//! Chance, for choosing among servers: fast and even, and no secret.

use std::{
    cell::Cell,
    hash::{BuildHasher, RandomState},
};

thread_local! {
    /// Never zero, which xorshift would not leave.
    static STATE: Cell<u64> = Cell::new(RandomState::new().hash_one(0) | 1);
}

/// A number below `bound`, each as likely as the others; 0 when `bound` is.
pub(super) fn below(bound: u64) -> u64 {
    let wide = u128::from(next()) * u128::from(bound);
    (wide >> 64) as u64
}

/// The next number of this thread: xorshift64* (Vigna, 2016).
fn next() -> u64 {
    STATE.with(|state| {
        let mut x = state.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        state.set(x);
        x.wrapping_mul(0x2545_f491_4f6c_dd1d)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_about_as_often() {
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[usize::try_from(below(10)).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_300..10_700).contains(count)),
            "{counts:?}"
        );
        assert_eq!((below(1), below(0)), (0, 0));
    }
}
