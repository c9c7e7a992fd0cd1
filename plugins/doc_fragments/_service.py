# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option of the modules that work by the service of a node."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    description: The service that starts the node at boot, and that this module uses to start and stop it. Without a service, C(bin/start) is used.
    type: dict
    suboptions:
      manager:
        description:
          - V(systemd) for a unit, V(sysv) for an init script. It must be the first of O(service.files).
          - V(auto) for what is on the host. V(systemd) or V(sysv), where that is the init that runs; V(rcS), an init script under BusyBox; V(none),
            no service. Then O(service.files[].managers) selects the files. A unit or a script of this name that is not of
            this collection stays, with a warning, and counts as V(none).
        type: str
        choices: [auto, systemd, sysv]
        required: true
      name:
        description: The name of the service. For a unit, without C(.service).
        type: str
        required: true
      at_boot:
        description: Whether the host starts the service at boot.
        type: bool
        default: true
      files:
        description: Files of the host, such as the unit. They belong to root.
        type: list
        elements: dict
        required: true
        suboptions:
          path:
            description: The absolute path.
            type: str
            required: true
          content:
            description: The text.
            type: str
            required: true
          mode:
            description: The permissions, octal, V("0400") to V("0777").
            type: str
            default: '0644'
          optional:
            description: Whether to skip the file on a host that does not have its directory.
            type: bool
            default: false
          managers:
            description: Write the file only where one of these starts the node at boot. Empty for all. See O(service.manager).
            type: list
            elements: str
            choices: [systemd, sysv, rcS, none]
            default: []
"""
