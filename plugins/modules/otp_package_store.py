#!/usr/bin/python
# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: otp_package_store
short_description: Put release packages into a package store, and take them from there
version_added: 0.1.0
description:
  - A package store keeps packages when the controller, or its checkout, does not, as with AWX or in jobs of CI. It is a directory, which several controllers
    may share, a directory on another host, or a web server that takes C(PUT) and C(GET).
  - With a package go the thin one beside it, the document of what it was built from, and the signature of each.
  - The role C(erlang.otp.release) and the playbooks use it with C(otp_package_store). It runs on the controller.
author:
  - The erlang.otp authors (@erlang-otp)
extends_documentation_fragment:
  - erlang.otp._attributes
attributes:
  check_mode:
    support: partial
    details:
      - Packages are taken in check mode as well, because the tasks that follow read them. None are put.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  store:
    description:
      - The absolute path of a directory on the controller, which must exist, or a URL of http or https, to which paths are added.
      - Or V(ssh://HOST/DIRECTORY), a directory on a host of the inventory, to which the task must be delegated. It works there as the user who logs in, without
        C(become), and needs a shell and no Python.
    type: str
    required: true
  url_options:
    description:
      - How to reach the server of a URL, with the names of M(ansible.builtin.get_url), such as C(url_username), C(url_password), C(headers), C(ca_path) and
        C(timeout). O(erlang.otp.otp_release_install#module:url_options) lists them. They show in no output.
    type: dict
    default: {}
  directory:
    description: The directory on the controller that the tasks work with. It is made if packages are taken.
    type: path
    required: true
  take:
    description:
      - The names of packages, each C(NAME-VERSION.tar.gz), to have in O(directory) as they are in the store. Their checksums are compared.
      - A path in O(directory) counts as its name. A URL and a path elsewhere are left alone, so that a package may be given in any way.
      - If O(directory) has a package of the same name with other content, the task fails. With the same content and another relup, that of the store takes
        its place.
    type: list
    elements: str
    default: []
  required:
    description: Whether the task fails if neither the store nor O(directory) has one of them.
    type: bool
    default: true
  put:
    description:
      - The names of packages in O(directory) to have in the store as they are, with what goes along.
      - If the store has a package of the same name with other content, the task fails. With the same content and another relup, this one takes its place.
    type: list
    elements: str
    default: []
seealso:
  - module: erlang.otp.otp_release_build
  - module: erlang.otp.otp_package_signature
"""

EXAMPLES = r"""
- name: Put a package into the store that all jobs share
  erlang.otp.otp_package_store:
    store: /srv/packages
    directory: "{{ inventory_dir }}/.packages"
    put: [exchange-1.0.tar.gz]

- name: Bring it from a web server
  erlang.otp.otp_package_store:
    store: https://packages.example.com/otp
    url_options:
      headers:
        Authorization: "Bearer {{ vault_package_token }}"
    directory: "{{ inventory_dir }}/.packages"
    take: [exchange-1.0.tar.gz]

- name: List what it has
  erlang.otp.otp_package_store:
    store: /srv/packages
    directory: "{{ inventory_dir }}/.packages"
  register: store
"""

RETURN = r"""
taken:
  description: The packages that were brought to O(directory), or of which a file was.
  type: list
  elements: str
  returned: success
  sample: [exchange-1.0.tar.gz]
missing:
  description: The packages of O(take) that are neither in the store nor in O(directory).
  type: list
  elements: str
  returned: success
put:
  description: The packages of O(put) that the store did not have, or had in another way.
  type: list
  elements: str
  returned: success
packages:
  description: What the store has.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name of the release.
      type: str
      sample: exchange
    version:
      description: Its version.
      type: str
      sample: "2.0"
    sha256:
      description: That of the package.
      type: str
      sample: 3f2a9c81d0b43d1c3a7bd6a5c0a39f2a5de9a1ff0b9a0e1b2d7a1a5e5e21e8b7
    files:
      description: The package and what goes along with it, by name, each with its C(sha256) and its C(size).
      type: dict
    upgrade_from:
      description: The releases from which its relup leads, and whether that restarts the node (V(none) does not).
      type: dict
      sample: {"1.0": none}
    made_from:
      description: The releases that its relup was made from.
      type: list
      elements: str
"""
