//! What a server is chosen by.

use floodwall_config::KeyPart;
use floodwall_limiter::Secret;

use crate::key::Subject;

/// Fixed, so that a key goes to the same server through every host. A client that chooses its key can choose its
/// server by it; it could as well by asking often enough.
const SECRET: Secret = Secret {
    k0: 0x666c_6f6f_6477_616c,
    k1: 0x6261_6c61_6e63_6573,
};

/// The key of a request, by which servers are chosen. One without a part of it goes by its client.
pub fn balance_key(subject: &Subject<'_>, key: &[KeyPart]) -> u64 {
    let subject = Subject {
        client_key: subject.client.key(SECRET),
        ..*subject
    };
    let counted = subject.hash(SECRET, key);
    let hash = if counted.is_whole {
        counted.key
    } else {
        subject.client_key
    };
    hash.bits()
}
