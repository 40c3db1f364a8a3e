//! The book itself: opening, closing and listing blocks over memory of one's own or the kernel's.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{
    CANDIDATES, candidate,
    record::{By, Counts, Entry, Record},
};
use crate::{FlowId, FlowTable, KeyHash, Nanos, Scope, Secret, Source, set::Refused, table::Set};

/// A block as somebody asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// Whom to block, cut to its prefix already.
    pub source: Source,
    /// How many leading bits of the address make the source: 32 for one IPv4 address. It is only shown.
    pub prefix: u8,
    /// What the block drops.
    pub scope: Scope,
    /// Who asks for it.
    pub by: By,
    /// The limit's name, or the operator's words; cut at [`REASON_MAX`](super::REASON_MAX) bytes.
    pub reason: &'a str,
}

/// A block that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// When it ends, on the table's clock.
    pub until: Nanos,
    /// Whether the book had room to list it. It is enforced in any case.
    pub listed: bool,
}

/// A block as the book shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Who is blocked.
    pub source: Source,
    /// How many leading bits of the address make the source.
    pub prefix: u8,
    /// What the block drops.
    pub scope: Scope,
    /// Who asked for it.
    pub by: By,
    /// The limit's name, or the operator's words.
    pub reason: String,
    /// When the block began, on the table's clock.
    pub since: Nanos,
    /// When it ends, on the same clock.
    pub until: Nanos,
    /// How many packets were dropped since it began.
    pub packets: u64,
    /// How many bytes those packets had.
    pub bytes: u64,
}

impl BlockEntry {
    /// The source as people write it: `192.0.2.7`, or with its prefix, `2001:db8::/64`.
    pub fn network(&self) -> String {
        let address = self.source.address();
        match (address.is_ipv4(), self.prefix) {
            (true, 32) | (false, 128) => address.to_string(),
            (_, prefix) => format!("{address}/{prefix}"),
        }
    }
}

/// The book of blocks over some memory `B`: a boxed slice, or a mapping that the kernel shares.
///
/// Writers take a lock, which only blocks and pardons do; reading and counting never wait.
#[derive(Debug)]
pub struct BlockBook<B> {
    memory: B,
    mask: u64,
    writing: Mutex<()>,
    unlisted: AtomicU64,
}

impl BlockBook<Box<[Record]>> {
    /// Makes a book in the process's own memory for `blocks` blocks, rounded up to a power of two.
    pub fn own(blocks: u64) -> Self {
        Self::over(
            (0..Self::records_for(blocks))
                .map(|_| Record::default())
                .collect(),
        )
    }
}

impl<B> BlockBook<B> {
    /// How many records a book for so many blocks has: a power of two, at least [`CANDIDATES`].
    pub fn records_for(blocks: u64) -> u64 {
        blocks.next_power_of_two().max(CANDIDATES)
    }
}

impl<B: AsRef<[Record]>> BlockBook<B> {
    /// Puts a book over memory whose number of records is a power of two; more than that are not used.
    ///
    /// # Panics
    /// When there is no record at all.
    pub fn over(memory: B) -> Self {
        let records = memory.as_ref().len() as u64;
        assert!(records > 0, "a block book needs at least one record");
        Self {
            mask: (1 << records.ilog2()) - 1,
            memory,
            writing: Mutex::new(()),
            unlisted: AtomicU64::new(0),
        }
    }

    /// How many records there are.
    pub fn records(&self) -> u64 {
        self.mask + 1
    }

    /// How many blocks this process made that found no room in the book.
    pub fn unlisted(&self) -> u64 {
        self.unlisted.load(Relaxed)
    }

    /// Blocks a source for `duration` from `now` on. A source that is blocked already stays blocked until
    /// the later of the two ends, and the block that lasts longer gives the reason.
    ///
    /// # Errors
    /// [`Refused::Contended`]; nothing is blocked then.
    pub fn open<M: AsRef<[Set]>>(
        &self,
        table: &FlowTable<M>,
        block: Block<'_>,
        duration: Nanos,
        now: Nanos,
    ) -> Result<Opened, Refused> {
        let flow = flow(table.secret(), block.source, block.scope);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = table.time(flow);
        let until = table.hold(flow, now.plus(duration), now)?.time;
        let listed = if before > now && self.find(flow).is_some() {
            self.amend(flow, block, until > before);
            true
        } else {
            self.enter(table, flow, block, now)
        };
        Ok(Opened { until, listed })
    }

    /// Ends a source's block in one scope, or in both. Tells whether there was one.
    pub fn close<M: AsRef<[Set]>>(
        &self,
        table: &FlowTable<M>,
        source: Source,
        scope: Option<Scope>,
        now: Nanos,
    ) -> bool {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut closed = false;
        for each in [Scope::Listeners, Scope::Host] {
            if scope.is_none_or(|scope| scope == each) {
                let flow = flow(table.secret(), source, each);
                closed |= table.time(flow) > now;
                table.clear(flow);
                if let Some(record) = self.find(flow) {
                    record.erase();
                }
            }
        }
        closed
    }

    /// What the book says of a source's block in one scope; nothing when it is not blocked now.
    pub fn get<M: AsRef<[Set]>>(
        &self,
        table: &FlowTable<M>,
        source: Source,
        scope: Scope,
        now: Nanos,
    ) -> Option<BlockEntry> {
        let record = self.find(flow(table.secret(), source, scope))?;
        shown(table, record, now)
    }

    /// Every block that stands now and is in the book, in no particular order.
    pub fn list<M: AsRef<[Set]>>(&self, table: &FlowTable<M>, now: Nanos) -> Vec<BlockEntry> {
        let records = self.memory.as_ref().iter();
        records
            .filter_map(|record| shown(table, record, now))
            .collect()
    }

    /// Counts one drop of a blocked flow that the process itself made: a packet, or a connection.
    pub fn dropped(&self, block: FlowId, bytes: u64) {
        if let Some(record) = self.find(block) {
            record.count(bytes);
        }
    }

    fn amend(&self, flow: FlowId, block: Block<'_>, longer: bool) {
        let Some(record) = self.find(flow).filter(|_| longer) else {
            return;
        };
        if let Some((_, old, _)) = record.read() {
            record.rewrite(&entry(block, old.since));
        }
    }

    fn enter<M: AsRef<[Set]>>(
        &self,
        table: &FlowTable<M>,
        flow: FlowId,
        block: Block<'_>,
        now: Nanos,
    ) -> bool {
        let free = |record: &&Record| shown(table, record, now).is_none();
        let room = self.find(flow).or_else(|| self.candidates(flow).find(free));
        match room {
            Some(record) => record.write(flow.fingerprint(), &entry(block, now)),
            None => {
                self.unlisted.fetch_add(1, Relaxed);
            }
        }
        room.is_some()
    }

    fn find(&self, flow: FlowId) -> Option<&Record> {
        self.candidates(flow)
            .find(|record| record.fingerprint() == flow.fingerprint())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the masked index is below the slice's length"
    )]
    fn candidates(&self, flow: FlowId) -> impl Iterator<Item = &Record> {
        (0..CANDIDATES)
            .map(move |nth| &self.memory.as_ref()[candidate(flow, nth, self.mask) as usize])
    }
}

fn flow(secret: Secret, source: Source, scope: Scope) -> FlowId {
    FlowId::block(KeyHash::of_source(secret, source), scope)
}

fn entry(block: Block<'_>, since: Nanos) -> Entry {
    Entry {
        source: block.source,
        prefix: block.prefix,
        scope: block.scope,
        by: block.by,
        since,
        reason: block.reason.to_owned(),
    }
}

/// What a record shows: nothing unless it names the flow whose cell is live, and is whole.
fn shown<M: AsRef<[Set]>>(table: &FlowTable<M>, record: &Record, now: Nanos) -> Option<BlockEntry> {
    let (fingerprint, entry, Counts { packets, bytes }) = record.read()?;
    let flow = flow(table.secret(), entry.source, entry.scope);
    let until = table.time(flow);
    let live = flow.fingerprint() == fingerprint && until > now;
    live.then_some(BlockEntry {
        source: entry.source,
        prefix: entry.prefix,
        scope: entry.scope,
        by: entry.by,
        reason: entry.reason,
        since: entry.since,
        until,
        packets,
        bytes,
    })
}

#[cfg(test)]
mod tests;
