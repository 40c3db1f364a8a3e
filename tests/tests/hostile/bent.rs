//! Requests that chance has bent: whatever comes to the origin of them is one strictly valid message after the other,
//! and nothing of them stays behind.

use std::{
    io,
    sync::{Arc, Mutex},
    thread,
};

use floodwall_tests::{Client, Floodwall, Loopback, Script, Stage, eventually};

use crate::front;

const EACH: usize = 600;

const STRAIGHT: [&str; 6] = [
    "GET /a?b=c HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    "POST /x/../y HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n",
    "GET http://a/ HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nConnection: close, te\r\nTE: trailers\r\nCookie: a=b\r\nCookie: c=d\r\nContent-Length: 3\r\n\r\nabc",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\nForwarded: for=x\r\nX_Forwarded_For: y\r\n\r\n",
];

const PIECES: [&str; 24] = [
    "\r\n",
    "\r",
    "\n",
    "\0",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "%",
    "%2e",
    "%2f",
    "..",
    "//",
    "chunked",
    "Content-Length: 1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: ",
    "Host: b\r\n",
    "0",
    "-1",
    "@",
    "HTTP/1.0",
    "\u{7f}",
];

/// The same numbers in every run (Marsaglia's xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % most.max(1)
    }

    fn bent(&mut self) -> Vec<u8> {
        let mut bytes = STRAIGHT[self.below(STRAIGHT.len())].as_bytes().to_vec();
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            let end = (at + 1 + self.below(12)).min(bytes.len());
            match self.below(4) {
                0 => bytes[at] = u8::try_from(self.below(128)).unwrap_or_default(),
                1 => drop(bytes.splice(at..at, PIECES[self.below(PIECES.len())].bytes())),
                2 => drop(bytes.drain(at..end)),
                _ => {
                    let again = bytes[at..end].to_vec();
                    drop(bytes.splice(at..at, again));
                }
            }
        }
        bytes
    }
}

/// Reads one message, and says what is wrong with it.
fn read(stage: &mut Stage) -> io::Result<Result<(), String>> {
    let head = stage.head()?;
    let fields = match judged(head.trim_end_matches("\r\n")) {
        Ok(fields) => fields,
        Err(what) => return Ok(Err(format!("{what}: {head:?}"))),
    };
    let values = |name: &str| -> Vec<&str> {
        let named = fields
            .iter()
            .filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value).collect()
    };
    for name in [
        "connection",
        "cookie",
        "expect",
        "content-type",
        "authorization",
        "range",
    ] {
        if values(name).len() > 1 {
            return Ok(Err(format!("two of {name}: {head:?}")));
        }
    }
    match (
        &values("host")[..],
        &values("content-length")[..],
        &values("transfer-encoding")[..],
    ) {
        ([_], [], []) => Ok(Ok(())),
        ([_], [length], []) if length.bytes().all(|byte| byte.is_ascii_digit()) => {
            let length = length.parse().map_err(|_| io::ErrorKind::InvalidData)?;
            stage.take(length).map(|_| Ok(()))
        }
        ([_], [], ["chunked"]) => chunks(stage),
        _ => Ok(Err(format!("no one host or length: {head:?}"))),
    }
}

/// The fields of a head that is in order (RFC 9112, 2 to 5).
fn judged(head: &str) -> Result<Vec<(&str, &str)>, &'static str> {
    let mut lines = head.split("\r\n");
    let words: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = words[..] else {
        return Err("another request line");
    };
    let path = target.split('?').next().unwrap_or_default();
    let is_clean = path.starts_with('/')
        && !path.contains("//")
        && !path.split('/').any(|segment| matches!(segment, "." | ".."));
    if !is_token(method) || !(is_clean || (method, target) == ("OPTIONS", "*")) {
        return Err("another target");
    }
    if !target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#')
    {
        return Err("a character in the target");
    }
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').ok_or("no colon")?;
            let is_odd = |byte: u8| byte.is_ascii_control() && byte != b'\t';
            if !is_token(name) || value.bytes().any(is_odd) {
                return Err("an odd field");
            }
            Ok((name, value.trim()))
        })
        .collect()
}

fn is_token(word: &str) -> bool {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !word.is_empty() && word.bytes().all(is_one)
}

/// Chunks without extensions and trailers.
fn chunks(stage: &mut Stage) -> io::Result<Result<(), String>> {
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(stage.take(1)?);
        }
        let digits = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(size) = usize::from_str_radix(&digits, 16).ok().filter(|_| is_hex) else {
            return Ok(Err(format!("a chunk of the size {digits:?}")));
        };
        if !stage.take(size + 2)?.ends_with(b"\r\n") {
            return Ok(Err("a chunk that does not end".to_owned()));
        }
        if size == 0 {
            return Ok(Ok(()));
        }
    }
}

#[test]
fn what_comes_to_the_origin_is_straight() {
    let found = Arc::<Mutex<(usize, Vec<String>)>>::default();
    let kept = Arc::clone(&found);
    let script = Script::start(move |stage| {
        loop {
            let message = read(stage)?;
            let mut found = kept.lock().expect("nobody panics");
            found.0 += 1;
            found.1.extend(message.err());
            drop(found);
            stage.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
        }
    });
    let web = Loopback::free();
    let floodwall = Floodwall::start(&front(web, script.address()));
    thread::scope(|scope| {
        for seed in 1..=6_u64 {
            scope.spawn(move || {
                let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ seed);
                for _ in 0..EACH {
                    let mut connection = Client::of(web).connect().expect("a connection");
                    // Who says nothing more is not waited for.
                    let _ = connection.write(&chance.bent());
                    let _ = connection.finish();
                    connection.read_to_end().expect("it is closed in time");
                }
            });
        }
    });
    eventually!(floodwall.status()["requests"]["in_flight"] == 0);
    eventually!(floodwall.status()["connections"]["open"] == 0);
    let (count, wrong) = found.lock().expect("nobody panics").clone();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > EACH, "only {count} came to the origin");
    assert!(!floodwall.log().contains("panicked"), "{}", floodwall.log());
    assert_eq!(Client::of(web).get("/").status, 200);
}
