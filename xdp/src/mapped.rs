//! Memory of a BPF array, mapped into this process.

use std::{fmt, marker::PhantomData, slice, sync::Arc};

use aya::maps::MapData;
use floodwall_limiter::{block::Record, table::Set};
use memmap2::{MmapOptions, MmapRaw};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicU8, AtomicU64};

use crate::Error;

/// What may lie in memory that the kernel and this process both change.
///
/// # Safety
/// Every bit pattern is a value, every field is an atomic, and the alignment is a page's at most.
pub unsafe trait Shared {}

// SAFETY: a set is eight atomic words.
unsafe impl Shared for Set {}
// SAFETY: a record is sixteen atomic words.
unsafe impl Shared for Record {}
// SAFETY: an atomic byte.
unsafe impl Shared for AtomicU8 {}
// SAFETY: an atomic word.
unsafe impl Shared for AtomicU64 {}

/// A mapped BPF array. Clones share the mapping, which lasts as long as any of them.
pub struct Mapped<T> {
    memory: Arc<MmapRaw>,
    len: usize,
    of: PhantomData<[T]>,
}

impl<T: Shared> Mapped<T> {
    /// Maps the `len` first values of a [`Shared`] type in an array's memory.
    ///
    /// # Errors
    /// [`Error::Kernel`] when the kernel refuses, as it does beyond the array's end.
    pub(crate) fn over(map: &MapData, name: &str, len: usize) -> Result<Self, Error> {
        let memory = MmapOptions::new()
            .len(len * size_of::<T>())
            .map_raw(&map.fd().as_fd())
            .map_err(|error| Error::kernel(format!("map {name} into memory"), error))?;
        Ok(Self {
            memory: Arc::new(memory),
            len,
            of: PhantomData,
        })
    }
}

impl<T: Shared> AsRef<[T]> for Mapped<T> {
    fn as_ref(&self) -> &[T] {
        // SAFETY: the mapping is `len` values long, page-aligned, and lasts as long as `self`; the kernel
        // changes it only as atomics may change, as `Shared` demands.
        unsafe { slice::from_raw_parts(self.memory.as_ptr().cast(), self.len) }
    }
}

impl<T> Clone for Mapped<T> {
    fn clone(&self) -> Self {
        Self {
            memory: Arc::clone(&self.memory),
            ..*self
        }
    }
}

impl<T> fmt::Debug for Mapped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mapped({} values)", self.len)
    }
}
