use std::cell::RefCell;

use super::*;

/// Servers with so many requests each, some of them not to be asked.
struct Servers {
    loads: RefCell<Vec<u64>>,
    out: Vec<usize>,
}

impl Servers {
    fn idle(count: usize) -> Self {
        Self {
            loads: RefCell::new(vec![0; count]),
            out: Vec::new(),
        }
    }
}

impl View for Servers {
    fn may_be_asked(&self, server: usize) -> bool {
        !self.out.contains(&server)
    }

    fn takes_its_turn(&self, _server: usize) -> bool {
        true
    }

    fn load(&self, server: usize) -> u64 {
        self.loads.borrow()[server]
    }
}

fn choose(balancer: &Balancer, view: &Servers) -> usize {
    balancer.walk(0, view).next(view).unwrap()
}

#[test]
fn lots_fall_by_weight() {
    let balancer = Balancer::Random(Lots::new([1, 2, 5].into_iter()));
    let view = Servers::idle(3);
    let mut counts = [0; 3];
    (0..80_000).for_each(|_| counts[choose(&balancer, &view)] += 1);
    for (count, expected) in counts.into_iter().zip([10_000i32, 20_000, 50_000]) {
        assert!((count - expected).abs() < 600, "{counts:?}");
    }
}

#[test]
fn who_may_not_be_asked_is_not_drawn() {
    let view = Servers {
        out: vec![0, 2],
        ..Servers::idle(4)
    };
    for balancer in [
        Balancer::Random(Lots::new([1; 4].into_iter())),
        Balancer::LeastRequest(Lots::new([1; 4].into_iter())),
    ] {
        let mut counts = [0; 4];
        for _ in 0..1_000 {
            // Sixteen draws miss two of four once in 65,536 times.
            if let Some(server) = balancer.walk(0, &view).next(&view) {
                counts[server] += 1;
            }
        }
        assert_eq!((counts[0], counts[2]), (0, 0));
        assert!(counts[1] > 350 && counts[3] > 350, "{counts:?}");
    }
}

#[test]
fn nobody_is_drawn_where_nobody_is() {
    let balancer = Balancer::LeastRequest(Lots::new([].into_iter()));
    let view = Servers::idle(0);
    assert_eq!(balancer.walk(0, &view).next(&view), None);
}

/// The most requests that any of 100 servers has after 100,000 came and the oldest 1,000 are still there.
fn busiest(balancer: &Balancer) -> u64 {
    let view = Servers::idle(100);
    let mut under_way = std::collections::VecDeque::new();
    let mut most = 0;
    for _ in 0..100_000 {
        let server = choose(balancer, &view);
        view.loads.borrow_mut()[server] += 1;
        under_way.push_back(server);
        if under_way.len() > 1_000 {
            view.loads.borrow_mut()[under_way.pop_front().unwrap()] -= 1;
        }
        most = most.max(view.load(server));
    }
    most
}

#[test]
fn two_choices_beat_one() {
    let lots = || Lots::new([1; 100].into_iter());
    let (one, two) = (
        busiest(&Balancer::Random(lots())),
        busiest(&Balancer::LeastRequest(lots())),
    );
    // Ten each on average. With one choice the busiest has some twenty-five; with two, a few above the average.
    assert!(two <= 16 && one >= 19, "{two} against {one}");
}
