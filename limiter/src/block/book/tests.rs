use super::*;
use crate::Prefixes;

const SECRET: Secret = Secret { k0: 7, k1: 11 };
const NOW: Nanos = Nanos::from_secs(1000);

fn source(address: &str) -> Source {
    Source::of(address.parse().unwrap(), Prefixes::default())
}

fn block(address: &str) -> Block<'_> {
    Block {
        source: source(address),
        prefix: 32,
        scope: Scope::Listeners,
        by: By::Limit,
        reason: "per-client",
    }
}

type Both = (FlowTable<Box<[Set]>>, BlockBook<Box<[Record]>>);

fn setup() -> Both {
    (FlowTable::own(1024, SECRET), BlockBook::own(16))
}

#[test]
fn a_block_is_listed_counted_and_ends_by_itself() {
    let (table, book) = setup();
    let opened = book
        .open(&table, block("192.0.2.7"), Nanos::from_secs(5), NOW)
        .unwrap();
    assert_eq!(
        opened,
        Opened {
            until: NOW.plus(Nanos::from_secs(5)),
            listed: true
        }
    );

    let flow = flow(SECRET, source("192.0.2.7"), Scope::Listeners);
    book.dropped(flow, 60);
    book.dropped(flow, 40);
    let [entry] = &book.list(&table, NOW)[..] else {
        panic!("one block")
    };
    assert_eq!(
        (entry.network().as_str(), entry.reason.as_str()),
        ("192.0.2.7", "per-client")
    );
    assert_eq!((entry.packets, entry.bytes, entry.since), (2, 100, NOW));
    assert!(table.blocked(flow, NOW).listeners);

    assert!(book.list(&table, opened.until).is_empty());
    assert!(!table.blocked(flow, opened.until).listeners);
}

#[test]
fn the_later_end_wins_and_the_count_goes_on() {
    let (table, book) = setup();
    let first = block("192.0.2.7");
    let flow = flow(SECRET, first.source, first.scope);
    book.open(&table, first, Nanos::from_secs(60), NOW).unwrap();
    book.dropped(flow, 1);

    let later = NOW.plus(Nanos::SECOND);
    let by_hand = Block {
        by: By::Operator { uid: Some(1000) },
        reason: "looks odd",
        ..first
    };
    let shorter = book.open(&table, by_hand, Nanos::SECOND, later).unwrap();
    assert_eq!(shorter.until, NOW.plus(Nanos::from_secs(60)));
    let entry = book.get(&table, first.source, first.scope, later).unwrap();
    assert_eq!((entry.by, entry.packets, entry.since), (By::Limit, 1, NOW));

    book.open(&table, by_hand, Nanos::from_secs(3600), later)
        .unwrap();
    let entry = book.get(&table, first.source, first.scope, later).unwrap();
    assert_eq!(
        (entry.by, entry.packets, entry.since),
        (By::Operator { uid: Some(1000) }, 1, NOW)
    );
    assert_eq!(entry.until, later.plus(Nanos::from_secs(3600)));
}

#[test]
fn a_second_block_of_a_source_counts_from_nothing() {
    let (table, book) = setup();
    let opened = book
        .open(&table, block("192.0.2.7"), Nanos::SECOND, NOW)
        .unwrap();
    book.dropped(flow(SECRET, source("192.0.2.7"), Scope::Listeners), 60);
    let again = opened.until.plus(Nanos::SECOND);
    book.open(&table, block("192.0.2.7"), Nanos::SECOND, again)
        .unwrap();
    let [entry] = &book.list(&table, again)[..] else {
        panic!("one block")
    };
    assert_eq!((entry.packets, entry.since), (0, again));
}

#[test]
fn a_pardon_ends_one_scope_or_both() {
    let (table, book) = setup();
    let here = block("192.0.2.7");
    let host = Block {
        scope: Scope::Host,
        ..here
    };
    for each in [here, host] {
        book.open(&table, each, Nanos::from_secs(5), NOW).unwrap();
    }
    assert_eq!(book.list(&table, NOW).len(), 2);
    assert!(book.close(&table, here.source, Some(Scope::Host), NOW));
    assert_eq!(book.list(&table, NOW)[0].scope, Scope::Listeners);
    assert!(book.close(&table, here.source, None, NOW));
    assert!(book.list(&table, NOW).is_empty());
    assert!(!book.close(&table, here.source, None, NOW));
}

#[test]
fn a_full_book_blocks_all_the_same_and_has_room_again_when_blocks_end() {
    let table = FlowTable::own(1 << 16, SECRET);
    let book = BlockBook::own(4);
    let all: Vec<String> = (0..5).map(|host| format!("192.0.2.{host}")).collect();
    for address in &all {
        book.open(&table, block(address), Nanos::SECOND, NOW)
            .unwrap();
        assert!(
            table
                .blocked(flow(SECRET, source(address), Scope::Host), NOW)
                .listeners
        );
    }
    assert_eq!((book.list(&table, NOW).len(), book.unlisted()), (4, 1));
    let later = NOW.plus(Nanos::SECOND);
    assert!(
        book.open(&table, block("198.51.100.1"), Nanos::SECOND, later)
            .unwrap()
            .listed
    );
}

#[test]
fn a_long_reason_is_cut_between_two_characters() {
    let (table, book) = setup();
    let reason = format!("x{}", "é".repeat(60));
    let block = Block {
        reason: &reason,
        ..block("192.0.2.7")
    };
    book.open(&table, block, Nanos::SECOND, NOW).unwrap();
    assert_eq!(
        book.list(&table, NOW)[0].reason,
        format!("x{}", "é".repeat(31))
    );
}

#[test]
fn a_second_process_finds_the_block_in_the_same_memory() {
    let (table, book) = setup();
    let six = Block {
        prefix: 64,
        ..block("2001:db8::1:2:3:4")
    };
    book.open(&table, six, Nanos::from_secs(9), NOW).unwrap();
    let next = BlockBook::over(&*book.memory);
    assert_eq!(next.list(&table, NOW)[0].network(), "2001:db8::/64");
}

#[test]
fn a_reader_never_sees_a_torn_record() {
    let (table, book) = setup();
    let words = ["a".repeat(64), "b".repeat(64)];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for turn in 0..20_000_u32 {
                let block = Block {
                    reason: &words[(turn & 1) as usize],
                    ..block("192.0.2.7")
                };
                book.open(&table, block, Nanos(1_000_000 + 2 * u64::from(turn)), NOW)
                    .unwrap();
            }
        });
        while !writer.is_finished() {
            for entry in book.list(&table, NOW) {
                assert!(words.contains(&entry.reason), "torn: {}", entry.reason);
            }
        }
    });
}
