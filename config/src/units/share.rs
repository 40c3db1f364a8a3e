//! Shares: `40%`, `0.5%`.

use std::fmt;

use super::UnitError;

pub(crate) const SHARE_PATTERN: &str = "(0|[1-9][0-9]?|100)(\\.[0-9]{1,4})?%";

/// A part of a whole, in parts per million: from nothing to all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Nothing of it.
    pub const NOTHING: Self = Self(0);
    /// All of it.
    pub const WHOLE: Self = Self(1_000_000);

    /// So many parts per million; more than a million are the whole.
    pub const fn of_millionths(parts: u32) -> Self {
        if parts > Self::WHOLE.0 {
            Self::WHOLE
        } else {
            Self(parts)
        }
    }

    /// In parts per million.
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Share {
    /// Writes it as the file would, with no more digits than it needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (percent, rest) = (self.0 / 10_000, self.0 % 10_000);
        if rest == 0 {
            return write!(f, "{percent}%");
        }
        let digits = format!("{rest:04}");
        write!(f, "{percent}.{}%", digits.trim_end_matches('0'))
    }
}

/// Reads a share.
///
/// # Errors
/// Text that is not a number with at most four decimals and `%`; more than 100%.
///
/// ```
/// use floodwall_config::units::{Share, parse_share};
/// assert_eq!(parse_share("40%"), Ok(Share::of_millionths(400_000)));
/// ```
pub fn parse_share(text: &str) -> Result<Share, UnitError> {
    let refuse = || UnitError::new(text, "a share from 0% to 100%, such as 40% or 0.5%");
    let number = text.strip_suffix('%').ok_or_else(refuse)?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let octal = whole.len() > 1 && whole.starts_with('0');
    let digits = |text: &str, most: usize| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if octal || !digits(whole, 3) || !digits(decimals, 4) {
        return Err(refuse());
    }
    let decimals: u32 = format!("{decimals:0<4}").parse().map_err(|_| refuse())?;
    let parts = whole.parse::<u32>().map_err(|_| refuse())? * 10_000 + decimals;
    if parts > Share::WHOLE.0 {
        return Err(refuse());
    }
    Ok(Share(parts))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_whole_and_broken_percents() {
        for (text, parts) in [
            ("0%", 0),
            ("5%", 50_000),
            ("100%", 1_000_000),
            ("0.5%", 5_000),
            ("33.3333%", 333_333),
            ("99.90%", 999_000),
        ] {
            assert_eq!(parse_share(text), Ok(Share(parts)), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "%",
            "40",
            "40 %",
            "-1%",
            "+1%",
            "101%",
            "100.0001%",
            "0.00001%",
            "1e1%",
            "040%",
            ".5%",
            "5.%",
            "4294967296%",
        ] {
            assert!(parse_share(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(parts in 0..=1_000_000_u32) {
            let share = Share::of_millionths(parts);
            prop_assert_eq!(parse_share(&share.to_string()), Ok(share));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = parse_share(&text);
        }
    }
}
