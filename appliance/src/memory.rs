//! Where the flow table lives: memory that the kernel maps too, or the process's own.

use floodwall_limiter::{
    FlowTable,
    block::{BlockBook, Record},
    table::Set,
};
use floodwall_xdp::Mapped;

/// The one flow table of this process.
pub type Table = FlowTable<Memory<Set>>;

/// The one book of blocks of this process.
pub type Book = BlockBook<Memory<Record>>;

/// A slice that is shared with the kernel, or is not; nothing else in the program knows the difference.
#[derive(Debug)]
pub enum Memory<T> {
    Own(Box<[T]>),
    Shared(Mapped<T>),
}

impl<T: Default> Memory<T> {
    /// Memory of the process's own, all zero.
    pub fn own(count: u64) -> Self {
        Self::Own((0..count).map(|_| T::default()).collect())
    }
}

impl<T> AsRef<[T]> for Memory<T>
where
    Mapped<T>: AsRef<[T]>,
{
    #[inline]
    fn as_ref(&self) -> &[T] {
        match self {
            Self::Own(memory) => memory,
            Self::Shared(memory) => memory.as_ref(),
        }
    }
}
