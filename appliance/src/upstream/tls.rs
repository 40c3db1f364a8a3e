//! TLS towards servers: what is asked of their certificates, and which one they are shown.
//!
//! It is kept in two forms with one meaning: as the engine's connector wants it, for what is proxied, and as `rustls`
//! wants it, for checks and whatever else is asked apart from the proxy.

use std::sync::Arc;

use floodwall_config::{self as config, NamedFile, Problem};
use floodwall_limiter::Secret;
use pingora_core::{
    protocols::tls::CaType,
    upstreams::peer::{HttpPeer, Scheme},
    utils::tls::{CertKey, WrappedX509, parse_x509},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};

use crate::{fetch, pem};

mod unverified;

/// TLS towards some servers of an upstream.
#[derive(Clone)]
pub(super) struct Tls {
    verify: bool,
    /// None: those that the host trusts.
    authorities: Option<Arc<CaType>>,
    certificate: Option<Arc<CertKey>>,
    /// Tells connections of different settings apart.
    identity: u64,
    config: Arc<ClientConfig>,
}

/// An authority that nobody has the key of: the engine makes a verifier even where nothing is verified, and cannot do
/// so without any authority, as on a host that has none.
const NOBODY: &[u8] = include_bytes!("tls/nobody.der");

/// A certificate with its key, as files have them.
struct Own {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// TLS towards each server of the file, and whom its certificate must be for.
///
/// # Errors
/// Everything that is wrong with the files.
pub(super) fn of_servers(
    upstream: &config::Upstream,
) -> Result<Vec<Option<(Tls, String)>>, Vec<Problem>> {
    let shared = upstream.tls.as_ref().map(Tls::load).transpose();
    let mut problems = Vec::new();
    let mut servers = Vec::with_capacity(upstream.servers.len());
    for server in &upstream.servers {
        let own = server.tls.as_ref().map(Tls::load).transpose();
        let own = own.unwrap_or_else(|found| {
            problems.extend(found);
            None
        });
        let tls = own.or_else(|| shared.as_ref().ok()?.clone());
        let settings = server.tls.as_ref().or(upstream.tls.as_ref());
        // Only a socket whose certificate nobody looks at may be without a name.
        let name = settings.and_then(|settings| settings.name_for(&server.address));
        servers.push(tls.map(|tls| (tls, name.unwrap_or_else(|| "localhost".to_owned()))));
    }
    problems.extend(shared.err().into_iter().flatten());
    if problems.is_empty() {
        Ok(servers)
    } else {
        Err(problems)
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub(super) fn load(tls: &config::UpstreamTls) -> Result<Self, Vec<Problem>> {
        let authorities = tls.ca.as_ref().map(authorities).transpose();
        let own = tls.certificate.as_ref().map(Own::load).transpose();
        let (authorities, own) = match (authorities, own) {
            (Ok(authorities), Ok(own)) => (authorities, own),
            (authorities, own) => {
                let problems = authorities.err().into_iter().chain(own.err());
                return Err(problems.map(|problem| *problem).collect());
            }
        };
        let identity = identity(tls.verify, authorities.as_deref(), own.as_ref());
        let nobody = [CertificateDer::from(NOBODY)];
        let for_engine = match &authorities {
            Some(trusted) => Some(trusted.as_slice()),
            None => (!tls.verify).then_some(nobody.as_slice()),
        };
        Ok(Self {
            verify: tls.verify,
            authorities: for_engine.map(|trusted| trusted.iter().map(wrapped).collect()),
            certificate: own.as_ref().map(|own| Arc::new(own.for_engine())),
            identity,
            config: client_config(tls, authorities, own).map_err(|problem| vec![*problem])?,
        })
    }

    /// Has the engine speak TLS to a server of this name.
    pub(super) fn apply(&self, peer: &mut HttpPeer, name: &str) {
        peer.scheme = Scheme::HTTPS;
        name.clone_into(&mut peer.sni);
        peer.client_cert_key.clone_from(&self.certificate);
        peer.group_key ^= self.identity;
        peer.options.ca.clone_from(&self.authorities);
        peer.options.verify_cert = self.verify;
        peer.options.verify_hostname = self.verify;
    }

    /// Tells connections of different settings apart.
    pub(super) fn identity(&self) -> u64 {
        self.identity
    }

    /// The same for a request apart from the proxy; none when the name is none, which a checked file rules out.
    pub(super) fn apart(&self, name: &str) -> Option<fetch::Tls> {
        Some(fetch::Tls {
            config: Arc::clone(&self.config),
            name: ServerName::try_from(name.to_owned()).ok()?,
        })
    }
}

/// Keys are in it.
impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("verify", &self.verify)
            .finish_non_exhaustive()
    }
}

impl Own {
    fn load(certificate: &config::UpstreamCertificate) -> Result<Self, Box<Problem>> {
        // Together, so that a key that is another's is found.
        pem::certified_key(&certificate.chain, &certificate.key)?;
        Ok(Self {
            chain: pem::chain(&certificate.chain)?,
            key: pem::key(&certificate.key)?,
        })
    }

    fn for_engine(&self) -> CertKey {
        let chain = self.chain.iter().map(|certificate| certificate.to_vec());
        CertKey::new(chain.collect(), self.key.secret_der().to_vec())
    }
}

fn authorities(file: &NamedFile) -> Result<Vec<CertificateDer<'static>>, Box<Problem>> {
    // That each can be an authority's is checked by the store.
    pem::authorities(file)?;
    pem::chain(file)
}

fn wrapped(certificate: &CertificateDer<'static>) -> WrappedX509 {
    // `pem` has parsed it with the same parser.
    WrappedX509::new(certificate.to_vec(), parse_x509)
}

fn client_config(
    tls: &config::UpstreamTls,
    authorities: Option<Vec<CertificateDer<'static>>>,
    own: Option<Own>,
) -> Result<Arc<ClientConfig>, Box<Problem>> {
    let builder = ClientConfig::builder();
    let builder = if tls.verify {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(authorities.unwrap_or_else(of_the_host));
        builder.with_root_certificates(roots)
    } else {
        let anybody = unverified::Anybody::new(builder.crypto_provider());
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(anybody))
    };
    let mut config = match (own, &tls.certificate) {
        (Some(own), Some(named)) => {
            builder
                .with_client_auth_cert(own.chain, own.key)
                .map_err(|error| {
                    named
                        .key
                        .problem(&format!("whose key cannot be used: {error}"), "another key")
                })?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Whom this host trusts. Where that cannot be read nobody is trusted, and every connection says so.
fn of_the_host() -> Vec<CertificateDer<'static>> {
    rustls_native_certs::load_native_certs().unwrap_or_else(|error| {
        tracing::error!(%error, "the host's authorities cannot be read: servers with TLS need a `ca`");
        Vec::new()
    })
}

/// The settings as a number: the engine's pool asks for a certificate's number alone, and not for authorities.
fn identity(
    verify: bool,
    authorities: Option<&[CertificateDer<'static>]>,
    own: Option<&Own>,
) -> u64 {
    const SECRET: Secret = Secret {
        k0: 0x666c_6f6f_6477_616c,
        k1: 0x7570_7374_7265_616d,
    };
    let hash = |certificates: &[CertificateDer<'static>]| {
        let hashes = certificates
            .iter()
            .map(|certificate| SECRET.hash_bytes(certificate));
        hashes.fold(certificates.len() as u64, |all, one| {
            SECRET.hash_words([all, one])
        })
    };
    let own = own.map_or(0, |own| {
        SECRET.hash_words([hash(&own.chain), SECRET.hash_bytes(own.key.secret_der())])
    });
    SECRET.hash_words([u64::from(verify), authorities.map_or(0, hash), own])
}
