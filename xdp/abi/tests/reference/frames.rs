//! Frames that get far: layers put together from values that mean something, and then spoilt a little.

use proptest::prelude::*;

/// Layers of a frame; all that is a length is right.
pub(crate) fn frames() -> impl Strategy<Value = Vec<u8>> {
    let tags = prop::collection::vec(prop::sample::select(vec![0x8100_u16, 0x88a8]), 0..4);
    let layers = (tags, prop_oneof![version4(), version6(), other()]);
    let spoils = prop::collection::vec(spoil(), 0..3);
    (layers, spoils).prop_map(|((tags, (kind, packet)), spoils)| {
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        for tag in tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 7]);
        }
        frame.extend(kind.to_be_bytes());
        frame.extend(packet);
        for spoil in spoils {
            spoil.apply(&mut frame);
        }
        frame
    })
}

type Packet = (u16, Vec<u8>);

fn other() -> impl Strategy<Value = Packet> {
    (any::<u16>(), prop::collection::vec(any::<u8>(), 0..60))
}

fn version4() -> impl Strategy<Value = Packet> {
    let addresses = (address4(), address4());
    let options = 0..4_usize;
    let fragment = prop_oneof![
        4 => Just(0_u16),
        1 => Just(0x2000),
        2 => prop::sample::select(vec![1_u16, 2, 3, 0x2001, 0x2010, 0x1fff, 0x3fff, 0x4000]),
    ];
    (addresses, options, fragment, ttl(), transport(1)).prop_map(
        |((from, to), options, fragment, ttl, (protocol, payload))| {
            let header = 20 + options * 4;
            let mut packet = vec![0x40 | u8::try_from(header / 4).unwrap(), 0];
            packet.extend(u16::try_from(header + payload.len()).unwrap().to_be_bytes());
            packet.extend([0, 1]);
            packet.extend(fragment.to_be_bytes());
            packet.extend([ttl, protocol, 0, 0]);
            packet.extend(from);
            packet.extend(to);
            packet.extend(std::iter::repeat_n(1, options * 4));
            packet.extend(payload);
            (0x0800, packet)
        },
    )
}

fn version6() -> impl Strategy<Value = Packet> {
    let chain = prop_oneof![Just(Vec::new()), prop::collection::vec(extension(), 0..8)];
    (address6(), address6(), ttl(), chain, transport(58)).prop_map(
        |(from, to, ttl, chain, (mut next, mut payload))| {
            for (number, body) in chain {
                payload = [&[next], &body[..], &payload].concat();
                next = number;
            }
            let mut packet = vec![0x60, 0, 0, 0];
            packet.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
            packet.extend([next, ttl]);
            packet.extend(from);
            packet.extend(to);
            packet.extend(payload);
            (0x86dd, packet)
        },
    )
}

/// An extension header's number, and what follows its first byte.
fn extension() -> impl Strategy<Value = (u8, Vec<u8>)> {
    let options = (prop::sample::select(vec![0_u8, 43, 60]), 0..3_u8)
        .prop_map(|(number, units)| (number, body(units, usize::from(units) * 8 + 7)));
    let authentication = (1..5_u8).prop_map(|units| (51, body(units, usize::from(units) * 4 + 7)));
    let fields = vec![0_u16, 1, 6, 8, 9, 16, 17, 24, 0xfff8, 0xfff9];
    let fragment = prop::sample::select(fields).prop_map(|field| {
        let [high, low] = field.to_be_bytes();
        (44, vec![0, high, low, 0, 0, 0, 9])
    });
    prop_oneof![2 => options, 1 => authentication, 1 => fragment]
}

fn body(length: u8, bytes: usize) -> Vec<u8> {
    let mut body = vec![0; bytes];
    body[0] = length;
    body
}

/// A transport's number and bytes; `icmp` is that of the IP version.
fn transport(icmp: u8) -> impl Strategy<Value = (u8, Vec<u8>)> {
    let ports = prop::sample::select(vec![0_u16, 53, 67, 68, 443, 546, 547]);
    let text = prop::collection::vec(any::<u8>(), 0..40);
    let tcp = (ports.clone(), 4..8_u8, any::<u8>(), text.clone()).prop_map(
        |(port, words, flags, text)| {
            let mut header = vec![0; 20];
            header[2..4].copy_from_slice(&port.to_be_bytes());
            header[12] = words << 4;
            header[13] = flags;
            (6, [header, text].concat())
        },
    );
    let udp = (ports.clone(), ports.clone(), -2..3_i32, text.clone()).prop_map(
        |(from, to, off, text)| {
            let length = i32::try_from(8 + text.len()).unwrap() + off;
            let length = u16::try_from(length).unwrap();
            let fields = [from, to, length, 0];
            let header = fields.iter().flat_map(|field| field.to_be_bytes());
            (17, header.chain(text).collect())
        },
    );
    let sctp = (ports, 0..3_u8, text.clone()).prop_map(|(port, chunk, text)| {
        let mut header = vec![0; 16];
        header[2..4].copy_from_slice(&port.to_be_bytes());
        header[12] = chunk;
        (132, [header, text].concat())
    });
    let kinds = prop::sample::select(vec![0_u8, 2, 3, 8, 128, 130, 131, 133, 135, 137, 143]);
    let icmp = (
        prop::sample::select(vec![icmp, icmp, 1, 58]),
        kinds,
        0..6_u8,
        text.clone(),
    )
        .prop_map(|(number, kind, code, text)| (number, [vec![kind, code, 0, 0], text].concat()));
    let other = (
        prop::sample::select(vec![2_u8, 47, 50, 51, 59, 99, 255]),
        text,
    );
    prop_oneof![3 => tcp, 3 => udp, 1 => sctp, 2 => icmp, 1 => other]
}

fn ttl() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![1_u8, 2, 64, 255])
}

fn address4() -> impl Strategy<Value = [u8; 4]> {
    prop_oneof![
        3 => Just([198, 51, 100, 7]),
        3 => Just([192, 0, 2, 1]),
        1 => Just([127, 0, 0, 1]),
        1 => Just([0, 0, 0, 0]),
        1 => Just([255, 255, 255, 255]),
        1 => any::<[u8; 4]>(),
    ]
}

fn address6() -> impl Strategy<Value = [u8; 16]> {
    let known = [
        "2001:db8::1",
        "2001:db8::2",
        "::",
        "::1",
        "fe80::1",
        "ff02::1",
    ];
    let mapped = ["::ffff:192.0.2.1", "::1:0:0", "febf::1", "fec0::1"];
    let known = known.into_iter().chain(mapped);
    let known = known.map(|text| text.parse::<std::net::Ipv6Addr>().unwrap().octets());
    prop_oneof![
        4 => prop::sample::select(known.collect::<Vec<_>>()),
        1 => any::<[u8; 16]>(),
    ]
}

/// A way to spoil a frame.
#[derive(Clone, Debug)]
enum Spoil {
    Cut(prop::sample::Index),
    Pad(usize),
    Change(prop::sample::Index, u8),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Spoil::Cut),
        (1..30_usize).prop_map(Spoil::Pad),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Spoil::Change(at, byte)),
    ]
}

impl Spoil {
    fn apply(&self, frame: &mut Vec<u8>) {
        match self {
            Self::Cut(at) => frame.truncate(at.index(frame.len() + 1)),
            Self::Pad(bytes) => frame.extend(std::iter::repeat_n(0x02, *bytes)),
            Self::Change(_, _) if frame.is_empty() => {}
            Self::Change(at, byte) => {
                let at = at.index(frame.len());
                frame[at] = *byte;
            }
        }
    }
}
