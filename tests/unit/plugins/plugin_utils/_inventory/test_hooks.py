# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hooks as Ansible will load them.

Rules: YAML, modules, keywords of tasks, and options of documented modules are checked, also in files and roles that a hook includes by a plain name; what
only a run knows, such as a template, is no problem; what would end the run for a host, past every rescue, is one.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

GOOD = """
- name: Drain
  ansible.builtin.uri: {url: "http://lb/{{ inventory_hostname }}", method: POST, status_code: [200, 204], timeout: "{{ patience }}"}
  register: drained
  until: drained is succeeded
  retries: 3
- ansible.builtin.command: {cmd: "true"}
- shell: echo {{ x }} > y
  args: {chdir: /}
- otp_rpc: {module: a, function: b}
- ansible.builtin.include_tasks: "{{ playbook_dir }}/x.yml"
- ansible.builtin.import_tasks: "{{ playbook_dir }}/x.yml"
- include_role: {name: nowhere}
- meta: flush_handlers
- debug: {msg: x}
  run_once: true
  ignore_errors: true
- block:
    - service: {name: x, state: stopped, anything: 1}
    - ansible.builtin.set_fact: {a: 1}
  rescue:
    - ansible.builtin.debug: msg=hello
    - ansible.builtin.lineinfile: {path: /x, line: "y", mode: 0644}
    - ansible.builtin.script: x.sh a
    - ansible.builtin.copy: "{{ options }}"
    - ansible.builtin.setup:
"""


NOTHING = [GOOD, "", "---\n", "$ANSIBLE_VAULT;1.1;AES256\n3132\n"]
WRONG = {
    '- ansible.builtin.debug: {msg: "hello}\n': ".yml:2:1: YAML parsing failed",
    "name: x\n": "must be a list of tasks",
    "- name: Drain\n  ansible.builtin.urii: {}\n": "in the task 'Drain': couldn't resolve module/action 'ansible.builtin.urii'",
    "- name: Drain\n  ansible.builtin.debug:\n  wehn: true\n": "in the task 'Drain': ",
    "- name: Drain\n  ansible.builtin.uri: {url: http://x, methd: GET}\n": "task 'Drain': methd is unknown: there are attributes, body, ",
    "- block:\n    - ansible.builtin.copy: {content: x}\n": "copy: missing required arguments: dest",
    "- block: [meta: noop]\n  rescue:\n    - ansible.builtin.uri: {url: http://x, status_code: abc}\n": "unable to convert to int",
    "- erlang.otp.otp_rpc: {modul: a}\n": "modul is unknown",
    "- ansible.builtin.meta: end_host\n  when: false\n": "meta: end_host would end the run",
    "- name: Say\n  block: [{debug: {msg: x}}]\n  run_once: true\n": "run_once: a failure would end the run for all hosts",
    "- include_role: {name: ending}\n": "includes the role ending, task 'ending : meta': meta: end_play would end the run",
    **{
        f"- block:\n    - {include}\n": "couldn't resolve module/action 'ansible.builtin.nothing'"
        for include in ("include_tasks: inner.yml", "ansible.builtin.import_tasks: {file: inner.yml}", "include_role: {name: drain}")
    },
}
# In a process of its own, with Ansible's loaders as ansible-playbook has them.
PROGRAM = """
import json, sys
from ansible.plugins.loader import init_plugin_loader
init_plugin_loader()
from ansible_collections.erlang.otp.plugins.plugin_utils._inventory.checks import problems
hooks = [{"otp_root": "/srv/x", "otp_hooks": {"after": path}} for path in sys.argv[1:]]
print(json.dumps([problems(variables) for variables in hooks]))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The problems of each text as a hook, beside an inner file and a role that are wrong."""
    directory = tmp_path_factory.mktemp("hooks")
    (directory / "inner.yml").write_text("- ansible.builtin.nothing:\n- include_tasks: inner.yml\n")
    (directory / "roles/drain/tasks").mkdir(parents=True)
    (directory / "roles/drain/tasks/main.yml").write_text("- ansible.builtin.nothing:\n")
    (directory / "roles/ending/tasks").mkdir(parents=True)
    (directory / "roles/ending/tasks/main.yml").write_text("- meta: end_play\n")
    texts = [*NOTHING, *WRONG]
    paths = [directory / f"{number}.yml" for number in range(len(texts))]
    for path, text in zip(paths, texts):
        path.write_text(text)
    said = subprocess.run([sys.executable, "-c", PROGRAM, *paths], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return dict(zip(texts, json.loads(said.stdout)))


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_to_say(told: dict[str, list[str]], text: str) -> None:
    assert told[text] == []


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_loaded(told: dict[str, list[str]], text: str) -> None:
    (found,) = told[text]
    assert found.startswith("otp_hooks.after: /") and WRONG[text] in found
