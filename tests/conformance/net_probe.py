# What the network tests do inside a guest. Reads one call a line and writes one line "=> RESULT".
# Outcomes: ok, refused (RST or ICMP while connecting), reset, unreachable, timeout, closed; where
# there is one, followed by the time that it took and by what was received.
import errno, hashlib, os, random, select, socket, struct, sys, threading, time

GATEWAY, GATEWAY6 = "10.0.2.2", "fdca:70ca:1::2"
held = {}


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def outcome(error):
    if isinstance(error, (TimeoutError, socket.timeout)):
        return "timeout"
    names = {errno.ECONNREFUSED: "refused", errno.ECONNRESET: "reset", errno.EPIPE: "reset"}
    for code in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM):
        names[code] = "unreachable"
    return names.get(error.errno, "errno %s" % error.errno)


def timed(action):
    began = time.monotonic()
    extra = ""
    try:
        extra = action()
        result = "ok"
        if extra is None:
            result, extra = "closed", ""
    except OSError as error:
        result = outcome(error)
    return "%s %.3f %s" % (result, time.monotonic() - began, extra)


def pieces(data, cuts):
    at = 0
    for cut in list(cuts) + [len(data)]:
        yield data[at:cut]
        at = cut


def text(data):
    return data.decode("latin-1").replace("\r", "").replace("\n", "|")


# `echo`: the server sends all of it back; what was let through before a flow is judged counts for
# nothing.
def tcp(address, port, data=b"ping", cuts=(), echo=False, t=5):
    def action():
        with socket.socket(family(address), socket.SOCK_STREAM) as s:
            s.settimeout(t)
            s.connect((address, port))
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces(data, cuts):
                if cuts:
                    time.sleep(0.03)
                s.sendall(piece)
            got = b""
            while not got or (echo and len(got) < len(data)):
                more = s.recv(65536)
                if not more:
                    return None
                got += more
            return "echo" if got == data else text(got[:400])
    return timed(action)


def hello(name):
    import ssl
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def tls(address, port, name, cuts=()):
    return tcp(address, port, hello(name), cuts, echo=True)


def http(address, port, host, cuts=()):
    return tcp(address, port, b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode(), cuts)


def udp(address, port, data=b"ping", t=2):
    def action():
        with socket.socket(family(address), socket.SOCK_DGRAM) as s:
            s.settimeout(t)
            s.connect((address, port))
            s.send(data)
            got = s.recv(65536)
            return "same" if got == data else text(got)
    return timed(action)


def hold(key, address, port):
    def action():
        held[key] = s = socket.create_connection((address, port), timeout=5)
        return ""
    return timed(action)


def talk(key, data=b"more"):
    def action():
        held[key].sendall(data)
        got = held[key].recv(65536)
        if not got:
            return None
        return "echo" if got == data else text(got)
    return timed(action)


def name_at(message, at):
    labels = []
    while True:
        length = message[at]
        if length >= 0xC0:
            rest, _ = name_at(message, (length & 0x3F) << 8 | message[at + 1])
            return ".".join(labels + ([rest] if rest else [])), at + 2
        at += 1
        if not length:
            return ".".join(labels), at
        labels.append(message[at:at + length].decode("latin-1"))
        at += length


# "noerror 0.012 A=203.0.113.10/60", with the records in their order.
def dns(name, qtype=1, server=GATEWAY, use_tcp=False, t=8):
    query = struct.pack(">HHHHHH", random.randrange(65536), 0x0100, 1, 0, 0, 0)
    for label in name.rstrip(".").split("."):
        query += bytes([len(label)]) + label.encode("latin-1")
    query += b"\0" + struct.pack(">HH", qtype, 1)
    began = time.monotonic()
    try:
        with socket.socket(family(server),
                           socket.SOCK_STREAM if use_tcp else socket.SOCK_DGRAM) as s:
            s.settimeout(t)
            s.connect((server, 53))
            if use_tcp:
                s.sendall(struct.pack(">H", len(query)) + query)
                reply = s.makefile("rb").read(struct.unpack(">H", s.recv(2))[0])
            else:
                s.send(query)
                reply = s.recv(65536)
    except OSError as error:
        return "%s %.3f" % (outcome(error), time.monotonic() - began)
    ident, flags, questions, answers = struct.unpack(">HHHH", reply[:8])
    rcodes = {0: "noerror", 1: "formerr", 2: "servfail", 3: "nxdomain", 4: "notimp", 5: "refused"}
    out = [rcodes[flags & 15], "%.3f" % (time.monotonic() - began)]
    if ident != struct.unpack(">H", query[:2])[0]:
        out[0] = "wrong-id"
    if flags & 0x0200:
        out.append("TC")
    at = 12
    for _ in range(questions):
        at = name_at(reply, at)[1] + 4
    for _ in range(answers):
        at = name_at(reply, at)[1]
        kind, _, ttl, size = struct.unpack(">HHIH", reply[at:at + 10])
        at += 10
        data = reply[at:at + size]
        value = {1: lambda: socket.inet_ntoa(data),
                 28: lambda: socket.inet_ntop(socket.AF_INET6, data),
                 5: lambda: name_at(reply, at)[0]}.get(kind, lambda: text(data))()
        out.append("%s=%s/%d" % ({1: "A", 28: "AAAA", 5: "CNAME"}.get(kind, kind), value, ttl))
        at += size
    return " ".join(out)


# -- streams

def down(address, port):
    digest, count = hashlib.sha256(), 0
    with socket.create_connection((address, port), timeout=60) as s:
        while True:
            data = s.recv(1 << 18)
            if not data:
                return "%d %s" % (count, digest.hexdigest())
            digest.update(data)
            count += len(data)


def up(address, port, size):
    digest, left = hashlib.sha256(), size
    with socket.create_connection((address, port), timeout=60) as s:
        while left:
            data = os.urandom(min(left, 1 << 16))
            digest.update(data)
            s.sendall(data)
            left -= len(data)
        s.shutdown(socket.SHUT_WR)
        return "%s %s" % (digest.hexdigest(), s.makefile("rb").read().decode())


# -- servers in the guest

def serve(kind, port):
    s = socket.socket(socket.AF_INET, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", port))

    def stream(c):
        with c:
            while data := c.recv(65536):
                c.sendall(data)

    def loop():
        while True:
            if kind == socket.SOCK_DGRAM:
                data, peer = s.recvfrom(65536)
                s.sendto(data, peer)
            else:
                threading.Thread(target=stream, args=(s.accept()[0],), daemon=True).start()
    if kind == socket.SOCK_STREAM:
        s.listen(64)
    threading.Thread(target=loop, daemon=True).start()
    return "serving"


def serve_tcp(port):
    return serve(socket.SOCK_STREAM, port)


def serve_udp(port):
    return serve(socket.SOCK_DGRAM, port)


# -- frames of our own making

def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def card():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    name = next(n for _, n in socket.if_nameindex() if n.startswith("e"))
    s.bind((name, 0))
    return s, s.getsockname()[4]


def gateway_mac(s, mac):
    own = socket.inet_aton(own_address(GATEWAY))
    arp = struct.pack(">HHBBH", 1, 0x0800, 6, 4, 1) + mac + own + b"\0" * 6
    s.send(b"\xff" * 6 + mac + b"\x08\x06" + arp + socket.inet_aton(GATEWAY))
    end = time.monotonic() + 3
    while time.monotonic() < end:
        if select.select([s], [], [], 0.2)[0]:
            frame = s.recv(2048)
            if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2":
                return frame[6:12]
    raise OSError(errno.EHOSTUNREACH, "no ARP")


def own_address(towards):
    with socket.socket(family(towards), socket.SOCK_DGRAM) as s:
        s.connect((towards, 9))
        return s.getsockname()[0]


# The first SYN to any address there is, spelled as the guest's own stack would not let us; what
# comes back: rst, synack, icmp TYPE/CODE, none. `proto` 17 sends a datagram.
def syn(address, port, source=None, mac_source=None, proto=6, t=2):
    s, mac = card()
    with s:
        to = gateway_mac(s, mac)
        v6 = ":" in address
        af = family(address)
        src = socket.inet_pton(af, source or own_address(GATEWAY6 if v6 else GATEWAY))
        dst = socket.inet_pton(af, address)
        own_port, sequence = random.randrange(20000, 30000), random.randrange(1 << 32)
        if proto == 6:
            segment = struct.pack(">HHIIBBHHH", own_port, port, sequence, 0, 0x50, 2, 64240, 0, 0)
            where = 16
        else:
            segment = struct.pack(">HHHH", own_port, port, 12, 0) + b"ping"
            where = 6
        if v6:
            pseudo = src + dst + struct.pack(">II", len(segment), proto)
            head = struct.pack(">IHBB", 6 << 28, len(segment), proto, 64) + src + dst
        else:
            pseudo = src + dst + struct.pack(">HH", proto, len(segment))
            head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, 64, proto, 0)
            head = head + src + dst
            head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
        segment = (segment[:where] + struct.pack(">H", checksum(pseudo + segment))
                   + segment[where + 2:])
        kind = b"\x86\xdd" if v6 else b"\x08\x00"
        s.send(to + (mac_source or mac) + kind + head + segment)
        began = time.monotonic()
        result = "none"
        while result == "none" and time.monotonic() < began + t:
            if not select.select([s], [], [], 0.1)[0]:
                continue
            frame = s.recv(65536)
            if frame[:6] != mac or frame[12:14] != kind:
                continue
            result = reply_to(frame[14:], v6, own_port)
        return "%s %.3f" % (result, time.monotonic() - began)


def reply_to(packet, v6, own_port):
    start = 40 if v6 else (packet[0] & 15) * 4
    proto, rest = packet[6 if v6 else 9], packet[start:]
    if proto in (1, 58):
        if proto == 58 and rest[0] >= 128 or proto == 1 and rest[0] in (0, 8):
            return "none"
        inner = rest[8:]
        at = 40 if v6 else (inner[0] & 15) * 4
        quoted = struct.unpack(">H", inner[at:at + 2])[0]
        return "icmp %d/%d" % (rest[0], rest[1]) if quoted == own_port else "none"
    if struct.unpack(">H", rest[2:4])[0] != own_port:
        return "none"
    if proto == 17:
        return "answer"
    return "rst" if rest[13] & 4 else "synack" if rest[13] & 2 else "none"


for line in sys.stdin:
    try:
        answer = eval(line)
    except Exception as error:
        answer = "%s: %s" % (type(error).__name__, error)
    print("=> %s" % answer, flush=True)
