//! `listeners.NAME.tls`: what a listener shows its clients, and what it asks them for.

use std::fmt;
use std::path::Path;

use crate::NamedFile;
use crate::read::{Cursor, Fields, choice, counted, unique_list};
use crate::section::{Key, ONE, Section, Shape, TEXT};

/// TLS towards clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerTls {
    /// At least one. Each serves the names in it; the first also whoever asks for another name, or for none.
    pub certificates: Vec<Certificate>,
    /// What is offered, the best first; at least one.
    pub alpn: Vec<Alpn>,
    pub min_version: TlsVersion,
    /// None: clients are not asked for certificates.
    pub clients: Option<ClientCertificates>,
}

/// A certificate with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// PEM: the certificate, and those of the authorities in between.
    pub chain: NamedFile,
    /// PEM: its private key.
    pub key: NamedFile,
    /// DER: its authority's answer that it is not revoked (RFC 6960), which is shown with it.
    pub ocsp: Option<NamedFile>,
}

/// What is asked of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM: the authorities whose certificates are taken.
    pub authorities: NamedFile,
    /// Whether a client without any is turned away; one with another's always is.
    pub required: bool,
}

/// A protocol that clients may choose (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    Http1,
    Http2,
}

impl Alpn {
    /// The name on the wire, which is the one in the file too.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        })
    }
}

pub(super) static SECTION: Section = Section {
    name: "listeners.NAME.tls",
    keys: &[
        Key::required(
            "certificates",
            Shape::List(&Shape::Section(&CERTIFICATE), ONE),
            "a list of at least one {chain, key}",
        ),
        Key::new(
            "alpn",
            Shape::List(&Shape::Choice(ALPN_NAMES), ONE),
            "the protocols that clients may choose, the best first; default h2, http/1.1",
        ),
        Key::new("min_version", Shape::Scalar, "1.2 or 1.3; default 1.2"),
        Key::new(
            "client_ca",
            TEXT,
            "a PEM file of the authorities whose clients are taken; none are asked by default",
        ),
        Key::new(
            "client_auth",
            Shape::Choice(&["required", "optional"]),
            "whether clients need a certificate of `client_ca`; default required",
        ),
    ],
    one_of: &[],
};

static CERTIFICATE: Section = Section {
    name: "listeners.NAME.tls.certificates[]",
    keys: &[
        Key::required("chain", TEXT, "a PEM file of the certificate and its chain"),
        Key::required("key", TEXT, "a PEM file of the certificate's private key"),
        Key::new(
            "ocsp",
            TEXT,
            "a DER file of the authority's OCSP response, shown with the certificate",
        ),
    ],
    one_of: &[],
};

const ALPN_NAMES: &[&str] = &["h2", "http/1.1"];
const VERSIONS: &[&str] = &["1.2", "1.3"];

impl ListenerTls {
    pub(super) fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let certificates = fields.required("certificates", |list| {
            let all = list.items(|item| Certificate::read(item, folder))?;
            counted(list, all, 1, usize::MAX)
        });
        let alpn = fields.or("alpn", alpn, vec![Alpn::Http2, Alpn::Http1]);
        let min_version = fields.or("min_version", version, TlsVersion::Tls12);
        let authorities = fields.optional("client_ca", |value| NamedFile::read(value, folder));
        let required = fields.optional(
            "client_auth",
            choice(&["required", "optional"], &[true, false]),
        );
        let (authorities, required) = (authorities?, required?);
        if authorities.is_none() && required.is_some() {
            return fields.refuse("client_auth", "it without `client_ca`", "both or neither");
        }
        Some(Self {
            certificates: certificates?,
            alpn: alpn?,
            min_version: min_version?,
            clients: authorities.map(|authorities| ClientCertificates {
                authorities,
                required: required.unwrap_or(true),
            }),
        })
    }
}

impl Certificate {
    fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &CERTIFICATE)?;
        let file = |value: Cursor<'_>| NamedFile::read(value, folder);
        let chain = fields.required("chain", file);
        let key = fields.required("key", file);
        let ocsp = fields.optional("ocsp", file);
        Some(Self {
            chain: chain?,
            key: key?,
            ocsp: ocsp?,
        })
    }
}

fn alpn(list: Cursor<'_>) -> Option<Vec<Alpn>> {
    let protocol = choice(ALPN_NAMES, &[Alpn::Http2, Alpn::Http1]);
    counted(list, unique_list(list, "protocol", protocol)?, 1, 2)
}

/// Reads a version, with quotes or without: YAML takes `1.2` for a number.
fn version(value: Cursor<'_>) -> Option<TlsVersion> {
    match value.written() {
        Some("1.2") => Some(TlsVersion::Tls12),
        Some("1.3") => Some(TlsVersion::Tls13),
        _ => value.refuse(VERSIONS.join(" or ")),
    }
}
