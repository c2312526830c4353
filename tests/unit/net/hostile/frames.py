"""Frames that a hostile guest might send, made by scapy: one a line, "GROUP HEX". The guest is
52:54:00:00:00:01 with 10.0.2.15 and fd00::15; its gateway is 52:55:0a:00:02:02 with 10.0.2.2 and
fd00::2. The same at every run."""

import random
import sys

from scapy.all import (ARP, BOOTP, DHCP, DNS, DNSQR, DNSRR, ICMP, IP, TCP, UDP, Dot1Q, Ether,
                       ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_RA, IPOption, IPOption_LSRR,
                       IPOption_RR, IPOption_Router_Alert, IPOption_Timestamp, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, PadN, Raw, fragment, raw)

MAC, GATEWAY = "52:54:00:00:00:01", "52:55:0a:00:02:02"
BROADCAST = "ff:ff:ff:ff:ff:ff"
ME, ME6, ROUTER, ROUTER6 = "10.0.2.15", "fd00::15", "10.0.2.2", "fd00::2"
FAR, FAR6 = "203.0.113.5", "2001:db8::5"

random.seed(1)
ETHER = Ether(src=MAC, dst=GATEWAY)


def give(group, *frames):
    for frame in frames:
        sys.stdout.write("%s %s\n" % (group, bytes(raw(frame)).hex()))


def ip(**more):
    return IP(**{"src": ME, "dst": FAR, **more})


def urgent():
    for pointer in (0, 1, 8, 1460, 65535):
        for flags in ("SU", "PAU", "U", "FAU"):
            give("urgent", ETHER / ip() / TCP(sport=2000, dport=80, flags=flags, urgptr=pointer) /
                 Raw(b"x" * 8))


def fragments():
    whole = ip(id=7) / UDP(sport=3000, dport=3000) / Raw(b"f" * 4000)
    for part in fragment(whole, fragsize=576):
        give("fragments", ETHER / part)
    for offset in (0, 1, 2, 185, 8189):  # overlapping, and beyond the end of a packet
        give("fragments", ETHER / ip(id=8, flags="MF", frag=offset, proto=6) / Raw(b"o" * 64))
        give("fragments", ETHER / ip(id=8, frag=offset or 3, proto=17) / Raw(b"t" * 1400))
    give("fragments", ETHER / ip(id=9, flags="MF") / TCP(flags="S", dport=80))


def ip_options():
    for option in (IPOption_RR(routers=["0.0.0.0"] * 9), IPOption_LSRR(routers=["127.0.0.1"]),
                   IPOption_Timestamp(), IPOption_Router_Alert(), IPOption(b"\x44\x28\x05\x03" +
                                                                          b"\0" * 36),
                   IPOption(b"\x83\x03\x10\0"), IPOption(b"\xff\x01\0\0"), IPOption(b"\x07\x00\0\0")):
        give("ip_options", ETHER / ip(options=[option]) / TCP(flags="S", dport=80))
        give("ip_options", ETHER / ip(options=[option]) / ICMP())


def bad_lengths():
    good = bytes(raw(ETHER / ip() / TCP(flags="S", dport=80) / Raw(b"x" * 40)))
    for at, value in ((14, 0x44), (14, 0x4f), (14, 0x65), (14, 0x05), (16, 0xff), (46, 0x00),
                      (46, 0x40)):
        broken = bytearray(good)
        broken[at] = value
        give("bad_lengths", Raw(bytes(broken)))
    for size in range(14, 54):
        give("bad_lengths", Raw(good[:size]))
    give("bad_lengths", ETHER / ip(len=20) / TCP(flags="S", dport=80),
         ETHER / ip() / UDP(len=7, dport=99), ETHER / ip() / UDP(len=65535, dport=99))


def bad_checksums():
    give("bad_checksums", ETHER / ip(chksum=1) / TCP(flags="S", dport=80),
         ETHER / ip(chksum=0) / UDP(dport=99), ETHER / ip(chksum=0xffff) / ICMP(),
         ETHER / ARP(op=3, hwsrc=MAC, psrc=ME, pdst=ROUTER))


def arp_spoofs():
    for victim in (ROUTER, "10.0.2.16", FAR, "0.0.0.0", "255.255.255.255"):
        for to in (BROADCAST, GATEWAY):
            give("arp_spoofs",
                 Ether(src=MAC, dst=to) / ARP(op=2, hwsrc=MAC, psrc=victim, pdst=ROUTER),
                 Ether(src=MAC, dst=to) / ARP(op=2, hwsrc=GATEWAY, psrc=victim, pdst=ME))
    give("arp_spoofs", ETHER / ARP(hwlen=8, hwsrc=MAC, psrc=ME), ETHER / ARP(plen=16, psrc=ME))


def spoofed_addresses():
    for source in ("10.0.2.16", ROUTER, FAR, "127.0.0.1", "0.0.0.0", "255.255.255.255",
                   "224.0.0.1", "169.254.1.1"):
        give("spoofed_addresses", ETHER / ip(src=source) / TCP(flags="S", dport=80),
             ETHER / ip(src=source, dst=ROUTER) / ICMP(),
             ETHER / ip(src=source) / UDP(dport=123) / Raw(b"x"))
        if source != "0.0.0.0":
            give("spoofed_addresses", ETHER / ip(src=source, dst=ROUTER) / UDP(dport=53) /
                 DNS(rd=1, qd=DNSQR(qname="victim.test")))
    give("spoofed_addresses", ETHER / IPv6(src="2001:db8::1", dst=ROUTER6) / ICMPv6EchoRequest(),
         ETHER / IPv6(src=ROUTER6, dst=FAR6) / UDP(dport=99))


def ipv6_headers():
    v6 = ETHER / IPv6(src=ME6, dst=FAR6)
    ends = TCP(flags="S", dport=80)
    chain = v6
    for _ in range(40):
        chain = chain / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
    give("ipv6_headers", chain / ends, v6 / IPv6ExtHdrHopByHop() / ends,
         v6 / IPv6ExtHdrRouting(type=0, addresses=["::1", ME6]) / ends,
         v6 / IPv6ExtHdrFragment(offset=0, m=1, id=5) / ends,
         v6 / IPv6ExtHdrFragment(offset=1, m=0, id=5) / Raw(b"x" * 64),
         v6 / IPv6ExtHdrHopByHop(len=255) / ends, v6 / IPv6ExtHdrDestOpt(len=200),
         ETHER / IPv6(src=ME6, dst=FAR6, nh=0) / Raw(b"\x06"),
         ETHER / IPv6(src=ME6, dst=FAR6, plen=0) / Raw(b"\xc2\x04\0\1\0\0"),
         ETHER / IPv6(src=ME6, dst=FAR6, nh=135) / Raw(b"\0" * 40))


def rogue_services():
    give("rogue_services",
         ETHER / ip(dst="255.255.255.255") / UDP(sport=67, dport=68) /
         BOOTP(op=2, yiaddr="10.0.2.66", siaddr=ME) / DHCP(options=[("message-type", "offer"), "end"]),
         Ether(src=MAC, dst="33:33:00:00:00:01") / IPv6(src="fe80::15", dst="ff02::1") / ICMPv6ND_RA(),
         Ether(src=MAC, dst=GATEWAY) / IPv6(src=ME6, dst=FAR6) / UDP(sport=547, dport=546))


def dhcp():
    def request(options, **more):
        return (Ether(src=MAC, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255") /
                UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex(MAC.replace(":", "")), **more) /
                DHCP(options=options))

    give("dhcp", request([("message-type", "discover"), "end"]),
         request([("message-type", "discover"), ("param_req_list", list(range(1, 255))), "end"]),
         request([("message-type", "discover"), ("hostname", b"h" * 255), "end"]),
         request([("message-type", "discover"), ("client_id", b"\0" * 255), "end"]),
         request([("message-type", "request"), ("requested_addr", "255.255.255.255"), "end"]),
         request([("message-type", "request"), ("server_id", "8.8.8.8"), "end"]),
         request([("message-type", "decline"), ("requested_addr", ROUTER), "end"]),
         request([("message-type", "discover"), ("max_dhcp_size", 1), "end"]),
         request([("message-type", 250), "end"]), request([(254, b"x" * 200)] * 6),
         request([("message-type", "discover")] * 90), request(["pad"] * 300), request([]),
         request([("message-type", "discover"), "end"], hlen=255),
         request([("message-type", "discover"), "end"], giaddr=FAR),
         request([("message-type", "discover"), "end"], htype=7))
    for number in range(300):
        give("dhcp", request([("message-type", "discover"), ("client_id", number.to_bytes(4, "big")),
                              "end"], xid=number))


def dns():
    def ask(payload):
        return ETHER / ip(dst=ROUTER) / UDP(sport=random.randrange(1024, 65536), dport=53) / payload

    loop = DNS(rd=1, qd=DNSQR(qname="a.test"))
    give("dns", ask(Raw(b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1")),
         ask(Raw(b"\0\1\1\0\xff\xff\xff\xff\xff\xff\xff\xff")),
         ask(Raw(b"\0\1\1\0\0\1\0\0\0\0\0\0" + b"\x3f" + b"a" * 63 + b"\x3f" + b"b" * 63 +
                 b"\x3f" + b"c" * 63 + b"\x3f" + b"d" * 63 + b"\0\0\1\0\1")),
         ask(Raw(b"\0\1\1\0\0\1\0\0\0\0\0\0\x40abc\0\0\1\0\1")), ask(Raw(b"\0")), ask(Raw(b"")),
         ask(DNS(qr=1, rd=1, qd=DNSQR(qname="a.test"), an=DNSRR(rrname="a.test", rdata="1.2.3.4"))),
         ask(DNS(opcode=5, qd=DNSQR(qname="a.test"))), ask(bytes(loop) * 20))
    for number in range(500):
        name = "%d.%s.test" % (number, "n" * (number % 60 + 1))
        kind = random.choice(("A", "AAAA", "TXT", "ANY", "NULL", "DNSKEY", "AXFR"))
        give("dns", ask(DNS(id=number, rd=1, qd=DNSQR(qname=name, qtype=kind))))


def tcp_flags():
    for flags in ("FPU", "SF", "SR", "SFRPAUEC", "", "E", "C", "PU", "SRF"):
        give("tcp_flags", ETHER / ip() / TCP(sport=4000, dport=80, flags=flags))


def strange_frames():
    give("strange_frames", ETHER / Dot1Q(vlan=5) / ip() / TCP(flags="S", dport=80),
         ETHER / Dot1Q(vlan=5) / Dot1Q(vlan=6) / ip() / ICMP(),
         Ether(src=MAC, dst="01:80:c2:00:00:00", type=0x27) / Raw(b"\x42\x42\x03" + b"\0" * 40),
         Ether(src=MAC, dst="01:80:c2:00:00:0e", type=0x88cc) / Raw(b"\x02\x07\x04" + b"\0" * 40),
         Ether(src=MAC, dst=GATEWAY, type=0x88f8) / Raw(b"\0" * 60),
         Ether(src=MAC, dst=GATEWAY, type=0x8863) / Raw(b"\x11\x09" + b"\0" * 30),
         Ether(src=BROADCAST, dst=GATEWAY) / ip() / ICMP(),
         Ether(src="01:00:5e:00:00:01", dst=GATEWAY) / ip() / ICMP(),
         Ether(src="00:00:00:00:00:00", dst=GATEWAY) / ip() / ICMP(),
         Ether(src=MAC, dst=BROADCAST) / ip() / TCP(flags="S", dport=80),
         Ether(src=MAC, dst=BROADCAST) / ip(dst="10.0.2.255") / ICMP(),
         ETHER / ip(proto=47) / Raw(b"\0" * 40), ETHER / ip(proto=132) / Raw(b"\0" * 40),
         ETHER / ip(dst=ME) / TCP(sport=80, dport=80, flags="S"),
         # Of options, all of which are longer than what is left.
         ETHER / ip() / TCP(flags="S", dport=80, dataofs=15) / Raw(b"x" * 40),
         ETHER / ip(ttl=0) / ip() / ip() / UDP(dport=7),
         ETHER / IPv6(src=ME6, dst=FAR6) / ICMPv6ND_NA(tgt=ROUTER6, R=1, S=1, O=1))
    for kind in (3, 4, 5, 11, 12):  # errors about flows that nobody has
        give("strange_frames",
             ETHER / ip() / ICMP(type=kind, code=1) / IP(src=FAR, dst=ME) / TCP(sport=80, dport=1234))


def stations():
    for number in range(200):
        other = "52:54:00:00:01:%02x" % number
        give("stations", Ether(src=other, dst=GATEWAY) / ip() / TCP(flags="S", dport=80),
             Ether(src=other, dst=BROADCAST) / ARP(hwsrc=other, psrc="10.0.2.%d" % (number + 20),
                                                   pdst=ROUTER))


def flows():
    for number in range(10000):
        give("flows", ETHER / ip(dst="203.0.113.%d" % (number % 250 + 1)) /
             TCP(sport=1024 + number % 60000, dport=1 + number // 60000 + number % 7, flags="S",
                 seq=number))
    for number in range(2000):
        give("flows", ETHER / ip(dst="198.18.%d.%d" % (number % 100, number // 100 + 1)) /
             UDP(sport=1024 + number, dport=9) / Raw(b"x"))
    for number in range(500):
        give("flows", ETHER / ip(dst="203.0.113.%d" % (number % 250 + 1)) / ICMP(id=number) / b"ping")


for one in (urgent, fragments, ip_options, bad_lengths, bad_checksums, arp_spoofs,
            spoofed_addresses, ipv6_headers, rogue_services, dhcp, dns, tcp_flags, strange_frames,
            stations, flows):
    one()
