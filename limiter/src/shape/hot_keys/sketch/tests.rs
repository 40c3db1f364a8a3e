use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn named(key: u64) -> impl FnOnce(&mut String) {
    move |name| name.push_str(&["key ", &key.to_string()].concat())
}

/// A sketch of a stream of keys that are not zero.
fn sketch_of(stream: &[u64]) -> Sketch {
    let mut sketch = Sketch::new(Nanos::ZERO);
    for key in stream {
        sketch.count(*key, Last::default(), 1, named(*key));
    }
    sketch
}

fn truth_of(stream: &[u64]) -> HashMap<u64, u64> {
    let mut truth = HashMap::new();
    for key in stream {
        *truth.entry(*key).or_default() += 1;
    }
    truth
}

fn key_of(hot: &HotKey) -> u64 {
    hot.name.strip_prefix("key ").unwrap().parse().unwrap()
}

#[test]
fn few_keys_are_counted_exactly() {
    let hot = merge(vec![sketch_of(&[3, 1, 3, 2, 3, 1])], Nanos::ZERO, 2);
    let seen: Vec<_> = hot
        .iter()
        .map(|key| (key_of(key), key.requests, key.error))
        .collect();
    assert_eq!(seen, [(3, 3, 0), (1, 2, 0)]);
}

#[test]
fn a_flood_of_keys_that_come_once_does_not_hide_the_one_that_comes_often() {
    let stream: Vec<u64> = (0..100_000)
        .map(|n| if n % 10 == 0 { 1 } else { 1_000 + n })
        .collect();
    let hot = merge(vec![sketch_of(&stream)], Nanos::ZERO, 1);
    assert_eq!(key_of(&hot[0]), 1);
    assert!(hot[0].requests >= 10_000 && hot[0].requests - hot[0].error <= 10_000);
}

#[test]
fn counts_are_halved_every_minute_and_refusals_too() {
    let mut sketch = Sketch::new(Nanos::ZERO);
    for _ in 0..100 {
        sketch.count(1, Last::default(), 1, named(1));
        sketch.refused(1);
    }
    let at = |sketch: &Sketch, seconds| {
        let hot = merge(vec![sketch.clone()], Nanos::from_secs(seconds), 1);
        (hot[0].requests, hot[0].refused)
    };
    assert_eq!(at(&sketch, 59), (100, 100));
    assert_eq!(at(&sketch, 60), (50, 50));
    assert_eq!(at(&sketch, 180), (13, 13));
    assert_eq!(at(&sketch, u64::MAX / 1_000_000_000), (1, 1));
    assert!(sketch.age(Nanos::from_secs(61)));
    sketch.count(1, Last::default(), 1, named(1));
    assert_eq!(at(&sketch, 61), (51, 50));
}

#[test]
fn a_name_is_cut_where_a_character_begins() {
    let mut sketch = Sketch::new(Nanos::ZERO);
    for (key, long) in [
        (5, "é".repeat(10_000)),
        (6, ["x", &"é".repeat(99)].concat()),
    ] {
        sketch.count(key, Last::default(), 1, |name| {
            name.push_str(&long);
        });
    }
    let hot = merge(vec![sketch], Nanos::ZERO, 2);
    let lengths: Vec<usize> = hot.iter().map(|key| key.name.len()).collect();
    assert_eq!(lengths.iter().sum::<usize>(), 128 + 127);
}

#[test]
fn a_key_that_hashes_to_nobody_is_counted() {
    let hot = merge(vec![sketch_of(&[0, 0])], Nanos::ZERO, 9);
    assert_eq!((hot.len(), hot[0].requests), (1, 2));
}

proptest! {
    /// Metwally's bounds, beside a count of everything, for one sketch and for several that are joined.
    #[test]
    fn no_count_is_too_low_or_wrong_by_more_than_its_error_and_nobody_hot_is_missing(
        streams in prop::collection::vec(
            prop::collection::vec(prop_oneof![1..10_u64, 1..200_u64], 0..600), 1..4,
        ),
    ) {
        let sketches: Vec<Sketch> = streams.iter().map(|stream| sketch_of(stream)).collect();
        let all: Vec<u64> = streams.concat();
        let truth = truth_of(&all);
        let hot = merge(sketches, Nanos::ZERO, usize::MAX);
        for key in &hot {
            let true_count = truth[&key_of(key)];
            prop_assert!(key.requests >= true_count, "{key:?}, {true_count}");
            prop_assert!(key.requests - key.error <= true_count, "{key:?}, {true_count}");
            prop_assert!(key.error <= (all.len() / COUNTERS) as u64, "{key:?}");
        }
        for stream in &streams {
            for (key, count) in truth_of(stream) {
                if count > (stream.len() / COUNTERS) as u64 {
                    prop_assert!(hot.iter().any(|hot| key_of(hot) == key), "{key} came {count} times");
                }
            }
        }
    }
}

#[test]
fn of_all_threads_the_last_request_says_which_rule_a_key_goes_by() {
    let sketch = |seconds, rule| {
        let mut sketch = Sketch::new(Nanos::ZERO);
        let at = Nanos::from_secs(seconds);
        sketch.count(7, Last { at, rule }, 1, named(7));
        sketch
    };
    for sketches in [[sketch(3, 1), sketch(2, 9)], [sketch(2, 9), sketch(3, 1)]] {
        let hot = merge(sketches.into(), Nanos::ZERO, 1);
        assert_eq!((hot[0].requests, hot[0].last.rule), (2, 1));
    }
}
