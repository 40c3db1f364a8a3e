//! `upstreams.NAME.tls`: TLS towards the servers.

use std::net::IpAddr;
use std::path::Path;

use super::server::{Address, is_name};
use crate::NamedFile;
use crate::read::{Cursor, Fields, flag, text};
use crate::section::{Key, Section, Shape, TEXT};

/// How servers are spoken to with TLS. Two are equal when they name the same files, whatever is in these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamTls {
    /// Whom the certificate must be for, and what is asked for (SNI); each server's own name or address when absent.
    pub server_name: Option<String>,
    /// The authorities that may have signed it; those that the host trusts when absent.
    pub ca: Option<NamedFile>,
    /// Whether the certificate is looked at.
    pub verify: bool,
    /// What is shown to servers that ask for a certificate.
    pub certificate: Option<UpstreamCertificate>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamCertificate {
    pub chain: NamedFile,
    pub key: NamedFile,
}

pub(super) static SECTION: Section = Section {
    name: "upstreams.NAME.tls",
    keys: &[
        Key::new(
            "server_name",
            TEXT,
            "whom the certificate must be for; default: the server's name or address",
        ),
        Key::new(
            "ca",
            TEXT,
            "a PEM file with the authorities; default: those that the host trusts",
        ),
        Key::new(
            "verify",
            Shape::Flag,
            "false takes any certificate; default true",
        ),
        Key::new(
            "certificate",
            Shape::Section(&CERTIFICATE),
            "what is shown to servers that ask for it",
        ),
    ],
    one_of: &[],
};

static CERTIFICATE: Section = Section {
    name: "upstreams.NAME.tls.certificate",
    keys: &[
        Key::required(
            "chain",
            TEXT,
            "a PEM file of certificates, the own one first",
        ),
        Key::required("key", TEXT, "a PEM file with its private key"),
    ],
    one_of: &[],
};

impl UpstreamTls {
    pub(super) fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &SECTION)?;
        let server_name = fields.optional("server_name", server_name);
        let ca = fields.optional("ca", |value| NamedFile::read(value, folder));
        let verify = fields.or("verify", flag, true);
        let certificate = fields.optional("certificate", |value| {
            UpstreamCertificate::read(value, folder)
        });
        let (ca, verify) = (ca?, verify?);
        if ca.is_some() && !verify {
            return fields.refuse("ca", "`ca` beside `verify: false`", "one of them");
        }
        Some(Self {
            server_name: server_name?,
            ca,
            verify,
            certificate: certificate?,
        })
    }

    /// Whom the certificate of a server at `address` must be for; none for a socket whose file does not say it.
    pub fn name_for<'a>(&'a self, address: &'a Address) -> Option<String> {
        match (&self.server_name, address) {
            (Some(name), _) => Some(name.clone()),
            (None, Address::Name { host, .. }) => Some(host.trim_end_matches('.').to_owned()),
            (None, Address::Ip(address)) => Some(address.ip().to_string()),
            (None, Address::Unix(_)) => None,
        }
    }
}

impl UpstreamCertificate {
    fn read(value: Cursor<'_>, folder: &Path) -> Option<Self> {
        let fields = Fields::open(value, &CERTIFICATE)?;
        let chain = fields.required("chain", |value| NamedFile::read(value, folder));
        let key = fields.required("key", |value| NamedFile::read(value, folder));
        Some(Self {
            chain: chain?,
            key: key?,
        })
    }
}

fn server_name(value: Cursor<'_>) -> Option<String> {
    let name = text(value)?;
    if name.parse::<IpAddr>().is_ok() || is_name(name) && !name.ends_with('.') {
        Some(name.to_ascii_lowercase())
    } else {
        value.refuse("a host name or an address, such as app.internal")
    }
}
