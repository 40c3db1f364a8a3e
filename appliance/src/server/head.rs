//! A look at a request's head while its bytes come in: what the parser behind would quietly mend.
//!
//! Pingora escapes what may not stand in a request target and accepts some heads that no two programs read
//! alike; afterwards nothing shows it. So the head is looked at as it came, byte by byte (RFC 9112, 2 to 6), and its
//! first fault ends it.

use crate::strict::Fault;

mod characters;

pub(crate) use characters::is_token;
use characters::{in_request_line, in_value, run, token};

/// How far the head of one request was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    bytes: u64,
    fields: usize,
    at: At,
    /// The byte before was a CR.
    after_cr: bool,
    /// Spaces of the request line so far.
    spaces: u8,
    name: Name,
    lengths: u8,
    encodings: u8,
    fault: Option<Fault>,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// The request line, or an empty line before it, which is allowed (RFC 9112, 2.2).
    #[default]
    Start,
    RequestLine,
    /// The first byte of a field line, or the end of the head.
    FieldLine,
    Name,
    Value,
    /// The LF of the empty line.
    LastByte,
    End,
}

/// The bounds of a head.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub bytes: u64,
    pub fields: usize,
}

pub(super) const TOO_LARGE: Fault = Fault {
    status: 431,
    what: "the request header is too large",
};
pub(super) const TOO_MANY: Fault = Fault {
    status: 431,
    what: "too many header fields",
};
pub(super) const ODD_LINE: Fault =
    Fault::malformed("a character in the request line that must be escaped");
const BARE_LF: Fault = Fault::malformed("a line ends in a bare LF");
const BARE_CR: Fault = Fault::malformed("a bare CR in the header");
const FOLDED: Fault = Fault::malformed("a folded header line");
const NO_NAME: Fault = Fault::malformed("a header field without a name");
const NO_COLON: Fault = Fault::malformed("a header line without a colon");
const ODD_NAME: Fault =
    Fault::malformed("a character in a header field's name that may not be there");
const CONTROL: Fault = Fault::malformed("a control character in a header field");
const LENGTHS: Fault = Fault::malformed("more than one Content-Length");
const ENCODINGS: Fault = Fault::malformed("more than one Transfer-Encoding");
const TWO_FRAMES: Fault = Fault::malformed("both Content-Length and Transfer-Encoding");

impl Head {
    /// The fields behind the last chunk of a body. None of them may say where it ends.
    pub(super) fn of_trailers() -> Self {
        Self {
            at: At::FieldLine,
            lengths: 1,
            ..Self::default()
        }
    }

    /// Looks at the bytes that came next, and tells how many of them belong to the head.
    pub(super) fn take(&mut self, bytes: &[u8], most: Most) -> usize {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.has_ended() || self.fault.is_some() {
                return at;
            }
            let rest = &bytes[at..];
            let passed = match self.at {
                At::FieldLine => self.plain_field(rest, most),
                _ => self.plain(rest, most),
            };
            if passed > 0 {
                at += passed;
                continue;
            }
            at += 1;
            self.bytes += 1;
            self.fault = self.next(byte, most).err();
            if self.fault.is_none() && self.bytes > most.bytes {
                self.fault = Some(TOO_LARGE);
            }
        }
        bytes.len()
    }

    /// Passes over a whole field line that there is nothing to say about, as there is of most, and tells its length.
    /// What is odd, cut off or says where the body ends is left to those who look at single bytes.
    fn plain_field(&mut self, bytes: &[u8], most: Most) -> usize {
        let name = token(bytes);
        let value = match bytes.get(name) {
            Some(b':') if name > 0 => run(&bytes[name + 1..], in_value),
            _ => return 0,
        };
        let length = name + 1 + value + b"\r\n".len();
        let line = bytes.get(..length).filter(|line| line.ends_with(b"\r\n"));
        let has_room = length as u64 <= most.bytes.saturating_sub(self.bytes);
        if line.is_none() || !has_room || self.fields >= most.fields || frames(&bytes[..name]) {
            return 0;
        }
        self.fields += 1;
        self.bytes += length as u64;
        length
    }

    /// Passes over bytes that change nothing, which most of a line are, and tells how many.
    fn plain(&mut self, bytes: &[u8], most: Most) -> usize {
        if self.after_cr {
            return 0;
        }
        // The byte that is one too many is found as any other.
        let room = usize::try_from(most.bytes.saturating_sub(self.bytes)).unwrap_or(usize::MAX);
        let bytes = &bytes[..bytes.len().min(room)];
        let run = match self.at {
            At::Value => run(bytes, in_value),
            At::RequestLine => run(bytes, in_request_line),
            At::Name => token(bytes),
            _ => return 0,
        };
        if self.at == At::Name {
            self.name.push(&bytes[..run]);
        }
        self.bytes += run as u64;
        run
    }

    /// What is wrong with the head, as far as it has come.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    pub(super) fn has_ended(&self) -> bool {
        self.at == At::End
    }

    fn next(&mut self, byte: u8, most: Most) -> Result<(), Fault> {
        let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        match byte {
            b'\n' if !after_cr => Err(BARE_LF),
            b'\n' => {
                self.line_ends();
                Ok(())
            }
            _ if after_cr => Err(BARE_CR),
            b'\r' => self.line_is_ending(),
            _ => match self.at {
                At::Start | At::RequestLine => self.request_line(byte),
                At::FieldLine => self.field_line(byte, most),
                At::Name => self.name(byte),
                At::Value if !in_value(byte) => Err(CONTROL),
                At::Value | At::LastByte | At::End => Ok(()),
            },
        }
    }

    fn line_is_ending(&mut self) -> Result<(), Fault> {
        match self.at {
            At::Name => Err(NO_COLON),
            At::FieldLine => {
                self.at = At::LastByte;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn line_ends(&mut self) {
        self.at = match self.at {
            At::Start => At::Start,
            At::LastByte => At::End,
            _ => At::FieldLine,
        };
    }

    fn request_line(&mut self, byte: u8) -> Result<(), Fault> {
        self.at = At::RequestLine;
        match byte {
            b' ' if self.spaces < 2 => {
                self.spaces += 1;
                Ok(())
            }
            _ if in_request_line(byte) => Ok(()),
            _ => Err(ODD_LINE),
        }
    }

    fn field_line(&mut self, byte: u8, most: Most) -> Result<(), Fault> {
        self.fields += 1;
        match byte {
            b' ' | b'\t' => Err(FOLDED),
            b':' => Err(NO_NAME),
            _ if self.fields > most.fields => Err(TOO_MANY),
            _ => {
                self.at = At::Name;
                self.name = Name::default();
                self.name(byte)
            }
        }
    }

    fn name(&mut self, byte: u8) -> Result<(), Fault> {
        if byte == b':' {
            self.at = At::Value;
            return self.field();
        }
        self.name.push(&[byte]);
        if is_token(byte) {
            Ok(())
        } else {
            Err(ODD_NAME)
        }
    }

    /// One way to tell where the body ends, or none (RFC 9112, 6). The parser drops a Content-Length that comes
    /// beside a Transfer-Encoding, and joins what comes twice.
    fn field(&mut self) -> Result<(), Fault> {
        self.lengths += u8::from(self.name.is(LENGTH));
        self.encodings += u8::from(self.name.is(ENCODING));
        match (self.lengths, self.encodings) {
            (1.., 1..) => Err(TWO_FRAMES),
            (2.., _) => Err(LENGTHS),
            (_, 2..) => Err(ENCODINGS),
            _ => Ok(()),
        }
    }
}

const LENGTH: &[u8] = b"content-length";
const ENCODING: &[u8] = b"transfer-encoding";

/// Whether a field of this name says where the body ends.
fn frames(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(LENGTH) || name.eq_ignore_ascii_case(ENCODING)
}

/// As much of a field's name as there must be to know the fields that matter.
#[derive(Clone, Copy, Debug, Default)]
struct Name {
    start: [u8; ENCODING.len()],
    length: usize,
}

impl Name {
    fn push(&mut self, bytes: &[u8]) {
        let free = self.start.get_mut(self.length..).unwrap_or_default();
        let fit = free.len().min(bytes.len());
        free[..fit].copy_from_slice(&bytes[..fit]);
        self.length += bytes.len();
    }

    fn is(&self, name: &[u8]) -> bool {
        let start = self.start.get(..self.length);
        start.is_some_and(|start| start.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: Most = Most {
        bytes: 200,
        fields: 3,
    };

    fn looked_at(bytes: &[u8]) -> (usize, Option<Fault>) {
        let mut head = Head::default();
        let taken = head.take(bytes, MOST);
        let mut dripped = Head::default();
        let one_by_one: usize = bytes
            .iter()
            .map(|byte| dripped.take(std::slice::from_ref(byte), MOST))
            .sum();
        assert_eq!(
            (taken, head.fault()),
            (one_by_one, dripped.fault()),
            "the same in one read or many"
        );
        (taken, head.fault())
    }

    fn fault(bytes: &[u8]) -> Option<Fault> {
        looked_at(bytes).1
    }

    #[test]
    fn a_head_ends_where_it_ends() {
        for head in [
            "GET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\nA: b\r\nC: d\r\nE:\r\n\r\n",
        ] {
            let mut bytes = head.as_bytes().to_vec();
            bytes.extend([0; 500]);
            assert_eq!(looked_at(&bytes), (head.len(), None), "{head:?}");
            let cut = &bytes[..head.len() - 1];
            assert_eq!(looked_at(cut), (cut.len(), None), "{head:?}");
        }
    }

    #[test]
    fn a_request_line_has_two_spaces_and_visible_ascii() {
        for line in [
            "GET /\0 HTTP/1.1\r\n",
            "GET /a b HTTP/1.1\r\n",
            "GET /\u{e9} HTTP/1.1\r\n",
            "GET\t/ HTTP/1.1\r\n",
            "GET /a#b HTTP/1.1\r\n",
            "GET  / HTTP/1.1\r\n",
        ] {
            assert_eq!(fault(line.as_bytes()), Some(ODD_LINE), "{line:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_a_fault() {
        for (fields, expected) in [
            ("A: b\n", BARE_LF),
            ("A: b\n\r\n", BARE_LF),
            ("A: b\rc\r\n", BARE_CR),
            ("\rA: b\r\n", BARE_CR),
            ("A: b\r\n c\r\n", FOLDED),
            ("\tA: b\r\n", FOLDED),
            (": b\r\n", NO_NAME),
            ("A\r\n", NO_COLON),
            ("A : b\r\n", ODD_NAME),
            ("A\0: b\r\n", ODD_NAME),
            ("A\u{e9}: b\r\n", ODD_NAME),
            ("A: \0\r\n", CONTROL),
            ("A: b\u{b}\r\n", CONTROL),
            ("A: \u{7f}\r\n", CONTROL),
            ("Content-Length: 1\r\ncontent-length: 1\r\n", LENGTHS),
            (
                "Transfer-Encoding: chunked\r\nTRANSFER-ENCODING: x\r\n",
                ENCODINGS,
            ),
            (
                "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
                TWO_FRAMES,
            ),
            (
                "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
                TWO_FRAMES,
            ),
        ] {
            let bytes = format!("POST / HTTP/1.1\r\n{fields}\r\n");
            assert_eq!(fault(bytes.as_bytes()), Some(expected), "{fields:?}");
        }
        let others = "POST / HTTP/1.1\r\nX-Content-Length: 1\r\nContent-Length-X: 1\r\nContent-Length: 1\r\n\r\n";
        assert_eq!(fault(others.as_bytes()), None);
    }

    proptest! {
        /// Lines are looked at whole, in blocks or by bytes, and the same is found in them.
        #[test]
        fn a_head_means_the_same_however_it_comes(
            pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..12)
        ) {
            let head = format!("GET / HTTP/1.1\r\n{}\r\n", pieces.concat());
            looked_at(head.as_bytes());
        }
    }

    const PIECES: [&str; 16] = [
        "Host: a\r\n",
        "A:\r\n",
        "Accept: text/html,application/xhtml+xml;q=0.9\t\r\n",
        "Content-Length: 1\r\n",
        "transfer-ENCODING: chunked\r\n",
        "A-rather-long-name-of-a-field: b\r\n",
        "A",
        ": b\r\n",
        "\r",
        "\n",
        "\r\n",
        " ",
        "\0",
        "\u{7f}",
        "\u{e9}",
        "0123456789abcdef",
    ];

    #[test]
    fn floods_are_seen_while_they_come() {
        assert_eq!(
            fault(&[b"GET / HTTP/1.1\r\n".as_slice(), &b"A: b\r\n".repeat(4)].concat()),
            Some(TOO_MANY)
        );
        assert_eq!(
            fault(&[b"GET / HTTP/1.1\r\nA: ".as_slice(), &b"b".repeat(200)].concat()),
            Some(TOO_LARGE)
        );
        assert_eq!(fault(&b"\r\n".repeat(101)), Some(TOO_LARGE));
    }
}
