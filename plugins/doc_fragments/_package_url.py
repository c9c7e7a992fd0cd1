# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The option for a package from a URL."""

from __future__ import annotations


class ModuleDocFragment:
    """Options that modules which install a package have in common."""

    DOCUMENTATION = r"""
options:
  optional_native:
    description:
      - Applications of the release whose native code may need libraries that the host lacks, such as V(wx) on a host without a display.
        V(erts) is ERTS itself.
      - The native code of all others, of ERTS too, must find its libraries and their symbol versions on the host, or in the release.
        If not, the release is refused before anything is changed.
    type: list
    elements: str
    default: []
  url_options:
    description:
      - How the host downloads O(package) from a URL. The names are those of M(ansible.builtin.get_url). Paths are those of the host.
    type: dict
    suboptions:
      url_username:
        description: The user name for the server.
        type: str
      url_password:
        description: The password for the server.
        type: str
      force_basic_auth:
        description: Whether to send user name and password with the first request, for a server that does not ask for them.
        type: bool
        default: false
      headers:
        description: Headers of the request, by name. They show in no output.
        type: dict
        default: {}
      client_cert:
        description: The file with the client's certificate, and its key unless O(url_options.client_key) has that.
        type: path
      client_key:
        description: The file with the key of the client's certificate.
        type: path
      ca_path:
        description: The file with the certificates of the authorities that are trusted, instead of those that the host trusts.
        type: path
      validate_certs:
        description: Whether the certificate of the server must verify.
        type: bool
        default: true
      use_proxy:
        description: Whether to use a proxy that is in the environment of the task.
        type: bool
        default: true
      timeout:
        description:
          - For how many seconds to wait for the server.
          - In as many seconds at least a thousand bytes a second must come, on average.
        type: int
        default: 30
      deadline:
        description: How many seconds the whole download may take.
        type: int
        default: 3600
      retries:
        description: How often to try again when the connection fails, or the server is overloaded.
        type: int
        default: 2
"""
