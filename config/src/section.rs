//! The tables of keys: what may stand in which part of the file.
//!
//! Each part's table lies beside the code that reads the part. The reader takes the allowed keys from it, and
//! the JSON Schema is written from it, so that the two cannot drift apart.

use crate::net::NET_PATTERN;
use crate::read::NAME_PATTERN;
use crate::units::{
    COUNT_PATTERN, DURATION_PATTERN, MOMENT_PATTERN, RATE_PATTERN, SHARE_PATTERN, SIZE_PATTERN,
};

/// A mapping of the file with fixed keys.
#[derive(Debug)]
pub(crate) struct Section {
    /// The path of the part, with `NAME` for keys that the operator chooses: `limits.NAME.block`.
    pub(crate) name: &'static str,
    pub(crate) keys: &'static [Key],
    /// Groups of keys of which exactly one must be there.
    pub(crate) one_of: &'static [&'static str],
}

/// One key of a section.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) required: bool,
    /// What it means, in half a sentence, with its default.
    pub(crate) about: &'static str,
}

impl Key {
    pub(crate) const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            name,
            shape,
            required: false,
            about,
        }
    }

    pub(crate) const fn required(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            name,
            shape,
            required: true,
            about,
        }
    }
}

/// One list behind the other; `N` is the length of both.
pub(crate) const fn joined<const N: usize>(first: &[Key], then: &[Key]) -> [Key; N] {
    let mut all = [first[0]; N];
    let mut at = 1;
    while at < N {
        all[at] = if at < first.len() {
            first[at]
        } else {
            then[at - first.len()]
        };
        at += 1;
    }
    all
}

/// What a value looks like, as far as a schema can tell.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    Section(&'static Section),
    /// A mapping of names that the operator chooses; the flag says that there must be one at least.
    Named(&'static Section, AtLeast),
    List(&'static Shape, AtLeast),
    /// A mapping of names that the operator chooses to scalars.
    Pairs(&'static Shape),
    /// One of several shapes.
    Either(&'static [Shape]),
    /// Text that matches the pattern as a whole.
    Text(&'static str),
    Choice(&'static [&'static str]),
    Whole {
        min: u64,
        max: u64,
    },
    Flag,
    /// Text, or a number that is taken as it is written.
    Scalar,
}

/// How many items a collection has at the least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtLeast(pub(crate) usize);

pub(crate) const ANY: AtLeast = AtLeast(0);
pub(crate) const ONE: AtLeast = AtLeast(1);

/// Text of any kind, but not empty.
pub(crate) const TEXT: Shape = Shape::Text(".+");
/// The name of something that the file defines elsewhere.
pub(crate) const NAME: Shape = Shape::Text(NAME_PATTERN);
pub(crate) const DURATION: Shape = Shape::Text(DURATION_PATTERN);
pub(crate) const SIZE: Shape = Shape::Text(SIZE_PATTERN);
pub(crate) const SHARE: Shape = Shape::Text(SHARE_PATTERN);
pub(crate) const MOMENT: Shape = Shape::Text(MOMENT_PATTERN);
pub(crate) const RATE: Shape = Shape::Text(RATE_PATTERN);
pub(crate) const NET: Shape = Shape::Text(NET_PATTERN);
/// A number, or text with `k` or `M`.
pub(crate) const COUNT: Shape = Shape::Either(&[
    Shape::Whole {
        min: 0,
        max: u64::MAX,
    },
    Shape::Text(COUNT_PATTERN),
]);
