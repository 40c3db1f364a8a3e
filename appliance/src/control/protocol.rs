//! What is said over the control socket.
//!
//! ```text
//! > {"version":1,"body":"status"}
//! < {"version":1,"body":{"status":{..}}}
//! > {"version":1,"body":{"remove_block":{"source":"192.0.2.7"}}}
//! < {"version":1,"body":{"blocks_removed":{"count":1}}}
//! ```

use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    blocks::Listed,
    explain::{Explanation, Question},
    reload::{Comparison, Refused, Reloaded},
    status::{BlockAdded, LimitStatus, NewBlock, Status},
};

/// The version of this protocol. The two ends must be of the same one; they are one program.
pub const VERSION: u16 = 1;

/// The longest question, in bytes, with its line break: a configuration file at its largest, escaped.
pub const MAX_REQUEST: usize = 64 << 20;

/// The longest answer that a client reads, in bytes: a configuration file at its largest, escaped.
pub const MAX_REPLY: usize = 64 << 20;

/// One line in either direction.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<T> {
    version: u16,
    body: T,
}

/// What an operator may ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    Status,
    Limits,
    Blocks,
    /// The text of the file that the running generation came from.
    Configuration,
    Explain(Question),
    /// What a reload would change if this were the text of the file at this full path.
    Compare {
        file: PathBuf,
        text: String,
    },
    Reload,
    AddBlock(NewBlock),
    RemoveBlock {
        source: String,
    },
    ClearBlocks,
    /// Who was let in by a gate.
    Guests {
        gate: String,
    },
    /// Puts people into a gate's guests.
    ApplyGuests {
        gate: String,
        names: Vec<String>,
    },
    /// Empties a gate.
    DeleteGuests {
        gate: String,
    },
}

impl Request {
    /// Whether the answer may leave the service other than it was.
    pub fn changes(&self) -> bool {
        match self {
            Self::Status
            | Self::Limits
            | Self::Blocks
            | Self::Configuration
            | Self::Explain(_)
            | Self::Compare { .. }
            | Self::Guests { .. } => false,
            Self::Reload
            | Self::AddBlock(_)
            | Self::RemoveBlock { .. }
            | Self::ClearBlocks
            | Self::ApplyGuests { .. }
            | Self::DeleteGuests { .. } => true,
        }
    }
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reply {
    Status(Box<Status>),
    Limits(Vec<LimitStatus>),
    Blocks(Vec<Listed>),
    Configuration {
        file: PathBuf,
        text: String,
    },
    Explanation(Box<Explanation>),
    Compared(Comparison),
    Reloaded(Reloaded),
    ReloadRefused(Refused),
    BlockAdded(BlockAdded),
    BlocksRemoved {
        count: usize,
    },
    Guests {
        names: Vec<String>,
    },
    /// So many were put in or out.
    GuestsChanged {
        count: usize,
    },
    /// Nothing was done: the service is a new process's, which answers on the same socket.
    HandedOver,
    /// Nothing was done, and this is why.
    Failed {
        message: String,
    },
}

/// A line that cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    #[error(
        "speaks version {found} of the control protocol, not {VERSION}: use the same floodwall on both ends"
    )]
    Version { found: u16 },
    #[error("not a message of the control protocol: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Writes one message with its line break.
pub fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    // Only maps with keys that are no strings fail, and a broken `Serialize`; the messages have neither.
    let mut line = serde_json::to_vec(&Message {
        version: VERSION,
        body,
    })
    .unwrap_or_default();
    line.push(b'\n');
    line
}

/// Reads one message.
///
/// # Errors
/// [`DecodeError`] for another version, and for whatever is not a message.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, DecodeError> {
    /// The part that every version has.
    #[derive(Deserialize)]
    struct Header {
        version: u16,
    }
    let Header { version } = serde_json::from_slice(line)?;
    if version != VERSION {
        return Err(DecodeError::Version { found: version });
    }
    Ok(serde_json::from_slice::<Message<T>>(line)?.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back() {
        let request = Request::RemoveBlock {
            source: "192.0.2.7".into(),
        };
        let line = encode(&request);
        assert_eq!(
            line,
            b"{\"version\":1,\"body\":{\"remove_block\":{\"source\":\"192.0.2.7\"}}}\n"
        );
        assert_eq!(decode::<Request>(&line).unwrap(), request);
    }

    #[test]
    fn another_version_is_named_even_when_its_body_is_strange() {
        let error = decode::<Request>(br#"{"version":2,"body":{"dance":true}}"#).unwrap_err();
        assert!(
            matches!(error, DecodeError::Version { found: 2 }),
            "{error}"
        );
    }

    #[test]
    fn everything_else_is_malformed() {
        for line in [
            "",
            "status",
            "{}",
            "[]",
            r#"{"version":1}"#,
            r#"{"version":1,"body":"dance"}"#,
            r#"{"version":1,"body":"status","more":1}"#,
            r#"{"version":1,"body":{"remove_block":{}}}"#,
            r#"{"version":-1,"body":"status"}"#,
        ] {
            assert!(
                matches!(
                    decode::<Request>(line.as_bytes()),
                    Err(DecodeError::Malformed(_))
                ),
                "{line}"
            );
        }
    }
}
