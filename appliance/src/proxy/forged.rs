//! What clients say in the place of the proxies before an upstream.
//!
//! An upstream believes what stands under some names, because a proxy in front of it writes them. Of somebody who is no
//! trusted proxy they go, and so do names with `_` for `-`, which programs that make variables of fields take for the
//! same (CGI, RFC 3875, 4.1.18).

use http::HeaderName;
use pingora_http::RequestHeader;
use smallvec::SmallVec;

use crate::edits::Edits;

/// Who sends a request, and what is said to the upstream in its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    pub(super) is_trusted: bool,
    /// The field by which trusted proxies say who the client is.
    pub(super) named_in: Option<&'a HeaderName>,
    /// The route's changes.
    pub(super) edits: Option<&'a Edits>,
}

impl Sender<'_> {
    /// Takes away what this sender may not say.
    pub(super) fn strip(self, request: &mut RequestHeader) {
        let names = request.headers.keys();
        let forged: SmallVec<[HeaderName; 2]> = names
            .filter(|name| self.may_not_say(name))
            .cloned()
            .collect();
        for name in &forged {
            request.remove_header(name);
        }
    }

    fn may_not_say(self, name: &HeaderName) -> bool {
        let text = name.as_str();
        // Bytes are searched faster than characters, and every name is.
        if text.as_bytes().contains(&b'_') {
            let meant = text.replace('_', "-");
            return is_of_the_message(&meant)
                || is_of_proxies(&meant)
                || self.edits.is_some_and(|edits| edits.decide(&meant));
        }
        // An upstream that makes variables of fields takes it for its own HTTP_PROXY (CVE-2016-5385).
        text == "proxy" || !self.is_trusted && (is_of_proxies(text) || self.named_in == Some(name))
    }
}

/// Names that the proxy writes, or passes on for those it trusts.
fn is_of_proxies(name: &str) -> bool {
    name.starts_with("x-forwarded-") || matches!(name, "forwarded" | "x-real-ip" | "x-request-id")
}

/// Names that say what the message is, and for whom.
fn is_of_the_message(name: &str) -> bool {
    matches!(
        name,
        "host" | "content-length" | "transfer-encoding" | "connection"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 9] = [
        "accept",
        "content_length",
        "forwarded",
        "my_own",
        "proxy",
        "x-client",
        "x-forwarded-prefix",
        "x-real-ip",
        "x_forwarded-for",
    ];

    fn left(is_trusted: bool) -> Vec<String> {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for name in ALL {
            request.append_header(name, "1").unwrap();
        }
        let named_in = HeaderName::from_static("x-client");
        let sender = Sender {
            is_trusted,
            named_in: Some(&named_in),
            edits: None,
        };
        sender.strip(&mut request);
        let mut left: Vec<_> = request.headers.keys().map(ToString::to_string).collect();
        left.sort_unstable();
        left
    }

    #[test]
    fn only_trusted_proxies_say_for_whom_they_ask() {
        assert_eq!(left(false), ["accept", "my_own"]);
        assert_eq!(
            left(true),
            [
                "accept",
                "forwarded",
                "my_own",
                "x-client",
                "x-forwarded-prefix",
                "x-real-ip"
            ]
        );
    }
}
