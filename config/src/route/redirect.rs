//! `routes[].redirect`: the client is told to ask elsewhere.

use super::rewrite::{self, AUTHORITY, NewPath};
use crate::read::{Cursor, Fields, choice, text, whole_u16};
use crate::section::{Key, Section, Shape};
use crate::template::Scope;
use crate::{Match, Template};

/// An answer whose `Location` is another address.
#[derive(Clone, Debug, PartialEq)]
pub struct Redirect {
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
    pub location: Location,
    /// Whether the client's query follows the new address.
    pub keeps_query: bool,
}

/// The other address.
#[derive(Clone, Debug, PartialEq)]
pub enum Location {
    /// As it is written.
    Whole(Template),
    /// The client's own with some parts changed, as an absolute address.
    Parts {
        scheme: Option<&'static str>,
        host: Option<String>,
        path: Option<Path>,
    },
}

/// The path of the other address.
#[derive(Clone, Debug, PartialEq)]
pub enum Path {
    Whole(Template),
    Changed(NewPath),
}

pub(crate) static SECTION: Section = Section {
    name: "routes[].redirect",
    keys: &[
        Key::new(
            "to",
            Shape::Text("(https?://|/).*"),
            "the whole address; with ${variables}",
        ),
        Key::new("scheme", Shape::Choice(SCHEMES), "the client's by default"),
        Key::new("host", Shape::Text(AUTHORITY), "the client's by default"),
        Key::new(
            "path",
            Shape::Text("/.*"),
            "the whole path; with ${variables}; the client's by default",
        ),
        Key::new(
            "path_prefix",
            Shape::Text("/.*"),
            "in the place of the prefix that `match` names",
        ),
        Key::new(
            "path_regex",
            Shape::Section(&rewrite::REGEX),
            "in the place of what an expression finds",
        ),
        Key::new(
            "status",
            Shape::Whole { min: 301, max: 308 },
            "301, 302, 303, 307 or 308; default 302",
        ),
        Key::new(
            "query",
            Shape::Choice(QUERY),
            "whether the client's query follows; default keep",
        ),
    ],
    one_of: &[],
};

const SCHEMES: &[&str] = &["http", "https"];
const QUERY: &[&str] = &["keep", "drop"];

impl Redirect {
    pub(crate) fn read(value: Cursor<'_>, matches: Option<&Match>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let to = fields.optional("to", whole);
        let scheme = fields.optional("scheme", choice(SCHEMES, &["http", "https"]));
        let host = fields.optional("host", rewrite::authority);
        let path = fields.optional("path", path);
        let changed = rewrite::new_path(&fields, matches);
        let status = fields.or("status", status, 302);
        let keeps_query = fields.or("query", choice(QUERY, &[true, false]), true);
        let (to, scheme, host, path, changed) = (to?, scheme?, host?, path?, changed?);
        if path.is_some() && changed.is_some() {
            return fields.refuse("path", "`path` beside another path", "one of them");
        }
        let path = path.map(Path::Whole).or(changed.map(Path::Changed));
        let parts = scheme.is_some() || host.is_some() || path.is_some();
        let location = match to {
            Some(_) if parts => {
                return fields.refuse("to", "`to` beside parts of an address", "one or the other");
            }
            Some(to) => Location::Whole(to),
            None if !parts => {
                return value.refuse_as(
                    "a redirect to nowhere else",
                    "`to`, or one of scheme, host, path, path_prefix, path_regex",
                );
            }
            None => Location::Parts { scheme, host, path },
        };
        Some(Self {
            status: status?,
            location,
            keeps_query: keeps_query?,
        })
    }
}

fn status(value: Cursor<'_>) -> Option<u16> {
    match whole_u16(301, 308)(value)? {
        304..=306 => value.refuse("301, 302, 303, 307 or 308"),
        status => Some(status),
    }
}

/// Reads an address. It begins with a host that the operator wrote, or stays on the client's.
fn whole(value: Cursor<'_>) -> Option<Template> {
    let to = text(value)?;
    let begins = ["http://", "https://", "/"]
        .iter()
        .any(|start| to.starts_with(start));
    if !begins || to.starts_with("//") {
        return value.refuse("an address that begins with https://, http:// or one /");
    }
    visible(to, value)
}

fn path(value: Cursor<'_>) -> Option<Template> {
    let path = text(value)?;
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return value.refuse("a path that begins with /, without a query");
    }
    visible(path, value)
}

fn visible(text: &str, value: Cursor<'_>) -> Option<Template> {
    if !text.chars().all(|c| ('!'..='~').contains(&c)) {
        return value.refuse("visible ASCII, as it stands on the wire");
    }
    Template::of(text, value, Scope::Location)
}
