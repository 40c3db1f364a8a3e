//! A look at a request's head while its bytes come in: what the parser behind would quietly mend.
//!
//! Pingora escapes what may not stand in a request target and accepts some heads that no two programs read
//! alike; afterwards nothing shows it. So the request line is looked at as it came.

use crate::strict::Fault;

/// How far the head of one request was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    bytes: u64,
    fields: usize,
    /// Spaces of the request line so far.
    spaces: u8,
    /// The last bytes that were seen, newest lowest: a head ends in CR LF CR LF, or in LF LF.
    tail: u32,
    in_fields: bool,
    ended: bool,
    fault: Option<Fault>,
}

/// The bounds of a head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Most {
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
pub(super) const ODD_LINE: Fault = Fault {
    status: 400,
    what: "a character in the request line that must be escaped",
};

impl Head {
    /// Looks at the bytes that came next. What follows the head's end is not looked at.
    pub(super) fn take(&mut self, bytes: &[u8], most: Most) {
        for &byte in bytes {
            if self.ended || self.fault.is_some() {
                return;
            }
            self.bytes += 1;
            self.tail = self.tail << 8 | u32::from(byte);
            if byte == b'\n' {
                self.line_ends(most);
            } else if !self.in_fields {
                self.request_line(byte);
            }
            if self.bytes > most.bytes {
                self.fault = Some(TOO_LARGE);
            }
        }
    }

    /// What is wrong with the head, as far as it has come.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn line_ends(&mut self, most: Most) {
        self.ended = self.in_fields && (self.tail == 0x0d0a_0d0a || self.tail & 0xffff == 0x0a0a);
        if self.in_fields && !self.ended {
            self.fields += 1;
            if self.fields > most.fields {
                self.fault = Some(TOO_MANY);
            }
        }
        // An empty line before the request line is allowed (RFC 9112, 2.2).
        self.in_fields |= self.spaces > 0;
    }

    fn request_line(&mut self, byte: u8) {
        match byte {
            b' ' if self.spaces < 2 => self.spaces += 1,
            // A fragment is the client's own; the parser would cut it off (RFC 9112, 3.2).
            b'!' | b'"' | b'$'..=b'~' | b'\r' => {}
            _ => self.fault = Some(ODD_LINE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most {
        bytes: 200,
        fields: 3,
    };

    fn fault(bytes: &[u8]) -> Option<Fault> {
        let mut head = Head::default();
        head.take(bytes, MOST);
        let mut dripped = Head::default();
        for byte in bytes {
            dripped.take(std::slice::from_ref(byte), MOST);
        }
        assert_eq!(
            head.fault(),
            dripped.fault(),
            "the same in one read or many"
        );
        head.fault()
    }

    #[test]
    fn a_body_behind_the_head_is_none_of_its_business() {
        let mut bytes = b"POST / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
        bytes.extend([0; 500]);
        assert_eq!(fault(&bytes), None);
        assert_eq!(
            fault(b"\r\nGET / HTTP/1.1\r\nA: b\r\nC: d\r\nE: f\r\n\r\n"),
            None
        );
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
    fn floods_are_seen_while_they_come() {
        assert_eq!(
            fault(&[b"GET / HTTP/1.1\r\n".as_slice(), &b"A: b\r\n".repeat(4)].concat()),
            Some(TOO_MANY)
        );
        assert_eq!(
            fault(&[b"GET / HTTP/1.1\r\nA: ".as_slice(), &b"b".repeat(200)].concat()),
            Some(TOO_LARGE)
        );
    }
}
