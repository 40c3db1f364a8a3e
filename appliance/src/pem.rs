//! Certificates and keys, from PEM files that the configuration names.
//!
//! Whatever is wrong with a file is a problem of the configuration, told at the key that names it.

use std::{
    fmt::Display,
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use floodwall_config::{NamedFile, Problem};
use rustls::{
    RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The largest file that is read, in bytes: a bundle of all public authorities has a quarter of it.
const MAX_BYTES: u64 = 1 << 20;

const CHAIN: &str = "a PEM file of certificates, the own one first";
const KEY: &str = "a PEM file with one private key that is not encrypted";
const KIND: &str =
    "an RSA key of 2048 to 4096 bits, an ECDSA key on P-256 or P-384, or an Ed25519 key";
const BUNDLE: &str = "a PEM file with the certificates of the authorities that are trusted";

/// The certificates of a chain: the own one first, then those of the authorities in between. At least one.
///
/// # Errors
/// A file that cannot be read, or that has no certificates or broken ones.
pub fn chain(file: &NamedFile) -> Result<Vec<CertificateDer<'static>>, Box<Problem>> {
    certificates(file, CHAIN)
}

/// The private key of a file: PKCS #8, PKCS #1 or SEC 1.
///
/// # Errors
/// A file that cannot be read, or that has no key, more than one, or an encrypted one.
pub fn key(file: &NamedFile) -> Result<PrivateKeyDer<'static>, Box<Problem>> {
    let text = content(file, KEY)?;
    let mut keys = sections::<PrivateKeyDer<'static>>(file, &text, KEY)?;
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (Some(_), more) => Err(file.problem(&format!("which has {} private keys", more + 1), KEY)),
        (None, _) => Err(file.problem(
            &format!("which has no private key but {}", labels(&text)),
            KEY,
        )),
    }
}

/// A chain with the key of its first certificate.
///
/// # Errors
/// As [`chain`] and [`key`], and a key that is another certificate's.
pub fn certified_key(
    chain_file: &NamedFile,
    key_file: &NamedFile,
) -> Result<CertifiedKey, Box<Problem>> {
    let (chain, key) = (chain(chain_file)?, key(key_file)?);
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => key_file.problem(
            "which is not the key of the certificate",
            format!(
                "the key of the first certificate in {}",
                chain_file.path.display()
            ),
        ),
        // The provider takes the bytes for no key that it knows.
        rustls::Error::General(_) => key_file.problem("whose key is of another kind or size", KIND),
        other => key_file.problem(&format!("whose key cannot be used: {other}"), KEY),
    })
}

/// Authorities that are trusted; at least one.
///
/// # Errors
/// A file that cannot be read, or that has no certificates or such as cannot be an authority's.
pub fn authorities(file: &NamedFile) -> Result<RootCertStore, Box<Problem>> {
    let mut store = RootCertStore::empty();
    for (at, certificate) in certificates(file, BUNDLE)?.into_iter().enumerate() {
        store
            .add(certificate)
            .map_err(|error| broken(file, at, &error, BUNDLE))?;
    }
    Ok(store)
}

fn certificates(
    file: &NamedFile,
    allowed: &str,
) -> Result<Vec<CertificateDer<'static>>, Box<Problem>> {
    let text = content(file, allowed)?;
    let certificates = sections::<CertificateDer<'static>>(file, &text, allowed)?;
    if certificates.is_empty() {
        let found = format!("which has no certificate but {}", labels(&text));
        return Err(file.problem(&found, allowed));
    }
    for (at, certificate) in certificates.iter().enumerate() {
        ParsedCertificate::try_from(certificate)
            .map_err(|error| broken(file, at, &error, allowed))?;
        // The engine reads certificates with this parser, and takes a failure for a mistake of ours.
        X509Certificate::from_der(certificate)
            .map_err(|error| broken(file, at, &error, allowed))?;
    }
    Ok(certificates)
}

fn broken(file: &NamedFile, at: usize, error: &impl Display, allowed: &str) -> Box<Problem> {
    let found = format!("whose certificate {} cannot be used: {error}", at + 1);
    file.problem(&found, allowed)
}

/// The sections of one kind, in the order of the file.
fn sections<T: PemObject>(
    file: &NamedFile,
    text: &[u8],
    allowed: &str,
) -> Result<Vec<T>, Box<Problem>> {
    T::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(|error| file.problem(&format!("which is no proper PEM: {error}"), allowed))
}

/// What a file has, in words.
fn labels(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let labels: Vec<_> = text
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("-----BEGIN ")?
                .strip_suffix("-----")
        })
        .map(|label| format!("`{label}`"))
        .take(5)
        .collect();
    if labels.is_empty() {
        "no PEM section at all".to_owned()
    } else {
        labels.join(", ")
    }
}

/// The bytes of a file, which is to be what is `allowed`.
///
/// # Errors
/// A file that cannot be read, or that is too large.
pub fn content(file: &NamedFile, allowed: &str) -> Result<Vec<u8>, Box<Problem>> {
    read(&file.path)
        .map_err(|error| file.problem(&format!("which cannot be read: {error}"), allowed))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        // A pipe would be waited for.
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
