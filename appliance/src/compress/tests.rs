use super::*;

fn request(method: &str, accepts: &str) -> RequestHeader {
    let mut request = RequestHeader::build(method, b"/", None).unwrap();
    request
        .insert_header(header::ACCEPT_ENCODING, accepts.to_owned())
        .unwrap();
    request
}

fn response(status: u16, fields: &[(&'static str, &str)]) -> ResponseHeader {
    let mut response = ResponseHeader::build(status, None).unwrap();
    for (name, value) in fields {
        response.append_header(*name, (*value).to_owned()).unwrap();
    }
    response
}

fn begun(request: &RequestHeader, response: &mut ResponseHeader) -> bool {
    let rules = Compress::default();
    begin(&rules, request, response).unwrap().is_some()
}

fn field<'a>(response: &'a ResponseHeader, name: &str) -> Option<&'a str> {
    response.headers.get(name)?.to_str().ok()
}

const TEXT: (&str, &str) = ("content-type", "text/html; charset=utf-8");

#[test]
fn the_head_becomes_that_of_another_representation() {
    let mut response = response(
        200,
        &[
            TEXT,
            ("content-length", "5000"),
            ("etag", "\"abc\""),
            ("accept-ranges", "bytes"),
            ("vary", "cookie"),
        ],
    );
    assert!(begun(&request("GET", "br, gzip"), &mut response));
    assert_eq!(field(&response, "content-encoding"), Some("br"));
    assert_eq!(field(&response, "content-length"), None);
    assert_eq!(field(&response, "accept-ranges"), None);
    assert_eq!(field(&response, "etag"), Some("W/\"abc\""));
    assert_eq!(field(&response, "transfer-encoding"), Some("chunked"));
    let vary: Vec<_> = response.headers.get_all("vary").iter().collect();
    assert_eq!(vary, ["cookie", "accept-encoding"]);
}

#[test]
fn who_would_get_it_otherwise_is_told_though_the_body_stays() {
    for request in [request("HEAD", "gzip"), request("GET", "identity")] {
        let mut response = response(200, &[TEXT, ("content-length", "5000"), ("etag", "\"a\"")]);
        assert!(!begun(&request, &mut response));
        assert_eq!(field(&response, "vary"), Some("accept-encoding"));
        assert_eq!(field(&response, "content-length"), Some("5000"));
        assert_eq!(field(&response, "etag"), Some("\"a\""));
    }
}

#[test]
fn what_must_not_or_need_not_be_compressed_stays_as_it_is() {
    for (status, fields) in [
        (204, &[TEXT][..]),
        (304, &[TEXT]),
        (206, &[TEXT, ("content-range", "bytes 0-9/10")]),
        (101, &[TEXT]),
        (200, &[TEXT, ("content-encoding", "br")]),
        (200, &[TEXT, ("cache-control", "private, No-Transform")]),
        (200, &[TEXT, ("content-length", "1023")]),
        (200, &[TEXT, ("trailer", "x-sum")]),
        (200, &[("content-type", "text/event-stream")]),
        (200, &[("content-type", "image/png")]),
        (200, &[]),
    ] {
        let mut response = response(status, fields);
        assert!(
            !begun(&request("GET", "gzip"), &mut response),
            "{status} {fields:?}"
        );
        assert_eq!(field(&response, "vary"), None, "{status} {fields:?}");
    }
}
