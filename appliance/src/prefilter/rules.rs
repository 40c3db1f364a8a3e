//! From the configuration to what the pre-filter is told.

use std::path::PathBuf;

use floodwall_config::{self as config, Config, XdpMode};
use floodwall_limiter::Prefixes;
use floodwall_xdp::{self as xdp, Mode, Rules, Settings};

pub(super) fn settings(prefilter: &config::Prefilter) -> Settings {
    Settings {
        instance: prefilter.instance.clone(),
        interfaces: prefilter.interfaces.clone(),
        mode: match prefilter.mode {
            XdpMode::Native => Mode::Native,
            XdpMode::Generic => Mode::Generic,
            XdpMode::Auto | XdpMode::Off => Mode::Auto,
        },
        sources: prefilter.table_sources,
        bpffs: PathBuf::from(Settings::BPFFS),
    }
}

pub(super) fn rules(config: &Config, prefilter: &config::Prefilter, generation: u64) -> Rules {
    let listener_ports = config
        .listeners
        .iter()
        .filter_map(|listener| match &listener.address {
            config::ListenAddress::Tcp(address) => Some(address.port()),
            config::ListenAddress::Unix(_) => None,
        })
        .collect();
    Rules {
        prefixes: Prefixes {
            v4: config.clients.ipv4_prefix,
            v6: config.clients.ipv6_prefix,
        },
        listener_ports,
        // The kernel must never drop what speaks for many.
        allow: prefilter
            .allow
            .iter()
            .chain(&config.clients.trusted_proxies)
            .copied()
            .collect(),
        deny: prefilter.deny.clone(),
        limits: prefilter.limits.iter().map(packet_limit).collect(),
        malformed: match prefilter.malformed {
            config::Malformed::Drop => xdp::Action::Drop,
            config::Malformed::Pass => xdp::Action::Pass,
        },
        ..Rules::new(generation)
    }
}

fn packet_limit(limit: &config::PacketLimit) -> xdp::PacketLimit {
    let key = match limit.key {
        config::PacketKey::None => xdp::PacketKey::None,
        config::PacketKey::Source => xdp::PacketKey::Source,
        config::PacketKey::Port => xdp::PacketKey::Port,
        config::PacketKey::SourcePort => xdp::PacketKey::SourcePort,
    };
    xdp::PacketLimit {
        matches: packet_match(&limit.matches),
        ..xdp::PacketLimit::new(&limit.name, key, limit.rate.quota)
    }
}

fn packet_match(matches: &config::PacketMatch) -> xdp::PacketMatch {
    let ports = matches.ports.iter().map(|range| range.first..=range.last);
    xdp::PacketMatch {
        protocol: matches.protocol.map(|protocol| match protocol {
            config::Protocol::Tcp => xdp::Protocol::Tcp,
            config::Protocol::Udp => xdp::Protocol::Udp,
            config::Protocol::Icmp => xdp::Protocol::Icmp,
        }),
        ports: ports.collect(),
        opens: matches.syn.then_some(xdp::Opens::Tcp),
        ..xdp::PacketMatch::default()
    }
}
