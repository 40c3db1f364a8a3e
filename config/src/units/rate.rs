//! Rates: `50/s`, `5/m`, `20/10s`, `10k/s`.

use floodwall_limiter::{Nanos, Quota};

use super::{UnitError, parse_count, parse_duration, parse_size};

pub(crate) const RATE_PATTERN: &str = "(0|[1-9][0-9]*)[kM]?/(s|m|h|d|[1-9][0-9]*(ms|s|m|h|d))";

pub(crate) const BYTE_RATE_PATTERN: &str =
    "(0|[1-9][0-9]*)(B|KiB|MiB|GiB)/(s|m|h|d|[1-9][0-9]*(ms|s|m|h|d))";

/// So much in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateParts {
    /// 0 admits nothing.
    pub count: u64,
    /// At least 1 ms.
    pub per: Nanos,
}

impl RateParts {
    /// How much is allowed in a second, rounded down; at most [`MOST_BYTES`].
    pub fn in_a_second(self) -> u64 {
        let second = u128::from(self.count) * u128::from(Nanos::SECOND.0) / u128::from(self.per.0);
        u64::try_from(second).unwrap_or(MOST_BYTES)
    }
}

/// The highest rate in bytes a second: an interface of 80 Gbit/s.
pub const MOST_BYTES: u64 = 10_000_000_000;

/// Reads a rate.
///
/// # Errors
/// Text that is not `N/s`, `N/m`, `N/h`, `N/d` or `N/DURATION`, N with an optional `k` or `M`; a duration of
/// zero; more than [`Quota::MAX_RATE`] a second, which is the most that is kept to within 2 %.
pub fn parse_rate(text: &str) -> Result<RateParts, UnitError> {
    const FORMS: &str = "N/s, N/m, N/h, N/d or N/DURATION, such as 50/s, 20/10s or 10k/s";
    let parts = parts(text, parse_count).ok_or_else(|| UnitError::new(text, FORMS))?;
    let most = format!("at most {}M/s", Quota::MAX_RATE / 1_000_000);
    bounded(parts, Quota::MAX_RATE).ok_or_else(|| UnitError::new(text, most))
}

/// Reads a rate in bytes: as [`parse_rate`], or with a size in place of N, as in `10MiB/s`.
///
/// # Errors
/// Text of another form, and more than [`MOST_BYTES`] a second.
///
/// ```
/// let parts = floodwall_config::units::parse_byte_rate("2MiB/s").unwrap();
/// assert_eq!(parts.count, 2 << 20);
/// ```
pub fn parse_byte_rate(text: &str) -> Result<RateParts, UnitError> {
    const FORMS: &str = "SIZE/s or N/s in bytes, such as 10MiB/s, 64KiB/10s or 10M/s";
    let bytes = |text: &str| parse_size(text).or_else(|_| parse_count(text));
    let parts = parts(text, bytes).ok_or_else(|| UnitError::new(text, FORMS))?;
    let most = format!("at most {}M/s", MOST_BYTES / 1_000_000);
    bounded(parts, MOST_BYTES).ok_or_else(|| UnitError::new(text, most))
}

fn parts(text: &str, parse: impl Fn(&str) -> Result<u64, UnitError>) -> Option<RateParts> {
    let (count, per) = text.split_once('/')?;
    let count = parse(count).ok()?;
    let per = match per {
        "s" => Nanos::from_secs(1),
        "m" => Nanos::from_secs(60),
        "h" => Nanos::from_secs(3_600),
        "d" => Nanos::from_secs(86_400),
        span => parse_duration(span).ok()?,
    };
    (per != Nanos::ZERO).then_some(RateParts { count, per })
}

fn bounded(parts: RateParts, most: u64) -> Option<RateParts> {
    let in_a_second = u128::from(parts.count) * u128::from(Nanos::SECOND.0);
    (in_a_second <= u128::from(most) * u128::from(parts.per.0)).then_some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_form() {
        for (text, count, secs) in [
            ("50/s", 50, 1),
            ("5/m", 5, 60),
            ("1/h", 1, 3_600),
            ("1/d", 1, 86_400),
            ("20/10s", 20, 10),
            ("10k/s", 10_000, 1),
            ("10M/s", 10_000_000, 1),
            ("0/s", 0, 1),
            ("600M/m", 600_000_000, 60),
        ] {
            assert_eq!(
                parse_rate(text),
                Ok(RateParts {
                    count,
                    per: Nanos::from_secs(secs)
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "50",
            "/s",
            "50/",
            "50/x",
            "50/0s",
            "50/ms",
            "1.5/s",
            "1.5k/s",
            "-1/s",
            "50 / s",
            "50/s/s",
            "unlimited",
            ".nan",
            "1e400/s",
            "9/366d",
        ] {
            assert!(parse_rate(text).is_err(), "{text:?}");
        }
        let too_fast = parse_rate("10000001/s").unwrap_err();
        assert_eq!(
            too_fast.to_string(),
            "found `10000001/s`; allowed: at most 10M/s"
        );
    }

    #[test]
    fn bytes_may_be_sizes() {
        for (text, count, secs) in [
            ("10MiB/s", 10 << 20, 1),
            ("64KiB/10s", 64 << 10, 10),
            ("10M/s", 10_000_000, 1),
            ("9GiB/s", 9 << 30, 1),
            ("0/s", 0, 1),
            ("0B/s", 0, 1),
        ] {
            let per = Nanos::from_secs(secs);
            assert_eq!(
                parse_byte_rate(text),
                Ok(RateParts { count, per }),
                "{text}"
            );
        }
        for text in [
            "10MB/s",
            "1.5MiB/s",
            "MiB/s",
            "10MiB",
            "10MiB/0s",
            "unlimited",
        ] {
            assert!(parse_byte_rate(text).is_err(), "{text:?}");
        }
        let too_fast = parse_byte_rate("10GiB/s").unwrap_err();
        assert_eq!(too_fast.allowed, "at most 10000M/s");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*/?.*") {
            let _ = parse_rate(&text);
            let _ = parse_byte_rate(&text);
        }

        #[test]
        fn whole_rates_read_back(count in 0..=Quota::MAX_RATE, secs in 1..86_400_u64) {
            let per = Nanos::from_secs(secs);
            prop_assert_eq!(parse_rate(&format!("{count}/{secs}s")), Ok(RateParts { count, per }));
        }
    }
}
