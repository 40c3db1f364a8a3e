//! Moments: `2026-11-27T08:00:00+01:00` (RFC 3339).

use std::fmt;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::UnitError;

pub(crate) const MOMENT_PATTERN: &str = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})";

/// A moment as the file writes it, with the offset that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(OffsetDateTime);

impl Moment {
    /// On the wall clock, which may be set.
    pub fn on_the_wall_clock(self) -> SystemTime {
        self.0.into()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was read in this format can be written in it.
        f.write_str(&self.0.format(&Rfc3339).unwrap_or_default())
    }
}

/// Reads a moment.
///
/// # Errors
/// Text that is not a date, a time and an offset as RFC 3339 wants them.
///
/// ```
/// use floodwall_config::units::parse_moment;
///
/// let moment = parse_moment("2026-11-27T08:00:00+01:00").unwrap();
/// assert_eq!(moment.to_string(), "2026-11-27T08:00:00+01:00");
/// assert!(moment == parse_moment("2026-11-27T07:00:00Z").unwrap());
/// assert!(parse_moment("2026-11-27 08:00").is_err());
/// ```
pub fn parse_moment(text: &str) -> Result<Moment, UnitError> {
    OffsetDateTime::parse(text, &Rfc3339)
        .map(Moment)
        .map_err(|_| {
            UnitError::new(
                text,
                "a moment with its offset, such as 2026-11-27T08:00:00Z or 2026-11-27T09:00:00+01:00",
            )
        })
}
