//! What is counted: sources, keys and limits, and where their state lives in the table.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::siphash::{Pieces, Secret};

/// The address a packet or a client is counted under: an IPv4 or IPv6 address with its host bits cut off.
///
/// An IPv4 address and its IPv4-mapped IPv6 form are the same source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Source {
    high: u64,
    low: u64,
}

const _: () = assert!(size_of::<Source>() == 16);

const V4_MAPPED: u64 = 0xffff_0000_0000;

impl Source {
    /// The source of an IPv4 address, in host byte order, whose first `prefix` bits count (0 to 32).
    #[inline(always)]
    pub const fn v4(address: u32, prefix: u8) -> Self {
        Self {
            high: 0,
            low: V4_MAPPED | (address & mask(prefix as u32 + 32)) as u64,
        }
    }

    /// The source of an IPv6 address, as two words in host byte order, whose first `prefix` bits count (0 to 128).
    #[inline(always)]
    pub const fn v6(high: u64, low: u64, prefix: u8) -> Self {
        let prefix = prefix as u32;
        if prefix > 64 {
            Self {
                high,
                low: low & mask64(prefix - 64),
            }
        } else {
            Self {
                high: high & mask64(prefix),
                low: 0,
            }
        }
    }

    /// The 32 bits of an IPv4 address.
    #[inline(always)]
    const fn v4_bits(self) -> Option<u64> {
        if self.high == 0 && self.low >> 32 == V4_MAPPED >> 32 {
            Some(self.low & 0xffff_ffff)
        } else {
            None
        }
    }

    /// The source of an address, counted by the given prefix lengths.
    pub fn of(address: IpAddr, prefixes: Prefixes) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::v4(v4.to_bits(), prefixes.v4),
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the two halves of 128 bits"
                )]
                Self::v6((bits >> 64) as u64, bits as u64, prefixes.v6)
            }
        }
    }

    /// The source that this one, a whole address, belongs to by shorter prefixes.
    #[must_use]
    #[inline(always)]
    pub const fn within(self, prefixes: Prefixes) -> Self {
        match self.v4_bits() {
            #[expect(clippy::cast_possible_truncation, reason = "they are 32 bits")]
            Some(bits) => Self::v4(bits as u32, prefixes.v4),
            None => Self::v6(self.high, self.low, prefixes.v6),
        }
    }

    /// The first address of this source.
    pub fn address(self) -> IpAddr {
        let bits = u128::from(self.high) << 64 | u128::from(self.low);
        IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()
    }

    /// The address as two words, the first bits in the first.
    pub const fn words(self) -> [u64; 2] {
        [self.high, self.low]
    }

    /// The source of two words that [`Source::words`] gave.
    pub const fn from_words([high, low]: [u64; 2]) -> Self {
        Self { high, low }
    }
}

impl core::fmt::Debug for Source {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.address())
    }
}

impl From<[u8; 4]> for Source {
    fn from(octets: [u8; 4]) -> Self {
        Self::from(Ipv4Addr::from(octets))
    }
}

impl From<Ipv4Addr> for Source {
    fn from(address: Ipv4Addr) -> Self {
        Self::v4(address.to_bits(), 32)
    }
}

const fn mask(prefix_of_64: u32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half holds the mask of an IPv4 address"
    )]
    let low = mask64(prefix_of_64) as u32;
    low
}

const fn mask64(prefix: u32) -> u64 {
    if prefix == 0 {
        0
    } else {
        u64::MAX << (64 - prefix)
    }
}

/// How many leading bits of an address make a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Prefixes {
    /// Bits of an IPv4 address, 0 to 32.
    pub v4: u8,
    /// Bits of an IPv6 address, 0 to 128.
    pub v6: u8,
}

impl Default for Prefixes {
    /// A whole IPv4 address and an IPv6 /64, which is what one customer usually gets.
    fn default() -> Self {
        Self { v4: 32, v6: 64 }
    }
}

/// The keyed hash of whatever a limit counts by: a source, a header's value, several parts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct KeyHash(u64);

impl KeyHash {
    /// The key of a limit that counts by source: of the four bytes of an IPv4 address, which fit into the
    /// hash's last block, or of the sixteen of an IPv6 address.
    #[inline(always)]
    pub fn of_source(secret: Secret, source: Source) -> Self {
        Self(match source.v4_bits() {
            Some(v4) => secret.hash_short::<4>(v4),
            None => secret.hash_words([source.high, source.low]),
        })
    }

    /// The key of a limit that counts by destination port.
    #[inline(always)]
    pub fn of_port(secret: Secret, port: u16) -> Self {
        Self(secret.hash_short::<2>(u64::from(port)))
    }

    /// The key of a limit that counts by both.
    #[inline(always)]
    pub fn of_source_and_port(secret: Secret, source: Source, port: u16) -> Self {
        let port = u64::from(port);
        Self(match source.v4_bits() {
            Some(v4) => secret.hash_short::<6>(v4 << 16 | port),
            None => secret.hash_words([source.high, source.low, port]),
        })
    }

    /// The key of a limit with one budget for all.
    #[inline(always)]
    pub fn of_nothing(secret: Secret) -> Self {
        Self(secret.hash_words([]))
    }

    /// The key of anything else: a header's value, several parts together.
    pub fn of_bytes(secret: Secret, bytes: &[u8]) -> Self {
        Self(secret.hash_bytes(bytes))
    }

    /// The same for bytes that came in pieces.
    #[inline]
    pub fn of_pieces(pieces: Pieces) -> Self {
        Self(pieces.finish())
    }

    /// The hash as a number, which is how the kernel's program hands it from one function to another.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The key of what [`KeyHash::bits`] gave.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// Which limit a cell belongs to: the keyed hash of the limit's name, so that a limit that keeps its name
/// through a reload or a restart keeps its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct LimitId(u64);

impl LimitId {
    /// The id of the limit `name` among those of one `kind` (its layer and purpose).
    pub fn new(secret: Secret, kind: LimitKind, name: &str) -> Self {
        let name = secret.hash_bytes(name.as_bytes());
        Self(secret.hash_words([kind as u64, name]))
    }

    /// The id that the cells of blocked sources carry. `BLOCK.0` is zero so that a block lives where
    /// the source's hash points, without a further step in the kernel.
    pub const BLOCK: Self = Self(0);

    /// The id as the kernel's rules carry it.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The id of what [`LimitId::bits`] gave.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// What a limit's cells count. Two limits of the same name and another kind share nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum LimitKind {
    /// Requests, in the proxy.
    Request = 1,
    /// Packets, in the pre-filter.
    Packet = 2,
    /// Refusals on the way to a block.
    Strikes = 3,
    /// How often a source was blocked before.
    Offences = 4,
    /// How warm a key of a limit with warm-up is.
    Warmth = 5,
}

/// The address of one key's state under one limit: the set it lives in and the fingerprint of its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowId {
    home: u64,
    fingerprint: u64,
}

/// One key's limits live within a page of each other: sixty-four sets of 64 bytes.
const NEIGHBOURS: u64 = 63;

impl FlowId {
    /// Where the state of `key` under `limit` lives.
    #[inline(always)]
    pub const fn new(key: KeyHash, limit: LimitId) -> Self {
        Self {
            home: (key.0 >> 2) ^ (limit.0 & NEIGHBOURS),
            fingerprint: (key.0 ^ limit.0) | 1,
        }
    }

    /// The cell that blocks a source: bit 1 of the fingerprint tells the two scopes apart, so that the
    /// kernel finds either with one comparison.
    #[inline(always)]
    pub const fn block(source: KeyHash, scope: Scope) -> Self {
        let flow = Self::new(source, LimitId::BLOCK);
        let bit = match scope {
            Scope::Listeners => 0,
            Scope::Host => HOST,
        };
        Self {
            home: flow.home,
            fingerprint: (flow.fingerprint & !HOST) | bit,
        }
    }

    /// Where this flow's state begins, in whatever is addressed by flow: masked it is an index.
    #[inline(always)]
    pub const fn home(self) -> u64 {
        self.home
    }

    /// The index of this flow's set in a table of `mask + 1` sets.
    #[inline(always)]
    pub const fn set(self, mask: u64) -> u64 {
        self.home & mask
    }

    /// Never zero, and always odd: see [`crate::set`].
    #[inline(always)]
    pub const fn fingerprint(self) -> u64 {
        self.fingerprint
    }
}

/// The bit of a block's fingerprint that is set when it drops everything.
pub(crate) const HOST: u64 = 2;

/// What a block drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Scope {
    /// What the source sends to the listeners' ports.
    #[default]
    Listeners = 0,
    /// Everything the source sends to this host.
    Host = 1,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: Secret = Secret { k0: 1, k1: 2 };

    fn source(address: &str, v4: u8, v6: u8) -> Source {
        Source::of(address.parse().unwrap(), Prefixes { v4, v6 })
    }

    #[test]
    fn host_bits_are_cut_off() {
        for (address, prefix, expected) in [
            ("192.0.2.129", 32, "192.0.2.129"),
            ("192.0.2.129", 25, "192.0.2.128"),
            ("192.0.2.129", 0, "0.0.0.0"),
        ] {
            assert_eq!(source(address, prefix, 64).address().to_string(), expected);
        }
        for (prefix, expected) in [
            (128, "2001:db8:1:2:3:4:5:6"),
            (127, "2001:db8:1:2:3:4:5:6"),
            (65, "2001:db8:1:2::"),
            (64, "2001:db8:1:2::"),
            (63, "2001:db8:1:2::"),
            (48, "2001:db8:1::"),
            (0, "::"),
        ] {
            let cut = source("2001:db8:1:2:3:4:5:6", 32, prefix);
            assert_eq!(cut.address().to_string(), expected, "/{prefix}");
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address() {
        let mapped = source("::ffff:192.0.2.7", 32, 64);
        assert_eq!(mapped, source("192.0.2.7", 32, 64));
        assert_eq!(mapped, Source::from(Ipv4Addr::new(192, 0, 2, 7)));
        assert_eq!(Source::from_words(mapped.words()), mapped);
    }

    #[test]
    fn sources_of_one_prefix_share_a_key_and_others_do_not() {
        let key = |address| KeyHash::of_source(SECRET, source(address, 32, 64));
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("0.0.0.0"), key("::"));
    }

    #[test]
    fn the_secret_the_name_and_the_kind_all_tell_limits_apart() {
        let id = |k0, kind, name| LimitId::new(Secret { k0, k1: 2 }, kind, name);
        let here = id(1, LimitKind::Request, "a");
        assert_eq!(here, id(1, LimitKind::Request, "a"));
        for other in [
            id(9, LimitKind::Request, "a"),
            id(1, LimitKind::Packet, "a"),
            id(1, LimitKind::Request, "b"),
            LimitId::BLOCK,
        ] {
            assert_ne!(here, other);
        }
    }

    #[test]
    fn fingerprints_are_odd_and_the_two_scopes_differ_in_one_bit_of_one_set() {
        for port in 0..1000 {
            let key = KeyHash::of_port(SECRET, port);
            let flow = FlowId::new(key, LimitId::new(SECRET, LimitKind::Request, "a"));
            assert_eq!(flow.fingerprint() & 1, 1);
            let [listeners, host] =
                [Scope::Listeners, Scope::Host].map(|scope| FlowId::block(key, scope));
            assert_eq!(listeners.fingerprint() ^ host.fingerprint(), HOST);
            assert_eq!(listeners.home(), host.home());
            assert!(flow.set(1023) < 1024);
        }
    }

    #[test]
    fn the_limits_of_one_key_live_within_a_page_of_sets() {
        let key = KeyHash::of_port(SECRET, 80);
        for name in ["a", "b", "c"] {
            let flow = FlowId::new(key, LimitId::new(SECRET, LimitKind::Request, name));
            assert_eq!(
                flow.set(u64::MAX) >> 6,
                FlowId::block(key, Scope::Host).set(u64::MAX) >> 6
            );
        }
    }
}
