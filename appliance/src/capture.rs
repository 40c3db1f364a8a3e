//! Captures of packets in files: pcap, and pcapng as newer tools write it.
//!
//! They are read as tcpdump reads them: in any byte order, cut short or not, of every kind of link that carries IP and
//! that a host has. Packets come one after the other, so that a capture need not fit into memory.

mod link;
mod order;
mod pcap;
mod pcapng;

use std::{
    fmt,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    time::Duration,
};

use link::Link;
use order::Order;

/// A packet of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Since 1970.
    pub at: Duration,
    /// The Ethernet frame in its original length: what was not captured of it is zeros, and the header is made up
    /// where the link has another.
    pub frame: Vec<u8>,
}

/// A capture that is being read.
pub struct Capture {
    name: String,
    from: Source,
    format: Format,
}

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("cannot read {name}: {cause}")]
    Io { name: String, cause: io::Error },
    #[error("{0} is neither pcap nor pcapng, which `tcpdump -w` writes")]
    Unknown(String),
    #[error("{name} is damaged: {damage}")]
    Damaged { name: String, damage: Damage },
    #[error("{name} has packets of link type {found}; allowed: {}", link::ALLOWED)]
    Link { name: String, found: u16 },
}

/// What is wrong in the middle of a capture.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    #[error("it ends in the middle of a packet")]
    Short,
    #[error("a packet or block of {found} bytes; allowed: at most {LONGEST_BLOCK}")]
    Long { found: u32 },
    #[error("a block of {found} bytes, less than it must have")]
    Small { found: u32 },
    #[error("a packet of interface {0}, which is described nowhere")]
    Interface(u32),
}

type Source = BufReader<Box<dyn Read>>;

enum Format {
    Pcap(pcap::Header),
    PcapNg(pcapng::Section),
}

/// What keeps a packet from being read.
#[derive(Debug)]
enum Broken {
    Io(io::Error),
    Damage(Damage),
    Link(u16),
}

/// A frame that claims to have been longer than this is taken as it was captured.
const LONGEST_FRAME: usize = 65_550;

/// Captures have nothing longer: 256 KiB are the most that tcpdump takes of a packet.
const LONGEST_BLOCK: u32 = 16 << 20;

impl Capture {
    /// Opens the file at a path, or standard input for `-`.
    ///
    /// # Errors
    /// When there is no such file, or it is no capture of IP packets.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            return Self::read("standard input".to_owned(), Box::new(io::stdin()));
        }
        let name = path.display().to_string();
        match File::open(path) {
            Ok(file) => Self::read(name, Box::new(file)),
            Err(cause) => Err(CaptureError::Io { name, cause }),
        }
    }

    fn read(name: String, from: Box<dyn Read>) -> Result<Self, CaptureError> {
        let mut from = BufReader::new(from);
        match Format::of(&mut from) {
            Ok(Some(format)) => Ok(Self { name, from, format }),
            // What ends before its own header is none.
            Ok(None) | Err(Broken::Damage(_)) => Err(CaptureError::Unknown(name)),
            Err(broken) => Err(broken.of(&name)),
        }
    }
}

impl Format {
    /// Reads what a capture begins with; none when it is none.
    fn of(from: &mut Source) -> Result<Option<Self>, Broken> {
        let Some(magic) = bytes::<4>(from)? else {
            return Ok(None);
        };
        if magic == pcapng::SECTION {
            return pcapng::Section::read(from).map(|section| section.map(Self::PcapNg));
        }
        Ok(pcap::Header::read(magic, from)?.map(Self::Pcap))
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capture({})", self.name)
    }
}

impl Iterator for Capture {
    type Item = Result<Captured, CaptureError>;

    /// The next packet; an error when the file is damaged from here on.
    fn next(&mut self) -> Option<Self::Item> {
        let packet = match &mut self.format {
            Format::Pcap(header) => header.next(&mut self.from),
            Format::PcapNg(section) => section.next(&mut self.from),
        };
        packet.map_err(|broken| broken.of(&self.name)).transpose()
    }
}

impl Broken {
    fn of(self, name: &str) -> CaptureError {
        let name = name.to_owned();
        match self {
            Self::Io(cause) => CaptureError::Io { name, cause },
            Self::Damage(damage) => CaptureError::Damaged { name, damage },
            Self::Link(found) => CaptureError::Link { name, found },
        }
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damage(Damage::Short),
            _ => Self::Io(error),
        }
    }
}

/// The next bytes; none where the capture ends.
fn bytes<const N: usize>(from: &mut Source) -> Result<Option<[u8; N]>, Broken> {
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(Some(bytes))
}

/// So many of the next bytes.
fn run(from: &mut Source, length: u32) -> Result<Vec<u8>, Broken> {
    if length > LONGEST_BLOCK {
        return Err(Broken::Damage(Damage::Long { found: length }));
    }
    let mut run = Vec::new();
    // Memory is taken for what is there, not for what is claimed.
    from.take(length.into()).read_to_end(&mut run)?;
    if run.len() as u64 == u64::from(length) {
        Ok(run)
    } else {
        Err(Broken::Damage(Damage::Short))
    }
}

/// What was captured of a packet on a link, as the frame that it was.
fn frame(link: Link, captured: Vec<u8>, original: u32) -> Vec<u8> {
    let mut whole = captured;
    let original = usize::try_from(original).unwrap_or(usize::MAX);
    if original > whole.len() && original <= LONGEST_FRAME {
        whole.resize(original, 0);
    }
    link.frame(whole)
}

#[cfg(test)]
mod tests;
