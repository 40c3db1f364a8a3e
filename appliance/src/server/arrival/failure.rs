//! Why connections end before their first request.

use std::io;

use crate::stats::Count;

/// A reason. In words for the log; [`Failure::name`] is for metrics.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("its handshake took too long")]
    TooSlow,
    #[error("the client left in the middle of its handshake")]
    Closed,
    #[error("the PROXY header came from a peer that is not in clients.trusted_proxies")]
    Stranger,
    #[error("it did not begin with a PROXY header")]
    NoHeader,
    #[error("the client that the PROXY header names is blocked")]
    Blocked,
    #[error("the client that the PROXY header names has too many connections")]
    Full,
    #[error("plain HTTP on a port for HTTPS")]
    PlainHttp,
    #[error("it did not begin with a TLS handshake")]
    NotTls,
    #[error("no common version, cipher suite or protocol: {0}")]
    Incompatible(rustls::Error),
    #[error("the client's certificate: {0}")]
    ClientCertificate(rustls::Error),
    #[error("the client refused: {0}")]
    Refused(rustls::Error),
    #[error("malformed TLS: {0}")]
    Malformed(rustls::Error),
}

/// A count for each name.
#[derive(Debug, Default)]
pub struct Failures([Count; NAMES.len()]);

/// The reasons as metrics name them.
const NAMES: [&str; 12] = [
    "timeout",
    "closed",
    "proxy_untrusted",
    "proxy_header",
    "proxy_blocked",
    "proxy_full",
    "plain_http",
    "not_tls",
    "incompatible",
    "client_certificate",
    "client_alert",
    "malformed",
];

impl Failure {
    /// What an error of the line, or of the handshake over it, means.
    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(super) fn of(error: io::Error) -> Self {
        use rustls::Error;
        let Some(error) = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<Error>())
        else {
            return Self::Closed;
        };
        match error {
            Error::AlertReceived(_) => Self::Refused(error.clone()),
            Error::NoCertificatesPresented | Error::InvalidCertificate(_) => {
                Self::ClientCertificate(error.clone())
            }
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => {
                Self::Incompatible(error.clone())
            }
            _ => Self::Malformed(error.clone()),
        }
    }

    fn place(&self) -> usize {
        match self {
            Self::TooSlow => 0,
            Self::Closed => 1,
            Self::Stranger => 2,
            Self::NoHeader => 3,
            Self::Blocked => 4,
            Self::Full => 5,
            Self::PlainHttp => 6,
            Self::NotTls => 7,
            Self::Incompatible(_) => 8,
            Self::ClientCertificate(_) => 9,
            Self::Refused(_) => 10,
            Self::Malformed(_) => 11,
        }
    }

    /// The reason in one word.
    pub fn name(&self) -> &'static str {
        NAMES[self.place()]
    }
}

impl Failures {
    pub(super) fn one(&self, failure: &Failure) {
        self.0[failure.place()].one();
    }

    /// How often each reason was the one.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.0.iter().map(Count::get))
    }
}
