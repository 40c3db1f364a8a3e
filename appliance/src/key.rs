//! What a limit counts a request under.

use std::{borrow::Cow, fmt::Write as _};

use floodwall_config::KeyPart;
use floodwall_limiter::{KeyHash, Secret, siphash::Pieces};
use smallvec::SmallVec;

use crate::{client::Client, request::RequestView, server::tls::Session};

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
    /// None when it is in the clear.
    pub tls: Option<&'a Session>,
}

/// The values of a key's parts other than the client, in their order; `None` for an absent one.
pub type Values<'a> = SmallVec<[Option<Cow<'a, str>>; 4]>;

/// What a request is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub key: KeyHash,
    /// No part of the key is absent.
    pub is_whole: bool,
}

impl<'a> Subject<'a> {
    /// Reads the parts of a key, but for the client's address.
    pub fn values(&self, key: &[KeyPart]) -> Values<'a> {
        let mut values = Values::new();
        for part in key {
            if !matches!(part, KeyPart::Client) {
                values.push(self.value(part));
            }
        }
        values
    }

    /// The hash of the key.
    #[inline]
    pub fn hash(&self, secret: Secret, key: &[KeyPart]) -> Counted {
        match key {
            [] => Counted::whole(KeyHash::of_nothing(secret)),
            [KeyPart::Client] => Counted::whole(self.client_key),
            [part] => match self.value(part) {
                Some(value) => Counted::whole(KeyHash::of_bytes(secret, value.as_bytes())),
                None => Counted::absent(secret),
            },
            parts => self.hash_of_parts(secret, parts),
        }
    }

    /// The key in words, for people.
    pub fn describe(&self, key: &[KeyPart]) -> String {
        let mut words = String::new();
        self.write(key, &mut words);
        words
    }

    /// Appends the key in words.
    pub fn write(&self, key: &[KeyPart], into: &mut String) {
        if key.is_empty() {
            into.push_str("none");
        }
        for (at, part) in key.iter().enumerate() {
            if at > 0 {
                into.push(' ');
            }
            // A string takes everything.
            let _ = match (part, self.value(part)) {
                (KeyPart::Client, _) => write!(into, "client={}", self.client.counted_as()),
                (_, Some(value)) => write!(into, "{part}={value}"),
                (_, None) => write!(into, "{part} is absent"),
            };
        }
    }

    /// Reads one part other than the client; none when it is absent.
    pub fn value(&self, part: &KeyPart) -> Option<Cow<'a, str>> {
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
            KeyPart::TlsServerName => self.tls?.server_name.as_deref().map(Cow::Borrowed),
            KeyPart::TlsJa4 => self.tls?.ja4.as_deref().map(Cow::Borrowed),
        }
    }

    /// Adds a part to others that are hashed: one more than its length and the part, so that no two keys run into each
    /// other; nothing but a zero when it is absent. A client is the two words of its address, or of its network, the
    /// first bits in the first. Tells whether it is there.
    pub fn add(&self, part: &KeyPart, to: &mut Pieces) -> bool {
        if let KeyPart::Client = part {
            for word in self.client.source.words() {
                to.word(word);
            }
            return true;
        }
        let value = self.value(part);
        let value = value.as_deref();
        to.word(value.map_or(0, |value| value.len() as u64 + 1));
        to.bytes(value.unwrap_or_default().as_bytes());
        value.is_some()
    }

    fn hash_of_parts(&self, secret: Secret, parts: &[KeyPart]) -> Counted {
        let mut pieces = secret.pieces();
        let mut is_whole = true;
        for part in parts {
            is_whole &= self.add(part, &mut pieces);
        }
        Counted {
            key: KeyHash::of_pieces(pieces),
            is_whole,
        }
    }
}

impl Counted {
    fn whole(key: KeyHash) -> Self {
        Self {
            key,
            is_whole: true,
        }
    }

    /// The one key of all requests that lack a key's only part; no value has it.
    fn absent(secret: Secret) -> Self {
        Self {
            key: KeyHash::from_bits(!KeyHash::of_nothing(secret).bits()),
            is_whole: false,
        }
    }
}

fn lower(host: &str) -> Cow<'_, str> {
    if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}
