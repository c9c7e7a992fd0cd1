# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real world: RabbitMQ's server out of Debian's package, as a target system of ours.

`make setup` unpacks the package to build/rabbitmq; its applications are the code path.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import pika
import pytest
import yaml
from release_workshop import Workshop
from waiting import LIMIT, free_port, wait_until

from ansible_collections.erlang.otp.plugins.module_utils._build.otp import find_otp

ENVIRONMENT = "application get_all_env [rabbit]"
# rabbitmq.conf.
CONFIGURATION = "loopback_users = none\nchannel_max = {{ channels | default(77) }}\n"
TOP = Path(__file__).parents[2]
(PLUGINS,) = (TOP / "build" / "rabbitmq").glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins")
VERSION = PLUGINS.parent.name.partition("-")[2]


class Broker(t.NamedTuple):
    root: Path
    home: Path
    ports: tuple[int, int, int]  # of AMQP, of the Erlang distribution, of the port mapper daemon
    inventory: Path

    def play(self, playbook: str, *arguments: str, **variables: t.Any) -> str:
        """Run the playbook; its output."""
        extra = [*arguments, "-e", json.dumps(variables)]
        tools = Path(sys.executable).parent
        done = subprocess.run(
            [tools / "ansible-playbook", f"erlang.otp.{playbook}", "-i", self.inventory, *extra],
            cwd=self.inventory.parent,
            env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ANSIBLE_FORCE_COLOR": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, function: str) -> str:
        """What a function of the node returns, as erl_call of the target system prints it."""
        (erl_call,) = self.root.glob("erts-*/bin/erl_call")
        return subprocess.run(
            [erl_call, "-sname", "rabbit@localhost", "-a", function],
            env={"HOME": str(self.home), "ERL_EPMD_PORT": str(self.ports[2])},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=True,
        ).stdout

    def processes(self) -> list[int]:
        """What runs out of the root directory."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if os.readlink(process / "exe").startswith(f"{self.root}/"):
                    found.append(int(process.name))
        return found

    def ended(self) -> bool:
        """Whether nothing is left; what is left is killed."""
        left = self.processes()
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        return not left


def code_path(directory: Path) -> list[str]:
    """RabbitMQ's ebin directories. In its 4.0, osiris claims to register ra_sup, as ra does in truth: systools refuses both in one release."""
    found = sorted(PLUGINS.glob("*/ebin"))
    (wrong,) = [ebin for ebin in found if ebin.parent.name.startswith("osiris-")]
    right = directory / "corrected" / wrong.parent.name
    shutil.copytree(wrong.parent, right)
    resource = right / "ebin" / "osiris.app"
    resource.write_text(resource.read_text().replace("{registered,[ra_sup]}", "{registered,[osiris_sup]}"))
    return [str(right / "ebin" if ebin == wrong else ebin) for ebin in found]


def plugin(directory: Path, version: str) -> Path:
    """The ebin directory of an application beside the broker."""
    workshop = Workshop(directory / f"plugin-{version}", find_otp(None))
    ebin = workshop.application("plugin", version) / "ebin"
    way = '[{"1.0", [{load_module, plugin}]}]'
    (ebin / "plugin.appup").write_text(f'{{"{version}", {way}, {way}}}.\n')
    return ebin


def inventory(*, directory: Path, root: Path, home: Path, ports: tuple[int, int, int]) -> dict[str, t.Any]:
    amqp, distribution, epmd = ports
    data = {name: str(directory / name) for name in ("mnesia", "log", "quorum", "enabled_plugins", "pid", "generated", "none.config")}
    variables = {
        "otp_release_name": "rabbitmq",
        "otp_release_version": VERSION,
        # RabbitMQ starts and stops Mnesia by itself: its code must be loaded, the application not started.
        "otp_release_applications": ["sasl", "rabbit", {"name": "mnesia", "type": "none"}, "plugin"],
        "otp_code_path": [*code_path(directory), str(plugin(directory, "1.0"))],
        "otp_build_dir": str(directory / "build"),
        "otp_packages_dir": str(directory / "packages"),
        "otp_root": str(root),
        "otp_user": "{{ lookup('ansible.builtin.pipe', 'id -un') }}",
        "otp_service_manager": "none",
        "otp_group": "{{ lookup('ansible.builtin.pipe', 'id -gn') }}",
        "otp_home": str(home),
        "otp_manage_user": False,
        "otp_node_name": "rabbit@localhost",
        "otp_cookie": "for-this-test-alone",
        # A guard alone: a busy machine must not make a run fail.
        "otp_start_timeout": int(LIMIT),
        "otp_sys_config": {"syslog": {"logger": [], "syslog_error_logger": False}},
        "otp_files": [{"path": "etc/rabbitmq.conf", "content": CONFIGURATION, "on_change": {"restart": True}}],
        "otp_environment": {
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": epmd,
            "RABBITMQ_ADVANCED_CONFIG_FILE": data["none.config"],
            "RABBITMQ_CONFIG_FILE": f"{root}/etc/rabbitmq.conf",
            "RABBITMQ_GENERATED_CONFIG_DIR": data["generated"],
            "RABBITMQ_DIST_PORT": distribution,
            "RABBITMQ_ENABLED_PLUGINS_FILE": data["enabled_plugins"],
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_LOG_BASE": data["log"],
            "RABBITMQ_MNESIA_BASE": data["mnesia"],
            "RABBITMQ_NODENAME": "rabbit@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": amqp,
            "RABBITMQ_PID_FILE": data["pid"],
            "RABBITMQ_PLUGINS_DIR": str(root / "lib"),
        },
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    return {
        "otp_builders": {"hosts": {"localhost": {}}},
        "otp": {"hosts": {"broker": {}}},
        "all": {"vars": variables},
    }


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Broker]:
    directory = tmp_path_factory.mktemp("rabbitmq")
    for name in ("mnesia", "log"):
        (directory / name).mkdir()
    (directory / "enabled_plugins").write_text("[].\n")
    root, home = directory / "root", directory / "home"
    amqp, distribution, epmd = free_port(), free_port(), free_port()
    hosts = directory / "hosts.yml"
    hosts.write_text(yaml.safe_dump(inventory(directory=directory, root=root, home=home, ports=(amqp, distribution, epmd))))
    broker = Broker(root, home, (amqp, distribution, epmd), hosts)
    try:
        yield broker
    finally:
        wait_until(broker.ended, "nothing runs out of the root directory")


def greeting(port: int) -> bytes:
    """The first frame that a broker sends; it has the broker's properties."""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT) as connection:
        connection.sendall(b"AMQP\x00\x00\x09\x01")
        stream = connection.makefile("rb")
        header = stream.read(7)
        return stream.read(int.from_bytes(header[3:], "big"))


def test_built_installed_started_and_of_the_right_version(broker: Broker) -> None:
    assert "failed=0" in broker.play("deploy")
    assert broker.call("rabbit_misc version []") == f'"{VERSION}"'
    assert broker.call("rabbit is_running []") == "true"
    assert f'"rabbitmq","{VERSION}"' in "".join(broker.call("release_handler which_releases [permanent]").split())

    assert broker.call("application get_env [rabbit,channel_max]") == "{ok, 77}"

    properties = greeting(broker.ports[0])
    assert b"\x07productS" + len(b"RabbitMQ").to_bytes(4, "big") + b"RabbitMQ" in properties
    assert b"\x07versionS" + len(VERSION).to_bytes(4, "big") + VERSION.encode() in properties

    second = broker.play("deploy")
    assert second.count("changed=0") == 2 and "changed=1" not in second


def store(port: int) -> tuple[pika.BlockingConnection, t.Any]:
    """A connection and a channel with a durable queue."""
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, heartbeat=0, blocked_connection_timeout=LIMIT))
    channel = connection.channel()
    channel.queue_declare("kept", durable=True)
    return connection, channel


def test_a_hot_upgrade_of_a_plugin(broker: Broker) -> None:
    """RabbitMQ has put its listeners into its environment when it started. They stay, and so do a connection and what is stored."""
    version = f"{VERSION}.1"
    ask = {"otp_release_version": version, "otp_code_path": [*code_path(broker.inventory.parent / "next"), str(plugin(broker.inventory.parent, "2.0"))]}
    connection, channel = store(broker.ports[0])
    persistent = pika.BasicProperties(delivery_mode=2)
    channel.basic_publish("", "kept", b"before", persistent)
    listeners, environment, pid = (broker.call(call) for call in ("rabbit_networking node_listeners [rabbit@localhost]", ENVIRONMENT, "os getpid []"))
    assert str(broker.ports[0]) in listeners
    foretold = " ".join(broker.play("upgrade", "--check", **ask).split())
    assert "takes away what the node's environment has beside its files" in foretold and "tcp_listeners" in foretold, foretold
    broker.play("upgrade", otp_keep_env=["rabbit"], **ask)
    assert f'"rabbitmq","{version}"' in "".join(broker.call("release_handler which_releases [permanent]").split())
    for message in (b"after", b"back"):
        assert broker.call("plugin version []") == ('"2.0"' if message == b"after" else '"1.0"')
        assert broker.call("rabbit_networking node_listeners [rabbit@localhost]") == listeners and broker.call(ENVIRONMENT) == environment
        channel.basic_publish("", "kept", message, persistent)
        with contextlib.closing(store(broker.ports[0])[0]):
            assert broker.call("os getpid []") == pid
        if message == b"after":
            broker.play("rollback", otp_keep_env=["rabbit"])
    assert [channel.basic_get("kept", auto_ack=True)[2] for _message in range(3)] == [b"before", b"after", b"back"]
    connection.close()


def test_stopped(broker: Broker) -> None:
    broker.play("deploy", otp_state="stopped")
    assert [process for process in broker.processes() if "epmd" not in os.readlink(f"/proc/{process}/exe")] == []
