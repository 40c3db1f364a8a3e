//! Requests that change to another protocol, such as WebSocket (RFC 9110, 7.8; RFC 6455).
//!
//! The engine tears some of them down right after the change and refuses all but WebSockets. So the upstream is asked
//! here, with what every other request goes by, and when it agrees the two connections are joined once the engine has
//! given the client's back ([`joined`]).

use http::{Method, Version, header};
use pingora_core::connectors::TransportConnector;
use pingora_error::Result;
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::{Exchange, hop, onward, report, session};
use crate::{
    fields,
    host::Host,
    server::body::Framing,
    strict::{self, Fault},
};

mod handshake;
mod joined;
mod relay;

use handshake::{Agreed, Failure};
pub use joined::Joined;
pub(super) use joined::Outcome;

/// The protocols that a request asks for, in the order of the client; nothing when it does not, or when there is no
/// tunnel for what it asks for.
///
/// # Errors
/// The [`Fault`] of a WebSocket handshake that no server may accept.
pub(super) fn wanted(head: &RequestHeader) -> Result<Option<String>, Fault> {
    let headers = &head.headers;
    if !headers.contains_key(header::UPGRADE) {
        return Ok(None);
    }
    let has_body = !matches!(
        strict::framing_of(headers),
        Framing::None | Framing::Length(0)
    );
    let connection = |word| {
        fields::words(headers, &header::CONNECTION).any(|token| token.eq_ignore_ascii_case(word))
    };
    if head.version != Version::HTTP_11 || has_body || !connection("upgrade") || connection("close")
    {
        return Ok(None);
    }
    let protocols = hop::protocols(headers);
    if protocols.is_empty() || protocols.iter().any(|protocol| is_our_own(protocol)) {
        return Ok(None);
    }
    if protocols.iter().any(|protocol| protocol == "websocket") && !is_websocket(head) {
        return Err(NO_WEBSOCKET);
    }
    Ok(Some(protocols.join(", ")))
}

const NO_WEBSOCKET: Fault = Fault {
    status: 400,
    what: "a WebSocket handshake without its key or version",
};

/// What client and proxy speak to each other is not for the upstream to change: an upstream that took `h2c` would
/// serve requests that no rule has seen.
fn is_our_own(protocol: &str) -> bool {
    let name = protocol.split('/').next().unwrap_or_default();
    matches!(name, "h2c" | "h2" | "http" | "tls")
}

/// RFC 6455, 4.1.
fn is_websocket(head: &RequestHeader) -> bool {
    let one = |name| {
        let mut fields = head.headers.get_all(name).iter();
        fields.next().is_some_and(|value| !value.is_empty()) && fields.next().is_none()
    };
    head.method == Method::GET && one("sec-websocket-key") && one("sec-websocket-version")
}

/// Asks the upstream, as often as any request may ask. True when the engine has nothing more to do.
///
/// # Errors
/// When no server answered.
pub(super) async fn open(
    host: &Host,
    connector: &TransportConnector,
    session: &mut Session,
    ctx: &mut Exchange,
    protocols: &str,
) -> Result<bool> {
    loop {
        let mut peer = onward::peer(host, session, ctx)?;
        peer.options.set_http_version(1, 1);
        let request = handshake::request(session.req_header(), ctx, protocols)?;
        let asked = handshake::ask(connector, &peer, &request, protocols);
        let asked = tokio::select! {
            asked = asked => asked,
            () = session::gone(session) => {
                ctx.error = Some("the client left while its upstream was asked");
                session.shutdown().await;
                return Ok(true);
            }
        };
        let error = match asked {
            Ok(agreed) => match onward::answered(host, session, ctx, agreed.response.status) {
                Ok(()) => return hand_over(session, ctx, agreed),
                Err(error) => error,
            },
            Err(Failure::Connect(mut error)) => {
                onward::unreachable(host, session, ctx, &mut error);
                error
            }
            Err(Failure::Exchange(mut error)) => {
                onward::broken(host, session, ctx, &mut error, false);
                error
            }
        };
        if !error.retry() {
            return Err(error);
        }
    }
}

/// Leaves the rest to whoever gets the client's connection back from the engine.
fn hand_over(session: &mut Session, ctx: &mut Exchange, mut agreed: Agreed) -> Result<bool> {
    let Some(connection) = ctx.connection.clone() else {
        return Ok(true);
    };
    let asked = session.req_header().clone();
    report::decorate(&connection.host, &asked, &mut agreed.response, ctx)?;
    let exchange = std::mem::replace(ctx, Exchange::new(&connection.host));
    connection.succeed(Box::new(Joined::new(exchange, asked, agreed)));
    // A connection that is not kept alive would be closed instead of given back.
    session.set_keepalive(Some(1));
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, fields: &[(&'static str, &str)]) -> Result<Option<String>, u16> {
        let mut head = RequestHeader::build(method, b"/", None).unwrap();
        for (name, value) in fields {
            head.append_header(*name, *value).unwrap();
        }
        wanted(&head).map_err(|fault| fault.status)
    }

    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const VERSION: (&str, &str) = ("sec-websocket-version", "13");

    #[test]
    fn an_upgrade_is_asked_for_in_both_fields() {
        let upgrade = ("upgrade", "WebSocket");
        let connection = ("connection", "keep-alive, Upgrade");
        let all = [upgrade, connection, KEY, VERSION];
        assert_eq!(asked("GET", &all), Ok(Some("websocket".into())));
        assert_eq!(asked("GET", &all[..1]), Ok(None));
        assert_eq!(asked("GET", &all[1..]), Ok(None));
        let other = [("upgrade", "a/1, b"), ("upgrade", "c"), connection];
        assert_eq!(asked("POST", &other), Ok(Some("a/1, b, c".into())));
        assert_eq!(
            asked("GET", &[upgrade, ("connection", "upgrade, close")]),
            Ok(None)
        );
        let with_body = [("upgrade", "a"), connection, ("content-length", "5")];
        assert_eq!(asked("POST", &with_body), Ok(None));
    }

    #[test]
    fn nobody_changes_what_the_proxy_speaks() {
        for protocol in ["h2c", "H2C", "HTTP/2.0", "TLS/1.3", "websocket, h2c"] {
            let fields = [
                ("upgrade", protocol),
                ("connection", "upgrade"),
                KEY,
                VERSION,
            ];
            assert_eq!(asked("GET", &fields), Ok(None), "{protocol}");
        }
    }

    #[test]
    fn a_websocket_has_a_key_and_a_version() {
        let of = |method, fields: &[(&'static str, &str)]| {
            let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
            asked(method, &[&upgrade, fields].concat())
        };
        assert_eq!(of("GET", &[KEY]), Err(400));
        assert_eq!(of("GET", &[VERSION]), Err(400));
        assert_eq!(of("GET", &[KEY, KEY, VERSION]), Err(400));
        assert_eq!(of("POST", &[KEY, VERSION]), Err(400));
    }
}
