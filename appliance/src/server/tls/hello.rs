//! What a client says of itself in its first message (RFC 8446, 4.1.2), read from the bytes as they come.
//!
//! The handshake itself is rustls' work, which does not tell all of this. Nothing depends on what is read here but
//! fingerprints; a message that is wrong is refused there.

/// A client's hello, as far as fingerprints go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hello {
    pub(super) legacy_version: u16,
    pub(super) ciphers: Vec<u16>,
    /// The types of the extensions, in their order.
    pub(super) extensions: Vec<u16>,
    pub(super) versions: Vec<u16>,
    pub(super) signature_algorithms: Vec<u16>,
    /// The first protocol that is offered.
    pub(super) alpn: Option<Vec<u8>>,
}

/// Bytes that are no hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

pub(super) const SERVER_NAME: u16 = 0;
pub(super) const ALPN: u16 = 16;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SUPPORTED_VERSIONS: u16 = 43;

/// The content type of records that carry handshakes, and the type of the message in them.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

impl Hello {
    /// Reads the message at the beginning of a connection; none as long as it is not whole.
    ///
    /// # Errors
    /// [`Malformed`].
    pub(super) fn read(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(message) = message(bytes)? else {
            return Ok(None);
        };
        Self::body(&mut Reader(&message)).ok_or(Malformed).map(Some)
    }

    fn body(reader: &mut Reader<'_>) -> Option<Self> {
        let legacy_version = reader.u16()?;
        let _random = reader.take(32)?;
        let _session = reader.vector8()?;
        let ciphers = reader.vector16()?.all_u16()?;
        let _compressions = reader.vector8()?;
        let mut hello = Self {
            legacy_version,
            ciphers,
            ..Self::default()
        };
        if reader.0.is_empty() {
            return Some(hello);
        }
        let mut extensions = reader.vector16()?;
        while !extensions.0.is_empty() {
            let (kind, content) = (extensions.u16()?, extensions.vector16()?);
            hello.extension(kind, content)?;
        }
        Some(hello)
    }

    fn extension(&mut self, kind: u16, mut content: Reader<'_>) -> Option<()> {
        self.extensions.push(kind);
        match kind {
            SUPPORTED_VERSIONS => self.versions = content.vector8()?.all_u16()?,
            SIGNATURE_ALGORITHMS => self.signature_algorithms = content.vector16()?.all_u16()?,
            ALPN => self.alpn = Some(content.vector16()?.vector8()?.0.to_vec()),
            _ => {}
        }
        Some(())
    }
}

/// The message that the records carry, without its header.
fn message(bytes: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let (mut reader, mut message) = (Reader(bytes), Vec::new());
    loop {
        if let Some(&[kind, a, b, c]) = message.first_chunk() {
            let length = u32::from_be_bytes([0, a, b, c]) as usize;
            if kind != CLIENT_HELLO {
                return Err(Malformed);
            }
            if let Some(body) = message.get(4..4 + length) {
                return Ok(Some(body.to_vec()));
            }
        }
        if reader.0.first().is_some_and(|kind| *kind != HANDSHAKE) {
            return Err(Malformed);
        }
        let Some(fragment) = reader.take(3).and_then(|_| reader.vector16()) else {
            return Ok(None);
        };
        if fragment.0.is_empty() {
            return Err(Malformed);
        }
        message.extend_from_slice(fragment.0);
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.first_chunk()?;
        Some(u16::from_be_bytes(*bytes))
    }

    /// A length of one byte, and what it counts.
    fn vector8(&mut self) -> Option<Reader<'a>> {
        let length = *self.take(1)?.first()?;
        self.take(usize::from(length)).map(Reader)
    }

    /// A length of two bytes, and what it counts.
    fn vector16(&mut self) -> Option<Reader<'a>> {
        let length = self.u16()?;
        self.take(usize::from(length)).map(Reader)
    }

    fn all_u16(&mut self) -> Option<Vec<u16>> {
        let mut numbers = Vec::with_capacity(self.0.len() / 2);
        while !self.0.is_empty() {
            numbers.push(self.u16()?);
        }
        Some(numbers)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A hello with two ciphers and three extensions, in records of at most `most` bytes.
    fn hello(most: usize) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.push(0);
        body.extend([0, 4, 0x13, 0x01, 0xc0, 0x2b]);
        body.extend([1, 0]);
        let extensions = [
            &[0, 43, 0, 3, 2, 3, 4][..],
            &[0, 13, 0, 4, 0, 2, 4, 3],
            &[0, 16, 0, 5, 0, 3, 2, b'h', b'2'],
        ]
        .concat();
        body.extend([0, u8::try_from(extensions.len()).unwrap()]);
        body.extend(extensions);
        let mut message = vec![CLIENT_HELLO, 0, 0, u8::try_from(body.len()).unwrap()];
        message.extend(body);
        let record = |part: &[u8]| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&[HANDSHAKE, 3, 1][..], &length, part].concat()
        };
        message.chunks(most).flat_map(record).collect()
    }

    #[test]
    fn it_is_read_whole_however_it_is_cut() {
        let expected = Hello {
            legacy_version: 0x0303,
            ciphers: vec![0x1301, 0xc02b],
            extensions: vec![43, 13, 16],
            versions: vec![0x0304],
            signature_algorithms: vec![0x0403],
            alpn: Some(b"h2".to_vec()),
        };
        for most in [1, 7, 1000] {
            let bytes = hello(most);
            assert_eq!(Hello::read(&bytes), Ok(Some(expected.clone())));
            for end in 0..bytes.len() {
                assert_eq!(Hello::read(&bytes[..end]), Ok(None));
            }
        }
    }

    #[test]
    fn what_is_none_is_seen() {
        let mut wrong = hello(1000);
        // The length of the ciphers.
        wrong[5 + 4 + 35] = 0xff;
        assert_eq!(Hello::read(&wrong), Err(Malformed));
        assert_eq!(Hello::read(b"GET / HTTP/1.1\r\n"), Err(Malformed));
        assert_eq!(Hello::read(&[HANDSHAKE, 3, 1, 0, 0]), Err(Malformed));
        assert_eq!(
            Hello::read(&[HANDSHAKE, 3, 1, 0, 4, 2, 0, 0, 0]),
            Err(Malformed)
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0..90_usize) {
            let _ = Hello::read(&bytes);
            let mut nearly = hello(1000);
            let end = (at + bytes.len()).min(nearly.len());
            let at = at.min(end);
            nearly[at..end].copy_from_slice(&bytes[..end - at]);
            let _ = Hello::read(&nearly);
        }
    }
}
