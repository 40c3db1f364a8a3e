//! A datagram as three numbers, which is what a global function can be given.

use floodwall_xdp_abi::{Address, Datagram, Port, Protocol};

/// Source address and the rest.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) high: u64,
    pub(crate) low: u64,
    pub(crate) rest: u64,
}

/// Bits of `rest`: the port, the flags, the protocol.
const PORT: u64 = 0x1ffff;
const OPENS: u64 = 1 << 17;
const V6: u64 = 1 << 18;
const PROTOCOL: u64 = 32;

impl Facts {
    #[inline(always)]
    pub(crate) fn of(datagram: Datagram) -> Self {
        let mut rest = (datagram.protocol as u64) << PROTOCOL | u64::from(datagram.port.bits());
        if datagram.opens {
            rest |= OPENS;
        }
        match datagram.source {
            Address::V4(bits) => Self {
                high: 0,
                low: u64::from(bits),
                rest,
            },
            Address::V6 { high, low } => Self {
                high,
                low,
                rest: rest | V6,
            },
        }
    }

    #[inline(always)]
    pub(crate) fn datagram(self) -> Datagram {
        Datagram {
            source: if self.rest & V6 == 0 {
                Address::V4(self.low as u32)
            } else {
                Address::V6 {
                    high: self.high,
                    low: self.low,
                }
            },
            protocol: match self.rest >> PROTOCOL {
                0 => Protocol::Tcp,
                1 => Protocol::Udp,
                2 => Protocol::Icmp,
                _ => Protocol::Other,
            },
            port: Port::from_bits((self.rest & PORT) as u32),
            opens: self.rest & OPENS != 0,
        }
    }
}
