//! Sizes: `64KiB`, `10MiB`.

use super::{UnitError, leading_number};

pub(crate) const SIZE_PATTERN: &str = "(0|[1-9][0-9]*)(B|KiB|MiB|GiB)";

/// The units with their size in bytes, the largest first.
const UNITS: [(&str, u64); 4] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
];

/// Reads a size in bytes.
///
/// # Errors
/// Text that is not a whole number with one of the units `B`, `KiB`, `MiB`, `GiB`; sizes beyond a `u64`.
///
/// ```
/// assert_eq!(floodwall_config::units::parse_size("64KiB"), Ok(65_536));
/// ```
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let refuse = || {
        UnitError::new(
            text,
            "a whole number with B, KiB, MiB or GiB, such as 64KiB",
        )
    };
    let (number, unit) = leading_number(text).ok_or_else(refuse)?;
    let (_, bytes) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(refuse)?;
    number
        .checked_mul(*bytes)
        .filter(|&size| size < u64::MAX)
        .ok_or_else(refuse)
}

/// Writes a size as the file would, in the largest unit that is exact.
pub fn format_size(bytes: u64) -> String {
    let exact = |(_, size): &&(&str, u64)| bytes != 0 && bytes.is_multiple_of(*size);
    let (unit, size) = UNITS.iter().find(exact).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "64",
            "64K",
            "64KB",
            "64kib",
            "1.5MiB",
            "-1B",
            "KiB",
            "99999999999999999999B",
            "18446744073709551615GiB",
        ] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(bytes in 0..u64::MAX) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse_size(&text);
        }
    }
}
