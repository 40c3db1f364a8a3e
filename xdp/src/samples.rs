//! Samples of what the program drops, at most at the rules' rate.

use std::{
    fmt,
    net::IpAddr,
    os::fd::{AsFd, BorrowedFd},
};

use aya::maps::{Map, MapData, RingBuf};
use floodwall_limiter::{Nanos, Source};
use floodwall_xdp_abi::{
    Port, Reason,
    maps::{self, SAMPLES},
};

use crate::Error;

/// One of the dropped packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// On `CLOCK_MONOTONIC`, to some milliseconds.
    pub time: Nanos,
    /// `None` when the packet could not be parsed.
    pub source: Option<IpAddr>,
    /// The destination port, of a packet that has one.
    pub port: Option<u16>,
    /// The number of the protocol above IP.
    pub protocol: u8,
    pub reason: Reason,
    /// The name of the limit that refused it, if it is one of the present generation's.
    pub limit: Option<String>,
    /// The interface's number.
    pub ifindex: u32,
    /// Of its frame.
    pub bytes: u32,
}

/// The ring buffer that the program puts samples into. Its descriptor is readable when there is one.
pub struct Samples(RingBuf<MapData>);

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Samples(..)")
    }
}

impl AsFd for Samples {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Samples {
    pub(crate) fn over(map: MapData) -> Result<Self, Error> {
        RingBuf::try_from(Map::RingBuf(map))
            .map(Self)
            .map_err(|error| Error::kernel(format!("open {SAMPLES}"), error))
    }

    /// Takes out the oldest sample. `name` tells the name of a limit by its id.
    pub(crate) fn next(&mut self, mut name: impl FnMut(u64) -> Option<String>) -> Option<Sample> {
        loop {
            let item = self.0.next()?;
            // What another layout has left is skipped.
            if let Some(sample) = raw(&item).and_then(|raw| named(&raw, &mut name)) {
                return Some(sample);
            }
        }
    }
}

/// Reads a sample as it is laid out.
fn raw(bytes: &[u8]) -> Option<maps::Sample> {
    let mut words = bytes
        .chunks_exact(8)
        .filter_map(|word| word.try_into().ok().map(u64::from_ne_bytes));
    let mut word = || words.next();
    let (time, source, limit) = (word()?, [word()?, word()?], word()?);
    let halves = |word: u64| word.to_ne_bytes();
    let low = |half: [u8; 8]| u32::from_ne_bytes([half[0], half[1], half[2], half[3]]);
    let high = |half: [u8; 8]| u32::from_ne_bytes([half[4], half[5], half[6], half[7]]);
    let (first, second) = (halves(word()?), halves(word()?));
    Some(maps::Sample {
        time,
        source,
        limit,
        bytes: low(first),
        ifindex: high(first),
        port: low(second),
        protocol: u16::from_ne_bytes([second[4], second[5]]),
        reason: u16::from_ne_bytes([second[6], second[7]]),
    })
}

fn named(raw: &maps::Sample, name: impl FnOnce(u64) -> Option<String>) -> Option<Sample> {
    let port = Port::from_bits(raw.port);
    Some(Sample {
        time: Nanos(raw.time),
        source: (raw.source != [0, 0]).then(|| Source::from_words(raw.source).address()),
        port: port.is_some().then(|| port.number()),
        protocol: u8::try_from(raw.protocol).ok()?,
        reason: *Reason::ALL.get(usize::from(raw.reason))?,
        limit: name(raw.limit),
        ifindex: raw.ifindex,
        bytes: raw.bytes,
    })
}
