//! TLS towards clients: what a listener shows, whom it takes, and what is known of a session.

use std::sync::Arc;

use floodwall_config::{ListenerTls, Problem, TlsVersion};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::CertificateDer,
    server::{
        NoServerSessionStorage, ServerConnection, WebPkiClientVerifier, danger::ClientCertVerifier,
    },
    version::{TLS12, TLS13},
};
use tokio_rustls::TlsAcceptor;

use self::{certificates::Certificates, hello::Hello, tickets::Asked};
use crate::pem;

mod certificates;
mod hello;
mod ja4;
mod names;
mod tickets;

pub use self::{certificates::Shown, tickets::Tickets};

/// All that a listener needs to speak TLS, of one generation.
pub struct Acceptor {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    /// Whether something counts by the fingerprints of hellos.
    pub(super) fingerprints: bool,
}

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acceptor")
            .field("certificates", &self.certificates)
            .finish_non_exhaustive()
    }
}

impl Acceptor {
    /// Loads what the file says of one listener.
    ///
    /// # Errors
    /// All that is wrong with the files that it names.
    pub fn load(
        listener: &str,
        wanted: &ListenerTls,
        tickets: &Tickets,
        fingerprints: bool,
    ) -> Result<Self, Vec<Problem>> {
        let certificates = Certificates::load(&wanted.certificates);
        let asked = asked(wanted).map_err(|problem| vec![*problem]);
        let (certificates, asked) = match (certificates, asked) {
            (Ok(certificates), Ok(asked)) => (Arc::new(certificates), asked),
            (one, two) => {
                let problems = [one.err(), two.err()];
                return Err(problems.into_iter().flatten().flatten().collect());
            }
        };
        let unusable = |error: &dyn std::fmt::Display| {
            // Its place is that of the listener's first file: no value of its own is wrong.
            let found = format!("which rustls does not take: {error}");
            vec![
                *wanted.certificates[0]
                    .chain
                    .problem(&found, "certificates for a server"),
            ]
        };
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions(wanted.min_version))
            .map_err(|error| unusable(&error))?;
        let builder = match verifier(&asked) {
            None => builder.with_no_client_auth(),
            Some(Ok(verifier)) => builder.with_client_cert_verifier(verifier),
            Some(Err(error)) => return Err(unusable(&error)),
        };
        let mut config = builder.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = wanted
            .alpn
            .iter()
            .map(|protocol| protocol.name().as_bytes().to_vec())
            .collect();
        config.ticketer = tickets
            .of(listener, &asked)
            .map_err(|error| unusable(&error))?;
        // Tickets carry sessions; a store would be a lock that all threads wait for.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Self {
            config: Arc::new(config),
            certificates,
            fingerprints,
        })
    }

    /// What answers a client's hello.
    pub(super) fn engine(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// What is known of a session after its handshake; of its hello if that was read.
    pub(super) fn session(&self, connection: &ServerConnection, ja4: Option<String>) -> Session {
        Session {
            server_name: connection.server_name().map(str::to_owned),
            client: connection
                .peer_certificates()
                .and_then(|chain| chain.first())
                .map(ClientCertificate::new),
            ja4,
            certificates: Arc::clone(&self.certificates),
        }
    }

    /// What an operator should know of the certificates at this time, in seconds since 1970.
    pub fn warnings(&self, now: i64) -> impl Iterator<Item = String> {
        self.certificates.warnings(now)
    }

    /// What clients are shown.
    pub fn certificates(&self) -> impl Iterator<Item = Shown<'_>> {
        self.certificates.shown()
    }

    /// Whether one of the certificates is for this host, or for this name with a `*`.
    pub fn is_for(&self, host: &str) -> bool {
        self.certificates.for_host(host).is_some()
    }

    /// Whether clients are shown other certificates than `before`.
    pub fn shows_others_than(&self, before: &Self) -> bool {
        !self.certificates.same(&before.certificates)
    }
}

fn asked(wanted: &ListenerTls) -> Result<Asked, Box<Problem>> {
    let Some(clients) = &wanted.clients else {
        return Ok(Asked::default());
    };
    Ok(Asked {
        authorities: Some(Arc::new(pem::authorities(&clients.authorities)?)),
        required: clients.required,
    })
}

fn verifier(
    asked: &Asked,
) -> Option<Result<Arc<dyn ClientCertVerifier>, rustls::server::VerifierBuilderError>> {
    let authorities = Arc::clone(asked.authorities.as_ref()?);
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(authorities, provider);
    Some(if asked.required {
        builder.build()
    } else {
        builder.allow_unauthenticated().build()
    })
}

static FROM_12: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
static FROM_13: [&SupportedProtocolVersion; 1] = [&TLS13];

fn versions(least: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    match least {
        TlsVersion::Tls12 => &FROM_12,
        TlsVersion::Tls13 => &FROM_13,
    }
}

/// The longest hello that a fingerprint is made of, in bytes.
pub(super) const LONGEST_HELLO: usize = 16 << 10;

/// The fingerprint of a client's hello: none as long as it is not whole, and none inside for what is no hello.
#[expect(clippy::option_option, reason = "not yet, never, and now")]
pub(super) fn ja4(bytes: &[u8]) -> Option<Option<String>> {
    match Hello::read(bytes) {
        Ok(None) => None,
        Ok(Some(hello)) => Some(Some(ja4::fingerprint(&hello))),
        Err(_) => Some(None),
    }
}

/// What is known of a connection's TLS session.
#[derive(Debug)]
pub struct Session {
    /// The host that the client asked for (SNI), in lower case.
    pub server_name: Option<String>,
    /// None when the client showed none.
    pub client: Option<ClientCertificate>,
    /// The fingerprint of its hello, if something counts by it.
    pub ja4: Option<String>,
    certificates: Arc<Certificates>,
}

impl Session {
    /// Whether requests for a host may come over this session: not if another certificate is for it, for
    /// then the client never saw that this is the right server (RFC 9110, 7.4).
    pub fn may_serve(&self, host: &str) -> bool {
        self.certificates.agree(self.server_name.as_deref(), host)
    }
}

/// A client's certificate, which was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// As RFC 4514 writes it; empty when it cannot be read.
    pub subject: String,
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
}

impl ClientCertificate {
    fn new(certificate: &CertificateDer<'_>) -> Self {
        Self {
            subject: names::subject(certificate).unwrap_or_default(),
            fingerprint: sha256_hex(certificate),
        }
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = ::ring::digest::digest(&::ring::digest::SHA256, bytes);
    digest.as_ref().iter().fold(String::new(), |mut hex, byte| {
        // A string takes everything.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
