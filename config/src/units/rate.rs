//! Rates: `50/s`, `5/m`, `20/10s`, `10k/s`.

use floodwall_limiter::{Nanos, Quota};

use super::{UnitError, parse_count, parse_duration};

pub(crate) const RATE_PATTERN: &str = "(0|[1-9][0-9]*)[kM]?/(s|m|h|d|[1-9][0-9]*(ms|s|m|h|d))";

/// So much in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateParts {
    /// 0 admits nothing.
    pub count: u64,
    /// At least 1 ms.
    pub per: Nanos,
}

/// Reads a rate.
///
/// # Errors
/// Text that is not `N/s`, `N/m`, `N/h`, `N/d` or `N/DURATION`, N with an optional `k` or `M`; a duration of
/// zero; more than [`Quota::MAX_RATE`] a second, which is the most that is kept to within 2 %.
pub fn parse_rate(text: &str) -> Result<RateParts, UnitError> {
    let refuse = || {
        UnitError::new(
            text,
            "N/s, N/m, N/h, N/d or N/DURATION, such as 50/s, 20/10s or 10k/s",
        )
    };
    let (count, per) = text.split_once('/').ok_or_else(refuse)?;
    let count = parse_count(count).map_err(|_| refuse())?;
    let per = match per {
        "s" => Nanos::from_secs(1),
        "m" => Nanos::from_secs(60),
        "h" => Nanos::from_secs(3_600),
        "d" => Nanos::from_secs(86_400),
        span => parse_duration(span).map_err(|_| refuse())?,
    };
    if per == Nanos::ZERO {
        return Err(refuse());
    }
    let in_a_second = u128::from(count) * u128::from(Nanos::SECOND.0);
    if in_a_second > u128::from(Quota::MAX_RATE) * u128::from(per.0) {
        return Err(UnitError::new(
            text,
            format!("at most {}M/s", Quota::MAX_RATE / 1_000_000),
        ));
    }
    Ok(RateParts { count, per })
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

    proptest! {
        #[test]
        fn no_text_panics(text in ".*/?.*") {
            let _ = parse_rate(&text);
        }

        #[test]
        fn whole_rates_read_back(count in 0..=Quota::MAX_RATE, secs in 1..86_400_u64) {
            let per = Nanos::from_secs(secs);
            prop_assert_eq!(parse_rate(&format!("{count}/{secs}s")), Ok(RateParts { count, per }));
        }
    }
}
