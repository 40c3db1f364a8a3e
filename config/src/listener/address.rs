//! `listeners.NAME.address`: what is bound.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::net::{self, Bound};
use crate::read::{Cursor, text};

/// What a listener binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port that is not 0.
    Tcp(SocketAddr),
    /// A socket in the file system. Relative paths are already joined to the configuration's folder.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddress {
    /// Writes the address as the file has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

pub(super) const PATTERN: &str = r"([0-9.]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}|unix:.+";

/// The kernel's room for a path, with the byte that ends it (`sun_path`, unix(7)).
const MOST_PATH: usize = 107;

impl ListenAddress {
    pub(super) fn read(
        value: Cursor<'_>,
        folder: &Path,
        bound: &mut Bound,
        owner: &str,
    ) -> Option<Self> {
        let Some(path) = value.written().and_then(|text| text.strip_prefix("unix:")) else {
            return bound
                .claim(value, net::address(value)?, owner)
                .map(Self::Tcp);
        };
        text(value)?;
        let path = folder.join(path);
        let length = path.as_os_str().len();
        if length > MOST_PATH || path.file_name().is_none() {
            return value.refuse_as(
                format!("the path {} ({length} bytes)", path.display()),
                format!("the path of a socket, of at most {MOST_PATH} bytes"),
            );
        }
        bound.claim_path(value, path, owner).map(Self::Unix)
    }

    /// Whether it is a unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}
