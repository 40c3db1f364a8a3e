//! A response that Floodwall writes itself.

use crate::Header;

/// A response out of the file: to `respond`, and to a refusal by a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    pub headers: Vec<Header>,
    /// The body as written; a refusal without one says which limit refused and when to come back.
    pub body: Option<String>,
}
