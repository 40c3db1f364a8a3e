//! What a block has dropped, as the book of blocks shows it.

use floodwall_limiter::{
    Nanos, Scope, Source,
    block::{Block, BlockBook, By},
};
use floodwall_xdp::Reason;

use super::{
    harness::{Bench, needs_root, rules},
    packet::{SYN, ping, tcp, udp},
};

#[test]
fn a_listed_block_counts_the_packets_and_bytes_it_drops_and_no_others() {
    needs_root!();
    let bench = Bench::new();
    let program = bench.load(&rules());
    let book = BlockBook::over(bench.filter.memory().blocks);
    let source = Source::from([198, 51, 100, 7]);
    let block = Block {
        source,
        prefix: 32,
        scope: Scope::Listeners,
        by: By::Operator { uid: None },
        reason: "a test",
    };
    let (now, minute) = (Nanos::SECOND, Nanos::from_secs(60));
    let opened = book.open(&bench.table, block, minute, now).unwrap();
    assert!(opened.listed);

    let (mut packets, mut bytes) = (0, 0);
    for (packet, reason) in [
        (tcp("198.51.100.7", 443, SYN), Reason::Blocked),
        (udp("198.51.100.7", 443), Reason::Blocked),
        (
            tcp("198.51.100.7", 443, SYN).with_options(8),
            Reason::Blocked,
        ),
        (tcp("198.51.100.7", 22, SYN), Reason::Passed),
        (ping("198.51.100.7"), Reason::Passed),
        (tcp("198.51.100.8", 443, SYN), Reason::Passed),
    ] {
        let packet = packet.bytes();
        assert_eq!(bench.send(&program, &packet), reason);
        if reason == Reason::Blocked {
            packets += 1;
            bytes += packet.len() as u64;
        }
        let entry = book.get(&bench.table, source, Scope::Listeners, now);
        let entry = entry.unwrap();
        assert_eq!((entry.packets, entry.bytes), (packets, bytes));
    }
    assert_eq!(packets, 3);
}
