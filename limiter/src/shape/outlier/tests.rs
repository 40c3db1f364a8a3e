use std::sync::Arc;

use super::*;

const NOW: Nanos = Nanos::from_secs(1_000);
const SECOND: Nanos = Nanos::SECOND;

const FIVE_IN_A_ROW: Rule = Rule {
    consecutive: Some(5),
    success_rate: None,
    interval: Nanos::from_secs(10),
    eject_for: Nanos::from_secs(30),
    eject_at_most: Nanos::from_secs(100),
    most_share: 500_000,
};

const BY_RATE: Rule = Rule {
    consecutive: None,
    success_rate: Some(SuccessRate {
        min_servers: 5,
        min_requests: 100,
        deviations: 1_900,
    }),
    ..FIVE_IN_A_ROW
};

fn servers(count: usize) -> Vec<Arc<Server>> {
    (0..count)
        .map(|_| Arc::new(Server::new(Nanos::from_secs(10))))
        .collect()
}

struct Bench {
    servers: Vec<Arc<Server>>,
    outliers: Outliers,
    rule: Rule,
    now: Nanos,
}

impl Bench {
    fn new(count: usize, rule: Rule) -> Self {
        Self {
            servers: servers(count),
            outliers: Outliers::default(),
            rule,
            now: NOW,
        }
    }

    fn answers(&self, server: usize, count: usize, bad: bool) -> Vec<Ejected> {
        let answer = || {
            self.outliers
                .answered(&self.servers, server, bad, &self.rule, self.now)
        };
        (0..count).flat_map(|_| answer()).collect()
    }

    fn out(&self) -> Vec<usize> {
        let all = 0..self.servers.len();
        all.filter(|server| self.servers[*server].out_for(self.now).is_some())
            .collect()
    }
}

#[test]
fn the_fifth_bad_answer_in_a_row_is_one_too_many() {
    let bench = Bench::new(4, FIVE_IN_A_ROW);
    bench.answers(0, 4, true);
    bench.answers(0, 1, false);
    assert_eq!(bench.answers(0, 4, true), []);
    let ejected = bench.answers(0, 1, true);
    let why = Why::InARow(5);
    let span = Nanos::from_secs(30);
    assert_eq!(
        ejected,
        [Ejected {
            server: 0,
            span,
            why
        }]
    );
    assert_eq!(bench.out(), [0]);
    assert_eq!(bench.answers(0, 20, true), [], "it is out already");
    assert_eq!(bench.servers[0].ejections(), 1);
}

#[test]
fn it_comes_back_after_a_time_that_grows_and_shrinks_again() {
    let mut bench = Bench::new(4, FIVE_IN_A_ROW);
    for span in [30, 60, 90, 100, 100] {
        let ejected = bench.answers(0, 5, true);
        assert_eq!(ejected[0].span, Nanos::from_secs(span));
        bench.now = bench.now.plus(Nanos(span * SECOND.0 - 1));
        assert_eq!(bench.out(), [0]);
        bench.now = bench.now.plus(Nanos(1));
        assert_eq!(bench.out(), [0; 0]);
    }
    // Three intervals of doing well forgive three of five times.
    bench.now = bench.now.plus(Nanos::from_secs(35));
    assert_eq!(bench.answers(0, 5, true)[0].span, Nanos::from_secs(90));
}

#[test]
fn no_more_are_out_than_may_be() {
    let bench = Bench::new(4, FIVE_IN_A_ROW);
    for server in 0..4 {
        bench.answers(server, 5, true);
    }
    assert_eq!(bench.out(), [0, 1], "half of four");
    let bench = Bench::new(
        3,
        Rule {
            most_share: 100_000,
            ..FIVE_IN_A_ROW
        },
    );
    for server in 0..3 {
        bench.answers(server, 5, true);
    }
    assert_eq!(bench.out(), [0], "one always may");
    let alone = Bench::new(1, FIVE_IN_A_ROW);
    assert_eq!(alone.answers(0, 50, true), [], "but not the only one");
}

#[test]
fn one_that_does_worse_than_its_fellows_is_out_when_they_are_compared() {
    let mut bench = Bench::new(6, BY_RATE);
    bench.answers(0, 1, false);
    let round = |bench: &Bench| {
        for server in 0..6 {
            let bad = if server == 3 { 30 } else { 1 };
            bench.answers(server, bad, true);
            bench.answers(server, 100 - bad, false);
        }
    };
    bench.now = bench.now.plus(Nanos::from_secs(5));
    round(&bench);
    assert_eq!(bench.out(), [0; 0], "the interval is not over");
    bench.now = bench.now.plus(Nanos::from_secs(5));
    let ejected = bench.answers(0, 1, false);
    assert_eq!(ejected.len(), 1);
    assert_eq!(ejected[0].server, 3);
    // Rates of 0.99 five times and 0.70 once: mean 0.941667, deviation 0.108077.
    let Why::SuccessRate { own, least } = ejected[0].why else {
        panic!("by its rate");
    };
    assert_eq!(own, 700_000);
    assert!(least.abs_diff(736_320) < 2_000, "{least}");
}

#[test]
fn rates_of_few_servers_or_few_answers_are_not_compared() {
    for (servers, answers) in [(4, 100), (6, 50)] {
        let mut bench = Bench::new(servers, BY_RATE);
        bench.answers(0, 1, false);
        bench.now = bench.now.plus(Nanos::from_secs(5));
        for server in 0..servers {
            bench.answers(server, answers, server == 2);
        }
        bench.now = bench.now.plus(Nanos::from_secs(5));
        assert_eq!(bench.answers(0, 1, false), [], "{servers} {answers}");
    }
}

#[test]
fn servers_that_all_do_badly_are_no_outliers() {
    let mut bench = Bench::new(6, BY_RATE);
    bench.answers(0, 1, false);
    bench.now = bench.now.plus(Nanos::from_secs(5));
    for server in 0..6 {
        bench.answers(server, 100, true);
    }
    bench.now = bench.now.plus(Nanos::from_secs(5));
    assert_eq!(bench.answers(0, 1, true), []);
}

#[test]
fn eight_threads_put_no_more_out_than_may_be() {
    let bench = Bench::new(8, FIVE_IN_A_ROW);
    std::thread::scope(|scope| {
        for server in 0..8 {
            let bench = &bench;
            scope.spawn(move || bench.answers(server, 1_000, true));
        }
    });
    assert_eq!(bench.out().len(), 4);
}

#[test]
fn a_past_that_was_kept_decides_on_as_it_did() {
    let first = Bench::new(4, FIVE_IN_A_ROW);
    assert_eq!(first.answers(1, 5, true).len(), 1);
    let past = first.servers[1].past(first.rule.interval, NOW).unwrap();
    assert_eq!(
        (past.until, past.times),
        (NOW.plus(Nanos::from_secs(30)), 1)
    );
    assert_eq!(first.servers[0].past(first.rule.interval, NOW), None);

    let mut second = Bench::new(4, FIVE_IN_A_ROW);
    let resume = |bench: &Bench, server, past| {
        (bench.outliers).resume(&bench.servers, server, past, &bench.rule, bench.now)
    };
    assert!(resume(&second, 1, past) && !resume(&second, 1, past));
    assert_eq!(second.out(), [1]);
    second.now = past.until;
    assert_eq!(second.out(), Vec::<usize>::new());
    let again = second.answers(1, 5, true);
    assert_eq!(again[0].span, Nanos::from_secs(60), "its second time");
}

#[test]
fn what_was_kept_puts_out_no_more_than_may_be_and_for_no_longer() {
    let bench = Bench::new(4, FIVE_IN_A_ROW);
    let past = Past {
        until: Nanos::MAX,
        times: 7,
    };
    let resumed: Vec<bool> = (0..4)
        .map(|server| (bench.outliers).resume(&bench.servers, server, past, &bench.rule, bench.now))
        .collect();
    assert_eq!(resumed, [true, true, false, false]);
    assert_eq!(bench.servers[0].out_for(NOW), Some(Nanos::from_secs(100)));
    let forgiven = NOW.plus(Nanos::from_secs(100 + 70));
    assert_eq!(bench.servers[0].past(bench.rule.interval, forgiven), None);
}
