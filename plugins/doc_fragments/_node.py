# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of modules that call the node of a target system."""

from __future__ import annotations


class ModuleDocFragment:
    """The options for the address and the cookie of a node."""

    DOCUMENTATION = r"""
options:
  node:
    description:
      - The name of the node, C(exchange@north). Without an at sign and a host, the node of that name, whatever its host is called.
      - If its host cannot be reached, or does not know the node, the module tries the host that the task runs on. A node that reports
        another name is not called.
    type: str
  cookie:
    description:
      - The node's cookie. It does not show in C(ps), logs or results.
    type: str
  cookie_file:
    description:
      - The file with the node's cookie. Only its owner may have access to it, as C(erl) requires.
      - The default is C(.erlang.cookie) in the home directory of the user that the task runs as.
    type: path
  pipe_dir:
    description:
      - The directory of the pipes of C(run_erl), its first argument, for a node that is not distributed, or that is distributed over TLS with
        files that are not for others. The path of the pipes without C(.r) and C(.w) is accepted too.
      - The task must run as root or as the node's user.
      - A line that is being typed into the shell of the node is deleted.
    type: path
  host:
    description:
      - The address of the node, if it is not the host in its name. A host name, an IPv4 address or an IPv6 address.
    type: str
  port:
    description:
      - The port on which the node listens, if it runs without C(epmd).
      - For a node that runs on the host of the task, the default is the port that its emulator was started with.
    type: int
  epmd_port:
    description:
      - The port of C(epmd). The default is the variable C(ERL_EPMD_PORT) in the environment of the task, or V(4369).
    type: int
"""
