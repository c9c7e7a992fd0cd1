# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The callback plugin fleet: what Ansible's own default shows, and on a terminal one line a host instead of one for each task of it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
type: stdout
short_description: One line for each host, while a playbook runs
version_added: 0.1.0
author:
  - The erlang.otp authors (@erlang-otp)
description:
  - On a terminal, each host of a play has one line that is drawn again and again, with its release before and after, what is done there at the moment,
    for how many seconds, and its outcome, by the rules of the report at the end. Below a host that failed is the reason.
  - The last line shows how many hosts of the batch have come to their end.
  - Steps within a module are shown while they happen, such as how much of a package was sent, the installation, the wait for a restart, and each gate.
    No further command is sent to a host for that. Steps are seen where modules go to hosts through standard input, that is with pipelining, and with
    connection plugins that start a program, such as P(ansible.builtin.ssh#connection).
  - Above these lines is what does not belong to one of them, as P(ansible.builtin.default#callback) shows it. These are failures with their whole message,
    warnings, differences, what M(ansible.builtin.debug) shows, and the recap. With C(-v), it is all that the default plugin shows.
  - If there are more hosts than lines, those that failed and those that are worked on are shown, and the others are counted.
  - Where standard output is not a terminal, where the environment variable E(TERM) is V(dumb), and where E(CI) is set, as automation servers do it, this
    plugin shows what the default plugin shows, and nothing else.
  - All texts of hosts are shown without control characters.
extends_documentation_fragment:
  - ansible.builtin.default_callback
  - ansible.builtin.result_format_callback
seealso:
  - plugin: ansible.builtin.default
    plugin_type: callback
"""

EXAMPLES = r"""
# In ansible.cfg, or ANSIBLE_STDOUT_CALLBACK=erlang.otp.fleet in the environment:
#
# [defaults]
# stdout_callback = erlang.otp.fleet
"""

import atexit
import os
import sys
import threading
import time
import typing as t

from ansible import constants as C
from ansible import context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils.color import stringc

from ansible_collections.erlang.otp.plugins.plugin_utils._live import channel as _channel
from ansible_collections.erlang.otp.plugins.plugin_utils._live.drawing import frame, signs_for
from ansible_collections.erlang.otp.plugins.plugin_utils._live.screen import Screen
from ansible_collections.erlang.otp.plugins.plugin_utils._live.view import View

COLOURS = {kind: getattr(C, name) for kind, name in (("active", "COLOR_CHANGED"), ("good", "COLOR_OK"), ("bad", "COLOR_ERROR"), ("dim", "COLOR_SKIP"))}
# What is left to the lines of the hosts.
IN_LINES = ("display_ok_hosts", "display_skipped_hosts", "display_included_hosts", "show_per_host_start")
# Actions that ask the operator something.
ASKING = ("pause", "ansible.builtin.pause", "ansible.legacy.pause")
SETTING_FACTS = ("set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact")


def is_live() -> bool:
    """Whether standard output is a terminal on which lines can be drawn again, and not that of an automation server."""
    has_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")
    return has_terminal and os.environ.get("CI", "").lower() in ("", "0", "false")


class CallbackModule(Default):
    """Notes what happens in a View, which a thread draws."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "erlang.otp.fleet"

    def __init__(self) -> None:
        super().__init__()
        self.live = False
        self.shows_all = False
        self.banner_of: t.Any = None
        self.names: dict[str, str] = {}

    # What is shown

    @property
    def is_brief(self) -> bool:
        """Whether the lines of the hosts are in the place of what the default plugin shows."""
        return self.live and not self._display.verbosity and not self.shows_all

    def get_option(self, k: str, hostvars: t.Any = None) -> t.Any:
        return False if k in IN_LINES and self.is_brief else super().get_option(k, hostvars)

    def show(self, method: t.Callable[..., None], result: t.Any) -> None:
        """Show the result as the default plugin does, if the line of its host does not have all of it."""
        found = result.result
        self.shows_all = any(found.get(key) for key in ("_ansible_verbose_always", "warnings", "deprecations", "exception"))
        try:
            if not self.is_brief:
                method(result)
        finally:
            self.shows_all = False

    def _print_task_banner(self, task: t.Any) -> None:
        if self.banner_of is not None:
            play, self.banner_of = self.banner_of, None
            super().v2_playbook_on_play_start(play)
        super()._print_task_banner(task)

    # The lines

    def begin(self) -> None:
        """Draw from now on."""
        self.view = View(check_mode=bool(context.CLIARGS.get("check")))
        self.lock = threading.Lock()
        self.steps = _channel.open_channel()
        self.tick = 0
        self.signs = signs_for(sys.stdout.encoding)
        self.screen = Screen(self.draw)
        self.screen.open()
        self.live = True
        atexit.register(self.end)

    def end(self) -> None:
        """Leave the lines as they are."""
        if self.live:
            self.screen.close()
            self.live = False
            _channel.close_channel()

    def draw(self, width: int, height: int) -> list[str]:
        now = time.monotonic()
        self.tick = int(now * 10)
        with self.lock:
            for host, text in _channel.received(self.steps):
                self.view.report(host, text, now)
            return frame(
                self.view, width=width, height=height, now=now, tick=self.tick, signs=self.signs, paint=lambda text, kind: stringc(text, COLOURS[kind])
            )

    def note(self, change: t.Callable[[], None]) -> None:
        """Change the view. A display never fails a run: without it, all is shown as the default plugin does."""
        if not self.live:
            return
        try:
            with self.lock:
                change()
        except Exception as error:
            self.end()
            self._display.warning(f"erlang.otp.fleet: the lines of the hosts ended ({type(error).__name__}: {error})")

    def note_end(self, result: t.Any, **more: t.Any) -> None:
        """A task has ended for a host."""
        task, found = result.task, {**result.result, **more}
        facts = found.get("ansible_facts") if task.action in SETTING_FACTS else None
        # Since ansible-core 2.21 it is a mapping, with what is kept of the result.
        variable = next(iter([task.register] if isinstance(task.register, str) else task.register or ()), "")
        self.note(lambda: self.view.end(result.host.get_name(), found, variable=variable, facts=facts, shared=bool(task.run_once)))

    # The events

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        if is_live():
            self.begin()
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_vars_prompt(self, *arguments: t.Any, **options: t.Any) -> None:
        if self.live:
            self.screen.pause()
        super().v2_playbook_on_vars_prompt(*arguments, **options)

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        if self.live:
            self.screen.pause(False)

        def begin() -> None:
            variables = play.get_variable_manager().get_vars(play=play)
            self.view.begin_batch(play.get_name(), variables.get("ansible_play_batch") or [], variables.get("ansible_play_hosts_all") or [])

        self.note(begin)
        if self.is_brief:
            self._play, self.banner_of = play, play
        else:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        self.note_task(task)
        if self.live:
            self.screen.pause(task.action in ASKING)
        super().v2_playbook_on_task_start(task, is_conditional)

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self.note_task(task)
        super().v2_playbook_on_handler_task_start(task)

    def note_task(self, task: t.Any) -> None:
        # Without the name of the role. At this time the name is not a template.
        self.names[task._uuid] = name = task.get_name().strip().rpartition(" : ")[2]
        self.note(lambda: self.view.begin_task(name))

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        name = self.names.get(task._uuid) or task.get_name()
        self.note(lambda: self.view.begin(host.get_name(), name, time.monotonic()))
        super().v2_runner_on_start(host, task)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self.note_end(result)
        self.show(super().v2_runner_on_ok, result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        # What registered results say so, those of callbacks do not.
        self.note_end(result, skipped=True)
        self.show(super().v2_runner_on_skipped, result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self.note_end(result, failed=True)
        if not ignore_errors:
            self.note(lambda: self.view.fail(result.host.get_name(), first_line(result.result.get("msg"))))
        super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self.note_end(result, unreachable=True)
        if not result.task.ignore_unreachable:
            self.note(lambda: self.view.fail(result.host.get_name(), first_line(result.result.get("msg"))))
        super().v2_runner_on_unreachable(result)

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        self.note_item(result)
        self.show(super().v2_runner_item_on_ok, result)

    def v2_runner_item_on_skipped(self, result: t.Any) -> None:
        self.show(super().v2_runner_item_on_skipped, result)

    def note_item(self, result: t.Any) -> None:
        name = result.host.get_name()
        label = self._get_item_label(result.result)
        self.note(lambda: self.view.report(name, f"{self.view.host(name).task}: {label} is done", time.monotonic()))

    def v2_runner_retry(self, result: t.Any) -> None:
        name, attempts, retries = result.host.get_name(), result.result.get("attempts", 0), result.result.get("retries", 0)
        self.note(lambda: self.view.report(name, f"{self.view.host(name).task}: attempt {attempts + 1}/{retries}", time.monotonic()))
        if not self.is_brief:
            super().v2_runner_retry(result)

    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        if not self.is_brief:
            super().v2_playbook_on_include(included_file)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        found = {name: stats.summarize(name) for name in stats.processed}
        self.note(lambda: self.view.finish({name for name, each in found.items() if each["failures"] or each["unreachable"]}))
        self.end()
        super().v2_playbook_on_stats(stats)


def first_line(text: t.Any) -> str:
    return str(text or "").strip().partition("\n")[0]
