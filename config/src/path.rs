//! One spelling for each path, before anything is matched.
//!
//! What routes and limits look at is what the upstream gets: a path that can be spelled in two ways would be matched
//! in one and served in the other. What is escaped without need is not escaped any more, dot segments are gone, and
//! runs of slashes are one slash (RFC 3986, 6.2.2). What is escaped with a reason, as `%2F`, stays so.

use std::borrow::Cow;

use thiserror::Error;

/// What is done to every path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slashes {
    /// A run of slashes becomes one.
    Merge,
    /// An empty segment is a segment.
    Keep,
}

/// A path that no two servers would take for the same file, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct OddPath(pub &'static str);

const ODD_ESCAPE: OddPath = OddPath("a % in the path without two hexadecimal digits");
const NUL: OddPath = OddPath("an escaped NUL in the path");
const BACKSLASH: OddPath = OddPath("a backslash in the path");
const ABOVE_ROOT: OddPath = OddPath("a path that climbs above its root");
const HIDDEN_DOTS: OddPath = OddPath("a dot segment with parameters in the path");
const MADE_DOTS: OddPath = OddPath("a path that is rewritten to one with dot segments");
const ESCAPED_SLASH: OddPath = OddPath("a dot segment beside an escaped slash in the path");

/// The one spelling of a target's path, with the query as it is. A target that is no path stays as it is.
///
/// # Errors
/// [`OddPath`], which says what is wrong.
pub fn normalized(target: &str, slashes: Slashes) -> Result<Cow<'_, str>, OddPath> {
    let end = target.find('?').unwrap_or(target.len());
    let (path, query) = target.split_at(end);
    if !path.starts_with('/') || is_plain(path.as_bytes()) {
        return Ok(Cow::Borrowed(target));
    }
    let unescaped = unescape(path)?;
    let mut spelled = without_dots(&unescaped, slashes)?;
    spelled.push_str(query);
    Ok(Cow::Owned(spelled))
}

/// As [`normalized`], of a path that was put together from a client's words: none of them may climb.
///
/// # Errors
/// As there, and when there is a dot segment.
pub fn joined(target: &str, slashes: Slashes) -> Result<Cow<'_, str>, OddPath> {
    let path = target.split('?').next().unwrap_or_default();
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err(MADE_DOTS);
    }
    normalized(target, slashes)
}

/// Nothing of it can be spelled in another way.
fn is_plain(path: &[u8]) -> bool {
    let mut after_slash = false;
    path.iter().all(|&byte| {
        let odd = matches!(byte, b'%' | b'\\') || after_slash && matches!(byte, b'/' | b'.');
        after_slash = byte == b'/';
        !odd
    })
}

/// Takes the escape from what needs none, and writes the others in capitals.
fn unescape(path: &str) -> Result<String, OddPath> {
    let mut out = String::with_capacity(path.len());
    let mut rest = path.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => return Err(BACKSLASH),
            '%' => {
                let mut digit = || rest.next().and_then(|digit| digit.to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(ODD_ESCAPE);
                };
                match char::from_u32(high << 4 | low) {
                    Some('\0') | None => return Err(NUL),
                    Some(plain) if is_unreserved(plain) => out.push(plain),
                    Some(_) => {
                        out.push('%');
                        out.extend([high, low].into_iter().filter_map(capital));
                    }
                }
            }
            plain => out.push(plain),
        }
    }
    Ok(out)
}

fn capital(digit: u32) -> Option<char> {
    char::from_digit(digit, 16).map(|digit| digit.to_ascii_uppercase())
}

/// RFC 3986, 2.3.
fn is_unreserved(byte: char) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, '-' | '.' | '_' | '~')
}

/// RFC 3986, 5.2.4, but for a path that climbs above its root.
fn without_dots(path: &str, slashes: Slashes) -> Result<String, OddPath> {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let name = segment.split(';').next().unwrap_or_default();
        match name {
            // Some servers take the parameters away first, and climb then.
            "." | ".." if name != segment => return Err(HIDDEN_DOTS),
            _ if hides_dots(segment) => return Err(ESCAPED_SLASH),
            ".." if kept.pop().is_none() => return Err(ABOVE_ROOT),
            "." | ".." => {}
            "" if segment.is_empty() && !is_last && slashes == Slashes::Merge => continue,
            _ => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            kept.push("");
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in kept {
        out.push('/');
        out.push_str(segment);
    }
    Ok(out)
}

/// Some servers take an escape from slashes, and climb then. Escapes are in capitals here.
fn hides_dots(segment: &str) -> bool {
    if !segment.contains('%') {
        return false;
    }
    let segment = segment.replace("%5C", "%2F");
    let mut parts = segment.split("%2F");
    let is_dots = |part: &str| matches!(part.split(';').next(), Some("." | ".."));
    segment.contains("%2F") && parts.any(is_dots)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(target: &str) -> Result<String, OddPath> {
        let once = normalized(target, Slashes::Merge)?.into_owned();
        let twice = normalized(&once, Slashes::Merge)?.into_owned();
        assert_eq!(once, twice, "{target}: once is enough");
        Ok(once)
    }

    #[test]
    fn a_path_without_tricks_is_not_touched() {
        for target in [
            "/",
            "/a/b.c",
            "/a/b?c=/../%00//",
            "/a;b=c/d",
            "*",
            "/a..b/c.",
            "/~a/-_",
        ] {
            let spelled = normalized(target, Slashes::Merge).unwrap();
            assert!(
                matches!(spelled, Cow::Borrowed(same) if same == target),
                "{target}"
            );
        }
    }

    #[test]
    fn two_spellings_become_one() {
        for (target, expected) in [
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/a/..", "/"),
            ("/.", "/"),
            ("/%2e", "/"),
            ("/a/%2E%2e/b", "/b"),
            ("/a/.%2e/b", "/b"),
            ("//", "/"),
            ("//a///b//", "/a/b/"),
            ("/a//../b", "/b"),
            ("/.well-known/x", "/.well-known/x"),
            ("/...", "/..."),
            ("/%61dmin", "/admin"),
            ("/%7Euser", "/~user"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2f..b%2f.c", "/a%2F..b%2F.c"),
            ("/%252e%252e/", "/%252e%252e/"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%20b", "/a%20b"),
            ("/a//b?x=//%2e", "/a/b?x=//%2e"),
            ("/a/..?b", "/?b"),
        ] {
            assert_eq!(merged(target).as_deref(), Ok(expected), "{target}");
        }
    }

    #[test]
    fn what_is_put_together_does_not_climb() {
        let joined = |target| joined(target, Slashes::Merge).map(Cow::into_owned);
        assert_eq!(joined("/a//b?c=/../"), Ok("/a/b?c=/../".into()));
        assert_eq!(joined("/a/..b/.c"), Ok("/a/..b/.c".into()));
        for target in ["/a/../b", "/a/.", "/..", "/a/./b"] {
            assert_eq!(joined(target), Err(MADE_DOTS), "{target}");
        }
    }

    #[test]
    fn slashes_may_count() {
        for (target, expected) in [
            ("//a//b", "//a//b"),
            ("/a//../b", "/a/b"),
            ("/a/b//", "/a/b//"),
        ] {
            let kept = normalized(target, Slashes::Keep);
            assert_eq!(kept.as_deref(), Ok(expected), "{target}");
        }
    }

    #[test]
    fn what_nobody_means_well_is_refused() {
        for (target, fault) in [
            ("/..", ABOVE_ROOT),
            ("/a/../../b", ABOVE_ROOT),
            ("/%2e%2e/etc/passwd", ABOVE_ROOT),
            ("/a%00.html", NUL),
            ("/a%", ODD_ESCAPE),
            ("/a%4", ODD_ESCAPE),
            ("/a%zz", ODD_ESCAPE),
            ("/a%+1", ODD_ESCAPE),
            ("/a\\..\\b", BACKSLASH),
            ("/a/..;/b", HIDDEN_DOTS),
            ("/a/.;x=y/b", HIDDEN_DOTS),
            ("/a/%2e.;/b", HIDDEN_DOTS),
            ("/a%2f..%2fb", ESCAPED_SLASH),
            ("/..%2fb", ESCAPED_SLASH),
            ("/a/%2e%2e%5Cb", ESCAPED_SLASH),
            ("/a%2F%2e;x=y%2fb", ESCAPED_SLASH),
            ("/a%5c..", ESCAPED_SLASH),
        ] {
            assert_eq!(merged(target), Err(fault), "{target}");
        }
    }
}
