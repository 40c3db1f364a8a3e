//! The transport's ports, flags and types.

use super::{Checks, Facts, Icmp, Malformed, Odd, Port, odd};
use crate::{
    bytes::{Bytes, Forget as _, Window},
    rules::{CHECK_LENGTHS, CHECK_TCP_FLAGS},
};

const TCP: u8 = 6;
const IGMP: u8 = 2;
const UDP: u8 = 17;
const GRE: u8 = 47;
const ESP: u8 = 50;
const SCTP: u8 = 132;

/// A TCP header without options.
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const ICMP_HEADER: usize = 4;
const IGMP_HEADER: usize = 8;
const GRE_HEADER: usize = 4;
const ESP_HEADER: usize = 8;
/// The common header, and the header of the first chunk, which tells whether a packet opens an association.
const SCTP_HEADER: usize = 16;
const SCTP_INIT: u8 = 1;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// Where a transport header is.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) at: usize,
    /// Where the IP packet ends.
    pub(super) end: usize,
    /// It is the first fragment of a packet.
    pub(super) fragmented: bool,
}

impl Place {
    /// Whether a header of `length` bytes is in the IP packet, as the frame's padding is not.
    ///
    /// # Errors
    /// [`Malformed`] when it is not, for a fragment hides it so (RFC 1858).
    #[inline(always)]
    fn holds(self, length: usize) -> Result<bool, Malformed> {
        let holds = self.at + length <= self.end;
        if self.fragmented && !holds {
            return Err(Malformed);
        }
        Ok(holds)
    }
}

/// A transport header at a known place.
#[derive(Clone, Copy)]
pub(super) struct Transport {
    pub(super) protocol: u8,
    pub(super) port: Port,
    pub(super) icmp: Icmp,
    pub(super) facts: Facts,
    pub(super) odd: Odd,
    /// UDP's [`ports`]; zero for all else.
    pub(super) udp_ports: u32,
    /// ICMP's type and code, the type in the upper byte.
    pub(super) message: u16,
}

impl Transport {
    /// ICMP's type.
    #[inline(always)]
    pub(super) const fn kind(self) -> u8 {
        (self.message >> 8) as u8
    }

    /// The same without what led to it: see [`Bytes::forget`].
    #[inline(always)]
    pub(super) fn forgotten<B: Bytes + ?Sized>(self, bytes: &B) -> Self {
        Self {
            protocol: bytes.forget_u8(self.protocol),
            port: Port::from_bits(bytes.forget_u32(self.port.bits())),
            icmp: Icmp::from_row(bytes.forget_u32(self.icmp.row())),
            facts: self.facts.forgotten(bytes),
            odd: self.odd.forgotten(bytes),
            udp_ports: bytes.forget_u32(self.udp_ports),
            message: bytes.forget_u16(self.message),
        }
    }
}

/// The ports from where and to where, as they lie side by side in a header.
pub(super) const fn ports(from: u16, to: u16) -> u32 {
    (from as u32) << 16 | to as u32
}

/// Parses the header at a place of the protocol with this number; `icmp` is the number of this IP version's ICMP.
#[inline(always)]
pub(super) fn parse<B: Bytes + ?Sized>(
    bytes: &B,
    place: Place,
    number: u8,
    icmp: u8,
    checks: impl Checks,
) -> Result<Transport, Malformed> {
    match number {
        TCP => tcp(bytes, place, checks),
        UDP => udp(bytes, place, checks),
        SCTP => sctp(bytes, place, checks),
        _ if number == icmp => self::icmp(bytes, place, number, checks),
        IGMP => opaque::<B, IGMP_HEADER>(bytes, place, number, checks),
        GRE => opaque::<B, GRE_HEADER>(bytes, place, number, checks),
        ESP => opaque::<B, ESP_HEADER>(bytes, place, number, checks),
        _ => opaque::<B, 0>(bytes, place, number, checks),
    }
}

/// Whether a later fragment, so many bytes behind the first, would overwrite what the first one showed of the transport
/// header: TCP's flags (RFC 3128) and what is behind them, or the kind of SCTP's first chunk. The first fragment has
/// all of it, or is malformed itself.
#[inline(always)]
pub(super) fn is_overlapped(number: u8, offset: usize) -> bool {
    number == TCP && offset < TCP_HEADER || number == SCTP && offset < SCTP_HEADER
}

/// What is known of a transport whose header is in another fragment.
#[inline(always)]
pub(super) fn of_later_fragment(number: u8, icmp: u8) -> Transport {
    Transport {
        icmp: if number == icmp {
            Icmp::UNTYPED
        } else {
            Icmp::NONE
        },
        ..only(number)
    }
}

#[inline(always)]
fn only(protocol: u8) -> Transport {
    Transport {
        protocol,
        port: Port::NONE,
        icmp: Icmp::NONE,
        facts: Facts::NONE,
        odd: Odd::NOTHING,
        udp_ports: 0,
        message: 0,
    }
}

#[inline(always)]
fn tcp<B: Bytes + ?Sized>(
    bytes: &B,
    place: Place,
    checks: impl Checks,
) -> Result<Transport, Malformed> {
    let header = bytes.window::<TCP_HEADER>(place.at).ok_or(Malformed)?;
    let fits = place.holds(TCP_HEADER)?;
    let flags = header.u8(13);
    let bad_length = || {
        let length = usize::from(header.u8(12) >> 4) * 4;
        let ends = place.at + length <= place.end;
        !fits || length < TCP_HEADER || !(ends || place.fragmented)
    };
    let bad_flags = || BOGUS >> (flags & 0x3f) & 1 != 0;
    Ok(Transport {
        port: Port::new(header.u16(2)),
        facts: Facts::OPENS
            .when(flags & (SYN | ACK) == SYN)
            .with(Facts::RESETTABLE.when(flags & RST == 0 && !place.fragmented)),
        odd: odd(checks, CHECK_LENGTHS, Odd::LENGTH, bad_length).with(odd(
            checks,
            CHECK_TCP_FLAGS,
            Odd::TCP_FLAGS,
            bad_flags,
        )),
        ..only(TCP)
    })
}

/// By the six flags of RFC 793, which of their combinations nobody sends in good faith.
const BOGUS: u64 = {
    let mut bogus = 0;
    let mut flags = 0;
    while flags < 64 {
        let contradiction = flags & SYN != 0 && flags & (FIN | RST) != 0;
        let unfounded = flags & (FIN | ACK) == FIN;
        // Nothing at all, a Xmas packet, and all that RFC 9293, 3.10.7.4 drops for want of an acknowledgement.
        let nameless = flags & (SYN | RST | ACK) == 0;
        if contradiction || unfounded || nameless {
            bogus |= 1 << flags;
        }
        flags += 1;
    }
    bogus
};

#[inline(always)]
fn udp<B: Bytes + ?Sized>(
    bytes: &B,
    place: Place,
    checks: impl Checks,
) -> Result<Transport, Malformed> {
    let header = bytes.window::<UDP_HEADER>(place.at).ok_or(Malformed)?;
    let fits = place.holds(UDP_HEADER)?;
    let bad_length = || {
        let length = usize::from(header.u16(4));
        let ends = place.at + length <= place.end;
        // Zero is a jumbogram's (RFC 2675), which ends nowhere that could be told.
        let jumbo = length == 0 && place.end == super::ipv6::UNKNOWN_END;
        !fits || length < UDP_HEADER && !jumbo || !(ends || place.fragmented)
    };
    Ok(Transport {
        port: Port::new(header.u16(2)),
        odd: odd(checks, CHECK_LENGTHS, Odd::LENGTH, bad_length),
        udp_ports: header.u32(0),
        ..only(UDP)
    })
}

#[inline(always)]
fn sctp<B: Bytes + ?Sized>(
    bytes: &B,
    place: Place,
    checks: impl Checks,
) -> Result<Transport, Malformed> {
    let header = bytes.window::<SCTP_HEADER>(place.at).ok_or(Malformed)?;
    let fits = place.holds(SCTP_HEADER)?;
    Ok(Transport {
        port: Port::new(header.u16(2)),
        facts: Facts::OPENS.when(header.u8(12) == SCTP_INIT),
        odd: odd(checks, CHECK_LENGTHS, Odd::LENGTH, || !fits),
        ..only(SCTP)
    })
}

#[inline(always)]
fn icmp<B: Bytes + ?Sized>(
    bytes: &B,
    place: Place,
    number: u8,
    checks: impl Checks,
) -> Result<Transport, Malformed> {
    let header = bytes.window::<ICMP_HEADER>(place.at).ok_or(Malformed)?;
    let fits = place.holds(ICMP_HEADER)?;
    let kind = header.u8(0);
    Ok(Transport {
        icmp: if number == super::ipv4::ICMP {
            Icmp::v4(kind)
        } else {
            Icmp::v6(kind)
        },
        odd: odd(checks, CHECK_LENGTHS, Odd::LENGTH, || !fits),
        message: header.u16(0),
        ..only(number)
    })
}

/// A protocol of which nothing is read, but that its header is there.
#[inline(always)]
fn opaque<B: Bytes + ?Sized, const N: usize>(
    bytes: &B,
    place: Place,
    number: u8,
    checks: impl Checks,
) -> Result<Transport, Malformed> {
    bytes.window::<N>(place.at).ok_or(Malformed)?;
    let fits = place.holds(N)?;
    Ok(Transport {
        odd: odd(checks, CHECK_LENGTHS, Odd::LENGTH, || !fits),
        ..only(number)
    })
}
