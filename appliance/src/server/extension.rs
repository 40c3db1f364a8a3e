//! A look at the extensions of a chunk (RFC 9112, 7.1.1): names, some with a value, which is a word or in quotes.
//!
//! Nobody sends any. They are read over because they may be there, and they end where every reader would say so.

use super::head::is_token;

/// How far the extensions of one chunk were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extension {
    /// Behind a semicolon.
    BeforeName,
    Name,
    AfterName,
    /// Behind an equals sign.
    BeforeValue,
    Value,
    Quoted,
    /// Behind a backslash within quotes.
    Escaped,
    AfterQuotes,
    AfterValue,
}

impl Extension {
    /// Where the next byte leads; none for one that may not be there.
    pub(super) fn next(self, byte: u8) -> Option<Self> {
        let is_blank = matches!(byte, b' ' | b'\t');
        match (self, byte) {
            (Self::Quoted, b'"') => Some(Self::AfterQuotes),
            (Self::Quoted, b'\\') => Some(Self::Escaped),
            (Self::Quoted | Self::Escaped, b'\t' | b' '..=b'~') | (Self::BeforeValue, b'"') => {
                Some(Self::Quoted)
            }
            (Self::BeforeName | Self::AfterName | Self::BeforeValue | Self::AfterValue, _)
                if is_blank =>
            {
                Some(self)
            }
            (Self::Name, _) if is_blank => Some(Self::AfterName),
            (Self::Value | Self::AfterQuotes, _) if is_blank => Some(Self::AfterValue),
            (Self::Name | Self::AfterName, b'=') => Some(Self::BeforeValue),
            (
                Self::Name | Self::AfterName | Self::Value | Self::AfterQuotes | Self::AfterValue,
                b';',
            ) => Some(Self::BeforeName),
            (Self::BeforeName | Self::Name, _) if is_token(byte) => Some(Self::Name),
            (Self::BeforeValue | Self::Value, _) if is_token(byte) => Some(Self::Value),
            _ => None,
        }
    }

    /// Whether the line may end here.
    pub(super) fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Value | Self::AfterQuotes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_right(text: &str) -> bool {
        let mut bytes = text.bytes();
        let end = bytes.try_fold(Extension::BeforeName, Extension::next);
        end.is_some_and(Extension::may_end)
    }

    #[test]
    fn extensions_are_names_with_and_without_values() {
        for text in [
            "a",
            " a",
            "a;b",
            "a=b",
            "a = b ; c",
            "a=\"\"",
            "a=\"b;c\\\"=\";d",
            "a;b=\"\t \"",
        ] {
            assert!(is_right(text), "{text:?}");
        }
        for text in [
            "",
            ";",
            "a;",
            "a;;b",
            "a=",
            "=b",
            "a b",
            "a=b c",
            "a=\"b",
            "a=\"b\\\"",
            "a=\"b\"c",
            "a=b\"c\"",
            "a ",
            "a\0",
            "a=\u{e9}",
            "\"a\"",
            "a=\"\u{7f}\"",
        ] {
            assert!(!is_right(text), "{text:?}");
        }
    }
}
