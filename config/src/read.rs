//! Reading a tree with a table beside it, and collecting everything that is wrong on the way.
//!
//! A reader is a function from a [`Cursor`] to an `Option`: `None` means that the problem is already in the
//! [`Report`]. Nobody stops at the first problem; a section is given up only after all its keys were read.

mod cursor;
mod fields;
mod first_places;
mod names;
mod scalars;

pub(crate) use cursor::{Cursor, Report, shortened};
pub(crate) use fields::Fields;
pub(crate) use names::{NAME_PATTERN, Names, name};
pub(crate) use scalars::{
    SHORTEST, byte_rate, bytes, choice, count, counted, flag, moment, rate, share, size_between,
    span, text, unique_list, whole_u8, whole_u16, whole_u32,
};
