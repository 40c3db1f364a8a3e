//! Prefixes within prefixes: what each comes to, and the entries that a search through the lengths needs.
//!
//! Sorted by their bits, and then by their length, every prefix comes behind all that hold it: one walk with a
//! stack of those that are open sees them all.

use floodwall_xdp_abi::list::{Family, Value};

use super::search::Search;

/// A prefix and what it says. Its bits are left-aligned, whatever its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    pub(super) bits: u128,
    pub(super) length: u8,
    pub(super) value: Value,
}

impl Prefix {
    fn holds(&self, other: &Self) -> bool {
        self.length <= other.length && truncate(other.bits, self.length) == self.bits
    }
}

/// The leading `length` bits.
fn truncate(bits: u128, length: u8) -> u128 {
    match length {
        0 => 0,
        length => bits & u128::MAX << (128 - length),
    }
}

/// The prefixes that hold the present one, outermost first.
#[derive(Default)]
struct Open(Vec<Prefix>);

impl Open {
    /// Leaves those that do not hold this prefix. Tells the innermost that does.
    fn enter(&mut self, prefix: &Prefix) -> Option<Prefix> {
        while self.0.last().is_some_and(|last| !last.holds(prefix)) {
            self.0.pop();
        }
        self.0.last().copied()
    }

    /// What the longest open prefix says that is no longer than `length`.
    fn best(&self, length: u8) -> Option<Value> {
        let mut inner = self.0.iter().rev();
        inner
            .find(|open| open.length <= length)
            .map(|open| open.value)
    }
}

/// Gives every prefix what it comes to within those that hold it, and leaves out those that add nothing.
/// The first of the answers is what the prefix of length zero says.
pub(super) fn resolve(
    mut prefixes: Vec<Prefix>,
    combine: &mut impl FnMut(Value, Value) -> Value,
) -> (Value, Vec<Prefix>) {
    prefixes.sort_unstable_by_key(|prefix| (prefix.bits, prefix.length));
    let mut default = 0;
    let mut open = Open::default();
    let mut resolved: Vec<Prefix> = Vec::with_capacity(prefixes.len());
    for group in prefixes.chunk_by(|a, b| (a.bits, a.length) == (b.bits, b.length)) {
        let [first, again @ ..] = group else { continue };
        let own = again.iter().fold(first.value, |value, other| {
            // The order of a file means nothing, so the larger value is the inner one for all of them.
            combine(value.min(other.value), value.max(other.value))
        });
        let outer = open.enter(first).map_or(default, |outer| outer.value);
        let value = if outer == 0 { own } else { combine(outer, own) };
        if first.length == 0 {
            default = value;
        } else if value != outer {
            let prefix = Prefix { value, ..*first };
            open.0.push(prefix);
            resolved.push(prefix);
        }
    }
    (default, resolved)
}

/// The entries that the search finds: the prefixes, and a marker at every length where it has to turn towards
/// a longer one.
pub(super) fn entries<F: Family, const NODES: usize>(
    prefixes: &[Prefix],
    search: &Search<NODES>,
    default: Value,
) -> Vec<(F::Key, Value)> {
    let mut entries = Vec::with_capacity(prefixes.len());
    let mut open = Open::default();
    // The last entry of each length: what comes twice comes in a row.
    let mut last = [None; 129];
    for prefix in prefixes {
        open.enter(prefix);
        for length in search.turns(prefix.length) {
            let bits = truncate(prefix.bits, *length);
            if last[usize::from(*length)].replace(bits) != Some(bits) {
                let value = open.best(*length).unwrap_or(default);
                entries.push((F::from_bits(bits).key(*length), value));
            }
        }
        last[usize::from(prefix.length)] = Some(prefix.bits);
        entries.push((F::from_bits(prefix.bits).key(prefix.length), prefix.value));
        open.0.push(*prefix);
    }
    entries
}
