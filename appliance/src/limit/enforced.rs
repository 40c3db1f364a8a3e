//! Which keys a limit refuses, and which it only counts: `shadow` and `enforce`.

use floodwall_config::{self as config, KeyPart, units::Share};
use floodwall_limiter::{KeyHash, LimitId, LimitKind, Secret};

use crate::key::Subject;

/// The keys that are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enforced {
    All,
    Nobody,
    Some(Lots),
}

/// Those whose lot falls below a bound: the same ones always, and with a larger share still. A lot is a hash without a
/// secret, so that a restart and another host refuse the same ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lots {
    bound: u64,
    limit: LimitId,
}

const OPEN: Secret = Secret { k0: 0, k1: 0 };

impl Enforced {
    pub(super) fn compile(limit: &config::Limit) -> Self {
        if limit.shadow || limit.enforce == Share::NOTHING {
            Self::Nobody
        } else if limit.enforce == Share::WHOLE {
            Self::All
        } else {
            Self::Some(Lots::new(&limit.name, limit.enforce))
        }
    }

    /// Whether the request's key is among them.
    #[inline]
    pub(super) fn has(&self, key: &[KeyPart], subject: &Subject<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Nobody => false,
            Self::Some(lots) => lots.have(hash(key, subject)),
        }
    }
}

impl Lots {
    fn new(limit: &str, share: Share) -> Self {
        let whole = u64::from(Share::WHOLE.millionths());
        Self {
            bound: u64::MAX / whole * u64::from(share.millionths()),
            limit: LimitId::new(OPEN, LimitKind::Request, limit),
        }
    }

    fn have(&self, key: KeyHash) -> bool {
        OPEN.hash_words([key.bits(), self.limit.bits()]) < self.bound
    }
}

fn hash(key: &[KeyPart], subject: &Subject<'_>) -> KeyHash {
    match key {
        // What a subject knows of this key is hashed under the table's secret.
        [KeyPart::Client] => subject.client.key(OPEN),
        parts => subject.hash(OPEN, parts).key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(millionths: u32) -> Vec<u16> {
        let lots = Lots::new("a", Share::of_millionths(millionths));
        let all = 0..u16::MAX;
        all.filter(|port| lots.have(KeyHash::of_port(OPEN, *port)))
            .collect()
    }

    #[test]
    fn a_larger_share_moves_no_key_out() {
        let (little, more) = (held(100_000), held(400_000));
        assert!(little.len().abs_diff(6_554) < 300, "{}", little.len());
        assert!(more.len().abs_diff(26_214) < 600, "{}", more.len());
        assert!(little.iter().all(|key| more.binary_search(key).is_ok()));
    }

    #[test]
    fn the_same_keys_are_refused_by_every_host_and_release() {
        // Whoever changes the hash refuses others than before: these numbers are a promise.
        assert_eq!(held(100_000)[..6], PROMISED);
    }

    const PROMISED: [u16; 6] = [4, 19, 27, 33, 34, 44];
}
