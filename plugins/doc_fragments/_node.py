# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module reaches the node of a target system."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that say where the node is, and what lets a module in."""

    DOCUMENTATION = r"""
options:
  node:
    description:
      - The name of the node, C(exchange@north). Without an at sign and a host, the node of that name, whatever its host is called.
      - When the host cannot be reached, or there is no such node, the node is looked for on the host that the task runs on. A node
        that calls itself by another name than this one is not called.
    type: str
  cookie:
    description:
      - The node's cookie. It is in no command line, log or result.
    type: str
  cookie_file:
    description:
      - The file with the node's cookie, which, as C(erl) wants it, nobody but its owner may read.
      - Without this and O(cookie), C(.erlang.cookie) in the home directory of the user that the task runs as.
    type: path
  pipe_dir:
    description:
      - The directory in which C(run_erl) has its pipes, its first argument, for a node that is not distributed. Also the pipes' path
        without C(.r) and C(.w).
      - The user that the task runs as must be root or the node's own user.
      - A line that somebody has begun to type into the shell of the node is deleted.
    type: path
  host:
    description:
      - The address of the node, when it is not the host in its name. A name, or an address of IPv4 or IPv6.
    type: str
  port:
    description:
      - The port at which the node listens, when it runs without C(epmd).
    type: int
  epmd_port:
    description:
      - The port of C(epmd). Without it, that of the variable C(ERL_EPMD_PORT) in the environment of the task, or V(4369).
    type: int
"""
