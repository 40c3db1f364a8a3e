//! Highest random weight: each key ranks the servers in an order of its own (Thaler and Ravishankar, 1998).
//!
//! A server that leaves gives away its own keys and no others; one that comes takes its part from all alike. Every
//! host that knows the same servers ranks them in the same way, whatever their order in the file. It costs a hash
//! for each server, which is little beside a request.

use floodwall_limiter::Secret;

/// Fixed, so that all hosts agree.
const SECRET: Secret = Secret {
    k0: 0x666c_6f6f_6477_616c,
    k1: 0x7265_6e64_657a_766f,
};

/// Servers, and what they are known by.
#[derive(Debug)]
pub(in super::super) struct Rendezvous {
    servers: Vec<(u64, f64)>,
}

/// The order in which one key prefers servers.
#[derive(Debug)]
pub(in super::super) struct Preference<'a> {
    servers: &'a [(u64, f64)],
    key: u64,
    last: Option<Rank>,
}

/// How far down a server is; the least is the first choice. The second number tells equal ones apart.
type Rank = (f64, u64);

impl Rendezvous {
    /// From the servers' names and weights.
    pub(super) fn new(servers: impl Iterator<Item = (String, u32)>) -> Self {
        let servers =
            servers.map(|(name, weight)| (SECRET.hash_bytes(name.as_bytes()), f64::from(weight)));
        Self {
            servers: servers.collect(),
        }
    }

    pub(super) fn preference(&self, key: u64) -> Preference<'_> {
        Preference {
            servers: &self.servers,
            key,
            last: None,
        }
    }
}

impl Preference<'_> {
    pub(super) fn next(&mut self) -> Option<usize> {
        let mut best: Option<(Rank, usize)> = None;
        for (at, &(server, weight)) in self.servers.iter().enumerate() {
            // With -log(u) / weight, of evenly spread u, each server is first as often as its weight says.
            let rank = (
                neg_log2(SECRET.hash_words([self.key, server])) / weight,
                server,
            );
            if self.last.is_none_or(|last| rank > last)
                && best.is_none_or(|(first, _)| rank < first)
            {
                best = Some((rank, at));
            }
        }
        let (rank, server) = best?;
        self.last = Some(rank);
        Some(server)
    }
}

/// -log2 of `hash` as a part of 2^64. Only additions, multiplications and divisions, which IEEE 754 defines to the
/// last bit: a library's logarithm may differ from host to host.
fn neg_log2(hash: u64) -> f64 {
    let hash = hash | 1;
    let zeros = hash.leading_zeros();
    // The 53 bits that a float has, from 1 to below 2.
    let mantissa = f64::from_bits((1023 << 52) | ((hash << zeros) << 1 >> 12));
    // ln(m) = 2 artanh((m - 1) / (m + 1)); the argument is a third at most, so that ten terms are exact to 1e-11.
    let argument = (mantissa - 1.0) / (mantissa + 1.0);
    let square = argument * argument;
    let series = (0..10u32).rev().fold(0.0, |sum, term| {
        sum * square + 1.0 / f64::from(2 * term + 1)
    });
    f64::from(zeros) + 1.0 - 2.0 * argument * series * std::f64::consts::LOG2_E
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<(String, u32)> {
        (0..count)
            .map(|at| (format!("192.0.2.{at}:80"), 1))
            .collect()
    }

    fn first_choices(servers: &[(String, u32)], keys: u64) -> Vec<String> {
        let all = Rendezvous::new(servers.iter().cloned());
        let key = |key: u64| SECRET.hash_words([key]);
        (0..keys)
            .map(|k| servers[all.preference(key(k)).next().unwrap()].0.clone())
            .collect()
    }

    #[test]
    fn the_logarithm_is_one() {
        for hash in [1, 2, 3, 1 << 40, u64::MAX / 3, u64::MAX - 5, u64::MAX] {
            #[expect(clippy::cast_precision_loss, reason = "compared with a tolerance")]
            let expected = 64.0 - ((hash | 1) as f64).log2();
            assert!((neg_log2(hash) - expected).abs() < 1e-9, "{hash}");
        }
    }

    #[test]
    fn a_key_prefers_every_server_once_and_always_in_the_same_order() {
        let all = Rendezvous::new(names(7).into_iter());
        let order = || {
            let mut preference = all.preference(42);
            std::iter::from_fn(move || preference.next()).collect::<Vec<_>>()
        };
        let mut sorted = order();
        assert_eq!(order(), sorted);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..7).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_of_the_file_does_not_matter() {
        let mut reversed = names(5);
        reversed.reverse();
        assert_eq!(
            first_choices(&names(5), 1_000),
            first_choices(&reversed, 1_000)
        );
    }

    #[test]
    fn a_server_that_leaves_moves_its_own_keys_only() {
        const KEYS: u64 = 20_000;
        let all = names(10);
        let without: Vec<_> = all
            .iter()
            .filter(|(name, _)| *name != all[3].0)
            .cloned()
            .collect();
        let (before, after) = (first_choices(&all, KEYS), first_choices(&without, KEYS));
        let mut moved = 0;
        for (before, after) in before.iter().zip(&after) {
            if *before == all[3].0 {
                moved += 1;
            } else {
                assert_eq!(before, after);
            }
        }
        assert!((1_800..2_200).contains(&moved), "{moved}: a tenth");
    }

    #[test]
    fn weights_are_parts_of_the_keys() {
        let servers = [
            ("a".to_owned(), 1),
            ("b".to_owned(), 2),
            ("c".to_owned(), 5),
        ];
        let choices = first_choices(&servers, 80_000);
        for (name, weight) in servers {
            let count = choices.iter().filter(|choice| **choice == name).count();
            let expected = 10_000 * usize::try_from(weight).unwrap();
            assert!(
                count.abs_diff(expected) < expected / 20 + 100,
                "{name}: {count}"
            );
        }
    }
}
