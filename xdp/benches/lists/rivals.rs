//! Lists of others: the kernel's own trie of prefixes, and xdp-filter's addresses.

use std::{net::IpAddr, time::Instant};

use aya::{
    EbpfLoader,
    maps::{LpmTrie, Map, MapData, PerCpuHashMap, lpm_trie::Key},
};

use crate::{
    Failure, List,
    rig::{attached, case, parts::PARTS, tools::run, xdp_filter::XdpFilter},
    sources::Sources,
};

/// The kernel's trie, behind nothing but a load of the address.
pub(crate) fn trie(sources: Sources, size: u32) -> Result<List, Failure> {
    let mut object = EbpfLoader::new()
        .map_max_entries("TRIE", size)
        .load_file(PARTS)?;
    let began = Instant::now();
    let mut trie: LpmTrie<_, [u8; 4], u8> =
        LpmTrie::try_from(object.map_mut("TRIE").ok_or("no trie")?)?;
    for index in 0..size {
        let net = sources.net(index);
        let key = Key::new(u32::from(net.prefix_len()), octets(net.addr())?);
        trie.insert(&key, 1, 0)?;
    }
    let load = began.elapsed();
    Ok(List {
        of: "kernel-trie",
        sources,
        size,
        program: case::of(object, "trie")?,
        load,
    })
}

/// xdp-filter with as many addresses as it takes.
pub(crate) fn xdp_filter(sources: Sources) -> Result<(XdpFilter, List), Failure> {
    run("ip link add fwbench0 type veth peer name fwbench1")?;
    run("ip link set fwbench0 up")?;
    let first = sources.on(0);
    let loaded = XdpFilter::load("fwbench0", &first.to_string())?;
    let map = MapData::from_pin("/sys/fs/bpf/xdp-filter/filter_ipv4")?;
    let mut map: PerCpuHashMap<_, [u8; 4], u64> = Map::PerCpuHashMap(map).try_into()?;
    // What its own tool wrote for the first one.
    let denied = map.get(&octets(first)?, 0)?;
    let flags = denied.to_vec();
    let began = Instant::now();
    let mut size = 1;
    while map
        .insert(octets(sources.on(size))?, flags.clone().try_into()?, 0)
        .is_ok()
    {
        size += 1;
    }
    let list = List {
        of: "xdp-filter",
        sources,
        size,
        program: attached::on("fwbench0")?,
        load: began.elapsed(),
    };
    Ok((loaded, list))
}

fn octets(address: IpAddr) -> Result<[u8; 4], Failure> {
    match address {
        IpAddr::V4(address) => Ok(address.octets()),
        IpAddr::V6(_) => Err("an IPv6 address".into()),
    }
}
