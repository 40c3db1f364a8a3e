//! `limits.NAME.related`: somebody else's load that this limit watches.

use crate::LimitIndex;
use crate::read::{Cursor, Fields, Names};
use crate::section::{Key, NAME, Section};

/// Whose requests are charged to the limit instead of its own, which are refused while those are over its rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Related {
    /// Those that another limit counts and that are admitted.
    Limit(LimitIndex),
    /// Those of the route of this name that are admitted.
    Route(String),
}

/// What a limit may refer to.
pub(crate) struct Known<'a> {
    pub(crate) limits: &'a Names<'a>,
    pub(crate) routes: &'a Names<'a>,
}

pub(super) static SECTION: Section = Section {
    name: "limits.NAME.related",
    keys: &[
        Key::new("limit", NAME, "the limit whose requests count"),
        Key::new("route", NAME, "the route whose requests count"),
    ],
    one_of: &["limit", "route"],
};

impl Related {
    pub(super) fn read(value: Cursor<'_>, own: &str, known: &Known<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let limit = fields.optional("limit", |name| {
            if name.written() == Some(own) {
                return name.refuse_as("the limit itself", "another limit");
            }
            known.limits.resolve(name).map(LimitIndex)
        });
        let route = fields.optional("route", |name| {
            known.routes.resolve(name)?;
            name.written().map(str::to_owned)
        });
        match (limit?, route?) {
            (Some(index), None) => Some(Self::Limit(index)),
            (None, Some(name)) => Some(Self::Route(name)),
            // Reported when the fields were opened.
            _ => None,
        }
    }
}
