//! Counts: `40`, `20k`, `1M`.

use super::{UnitError, leading_number};

pub(crate) const COUNT_PATTERN: &str = "(0|[1-9][0-9]*)[kM]?";

/// Reads a count.
///
/// # Errors
/// Text that is not digits with an optional `k` (thousand) or `M` (million), and counts beyond a `u64`.
///
/// ```
/// assert_eq!(floodwall_config::units::parse_count("20k"), Ok(20_000));
/// ```
pub fn parse_count(text: &str) -> Result<u64, UnitError> {
    let refuse = || UnitError::new(text, "a whole number such as 40, 20k or 1M");
    let (number, unit) = leading_number(text).ok_or_else(refuse)?;
    let factor = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        _ => return Err(refuse()),
    };
    number
        .checked_mul(factor)
        .filter(|&count| count < u64::MAX)
        .ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_k_and_m() {
        assert_eq!(parse_count("0"), Ok(0));
        assert_eq!(parse_count("7"), Ok(7));
        assert_eq!(parse_count("3M"), Ok(3_000_000));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "k",
            "1.5k",
            "-1",
            "+1",
            "1K",
            "1 k",
            "1kk",
            "1e3",
            "99999999999999999999",
            "18446744073709551615k",
        ] {
            assert!(parse_count(text).is_err(), "{text:?}");
        }
    }
}
