//! `match`: which requests a route or a limit means.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::net::Ipv6Addr;

use regex::{Regex, RegexBuilder};

use crate::HeaderName;
use crate::path::{Slashes, normalized};
use crate::read::{Cursor, Fields, counted, text, unique_list};
use crate::section::{Key, ONE, Section, Shape, TEXT};

/// Conditions on a request; all must hold, and an absent one always does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// One of these hosts; any host when empty.
    pub hosts: Vec<HostPattern>,
    /// The whole path, without the query.
    pub path: Option<String>,
    /// Leading segments of the path: `/a` means `/a` and `/a/b` but not `/ab`, `/` means every path.
    /// Begins with `/` and, but for `/` itself, does not end with it.
    pub path_prefix: Option<String>,
    /// Matches anywhere in the path unless the expression is anchored.
    pub path_regex: Option<PathRegex>,
    /// One of these methods, in upper case; any method when empty.
    pub methods: Vec<String>,
    pub headers: Vec<NamedValue<HeaderName>>,
    /// Query parameters, compared after percent-decoding.
    pub query: Vec<NamedValue<String>>,
    pub cookies: Vec<NamedValue<String>>,
}

/// A host without port, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    Exact(String),
    /// Any name below this one: `*.example.org` is kept as `.example.org`.
    Suffix(String),
}

/// A named part of a request and the value it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedValue<Name> {
    pub name: Name,
    pub value: ValuePattern,
}

/// What a part of a request must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValuePattern {
    /// `"*"`: there, whatever its value.
    Present,
    Exact(String),
}

impl Match {
    /// Whether only gRPC calls can match.
    pub(crate) fn means_grpc(&self) -> bool {
        self.headers.iter().any(|field| match &field.value {
            ValuePattern::Present => false,
            ValuePattern::Exact(value) => {
                let rest = value.strip_prefix("application/grpc");
                field.name.as_str() == "content-type"
                    && rest
                        .is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'+' | b';')))
            }
        })
    }
}

/// A regular expression on the path; two are equal when their text is.
#[derive(Clone, Debug)]
pub struct PathRegex(pub(crate) Regex);

impl PathRegex {
    pub fn is_match(&self, path: &str) -> bool {
        self.0.is_match(path)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl PartialEq for PathRegex {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

/// What [`HostPattern::read`] takes.
pub(crate) const HOST: Shape = Shape::Text(r"(\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]");

pub(crate) static SECTION: Section = Section {
    name: "match",
    keys: &[
        Key::new("hosts", Shape::List(&HOST, ONE), "names, or *.suffix"),
        Key::new("path", Shape::Text("/.*"), "the whole path"),
        Key::new(
            "path_prefix",
            Shape::Text("/.*"),
            "leading segments of the path",
        ),
        Key::new(
            "path_regex",
            TEXT,
            "a regular expression that finds something in the path",
        ),
        Key::new(
            "methods",
            Shape::List(&Shape::Text("[A-Z][A-Z-]*"), ONE),
            "in capitals",
        ),
        Key::new(
            "headers",
            Shape::Pairs(&Shape::Scalar),
            "name to value, or \"*\" for any",
        ),
        Key::new(
            "query",
            Shape::Pairs(&Shape::Scalar),
            "parameter to value, or \"*\" for any",
        ),
        Key::new(
            "cookies",
            Shape::Pairs(&Shape::Scalar),
            "name to value, or \"*\" for any",
        ),
    ],
    one_of: &[],
};

impl Match {
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let hosts = fields.or(
            "hosts",
            |list| one_or_more(list, "host", HostPattern::read),
            Vec::new(),
        );
        let path = fields.optional("path", path);
        let path_prefix = fields.optional("path_prefix", path_prefix);
        let path_regex = fields.optional("path_regex", PathRegex::read);
        let methods = fields.or(
            "methods",
            |list| one_or_more(list, "method", method),
            Vec::new(),
        );
        let headers = fields.or(
            "headers",
            |map| named_values(map, HeaderName::of),
            Vec::new(),
        );
        let query = fields.or("query", |map| named_values(map, plain_name), Vec::new());
        let cookies = fields.or("cookies", |map| named_values(map, cookie_name), Vec::new());
        Some(Self {
            hosts: hosts?,
            path: path?,
            path_prefix: path_prefix?,
            path_regex: path_regex?,
            methods: methods?,
            headers: headers?,
            query: query?,
            cookies: cookies?,
        })
    }
}

fn one_or_more<T: Eq + Hash>(
    list: Cursor<'_>,
    what: &str,
    read: fn(Cursor<'_>) -> Option<T>,
) -> Option<Vec<T>> {
    counted(list, unique_list(list, what, read)?, 1, usize::MAX)
}

impl fmt::Display for HostPattern {
    /// As the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => write!(f, "{host}"),
            Self::Suffix(suffix) => write!(f, "*{suffix}"),
        }
    }
}

impl HostPattern {
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        let host = text(value)?.to_ascii_lowercase();
        let refuse =
            || value.refuse("a host without port, such as www.example.org or *.example.org");
        if let Some(inner) = host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            return if inner.parse::<Ipv6Addr>().is_ok() {
                Some(Self::Exact(host))
            } else {
                refuse()
            };
        }
        let below = host.strip_prefix("*.");
        let label = |label: &str| {
            !label.is_empty()
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        match below {
            _ if !below.unwrap_or(&host).split('.').all(label) => refuse(),
            Some(name) => Some(Self::Suffix(format!(".{name}"))),
            None => Some(Self::Exact(host)),
        }
    }
}

pub(crate) fn path(value: Cursor<'_>) -> Option<String> {
    let path = text(value)?;
    let plain = path.starts_with('/')
        && path
            .chars()
            .all(|c| ('!'..='~').contains(&c) && !"?#".contains(c));
    if !plain {
        return value.refuse("a path that begins with /, as it stands on the wire");
    }
    // Requests come to it in this spelling.
    match normalized(path, Slashes::Keep) {
        Ok(spelled) => Some(spelled.into_owned()),
        Err(odd) => value.refuse_as(format!("{odd}: `{path}`"), "a path that requests can have"),
    }
}

pub(crate) fn path_prefix(value: Cursor<'_>) -> Option<String> {
    let prefix = path(value)?;
    let segments = prefix.trim_end_matches('/');
    Some(if segments.is_empty() {
        "/".into()
    } else {
        segments.into()
    })
}

/// The largest compiled expression, in bytes: thousands of routes may have one each.
const MOST_REGEX_BYTES: usize = 256 << 10;

impl PathRegex {
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        match RegexBuilder::new(text(value)?)
            .size_limit(MOST_REGEX_BYTES)
            .nest_limit(50)
            .build()
        {
            Ok(regex) => Some(Self(regex)),
            Err(regex::Error::CompiledTooBig(_)) => value.refuse_as(
                "an expression that compiles to more than 256 KiB",
                "a smaller one",
            ),
            // The last line says what is wrong, those before draw an arrow to it.
            Err(error) => {
                let drawn = error.to_string();
                let reason = drawn
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                value.refuse_as(
                    format!("{}: {reason}", value.describe()),
                    "a regular expression of the regex crate",
                )
            }
        }
    }
}

pub(crate) fn method(value: Cursor<'_>) -> Option<String> {
    let method = text(value)?;
    let capitals = method.chars().all(|c| c.is_ascii_uppercase() || c == '-');
    if capitals {
        Some(method.into())
    } else {
        value.refuse("a method in capitals, such as GET")
    }
}

fn named_values<N: Eq + Hash + Clone>(
    map: Cursor<'_>,
    name_of: fn(&str, Cursor<'_>) -> Option<N>,
) -> Option<Vec<NamedValue<N>>> {
    let mut seen = HashSet::new();
    map.pairs(|name, value| {
        let named = name_of(name, value);
        let pattern = ValuePattern::read(value);
        let (named, pattern) = (named?, pattern?);
        if !seen.insert(named.clone()) {
            return value.refuse_as(format!("`{name}` again in other letters"), "each name once");
        }
        Some(NamedValue {
            name: named,
            value: pattern,
        })
    })
}

impl ValuePattern {
    fn read(value: Cursor<'_>) -> Option<Self> {
        match value.written() {
            Some("*") => Some(Self::Present),
            Some(text) => Some(Self::Exact(text.into())),
            None => value.refuse("a value, or \"*\" for any"),
        }
    }
}

/// Takes the name of a query parameter.
pub(crate) fn plain_name(name: &str, value: Cursor<'_>) -> Option<String> {
    if name.is_empty() {
        value.refuse_as("an empty name", "a name")
    } else {
        Some(name.into())
    }
}

/// Takes the name of a cookie, which keeps its case.
pub(crate) fn cookie_name(name: &str, value: Cursor<'_>) -> Option<String> {
    HeaderName::of(name, value).map(|_| name.to_owned())
}
