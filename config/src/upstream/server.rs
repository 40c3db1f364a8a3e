//! `upstreams.NAME.servers`: where they are, and how many turns each gets.

use std::collections::HashSet;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::tls::{self, UpstreamTls};
use crate::net::address;
use crate::read::{Cursor, Fields, counted, text, whole_u32};
use crate::section::{Key, ONE, Section, Shape};

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    pub address: Address,
    /// How many turns it gets beside the others, 1 to 1000.
    pub weight: NonZeroU32,
    /// Instead of the upstream's.
    pub tls: Option<UpstreamTls>,
}

/// Where a server listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    Ip(SocketAddr),
    /// A name that is looked up while the service runs; each of its addresses is a server.
    Name {
        host: String,
        port: u16,
    },
    /// The path of a socket; relative ones are already joined to the configuration's folder.
    Unix(PathBuf),
}

pub(super) const SERVERS: Shape = Shape::List(
    &Shape::Either(&[Shape::Text(ADDRESS), Shape::Section(&SECTION)]),
    ONE,
);

const ADDRESS: &str =
    r"([0-9.]+|\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_.-]*[A-Za-z][0-9A-Za-z_.-]*):[0-9]{1,5}|unix:.+";

pub(super) static SECTION: Section = Section {
    name: "upstreams.NAME.servers[]",
    keys: &[
        Key::required(
            "address",
            Shape::Text(ADDRESS),
            "ip:port, [ip6]:port, host:port or unix:PATH",
        ),
        Key::new(
            "weight",
            Shape::Whole {
                min: 1,
                max: MOST_WEIGHT,
            },
            "turns beside the others; default 1",
        ),
        Key::new(
            "tls",
            Shape::Section(&tls::SECTION),
            "TLS towards this server, instead of the upstream's",
        ),
    ],
    one_of: &[],
};

const MOST_WEIGHT: u64 = 1_000;

/// What a socket's address has room for, with the zero at its end.
const MOST_PATH_BYTES: usize = 107;

/// RFC 1035, 2.3.4, without the dot at the end.
const MOST_NAME_BYTES: usize = 253;
const MOST_LABEL_BYTES: usize = 63;

impl Server {
    /// Reads all servers of an upstream.
    pub(super) fn read_all(list: Cursor<'_>, folder: &Path) -> Option<Vec<Self>> {
        let mut addresses = HashSet::new();
        let servers = list.items(|item| {
            let server = Self::read(item, folder)?;
            if !addresses.insert(server.address.clone()) {
                return item.refuse_as(
                    format!("`{}` again", server.address),
                    "each server once, with a weight",
                );
            }
            Some(server)
        })?;
        counted(list, servers, 1, usize::MAX)
    }

    fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let read_address = |value: Cursor<'_>| Address::read(value, folder);
        if !value.is_map() {
            return Some(Self {
                address: read_address(value)?,
                weight: NonZeroU32::MIN,
                tls: None,
            });
        }
        let fields = Fields::open(value, &SECTION)?;
        let address = fields.required("address", read_address);
        let weight = fields.or("weight", whole_u32(1, MOST_WEIGHT), 1);
        let tls = fields.optional("tls", |value| UpstreamTls::read(value, folder));
        Some(Self {
            address: address?,
            weight: NonZeroU32::new(weight?)?,
            tls: tls?,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.weight {
            NonZeroU32::MIN => self.address.fmt(f),
            weight => write!(f, "{} (weight {weight})", self.address),
        }
    }
}

impl Address {
    fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let written = text(value)?;
        if let Some(path) = written.strip_prefix("unix:") {
            return socket(value, path, folder).map(Self::Unix);
        }
        match written.rsplit_once(':') {
            Some((host, port)) if is_name(host) => {
                let Some(port) = port.parse().ok().filter(|port| *port != 0) else {
                    return value.refuse("a port from 1 to 65535");
                };
                Some(Self::Name {
                    host: host.to_ascii_lowercase(),
                    port,
                })
            }
            _ if looks_numeric(written) => address(value).map(Self::Ip),
            _ => value.refuse(ALLOWED),
        }
    }

    /// The name that is looked up, with its port.
    pub fn name(&self) -> Option<(&str, u16)> {
        match self {
            Self::Name { host, port } => Some((host, *port)),
            Self::Ip(_) | Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

const ALLOWED: &str = "an address or a name and a port, such as 127.0.0.1:9000, [::1]:9000 or app.internal:9000, or unix:PATH";

fn socket(value: Cursor<'_>, path: &str, folder: &Path) -> Option<PathBuf> {
    if path.is_empty() {
        return value.refuse("unix: and the path of a socket");
    }
    let path = folder.join(path);
    if path.as_os_str().len() > MOST_PATH_BYTES {
        return value.refuse_as(
            format!("a path of {} bytes", path.as_os_str().len()),
            format!("at most {MOST_PATH_BYTES}, which is what a socket's address has room for"),
        );
    }
    Some(path)
}

/// Whether a text is written like an address: an odd one is told what an address looks like.
fn looks_numeric(text: &str) -> bool {
    text.starts_with('[') || !text.contains(|c: char| c.is_ascii_alphabetic())
}

/// Whether a host is a name: labels of letters, digits, hyphens and underscores, and not an address.
pub(super) fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=MOST_LABEL_BYTES).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let relative = host.strip_suffix('.').unwrap_or(host);
    relative.len() <= MOST_NAME_BYTES
        && relative.split('.').all(label)
        && relative.contains(|c: char| c.is_ascii_alphabetic())
        && host.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use crate::{Address, Config};

    fn read(address: &str) -> Result<Address, String> {
        let text = format!(
            "listeners: {{ web: {{ address: '127.0.0.1:80' }} }}\n\
             upstreams: {{ app: {{ servers: [\"{address}\"] }} }}\n\
             routes: [{{ name: all, upstream: app }}]\n"
        );
        let config = Config::from_text(&text, "/srv/f").map_err(|problems| problems.to_string())?;
        Ok(config.upstreams[0].servers[0].address.clone())
    }

    #[test]
    fn a_server_is_an_address_a_name_or_a_socket() {
        for (written, shown) in [
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("[::1]:9000", "[::1]:9000"),
            ("App.Internal:9000", "app.internal:9000"),
            ("localhost:1", "localhost:1"),
            ("a_b-c.example.:65535", "a_b-c.example.:65535"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
            ("unix:app.sock", "unix:/srv/app.sock"),
        ] {
            assert_eq!(read(written).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_none_of_them_is_told_what_they_are() {
        let long = format!("unix:/{}", "x".repeat(107));
        let label = format!("{}.example:80", "x".repeat(64));
        for (written, allowed) in [
            ("127.0.0.1", "such as 127.0.0.1:8080"),
            ("127.0.0:80", "such as 127.0.0.1:8080"),
            ("app", "app.internal:9000"),
            ("app:0", "a port from 1"),
            ("app:http", "a port from 1"),
            ("a..b:80", "app.internal:9000"),
            (&label, "app.internal:9000"),
            ("http://app:80", "app.internal:9000"),
            ("unix:", "the path of a socket"),
            (&long, "at most 107"),
        ] {
            let problem = read(written).unwrap_err();
            assert!(problem.contains(allowed), "{written}: {problem}");
        }
    }
}
