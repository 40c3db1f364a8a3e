//! Lists of prefixes: what the longest prefix of an address says, for a million prefixes and both families.
//!
//! Waldvogel, Varghese, Turner and Plattner, "Scalable High Speed IP Routing Lookups" (1997): the prefixes of
//! one length are found by a hash, and the length by binary search. A *marker* stands where the search must
//! turn towards a longer prefix, and carries what the best shorter one says, so that nobody turns back. An
//! address costs one probe for one length, two for three lengths, three for seven.
//!
//! A probe reads one bucket: a cache line for IPv4, two for IPv6. What does not fit into its bucket stands
//! in a second, nearly empty level, which is asked when the bucket is full; nothing is ever moved further, so
//! that a lookup has a bound whatever the addresses are. Keys are compared exactly: the hash only places.

mod v4;
mod v6;

/// What a prefix says: an action in the low two bits, the rest a class of sources. 24 bits.
pub type Value = u32;

/// The bits of a [`Value`].
pub const VALUE_BITS: u32 = 24;
/// The action of an allow-listed prefix.
pub const PASS: Value = 1;
/// The action of a deny-listed prefix.
pub const DROP: Value = 2;
/// The bits of a value that are its action; zero there is none.
pub const ACTION: Value = 3;

/// Nodes of the search through the lengths of IPv4 prefixes, which has six levels.
pub const NODES_V4: usize = 64;
/// Nodes of the search through the lengths of IPv6 prefixes, which has eight levels.
pub const NODES_V6: usize = 256;
/// Words of an IPv4 bucket: eight entries of an address, a tag and a value.
pub const WORDS_V4: usize = 8;
/// Words of an IPv6 bucket: six addresses' high halves, their low halves, and a tag and a value for each.
pub const WORDS_V6: usize = 16;

pub use v4::V4;
pub use v6::V6;

/// Both families' lists of one generation: read-only data of the program.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Lists {
    pub v4: Shape,
    pub v6: Shape,
    /// The length that each node of the search asks for; zero where there is none. The first node is 1, and
    /// node `n` is followed by `2n` after a miss and by `2n + 1` after a hit.
    pub lengths_v4: [u8; NODES_V4],
    pub lengths_v6: [u8; NODES_V6],
}

const _: () = assert!(size_of::<Lists>() == 2 * 40 + NODES_V4 + NODES_V6);

/// One family's list, but for its lengths and its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Shape {
    /// What places are hashed with. Drawn, so that nobody can fill a bucket on purpose.
    pub keys: [u64; 3],
    /// Buckets of the first level.
    pub first: u32,
    /// Buckets of the second, which lie behind the first; zero when nothing had to move there.
    pub second: u32,
    /// Levels of the search; zero when there are no prefixes.
    pub depth: u32,
    /// What the prefix of length zero says.
    pub default: Value,
}

impl Lists {
    /// No prefixes.
    pub const EMPTY: Self = Self {
        v4: Shape::EMPTY,
        v6: Shape::EMPTY,
        lengths_v4: [0; NODES_V4],
        lengths_v6: [0; NODES_V6],
    };
}

impl Shape {
    pub const EMPTY: Self = Self {
        keys: [0; 3],
        first: 0,
        second: 0,
        depth: 0,
        default: 0,
    };
}

/// Where a family's lengths and buckets lie.
pub trait Memory {
    /// A bucket that is known to be there.
    type Bucket: Copy;

    /// The length that a node asks for; `node` is below the family's number of nodes.
    fn length(&self, node: usize) -> u8;

    fn bucket(&self, index: u32) -> Option<Self::Bucket>;

    /// A word of a bucket; `index` is below the family's number of words.
    fn word(bucket: Self::Bucket, index: usize) -> u64;

    /// The same number. The kernel's side makes the verifier forget what it knows of it.
    fn forget(number: u64) -> u64 {
        number
    }
}

/// A family of addresses: how its prefixes are told apart and stored.
pub trait Family: Copy {
    /// An address or a prefix, with its length: what is compared.
    type Key: Copy + PartialEq;

    /// Levels that the search may have.
    const LEVELS: u32;
    const NODES: usize;
    /// Words of a bucket, and entries that it has room for.
    const WORDS: usize;
    const SLOTS: usize;

    /// An address or a prefix from its bits, the first one highest.
    fn from_bits(bits: u128) -> Self;

    /// The prefix of this length. The length is not zero.
    fn key(self, length: u8) -> Self::Key;
    fn hash(key: Self::Key, keys: [u64; 3]) -> u64;

    /// What a bucket says of a key.
    ///
    /// # Errors
    /// Whether the bucket is full, when it does not have the key.
    fn read<M: Memory>(bucket: M::Bucket, key: Self::Key) -> Result<Value, Full>;

    /// Puts an entry into a bucket's slot, which is empty. Slots are filled in their order.
    fn write(bucket: &mut [u64], slot: usize, key: Self::Key, value: Value);
}

/// Whether a bucket that does not have a key is full, so that the second level may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full(pub bool);

/// What the longest prefix of an address says; zero when there is none.
#[inline(always)]
pub fn lookup<F: Family, M: Memory>(shape: Shape, memory: &M, address: F) -> Value {
    let mut best = u64::from(shape.default);
    let mut node = 1;
    for level in 0..F::LEVELS {
        if level >= shape.depth {
            break;
        }
        #[expect(clippy::cast_possible_truncation, reason = "a node has eight bits")]
        let length = memory.length(node as usize % F::NODES);
        if length == 0 {
            break;
        }
        let found = probe::<F, M>(shape, memory, address.key(length));
        node *= 2;
        if let Some(value) = found {
            best = u64::from(value);
            node += 1;
        }
        // What follows is the same after a hit and after a miss, and must be looked at once.
        best = M::forget(best);
        node = M::forget(node);
    }
    #[expect(clippy::cast_possible_truncation, reason = "a value has 24 bits")]
    let best = best as Value;
    best
}

#[inline(always)]
fn probe<F: Family, M: Memory>(shape: Shape, memory: &M, key: F::Key) -> Option<Value> {
    let hash = F::hash(key, shape.keys);
    match F::read::<M>(memory.bucket(first(shape, hash))?, key) {
        Ok(value) => Some(value),
        Err(Full(false)) => None,
        Err(Full(true)) if shape.second == 0 => None,
        Err(Full(true)) => F::read::<M>(memory.bucket(second(shape, hash))?, key).ok(),
    }
}

/// The bucket that a hash belongs into.
#[inline(always)]
#[must_use]
pub fn first(shape: Shape, hash: u64) -> u32 {
    reduce(hash >> 32, shape.first)
}

/// The bucket of the second level that it belongs into when the first is full.
#[inline(always)]
#[must_use]
pub fn second(shape: Shape, hash: u64) -> u32 {
    shape.first + reduce(hash & 0xffff_ffff, shape.second)
}

/// Maps 32 bits evenly to the numbers below `range`.
#[inline(always)]
fn reduce(bits: u64, range: u32) -> u32 {
    ((bits * u64::from(range)) >> 32) as u32
}

/// Multiplicative hashing (Dietzfelbinger et al., 1997), with the good upper bits folded into the lower ones.
///
/// Not as strong as `SipHash`, nor need it be: who finds addresses of one bucket without the keys wins nothing,
/// for a lookup never takes more than two buckets a length.
#[inline(always)]
fn mix(word: u64, key: u64) -> u64 {
    let product = word.wrapping_mul(key | 1);
    product ^ product >> 32
}

/// Tells the lengths apart, and a used slot from an empty one.
#[inline(always)]
fn tag(length: u8) -> u64 {
    u64::from(length) + 1
}
