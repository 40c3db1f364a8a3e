//! Header fields as the file writes them.

use std::collections::HashSet;
use std::fmt;

use crate::Template;
use crate::read::{Cursor, Fields, Names, text, unique_list};
use crate::section::{ANY, Key, Section, Shape};
use crate::template::Scope;

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

/// A header whose value each request may fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    pub name: HeaderName,
    pub value: Template,
}

/// Changes to a header section: first what is removed, then what is set, then what is added.
///
/// No change touches a field that frames the message (`content-length`, `transfer-encoding`, `connection`...).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderEdits {
    /// Replaces every field of that name by this one.
    pub set: Vec<HeaderRule>,
    /// Adds a field and keeps what is there.
    pub add: Vec<HeaderRule>,
    pub remove: Vec<HeaderName>,
}

impl HeaderEdits {
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.add.is_empty() && self.remove.is_empty()
    }

    /// The names of the tokens that it puts into values.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        let rules = self.set.iter().chain(&self.add);
        rules.flat_map(|rule| rule.value.tokens())
    }
}

pub(crate) const HEADER_NAME_PATTERN: &str = "[A-Za-z0-9!#$%&'*+.^_`|~-]+";

/// Fields that belong to one connection and end with it, whatever `Connection` says (RFC 9110, 7.6.1).
pub const OF_ONE_CONNECTION: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// Whether a field frames a message or belongs to one connection: Floodwall's own business.
fn is_framing(name: &str) -> bool {
    name == "content-length" || OF_ONE_CONNECTION.contains(&name)
}

pub(crate) static EDITS: Section = Section {
    name: "routes[].request_headers",
    keys: &[
        Key::new(
            "set",
            Shape::Pairs(&Shape::Scalar),
            "replaces every field of that name; with ${variables}",
        ),
        Key::new(
            "add",
            Shape::Pairs(&Shape::Scalar),
            "adds a field and keeps what is there; with ${variables}",
        ),
        Key::new(
            "remove",
            Shape::List(&Shape::Text(HEADER_NAME_PATTERN), ANY),
            "removes every field of that name",
        ),
    ],
    one_of: &[],
};

impl HeaderName {
    /// Reads a name that only looks at a header.
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        Self::of(text(value)?, value)
    }

    /// Takes `name`, in lower case; problems are reported at `value`.
    pub(crate) fn of(name: &str, value: Cursor<'_>) -> Option<Self> {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if !name.is_empty() && name.chars().all(token) {
            return Some(Self(name.to_ascii_lowercase()));
        }
        value.refuse_as(format!("{name:?}"), "a header name")
    }

    /// Takes the name of a header that Floodwall is to write.
    fn of_written(name: &str, value: Cursor<'_>) -> Option<Self> {
        let name = Self::of(name, value)?;
        if is_framing(name.as_str()) {
            return value.refuse_as(
                format!("`{name}`, which frames the message"),
                "any other header",
            );
        }
        Some(name)
    }
}

impl HeaderEdits {
    pub(crate) fn read(value: Cursor<'_>, tokens: &Names<'_>) -> Option<Self> {
        let fields = Fields::open(value, &EDITS)?;
        let rules = |map: Cursor<'_>| named(map, |value| template(value, tokens), HeaderRule::new);
        let set = fields.or("set", rules, Vec::new());
        let add = fields.or("add", rules, Vec::new());
        let remove = fields.or(
            "remove",
            |list| unique_list(list, "header", removed),
            Vec::new(),
        );
        Some(Self {
            set: set?,
            add: add?,
            remove: remove?,
        })
    }
}

impl HeaderRule {
    fn new(name: HeaderName, value: Template) -> Self {
        Self { name, value }
    }
}

fn removed(value: Cursor<'_>) -> Option<HeaderName> {
    HeaderName::of_written(text(value)?, value)
}

/// Reads a mapping of header names to values, each name once in any case.
pub(crate) fn headers(value: Cursor<'_>) -> Option<Vec<Header>> {
    named(value, header_value, |name, value| Header { name, value })
}

fn named<V, T>(
    map: Cursor<'_>,
    read: impl Fn(Cursor<'_>) -> Option<V>,
    make: fn(HeaderName, V) -> T,
) -> Option<Vec<T>> {
    let mut seen = HashSet::new();
    map.pairs(|name, value| {
        let named = HeaderName::of_written(name, value);
        let read = read(value);
        let (named, read) = (named?, read?);
        if !seen.insert(named.clone()) {
            return value.refuse_as(
                format!("`{name}` again in other letters"),
                "each header once",
            );
        }
        Some(make(named, read))
    })
}

fn header_value(value: Cursor<'_>) -> Option<String> {
    let text = printable(value)?;
    if text.contains("${") {
        return value.refuse_as(
            format!("a variable in {}", value.describe()),
            "variables only in a route's request_headers and response_headers",
        );
    }
    Some(text.to_owned())
}

fn template(value: Cursor<'_>, tokens: &Names<'_>) -> Option<Template> {
    Template::of(printable(value)?, value, Scope::Header(tokens))
}

/// Reads text that may stand on the wire as it is.
fn printable(value: Cursor<'_>) -> Option<&str> {
    let Some(text) = value.written() else {
        return value.refuse("a header's value");
    };
    let clean = text.chars().all(|c| c == '\t' || (' '..='~').contains(&c));
    if !clean || text.trim() != text {
        return value.refuse("printable ASCII without blanks at its ends");
    }
    Some(text)
}
