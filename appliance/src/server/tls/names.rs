//! What certificates say: the names they are for, and until when.

use rustls::pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, prelude::*};

/// What matters of a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The host names that it is for, in lower case; `*.` at the beginning stands for one label.
    pub(super) names: Vec<String>,
    /// When it begins and ends to be valid, in seconds since 1970.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
}

/// Reads a certificate.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn facts(certificate: &CertificateDer<'_>) -> Result<Facts, String> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("whose certificate cannot be read: {error}"))?;
    let alternatives = parsed
        .subject_alternative_name()
        .map_err(|error| format!("whose names cannot be read: {error}"))?;
    let names = alternatives
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    let validity = parsed.validity();
    Ok(Facts {
        names,
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}

/// The subject of a certificate as RFC 4514 writes it, as far as it can be read.
pub(super) fn subject(certificate: &CertificateDer<'_>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    Some(parsed.subject().to_string())
}
