//! The file's small languages: durations, sizes, counts, shares and rates.

mod count;
mod duration;
mod moment;
mod rate;
mod share;
mod size;

pub use count::parse_count;
pub use duration::{format_duration, parse_duration};
pub use moment::{Moment, parse_moment};
pub use rate::{MOST_BYTES, RateParts, parse_byte_rate, parse_rate};
pub use share::{Share, parse_share};
pub use size::{format_size, parse_size};

pub(crate) use count::COUNT_PATTERN;
pub(crate) use duration::DURATION_PATTERN;
pub(crate) use moment::MOMENT_PATTERN;
pub(crate) use rate::{BYTE_RATE_PATTERN, RATE_PATTERN};
pub(crate) use share::SHARE_PATTERN;
pub(crate) use size::SIZE_PATTERN;

/// A text that is not of the language it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found {found}; allowed: {allowed}")]
pub struct UnitError {
    pub found: String,
    pub allowed: String,
}

impl UnitError {
    fn new(found: &str, allowed: impl Into<String>) -> Self {
        Self {
            found: format!("`{found}`"),
            allowed: allowed.into(),
        }
    }
}

/// Splits off the number a text begins with; it saturates. None when there is none, and for `010`, which some
/// would take for eight.
fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let octal = digits.len() > 1 && digits.starts_with('0');
    // A number of only digits that is no u64 is a larger one.
    (end > 0 && !octal).then(|| (digits.parse().unwrap_or(u64::MAX), rest))
}
