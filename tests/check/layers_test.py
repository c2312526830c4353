#!/usr/bin/env python3
"""Each wrong arrow is found where it stands, and a right one is not."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

LAYERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/layers.py")


def findings(files):
    """What tools/layers.py says of a tree of these files, as 'file:line' and the whole text."""
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(os.path.join(root, "tools"))
        shutil.copy(LAYERS, os.path.join(root, "tools"))
        for name, text in files.items():
            path = os.path.join(root, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        done = subprocess.run([sys.executable, os.path.join(root, "tools/layers.py")], text=True,
                              capture_output=True, check=False)
        places = [":".join(line.split(":")[:2]) for line in done.stdout.splitlines()]
        assert (done.returncode == 1) == bool(places), done
        return places, done.stdout


def include(*paths):
    return "".join(f"#include <{path}>\n" for path in paths)


ARROWS_UP = {
    "a public header and POSIX": ("include/capsa/a.hpp", "sys/socket.h"),
    "a public header and CAF": ("include/capsa/a.hpp", "caf/all.hpp"),
    "a public header and a backend": ("include/capsa/a.hpp", "backends/hypervisor.hpp"),
    "a public header and the one with CAF": ("include/capsa/a.hpp", "capsa/actors.hpp"),
    "agent and backends": ("agent/a.cpp", "backends/hypervisor.hpp"),
    "backends and agent": ("backends/qemu/a.cpp", "agent/codec.hpp"),
    "backends and CAF": ("backends/qemu/a.cpp", "caf/actor.hpp"),
    "backends and the log": ("backends/qemu/a.cpp", "spdlog/spdlog.h"),
    "memory and virtio": ("backends/memory/a.hpp", "backends/virtio/queue.hpp"),
    "virtio and vhost-user": ("backends/virtio/a.hpp", "backends/vhost_user/server.hpp"),
    "two machines": ("backends/qemu/a.hpp", "backends/kvm/machine.hpp"),
    "a folder nobody placed": ("backends/qemu/a.hpp", "backends/strange/a.hpp"),
    "actors and tools": ("actors/vm/a.cpp", "tools/cli/report.hpp"),
    "a unit and the facade": ("actors/vm/a.cpp", "actors/facade/impl.hpp"),
    "the protocol and a unit": ("actors/protocol/a.cpp", "actors/vm/vm.hpp"),
    "a unit and another's inside": ("actors/vm/a.cpp", "actors/console/parts/a.hpp"),
}

ARROWS_DOWN = {
    "a public header": ("include/capsa/a.hpp", "capsa/error.hpp", "vector"),
    "the header with CAF": ("include/capsa/actors.hpp", "caf/all.hpp", "capsa/error.hpp"),
    "agent": ("agent/guest/a.cpp", "agent/codec.hpp", "capsa/error.hpp", "sys/socket.h", "net/if.h"),
    "virtio": ("backends/virtio/fs/a.cpp", "backends/memory/guest_memory.hpp"),
    "qemu": ("backends/qemu/a.cpp", "backends/hypervisor.hpp", "backends/vhost_user/server.hpp"),
    "a unit": ("actors/vm/a.cpp", "actors/protocol/spawn.hpp", "actors/console/console.hpp",
               "actors/console/core/waiters.hpp", "caf/all.hpp", "spdlog/spdlog.h"),
    "tools": ("tools/cli/a.cpp", "actors/values/validate.hpp", "backends/qemu/probe.hpp"),
    "tests": ("tests/unit/a.cpp", "tools/cli/report.hpp", "caf/all.hpp"),
}


class Layers(unittest.TestCase):
    def test_an_arrow_up_is_found(self):
        for what, (name, target) in ARROWS_UP.items():
            with self.subTest(what):
                places, _ = findings({name: include("string", target)})
                self.assertEqual(places, [f"{name}:2"])

    def test_an_arrow_down_is_not(self):
        for what, (name, *targets) in ARROWS_DOWN.items():
            with self.subTest(what):
                self.assertEqual(findings({name: include(*targets)}), ([], ""))

    def test_two_units_that_include_each_other_are_found(self):
        places, text = findings({"actors/a/a.hpp": include("actors/b/b.hpp"),
                                 "actors/b/b.cpp": include("actors/a/a.hpp")})
        self.assertEqual(places, ["actors/a/a.hpp:1"])
        self.assertIn("actors/b/b.cpp:1", text)

    def test_a_long_file_and_a_path_of_one_machine_are_found(self):
        self.assertEqual(findings({"net/a.cpp": "\n" * 401})[0], ["net/a.cpp:400"])
        self.assertEqual(findings({"net/a.cpp": "\n" * 400})[0], [])
        path = "/" + "work/main"
        self.assertEqual(findings({"docs/a.md": f"see\n{path}\n"})[0], ["docs/a.md:2"])
        self.assertEqual(findings({"docs/a.md": f"./net{path}\n"})[0], [])


if __name__ == "__main__":
    unittest.main()
