"""Packets that scapy builds, each with what the pre-filter must say of it.

packets.py FOLDER                 writes FOLDER/packets.pcap (nanoseconds) and .pcapng, and prints what is expected, as JSON
packets.py send FILE INTERFACE    sends the packets of a capture
"""

import json
import sys

from scapy.config import conf

conf.ipv6_enabled = True

from scapy.all import (  # noqa: E402
    ARP, DHCP, BOOTP, Dot1AD, Dot1Q, Ether, GRE, ICMP, ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6MLReport2,
    ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6ND_RS, ICMPv6PacketTooBig, IP, IPOption_RR,
    IPOption_Router_Alert, IPOption_Timestamp, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting, Jumbo, PadN, Padding, PcapNgWriter, Raw, RouterAlert, SCTP, SCTPChunkInit, SCTPChunkData, TCP, UDP,
    VXLAN, fragment, fragment6, fuzz, rdpcap, sendp, wrpcap)
from scapy.contrib.igmp import IGMP  # noqa: E402
from scapy.layers.ipsec import AH, ESP  # noqa: E402

EDGE, EDGE6 = "10.78.0.1", "2001:db8::1"
GOOD, GOOD6 = "198.51.100.7", "2001:db8:7::7"
DENIED, DENIED6 = "203.0.113.9", "2001:db8:bad::9"
LINK = "fe80::7"
# To all, so that every switch delivers it.
ETHERNET = Ether(src="02:00:00:00:00:02", dst="ff:ff:ff:ff:ff:ff")


def v4(**fields):
    return IP(**{"src": GOOD, "dst": EDGE, **fields})


def v6(**fields):
    return IPv6(**{"src": GOOD6, "dst": EDGE6, **fields})


def authentication(following):
    """An authentication header of six words: scapy counts them only when it signs."""
    return AH(nh=following, payloadlen=4, spi=7, seq=1, icv=b"\0" * 12)


def cut(packet, length):
    """The first bytes of a frame."""
    return Raw(bytes(ETHERNET / packet)[:length])


def good():
    yield "TCP", v4() / TCP(dport=8080, flags="S")
    yield "IP options", v4(options=[IPOption_RR(), IPOption_Timestamp()]) / TCP(dport=8080, flags="S")
    yield "TCP options", v4() / TCP(dport=8080, flags="S", options=[("MSS", 1460), ("Timestamp", (1, 0)), ("WScale", 7)])
    yield "a tag", Dot1Q(vlan=7) / v4() / UDP(dport=53)
    yield "two tags", Dot1AD(vlan=7) / Dot1Q(vlan=8) / v6() / UDP(dport=53)
    yield "a priority tag", Dot1Q(vlan=0, prio=5) / v6() / TCP(dport=8080, flags="A")
    yield "hop-by-hop options", v6() / IPv6ExtHdrHopByHop(options=[PadN()]) / UDP(dport=53)
    yield "destination options", v6() / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"x" * 40)]) / TCP(dport=80, flags="S")
    yield "a routing header", v6() / IPv6ExtHdrRouting(type=2, addresses=["2001:db8::5"]) / UDP(dport=53)
    yield "AH over IPv6", v6() / authentication(17) / UDP(dport=53)
    yield "a chain of all", (v6() / IPv6ExtHdrHopByHop(options=[PadN()]) / IPv6ExtHdrDestOpt(options=[PadN()])
                             / IPv6ExtHdrRouting(addresses=["2001:db8::5"]) / authentication(60)
                             / IPv6ExtHdrDestOpt(options=[PadN()]) / TCP(dport=443, flags="PA"))
    yield "a jumbogram", v6(plen=0) / IPv6ExtHdrHopByHop(options=[Jumbo(jumboplen=100_000)]) / UDP(dport=53, len=0)
    yield "SCTP", v4() / SCTP(dport=9) / SCTPChunkInit()
    yield "SCTP over IPv6", v6() / SCTP(dport=9) / SCTPChunkData(data=b"x")
    yield "ping", v4() / ICMP() / b"abc"
    yield "ping over IPv6", v6() / ICMPv6EchoRequest(data=b"abc")
    yield "unreachable", v4() / ICMP(type=3, code=3) / v4(src=EDGE, dst=GOOD) / UDP()
    yield "unreachable over IPv6", v6() / ICMPv6DestUnreach() / v6(src=EDGE6, dst=GOOD6) / UDP()
    yield "IGMP", v4(dst="224.0.0.22", ttl=1, options=[IPOption_Router_Alert()]) / IGMP(type=0x16, gaddr="239.1.1.1")
    yield "GRE", v4() / GRE() / v4() / UDP()
    yield "ESP", v4() / ESP(spi=7, seq=1, data=b"x" * 32)
    yield "VXLAN", v4() / UDP(dport=4789) / VXLAN(vni=1) / Ether() / v4() / UDP()
    yield "padding", v4() / UDP(dport=53) / Padding(load=b"\0" * 18)
    yield "an unknown protocol", v4(proto=99) / b"12345678"
    yield "nothing behind IPv6", v6(nh=59)


def kept():
    """What is never dropped, though its source is on the deny list."""
    yield "not-ip", "ARP", ARP(psrc=DENIED, pdst=EDGE)
    yield "not-ip", "ARP behind a tag", Dot1Q(vlan=7) / ARP(psrc=DENIED, pdst=EDGE)
    for message in (ICMPv6ND_NS(tgt=EDGE6), ICMPv6ND_NA(tgt=EDGE6), ICMPv6ND_RS(), ICMPv6ND_RA(),
                    ICMPv6ND_Redirect(tgt="fe80::1", dst=EDGE6)):
        yield "neighbour-discovery", message.name, v6(src=LINK, dst="ff02::1", hlim=255) / message
    yield "neighbour-discovery", "duplicate detection", v6(src="::", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt=LINK)
    quoted = v4(src=EDGE, dst=GOOD, len=1500, flags="DF") / TCP()
    yield "essential", "fragmentation needed", v4(src=DENIED) / ICMP(type=3, code=4, nexthopmtu=1400) / quoted
    yield "essential", "packet too big", v6(src=DENIED6) / ICMPv6PacketTooBig(mtu=1280) / v6(src=EDGE6, dst=GOOD6)
    yield "essential", "a listener report", (v6(src=LINK, dst="ff02::16", hlim=1)
                                            / IPv6ExtHdrHopByHop(options=[RouterAlert()]) / ICMPv6MLReport2())
    yield "essential", "an answer of DHCP", (v4(src="10.78.0.9", dst="255.255.255.255") / UDP(sport=67, dport=68)
                                            / BOOTP(op=2) / DHCP(options=[("message-type", "offer"), "end"]))


def bogus():
    for flags in ("", "F", "P", "U", "FPU", "SF", "SFA", "SR", "FSRPAU", "EC", "FR"):
        yield "tcp-flags", f"flags {flags or 'none'}", v4() / TCP(dport=8080, flags=flags)
        yield "tcp-flags", f"flags {flags or 'none'} over IPv6", v6() / TCP(dport=8080, flags=flags)
    yield "land", "land", v4(src=EDGE) / TCP(sport=8080, dport=8080, flags="S")
    yield "land", "land over IPv6", v6(src=EDGE6) / UDP(sport=53, dport=53)
    for source in ("127.0.0.1", "0.1.2.3", "0.0.0.0", "224.0.0.1", "255.255.255.255"):
        yield "martian", source, v4(src=source) / UDP(dport=53)
    for source in ("::1", "::", "ff02::1", "::ffff:198.51.100.7"):
        yield "martian", source, v6(src=source) / UDP(dport=53)
    yield "martian", "to the loopback", v4(dst="127.0.0.1") / UDP(dport=53)
    yield "bad-length", "longer than its frame", v4(len=100) / UDP(dport=53)
    yield "bad-length", "shorter than its header", v4(len=19) / UDP(dport=53)
    yield "bad-length", "IPv6 longer than its frame", v6(plen=100) / UDP(dport=53)
    yield "bad-length", "UDP shorter than its header", v4() / UDP(dport=53, len=4)
    yield "bad-length", "UDP longer than its packet", v4() / UDP(dport=53, len=100)
    yield "bad-length", "TCP with too short a header", v4() / TCP(dport=80, flags="S", dataofs=3)
    yield "bad-length", "TCP with too long a header", v4() / TCP(dport=80, flags="S", dataofs=9)
    for piece in fragment(v4() / UDP(dport=53) / (b"x" * 3000), fragsize=1400):
        yield "fragment", "a piece", piece
    for piece in fragment6(v6() / IPv6ExtHdrFragment(id=7) / UDP(dport=53) / (b"x" * 3000), 1280):
        yield "fragment", "a piece of IPv6", piece


def malformed():
    yield "version 5", v4(version=5) / UDP()
    yield "a header of twelve bytes", v4(ihl=3) / UDP()
    yield "IPv4 that says it is IPv6", Raw(bytes(ETHERNET)[:12] + b"\x86\xdd" + bytes(v4() / UDP()))
    yield "a tiny fragment", Raw(bytes(ETHERNET / v4(flags="MF", proto=6)) + bytes(TCP(flags="S"))[:8])
    yield "an overlapping fragment", v4(frag=1) / TCP(flags="A")
    yield "one behind TCP's flags", v4(frag=2, proto=6) / b"12345678"
    yield "an overlapping fragment of SCTP", v4(frag=1, proto=132) / b"12345678"
    yield "one of IPv6", v6() / IPv6ExtHdrFragment(nh=6, offset=1, m=1) / Raw(b"x" * 16)
    chain = v6()
    for _ in range(7):
        chain = chain / IPv6ExtHdrDestOpt(options=[PadN()])
    yield "seven extension headers", chain / UDP(dport=53)
    yield "two fragment headers", v6() / IPv6ExtHdrFragment() / IPv6ExtHdrFragment() / UDP()
    for length in (14 + 10, 14 + 20 + 4, 14 + 20 + 19):
        yield f"cut after {length}", cut(v4() / TCP(flags="S"), length)
    for length in (14 + 39, 14 + 40 + 3, 14 + 40 + 8 + 4):
        yield f"IPv6 cut after {length}", cut(v6() / IPv6ExtHdrHopByHop(options=[PadN()]) / UDP(), length)


def listed():
    yield "denied", "a denied source", v4(src=DENIED) / TCP(dport=8080, flags="S")
    yield "denied", "a denied source of IPv6", v6(src=DENIED6) / ICMPv6EchoRequest()
    yield "denied", "a denied fragment", v4(src=DENIED, frag=100) / b"12345678"
    yield "allowed", "an allowed Xmas packet", v4(src="192.0.2.1") / TCP(flags="FPU")
    yield "allowed", "one of IPv6", v6(src="2001:db8:bad:1::9") / UDP(dport=9998)
    yield "limited", "a closed port", v4() / UDP(dport=9998)
    yield "limited", "a closed port over IPv6", v6() / UDP(dport=9998)


def table():
    for what, packet in good():
        yield "passed", what, packet
    yield from kept()
    yield from bogus()
    for what, packet in malformed():
        yield "malformed", what, packet
    yield from listed()


def framed(packet):
    return packet if isinstance(packet, Raw) else ETHERNET / packet


def write(folder):
    rows = list(table())
    # Nobody knows what becomes of these, but that each is counted.
    noise = [ETHERNET / fuzz(layers) for layers in (IP() / TCP(), IP() / UDP(), IPv6() / UDP(), IP() / ICMP()) * 50]
    frames = [Ether(bytes(framed(packet))) for _, _, packet in rows]
    for frame in frames:
        frame.wirelen = None
    wrpcap(f"{folder}/packets.pcap", frames, linktype=1, nano=True)
    with PcapNgWriter(f"{folder}/packets.pcapng") as ng:
        for frame in frames:
            ng.write(frame)
    wrpcap(f"{folder}/noise.pcap", noise, linktype=1)
    print(json.dumps([{"reason": reason, "what": what} for reason, what, _ in rows]))


if __name__ == "__main__":
    if sys.argv[1] == "send":
        frames = rdpcap(sys.argv[2])
        sendp([Raw(bytes(frame)) for frame in frames], iface=sys.argv[3], verbose=False)
        print(len(frames))
    else:
        write(sys.argv[1])
