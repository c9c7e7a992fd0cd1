# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a target system, rendered from the otp_* variables of its host and the templates of the role target_system.

The templates are compiled once, before Ansible forks: Ansible's lookup compiles each for each host, and copies all variables each time.
"""

from __future__ import annotations

import re
import shlex
import typing as t
from pathlib import Path

import jinja2

from ansible_collections.erlang.otp.plugins.module_utils._core.values import texts
from ansible_collections.erlang.otp.plugins.module_utils._formats.distribution_flags import distribution_of
from ansible_collections.erlang.otp.plugins.module_utils._node import service_manager
from ansible_collections.erlang.otp.plugins.module_utils._target_system.environment import format_environment
from ansible_collections.erlang.otp.plugins.module_utils._terms.printer import format_terms
from ansible_collections.erlang.otp.plugins.module_utils._terms.values import Atom
from ansible_collections.erlang.otp.plugins.module_utils._tree.own_script import CONTROL
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import of_their_kinds
from ansible_collections.erlang.otp.plugins.plugin_utils._target_system.hardening import epmd_hardening, hardening

TEMPLATES = Path(__file__).parents[3] / "roles" / "target_system" / "templates"
# Functions of the shell, without the lines about the file itself.
IS_EMULATOR, *OTHERS = (
    Path(__file__).with_name(f"{name}.sh").read_text(encoding="utf-8").partition("\n\n")[2] for name in ("is_emulator", "emulators", "stop_node")
)
PROCESSES = "\n".join((IS_EMULATOR, *OTHERS))
MANAGED = f"{service_manager.MANAGED}target_system): changes made here are overwritten."

# The clients of the boot server are in a separate file: the playbook "clients" brings a change to the running server, without a restart.
BOOT_SERVER = "bin/boot_server.args"
TLS_OPTIONS = "bin/ssl_dist.conf"

Variables = t.Mapping[str, t.Any]


class Client(t.NamedTuple):
    """A client node.

    root: the root directory with the libraries; directory: the client's directory below it; both are the same on client and master.
    static: the client boots what release_handler copies to releases, always on the ERTS in bin/start_erl.data, which is erts_version.
    hosts: the boot servers of a client without a disk.
    """

    root: str
    directory: str
    home: str
    run_dir: str
    log_dir: str
    static: bool = False
    erts_version: str = ""
    hosts: tuple[str, ...] = ()


def compiled() -> dict[str, jinja2.Template]:
    """The templates of the role by name, without the suffix .j2."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(
        quote=lambda value: shlex.quote(str(value)),
        regex_escape=re.escape,
        # systemd expands what follows a percent sign.
        for_systemd=lambda value: str(value).replace("%", "%%"),
    )
    return {path.stem: environment.get_template(path.name) for path in sorted(TEMPLATES.glob("*.j2"))}


COMPILED = compiled()


def options(variables: Variables) -> dict[str, t.Any]:
    """The options of otp_target_system that several variables decide: files, service and the like. Raises OtpError for a value of another kind."""
    variables = of_their_kinds(variables)
    if variables["otp_service_manager"] == "auto":
        return {**for_each_manager(variables), "environment": environment(variables)}
    return {"files": scripts(variables), "service": service(variables), "environment": environment(variables)}


def named(variables: Variables, spec: t.Container[str]) -> dict[str, t.Any]:
    """The options of this argument spec that have the name of a variable, without otp_. An empty text is the default of the option."""
    values = {name[len("otp_") :]: value for name, value in variables.items() if value != ""}
    return {option: value for option, value in values.items() if option in spec}


def for_each_manager(variables: Variables) -> dict[str, t.Any]:
    """The options files and service with the files for each manager, of which the host takes those for its own."""
    systemd, sysv = ({**variables, "otp_service_manager": manager} for manager in ("systemd", "sysv"))
    files: list[dict[str, t.Any]] = []
    for of_systemd, of_others in zip(scripts(systemd), scripts(sysv)):
        if of_systemd == of_others:
            files.append({**of_others})
        else:
            files += [{**of_systemd, "managers": ["systemd"]}, {**of_others, "managers": ["sysv", "rcS", "none"]}]
    name, script = variables["otp_service_name"], variables["otp_init_script"]
    # BusyBox runs scripts of such names at boot.
    of_busybox = {**sysv, "otp_init_script": f"/etc/init.d/S80{name}" if script == f"/etc/init.d/{name}" else script}
    services = {"systemd": service(systemd), "sysv": service(sysv), "rcS": service(of_busybox)}
    of_host = [{**file, "managers": [manager]} for manager, found in services.items() if found for file in found["files"]]
    return {"files": files, "service": {"manager": "auto", "name": name, "at_boot": variables["otp_start_at_boot"], "files": of_host}}


def of_node(variables: Variables) -> dict[str, t.Any]:
    """The options of otp_node that several variables decide: service and environment. Raises OtpError for a value of another kind."""
    given = options(variables)
    return {"service": given["service"], "environment": given["environment"]}


def scripts(variables: Variables) -> list[dict[str, str]]:
    """bin/start, bin/start_erl, bin/stop and bin/NAME, and the list of the boot server: the option files of otp_target_system."""
    files = [{"path": f"bin/{name}", "content": rendered(name, variables), "mode": "0755"} for name in ("start", "start_erl", "stop")]
    files.append({"path": CONTROL, "content": rendered("control", variables), "mode": "0755"})
    if variables.get("_otp_tls"):
        files.append({"path": TLS_OPTIONS, "content": tls_options(variables), "mode": "0644"})
    if variables["otp_boot_server"]:
        files.append({"path": BOOT_SERVER, "content": boot_server(variables["otp_boot_server_clients"]), "mode": "0644"})
    return files


def tls_options(variables: Variables) -> str:
    """The options of ssl for connections that other nodes make, and for those that the node makes. With a CA, each side checks the other one."""
    is_mutual = variables["_otp_tls"] == "mutual"
    names = {"certfile": "certificate", "keyfile": "key", **({"cacertfile": "ca"} if is_mutual else {})}
    options = [(Atom(option), f"{variables['otp_root']}/tls/{name}.pem") for option, name in names.items()]
    client = [*options, (Atom("verify"), Atom("verify_peer" if is_mutual else "verify_none"))]
    server = [*client, *([(Atom("fail_if_no_peer_cert"), Atom("true"))] if is_mutual else [])]
    return format_terms([[(Atom("server"), server), (Atom("client"), client)]]).decode("utf-8")


def boot_server(addresses: t.Iterable[str]) -> str:
    """The arguments of the emulator for a boot server that answers only these IPv4 addresses.

    They are tuples: with strings, as in the documentation of erl_boot_server, the node does not boot.
    """
    tuples = ",".join(f"{{{','.join(address.split('.'))}}}" for address in addresses)
    return f"-kernel start_boot_server true\n-kernel boot_server_slaves [{tuples}]\n"


def service(variables: Variables) -> dict[str, t.Any] | None:
    """The option service of otp_target_system; None if no service starts the node."""
    manager, name = variables["otp_service_manager"], variables["otp_service_name"]
    if manager == "none":
        return None
    if manager == "sysv":
        files: list[dict[str, t.Any]] = [{"path": variables["otp_init_script"], "content": rendered("init", variables), "mode": "0755"}]
    else:
        files = [{"path": f"/etc/systemd/system/{name}.service", "content": rendered("node.service", variables)}]
        if has_epmd_unit(variables):
            files.append({"path": f"/etc/systemd/system/{name}-epmd.service", "content": rendered("epmd.service", variables)})
        optional = {"content": rendered("needrestart.conf", variables), "optional": True}
        files.append({"path": f"/etc/needrestart/conf.d/{name}.conf", **optional})
    return {"manager": manager, "name": name, "at_boot": variables["otp_start_at_boot"], "files": files}


def environment(variables: Variables) -> dict[str, t.Any]:
    """The environment variables of the node, which also apply to calls of the node."""
    address = variables["otp_epmd_address"]
    return {"ERL_EPMD_PORT": variables["otp_epmd_port"], **({"ERL_EPMD_ADDRESS": address} if address else {}), **variables["otp_environment"]}


def client_files(variables: Variables, client: Client) -> dict[str, str]:
    """bin/start, bin/stop, bin/environment and, if it is static, bin/start_erl.data of a client node; under systemd its unit and that of its EPMD. By name.

    Raises OtpError for a value of another kind.
    """
    variables = of_their_kinds(variables)
    places = {
        "client": client,
        "otp_root": client.root,
        "otp_home": client.home,
        "otp_pipe_dir": f"{client.run_dir}/pipe",
        "otp_log_dir": client.log_dir,
    }
    names = ["start", "stop"]
    if variables["otp_service_manager"] == "systemd":
        names += ["node.service", "epmd.service"]
    secrets = texts("otp_environment_secrets", variables["otp_environment_secrets"])
    data = {"environment": format_environment({**texts("otp_environment", environment(variables)), **secrets})}
    if client.static:
        data["start_erl.data"] = f"{client.erts_version} static\n"
    return {name: rendered(name, {**variables, **places}) for name in names} | data


def rendered(template: str, variables: Variables) -> str:
    """The text of a template, for the variables of a host and what is derived from them here."""
    client: Client | None = variables.get("client")
    node_directory = client.directory if client else variables["otp_root"]
    data_file = f"{node_directory}/{'bin' if client and client.static else 'releases'}/start_erl.data"
    return COMPILED[template].render(
        variables,
        managed=MANAGED.replace("target_system", "clients") if client else MANAGED,
        client=client,
        is_emulator=IS_EMULATOR,
        processes=PROCESSES,
        # The directory of bin/start and of the releases, and the file that decides which release boots; then the same for use in a script.
        node_directory=node_directory,
        heart_data_file=data_file,
        directory=shlex.quote(node_directory) if client else "$ROOTDIR",
        data_file=shlex.quote(data_file) if client else "$RELDIR/start_erl.data",
        run_dir="$RUN_DIR" if client else "$ROOTDIR/run",
        node_run_dir=client.run_dir if client else variables.get("otp_run_dir", ""),
        command=command(variables),
        environment=environment(variables),
        has_epmd_unit=has_epmd_unit(variables),
        has_heart=variables["otp_heart"],
        hardening=hardening_of(template, variables, node_directory),
    )


def hardening_of(template: str, variables: Variables, node_directory: str) -> list[str]:
    """The lines of hardening in a unit; empty if it is switched off, or for what is not a unit."""
    if not template.endswith(".service") or not variables["otp_unit_hardening"]:
        return []
    if template == "epmd.service":
        return epmd_hardening(variables["otp_root"])
    client: Client | None = variables.get("client")
    names = ("otp_root", "otp_home", "otp_pipe_dir", "otp_log_dir")
    directories = [node_directory, client.run_dir if client else variables["otp_run_dir"], *(variables[name] for name in names)]
    return hardening(list(dict.fromkeys([*directories, *map(str, variables["otp_boot_variables"].values())])), flags(variables))


def command(variables: Variables) -> str:
    """The command that run_erl runs in a shell. bin/start exports its variables."""
    arguments = shlex.join(flags(variables))
    if variables.get("client"):
        return f'cd "$ROOTDIR" && echo $$ >"$RUN_DIR/emulator.pid" && exec "$BINDIR/erlexec" -boot "$BOOT_DIR/start" -config "$BOOT_DIR/sys" {arguments}'
    return f'exec "$ROOTDIR/bin/start_erl" "$ROOTDIR" "$RELDIR" "$START_ERL_DATA" {arguments}'


def flags(variables: Variables) -> list[str]:
    """The arguments of the emulator."""
    found: list[t.Any] = ["-heart"] if variables["otp_heart"] else []
    if variables["otp_node_name"]:
        found += ["-name" if variables["otp_long_names"] else "-sname", variables["otp_node_name"]]
    if has_epmd_unit(variables) or not variables["otp_epmd"]:
        found += ["-start_epmd", "false"]
    if not variables["otp_epmd"]:
        found += ["-erl_epmd_port", variables["otp_dist_ports"]]
    elif variables["otp_dist_ports"]:
        ports = str(variables["otp_dist_ports"]).split("-")
        found += ["-kernel", "inet_dist_listen_min", ports[0], "inet_dist_listen_max", ports[-1]]
    if variables.get("_otp_tls"):
        found += [] if "-proto_dist" in variables["otp_erl_flags"] else ["-proto_dist", "inet_tls"]
        found += ["-ssl_dist_optfile", f"{variables['otp_root']}/{TLS_OPTIONS}"]
    for name, directory in sorted(variables["otp_boot_variables"].items()):
        found += ["-boot_var", name, directory]
    if variables["otp_console"] == "journal":
        found.append("-noinput")
    client: Client | None = variables.get("client")
    is_disk_less = client is not None and client.hosts
    if client and is_disk_less:
        found += ["-loader", "inet", "-hosts", *client.hosts, "-id", variables["otp_node_name"]]
    # vm.args is read first, so that its mode counts if the inventory has none. Code that is loaded later would wait for the boot server.
    found += ["-mode", "embedded" if is_disk_less else variables["otp_code_mode"] or "embedded"]
    if not client and variables["otp_boot_server"]:
        found += ["-args_file", f"{variables['otp_root']}/{BOOT_SERVER}"]
    return [str(flag) for flag in (*found, *variables["otp_erl_flags"])]


def has_epmd_unit(variables: Variables) -> bool:
    """Whether EPMD has its own unit. An EPMD that the node starts would keep the unit of the node active after the node has ended."""
    if variables["otp_service_manager"] != "systemd" or not variables["otp_node_name"] or not variables["otp_epmd"]:
        return False
    return distribution_of(map(str, variables["otp_erl_flags"])).has_epmd
