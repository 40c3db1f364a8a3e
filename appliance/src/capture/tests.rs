use std::fs;

use super::*;

const ETHERNET: u16 = 1;

/// A frame of ten bytes.
const FRAME: [u8; 10] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

fn word(order: Order, number: u32) -> [u8; 4] {
    match order {
        Order::Little => number.to_le_bytes(),
        Order::Big => number.to_be_bytes(),
    }
}

fn words(order: Order, numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| word(order, *number))
        .collect()
}

/// A file with one packet of sixty bytes after 1.5 s, of which ten were kept.
fn pcap(order: Order, magic: u32, link: u32, fraction: u32) -> Vec<u8> {
    let version = match order {
        Order::Little => 2 | 4 << 16,
        Order::Big => 2 << 16 | 4,
    };
    let header = words(order, &[magic, version, 0, 0, 10, link]);
    let packet = words(order, &[1, fraction, 10, 60]);
    [header.as_slice(), &packet, &FRAME].concat()
}

/// A block of a pcapng file: its type, its length at both ends, and its body.
fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(12 + body.len()).unwrap();
    [&words(order, &[kind, length]), body, &word(order, length)].concat()
}

fn section(order: Order) -> Vec<u8> {
    let body = words(order, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]);
    block(order, 0x0a0d_0d0a, &body)
}

/// An interface that keeps ten bytes of a packet, with its options.
fn interface(order: Order, link: u16, options: &[u8]) -> Vec<u8> {
    let link = match order {
        Order::Little => link.to_le_bytes(),
        Order::Big => link.to_be_bytes(),
    };
    let body = [&link, [0, 0].as_slice(), &word(order, 10), options].concat();
    block(order, 1, &body)
}

fn resolution(order: Order, resolution: u8) -> Vec<u8> {
    match order {
        Order::Little => vec![9, 0, 1, 0, resolution, 0, 0, 0],
        Order::Big => vec![0, 9, 0, 1, resolution, 0, 0, 0],
    }
}

fn padded() -> Vec<u8> {
    [FRAME.as_slice(), &[0, 0]].concat()
}

fn enhanced(order: Order, interface: u32, units: u32) -> Vec<u8> {
    let body = words(order, &[interface, 0, units, 10, 60]);
    block(order, 6, &[body, padded()].concat())
}

/// A section, an interface with this link and resolution of time, and a packet of it.
fn pcapng(order: Order, link: u16, resolved: u8, units: u32) -> Vec<u8> {
    let options = resolution(order, resolved);
    let interface = interface(order, link, &options);
    [section(order), interface, enhanced(order, 0, units)].concat()
}

fn read(bytes: &[u8]) -> Result<Vec<Captured>, CaptureError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("capture");
    fs::write(&path, bytes).unwrap();
    Capture::open(&path)?.collect()
}

/// The only packet of a capture, whose frame is checked.
fn time_of(bytes: &[u8]) -> Duration {
    let packets = read(bytes).unwrap();
    let [packet] = packets.as_slice() else {
        panic!("one packet: {packets:?}");
    };
    assert_eq!(packet.frame.len(), 60, "all that it had");
    assert_eq!(packet.frame[..12], [&FRAME[..], &[0, 0]].concat());
    packet.at
}

const MOMENT: Duration = Duration::from_millis(1_500);

#[test]
fn pcap_is_read_in_both_byte_orders_and_units_though_its_packets_are_cut() {
    for order in [Order::Little, Order::Big] {
        assert_eq!(time_of(&pcap(order, 0xa1b2_c3d4, 1, 500_000)), MOMENT);
        assert_eq!(time_of(&pcap(order, 0xa1b2_3c4d, 1, 500_000_000)), MOMENT);
        // Checksums of four bytes behind each frame.
        let with_checksums = 1 | 0x4400_0000;
        let file = pcap(order, 0xa1b2_c3d4, with_checksums, 500_000);
        assert_eq!(time_of(&file), MOMENT);
    }
}

#[test]
fn pcapng_has_times_of_its_own_resolution() {
    for order in [Order::Little, Order::Big] {
        for (resolved, units) in [(6, 1_500_000), (3, 1_500), (0x80 | 4, 24)] {
            let file = pcapng(order, ETHERNET, resolved, units);
            assert_eq!(time_of(&file), MOMENT, "{order:?}, {resolved}");
        }
    }
}

#[test]
fn an_interface_may_add_seconds_to_its_times() {
    let order = Order::Little;
    for (offset, expected) in [(10_i64, 11_500), (-1, 500), (-5, 0)] {
        let options = [[14, 0, 8, 0].as_slice(), &offset.to_le_bytes()].concat();
        let interface = interface(order, ETHERNET, &options);
        let packet = enhanced(order, 0, 1_500_000);
        let file = [section(order), interface, packet].concat();
        assert_eq!(time_of(&file), Duration::from_millis(expected), "{offset}");
    }
}

#[test]
fn every_kind_of_block_with_a_packet_is_read_and_others_are_passed_over() {
    let order = Order::Little;
    let interface = interface(order, ETHERNET, &[]);
    let simple = block(order, 3, &[words(order, &[60]), padded()].concat());
    let fields = words(order, &[0, 0, 1_500_000, 10, 60]);
    let obsolete = block(order, 2, &[fields, padded()].concat());
    let statistics = block(order, 5, &words(order, &[0, 0, 0]));
    let custom = block(order, 0x0000_0bad, &words(order, &[7]));
    let begun = [section(order), custom, interface, statistics].concat();
    assert_eq!(time_of(&[begun.clone(), simple].concat()), Duration::ZERO);
    assert_eq!(time_of(&[begun, obsolete].concat()), MOMENT);
}

#[test]
fn a_section_may_have_another_byte_order_and_its_own_interfaces() {
    let first = pcapng(Order::Little, ETHERNET, 6, 1_500_000);
    let second = pcapng(Order::Big, ETHERNET, 3, 1_500);
    let packets = read(&[first.clone(), second].concat()).unwrap();
    let times: Vec<_> = packets.iter().map(|packet| packet.at).collect();
    assert_eq!(times, [MOMENT; 2]);
    let without = [first, section(Order::Big), enhanced(Order::Big, 0, 1)].concat();
    let message = read(&without).unwrap_err().to_string();
    assert!(message.contains("described nowhere"), "{message}");
}

#[test]
fn what_is_no_capture_of_ip_packets_is_an_error() {
    for file in [
        pcapng(Order::Little, 105, 6, 0),
        pcap(Order::Big, 0xa1b2_c3d4, 105, 0),
    ] {
        let wireless = read(&file).unwrap_err().to_string();
        assert!(
            wireless.contains("of link type 105; allowed: Ethernet (1)"),
            "{wireless}"
        );
    }
    for nothing in [
        b"listeners: {}".as_slice(),
        b"",
        b"\x0a\x0d\x0d\x0a",
        b"\xd4\xc3\xb2\xa1",
    ] {
        let unknown = read(nothing).unwrap_err().to_string();
        assert!(unknown.contains("neither pcap nor pcapng"), "{unknown}");
    }
}

#[test]
fn what_is_whole_comes_before_the_error_of_a_capture_that_is_cut() {
    let files = [
        (pcap(Order::Little, 0xa1b2_c3d4, 1, 0), 26),
        (pcapng(Order::Little, ETHERNET, 6, 0), 44),
    ];
    for (file, last) in files {
        let again = &file[file.len() - last..];
        let cut = [&file, &again[..last - 6]].concat();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        fs::write(&path, &cut).unwrap();
        let mut capture = Capture::open(&path).unwrap();
        assert_eq!(capture.next().unwrap().unwrap().frame.len(), 60);
        let message = capture.next().unwrap().unwrap_err().to_string();
        assert!(message.contains("is damaged"), "{message}");
    }
}

#[test]
fn a_length_that_no_packet_has_takes_no_memory() {
    let mut file = pcap(Order::Little, 0xa1b2_c3d4, 1, 0);
    file[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    let message = read(&file).unwrap_err().to_string();
    assert!(message.contains("allowed: at most 16777216"), "{message}");
}
