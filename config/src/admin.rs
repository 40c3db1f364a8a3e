//! `admin`: where the running service is asked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::matching::{HOST, HostPattern};
use crate::net::{ADDRESS_PATTERN, Bound, address};
use crate::read::{Cursor, Fields, text, unique_list};
use crate::section::{ANY, Key, Section, Shape, TEXT};

/// The two doors for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Reading over HTTP, when wanted.
    pub address: Option<SocketAddr>,
    /// The names by which it may be asked, beside addresses and localhost.
    pub hosts: Vec<HostPattern>,
    /// Reading and changing; only its owner and group may open it. Relative paths are already joined to the
    /// file's folder.
    pub socket: PathBuf,
}

pub(crate) static SECTION: Section = Section {
    name: "admin",
    keys: &[
        Key::new(
            "address",
            Shape::Text(ADDRESS_PATTERN),
            "where to read over HTTP; nowhere by default",
        ),
        Key::new(
            "hosts",
            Shape::List(&HOST, ANY),
            "names by which it may be asked, beside addresses and localhost; none by default",
        ),
        Key::new(
            "socket",
            TEXT,
            "the control socket; default floodwall.sock beside the file, and in /run/floodwall for a file in /etc/floodwall",
        ),
    ],
    one_of: &[],
};

/// The longest path that a socket's address holds, in bytes.
const MOST_SOCKET_BYTES: usize = 107;

impl Admin {
    pub(crate) fn read(value: Cursor<'_>, folder: &Path, bound: &mut Bound) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let address = fields.optional("address", |value| {
            bound.claim(value, address(value)?, "admin")
        });
        let socket = fields.or(
            "socket",
            |value| socket(value, folder),
            default_socket(folder),
        );
        let hosts = fields.or(
            "hosts",
            |list| unique_list(list, "host", HostPattern::read),
            vec![],
        );
        Some(Self {
            address: address?,
            hosts: hosts?,
            socket: socket?,
        })
    }

    /// What a file without `admin` means.
    pub(crate) fn default_in(folder: &Path) -> Self {
        Self {
            address: None,
            hosts: Vec::new(),
            socket: default_socket(folder),
        }
    }
}

/// The service's configuration folder is not its own to write; its runtime folder is.
fn default_socket(folder: &Path) -> PathBuf {
    let folder = if folder.starts_with("/etc/floodwall") {
        Path::new("/run/floodwall")
    } else {
        folder
    };
    folder.join("floodwall.sock")
}

fn socket(value: Cursor<'_>, folder: &Path) -> Option<PathBuf> {
    let path = folder.join(text(value)?);
    let length = path.as_os_str().len();
    if length > MOST_SOCKET_BYTES {
        let found = format!("{}, in full {length} bytes", value.describe());
        return value.refuse_as(found, format!("at most {MOST_SOCKET_BYTES} bytes in full"));
    }
    Some(path)
}
