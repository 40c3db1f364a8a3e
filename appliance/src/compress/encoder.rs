//! One body being compressed.

use std::{
    fmt,
    io::{self, Write},
    sync::{Mutex, PoisonError},
};

use brotli::CompressorWriter;
use bytes::Bytes;
use flate2::write::GzEncoder;
use floodwall_config::{Algorithm, CompressionLevel as Level};

/// Compresses a body part by part.
pub struct Encoder {
    /// None once it has ended.
    coder: Option<Coder>,
    /// Whether every part is to arrive at once, at some cost in size.
    is_stream: bool,
}

enum Coder {
    // Its state is some KiB large in itself, the others' lies elsewhere.
    Gzip(Box<GzEncoder<Vec<u8>>>),
    Br(Box<CompressorWriter<Vec<u8>>>),
    /// Never locked: the coder is not `Sync`, and a request's context must be.
    Zstd(Box<Mutex<zstd::stream::write::Encoder<'static, Vec<u8>>>>),
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("is_stream", &self.is_stream)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// Begins a body. One that is a stream is flushed after every part.
    pub fn new(algorithm: Algorithm, level: Level, is_stream: bool) -> Self {
        let coder = match algorithm {
            Algorithm::Gzip => {
                let level = flate2::Compression::new(gzip_level(level));
                Some(Coder::Gzip(Box::new(GzEncoder::new(Vec::new(), level))))
            }
            Algorithm::Br => {
                let coder = CompressorWriter::new(Vec::new(), 4096, br_level(level), BR_WINDOW);
                Some(Coder::Br(Box::new(coder)))
            }
            // Creating it fails for want of memory only; the body would then end at once.
            Algorithm::Zstd => zstd::stream::write::Encoder::new(Vec::new(), zstd_level(level))
                .ok()
                .map(|coder| Coder::Zstd(Box::new(Mutex::new(coder)))),
        };
        Self { coder, is_stream }
    }

    /// Compresses the next part, and the end if it is the last. Gives what is to be sent now, which may be nothing.
    ///
    /// # Errors
    /// When the coder is out of memory, or the body has ended before.
    pub fn encode(&mut self, part: &[u8], end: bool) -> io::Result<Bytes> {
        let coder = self.coder.as_mut();
        let coder = coder.ok_or(io::ErrorKind::WriteZero)?;
        coder.write(part)?;
        if end {
            return self
                .coder
                .take()
                .map_or(Ok(Vec::new()), Coder::finish)
                .map(Bytes::from);
        }
        if self.is_stream && !part.is_empty() {
            coder.flush()?;
        }
        Ok(Bytes::from(std::mem::take(coder.written())))
    }
}

impl Coder {
    fn write(&mut self, part: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(coder) => coder.write_all(part),
            Self::Br(coder) => coder.write_all(part),
            Self::Zstd(coder) => alone(coder).write_all(part),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(coder) => coder.flush(),
            Self::Br(coder) => coder.flush(),
            Self::Zstd(coder) => alone(coder).flush(),
        }
    }

    fn written(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(coder) => coder.get_mut(),
            Self::Br(coder) => coder.get_mut(),
            Self::Zstd(coder) => alone(coder).get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(coder) => coder.finish(),
            // Taking the writer out writes the end.
            Self::Br(coder) => Ok(coder.into_inner()),
            Self::Zstd(coder) => coder
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)
                .finish(),
        }
    }
}

fn alone<T>(mutex: &mut Mutex<T>) -> &mut T {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

/// As much memory as gzip and zstd take for a body, not the 4 MiB that are usual for files.
const BR_WINDOW: u32 = 18;

const fn gzip_level(level: Level) -> u32 {
    match level {
        Level::Fast => 1,
        Level::Balanced => 5,
        Level::Best => 9,
    }
}

const fn br_level(level: Level) -> u32 {
    match level {
        Level::Fast => 2,
        Level::Balanced => 4,
        Level::Best => 9,
    }
}

const fn zstd_level(level: Level) -> i32 {
    match level {
        Level::Fast => 1,
        Level::Balanced => 3,
        Level::Best => 12,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const ALL: [Algorithm; 3] = [Algorithm::Gzip, Algorithm::Br, Algorithm::Zstd];

    /// What a client makes of it; an error when the end is missing.
    fn decoded(algorithm: Algorithm, coded: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        match algorithm {
            Algorithm::Gzip => flate2::read::GzDecoder::new(coded).read_to_end(&mut plain)?,
            Algorithm::Br => brotli::Decompressor::new(coded, 4096).read_to_end(&mut plain)?,
            Algorithm::Zstd => zstd::stream::read::Decoder::new(coded)?.read_to_end(&mut plain)?,
        };
        Ok(plain)
    }

    #[test]
    fn a_body_in_parts_comes_out_whole_and_ended() {
        let body = "a line of text that comes again and again\n".repeat(10_000);
        for algorithm in ALL {
            for is_stream in [false, true] {
                for level in [Level::Fast, Level::Balanced, Level::Best] {
                    let mut encoder = Encoder::new(algorithm, level, is_stream);
                    let mut coded = Vec::new();
                    for part in body.as_bytes().chunks(100_000) {
                        coded.extend(encoder.encode(part, false).unwrap());
                    }
                    let before = coded.len();
                    coded.extend(encoder.encode(b"", true).unwrap());
                    assert!(coded.len() < body.len() / 20, "{algorithm:?}");
                    assert_eq!(decoded(algorithm, &coded).unwrap(), body.as_bytes());
                    let cut = decoded(algorithm, &coded[..before]);
                    assert!(cut.map_or(true, |cut| cut != body.as_bytes()) || is_stream);
                    assert!(encoder.encode(b"x", true).is_err());
                }
            }
        }
    }

    #[test]
    fn every_part_of_a_stream_can_be_read_at_once() {
        for algorithm in ALL {
            let mut encoder = Encoder::new(algorithm, Level::Balanced, true);
            let coded = encoder.encode(b"first", false).unwrap();
            let mut plain = [0; 5];
            match algorithm {
                Algorithm::Gzip => flate2::read::GzDecoder::new(&coded[..]).read_exact(&mut plain),
                Algorithm::Br => brotli::Decompressor::new(&coded[..], 64).read_exact(&mut plain),
                Algorithm::Zstd => zstd::stream::read::Decoder::new(&coded[..])
                    .unwrap()
                    .read_exact(&mut plain),
            }
            .unwrap();
            assert_eq!(&plain, b"first", "{algorithm:?}");
        }
    }
}
