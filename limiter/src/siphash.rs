//! SipHash-1-3: the keyed hash that decides where a key lives, so that nobody without the secret can aim at a cell.
//!
//! Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), with one compression and three
//! finalization rounds, as the Rust and Python hash tables use it. The kernel hashes whole words; both
//! forms give what the reference gives for the same little-endian bytes.

/// The secret of one flow table. It is drawn once and kept with the table: whoever knows it can aim at cells.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Secret {
    /// The first half of the key.
    pub k0: u64,
    /// The second half of the key.
    pub k1: u64,
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// Hashes a fixed number of words: what the XDP program does.
    #[inline(always)]
    pub fn hash_words<const N: usize>(self, words: [u64; N]) -> u64 {
        let mut state = State::new(self);
        for word in words {
            state.compress(word);
        }
        state.finish(((N as u64) * 8) << 56)
    }

    /// Hashes the `N` low bytes of a word, at most seven: they fit into the last block, with the length.
    #[inline(always)]
    pub fn hash_short<const N: u32>(self, bytes: u64) -> u64 {
        const { assert!(N < 8) }
        State::new(self).finish(bytes & ((1 << (N * 8)) - 1) | u64::from(N) << 56)
    }

    /// Hashes any bytes.
    pub fn hash_bytes(self, bytes: &[u8]) -> u64 {
        let mut pieces = self.pieces();
        pieces.bytes(bytes);
        pieces.finish()
    }

    /// Hashes bytes that come in pieces, to what they would give together.
    #[inline]
    pub fn pieces(self) -> Pieces {
        Pieces {
            state: State::new(self),
            rest: 0,
            length: 0,
        }
    }
}

/// Pieces that were hashed, and of the last one what is no whole word yet.
pub struct Pieces {
    state: State,
    rest: u64,
    /// Bytes of all.
    length: u64,
}

impl core::fmt::Debug for Pieces {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Pieces(..)")
    }
}

impl Pieces {
    /// Adds the bytes of a word, the low ones first.
    #[inline]
    pub fn word(&mut self, word: u64) {
        let bits = self.bits();
        self.state.compress(self.rest | word << bits);
        self.rest = behind(word, bits);
        self.length += 8;
    }

    /// Adds bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let (bits, tail) = (self.bits(), tail(bytes, rest));
        self.rest |= tail << bits;
        let length = rest.len() as u64;
        if self.length % 8 + length >= 8 {
            self.state.compress(self.rest);
            self.rest = behind(tail, bits);
        }
        self.length += length;
    }

    /// The hash of them all.
    #[inline]
    pub fn finish(self) -> u64 {
        self.state.finish(self.rest | self.length << 56)
    }

    /// How far the word that has begun is filled.
    #[inline]
    fn bits(&self) -> u64 {
        self.length % 8 * 8
    }
}

/// What of a word is left behind another one that has so many bits already.
#[inline]
fn behind(word: u64, bits: u64) -> u64 {
    if bits == 0 { 0 } else { word >> (64 - bits) }
}

/// The bytes behind the last whole word. They are the last of a word that overlaps it, where there is one.
#[inline]
fn tail(bytes: &[u8], rest: &[u8]) -> u64 {
    match (rest, bytes.last_chunk()) {
        ([], _) => 0,
        (_, Some(word)) => u64::from_le_bytes(*word) >> (64 - 8 * rest.len()),
        (_, None) => rest
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

struct State {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
}

impl State {
    #[inline(always)]
    fn new(Secret { k0, k1 }: Secret) -> Self {
        Self {
            v0: k0 ^ 0x736f_6d65_7073_6575,
            v1: k1 ^ 0x646f_7261_6e64_6f6d,
            v2: k0 ^ 0x6c79_6765_6e65_7261,
            v3: k1 ^ 0x7465_6462_7974_6573,
        }
    }

    #[inline(always)]
    fn compress(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }

    #[inline(always)]
    fn finish(mut self, last: u64) -> u64 {
        self.compress(last);
        self.v2 ^= 0xff;
        self.round();
        self.round();
        self.round();
        self.v0 ^ self.v1 ^ self.v2 ^ self.v3
    }

    #[inline(always)]
    fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use proptest::prelude::*;
    use siphasher::sip::SipHasher13;

    use super::*;

    fn reference(secret: Secret, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(secret.k0, secret.k1);
        hasher.write(bytes);
        hasher.finish()
    }

    proptest! {
        #[test]
        fn bytes_of_every_length_hash_as_the_reference_does(
            k0: u64, k1: u64, bytes in prop::collection::vec(any::<u8>(), 64),
        ) {
            let secret = Secret { k0, k1 };
            for length in 0..=64 {
                let bytes = &bytes[..length];
                prop_assert_eq!(secret.hash_bytes(bytes), reference(secret, bytes));
            }
        }

        #[test]
        fn pieces_hash_as_all_of_them_together(
            k0: u64, k1: u64,
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..8), word: u64,
        ) {
            let secret = Secret { k0, k1 };
            let mut hashed = secret.pieces();
            for piece in &pieces {
                hashed.bytes(piece);
                hashed.word(word);
            }
            let word = word.to_le_bytes();
            let whole: Vec<u8> = pieces.iter().flat_map(|piece| [piece, &word[..]].concat()).collect();
            prop_assert_eq!(hashed.finish(), reference(secret, &whole));
        }

        #[test]
        fn words_hash_as_their_little_endian_bytes(k0: u64, k1: u64, words: [u64; 5]) {
            let secret = Secret { k0, k1 };
            let bytes = words.map(u64::to_le_bytes).concat();
            prop_assert_eq!(secret.hash_words(words), reference(secret, &bytes));
            prop_assert_eq!(secret.hash_words([]), reference(secret, &[]));
        }

        #[test]
        fn short_ones_hash_as_their_little_endian_bytes(k0: u64, k1: u64, word: u64) {
            let secret = Secret { k0, k1 };
            let bytes = word.to_le_bytes();
            prop_assert_eq!(secret.hash_short::<2>(word), reference(secret, &bytes[..2]));
            prop_assert_eq!(secret.hash_short::<4>(word), reference(secret, &bytes[..4]));
            prop_assert_eq!(secret.hash_short::<6>(word), reference(secret, &bytes[..6]));
            prop_assert_eq!(secret.hash_short::<0>(word), reference(secret, &[]));
            prop_assert_eq!(secret.hash_short::<7>(word), reference(secret, &bytes[..7]));
        }
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        let secret = Secret {
            k0: 0xdead,
            k1: 0xbeef,
        };
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
