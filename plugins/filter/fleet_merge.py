# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter fleet_merge."""

from __future__ import annotations

import html
import json
import typing as t

from ansible.errors import AnsibleFilterError

from ansible_collections.erlang.otp.plugins.module_utils._core.terminal import cleaned
from ansible_collections.erlang.otp.plugins.module_utils._core.values import mapped

DOCUMENTATION = r"""
name: fleet_merge
short_description: One report of several reports on parts of a fleet
version_added: 0.1.0
author:
  - The erlang.otp authors
description:
  - Makes one report of documents that the playbook C(erlang.otp.status) has written with C(otp_status_json). The playbook shows it with C(otp_status_merge).
  - Of a host that is in several of them, the newest document counts. The time of the report is that of the oldest.
positional: _input
options:
  _input:
    description: The paths of the documents on the controller.
    type: list
    elements: path
    required: true
seealso:
  - plugin: erlang.otp.fleet_status
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Report what runs where
  ansible.builtin.debug:
    msg: "{{ (['/srv/fleet/first.json', '/srv/fleet/second.json'] | erlang.otp.fleet_merge).lines }}"
"""

RETURN = r"""
_value:
  description: The report, as of the filter P(erlang.otp.fleet_status#filter).
  type: dict
  contains:
    lines:
      description: The report for a terminal of 100 columns.
      type: list
      elements: str
    page:
      description: The report as data for a template. All text in it is escaped for HTML.
      type: dict
    data:
      description: The report for other programs, as C(docs/status.schema.json) of the collection describes it.
      type: dict
    metrics:
      description: The report for Prometheus, as a file of the textfile collector of its C(node_exporter).
      type: str
"""


def fleet_merge(paths: t.Any) -> dict[str, t.Any]:
    """The report of all hosts of the documents."""
    if isinstance(paths, (str, t.Mapping)) or not isinstance(paths, t.Sequence) or not paths:
        raise AnsibleFilterError("fleet_merge needs a list of paths of documents that otp_status_json has written")
    # Here, as Ansible loads all filters of the collection for any of them.
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_merge import merge_documents
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_metrics import fleet_metrics
    from ansible_collections.erlang.otp.plugins.plugin_utils._fleet.fleet_text import fleet_lines

    documents = [*map(_document, paths)]
    for path, document in zip(paths, documents):
        # Each alone, so that the message has the path.
        _merged(str(path), [document], merge_documents)
    fleet, data = cleaned(_merged("", documents, merge_documents))
    page = mapped(fleet, lambda value: html.escape(value) if isinstance(value, str) else value, keys=True)
    return {"lines": fleet_lines(fleet), "page": page, "data": data, "metrics": fleet_metrics(data)}


def _document(path: t.Any) -> t.Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise AnsibleFilterError(f"{path}: {error.strerror}. Has the job that writes it, with otp_status_json, ended?") from None
    except ValueError as error:
        raise AnsibleFilterError(_reason(str(path), error)) from None


def _merged(path: str, documents: list[t.Any], merge: t.Callable[..., t.Any]) -> t.Any:
    try:
        return merge(documents)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise AnsibleFilterError(_reason(path, error)) from None


def _reason(path: str, error: Exception) -> str:
    what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
    return f"{path} is not a document that otp_status_json of this version of erlang.otp has written: {what}"


class FilterModule:
    """The filter, for Ansible."""

    def filters(self) -> dict[str, t.Callable]:
        return {"fleet_merge": fleet_merge}
