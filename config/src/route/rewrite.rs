//! `routes[].rewrite`: what the upstream gets to see instead of the client's path and host.

use crate::Match;
use crate::matching::{self, PathRegex};
use crate::read::{Cursor, Fields, text};
use crate::section::{Key, Section, Shape, TEXT};

/// Changes to a request's target on its way to the upstream. Limits, keys and the log go by what the client sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewrite {
    pub path: Option<NewPath>,
    /// The authority, with a port if there is one.
    pub host: Option<String>,
}

/// Another path; the query stays.
#[derive(Clone, Debug, PartialEq)]
pub enum NewPath {
    /// Puts `to` in the place of `from`, which the route's match says is there. Neither ends with `/`.
    Prefix { from: String, to: String },
    /// Puts `replacement` in the place of everything that `pattern` finds.
    Regex {
        pattern: PathRegex,
        /// With `$1` or `${name}` for what a group found.
        replacement: String,
    },
}

pub(crate) static SECTION: Section = Section {
    name: "routes[].rewrite",
    keys: &[
        Key::new(
            "path_prefix",
            Shape::Text("/.*"),
            "in the place of the prefix that `match` names",
        ),
        Key::new(
            "path_regex",
            Shape::Section(&REGEX),
            "in the place of what an expression finds",
        ),
        Key::new(
            "host",
            Shape::Text(AUTHORITY),
            "the host, with a port if need be",
        ),
    ],
    one_of: &[],
};

pub(crate) static REGEX: Section = Section {
    name: "routes[].rewrite.path_regex",
    keys: &[
        Key::required("pattern", TEXT, "what is replaced in the path"),
        Key::required(
            "replacement",
            Shape::Text("[^?# ]*"),
            "with $1 or ${name} for what a group found",
        ),
    ],
    one_of: &[],
};

pub(crate) const AUTHORITY: &str = r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?";

impl Rewrite {
    pub(crate) fn read(value: Cursor<'_>, matches: Option<&Match>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let path = new_path(&fields, matches);
        let host = fields.optional("host", authority);
        Some(Self {
            path: path?,
            host: host?,
        })
    }
}

/// Reads `path_prefix` or `path_regex` of a section that has both. A match that is wrong is passed as none.
#[expect(clippy::option_option, reason = "wrong, not given, given and right")]
pub(crate) fn new_path(fields: &Fields<'_>, matches: Option<&Match>) -> Option<Option<NewPath>> {
    let prefix = fields.optional("path_prefix", matching::path_prefix);
    let regex = fields.optional("path_regex", regex);
    match (prefix?, regex?) {
        (Some(_), Some(_)) => fields.refuse(
            "path_regex",
            "`path_regex` beside `path_prefix`",
            "one of them",
        ),
        (Some(to), None) => {
            let from = matches.map_or(Some(String::new()), |matches| matches.path_prefix.clone());
            let Some(from) = from else {
                return fields.refuse(
                    "path_prefix",
                    "a prefix in the place of none",
                    "only in a route whose `match` has a `path_prefix`",
                );
            };
            let bare = |path: String| if path == "/" { String::new() } else { path };
            let (from, to) = (bare(from), bare(to));
            Some(Some(NewPath::Prefix { from, to }))
        }
        (None, regex) => Some(regex),
    }
}

fn regex(value: Cursor<'_>) -> Option<NewPath> {
    let fields = Fields::open(value, &REGEX)?;
    let pattern = fields.required("pattern", PathRegex::read);
    let replacement = fields.required("replacement", replacement);
    Some(NewPath::Regex {
        pattern: pattern?,
        replacement: replacement?,
    })
}

fn replacement(value: Cursor<'_>) -> Option<String> {
    let text = value.written().unwrap_or_default();
    if text
        .chars()
        .all(|c| ('!'..='~').contains(&c) && !"?#".contains(c))
    {
        Some(text.to_owned())
    } else {
        value.refuse("a path as it stands on the wire, without a query")
    }
}

/// Reads a host with or without a port.
pub(crate) fn authority(value: Cursor<'_>) -> Option<String> {
    let authority = text(value)?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_fits = match inner {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        }
    };
    if port_fits && host_fits {
        Some(authority.to_owned())
    } else {
        value.refuse("a host, with a port if need be, such as app.internal:8080")
    }
}

impl NewPath {
    /// What becomes of a path.
    pub fn of(&self, path: &str) -> String {
        let changed = match self {
            Self::Prefix { from, to } => {
                let rest = path.strip_prefix(from.as_str()).unwrap_or(path);
                format!("{to}{rest}")
            }
            Self::Regex {
                pattern,
                replacement,
            } => pattern
                .0
                .replace_all(path, replacement.as_str())
                .into_owned(),
        };
        // One slash, no more and no less: `//name` would be read as a host.
        format!("/{}", changed.trim_start_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(from: &str, to: &str) -> NewPath {
        let (from, to) = (from.into(), to.into());
        NewPath::Prefix { from, to }
    }

    #[test]
    fn a_prefix_is_replaced_by_segment() {
        for (from, to, path, expected) in [
            ("/api", "/v2", "/api", "/v2"),
            ("/api", "/v2", "/api/", "/v2/"),
            ("/api", "/v2", "/api/a/b", "/v2/a/b"),
            ("/api", "", "/api/a", "/a"),
            ("/api", "", "/api", "/"),
            ("/api", "", "/api//evil.example", "/evil.example"),
            ("", "/v2", "/a", "/v2/a"),
            ("", "/v2", "/", "/v2/"),
        ] {
            assert_eq!(
                prefix(from, to).of(path),
                expected,
                "{from} to {to}: {path}"
            );
        }
    }

    #[test]
    fn groups_go_where_the_replacement_says() {
        let regex = |pattern: &str, replacement: &str| NewPath::Regex {
            pattern: PathRegex(regex::Regex::new(pattern).unwrap()),
            replacement: replacement.into(),
        };
        let users = regex("^/users/([0-9]+)(?P<rest>/.*)?$", "/u/${1}${rest}");
        assert_eq!(users.of("/users/7/a"), "/u/7/a");
        assert_eq!(users.of("/users/7"), "/u/7");
        assert_eq!(users.of("/users/x"), "/users/x");
        assert_eq!(regex("a", "").of("/banana"), "/bnn");
        assert_eq!(regex("^/", "").of("/x"), "/x");
    }
}
