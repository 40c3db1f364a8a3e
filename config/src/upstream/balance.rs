//! `upstreams.NAME.balance`: how a server is chosen.

use std::fmt;

use crate::KeyPart;
use crate::read::Cursor;
use crate::section::Shape;

/// How a server is chosen among those that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Balance {
    /// In turn, each as often as its weight says.
    RoundRobin,
    /// Of two that are drawn by their weights, the one with fewer requests under way.
    LeastRequest,
    /// Drawn by their weights.
    Random,
    /// The same key to the same server, on every host; at least one part. A request without one of them goes by its
    /// client instead.
    Hash(Vec<KeyPart>),
}

pub(super) const SHAPE: Shape = Shape::Text(
    r"round_robin|least_request|random|hash\((client|path|host|method|route|connection|tls\.sni|tls\.ja4|(header|cookie|query)\([^()]+\)|, *)+\)",
);

const ALLOWED: &str = "round_robin, least_request, random, or hash(KEY) with a key such as client, header(NAME), \
                       cookie(NAME) or path";

impl Balance {
    pub(super) fn read(value: Cursor<'_>) -> Option<Self> {
        match value.written() {
            Some("round_robin") => Some(Self::RoundRobin),
            Some("least_request") => Some(Self::LeastRequest),
            Some("random") => Some(Self::Random),
            Some(word) => {
                let key = word
                    .strip_prefix("hash(")
                    .and_then(|rest| rest.strip_suffix(')'));
                match key {
                    Some(key) => KeyPart::read_parts(key, value).map(Self::Hash),
                    None => value.refuse(ALLOWED),
                }
            }
            None => value.refuse(ALLOWED),
        }
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RoundRobin => f.write_str("round_robin"),
            Self::LeastRequest => f.write_str("least_request"),
            Self::Random => f.write_str("random"),
            Self::Hash(key) => {
                let parts: Vec<_> = key.iter().map(ToString::to_string).collect();
                write!(f, "hash({})", parts.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn read(balance: &str) -> Result<String, String> {
        let text = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:80' }} }}\n\
             upstreams: {{ app: {{ servers: ['127.0.0.1:90'], balance: \"{balance}\" }} }}\n\
             routes: [{{ name: all, upstream: app }}]\n"
        );
        let config = Config::from_text(&text, "f").map_err(|problems| problems.to_string())?;
        Ok(config.upstreams[0].balance.to_string())
    }

    #[test]
    fn every_way_is_read_as_it_is_shown() {
        for way in [
            "round_robin",
            "least_request",
            "random",
            "hash(client)",
            "hash(header(x-user))",
            "hash(host, path)",
        ] {
            assert_eq!(read(way).unwrap(), way);
        }
    }

    #[test]
    fn what_is_no_way_or_no_key_is_refused() {
        for way in [
            "hash",
            "hash()",
            "hash(none)",
            "hash(client, client)",
            "hash(x)",
            "ring",
        ] {
            assert!(read(way).is_err(), "{way}");
        }
    }
}
