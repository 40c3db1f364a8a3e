//! The page for people: HTML, style and scripts that the binary carries, and nothing from anywhere else.
//!
//! Keys, hosts and reasons on it are written by clients, attackers among them. The scripts only ever make text of them;
//! the policy below has the browser refuse anything else, were there a mistake.

use bytes::Bytes;
use http::{
    Request, StatusCode,
    header::{self, HeaderName, HeaderValue},
};
use ring::digest::{SHA256, digest};

use super::reply::{self, Reply};
use crate::fields;

/// One file of the page.
#[derive(Debug)]
struct Part {
    path: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! part {
    ($name:literal, $media_type:expr) => {
        Part {
            path: concat!("/page/", $name),
            media_type: $media_type,
            text: include_str!(concat!("page/", $name)),
        }
    };
}

static INDEX: Part = part!("index.html", "text/html; charset=utf-8");

static PARTS: [Part; 14] = [
    part!("page.css", "text/css; charset=utf-8"),
    part!("icon.svg", "image/svg+xml"),
    part!("page.js", SCRIPT),
    part!("feed.js", SCRIPT),
    part!("rates.js", SCRIPT),
    part!("plot.js", SCRIPT),
    part!("strip.js", SCRIPT),
    part!("table.js", SCRIPT),
    part!("traffic.js", SCRIPT),
    part!("limits.js", SCRIPT),
    part!("serving.js", SCRIPT),
    part!("kernel.js", SCRIPT),
    part!("generations.js", SCRIPT),
    part!("format.js", SCRIPT),
];

/// Only what comes from here, no script or style in the page itself, no frame around it, nowhere to send a form to; and
/// text that is to become markup is an error.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// What the page asks of browsers beyond what all answers do.
const GUARDS: [(HeaderName, &str); 3] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
];

/// The page of this build.
#[derive(Debug)]
pub(super) struct Page {
    /// Tells browsers whether what they have is this build's.
    etag: HeaderValue,
}

impl Page {
    pub(super) fn new() -> Self {
        let texts: Vec<&str> = PARTS.iter().chain([&INDEX]).map(|part| part.text).collect();
        let digest = digest(&SHA256, texts.concat().as_bytes());
        let first = digest.as_ref().first_chunk().copied().unwrap_or_default();
        let etag = format!("\"{:016x}\"", u64::from_be_bytes(first));
        Self {
            // Hexadecimal digits in quotes are a value of a field.
            etag: HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }

    /// What a browser gets for `/`.
    pub(super) fn index<B>(&self, request: &Request<B>) -> Reply {
        let mut reply = self.give(&INDEX, request);
        reply::set(&mut reply, header::VARY, "accept");
        reply
    }

    /// A file of the page; none when the path is none's.
    pub(super) fn part<B>(&self, path: &str, request: &Request<B>) -> Option<Reply> {
        let part = PARTS.iter().find(|part| part.path == path)?;
        Some(self.give(part, request))
    }

    fn give<B>(&self, part: &'static Part, request: &Request<B>) -> Reply {
        let mut reply = if self.is_known(request) {
            reply::whole(StatusCode::NOT_MODIFIED, part.media_type, Bytes::new())
        } else {
            reply::whole(StatusCode::OK, part.media_type, part.text)
        };
        for (name, value) in GUARDS {
            reply::set(&mut reply, name, value);
        }
        // Asked for anew each time, and sent anew after an upgrade only.
        reply::set(&mut reply, header::CACHE_CONTROL, "no-cache");
        reply.headers_mut().insert(header::ETAG, self.etag.clone());
        reply
    }

    fn is_known<B>(&self, request: &Request<B>) -> bool {
        fields::members(request.headers(), &header::IF_NONE_MATCH)
            .any(|tag| tag == self.etag.as_bytes())
    }
}
