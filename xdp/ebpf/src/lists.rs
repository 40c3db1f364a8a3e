//! What the lists say of a source.

use core::ptr;

use aya_ebpf::{bindings::BPF_F_MMAPABLE, macros::map, maps::Array};
use floodwall_xdp_abi::{
    Address,
    list::{self, Lists, Memory, Shape, V4, V6, Value, WORDS_V4, WORDS_V6},
    rules::{LISTED_V4, LISTED_V6},
};

use crate::rules;

// The loader sets how many buckets there are.
#[map]
static LIST_V4: Array<[u64; WORDS_V4]> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map]
static LIST_V6: Array<[u64; WORDS_V6]> = Array::with_max_entries(1, BPF_F_MMAPABLE);

#[unsafe(no_mangle)]
static LISTS: Lists = Lists::EMPTY;

/// What the longest prefix of an address says; zero when there is none.
#[inline(always)]
pub(crate) fn lookup(source: Address) -> Value {
    match (source.as_v4(), source.halves()) {
        (Some(_), _) if !rules::on(LISTED_V4) => 0,
        (None, _) if !rules::on(LISTED_V6) => 0,
        (Some(bits), _) => {
            let buckets = Buckets {
                buckets: &LIST_V4,
                lengths: &raw const LISTS.lengths_v4,
            };
            list::lookup(shape(&LISTS.v4), &buckets, V4(bits))
        }
        (None, [high, low]) => {
            let buckets = Buckets {
                buckets: &LIST_V6,
                lengths: &raw const LISTS.lengths_v6,
            };
            list::lookup(shape(&LISTS.v6), &buckets, V6 { high, low })
        }
    }
}

/// Reads one field of the lists' data. Volatile, as the rules are read.
macro_rules! field {
    ($shape:expr, $field:ident) => {
        // SAFETY: the field of a reference is there and aligned.
        unsafe { ptr::read_volatile(&raw const $shape.$field) }
    };
}

#[inline(always)]
fn shape(shape: &'static Shape) -> Shape {
    // SAFETY: an element of an array of a reference is there and aligned.
    let key = |index: usize| unsafe { ptr::read_volatile(&raw const shape.keys[index]) };
    Shape {
        keys: [key(0), key(1), key(2)],
        first: field!(shape, first),
        second: field!(shape, second),
        depth: field!(shape, depth),
        default: field!(shape, default),
    }
}

/// A family's buckets, and the lengths that the search through them asks for.
#[derive(Clone, Copy)]
struct Buckets<const WORDS: usize, const NODES: usize> {
    buckets: &'static Array<[u64; WORDS]>,
    lengths: *const [u8; NODES],
}

impl<const WORDS: usize, const NODES: usize> Memory for Buckets<WORDS, NODES> {
    type Bucket = Words;

    #[inline(always)]
    fn length(&self, node: usize) -> u8 {
        // SAFETY: `node` is below the array's size.
        unsafe { ptr::read_volatile(self.lengths.cast::<u8>().add(node)) }
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<Words> {
        self.buckets.get_ptr(index).map(|words| Words(words.cast()))
    }

    #[inline(always)]
    fn word(bucket: Words, index: usize) -> u64 {
        bucket.at(index)
    }

    #[inline(always)]
    fn forget(number: u64) -> u64 {
        rules::forget(number)
    }
}

/// The words of a bucket.
#[derive(Clone, Copy)]
struct Words(*const u64);

impl Words {
    #[inline(always)]
    fn at(self, index: usize) -> u64 {
        // SAFETY: the callers stay below the family's number of words. Nobody writes a bucket any more.
        unsafe { *self.0.add(index) }
    }
}
