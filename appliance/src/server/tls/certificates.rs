//! Which certificate a client gets: the one for the name it asks for, else the first.

use std::{collections::HashMap, path::Path, sync::Arc};

use floodwall_config::{self as config, NamedFile, Problem};
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use smallvec::{SmallVec, smallvec};

use super::names::{self, Facts};
use crate::pem;

/// The certificates of a listener.
#[derive(Debug)]
pub(super) struct Certificates {
    all: Vec<Served>,
    by_name: HashMap<Box<str>, Places>,
}

/// What there is to say of one of them.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// The file that it came from.
    pub chain: &'a Path,
    /// The hosts that it is for, in lower case.
    pub names: &'a [String],
    /// When it ends to be valid, in seconds since 1970.
    pub not_after: i64,
}

/// One of them.
#[derive(Debug)]
struct Served {
    key: Arc<CertifiedKey>,
    facts: Facts,
    chain: NamedFile,
}

/// Certificates that share a name, such as an RSA one beside one of ECDSA, in the order of the file.
type Places = SmallVec<[usize; 2]>;

const OCSP: &str = "a DER file of an OCSP response that was successful";

impl Certificates {
    /// Loads the files.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub(super) fn load(wanted: &[config::Certificate]) -> Result<Self, Vec<Problem>> {
        let mut all = Vec::with_capacity(wanted.len());
        let mut problems = Vec::new();
        for (at, certificate) in wanted.iter().enumerate() {
            match Served::load(certificate, at == 0) {
                Ok(served) => all.push(served),
                Err(problem) => problems.push(*problem),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut by_name: HashMap<Box<str>, Places> = HashMap::new();
        for (at, served) in all.iter().enumerate() {
            for name in &served.facts.names {
                by_name.entry(name.as_str().into()).or_default().push(at);
            }
        }
        Ok(Self { all, by_name })
    }

    /// The certificates for a host; a whole name goes before one with a `*`.
    pub(super) fn for_host(&self, host: &str) -> Option<&Places> {
        let lower = host.trim_end_matches('.').to_ascii_lowercase();
        self.by_name.get(lower.as_str()).or_else(|| {
            let (_, parent) = lower.split_once('.')?;
            self.by_name.get(format!("*.{parent}").as_str())
        })
    }

    /// Whether a client that was shown the certificate for one name may ask for another host: if that
    /// certificate is for the host too, or if none here is.
    pub(super) fn agree(&self, name: Option<&str>, host: &str) -> bool {
        if name.is_some_and(|name| name.eq_ignore_ascii_case(host)) {
            return true;
        }
        let Some(of_host) = self.for_host(host) else {
            return true;
        };
        match name.and_then(|name| self.for_host(name)) {
            Some(shown) => shown.iter().any(|at| of_host.contains(at)),
            // The first was shown.
            None => of_host.contains(&0),
        }
    }

    /// What an operator should know of the certificates at this time, in seconds since 1970.
    pub(super) fn warnings(&self, now: i64) -> impl Iterator<Item = String> {
        self.all.iter().filter_map(move |served| {
            let what = if served.facts.not_after < now {
                "the certificate has expired"
            } else if served.facts.not_before > now {
                "the certificate is not valid yet"
            } else {
                return None;
            };
            Some(format!("{}: {what}", served.chain.path.display()))
        })
    }

    /// Each certificate, in the order of the file.
    pub(super) fn shown(&self) -> impl Iterator<Item = Shown<'_>> {
        let all = self.all.iter();
        all.map(|served| Shown {
            chain: &served.chain.path,
            names: &served.facts.names,
            not_after: served.facts.not_after,
        })
    }

    /// Whether both have the same certificates, whatever files they came from.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.all.len() == other.all.len()
            && self
                .all
                .iter()
                .zip(&other.all)
                .all(|(one, two)| one.key.cert == two.key.cert && one.key.ocsp == two.key.ocsp)
    }
}

impl Served {
    fn load(wanted: &config::Certificate, is_first: bool) -> Result<Self, Box<Problem>> {
        let mut key = pem::certified_key(&wanted.chain, &wanted.key)?;
        let facts =
            names::facts(&key.cert[0]).map_err(|found| wanted.chain.problem(&found, CHAIN))?;
        if facts.names.is_empty() && !is_first {
            return Err(wanted.chain.problem(
                "whose certificate is for no host name",
                "a certificate with names; only the first one in the list can do without",
            ));
        }
        if let Some(file) = &wanted.ocsp {
            key.ocsp = Some(staple(file)?);
        }
        Ok(Self {
            key: Arc::new(key),
            facts,
            chain: wanted.chain.clone(),
        })
    }
}

const CHAIN: &str = "a PEM file of certificates, the own one first";

/// Reads an OCSP response. Whether it is about this certificate, and new enough, is for clients to judge.
fn staple(file: &NamedFile) -> Result<Vec<u8>, Box<Problem>> {
    let bytes = pem::content(file, OCSP)?;
    // OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, ... }, and 0 is successful (RFC 6960, 4.2.1).
    let content = match bytes.get(..2) {
        Some([0x30, short]) if *short < 0x80 => bytes.get(2..),
        Some([0x30, long]) => bytes.get(2 + usize::from(long & 0x7f)..),
        _ => None,
    };
    match content.and_then(|content| content.get(..3)) {
        Some([0x0a, 1, 0]) => Ok(bytes),
        Some([0x0a, 1, _]) => {
            Err(file.problem("which is the response to a question that failed", OCSP))
        }
        _ => Err(file.problem("which is no OCSP response", OCSP)),
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let first: Places = smallvec![0];
        let places = hello
            .server_name()
            .and_then(|name| self.for_host(name))
            .or_else(|| self.by_name.get(self.all[0].facts.names.first()?.as_str()))
            .unwrap_or(&first);
        let keys = || places.iter().map(|at| &self.all[*at].key);
        keys()
            .find(|key| key.key.choose_scheme(hello.signature_schemes()).is_some())
            .or_else(|| keys().next())
            .map(Arc::clone)
    }
}

#[cfg(test)]
mod tests;
