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
        (Some(bits), _) => list::lookup(shape(&LISTS.v4), &BucketsV4, V4(bits)),
        (None, [high, low]) => list::lookup(shape(&LISTS.v6), &BucketsV6, V6 { high, low }),
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

#[derive(Clone, Copy)]
struct BucketsV4;

#[derive(Clone, Copy)]
struct BucketsV6;

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

impl Memory for BucketsV4 {
    type Bucket = Words;

    #[inline(always)]
    fn length(&self, node: usize) -> u8 {
        // SAFETY: `node` is below the array's size.
        unsafe { ptr::read_volatile((&raw const LISTS.lengths_v4).cast::<u8>().add(node)) }
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<Words> {
        LIST_V4.get_ptr(index).map(|words| Words(words.cast()))
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

impl Memory for BucketsV6 {
    type Bucket = Words;

    #[inline(always)]
    fn length(&self, node: usize) -> u8 {
        // SAFETY: as above.
        unsafe { ptr::read_volatile((&raw const LISTS.lengths_v6).cast::<u8>().add(node)) }
    }

    #[inline(always)]
    fn bucket(&self, index: u32) -> Option<Words> {
        LIST_V6.get_ptr(index).map(|words| Words(words.cast()))
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
