//! `admin`: where the running service is asked.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The two doors for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Reading over HTTP, when wanted.
    pub address: Option<SocketAddr>,
    /// Reading and changing; only its owner and group may open it. Relative paths are already joined to the
    /// file's folder.
    pub socket: PathBuf,
}
