//! Durations: `250ms`, `5s`, `10m`, `1h`, `1d`.

use floodwall_limiter::Nanos;

use super::{UnitError, leading_number};

pub(crate) const DURATION_PATTERN: &str = "(0|[1-9][0-9]*)(ms|s|m|h|d)";

/// The units with their length in milliseconds, the longest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

const MAX_MILLIS: u64 = 365 * 86_400_000;

/// Reads a duration.
///
/// # Errors
/// Text that is not a whole number with one of the units `ms`, `s`, `m`, `h`, `d`; durations beyond 365 days.
///
/// ```
/// use floodwall_config::units::parse_duration;
/// assert_eq!(parse_duration("250ms").unwrap().0, 250_000_000);
/// ```
pub fn parse_duration(text: &str) -> Result<Nanos, UnitError> {
    let refuse = || {
        UnitError::new(
            text,
            "a whole number with ms, s, m, h or d, such as 250ms or 5s",
        )
    };
    let (number, unit) = leading_number(text).ok_or_else(refuse)?;
    let (_, millis) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(refuse)?;
    match number.checked_mul(*millis) {
        Some(total) if total <= MAX_MILLIS => Ok(Nanos::from_millis(total)),
        _ => Err(UnitError::new(text, "at most 365d")),
    }
}

/// Writes a span as the file would, in the longest unit that is exact; parts of a millisecond round up.
pub fn format_duration(span: Nanos) -> String {
    let millis = span.0.div_ceil(1_000_000);
    if millis == 0 {
        return "0s".into();
    }
    let (unit, length) = UNITS
        .iter()
        .find(|(_, length)| millis.is_multiple_of(*length))
        .unwrap_or(&("ms", 1));
    format!("{}{unit}", millis / length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("5s", 5_000),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("0s", 0),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Nanos::from_millis(millis)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "1.5s",
            "-1s",
            "5sec",
            "1h30m",
            "5S",
            "366d",
            "99999999999999999999d",
            ".nan",
            "1e400",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(millis in 0..=MAX_MILLIS) {
            let span = Nanos::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(span)), Ok(span));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse_duration(&text);
        }
    }
}
