//! What an HTTP/2 request has in other places than an HTTP/1 request: brought to where the rules and the upstream look.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri, header};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use super::{Exchange, cookies, exchange::Line, view};
use crate::{host::Host, strict::Fault};

/// Brings a head into the form that HTTP/1 has: a Host, a path alone as the target, one line of cookies. The server has
/// checked that there is an authority, and that it is the Host where there are both. There are `most` fields at most.
///
/// # Errors
/// The [`Fault`] to answer with.
pub(super) fn to_common_form(head: &mut RequestHeader, most: usize) -> Result<(), Fault> {
    if head.headers.len() > most {
        return fault(431, "too many header fields");
    }
    fields(&head.headers)?;
    match head.uri.scheme_str() {
        None | Some("http" | "https") => {}
        Some(_) => return fault(400, "a scheme that is not HTTP's"),
    }
    take_authority(head).or(fault(400, "the authority is not a host name"))?;
    cookies::join(head)
}

fn fault(status: u16, what: &'static str) -> Result<(), Fault> {
    Err(Fault { status, what })
}

/// No value begins or ends with white space (RFC 9113, 8.2.1), which HTTP/1 would not show.
fn fields(fields: &HeaderMap) -> Result<(), Fault> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let is_padded = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        is_blank(bytes.first()) || is_blank(bytes.last())
    };
    if fields.values().any(is_padded) {
        return fault(400, "white space around a field's value");
    }
    Ok(())
}

/// The authority becomes the Host, and the path alone the target.
fn take_authority(head: &mut RequestHeader) -> Result<()> {
    if let Some(authority) = head.uri.authority()
        && !head.headers.contains_key(header::HOST)
    {
        let host = HeaderValue::from_str(authority.as_str())
            .map_err(|_| Error::new_down(ErrorType::InvalidHTTPHeader))?;
        head.insert_header(header::HOST, host)?;
    }
    if head.uri.authority().is_some()
        && let Some(path) = head.uri.path_and_query()
    {
        let path = Uri::from(path.clone());
        head.set_uri(path);
    }
    Ok(())
}

/// Keeps for the log what a stream takes with it when it is given up.
pub(super) fn remember(host: &Host, session: &Session, ctx: &mut Exchange) {
    if host.access_log.is_on() && session.as_downstream().is_http2() {
        let request = view(session.req_header());
        ctx.line = Some(Box::new(Line {
            method: session.req_header().method.clone(),
            host: request.host.to_owned(),
            path: request.path.to_owned(),
        }));
    }
}

/// Starts the clock of the body: nothing below the phases watches over a stream's.
pub(super) fn await_body(host: &Host, session: &mut Session, ctx: &Exchange) {
    if let (Some(connection), Some(progress)) = (&ctx.connection, &ctx.progress)
        && session.as_downstream().is_http2()
        && !session.as_downstream_mut().is_body_done()
    {
        progress.await_body(host.now(), connection.rules.allowance());
    }
}

/// Lets a piece of a stream's body pass.
pub(super) fn pass(
    host: &Host,
    session: &mut Session,
    body: &mut Option<Bytes>,
    end: bool,
    ctx: &Exchange,
) {
    if !session.as_downstream().is_http2() {
        return;
    }
    if let (Some(progress), Some(body)) = (&ctx.progress, &body) {
        progress.body_came(body.len());
    }
    if !end {
        return await_body(host, session, ctx);
    }
    if let Some(progress) = &ctx.progress {
        progress.has_body();
    }
    // A body may end with an empty DATA frame. As a chunk it would be one end of the body too many.
    if body.as_ref().is_some_and(Bytes::is_empty) {
        *body = None;
    }
}

/// Comes back when the client gives up the stream; nothing for another protocol.
pub(super) async fn given_up(session: &mut Session) -> Option<()> {
    // However the stream ended, the client is gone.
    let _ = session.as_downstream_mut().watch_h2_stream_close()?.await;
    Some(())
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use super::*;

    fn head(uri: &str, fields: &[(&str, &str)]) -> RequestHeader {
        let mut request = Request::builder().version(Version::HTTP_2).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        RequestHeader::from(request.body(()).unwrap().into_parts().0)
    }

    fn common(uri: &str, fields: &[(&str, &str)]) -> Result<RequestHeader, u16> {
        let mut head = head(uri, fields);
        match to_common_form(&mut head, 5) {
            Ok(()) => Ok(head),
            Err(fault) => Err(fault.status),
        }
    }

    #[test]
    fn the_authority_is_the_host_and_the_target_a_path() {
        let head = common("http://a.example:81/x?y=1", &[]).unwrap();
        assert_eq!(head.headers.get("host").unwrap(), "a.example:81");
        assert_eq!(head.raw_path(), b"/x?y=1");
        assert_eq!(head.uri.authority(), None);
        let head = common("/x", &[("host", "b")]).unwrap();
        assert_eq!(head.headers.get("host").unwrap(), "b");
    }

    #[test]
    fn crumbs_of_cookies_are_one_line() {
        let head = common("http://a/", &[("cookie", "a=1"), ("cookie", "b=2; c=3")]).unwrap();
        let cookies: Vec<_> = head.headers.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
    }

    #[test]
    fn what_http_1_would_not_show_is_refused() {
        assert_eq!(common("ftp://a/", &[]).err(), Some(400));
        assert_eq!(common("http://a/", &[("x", " b")]).err(), Some(400));
        assert_eq!(common("http://a/", &[("x", "b\t")]).err(), Some(400));
        let many = [("x", "1"); 6];
        assert_eq!(common("http://a/", &many).err(), Some(431));
    }
}
