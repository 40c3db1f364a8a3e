//! Where a service is asked, found in its file without reading the rest.

use std::path::{Path, PathBuf};

use crate::net::Bound;
use crate::read::{Cursor, Report};
use crate::{Admin, yaml};

/// The control socket that a text names, as if it were the file at `path`.
///
/// In a file of a million networks the rest takes seconds to read, so that `admin` is looked for where people write
/// it; the whole text is read when it is not there.
pub(crate) fn named_in(text: &str, path: &Path) -> PathBuf {
    let folder = path.parent().unwrap_or(Path::new(""));
    let admin = match sole_admin(text) {
        Some(part) => admin_in(part, path).or_else(|| admin_in(text, path)),
        None if text.contains("admin") => admin_in(text, path),
        None => None,
    };
    admin.unwrap_or_else(|| Admin::default_in(folder)).socket
}

/// What a text says of `admin`, whatever else is wrong with it.
fn admin_in(text: &str, path: &Path) -> Option<Admin> {
    let folder = path.parent().unwrap_or(Path::new(""));
    // Nobody reads this report: telling what is wrong is another command's work.
    let report = Report::new(path);
    let root = yaml::read(text).ok()?;
    let root = Cursor::root(&root, &report);
    let entries = root.entries()?;
    let admin = entries.into_iter().find(|entry| entry.key == "admin")?;
    root.enter(admin, |value| {
        Admin::read(value, folder, &mut Bound::default())
    })
}

/// The lines of `admin`, where it is written as people write it: at the beginning of a line, up to the next one that
/// is not indented. None when there are several such places, or none.
fn sole_admin(text: &str) -> Option<&str> {
    const KEY: &str = "\nadmin:";
    let mut places = text.match_indices(KEY).map(|(at, _)| at + 1);
    let start = if text.starts_with(&KEY[1..]) {
        0
    } else {
        places.next()?
    };
    if places.next().is_some() {
        return None;
    }
    let part = &text[start..];
    let ends = part.match_indices('\n').map(|(at, _)| at + 1);
    let is_next = |at: &usize| !part[*at..].starts_with([' ', '\t', '\r', '\n', '#', '}', ']']);
    let end = ends.into_iter().find(is_next).unwrap_or(part.len());
    Some(&part[..end])
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write as _, time::Instant};

    use super::*;
    use crate::Config;

    fn socket(text: &str) -> String {
        let socket = named_in(text, Path::new("/srv/f.yaml"));
        let name = socket.strip_prefix("/srv").unwrap_or(&socket);
        name.display().to_string()
    }

    #[test]
    fn the_socket_is_found_wherever_admin_is_written() {
        for (text, expected) in [
            ("admin: { socket: a.sock }", "a.sock"),
            (
                "admin: { socket: /run/a.sock }\nroutes: []\n",
                "/run/a.sock",
            ),
            (
                "routes: []\nadmin:\n  # here\n\n  socket: a.sock\n# end\nlog: {}\n",
                "a.sock",
            ),
            (
                "routes: []\r\nadmin:\r\n  socket: a.sock\r\nlog: {}\r\n",
                "a.sock",
            ),
            ("admin: {\n  socket: a.sock\n}\nlog: {}\n", "a.sock"),
            ("{ routes: [], admin: { socket: a.sock } }", "a.sock"),
            ("routes: []\n\"admin\": { socket: a.sock }\n", "a.sock"),
            ("\u{feff}admin: { socket: a.sock }\n", "a.sock"),
            ("routes: []\n", "floodwall.sock"),
            ("admin: { address: '127.0.0.1:1' }\n", "floodwall.sock"),
            // A route of that name is no door.
            ("routes: [{ name: admin }]\n", "floodwall.sock"),
            (
                "upstreams:\n  admin: { socket: a.sock }\n",
                "floodwall.sock",
            ),
        ] {
            assert_eq!(socket(text), expected, "{text}");
        }
    }

    #[test]
    fn a_file_that_is_wrong_elsewhere_names_its_socket() {
        for text in [
            "routes: nonsense\nadmin: { socket: a.sock }\n",
            "routes: [\nadmin: { socket: a.sock }\n",
            "routes: *gone\nadmin:\n  socket: a.sock\n  nonsense: 1\nlimits: {\n",
        ] {
            assert_eq!(socket(text), "a.sock", "{text}");
        }
    }

    #[test]
    fn what_is_beside_it_is_not_read() {
        let mut text = String::from("prefilter:\n  interfaces: [lo]\n  deny:\n");
        for at in 0..400_000 {
            writeln!(text, "  - 10.{}.{}.{}", at >> 16, at >> 8 & 255, at & 255).unwrap();
        }
        text.push_str("admin: { socket: a.sock }\n");
        let began = Instant::now();
        assert_eq!(socket(&text), "a.sock");
        let partly = began.elapsed();
        let began = Instant::now();
        assert!(Config::from_text(&text, "f.yaml").is_err());
        assert!(partly * 10 < began.elapsed(), "{partly:?}");
    }
}
