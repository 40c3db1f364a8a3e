//! Header fields as the file writes them.

use std::fmt;

/// A header's name: a token of RFC 9110, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderName(pub(crate) String);

impl HeaderName {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A header with a value that may stand on the wire as it is: no control characters, no blanks at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub name: HeaderName,
    pub value: String,
}

/// Changes to a header section: first what is removed, then what is set, then what is added.
///
/// No change touches a field that frames the message (`content-length`, `transfer-encoding`, `connection`...).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Replaces every field of that name by this one.
    pub set: Vec<Header>,
    /// Adds a field and keeps what is there.
    pub add: Vec<Header>,
    pub remove: Vec<HeaderName>,
}

impl HeaderEdits {
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }
}
