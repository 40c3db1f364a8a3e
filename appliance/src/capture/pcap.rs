//! pcap: a header, then packets with a header each (draft-ietf-opsawg-pcap).

use std::time::Duration;

use super::{Broken, Captured, Link, Order, Source, bytes, frame, run};

/// What a file says of all its packets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    order: Order,
    link: Link,
    /// How many nanoseconds the unit of the time's second word has.
    unit: u32,
    /// What a packet has beyond its header's four words, in bytes.
    more: u32,
}

/// The formats by their magic numbers: times in microseconds or in nanoseconds, and the longer headers of a patched
/// libpcap.
const FORMATS: [(u32, u32, u32); 3] = [
    (0xa1b2_c3d4, 1000, 0),
    (0xa1b2_3c4d, 1, 0),
    (0xa1b2_cd34, 1000, 8),
];

impl Header {
    /// Reads what is behind the magic number; none when that is none.
    pub(super) fn read(magic: [u8; 4], from: &mut Source) -> Result<Option<Self>, Broken> {
        let known = FORMATS.iter().find_map(|(number, unit, more)| {
            Order::of(magic, *number).map(|order| (order, *unit, *more))
        });
        let Some((order, unit, more)) = known else {
            return Ok(None);
        };
        let Some(rest) = bytes::<20>(from)? else {
            return Ok(None);
        };
        // The upper half tells how long the frames' checksums are: padding to us.
        let at = if order == Order::Little { 16 } else { 18 };
        let number = order.u16(&rest, at).unwrap_or_default();
        let link = Link::of(number).ok_or(Broken::Link(number))?;
        Ok(Some(Self {
            order,
            link,
            unit,
            more,
        }))
    }

    pub(super) fn next(&self, from: &mut Source) -> Result<Option<Captured>, Broken> {
        let Some(header) = bytes::<16>(from)? else {
            return Ok(None);
        };
        let word = |index: usize| self.order.u32(&header, index * 4).unwrap_or_default();
        run(from, self.more)?;
        let captured = run(from, word(2))?;
        let fraction = Duration::from_nanos(u64::from(word(1)) * u64::from(self.unit));
        Ok(Some(Captured {
            at: Duration::from_secs(word(0).into()) + fraction,
            frame: frame(self.link, captured, word(3)),
        }))
    }
}
