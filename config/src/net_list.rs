//! Lists of networks: in the configuration, or in files that it names.
//!
//! A file has one entry a line: an address, a network, or a range of addresses `a-b`; or what `ipset save`
//! writes. Everything after `#` or `;` is a comment. Lines may end as on Windows, and the file begin with a byte order mark.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};

use crate::net::{Odd, checked, net};
use crate::problem::{Fault, Place};
use crate::read::{Cursor, Fields, shortened, text, unique_list};
use crate::section::{Key, NET, Section, Shape, TEXT};

/// An item of a list: a network, or a file of them.
pub(crate) static ITEM: Shape = Shape::Either(&[NET, Shape::Section(&FILE)]);

static FILE: Section = Section {
    name: "prefilter.deny[]",
    keys: &[Key::required(
        "file",
        TEXT,
        "a file of networks, one a line; relative to this file",
    )],
    one_of: &[],
};

/// The largest file that is read, in bytes: ten times what a million entries take as `ipset save` writes them.
const MAX_BYTES: u64 = 512 << 20;

/// What one item stands for.
#[derive(PartialEq, Eq, Hash)]
enum Item {
    Net(IpNet),
    File(PathBuf),
}

/// Reads a list, with what is in its files. The same network may be in several files, but not twice in the list.
pub(crate) fn list(value: Cursor<'_>, folder: &Path) -> Option<Vec<IpNet>> {
    let mut of_files = Vec::new();
    let mut complete = true;
    let items = unique_list(value, "entry", |item| {
        if !item.is_map() {
            return net(item).map(Item::Net);
        }
        let fields = Fields::open(item, &FILE)?;
        let path = folder.join(fields.required("file", |name| text(name).map(str::to_owned))?);
        match item_file(item, &path) {
            Some(nets) => of_files.extend(nets),
            None => complete = false,
        }
        Some(Item::File(path))
    })?;
    let mut nets: Vec<_> = (items.into_iter())
        .filter_map(|item| match item {
            Item::Net(net) => Some(net),
            Item::File(_) => None,
        })
        .collect();
    nets.append(&mut of_files);
    complete.then_some(nets)
}

/// Reads one file. None when anything in it is wrong, all of which is reported.
fn item_file(item: Cursor<'_>, path: &Path) -> Option<Vec<IpNet>> {
    let content = match content(path) {
        Ok(content) => content,
        Err(message) => {
            let found = format!("{}, which cannot be read: {message}", path.display());
            return item.refuse_as(found, "a file of networks, one a line");
        }
    };
    let mut nets = Vec::new();
    let mut right = true;
    let text = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&content);
    for (index, line) in text.lines().enumerate() {
        if let Err(Wrong { found, allowed }) = entry(line, &mut nets) {
            let start = line.len() - line.trim_start().len();
            let place = Place {
                line: index + 1,
                column: start + 1,
            };
            item.report_in(path, place, Fault::Value { found, allowed });
            right = false;
        }
    }
    right.then_some(nets)
}

const BYTE_ORDER_MARK: char = '\u{feff}';

fn content(path: &Path) -> Result<String, String> {
    let words = |error: std::io::Error| error.to_string();
    let file = File::open(path).map_err(words)?;
    let about = file.metadata().map_err(words)?;
    if !about.is_file() {
        // A pipe would be waited for.
        return Err("it is no regular file".into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(about.len().min(MAX_BYTES)).unwrap_or(0));
    let most = MAX_BYTES + 1;
    file.take(most).read_to_end(&mut bytes).map_err(words)?;
    if bytes.len() as u64 == most {
        return Err("it is larger than 512 MiB".into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("the byte at offset {at} is not UTF-8")
    })
}

/// What is wrong with a line.
#[derive(Debug)]
struct Wrong {
    found: String,
    allowed: String,
}

const ENTRY: &str =
    "an address, a network, a range such as 192.0.2.1-192.0.2.9, or a line of `ipset save`";

fn wrong(found: impl Into<String>, allowed: &str) -> Wrong {
    Wrong {
        found: found.into(),
        allowed: allowed.into(),
    }
}

/// Adds what a line says.
fn entry(line: &str, nets: &mut Vec<IpNet>) -> Result<(), Wrong> {
    let line = line
        .find(['#', ';'])
        .map_or(line, |comment| &line[..comment]);
    // `ipset restore` would complain of what it has already; here the same network may come again.
    let mut words = line
        .split_ascii_whitespace()
        .filter(|word| !matches!(*word, "-exist" | "-!"));
    match words.next() {
        // What `ipset save` writes of the set itself.
        None | Some("create" | "COMMIT") => Ok(()),
        Some("add") => {
            let (Some(_set), Some(entry)) = (words.next(), words.next()) else {
                return Err(wrong(quoted(line), "`add SET ENTRY`"));
            };
            if words.any(|option| option == "nomatch") {
                let allowed = "it on the other list";
                return Err(wrong("an exception (nomatch)", allowed));
            }
            one(entry, nets)
        }
        Some(entry) => match words.next() {
            None => one(entry, nets),
            Some(_) => Err(wrong(quoted(line), ENTRY)),
        },
    }
}

fn one(entry: &str, nets: &mut Vec<IpNet>) -> Result<(), Wrong> {
    if let Some((first, last)) = entry.split_once('-') {
        return range(entry, first, last, nets);
    }
    match checked(entry) {
        Ok(net) => nets.push(net),
        Err(Odd::Unreadable) => return Err(wrong(quoted(entry), ENTRY)),
        Err(Odd::Value { found, allowed }) => return Err(Wrong { found, allowed }),
    }
    Ok(())
}

fn range(entry: &str, first: &str, last: &str, nets: &mut Vec<IpNet>) -> Result<(), Wrong> {
    match (first.parse(), last.parse()) {
        (Ok(IpAddr::V4(first)), Ok(IpAddr::V4(last))) if first <= last => {
            nets.extend(Ipv4Subnets::new(first, last, 0).map(IpNet::V4));
        }
        (Ok(IpAddr::V6(first)), Ok(IpAddr::V6(last))) if first <= last => {
            nets.extend(Ipv6Subnets::new(first, last, 0).map(IpNet::V6));
        }
        (Ok(_), Ok(_)) => {
            let allowed = "two addresses of one family, the smaller one first";
            return Err(wrong(quoted(entry), allowed));
        }
        _ => return Err(wrong(quoted(entry), ENTRY)),
    }
    Ok(())
}

fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Vec<String>, String> {
        let mut nets = Vec::new();
        match entry(line, &mut nets) {
            Ok(()) => Ok(nets.iter().map(ToString::to_string).collect()),
            Err(wrong) => Err(format!("{}; {}", wrong.found, wrong.allowed)),
        }
    }

    #[test]
    fn every_form_of_a_line_is_read() {
        for (line, expected) in [
            ("", &[][..]),
            ("# a comment", &[]),
            ("  ; another", &[]),
            ("192.0.2.7", &["192.0.2.7/32"]),
            (" 203.0.113.0/24\t# a bad one", &["203.0.113.0/24"]),
            ("1.10.16.0/20 ; SBL256894", &["1.10.16.0/20"]),
            ("2001:DB8::/32", &["2001:db8::/32"]),
            ("2001:db8::1", &["2001:db8::1/128"]),
            (
                "192.0.2.1-192.0.2.4",
                &["192.0.2.1/32", "192.0.2.2/31", "192.0.2.4/32"],
            ),
            ("2001:db8::-2001:db8::1", &["2001:db8::/127"]),
            ("0.0.0.0-255.255.255.255", &["0.0.0.0/0"]),
            (
                "create bad hash:net family inet hashsize 1024 maxelem 65536",
                &[],
            ),
            ("add bad 198.51.100.0/24", &["198.51.100.0/24"]),
            ("add -exist bad 198.51.100.0/24\r", &["198.51.100.0/24"]),
            ("-! add bad 2001:db8::/32", &["2001:db8::/32"]),
            (
                "add bad 198.51.100.7 timeout 0 packets 3 bytes 180",
                &["198.51.100.7/32"],
            ),
        ] {
            let expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
            assert_eq!(of(line), Ok(expected), "{line:?}");
        }
    }

    #[test]
    fn a_line_that_means_something_else_is_refused() {
        for (line, expected) in [
            ("example.org", "`example.org`; an address"),
            ("192.0.2.7 192.0.2.8", "`192.0.2.7 192.0.2.8`; an address"),
            (
                "192.0.2.1/24",
                "`192.0.2.1/24` with host bits set; 192.0.2.0/24",
            ),
            ("192.0.2.1/33", "`192.0.2.1/33`; an address"),
            (
                "::ffff:192.0.2.1",
                "the IPv4-mapped `::ffff:192.0.2.1`; it as IPv4",
            ),
            ("192.0.2.9-192.0.2.1", "the smaller one first"),
            ("192.0.2.9-2001:db8::", "of one family"),
            ("192.0.2.9-", "`192.0.2.9-`; an address"),
            ("add bad", "`add bad`; `add SET ENTRY`"),
            ("add bad 192.0.2.0/24 nomatch", "nomatch"),
            ("add bad 192.0.2.1,tcp:80", "`192.0.2.1,tcp:80`; an address"),
            ("flush bad", "`flush bad`; an address"),
        ] {
            let message = of(line).unwrap_err();
            assert!(message.contains(expected), "{line:?} gave {message}");
        }
    }
}
