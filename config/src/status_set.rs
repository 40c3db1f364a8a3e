//! Statuses of responses, one by one or by their hundreds: `[502, 5xx]`.

use std::fmt;

use crate::read::Cursor;
use crate::section::Shape;
use crate::yaml::ScalarKind;

/// A status, or a hundred of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusRange {
    pub first: u16,
    /// Not less than `first`; of the same hundred.
    pub last: u16,
}

/// What a status looks like in the file.
pub(crate) const STATUS: Shape =
    Shape::Either(&[Shape::Whole { min: 100, max: 599 }, Shape::Text("[1-5]xx")]);

impl StatusRange {
    /// What went well.
    pub const SUCCESS: Self = Self {
        first: 200,
        last: 299,
    };

    /// All errors of the server.
    pub const SERVER_ERRORS: Self = Self {
        first: 500,
        last: 599,
    };

    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }

    /// Reads a status such as 502, or a class such as 5xx.
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        Self::of(value).or_else(|| value.refuse("a status such as 502, or a class such as 5xx"))
    }

    /// The same without a word about what is wrong, for those who allow other things too.
    pub(crate) fn of(value: Cursor<'_>) -> Option<Self> {
        match (value.kind()?, value.written()?) {
            (ScalarKind::Integer(_), written) => Self::named(written),
            (ScalarKind::Text, written) if written.ends_with("xx") => Self::named(written),
            _ => None,
        }
    }

    /// Reads `502` or `5xx`, wherever it stands.
    pub(crate) fn named(text: &str) -> Option<Self> {
        if let Some(hundreds) = text.strip_suffix("xx") {
            let hundreds: u16 = hundreds.parse().ok()?;
            return (1..=5).contains(&hundreds).then_some(Self {
                first: hundreds * 100,
                last: hundreds * 100 + 99,
            });
        }
        let status = text.parse().ok()?;
        (100..=599).contains(&status).then_some(Self {
            first: status,
            last: status,
        })
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}xx", self.first / 100)
        }
    }
}
