//! Captures of packets in files: pcap, and pcapng as newer tools write it.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Seek},
    path::{Path, PathBuf},
    time::Duration,
};

use pcap_file::{
    DataLink, PcapError,
    pcap::PcapReader,
    pcapng::{
        Block, PcapNgReader,
        blocks::interface_description::{InterfaceDescriptionBlock, InterfaceDescriptionOption},
    },
};

/// A packet of a capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// Since 1970.
    pub at: Duration,
    /// The frame in its original length: what was not captured of it is zeros.
    pub frame: Vec<u8>,
}

/// A capture that is being read.
pub struct Capture {
    path: PathBuf,
    format: Format,
}

/// Why a capture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    #[error("cannot read {}: {cause}", .path.display())]
    Io { path: PathBuf, cause: io::Error },
    #[error("{} is neither pcap nor pcapng, which `tcpdump -w` writes", .0.display())]
    Unknown(PathBuf),
    #[error("{} is damaged: {cause}", .path.display())]
    Damaged { path: PathBuf, cause: PcapError },
    #[error("{} has packets of {found:?}; allowed: Ethernet", .path.display())]
    Link { path: PathBuf, found: DataLink },
}

type Source = BufReader<File>;

enum Format {
    Pcap(PcapReader<Source>),
    PcapNg(PcapNgReader<Source>),
}

/// A frame that claims to have been longer than this is taken as it was captured.
const LONGEST: usize = 65_550;

impl Capture {
    /// # Errors
    /// When there is no such file, or it is no capture of Ethernet frames.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let io = |cause| CaptureError::Io {
            path: path.to_owned(),
            cause,
        };
        let open = || File::open(path).map(BufReader::new);
        let mut file = open().map_err(io)?;
        let format = if let Ok(reader) = PcapReader::new(&mut file) {
            check(path, reader.header().datalink)?;
            file.rewind().map_err(io)?;
            PcapReader::new(file).map(Format::Pcap)
        } else {
            PcapNgReader::new(open().map_err(io)?).map(Format::PcapNg)
        };
        Ok(Self {
            path: path.to_owned(),
            format: format.map_err(|_| CaptureError::Unknown(path.to_owned()))?,
        })
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Capture({})", self.path.display())
    }
}

impl Iterator for Capture {
    type Item = Result<Captured, CaptureError>;

    /// The next packet; an error when the file is damaged from here on.
    fn next(&mut self) -> Option<Self::Item> {
        let path = &self.path;
        let damaged = |cause| CaptureError::Damaged {
            path: path.clone(),
            cause,
        };
        match &mut self.format {
            Format::Pcap(reader) => {
                let packet = reader.next_packet()?;
                let read = packet.map(|packet| Captured {
                    at: packet.timestamp,
                    frame: whole(&packet.data, packet.orig_len),
                });
                Some(read.map_err(damaged))
            }
            Format::PcapNg(reader) => next_of(reader, path).transpose(),
        }
    }
}

/// Goes on to the next block with a packet.
fn next_of(
    reader: &mut PcapNgReader<Source>,
    path: &Path,
) -> Result<Option<Captured>, CaptureError> {
    let damaged = |cause| CaptureError::Damaged {
        path: path.to_owned(),
        cause,
    };
    while let Some(block) = reader.next_block() {
        match block.map_err(damaged)?.into_owned() {
            Block::EnhancedPacket(packet) => {
                let interface = reader.packet_interface(&packet);
                let of = interface
                    .ok_or_else(|| damaged(PcapError::InvalidInterfaceId(packet.interface_id)))?;
                check(path, of.linktype)?;
                return Ok(Some(Captured {
                    // The reader takes every unit for a nanosecond.
                    at: time(packet.timestamp.as_nanos(), of),
                    frame: whole(&packet.data, packet.original_len),
                }));
            }
            Block::SimplePacket(packet) => {
                return Ok(Some(Captured {
                    at: Duration::ZERO,
                    frame: whole(&packet.data, packet.original_len),
                }));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn check(path: &Path, link: DataLink) -> Result<(), CaptureError> {
    if link == DataLink::ETHERNET {
        return Ok(());
    }
    Err(CaptureError::Link {
        path: path.to_owned(),
        found: link,
    })
}

/// The time of so many units of an interface's clock; microseconds unless it says otherwise (pcapng, 4.2).
fn time(units: u128, interface: &InterfaceDescriptionBlock<'_>) -> Duration {
    let resolution = interface.options.iter().find_map(|option| match option {
        InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
        _ => None,
    });
    let resolution = resolution.unwrap_or(6);
    let exponent = u32::from(resolution & 0x7f);
    let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
    let in_a_second = base.checked_pow(exponent).unwrap_or(u128::MAX);
    let nanos = units.saturating_mul(1_000_000_000) / in_a_second;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

fn whole(captured: &[u8], original: u32) -> Vec<u8> {
    let mut frame = captured.to_vec();
    let original = usize::try_from(original).unwrap_or(usize::MAX);
    if original > frame.len() && original <= LONGEST {
        frame.resize(original, 0);
    }
    frame
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A block of a pcapng file: its type, its length at both ends, and its body in words.
    fn block(kind: u32, body: &[u32]) -> Vec<u8> {
        let length = u32::try_from(12 + body.len() * 4).unwrap();
        let words = [&[kind, length], body, &[length]].concat();
        words.iter().flat_map(|word| word.to_le_bytes()).collect()
    }

    /// A section, an interface with this link and resolution of time, and a packet of it after 1.5 s.
    fn pcapng(link: u32, resolution: u8, units: u32) -> Vec<u8> {
        let section = block(0x0a0d_0d0a, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]);
        let option = [9 | 1 << 16, u32::from(resolution), 0];
        let interface = block(1, &[&[link, 0][..], &option].concat());
        let packet = block(6, &[0, 0, units, 8, 60, 0x0403_0201, 0x0807_0605]);
        [section, interface, packet].concat()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Captured>, CaptureError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        fs::write(&path, bytes).unwrap();
        Capture::open(&path)?.collect()
    }

    #[test]
    fn pcapng_has_times_of_its_own_resolution_and_packets_of_their_whole_length() {
        for (resolution, units) in [(6, 1_500_000), (3, 1_500), (0x80 | 4, 24)] {
            let packets = read(&pcapng(1, resolution, units)).unwrap();
            let [packet] = packets.as_slice() else {
                panic!("one packet: {packets:?}");
            };
            assert_eq!(packet.at, Duration::from_millis(1_500), "{resolution}");
            assert_eq!(packet.frame.len(), 60);
            assert_eq!(packet.frame[..10], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0]);
        }
    }

    #[test]
    fn what_is_no_capture_of_ethernet_is_an_error() {
        let no_ethernet = read(&pcapng(101, 6, 0)).unwrap_err().to_string();
        assert!(no_ethernet.contains("allowed: Ethernet"), "{no_ethernet}");
        let unknown = read(b"listeners: {}").unwrap_err().to_string();
        assert!(unknown.contains("neither pcap nor pcapng"), "{unknown}");
        let whole = pcapng(1, 6, 0);
        let damaged = read(&whole[..whole.len() - 5]).unwrap_err().to_string();
        assert!(damaged.contains("damaged"), "{damaged}");
    }
}
