//! The running front door as its operators meet it, through the control socket or the admin address.

use std::{net::IpAddr, sync::Arc};

use floodwall_limiter::{Nanos, Scope, block::By};
use ipnet::IpNet;

use crate::{
    blocks,
    control::protocol::{Reply, Request},
    explain::explain,
    gate::{Gate, Journal},
    generation::Clients,
    host::Host,
    reload::Reloader,
    status::{self, BlockAdded, NewBlock, Status},
};

/// Everything an operator may see or do.
#[derive(Debug)]
pub struct Service {
    pub host: Arc<Host>,
    pub reloader: Reloader,
}

impl Service {
    /// Answers one question that the user of this number asks over the control socket. A reload takes as long as it
    /// takes.
    pub fn answer(&self, request: Request, uid: Option<u32>) -> Reply {
        match request {
            Request::Status => Reply::Status(Box::new(self.status())),
            Request::Limits => Reply::Limits(status::limits(&self.host, &self.host.generation())),
            Request::Blocks => Reply::Blocks(blocks::list(&self.host)),
            Request::Configuration => self.configuration(),
            Request::Explain(question) => match explain(&self.host, &question) {
                Ok(explanation) => Reply::Explanation(Box::new(explanation)),
                Err(nonsense) => failed(&nonsense),
            },
            Request::Compare { file, text } => Reply::Compared(self.reloader.compare(&file, &text)),
            Request::Reload => match self.reloader.reload() {
                Ok(reloaded) => Reply::Reloaded(reloaded),
                Err(refused) => Reply::ReloadRefused(refused),
            },
            Request::AddBlock(block) => self.add_block(&block, By::Operator { uid }),
            Request::RemoveBlock { source } => self.remove_block(&source),
            Request::ClearBlocks => Reply::BlocksRemoved {
                count: blocks::clear(&self.host),
            },
            Request::Guests { gate } => self.with_gate(&gate, |gate, _| Reply::Guests {
                names: gate.guests.names(),
            }),
            Request::ApplyGuests { gate, names } => self.with_gate(&gate, |gate, journal| {
                changed(journal.apply(&gate.config.name, names, &gate.guests))
            }),
            Request::DeleteGuests { gate } => self.with_gate(&gate, |gate, journal| {
                changed(journal.delete(&gate.config.name, &gate.guests))
            }),
        }
    }

    /// Answers for a gate of the running generation.
    fn with_gate(&self, name: &str, answer: impl FnOnce(&Gate, &Journal) -> Reply) -> Reply {
        let generation = self.host.generation();
        let gates = generation.gates();
        if let Some(gate) = gates.iter().find(|gate| gate.config.name == name) {
            return answer(gate, &self.host.journal);
        }
        let names: Vec<&str> = gates.iter().map(|gate| gate.config.name.as_str()).collect();
        Reply::Failed {
            message: match names[..] {
                [] => format!("there is no gate {name}: the file has no gates"),
                _ => format!(
                    "there is no gate {name}; the file has: {}",
                    names.join(", ")
                ),
            },
        }
    }

    pub fn status(&self) -> Status {
        Status::of(&self.host, &self.reloader)
    }

    fn configuration(&self) -> Reply {
        let (file, text) = self.reloader.running();
        Reply::Configuration {
            file: file.to_owned(),
            text,
        }
    }

    fn add_block(&self, block: &NewBlock, by: By) -> Reply {
        let address = match self.address(&block.source) {
            Ok(address) => address,
            Err(message) => return Reply::Failed { message },
        };
        let scope = if block.whole_host {
            Scope::Host
        } else {
            Scope::Listeners
        };
        let duration = Nanos::from_millis(block.duration_ms);
        match blocks::add(&self.host, address, duration, scope, &block.reason, by) {
            Ok(opened) => Reply::BlockAdded(BlockAdded {
                source: block.source.clone(),
                ends_in_seconds: std::time::Duration::from(opened.until.minus(self.host.now()))
                    .as_secs_f64(),
                listed: opened.listed,
            }),
            Err(unsafe_block) => failed(&unsafe_block),
        }
    }

    fn remove_block(&self, source: &str) -> Reply {
        match self.address(source) {
            Ok(address) => Reply::BlocksRemoved {
                count: usize::from(blocks::remove(&self.host, address)),
            },
            Err(message) => Reply::Failed { message },
        }
    }

    fn address(&self, source: &str) -> Result<IpAddr, String> {
        blockable(source, &self.host.generation().clients)
    }
}

fn changed(count: Result<usize, String>) -> Reply {
    match count {
        Ok(count) => Reply::GuestsChanged { count },
        Err(message) => Reply::Failed { message },
    }
}

fn failed(error: &dyn std::error::Error) -> Reply {
    Reply::Failed {
        message: error.to_string(),
    }
}

/// Reads a source as people write it: an address, or exactly the network that addresses count under.
fn blockable(source: &str, clients: &Clients) -> Result<IpAddr, String> {
    if let Ok(address) = source.parse() {
        return Ok(address);
    }
    let refuse = |allowed: String| format!("found the source `{source}`; allowed: {allowed}");
    let network: IpNet = source
        .parse()
        .map_err(|_| refuse("an IPv4 or IPv6 address".to_owned()))?;
    let prefixes = clients.prefixes;
    let counted = if network.addr().is_ipv4() {
        prefixes.v4
    } else {
        prefixes.v6
    };
    if network.prefix_len() == counted {
        Ok(network.network())
    } else {
        Err(refuse(format!(
            "an address or a /{counted}, which is what one source counts as; for other networks there is prefilter.deny"
        )))
    }
}

#[cfg(test)]
mod tests {
    use floodwall_limiter::Prefixes;

    use super::*;
    use crate::networks::Networks;

    #[test]
    fn a_source_is_an_address_or_the_network_it_counts_under() {
        let clients = Clients {
            trusted: Networks::default(),
            allowed: Networks::default(),
            forwarded_header: None,
            prefixes: Prefixes { v4: 32, v6: 64 },
        };
        for (source, address) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("2001:db8::1", "2001:db8::1"),
            ("2001:db8::5/64", "2001:db8::"),
        ] {
            assert_eq!(blockable(source, &clients).unwrap().to_string(), address);
        }
        for (source, allowed) in [
            ("192.0.2.0/24", "a /32"),
            ("2001:db8::/48", "a /64"),
            ("example.org", "an IPv4 or IPv6"),
            ("", "an IPv4"),
        ] {
            let message = blockable(source, &clients).unwrap_err();
            assert!(message.contains(allowed), "{message}");
        }
    }
}
