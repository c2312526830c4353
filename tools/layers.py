#!/usr/bin/env python3
"""Reads every #include and fails on an arrow that points up, a file that grew too long, or a path
of one machine.

    tools/layers.py            the whole tree; exit status 1 where something is wrong

The floors, lowest first; each may include itself and those in its list, nothing else.
"""

import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

FLOORS = {
    "include": (),
    "net": ("include",),
    "agent": ("include",),
    "backends": ("include", "net"),
    "actors": ("include", "net", "agent", "backends"),
    "tools": ("include", "net", "agent", "backends", "actors"),
    "tests": ("include", "net", "agent", "backends", "actors", "tools"),
}

# Inside backends: which folders each folder may include. "" stands for the files beside them: the
# seam to the machines, which only the machines implement.
BACKENDS = {
    "": ("memory", "virtio", "runtime_dir"),
    "memory": (),
    "runtime_dir": ("program",),
    "block": (),
    "program": (),
    "firmware": (),
    "image": ("program", "runtime_dir"),
    "virtio": ("memory", "block"),
    "vhost_user": ("memory", "virtio"),
    "qemu": ("", "memory", "virtio", "vhost_user", "runtime_dir"),
    "kvm": ("", "memory", "virtio", "runtime_dir"),
    "sim": ("", "memory", "virtio"),
}

# Inside actors: what every unit stands on, then the units, then the handles that users hold. A unit
# may include headers of another one that lie directly in its folder or in its core/, and no two
# units include each other.
ACTORS_BELOW = ("values", "guest", "protocol", "loop")
ACTORS_ABOVE = ("facade",)

# What a floor may use of other people's: prefix of the include, floors, single files besides.
FOREIGN = {
    "caf/": (("actors", "tests"), ("include/capsa/actors.hpp",)),
    "spdlog/": (("actors", "tools", "tests"), ()),
}

STANDARD = set("""
algorithm any array atomic barrier bit bitset cassert ccomplex cctype cerrno cfenv cfloat charconv
chrono cinttypes climits clocale cmath codecvt compare complex concepts condition_variable coroutine
csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype deque
exception execution filesystem format forward_list fstream functional future initializer_list
iomanip ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource
mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator
semaphore set shared_mutex source_location span sstream stack stdexcept stop_token streambuf string
string_view syncstream system_error thread tuple type_traits typeindex typeinfo unordered_map
unordered_set utility valarray variant vector version unistd.h
""".split())  # unistd.h: close(2), for the one owner of descriptors

MAX_LINES = 400
# In pieces, so that this file does not match itself.
MACHINE_PATHS = re.compile("(?<![\\w.])(" + "|".join(
    "/" + path for path in ("work/", "farm/", "tmp/build", "tmp/bash_jobs")) + ")")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def source_files():
    """Every file that is tracked, or new and not ignored; all files where there is no git."""
    git = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard", "-z"],
                         capture_output=True, check=False)
    if git.returncode == 0:
        names = {n for n in git.stdout.decode().split("\0") if n}
    else:
        names = set()
        for folder, folders, files in os.walk(ROOT):
            folders[:] = [f for f in folders if f not in (".git", "build")]
            names |= {os.path.relpath(os.path.join(folder, f), ROOT) for f in files}
    return sorted(n for n in names if os.path.isfile(os.path.join(ROOT, n)))


def is_cpp(name):
    return name.endswith((".hpp", ".cpp"))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def includes(name):
    """(line, path of the tree or None, path as written) of each #include."""
    for number, line in enumerate(read(name).splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        written = match.group(2)
        beside = os.path.normpath(os.path.join(os.path.dirname(name), written))
        if match.group(1) == '"' and os.path.isfile(os.path.join(ROOT, beside)):
            yield number, beside, written
        elif written.startswith("capsa/"):
            yield number, "include/" + written, written
        elif written.split("/")[0] in FLOORS and (  # <net/if.h> is the system's
                os.path.exists(os.path.join(ROOT, written)) or written.endswith((".hpp", ".pb.h"))):
            yield number, written, written
        else:
            yield number, None, written


def folder(name):
    parts = name.split("/")
    return parts[1] if len(parts) > 2 else ""


def check_backends(here, there):
    a, b = folder(here), folder(there)
    if a == b:
        return None
    if a not in BACKENDS or b not in BACKENDS:
        return f"backends/{a if a not in BACKENDS else b} is new: say in tools/layers.py where it stands"
    if b not in BACKENDS[a]:
        return f"backends/{a or '*.hpp'} may not include backends/{b or '*.hpp'}"
    return None


def rank(unit):
    return 0 if unit in ACTORS_BELOW else 2 if unit in ACTORS_ABOVE else 1


def check_actors(here, there):
    a, b = folder(here), folder(there)
    if a == b:
        return None
    if rank(b) > rank(a):
        return f"actors/{a} may not include actors/{b}, which stands above it"
    parts = there.split("/")
    if not there.endswith(".hpp") or (len(parts) > 3 and parts[2] != "core"):
        return f"of actors/{b} another folder may include headers of its own level and core/ only"
    return None


def circles(units):
    """Pairs of units of actors that include each other, with one place of either arrow."""
    for (a, b), (name, number) in sorted(units.items()):
        back = units.get((b, a))
        if back and a < b and rank(a) == rank(b) == 1:
            yield name, number, (f"actors/{a} and actors/{b} include each other (back at "
                                 f"{back[0]}:{back[1]}): talk by messages, or move what both need down")


def check_include(name, target, written):
    floor = name.split("/")[0]
    if target is None:
        for prefix, (floors, files) in FOREIGN.items():
            if written.startswith(prefix) and floor not in floors and name not in files:
                return f"{prefix} is for {', '.join(floors + files)} only"
        if floor == "include" and written not in STANDARD and not written.startswith("caf/"):
            return "a public header includes the standard library and capsa/ only"
        return None
    other = target.split("/")[0]
    if other != floor and other not in FLOORS[floor]:
        return f"{floor}/ may not include {other}/: declare a seam below and implement it above"
    if floor == other == "backends":
        return check_backends(name, target)
    if floor == other == "actors":
        return check_actors(name, target)
    if name != "include/capsa/capsa.hpp" and floor == "include" \
            and target == "include/capsa/actors.hpp":
        return "capsa/actors.hpp brings CAF; no other public header may include it"
    return None


def problems():
    """(file, line, what is wrong and what to do) of the whole tree."""
    units = {}
    for name in source_files():
        try:
            text = read(name)
        except OSError:
            continue
        if "\0" in text[:8192]:
            continue
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            match = MACHINE_PATHS.search(line)
            if match:
                yield name, number, f"'{match.group(1)}' is a path of one machine: take it out"
        if not is_cpp(name):
            continue
        if len(lines) > MAX_LINES:
            yield name, MAX_LINES, (f"{len(lines)} lines, at most {MAX_LINES}: "
                                    "split by core, seam and actor")
        if name.split("/")[0] not in FLOORS:
            continue
        for number, target, written in includes(name):
            wrong = check_include(name, target, written)
            if wrong:
                yield name, number, f"includes <{written}>: {wrong}"
            if target and name.startswith("actors/") and target.startswith("actors/"):
                units.setdefault((folder(name), folder(target)), (name, number))
    yield from circles(units)


def main():
    if len(sys.argv) > 1:
        print(__doc__.strip())
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    found = list(problems())
    for name, line, what in found:
        print(f"{name}:{line}: {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
