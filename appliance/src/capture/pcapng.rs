//! pcapng: blocks of every kind, of which those with packets and with interfaces are read (draft-ietf-opsawg-pcapng).

use std::time::Duration;

use super::{Broken, Captured, Damage, Link, Order, Source, bytes, frame, run};

/// What a section begins with, in any byte order.
pub(super) const SECTION: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
/// Obsolete, and still written by some.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// What every block has: type and length before, and the length again behind.
const FRAMING: u32 = 12;

/// A section of a file, and what it has said of its interfaces so far.
#[derive(Debug)]
pub(super) struct Section {
    order: Order,
    interfaces: Vec<Interface>,
}

/// An interface that packets were captured on.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u16,
    /// The most bytes that are kept of a packet.
    most: u32,
    clock: Clock,
}

/// What times of an interface mean.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// Units of time in a second.
    rate: u128,
    /// Seconds that are to be added.
    offset: i64,
}

impl Section {
    /// Reads the rest of a section's header, whose type was read; none when it is none.
    pub(super) fn read(from: &mut Source) -> Result<Option<Self>, Broken> {
        let Some([length, magic]) = bytes::<8>(from)?.map(halves) else {
            return Ok(None);
        };
        let Some(order) = Order::of(magic, BYTE_ORDER) else {
            return Ok(None);
        };
        let found = order.number(length);
        let rest = found.checked_sub(FRAMING).filter(|rest| *rest >= 16);
        let rest = rest.ok_or(Broken::Damage(Damage::Small { found }))?;
        // The magic was read; the length at the end was not.
        run(from, rest)?;
        Ok(Some(Self {
            order,
            interfaces: Vec::new(),
        }))
    }

    /// Goes on to the next block with a packet.
    pub(super) fn next(&mut self, from: &mut Source) -> Result<Option<Captured>, Broken> {
        loop {
            let Some(kind) = bytes::<4>(from)? else {
                return Ok(None);
            };
            if kind == SECTION {
                *self = Self::read(from)?.ok_or(Broken::Damage(Damage::Short))?;
                continue;
            }
            let body = self.body(from)?;
            let packet = match self.order.number(kind) {
                INTERFACE => {
                    let interface = Interface::read(self.order, &body);
                    self.interfaces.push(interface.ok_or_else(|| small(&body))?);
                    continue;
                }
                ENHANCED_PACKET => Packet::enhanced(self.order, &body),
                PACKET => Packet::obsolete(self.order, &body),
                SIMPLE_PACKET => self.simple(&body),
                _ => continue,
            };
            return self.captured(packet?).map(Some);
        }
    }

    /// Reads what is behind a block's type, without its lengths.
    fn body(&self, from: &mut Source) -> Result<Vec<u8>, Broken> {
        let length = bytes::<4>(from)?.ok_or(Broken::Damage(Damage::Short))?;
        let found = self.order.number(length);
        let padded = found.checked_next_multiple_of(4).unwrap_or(found);
        let body = padded
            .checked_sub(FRAMING)
            .ok_or(Broken::Damage(Damage::Small { found }))?;
        let body = run(from, body)?;
        run(from, 4)?;
        Ok(body)
    }

    /// A packet without a time, of the first interface, which says how much of it is there.
    fn simple(&self, body: &[u8]) -> Result<Packet, Broken> {
        let original = self.order.u32(body, 0).ok_or_else(|| small(body))?;
        let most = self.interfaces.first().map_or(0, |first| first.most);
        let kept = if most == 0 {
            original
        } else {
            original.min(most)
        };
        Packet::of(body, 4, kept, original)
    }

    fn captured(&self, packet: Packet) -> Result<Captured, Broken> {
        let number = packet.interface;
        let of = usize::try_from(number).ok();
        let of = of.and_then(|index| self.interfaces.get(index));
        let of = of.ok_or(Broken::Damage(Damage::Interface(number)))?;
        let link = Link::of(of.link).ok_or(Broken::Link(of.link))?;
        Ok(Captured {
            at: of.clock.time(packet.units),
            frame: frame(link, packet.data, packet.original),
        })
    }
}

/// What a block says of a packet.
struct Packet {
    interface: u32,
    units: u64,
    original: u32,
    data: Vec<u8>,
}

impl Packet {
    fn enhanced(order: Order, body: &[u8]) -> Result<Self, Broken> {
        let interface = order.u32(body, 0).ok_or_else(|| small(body))?;
        Self::timed(order, body, interface)
    }

    /// Its interface is a half word, before the number of packets that were lost.
    fn obsolete(order: Order, body: &[u8]) -> Result<Self, Broken> {
        let interface = order.u16(body, 0).ok_or_else(|| small(body))?;
        Self::timed(order, body, interface.into())
    }

    /// Both have the same behind that: the time's halves, and the lengths.
    fn timed(order: Order, body: &[u8], interface: u32) -> Result<Self, Broken> {
        let word = |index: usize| order.u32(body, index * 4).ok_or_else(|| small(body));
        let units = u64::from(word(1)?) << 32 | u64::from(word(2)?);
        let (kept, original) = (word(3)?, word(4)?);
        let packet = Self::of(body, 20, kept, original)?;
        Ok(Self {
            interface,
            units,
            ..packet
        })
    }

    /// The packet whose bytes begin at some place of a block.
    fn of(body: &[u8], at: usize, kept: u32, original: u32) -> Result<Self, Broken> {
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        let data = body.get(at..).and_then(|rest| rest.get(..kept));
        Ok(Self {
            interface: 0,
            units: 0,
            original,
            data: data.ok_or_else(|| small(body))?.to_vec(),
        })
    }
}

impl Interface {
    fn read(order: Order, body: &[u8]) -> Option<Self> {
        Some(Self {
            link: order.u16(body, 0)?,
            most: order.u32(body, 4)?,
            clock: Clock::read(order, body.get(8..)?),
        })
    }
}

impl Clock {
    const RESOLUTION: u16 = 9;
    const OFFSET: u16 = 14;

    /// Microseconds, unless the options say otherwise.
    fn read(order: Order, options: &[u8]) -> Self {
        let mut clock = Self {
            rate: 1_000_000,
            offset: 0,
        };
        let mut rest = options;
        while let (Some(code), Some(length)) = (order.u16(rest, 0), order.u16(rest, 2)) {
            let length = usize::from(length);
            let value = rest.get(4..4 + length).unwrap_or_default();
            match (code, value) {
                (Self::RESOLUTION, [resolution, ..]) => clock.rate = rate(*resolution),
                (Self::OFFSET, value) if value.len() == 8 => {
                    clock.offset = offset(order, value);
                }
                _ => {}
            }
            rest = rest
                .get(4 + length.next_multiple_of(4)..)
                .unwrap_or_default();
        }
        clock
    }

    fn time(self, units: u64) -> Duration {
        let nanos = u128::from(units).saturating_mul(1_000_000_000) / self.rate;
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let offset = Duration::from_secs(self.offset.unsigned_abs());
        if self.offset < 0 {
            time.saturating_sub(offset)
        } else {
            time.saturating_add(offset)
        }
    }
}

/// The upper bit tells whether the others are an exponent of two or of ten.
fn rate(resolution: u8) -> u128 {
    let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
    base.checked_pow(u32::from(resolution & 0x7f))
        .unwrap_or(u128::MAX)
}

/// Eight bytes, in the byte order of the section.
fn offset(order: Order, value: &[u8]) -> i64 {
    let word = |at| u64::from(order.u32(value, at).unwrap_or_default());
    let bits = match order {
        Order::Little => word(4) << 32 | word(0),
        Order::Big => word(0) << 32 | word(4),
    };
    bits.cast_signed()
}

fn halves(bytes: [u8; 8]) -> [[u8; 4]; 2] {
    let half = |start: usize| std::array::from_fn(|at| bytes[start + at]);
    [half(0), half(4)]
}

fn small(body: &[u8]) -> Broken {
    let found = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let found = found.saturating_add(FRAMING);
    Broken::Damage(Damage::Small { found })
}
