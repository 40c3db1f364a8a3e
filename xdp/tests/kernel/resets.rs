//! The answer to a blocked source's TCP: what it says, and who gets none.

use floodwall_limiter::{Nanos, Quota, Scope};
use floodwall_xdp::{Action, BlockAction, Checks, Loaded, Outcome, Rules};

use super::{
    answer,
    harness::{Bench, needs_root, rules},
    packet::{ACK, FIN, Packet, RST, SYN, tcp, udp},
};

const V4: &str = "198.51.100.7";
const V6: &str = "2001:db8:7::7";
const VLAN: u16 = 0x8100;

/// Both sources blocked, with so many resets at once and none after them.
fn blocked(resets: u64) -> (Bench, Loaded) {
    let bench = Bench::new();
    for source in [V4, V6] {
        bench.block(source, Scope::Listeners, Nanos::MAX);
    }
    let program = bench.load(&Rules {
        checks: Checks {
            tcp_flags: Action::Pass,
            ..Checks::default()
        },
        block_action: BlockAction::Reset(Quota::new(1, Nanos::from_secs(3600), resets)),
        ..rules()
    });
    (bench, program)
}

/// A segment with numbers of its own and so many bytes of text.
fn segment(from: &str, flags: u8, text: usize) -> Packet {
    let mut packet = tcp(from, 443, flags);
    packet.payload[4..8].copy_from_slice(&SEQUENCE.to_be_bytes());
    packet.payload[8..12].copy_from_slice(&ACKNOWLEDGED.to_be_bytes());
    packet.payload.resize(20 + text, 7);
    packet
}

const SEQUENCE: u32 = 0xffff_fff0;
const ACKNOWLEDGED: u32 = 0x0102_0304;

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    sequence: u32,
    acknowledged: u32,
    flags: u8,
}

fn read(answer: &[u8], question: &[u8], tags: usize) -> Said {
    let reset = answer::segment(answer, question, tags, 20);
    Said {
        sequence: answer::word(reset, 4),
        acknowledged: answer::word(reset, 8),
        flags: reset[13],
    }
}

#[test]
fn a_segment_is_answered_with_the_reset_that_it_asks_for() {
    needs_root!();
    let (bench, program) = blocked(1000);
    // RFC 9293, 3.10.7.1.
    let at = |sequence| Said {
        sequence,
        acknowledged: 0,
        flags: RST,
    };
    let of = |length: u32| Said {
        sequence: 0,
        acknowledged: SEQUENCE.wrapping_add(length),
        flags: RST | ACK,
    };
    for from in [V4, V6] {
        for (what, packet, tags, said) in [
            ("SYN", segment(from, SYN, 0), 0, of(1)),
            ("SYN with text", segment(from, SYN, 100), 0, of(101)),
            ("SYN and FIN", segment(from, FIN | SYN, 9), 0, of(11)),
            ("ACK", segment(from, ACK, 0), 0, at(ACKNOWLEDGED)),
            ("text", segment(from, ACK, 1400), 0, at(ACKNOWLEDGED)),
            (
                "more than a buffer",
                segment(from, ACK, 5000),
                0,
                at(ACKNOWLEDGED),
            ),
            (
                "FIN and ACK",
                segment(from, FIN | ACK, 0),
                0,
                at(ACKNOWLEDGED),
            ),
            ("a tag", segment(from, SYN, 0).tagged(&[VLAN]), 1, of(1)),
            (
                "two tags",
                segment(from, SYN, 9).tagged(&[0x88a8, VLAN]),
                2,
                of(10),
            ),
        ] {
            let question = packet.bytes();
            let (_, run) = bench.decided(|| program.test_run(&question, 1).unwrap());
            assert_eq!(run.action, Outcome::Answer, "{what} from {from}");
            assert_eq!(
                read(&run.frame, &question, tags),
                said,
                "{what} from {from}"
            );
        }
    }
    let options = segment(V4, SYN, 3).with_options(12).bytes();
    let (_, run) = bench.decided(|| program.test_run(&options, 1).unwrap());
    assert_eq!(read(&run.frame, &options, 0), of(4), "options");
    let chain = segment(V6, SYN, 3)
        .behind(60, &[0; 7])
        .behind(0, &[0; 7])
        .bytes();
    let (_, run) = bench.decided(|| program.test_run(&chain, 1).unwrap());
    assert_eq!(read(&run.frame, &chain, 0), of(4), "extension headers");
}

#[test]
fn what_may_not_be_answered_is_dropped() {
    needs_root!();
    let (bench, program) = blocked(1000);
    let group = {
        let mut frame = segment(V4, SYN, 0).bytes();
        frame[0] |= 1;
        frame
    };
    for (what, packet) in [
        ("a reset", segment(V4, RST, 0).bytes()),
        ("a reset over IPv6", segment(V6, RST | ACK, 0).bytes()),
        ("UDP", udp(V4, 443).bytes()),
        (
            "a first fragment",
            segment(V4, SYN, 4).fragment(0x2000).bytes(),
        ),
        ("to a group", group),
    ] {
        let (_, run) = bench.decided(|| program.test_run(&packet, 1).unwrap());
        assert_eq!(run.action, Outcome::Drop, "{what}");
    }
    assert_eq!(bench.filter.counters().unwrap().resets, 0);
}

#[test]
fn resets_go_out_at_their_rate_and_the_rest_is_dropped() {
    needs_root!();
    let (bench, program) = blocked(7);
    let packet = segment(V4, SYN, 0).bytes();
    let answers = (0..50)
        .filter(|_| {
            let (_, run) = bench.decided(|| program.test_run(&packet, 1).unwrap());
            run.action == Outcome::Answer
        })
        .count();
    assert_eq!(answers, 7);
    assert_eq!(bench.filter.counters().unwrap().resets, 7);
}
