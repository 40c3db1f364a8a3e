//! `match`: which requests a route or a limit means.

use regex::Regex;

use crate::HeaderName;

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
