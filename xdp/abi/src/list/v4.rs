//! IPv4 prefixes: an entry is one word, a bucket one cache line.

use super::{Family, Full, Memory, NODES_V4, VALUE_BITS, Value, WORDS_V4, mix, tag};

const SLOTS: usize = 8;

const VALUE_MASK: u64 = (1 << VALUE_BITS) - 1;

/// An address, as a number in host order.
#[derive(Clone, Copy, Debug)]
pub struct V4(pub u32);

impl Family for V4 {
    type Key = u64;

    const LEVELS: u32 = 6;
    const NODES: usize = NODES_V4;
    const WORDS: usize = WORDS_V4;
    const SLOTS: usize = SLOTS;

    fn from_bits(bits: u128) -> Self {
        Self((bits >> 96) as u32)
    }

    /// 32 bits of the address and 8 of the tag.
    #[inline(always)]
    fn key(self, length: u8) -> u64 {
        let mask = u64::MAX.wrapping_shl(32 - u32::from(length));
        (u64::from(self.0) & mask) << 8 | tag(length)
    }

    #[inline(always)]
    fn hash(key: u64, keys: [u64; 3]) -> u64 {
        mix(key ^ keys[0], keys[1])
    }

    #[inline(always)]
    fn read<M: Memory>(bucket: M::Bucket, key: u64) -> Result<Value, Full> {
        for slot in 0..SLOTS {
            let word = M::word(bucket, slot);
            if word >> VALUE_BITS == key {
                return Ok((word & VALUE_MASK) as Value);
            }
        }
        Err(Full(M::word(bucket, SLOTS - 1) != 0))
    }
    fn write(bucket: &mut [u64], slot: usize, key: u64, value: Value) {
        bucket[slot] = key << VALUE_BITS | u64::from(value);
    }
}
