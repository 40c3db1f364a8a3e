//! `clients`: who is asking, and how much of an address makes one client.

use ipnet::IpNet;

use crate::HeaderName;
use crate::header::HEADER_NAME_PATTERN;
use crate::net::net;
use crate::read::{Cursor, Fields, unique_list, whole_u8};
use crate::section::{ANY, Key, NET, Section, Shape};

/// How a request's client is told from its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// Peers that may name somebody else as the client; never blocked.
    pub trusted_proxies: Vec<IpNet>,
    /// The header a trusted proxy names the client in, read from the right; present exactly when there is a
    /// trusted proxy.
    pub forwarded_header: Option<HeaderName>,
    /// Addresses that agree in so many leading bits are one client, 1 to 128.
    pub ipv6_prefix: u8,
    /// The same for IPv4, 1 to 32.
    pub ipv4_prefix: u8,
}

pub(crate) static SECTION: Section = Section {
    name: "clients",
    keys: &[
        Key::new(
            "trusted_proxies",
            Shape::List(&NET, ANY),
            "peers that may name the client",
        ),
        Key::new(
            "forwarded_header",
            Shape::Text(HEADER_NAME_PATTERN),
            "where a trusted proxy names the client; default x-forwarded-for",
        ),
        Key::new(
            "ipv6_prefix",
            Shape::Whole { min: 1, max: 128 },
            "bits that make one IPv6 client; default 64",
        ),
        Key::new(
            "ipv4_prefix",
            Shape::Whole { min: 1, max: 32 },
            "bits that make one IPv4 client; default 32",
        ),
    ],
    one_of: &[],
};

impl Default for Clients {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            forwarded_header: None,
            ipv6_prefix: 64,
            ipv4_prefix: 32,
        }
    }
}

impl Clients {
    pub(crate) fn read(value: Cursor<'_>) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let default = Self::default();
        let trusted_proxies = fields.or(
            "trusted_proxies",
            |list| unique_list(list, "network", net),
            default.trusted_proxies,
        );
        let header = fields.optional("forwarded_header", HeaderName::read);
        let ipv6_prefix = fields.or("ipv6_prefix", whole_u8(1, 128), default.ipv6_prefix);
        let ipv4_prefix = fields.or("ipv4_prefix", whole_u8(1, 32), default.ipv4_prefix);
        let (trusted_proxies, header) = (trusted_proxies?, header?);
        let forwarded_header = match (trusted_proxies.is_empty(), header) {
            (true, None) => None,
            (true, Some(_)) => {
                let found = "a header that nobody is trusted to set";
                return fields.refuse("forwarded_header", found, "only beside `trusted_proxies`");
            }
            (false, header) => Some(header.unwrap_or_else(|| HeaderName("x-forwarded-for".into()))),
        };
        Some(Self {
            trusted_proxies,
            forwarded_header,
            ipv6_prefix: ipv6_prefix?,
            ipv4_prefix: ipv4_prefix?,
        })
    }
}
