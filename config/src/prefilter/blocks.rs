//! `prefilter.blocks`: what a blocked source gets, and how many sources limits may block.

use crate::Rate;
use crate::rate::BURST_KEY;
use crate::read::{Cursor, Fields, choice, count};
use crate::section::{COUNT, Key, RATE, Section, Shape};

/// Bounds on the blocks that limits make. Those of operators are theirs to count.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockBudget {
    pub action: BlockAction,
    /// So many sources at one time, 1 to [`BlockBudget::MOST`].
    pub max: u64,
    /// So many new ones.
    pub rate: Rate,
}

/// What the kernel does with a blocked source's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockAction {
    Drop,
    /// TCP is answered by a reset, at a bounded rate, so that a client fails fast; all else is dropped.
    Reset,
}

pub(super) static SECTION: Section = Section {
    name: "prefilter.blocks",
    keys: &[
        Key::new(
            "action",
            Shape::Choice(ACTIONS),
            "what a blocked source's packets get; default drop",
        ),
        Key::new(
            "max",
            COUNT,
            "how many sources limits may block at one time; 1 to 16384, default 16384",
        ),
        Key::new(
            "rate",
            RATE,
            "how many new blocks limits may make; default 1000/s",
        ),
        BURST_KEY,
    ],
    one_of: &[],
};

const ACTIONS: &[&str] = &["drop", "reset"];
const RATE_OF_BLOCKS: &str = "1000/s";

impl BlockBudget {
    /// What the book of blocks has room to list.
    pub const MOST: u64 = 16_384;

    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let actions = choice(ACTIONS, &[BlockAction::Drop, BlockAction::Reset]);
        let action = fields.or("action", actions, BlockAction::Drop);
        let max = fields.or("max", count(1, Self::MOST), Self::MOST);
        let rate = Rate::read_or(&fields, RATE_OF_BLOCKS);
        Some(Self {
            action: action?,
            max: max?,
            rate: rate?,
        })
    }
}

impl Default for BlockBudget {
    fn default() -> Self {
        Self {
            action: BlockAction::Drop,
            max: Self::MOST,
            rate: Rate::of(RATE_OF_BLOCKS),
        }
    }
}
