# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the otp_* variables of a host, checked on the controller before any host is changed.

Kinds and choices are checked by the roles' argument specs. What is here is what these cannot express.
"""

from __future__ import annotations

import difflib
import os
import re
import typing as t

from ansible_collections.erlang.otp.plugins.module_utils._core.errors import OtpError
from ansible_collections.erlang.otp.plugins.module_utils._core.values import texts
from ansible_collections.erlang.otp.plugins.module_utils._package.download import is_url
from ansible_collections.erlang.otp.plugins.module_utils._target_system.environment import NAME, problem_of
from ansible_collections.erlang.otp.plugins.module_utils._tree.names import check_bootable, is_node_name, number_problem
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory import names
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.builder import builder
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.client import client
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.cluster import cluster
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.notify import notify
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.own_files import own_files
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.run import OF_A_RUN, run
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.service import service
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.signatures import signatures
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.specs import options, typed
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.tls import tls
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.upgrade import upgrade
from ansible_collections.erlang.otp.plugins.plugin_utils._package.facts import checksum_of

# Of the playbooks: those of a run, and where a report goes; and how modules reach the hosts.
OF_THE_STATUS = {"otp_status_page", "otp_status_json", "otp_status_metrics", "otp_status_application", "otp_status_merge", "otp_verify"}
PLAYBOOK_VARIABLES = {*OF_A_RUN, *OF_THE_STATUS, "otp_stdin_transport", "otp_remove"}

# Flags that the role and its start script set, and the variable for each.
FLAGS_WITH_A_VARIABLE = {"-name": "otp_node_name", "-sname": "otp_node_name", "-heart": "otp_heart"}

# Environment variables that bin/start sets, and the variable for each.
OF_THE_ENVIRONMENT = {
    "HOME": "otp_home",
    "HEART_COMMAND": "otp_heart",
    "HEART_BEAT_TIMEOUT": "otp_heart_beat_timeout",
    "RUN_ERL_LOG_GENERATIONS": "otp_log_generations",
    "RUN_ERL_LOG_MAXSIZE": "otp_log_max_size",
}

# No system is installed over these.
DIRECTORIES_OF_THE_HOST = set("/ /bin /boot /dev /etc /home /lib /opt /proc /root /run /sbin /srv /sys /tmp /usr /var".split())

# The role's name of a node of which only the host knows the name (vars/main.yml).
UNKNOWN = "?"

# Paths on the host, and the names of users there.
PATHS = (
    *("otp_home", "otp_run_dir", "otp_pipe_dir", "otp_log_dir", "otp_destdir"),
    *("otp_client_home", "otp_client_run_dir", "otp_client_log_dir", "otp_client_unit_dir"),
)

Variables = t.Mapping[str, t.Any]


def problems(variables: Variables, *, target: bool = True) -> list[str]:
    """Sentences, each with the variable at fault and the way out; empty when all is well.

    variables: those of a host that begin with otp_; target: whether the host is to have a target system; a builder has none.
    """
    values, of_another_kind = typed(variables)
    found = [*unknown_names(variables), *versions(variables), *run(variables), *of_another_kind]
    if of_another_kind:
        return found
    if not target:
        return [*found, *builder(values), *signatures({**values, "otp_package": ""})]
    of_system = (root, user, directories, node, cookie, flags, environment, timeouts, package, signatures, configuration, own_files, service, tls)
    for check in (*of_system, image, box, client, upgrade, cluster, notify):
        found.extend(check(values))
    return found


def unknown_names(variables: Variables) -> t.Iterator[str]:
    known = {*options(), *PLAYBOOK_VARIABLES}
    for name in sorted(set(variables) - known):
        near = difflib.get_close_matches(name, sorted(known), n=1)
        hint = f"did you mean {near[0]}?" if near else "see the documentation of the roles for the variables that they have."
        yield f"{name} is not a variable of erlang.otp: {hint}"


def versions(variables: Variables) -> t.Iterator[str]:
    """Of releases and of applications: texts, by which a system can boot."""
    given = {name: variables.get(name) for name in ("otp_release_version", "otp_upgrade_to", "otp_release")}
    for name, version in given.items():
        problem = number_problem(name, version)
        if version and not problem:
            try:
                check_bootable(str(version))
            except OtpError as error:
                problem = f"{name}: {error}"
        if problem:
            yield problem
    applications = variables.get("otp_release_applications")
    for item in applications if isinstance(applications, list) else []:
        if isinstance(item, dict) and (problem := number_problem(f"otp_release_applications: the version of {item.get('name')}", item.get("version"))):
            yield problem


def root(variables: Variables) -> t.Iterator[str]:
    path = str(variables.get("otp_root") or "")
    if not path:
        yield "otp_root is not set: give the directory of the system on the host, such as /srv/exchange."
    elif not path.startswith("/"):
        yield f"otp_root is {path!r}: it must be an absolute path, such as /srv/{os.path.basename(path)}."
    elif os.path.normpath(path) in DIRECTORIES_OF_THE_HOST:
        yield f"otp_root is {path!r}: that is a directory of the host. Give the system a separate one, such as /srv/exchange."
    elif os.path.normpath(path) != path:
        yield f"otp_root is {path!r}: write it without '//', '.', '..' and a slash at the end, as {os.path.normpath(path)}."
    else:
        yield from names.paths({"otp_root": path})


def user(variables: Variables) -> t.Iterator[str]:
    for name in ("otp_user", "otp_group"):
        value = str(variables.get(name, "erlang") or "")
        if not names.USER.fullmatch(value):
            yield f"{name} is {value!r}: it must be the name of a {name[len('otp_') :]}, such as erlang."


def directories(variables: Variables) -> t.Iterator[str]:
    found = {name: str(variables[name]) for name in PATHS if variables.get(name)}
    for name, directory in (variables.get("otp_boot_variables") or {}).items():
        if not NAME.fullmatch(str(name)):
            yield f"otp_boot_variables has {name!r}: give a name of letters, digits and _."
        found[f"otp_boot_variables.{name}"] = str(directory)
    yield from names.paths(found)


def node(variables: Variables) -> t.Iterator[str]:
    name = str(variables.get("otp_node_name") or "")
    if not name:
        return
    package = os.path.expanduser(str(variables.get("otp_package") or ""))
    if name == UNKNOWN and os.path.isfile(package):
        # Lazy, for start-up time.
        from ansible_collections.erlang.otp.plugins.plugin_utils._package.node_name import node_name_of

        try:
            node_name_of(package, texts("otp_config_variables", variables.get("otp_config_variables") or {}))
        except OtpError as error:
            yield str(error)
            return
    if not is_node_name(name if "@" in name else f"{name}@host"):
        yield f"otp_node_name is {name!r}: a node's name is NAME@HOST, such as exchange@localhost, or NAME; it is '' for a node that is not distributed."
        return
    host = name.partition("@")[2]
    long_names = variables.get("otp_long_names", "." in host)
    if host and long_names != ("." in host):
        rule = "long names need a host with a dot" if long_names else "short names need a host without a dot"
        yield f"otp_node_name is {name!r} and otp_long_names is {str(long_names).lower()}: {rule}."


def cookie(variables: Variables) -> t.Iterator[str]:
    secret = str(variables.get("otp_cookie") or "")
    if variables.get("otp_node_name") and not secret:
        yield "otp_cookie is not set, and a distributed node needs one: give a secret, preferably from ansible-vault, or set otp_node_name to ''."
    elif secret and not re.fullmatch(r"[\x21-\x7e]{1,255}", secret):
        yield "otp_cookie must be 1 to 255 printable ASCII characters without spaces."


def flags(variables: Variables) -> t.Iterator[str]:
    given = variables.get("otp_erl_flags") or []
    lines = re.sub(r"(?m)#.*$", "", str(variables.get("otp_vm_args") or ""))
    for name, words in (("otp_erl_flags", [str(word) for word in given]), ("otp_vm_args", lines.split())):
        if "-setcookie" in words:
            yield f"{name} has -setcookie: every user of the host could read the cookie in `ps`. Set otp_cookie instead."
        for word in words:
            if re.match(r"[-+][A-Za-z]\S*\s", word):
                yield f"{name} has {word.split()[0]} and more in one element: make each argument a separate element."
        for flag in sorted(set(words) & set(FLAGS_WITH_A_VARIABLE)):
            yield f"{name} has {flag}: set {FLAGS_WITH_A_VARIABLE[flag]} instead."


def environment(variables: Variables) -> t.Iterator[str]:
    plain, secret = (variables.get(option) or {} for option in ("otp_environment", "otp_environment_secrets"))
    for option, values in (("otp_environment", plain), ("otp_environment_secrets", secret)):
        for name, value in values.items():
            if not isinstance(value, (str, int, float)):
                yield f"{option} has no single value for {name}: give a text, a number or a boolean."
            elif name in OF_THE_ENVIRONMENT:
                yield f"{option} has {name}: set {OF_THE_ENVIRONMENT[name]} instead."
            elif problem := problem_of(str(name), str(value)):
                yield f"{option} {problem}."
    for name in sorted(set(plain) & set(secret)):
        yield f"otp_environment and otp_environment_secrets both have {name}: leave one of them out."


def timeouts(variables: Variables) -> t.Iterator[str]:
    timeout = variables.get("otp_heart_beat_timeout", 60)
    if not 10 < timeout <= 65535:
        yield f"otp_heart_beat_timeout is {timeout}: heart takes 11 to 65535 seconds."
    timeout = variables.get("otp_start_timeout", 60)
    if timeout <= 0:
        yield f"otp_start_timeout is {timeout}: it must be a number of seconds, such as 60."


def package(variables: Variables) -> t.Iterator[str]:
    path = str(variables.get("otp_package") or "")
    if is_url(path):
        # What is signed is fetched and summed up on the controller.
        if not variables.get("otp_package_checksum") and not variables.get("otp_allowed_signers"):
            yield f"otp_package is {path}, from where each host fetches it: set otp_package_checksum to sha256: and the output of sha256sum for the file."
    elif os.path.isdir(os.path.expanduser(path)):
        pack = "rebar3 as prod tar, mix release with :tar in its steps, or tar -C DIRECTORY -czf FILE ."
        yield f"otp_package is {path!r}, which is a directory: pack what is in it ({pack}), and name that file."
    elif path and not os.path.exists(os.path.expanduser(path)):
        yield f"otp_package is {path!r}, which does not exist on the controller."
    elif path:
        try:
            # Read in any case, as preflight.yml does this before Ansible forks: then the tasks for each host know it.
            digest = f"sha256:{checksum_of(os.path.expanduser(path))}"
        except OSError as error:
            yield f"otp_package is {path!r}, which cannot be read: {error.strerror}."
            return
        expected = str(variables.get("otp_package_checksum") or digest)
        if expected.strip().lower() != digest:
            yield f"otp_package_checksum is {expected}, and otp_package is {path!r}, whose checksum is {digest}: it is damaged, or another package."


def configuration(variables: Variables) -> t.Iterator[str]:
    template = str(variables.get("otp_sys_config_template") or "")
    if template and variables.get("otp_sys_config"):
        yield "otp_sys_config and otp_sys_config_template are both set: leave one of them out."
    if os.path.isabs(template) and not os.path.isfile(template):
        yield f"otp_sys_config_template is {template!r}, which is not a file on the controller."


def image(variables: Variables) -> t.Iterator[str]:
    path, directory = str(variables.get("otp_image") or ""), str(variables.get("otp_image_directory") or "/")
    if path and not (path.startswith("/") and path.endswith((".tar", ".tar.gz", ".squashfs", ".ext4"))):
        yield f"otp_image is {path!r}: it must be an absolute path that ends in .tar, .tar.gz, .squashfs or .ext4."
    if not directory.startswith("/"):
        yield f"otp_image_directory is {directory!r}: it must be an absolute path."


def box(variables: Variables) -> t.Iterator[str]:
    if not variables.get("otp_box"):
        return
    if variables.get("otp_service_manager") == "systemd":
        yield "otp_service_manager is systemd, which is not supported for a box without Python (otp_box): use sysv or none."
    if variables.get("otp_console", "run_erl") != "run_erl":
        yield "otp_console must be run_erl for a box (otp_box), because its node is reached through the pipes of run_erl."
    if is_url(str(variables.get("otp_package") or "")):
        yield "otp_package is a URL, but a box (otp_box) fetches nothing: give a file on the controller."
    if variables.get("otp_boot_variables"):
        yield "otp_boot_variables is not supported for a box (otp_box): its whole system is below otp_root."
