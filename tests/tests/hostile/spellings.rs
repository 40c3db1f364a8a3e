//! Every spelling of where a body ends, and of what asks for it: each is refused, or comes to the origin as one message
//! that says it in one way.

use floodwall_tests::{Client, Floodwall, Loopback, Origin};

use crate::{front, status_of};

/// Sends each of the inputs, and asserts its status. What is answered with 200 came to the origin once, as a POST with
/// the body `hello`; of the rest it saw nothing.
fn assert_read_in_one_way(inputs: &[(Vec<u8>, u16)]) {
    let (web, origin) = (Loopback::free(), Origin::start());
    let _floodwall = Floodwall::start(&front(web, origin.address()));
    let mut wrong = Vec::new();
    for (bytes, status) in inputs {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let before = origin.count();
        let response = Client::of(web).exchange(bytes);
        let response = response.unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let got = status_of(&response);
        if got != *status {
            wrong.push(format!("{text:?}: {got} instead of {status}"));
        }
        let rest = String::from_utf8_lossy(&response[12..]);
        assert!(!rest.contains("HTTP/1.1 "), "{text:?}: two responses");
        let seen = origin.seen().split_off(before);
        if got == 200 {
            let [seen] = &seen[..] else {
                panic!("{text:?}: the origin saw {seen:?}");
            };
            assert_eq!((&*seen.method, &*seen.body), ("POST", "hello"), "{text:?}");
            let lengths = ["content-length", "transfer-encoding"].map(|name| seen.header(name));
            assert!(
                matches!(lengths, [Some("5"), None] | [None, Some("chunked")]),
                "{text:?}: {lengths:?}"
            );
        } else {
            assert!(seen.is_empty(), "{text:?}: the origin saw {seen:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What makes an input of a text, some texts, and the status of all of them.
type Row<'a> = (&'a dyn Fn(&[u8]) -> Vec<u8>, &'a [&'a [u8]], u16);

fn assert_texts_are_read_in_one_way(rows: &[Row<'_>]) {
    let inputs = rows
        .iter()
        .flat_map(|(input, texts, status)| texts.iter().map(|text| (input(text), *status)));
    assert_read_in_one_way(&inputs.collect::<Vec<_>>());
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
const CHUNKS: &[u8] = b"5\r\nhello\r\n0\r\n\r\n";

/// A request with this line, as bytes, and this body.
fn with_line(line: &[u8], body: &[u8]) -> Vec<u8> {
    [HEAD.as_bytes(), line, b"\r\n\r\n", body].concat()
}

#[test]
fn of_an_encoding() {
    let value = |value: &[u8]| with_line(&[b"Transfer-Encoding:", value].concat(), CHUNKS);
    let name = |name: &[u8]| with_line(&[name, b": chunked"].concat(), CHUNKS);
    let right = [
        &b"chunked"[..],
        b" chunked",
        b"\tchunked \t",
        b"CHUNKED",
        b" Chunked",
    ];
    let unknown = [
        &b"gzip, chunked"[..],
        b"identity, chunked",
        b"chunked, chunked",
        b",chunked",
    ];
    let wrong = [
        &b""[..],
        b"\"chunked\"",
        b"'chunked'",
        b"chunked,",
        b"chunked, identity",
        b"identity",
        b"xchunked",
        b"chunkedx",
        b"chunked x",
        b"chunked;q=1",
        b"ch\xc3\xbcnked",
        b"\x0bchunked",
        b"chunked\x0b",
        b"\0chunked",
        b"chunked\0",
        b"gzip",
        b"trailers",
        b" ",
        b"chu\rnked",
        b"chunked\r",
        b"chunked\r\n x",
    ];
    let names = [
        &b"Transfer-Encoding "[..],
        b" Transfer-Encoding",
        b"Transfer-Encoding\t",
        b"\tTransfer-Encoding",
        b"Transfer-Encoding\0",
        b"\0Transfer-Encoding",
        b"Transfer\xadEncoding",
        b"X: y\nTransfer-Encoding",
        b"X: y\rTransfer-Encoding",
        b"Transfer-Encoding:",
        b"Transfer Encoding",
        b"(Transfer-Encoding)",
    ];
    assert_texts_are_read_in_one_way(&[
        (&value, &right, 200),
        (&value, &unknown, 501),
        (&value, &wrong, 400),
        (&name, &names, 400),
    ]);
}

#[test]
fn of_a_length() {
    let value = |value: &[u8]| with_line(&[b"Content-Length:", value].concat(), b"hello");
    let name = |name: &[u8]| with_line(&[name, b": 5"].concat(), b"hello");
    let right = [&b"5"[..], b" 5", b"\t5\t ", b" 5 "];
    let wrong = [
        &b""[..],
        b" ",
        b"5.0",
        b"5e0",
        b"5 5",
        b"5,5",
        b"5, 5",
        b"5;",
        b"\"5\"",
        b"+5",
        b"-5",
        b"-0",
        b"0x5",
        b"5h",
        b"5\0",
        b"\x0b5",
        b"\xd9\xa5",
        b"5\t5",
        b"000000000000000000005",
        b"18446744073709551621",
        b"5\r\n 5",
        b"5\r",
    ];
    let names = [
        &b"Content-Length "[..],
        b" Content-Length",
        b"Content-Length\0",
        b"Content\xadLength",
        b"X: y\nContent-Length",
        b"X: y\rContent-Length",
        b"Content-Length:",
        b"Content Length",
    ];
    assert_texts_are_read_in_one_way(&[
        (&value, &right, 200),
        (&value, &wrong, 400),
        (&name, &names, 400),
    ]);
}

/// What both of two programs know, each of them takes for the one that counts.
#[test]
fn of_both_and_of_two() {
    let with = |fields: &str, body: &str| format!("{HEAD}{fields}\r\n{body}").into_bytes();
    let lines = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: identity\r\n",
        "Content-Length: 5\r\nTransfer-Encoding:\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\ncontent-length: 0\r\n",
        "Content-Length: 0\r\nX: y\r\nCONTENT-LENGTH: 5\r\n",
        "Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Connection: content-length\r\nContent-Length: 5\r\n",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
    ];
    let mut all: Vec<_> = lines
        .iter()
        .map(|line| {
            let body = if line.contains("chunked") {
                "5\r\nhello\r\n0\r\n\r\n"
            } else {
                "hello"
            };
            (with(line, body), 400)
        })
        .collect();
    // HTTP/1.0 knows no encodings (RFC 9112, 6.1).
    for keeps in ["", "Connection: keep-alive\r\n"] {
        let old =
            format!("POST / HTTP/1.0\r\nHost: a\r\n{keeps}Transfer-Encoding: chunked\r\n\r\n");
        all.push(([old.as_bytes(), CHUNKS].concat(), 400));
    }
    assert_read_in_one_way(&all);
}

#[test]
fn of_a_request_line() {
    let line = |line: &[u8]| {
        [
            line,
            b"\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        ]
        .concat()
    };
    let right = [
        &b"POST / HTTP/1.1"[..],
        b"\r\nPOST / HTTP/1.1",
        b"POST http://a/ HTTP/1.1",
        b"POST /%2e/ HTTP/1.1",
    ];
    let wrong = [
        &b"POST / HTTP/1.2"[..],
        b"POST / HTTP/1.10",
        b"POST / HTTP/0.9",
        b"POST / HTTP/2.0",
        b"POST / http/1.1",
        b"POST / HTTP/1",
        b"POST / HTTP/01.1",
        b"POST / HTTP/1,1",
        b"POST / HTTP /1.1",
        b"POST / HTTP/1.1 ",
        b"POST / HTTP/1.1\t",
        b"POST / ICY/1.1",
        b"POST  / HTTP/1.1",
        b"POST /  HTTP/1.1",
        b"POST\t/\tHTTP/1.1",
        b" POST / HTTP/1.1",
        b"\nPOST / HTTP/1.1",
        b"\rPOST / HTTP/1.1",
        b"P(T / HTTP/1.1",
        b"P\0ST / HTTP/1.1",
        b"\"POST\" / HTTP/1.1",
        b"POST: / HTTP/1.1",
        b"POST /",
        b"POST",
        b"POST / HTTP/1.1\r\n X: y",
        b"POST / HTTP/1.1\r\n\tX: y",
        b"POST http://b/ HTTP/1.1",
        b"POST http://u@a/ HTTP/1.1",
        b"POST http://a@b/ HTTP/1.1",
        b"POST http:///x HTTP/1.1",
        b"POST http:/x HTTP/1.1",
        b"POST ftp://a/ HTTP/1.1",
        b"POST http://a:80/ HTTP/1.1",
        b"POST a:80 HTTP/1.1",
        b"POST http://a/../.. HTTP/1.1",
        b"POST ?x HTTP/1.1",
        b"POST * HTTP/1.1",
        b"POST /\x7f HTTP/1.1",
        b"POST /\x80 HTTP/1.1",
        b"POST /<x> HTTP/1.1",
        b"POST /%u0041 HTTP/1.1",
        b"POST /x?\xff HTTP/1.1",
        b"PRI * HTTP/2.0",
    ];
    assert_texts_are_read_in_one_way(&[(&line, &right, 200), (&line, &wrong, 400)]);
}

#[test]
fn of_a_host() {
    let host = |host: &[u8]| {
        let rest = b"\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello";
        [b"POST / HTTP/1.1\r\nHost: ", host, rest].concat()
    };
    let right = [
        &b"a"[..],
        b"A.Example:80",
        b"a_b",
        b"a:",
        b"a:0",
        b"a:65535",
        b"a.",
        b"192.0.2.1",
        b"[::1]",
        b"[::1]:80",
        b"[::ffff:192.0.2.1]",
        b"xn--mnchen-3ya.example",
    ];
    let wrong = [
        &b"a:65536"[..],
        b"a:99999",
        b"a:-1",
        b"a:+1",
        b"a:8o",
        b"a:80:80",
        b"[::1",
        b"::1",
        b"[::1]x",
        b"[::g]",
        b"[fe80::1%25eth0]",
        b"[fe80::1%eth0]",
        b"[v1.x]",
        b"[]",
        b"a..b",
        b".a",
        b".",
        b"a b",
        b"a\tb",
        b"a,b",
        b"u@a",
        b"u:p@a",
        b"a/b",
        b"a?b",
        b"a#b",
        b"a\\b",
        b"a%41",
        b"a%00",
        b"\xc3\xbc",
        b"a;b",
        b"a\"b",
        b"*",
        b"*.a",
        b"a!b",
        b"a$b",
        b"(a)",
        b"a+b",
        b"a=b",
        b"http://a",
        b":80",
        b"a\0",
    ];
    assert_texts_are_read_in_one_way(&[(&host, &right, 200), (&host, &wrong, 400)]);
}

/// Where one program takes the first and another the last, and where a client takes away what rules have judged.
#[test]
fn of_fields_that_decide() {
    let with = |fields: &str| format!("{HEAD}Content-Length: 5\r\n{fields}\r\nhello").into_bytes();
    let right = [
        "Cookie: a=1\r\nCookie: b=2\r\n",
        "Accept: a\r\nAccept: b\r\n",
        "Content-Encoding: a\r\nContent-Encoding: b\r\n",
        "Connection: X-Own\r\nX-Own: 1\r\n",
        "Connection: ,\r\n",
        "TE: trailers\r\nConnection: TE\r\n",
        "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
    ];
    let wrong = [
        ("Authorization: a\r\nAuthorization: b\r\n", 400),
        ("Content-Type: a/b\r\nContent-Type: a/b\r\n", 400),
        ("Range: bytes=0-1\r\nRange: bytes=2-3\r\n", 400),
        ("Origin: http://a\r\nOrigin: http://b\r\n", 400),
        ("Host: a\r\n", 400),
        ("Expect: 100-continue\r\nExpect: 100-continue\r\n", 417),
        ("Expect:\r\n", 417),
        ("Connection: Host\r\n", 400),
        ("Connection: x-forwarded-for\r\n", 400),
        ("Connection: Authorization\r\nAuthorization: a\r\n", 400),
        ("Connection: a, Cookie\r\nCookie: a=1\r\n", 400),
        ("Connection: \"X\"\r\n", 400),
        ("Connection: a b\r\n", 400),
        ("Connection: a,b,c,d,e,f,g,h,i,j\r\n", 400),
    ];
    let all = (right.iter().map(|fields| (with(fields), 200)))
        .chain(wrong.iter().map(|(fields, status)| (with(fields), *status)));
    assert_read_in_one_way(&all.collect::<Vec<_>>());
}
