//! What a limit counts a request under.

use std::{borrow::Cow, fmt::Write as _};

use floodwall_config::KeyPart;
use floodwall_limiter::{KeyHash, Secret};
use smallvec::SmallVec;

use crate::{client::Client, request::RequestView};

/// One request with all that a key may ask of it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub request: RequestView<'a>,
    pub client: Client,
    /// The hash of a key that is the client alone: most limits have that one.
    pub client_key: KeyHash,
    pub route: &'a str,
    /// A number of the TCP connection that no other of this process has.
    pub connection: u64,
}

/// The values of a key's parts other than the client, in their order; `None` for an absent one.
pub type Values<'a> = SmallVec<[Option<Cow<'a, str>>; 4]>;

impl<'a> Subject<'a> {
    /// Reads the parts of a key, but for the client's address.
    pub fn values(&self, key: &[KeyPart]) -> Values<'a> {
        key.iter()
            .filter(|part| !matches!(part, KeyPart::Client))
            .map(|part| self.value(part))
            .collect()
    }

    /// The hash of the key. `values` are what [`Subject::values`] read.
    pub fn hash(&self, secret: Secret, key: &[KeyPart], values: &Values<'_>) -> KeyHash {
        match key {
            [] => KeyHash::of_nothing(secret),
            [KeyPart::Client] => self.client_key,
            _ => KeyHash::of_bytes(secret, &self.bytes(key, values)),
        }
    }

    /// The key in words, for people.
    pub fn describe(&self, key: &[KeyPart], values: &Values<'_>) -> String {
        let mut words = String::new();
        self.write(key, values, &mut words);
        words
    }

    /// Appends the key in words.
    pub fn write(&self, key: &[KeyPart], values: &Values<'_>, into: &mut String) {
        if key.is_empty() {
            into.push_str("none");
        }
        let mut values = values.iter();
        for (at, part) in key.iter().enumerate() {
            if at > 0 {
                into.push(' ');
            }
            let value = match part {
                KeyPart::Client => None,
                _ => values.next().map(Option::as_deref),
            };
            // A string takes everything.
            let _ = match value {
                None => write!(into, "client={}", self.client.counted_as()),
                Some(Some(value)) => write!(into, "{part}={value}"),
                Some(None) => write!(into, "{part} is absent"),
            };
        }
    }

    fn value(&self, part: &KeyPart) -> Option<Cow<'a, str>> {
        match part {
            KeyPart::Client => None,
            KeyPart::Header(name) => self.request.header(name.as_str()).map(Cow::Borrowed),
            KeyPart::Cookie(name) => self.request.cookie(name).map(Cow::Borrowed),
            KeyPart::Query(name) => self.request.query_value(name),
            KeyPart::Path => Some(Cow::Borrowed(self.request.path)),
            KeyPart::Host => Some(lower(self.request.host)),
            KeyPart::Method => Some(Cow::Borrowed(self.request.method)),
            KeyPart::Route => Some(Cow::Borrowed(self.route)),
            KeyPart::Connection => Some(Cow::Owned(self.connection.to_string())),
        }
    }

    /// The parts one after the other, each with its length, so that no two keys run into each other.
    fn bytes(&self, key: &[KeyPart], values: &Values<'_>) -> SmallVec<[u8; 128]> {
        let mut bytes = SmallVec::new();
        let mut values = values.iter();
        for part in key {
            match part {
                KeyPart::Client => {
                    for word in self.client.source.words() {
                        bytes.extend_from_slice(&word.to_le_bytes());
                    }
                }
                _ => match values.next().and_then(Option::as_deref) {
                    Some(value) => {
                        bytes.extend_from_slice(&(value.len() as u64 + 1).to_le_bytes());
                        bytes.extend_from_slice(value.as_bytes());
                    }
                    None => bytes.extend_from_slice(&0u64.to_le_bytes()),
                },
            }
        }
        bytes
    }
}

fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}
