//! The order in which a search asks for the prefix lengths that there are.

use super::nesting::Prefix;

/// A binary search tree of lengths.
#[derive(Debug)]
pub(super) struct Search<const NODES: usize> {
    /// By node, as [`floodwall_xdp_abi::list::Lists`] numbers them.
    pub(super) nodes: [u8; NODES],
    /// Levels of the tree.
    pub(super) depth: u32,
    /// By length: the shorter ones at which a search for it turns towards the longer.
    turns: Vec<Vec<u8>>,
}

impl<const NODES: usize> Search<NODES> {
    /// The shallowest tree for the lengths of these prefixes.
    pub(super) fn of(prefixes: &[Prefix]) -> Self {
        let mut present = [false; 129];
        for prefix in prefixes {
            present[usize::from(prefix.length)] = true;
        }
        let lengths: Vec<u8> = (1..=128)
            .filter(|length| present[usize::from(*length)])
            .collect();
        let mut search = Self {
            nodes: [0; NODES],
            depth: usize::BITS - lengths.len().leading_zeros(),
            turns: vec![Vec::new(); 129],
        };
        search.plant(&lengths, 1, &mut Vec::new());
        search
    }

    /// The lengths at which the search for a prefix of this one turns towards the longer.
    pub(super) fn turns(&self, length: u8) -> &[u8] {
        &self.turns[usize::from(length)]
    }

    fn plant(&mut self, lengths: &[u8], node: usize, turned: &mut Vec<u8>) {
        // Most addresses are on no list: of two middles, the one after which fewer shorter lengths remain.
        let Some(middle) = lengths.len().checked_sub(1).map(|last| last / 2) else {
            return;
        };
        let length = lengths[middle];
        self.nodes[node] = length;
        self.turns[usize::from(length)].clone_from(turned);
        self.plant(&lengths[..middle], 2 * node, turned);
        turned.push(length);
        self.plant(&lengths[middle + 1..], 2 * node + 1, turned);
        turned.pop();
    }
}
