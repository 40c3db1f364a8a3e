//! `errors`: what clients are shown instead of a bare error.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::header::headers;
use crate::read::{Cursor, Fields, flag, text, whole_u16};
use crate::response;
use crate::section::{Key, Section, Shape, TEXT};
use crate::{Header, HeaderName, Response, StatusRange};

/// Pages by the statuses that they stand for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorPages {
    /// Those for one status come before those for a hundred.
    pages: Vec<ErrorPage>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorPage {
    pub on: StatusRange,
    /// Sent instead of the status that it stands for.
    pub status: Option<u16>,
    /// With a `content-type`.
    pub headers: Vec<Header>,
    pub body: String,
    /// Whether it stands for the upstream's answers too, not only for Floodwall's own.
    pub intercept: bool,
}

pub(crate) static SECTION: Section = Section {
    name: "errors.STATUS",
    keys: &[
        Key::new(
            "status",
            Shape::Whole { min: 200, max: 599 },
            "sent instead of the error's own",
        ),
        Key::new("headers", Shape::Pairs(&Shape::Scalar), "name to value"),
        Key::new("body", Shape::Text("(.|\n)*"), "the body as it is sent"),
        Key::new("file", TEXT, "the body; relative to this file"),
        Key::new(
            "intercept",
            Shape::Flag,
            "for the upstream's answers too; default false",
        ),
    ],
    one_of: &["body", "file"],
};

/// More than a page that a client in trouble should have to load.
const MOST_BYTES: u64 = 1 << 20;

impl ErrorPages {
    pub(crate) fn read(map: Cursor<'_>, folder: &Path) -> Option<Self> {
        let mut pages = map.pairs(|status, value| ErrorPage::read(status, value, folder))?;
        pages.sort_by_key(|page| page.on.last - page.on.first);
        Some(Self { pages })
    }

    /// The page for a status.
    pub fn of(&self, status: u16) -> Option<&ErrorPage> {
        self.pages.iter().find(|page| page.on.contains(status))
    }
}

impl ErrorPage {
    fn read(status: &str, value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let on = error(status, value);
        let status = fields.optional("status", whole_u16(200, 599));
        let headers = fields.or("headers", headers, Vec::new());
        let body = fields.optional("body", response::body);
        let file = fields.optional("file", |value| content(value, folder));
        let intercept = fields.or("intercept", flag, false);
        let (body, kind) = match (body?, file?) {
            (Some(body), None) => (body, TEXT_PLAIN),
            (None, Some(file)) => file,
            // Reported when the fields were opened.
            _ => return None,
        };
        Some(Self {
            on: on?,
            status: status?,
            headers: with_type(headers?, kind),
            body,
            intercept: intercept?,
        })
    }

    /// The answer in the place of an error.
    pub fn answer(&self, status: u16) -> Response {
        Response {
            status: self.status.unwrap_or(status),
            headers: self.headers.clone(),
            body: Some(self.body.clone()),
        }
    }
}

fn error(status: &str, value: Cursor<'_>) -> Option<StatusRange> {
    match StatusRange::named(status) {
        Some(range) if range.first >= 400 => Some(range),
        _ => value.refuse_as(format!("`{status}`"), "a status such as 502, or 4xx or 5xx"),
    }
}

const TEXT_PLAIN: &str = "text/plain; charset=utf-8";

fn with_type(mut headers: Vec<Header>, kind: &str) -> Vec<Header> {
    let name = "content-type";
    if !headers.iter().any(|header| header.name.as_str() == name) {
        headers.push(Header {
            name: HeaderName(name.to_owned()),
            value: kind.to_owned(),
        });
    }
    headers
}

/// Reads a file, and tells its type by its name.
fn content(value: Cursor<'_>, folder: &Path) -> Option<(String, &'static str)> {
    let path = folder.join(text(value)?);
    let mut body = String::new();
    let read =
        File::open(&path).and_then(|file| file.take(MOST_BYTES + 1).read_to_string(&mut body));
    if let Err(error) = read {
        let found = format!("{}, which cannot be read: {error}", path.display());
        return value.refuse_as(found, "a text file");
    }
    if body.len() as u64 > MOST_BYTES {
        return value.refuse_as("a larger file", "at most 1MiB");
    }
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        _ => TEXT_PLAIN,
    };
    Some((body, kind))
}
