//! Text that strangers chose, made fit for a terminal.

use std::{borrow::Cow, fmt::Write as _};

/// The text with whatever a terminal might obey, or show more or less than one column wide, written as Rust writes it:
/// `\u{1b}`. What clients send stands in keys, and must not move an operator's cursor.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::new();
    for letter in text.chars() {
        if is_plain(letter) {
            safe.push(letter);
        } else {
            // A string takes everything.
            let _ = write!(safe, "{}", letter.escape_unicode());
        }
    }
    Cow::Owned(safe)
}

/// Letters of one column each that no terminal obeys: ASCII, Latin, Greek and Cyrillic, without what joins the letter
/// before it and the hyphen that is not there.
fn is_plain(letter: char) -> bool {
    const SOFT_HYPHEN: char = '\u{ad}';
    const COMBINING: std::ops::RangeInclusive<char> = '\u{483}'..='\u{489}';
    match letter {
        SOFT_HYPHEN => false,
        letter if COMBINING.contains(&letter) => false,
        ' '..='~' | '\u{a1}'..='\u{24f}' | '\u{370}'..='\u{4ff}' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_and_commands_are_spelt_out() {
        for (text, shown) in [
            ("client=192.0.2.7", "client=192.0.2.7"),
            ("Größe", "Größe"),
            ("\x1b[2J", "\\u{1b}[2J"),
            ("a\nb\r\t", "a\\u{a}b\\u{d}\\u{9}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("中\u{202e}", "\\u{4e2d}\\u{202e}"),
            ("e\u{301}", "e\\u{301}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }
}
