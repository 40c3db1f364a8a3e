//! IPv6 prefixes: six to a bucket of two cache lines. A miss mostly ends in the first, with the high halves.

use super::{Family, Full, Memory, NODES_V6, VALUE_BITS, Value, WORDS_V6, mix, tag};

const SLOTS: usize = 6;

const LOW: usize = SLOTS;
const NOTES: usize = 2 * SLOTS;
const VALUE_MASK: u64 = (1 << VALUE_BITS) - 1;

/// An address, as two numbers in host order.
#[derive(Clone, Copy, Debug)]
pub struct V6 {
    pub high: u64,
    pub low: u64,
}

/// A prefix: the address that it begins with, and its length as a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    high: u64,
    low: u64,
    tag: u64,
}

/// The tag and the value of a slot: 32 bits, zero when it is empty.
#[inline(always)]
fn note<M: Memory>(bucket: M::Bucket, slot: usize) -> u64 {
    M::word(bucket, NOTES + slot / 2) >> (slot % 2 * 32) & 0xffff_ffff
}

impl Family for V6 {
    type Key = Key;

    const LEVELS: u32 = 8;
    const NODES: usize = NODES_V6;
    const WORDS: usize = WORDS_V6;
    const SLOTS: usize = SLOTS;

    fn from_bits(bits: u128) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
        return Self {
            high: (bits >> 64) as u64,
            low: bits as u64,
        };
    }

    #[inline(always)]
    fn key(self, length: u8) -> Key {
        let bits = u32::from(length);
        let (high, low) = if bits <= 64 {
            (self.high & u64::MAX.wrapping_shl(64 - bits), 0)
        } else {
            (self.high, self.low & u64::MAX.wrapping_shl(128 - bits))
        };
        let tag = tag(length);
        Key { high, low, tag }
    }

    #[inline(always)]
    fn hash(key: Key, keys: [u64; 3]) -> u64 {
        let low = mix(key.low ^ key.tag ^ keys[0], keys[1]);
        mix(key.high ^ low, keys[2])
    }

    #[inline(always)]
    fn read<M: Memory>(bucket: M::Bucket, key: Key) -> Result<Value, Full> {
        for slot in 0..SLOTS {
            if M::word(bucket, slot) == key.high && M::word(bucket, LOW + slot) == key.low {
                let note = note::<M>(bucket, slot);
                if note >> VALUE_BITS == key.tag {
                    return Ok((note & VALUE_MASK) as Value);
                }
            }
        }
        Err(Full(note::<M>(bucket, SLOTS - 1) != 0))
    }
    fn write(bucket: &mut [u64], slot: usize, key: Key, value: Value) {
        bucket[slot] = key.high;
        bucket[LOW + slot] = key.low;
        let note = key.tag << VALUE_BITS | u64::from(value);
        bucket[NOTES + slot / 2] |= note << (slot % 2 * 32);
    }
}
