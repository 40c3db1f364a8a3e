//! `limits.NAME.block`: refusals that become a block in the kernel.

use floodwall_limiter::Nanos;

use crate::read::{Cursor, Fields, SHORTEST, choice, span, whole_u32};
use crate::section::{DURATION, Key, Section, Shape};
use crate::units::format_duration;

/// When refusals become a block in the kernel, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// So many refusals within `within` block the client, 1 to 32,767.
    pub after: u32,
    pub within: Nanos,
    /// The first block's length, the file's `for`; each repeat doubles it.
    pub duration: Nanos,
    /// No block is longer; at least `duration`.
    pub max: Nanos,
    pub scope: BlockScope,
}

/// What a block drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockScope {
    /// What the source sends to the listeners' ports.
    Listeners,
    /// Everything from the source.
    Host,
}

pub(super) static SECTION: Section = Section {
    name: "limits.NAME.block",
    keys: &[
        Key::required(
            "after",
            Shape::Whole {
                min: 1,
                max: MOST_REFUSALS,
            },
            "so many refusals, 1 to 32767",
        ),
        Key::required("within", DURATION, "within this time, such as 10s"),
        Key::required("for", DURATION, "the first block's length, such as 5s"),
        Key::new(
            "max",
            DURATION,
            "the longest block; default 1h, or `for` if that is longer",
        ),
        Key::new(
            "scope",
            Shape::Choice(SCOPES),
            "what is dropped; default listeners",
        ),
    ],
    one_of: &[],
};

const SCOPES: &[&str] = &["listeners", "host"];

/// What the flow table's refusal count holds.
const MOST_REFUSALS: u64 = 32_767;

impl Escalation {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let after = fields.required("after", whole_u32(1, MOST_REFUSALS));
        let within = fields.required("within", span(SHORTEST));
        let duration = fields.required("for", span(SHORTEST));
        let max = fields.optional("max", span(SHORTEST));
        let scopes = choice(SCOPES, &[BlockScope::Listeners, BlockScope::Host]);
        let scope = fields.or("scope", scopes, BlockScope::Listeners);
        let duration = duration?;
        let max = max?.unwrap_or(duration.max(Nanos::from_secs(3_600)));
        if max < duration {
            let found = format!("{}, less than `for`", format_duration(max));
            return fields.refuse(
                "max",
                found,
                format!("at least {}", format_duration(duration)),
            );
        }
        Some(Self {
            after: after?,
            within: within?,
            duration,
            max,
            scope: scope?,
        })
    }
}
