//! One record of the book: sixteen words that the process writes and the kernel counts in.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::{BYTES, FINGERPRINT, PACKETS, RECORD_BYTES};
use crate::{Nanos, Scope, Source};

/// The longest reason that is kept, in bytes.
pub const REASON_MAX: usize = REASON_WORDS * 8;

const REASON_WORDS: usize = 8;

/// Who asked for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A limit whose refusals escalated.
    Limit,
    /// A person, by `floodwall blocks add`.
    Operator {
        /// The user's number; none when nobody knows.
        uid: Option<u32>,
    },
}

impl By {
    /// What stands for a user that nobody knows: the number that the kernel gives to none.
    const NOBODY: u32 = u32::MAX;

    /// The user who asked for it; none when a limit did, or nobody knows.
    pub const fn uid(self) -> Option<u32> {
        match self {
            Self::Limit => None,
            Self::Operator { uid } => uid,
        }
    }

    const fn code(self) -> (u8, u32) {
        match self {
            Self::Limit => (1, Self::NOBODY),
            Self::Operator { uid: Some(uid) } => (2, uid),
            Self::Operator { uid: None } => (2, Self::NOBODY),
        }
    }

    fn of(code: u8, uid: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Limit),
            2 => Some(Self::Operator {
                uid: (uid != Self::NOBODY).then_some(uid),
            }),
            _ => None,
        }
    }
}

/// The memory of one block's record. All zeros is a free record.
///
/// One process writes at a time, under its book's lock; readers never wait. The edition is odd while the
/// record is written, and a reader that sees it odd or changed shows nothing, so no torn record is seen.
/// A writer that died in the middle leaves it odd, which hides the record until the next one is written.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Record {
    fingerprint: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    edition: AtomicU64,
    since: AtomicU64,
    source: [AtomicU64; 2],
    about: AtomicU64,
    reason: [AtomicU64; REASON_WORDS],
}

const _: () = assert!(size_of::<Record>() == RECORD_BYTES && align_of::<Record>() == 64);
const _: () = assert!(std::mem::offset_of!(Record, fingerprint) == FINGERPRINT);
const _: () = assert!(std::mem::offset_of!(Record, packets) == PACKETS);
const _: () = assert!(std::mem::offset_of!(Record, bytes) == BYTES);
const _: () = assert!(std::mem::offset_of!(Record, reason) == 64);

/// What a record says, but for its fingerprint and counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) source: Source,
    pub(super) prefix: u8,
    pub(super) scope: Scope,
    pub(super) by: By,
    pub(super) since: Nanos,
    pub(super) reason: String,
}

/// How much a block has dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Record {
    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint.load(SeqCst)
    }

    /// Adds one dropped packet, as the kernel does.
    pub(super) fn count(&self, bytes: u64) {
        self.packets.fetch_add(1, SeqCst);
        self.bytes.fetch_add(bytes, SeqCst);
    }

    /// Makes the record a new block's, with nothing counted.
    pub(super) fn write(&self, fingerprint: u64, entry: &Entry) {
        self.edit(|record| {
            record.fingerprint.store(0, SeqCst);
            record.packets.store(0, SeqCst);
            record.bytes.store(0, SeqCst);
            record.fill(entry);
            record.fingerprint.store(fingerprint, SeqCst);
        });
    }

    /// Replaces what the record says of a block that goes on, and keeps its counts.
    pub(super) fn rewrite(&self, entry: &Entry) {
        self.edit(|record| record.fill(entry));
    }

    /// Frees the record.
    pub(super) fn erase(&self) {
        self.edit(|record| record.fingerprint.store(0, SeqCst));
    }

    /// Reads a record of this fingerprint; nothing when it is another's, is being written, or makes no sense.
    pub(super) fn read(&self) -> Option<(u64, Entry, Counts)> {
        let edition = self.edition.load(SeqCst);
        let fingerprint = self.fingerprint();
        let counts = Counts {
            packets: self.packets.load(SeqCst),
            bytes: self.bytes.load(SeqCst),
        };
        let entry = self.parse()?;
        let whole = edition & 1 == 0 && edition == self.edition.load(SeqCst);
        (whole && fingerprint != 0).then_some((fingerprint, entry, counts))
    }

    fn edit(&self, change: impl FnOnce(&Self)) {
        let writing = self.edition.load(SeqCst) | 1;
        self.edition.store(writing, SeqCst);
        change(self);
        self.edition.store(writing.wrapping_add(1), SeqCst);
    }

    fn fill(&self, entry: &Entry) {
        let reason = cut(&entry.reason);
        let (by, uid) = entry.by.code();
        let [u0, u1, u2, u3] = uid.to_le_bytes();
        let about = [
            reason.len().to_le_bytes()[0],
            entry.prefix,
            by,
            entry.scope as u8,
            u0,
            u1,
            u2,
            u3,
        ];
        self.about.store(u64::from_le_bytes(about), SeqCst);
        self.since.store(entry.since.0, SeqCst);
        store_all(&self.source, &entry.source.words());
        let mut text = [0; REASON_MAX];
        text[..reason.len()].copy_from_slice(reason.as_bytes());
        let (words, _) = text.as_chunks::<8>();
        for (word, bytes) in self.reason.iter().zip(words) {
            word.store(u64::from_le_bytes(*bytes), SeqCst);
        }
    }

    fn parse(&self) -> Option<Entry> {
        let [length, prefix, by, scope, uid @ ..] = self.about.load(SeqCst).to_le_bytes();
        let by = By::of(by, u32::from_le_bytes(uid))?;
        let scope = match scope {
            0 => Scope::Listeners,
            1 => Scope::Host,
            _ => return None,
        };
        let text: Vec<u8> = self
            .reason
            .iter()
            .flat_map(|word| word.load(SeqCst).to_le_bytes())
            .collect();
        Some(Entry {
            source: Source::from_words([self.source[0].load(SeqCst), self.source[1].load(SeqCst)]),
            prefix,
            scope,
            by,
            since: Nanos(self.since.load(SeqCst)),
            reason: String::from_utf8_lossy(text.get(..usize::from(length))?).into_owned(),
        })
    }
}

fn store_all(words: &[AtomicU64; 2], values: &[u64; 2]) {
    for (word, value) in words.iter().zip(values) {
        word.store(*value, SeqCst);
    }
}

/// As much of a reason as fits, cut between two characters.
fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON_MAX)]
}
