//! A look at a request's body while its bytes come in: where it ends, and whether everybody would say so.
//!
//! The engine behind reads chunks more loosely than this does; what it gets is what was found to be well formed
//! (RFC 9112, 7.1).

use super::{
    extension::Extension,
    head::{Head, Most},
};
use crate::strict::Fault;

/// How a body's end is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Framing {
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    Chunked,
    /// Another protocol: what comes is not looked at.
    Open,
}

/// How far a body was looked at.
#[derive(Clone, Copy, Debug)]
pub struct Body {
    at: At,
    /// What chunk extensions have taken, in bytes.
    extensions: u64,
    most: Most,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug)]
enum At {
    /// So many bytes of a body that announced its length.
    Bytes(u64),
    /// A chunk's size, with so many digits so far.
    Size {
        size: u64,
        digits: u8,
    },
    Extension {
        size: u64,
        at: Extension,
    },
    /// The LF behind a chunk's size.
    SizeEnd {
        size: u64,
    },
    Data(u64),
    /// The CR, or the LF, behind a chunk's data.
    DataCr,
    DataLf,
    Trailers(Head),
    End,
}

const ODD_SIZE: Fault = Fault::malformed("the size of a chunk is not a hexadecimal number");
const HUGE: Fault = Fault::malformed("the size of a chunk is beyond all bounds");
const ODD_EXTENSION: Fault = Fault::malformed("a chunk extension that is none");
const EXTENSIONS: Fault = Fault::malformed("chunk extensions without end");
const NO_END: Fault = Fault::malformed("a chunk that does not end where it says");

/// Nobody sends extensions; they are read over because they are allowed. In bytes, for a whole body.
const MOST_EXTENSIONS: u64 = 4096;

/// Digits of a chunk's size, leading zeros included: 2^60 bytes are enough for everybody.
const MOST_DIGITS: u8 = 15;

impl Body {
    /// A body with this framing, whose trailers may take as much as a head.
    pub fn new(framing: Framing, most: Most) -> Self {
        let at = match framing {
            Framing::None | Framing::Length(0) => At::End,
            Framing::Length(length) => At::Bytes(length),
            Framing::Open => At::Bytes(u64::MAX),
            Framing::Chunked => At::Size { size: 0, digits: 0 },
        };
        Self {
            at,
            extensions: 0,
            most,
        }
    }

    pub fn has_ended(&self) -> bool {
        matches!(self.at, At::End)
    }

    /// Looks at the bytes that came next, and tells how many of them belong to the body.
    ///
    /// # Errors
    /// The first [`Fault`]; where the body ends is not known then.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let mut rest = bytes;
        while let (Some(&byte), false) = (rest.first(), self.has_ended()) {
            let taken = match &mut self.at {
                At::Bytes(left) | At::Data(left) => count_down(left, rest.len()),
                At::Trailers(head) => {
                    let taken = head.take(rest, self.most);
                    if let Some(fault) = head.fault() {
                        return Err(fault);
                    }
                    taken
                }
                _ => {
                    self.at = self.next(byte)?;
                    1
                }
            };
            rest = &rest[taken..];
            self.pass_on();
        }
        Ok(bytes.len() - rest.len())
    }

    /// Goes on where a run of bytes is over.
    fn pass_on(&mut self) {
        match &self.at {
            At::Bytes(0) => self.at = At::End,
            At::Data(0) => self.at = At::DataCr,
            At::Trailers(head) if head.has_ended() => self.at = At::End,
            _ => {}
        }
    }

    fn next(&mut self, byte: u8) -> Result<At, Fault> {
        match (self.at, byte) {
            (At::Size { digits: 0, .. }, b';' | b'\r') => Err(ODD_SIZE),
            (At::Size { size, .. }, b'\r') => Ok(At::SizeEnd { size }),
            (At::Extension { size, at }, b'\r') if at.may_end() => Ok(At::SizeEnd { size }),
            (At::Size { size, .. }, b';') => Ok(At::Extension {
                size,
                at: Extension::BeforeName,
            }),
            (At::Size { digits, .. }, _) if digits == MOST_DIGITS => Err(HUGE),
            (At::Size { size, digits }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(ODD_SIZE)?;
                Ok(At::Size {
                    size: size << 4 | u64::from(digit),
                    digits: digits + 1,
                })
            }
            (At::Extension { size, at }, _) => {
                self.extensions += 1;
                if self.extensions > MOST_EXTENSIONS {
                    return Err(EXTENSIONS);
                }
                let at = at.next(byte).ok_or(ODD_EXTENSION)?;
                Ok(At::Extension { size, at })
            }
            (At::SizeEnd { size: 0 }, b'\n') => Ok(At::Trailers(Head::of_trailers())),
            (At::SizeEnd { size }, b'\n') => Ok(At::Data(size)),
            (At::SizeEnd { .. }, _) => Err(ODD_SIZE),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size { size: 0, digits: 0 }),
            (At::DataCr | At::DataLf, _) => Err(NO_END),
            (at @ (At::Bytes(_) | At::Data(_) | At::Trailers(_) | At::End), _) => Ok(at),
        }
    }
}

/// Takes what there is, but no more than is left, and tells how much that was.
fn count_down(left: &mut u64, there_is: usize) -> usize {
    let taken = usize::try_from(*left).map_or(there_is, |left| left.min(there_is));
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most {
        bytes: 100,
        fields: 3,
    };

    fn taken(framing: Framing, bytes: &[u8]) -> Result<(usize, bool), Fault> {
        let mut body = Body::new(framing, MOST);
        let whole = body.take(bytes).map(|taken| (taken, body.has_ended()));
        let mut body = Body::new(framing, MOST);
        let mut sum = 0;
        for byte in bytes {
            match body.take(std::slice::from_ref(byte)) {
                Ok(taken) => sum += taken,
                Err(fault) => {
                    assert_eq!(whole, Err(fault), "the same in one read or many");
                    return whole;
                }
            }
        }
        assert_eq!(
            whole,
            Ok((sum, body.has_ended())),
            "the same in one read or many"
        );
        whole
    }

    #[test]
    fn a_length_is_counted_down() {
        assert_eq!(taken(Framing::None, b"GET"), Ok((0, true)));
        assert_eq!(taken(Framing::Length(0), b"GET"), Ok((0, true)));
        assert_eq!(taken(Framing::Length(3), b"ab"), Ok((2, false)));
        assert_eq!(taken(Framing::Length(3), b"abcGET"), Ok((3, true)));
    }

    #[test]
    fn chunks_end_with_the_last_and_its_trailers() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n",
            "5;x=y; z=\"a b\"\r\nhello\r\n0;last\r\n\r\n",
            "5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\n",
        ] {
            let with_next = format!("{body}GET / HTTP/1.1\r\n");
            let all = (body.len(), true);
            assert_eq!(
                taken(Framing::Chunked, with_next.as_bytes()),
                Ok(all),
                "{body:?}"
            );
            let cut = &body[..body.len() - 1];
            let most = (cut.len(), false);
            assert_eq!(
                taken(Framing::Chunked, cut.as_bytes()),
                Ok(most),
                "{body:?}"
            );
        }
    }

    #[test]
    fn what_could_end_elsewhere_is_a_fault() {
        let long = format!("5;{}\r\n", "x".repeat(5000));
        let spread = "1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\na\r\n".repeat(120);
        for (body, fault) in [
            ("\r\n", ODD_SIZE),
            (";x\r\n", ODD_SIZE),
            ("0x5\r\nhello\r\n", ODD_SIZE),
            ("+5\r\nhello\r\n", ODD_SIZE),
            ("-5\r\nhello\r\n", ODD_SIZE),
            ("5_0\r\nhello\r\n", ODD_SIZE),
            (" 5\r\nhello\r\n", ODD_SIZE),
            ("5 \r\nhello\r\n", ODD_SIZE),
            ("5\nhello\r\n", ODD_SIZE),
            ("5\r\r\n", ODD_SIZE),
            ("g\r\n", ODD_SIZE),
            ("10000000000000005\r\nhello\r\n", HUGE),
            ("0000000000000000\r\n\r\n", HUGE),
            ("5;a\nb\r\nhello", ODD_EXTENSION),
            ("5;a\0b\r\nhello", ODD_EXTENSION),
            ("5;\r\nhello", ODD_EXTENSION),
            ("5;a=\"\r\nhello", ODD_EXTENSION),
            ("5;a\rb\r\nhello", ODD_SIZE),
            (&long, EXTENSIONS),
            (&spread, EXTENSIONS),
            ("5\r\nhello0\r\n\r\n", NO_END),
            ("5\r\nhello\n0\r\n\r\n", NO_END),
            ("5\r\nhello\r0\r\n\r\n", NO_END),
            ("4\r\nhello\r\n0\r\n\r\n", NO_END),
        ] {
            assert_eq!(
                taken(Framing::Chunked, body.as_bytes()),
                Err(fault),
                "{body:?}"
            );
        }
    }

    #[test]
    fn trailers_are_bounded_and_frame_nothing() {
        for trailers in [
            "A\r\n",
            " folded\r\n",
            "A: b\nC: d\r\n",
            "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n",
            "A: b\r\nA: b\r\nA: b\r\nA: b\r\n",
        ] {
            let body = format!("0\r\n{trailers}\r\n");
            assert!(
                taken(Framing::Chunked, body.as_bytes()).is_err(),
                "{body:?}"
            );
        }
        let long = format!("0\r\nA: {}\r\n\r\n", "x".repeat(200));
        assert!(taken(Framing::Chunked, long.as_bytes()).is_err());
    }
}
