//! From the configuration to what the pre-filter is told.

use std::path::PathBuf;

use floodwall_config::{self as config, BlockAction, Config, Policy, XdpMode};
use floodwall_limiter::Prefixes;
use floodwall_xdp::{self as xdp, Mode, Rules, Settings};

use super::packet_limit;

/// Where the program is to run: nowhere when the mode is `off`.
pub(super) fn settings(prefilter: &config::Prefilter) -> Settings {
    let interfaces = match prefilter.mode {
        XdpMode::Off => Vec::new(),
        XdpMode::Auto | XdpMode::Native | XdpMode::Generic => prefilter.interfaces.clone(),
    };
    Settings {
        instance: prefilter.instance.clone(),
        interfaces,
        mode: match prefilter.mode {
            XdpMode::Native => Mode::Native,
            XdpMode::Generic => Mode::Generic,
            XdpMode::Auto | XdpMode::Off => Mode::Auto,
        },
        required: prefilter.required,
        replace: prefilter.replace,
        sources: prefilter.table_sources,
        bpffs: PathBuf::from(Settings::BPFFS),
    }
}

/// The rules of a generation; without `cookies` limits drop what they were to answer with them.
pub(super) fn rules(
    config: &Config,
    prefilter: &config::Prefilter,
    generation: u64,
    cookies: bool,
) -> Rules {
    let listener_ports = config
        .listeners
        .iter()
        .filter_map(|listener| match &listener.address {
            config::ListenAddress::Tcp(address) => Some(address.port()),
            config::ListenAddress::Unix(_) => None,
        })
        .collect();
    let prefixes = Prefixes {
        v4: config.clients.ipv4_prefix,
        v6: config.clients.ipv6_prefix,
    };
    Rules {
        prefixes,
        listener_ports,
        // The kernel must never drop what speaks for many.
        allow: prefilter
            .allow
            .iter()
            .chain(&config.clients.trusted_proxies)
            .copied()
            .collect(),
        deny: prefilter.deny.clone(),
        limits: prefilter
            .limits
            .iter()
            .map(|limit| packet_limit::compile(limit, prefixes, cookies))
            .collect(),
        malformed: action(prefilter.malformed),
        fragments: action(prefilter.fragments),
        checks: xdp::Checks {
            tcp_flags: action(prefilter.checks.tcp_flags),
            land: action(prefilter.checks.land),
            martians: action(prefilter.checks.martians),
            lengths: action(prefilter.checks.lengths),
        },
        block_action: match prefilter.blocks.action {
            BlockAction::Drop => xdp::BlockAction::Drop,
            BlockAction::Reset => xdp::BlockAction::RESET,
        },
        lag: xdp::lag(),
        sample: (prefilter.sample.count > 0).then_some(prefilter.sample.quota),
        ..Rules::new(generation)
    }
}

const fn action(policy: Policy) -> xdp::Action {
    match policy {
        Policy::Drop => xdp::Action::Drop,
        Policy::Pass => xdp::Action::Pass,
    }
}
