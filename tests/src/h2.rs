//! A client of HTTP/2 that sends any frame in any order: what a real client would not do is what it is for.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::wait::PATIENCE;

/// Types of frames (RFC 9113, 6).
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// Reasons to end a stream or a connection (RFC 9113, 7).
pub mod reason {
    pub const NO_ERROR: u32 = 0;
    pub const PROTOCOL_ERROR: u32 = 1;
    pub const CANCEL: u32 = 8;
    pub const ENHANCE_YOUR_CALM: u32 = 11;
}

/// Settings (RFC 9113, 6.5.2).
pub mod setting {
    pub const HEADER_TABLE_SIZE: u16 = 1;
    pub const INITIAL_WINDOW_SIZE: u16 = 4;
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection.
#[derive(Debug)]
pub struct Http2 {
    stream: TcpStream,
    received: Vec<u8>,
    next_stream: u32,
}

/// A frame as it is on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

/// How a stream ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Statuses of interim responses.
    pub interim: Vec<u16>,
    pub status: Option<u16>,
    pub body: Vec<u8>,
    /// The reason of its reset, if it was reset.
    pub reset: Option<u32>,
}

impl Frame {
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        let payload = payload.into();
        Self {
            kind,
            flags,
            stream,
            payload,
        }
    }

    pub fn reset(stream: u32, reason: u32) -> Self {
        Self::new(kind::RST_STREAM, 0, stream, reason.to_be_bytes())
    }

    pub fn data(stream: u32, bytes: &[u8], end: bool) -> Self {
        Self::new(kind::DATA, u8::from(end) * flag::END_STREAM, stream, bytes)
    }

    /// A whole header block in one frame.
    pub fn headers(stream: u32, fields: &[(&str, &str)], end: bool) -> Self {
        let flags = flag::END_HEADERS | (u8::from(end) * flag::END_STREAM);
        Self::new(kind::HEADERS, flags, stream, block(fields))
    }

    /// The reason that a reset or a farewell gives.
    pub fn reason(&self) -> Option<u32> {
        let at = usize::from(self.kind == kind::GOAWAY) * 4;
        let bytes = self.payload.get(at..at + 4)?.try_into().ok()?;
        matches!(self.kind, kind::RST_STREAM | kind::GOAWAY).then_some(u32::from_be_bytes(bytes))
    }

    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & flag::END_STREAM > 0
    }

    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a frame is small");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}

/// A header block of literals, without compression (RFC 7541, 6.2.2).
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            integer(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541, 5.1).
fn integer(into: &mut Vec<u8>, value: usize) {
    let Some(mut rest) = value.checked_sub(127) else {
        into.extend(u8::try_from(value));
        return;
    };
    into.push(127);
    while rest >= 128 {
        into.push(u8::try_from(rest % 128).expect("less than 128") | 128);
        rest /= 128;
    }
    into.extend(u8::try_from(rest));
}

impl Http2 {
    /// Connects, and says what a client says first.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect(server: SocketAddr) -> io::Result<Self> {
        Self::connect_from(server, None, &[])
    }

    /// Connects from an address, with settings.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn connect_from(
        server: SocketAddr,
        from: Option<IpAddr>,
        settings: &[(u16, u32)],
    ) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
        if let Some(from) = from {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        socket.connect_timeout(&server.into(), PATIENCE)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut client = Self {
            stream,
            received: Vec::new(),
            next_stream: 1,
        };
        // Without a table the statuses of responses can be read as they stand.
        let settings: Vec<u8> = [(setting::HEADER_TABLE_SIZE, 0)]
            .iter()
            .chain(settings)
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        client.write(PREFACE)?;
        client.send(&Frame::new(kind::SETTINGS, 0, 0, settings))?;
        Ok(client)
    }

    /// # Errors
    /// When the connection is closed, or full for too long.
    pub fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.write(&frame.bytes())
    }

    /// # Errors
    /// As [`Http2::send`].
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The number of a new stream, which is not opened yet.
    pub fn new_stream(&mut self) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        stream
    }

    /// Opens a stream with a header block of these fields, as they are.
    ///
    /// # Errors
    /// As [`Http2::send`].
    pub fn open(&mut self, fields: &[(&str, &str)], end: bool) -> io::Result<u32> {
        let stream = self.new_stream();
        self.send(&Frame::headers(stream, fields, end))?;
        Ok(stream)
    }

    /// Opens a stream with a request for `path` and more fields.
    ///
    /// # Errors
    /// As [`Http2::send`].
    pub fn request(
        &mut self,
        method: &str,
        path: &str,
        more: &[(&str, &str)],
        end: bool,
    ) -> io::Result<u32> {
        let first = [
            (":method", method),
            (":scheme", "http"),
            (":authority", "example.org"),
            (":path", path),
        ];
        self.open(&[&first[..], more].concat(), end)
    }

    /// Gets a path.
    ///
    /// # Errors
    /// When the connection breaks, or says nothing for too long.
    pub fn get(&mut self, path: &str) -> io::Result<Ended> {
        let stream = self.request("GET", path, &[], true)?;
        self.end_of(stream)
    }

    /// The next frame; none when the server has closed. Settings and pings are answered.
    ///
    /// # Errors
    /// When the connection breaks, or says nothing for too long.
    pub fn frame(&mut self) -> io::Result<Option<Frame>> {
        let Some(head) = self.take(9)? else {
            return Ok(None);
        };
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let length = usize::try_from(length).expect("24 bits");
        let payload = self.take(length)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let frame = Frame::new(head[3], head[4], stream, payload);
        if matches!(frame.kind, kind::SETTINGS | kind::PING) && frame.flags & flag::ACK == 0 {
            let payload = match frame.kind {
                kind::PING => frame.payload.clone(),
                _ => Vec::new(),
            };
            // A server that has closed its reading side may still have something to say.
            let _ = self.send(&Frame::new(frame.kind, flag::ACK, 0, payload));
        }
        Ok(Some(frame))
    }

    /// Reads until a stream has ended; what comes on others is passed over. DATA is paid for.
    ///
    /// # Errors
    /// When the connection breaks or ends first, or says nothing for too long.
    pub fn end_of(&mut self, stream: u32) -> io::Result<Ended> {
        let mut ended = Ended::default();
        loop {
            let frame = self.frame()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if frame.stream != stream {
                continue;
            }
            match frame.kind {
                kind::HEADERS => match status(&frame.payload) {
                    Some(interim @ 100..=199) => ended.interim.push(interim),
                    status => ended.status = ended.status.or(status),
                },
                kind::DATA => {
                    ended.body.extend(&frame.payload);
                    self.pay(&frame);
                }
                kind::RST_STREAM => ended.reset = frame.reason(),
                _ => {}
            }
            if frame.ends_stream() || frame.kind == kind::RST_STREAM {
                return Ok(ended);
            }
        }
    }

    /// Opens the windows again by what a frame took of them.
    fn pay(&mut self, frame: &Frame) {
        let length = u32::try_from(frame.payload.len()).expect("a frame is small");
        if length == 0 {
            return;
        }
        for stream in [0, frame.stream] {
            let payment = Frame::new(kind::WINDOW_UPDATE, 0, stream, length.to_be_bytes());
            // A server that has said all may be gone by now.
            let _ = self.send(&payment);
        }
    }

    /// Reads until the server says that it will close, and tells the reason. What comes before is passed over.
    ///
    /// # Errors
    /// When the connection breaks, or says nothing for too long.
    pub fn farewell_begins(&mut self) -> io::Result<Option<u32>> {
        while let Some(frame) = self.frame()? {
            if frame.kind == kind::GOAWAY {
                return Ok(frame.reason());
            }
        }
        Ok(None)
    }

    /// Reads until the server closes, and tells the reason of its last farewell.
    ///
    /// # Errors
    /// When it does not close in time.
    pub fn farewell(&mut self) -> io::Result<Option<u32>> {
        let mut reason = None;
        loop {
            match self.frame() {
                Ok(Some(frame)) if frame.kind == kind::GOAWAY => reason = frame.reason(),
                Ok(Some(_)) => {}
                Ok(None) => return Ok(reason),
                // What was sent behind the end turns it into a reset.
                Err(error) if is_end(&error) => return Ok(reason),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits no longer than this for whatever comes next.
    ///
    /// # Errors
    /// When the socket is gone.
    pub fn be_patient_for(&self, patience: Duration) -> io::Result<()> {
        self.stream.set_read_timeout(Some(patience))
    }

    fn take(&mut self, length: usize) -> io::Result<Option<Vec<u8>>> {
        while self.received.len() < length {
            let mut bytes = [0; 16 << 10];
            match self.stream.read(&mut bytes)? {
                0 => return Ok(None),
                count => self.received.extend(&bytes[..count]),
            }
        }
        let rest = self.received.split_off(length);
        Ok(Some(std::mem::replace(&mut self.received, rest)))
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof
    )
}

/// The status that a block without a table begins with (RFC 7541, appendices A and B).
fn status(block: &[u8]) -> Option<u16> {
    let start = block.iter().position(|byte| byte & 0xe0 != 0x20)?;
    let block = &block[start..];
    match block {
        [indexed @ 0x88..=0x8e, ..] => {
            Some([200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)])
        }
        // A literal with the name of entry 8 to 14, and a value in Huffman's code or without.
        [_, length, value @ ..] => {
            let value = value.get(..usize::from(length & 0x7f))?;
            if length & 0x80 == 0 {
                str::from_utf8(value).ok()?.parse().ok()
            } else {
                Some(digits(value))
            }
        }
        _ => None,
    }
}

/// Three digits in Huffman's code: 0 to 2 have five bits, the others six.
fn digits(code: &[u8]) -> u16 {
    let mut bits = code
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    (0..3).fold(0, |number, _| {
        let five = bits.by_ref().take(5).fold(0, |code, bit| code << 1 | bit);
        let digit = match five {
            0..=2 => five,
            _ => (five << 1 | bits.next().unwrap_or_default()) - 0b01_1001 + 3,
        };
        number * 10 + digit
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_as_servers_write_them() {
        assert_eq!(status(&[0x20, 0x88]), Some(200));
        assert_eq!(status(&[0x8d, 0x00]), Some(404));
        assert_eq!(status(b"\x08\x03429"), Some(429));
        // "302" and "429" in Huffman's code.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Some(302));
        assert_eq!(status(&[0x08, 0x83, 0x68, 0x4f, 0xff]), Some(429));
    }
}
