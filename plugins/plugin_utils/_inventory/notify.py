# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with otp_notify, to which the record of a run is posted."""

from __future__ import annotations

import os
import re
import typing as t


def notify(variables: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Sentences, each with the way out. The URL may have a secret, and is in none of them."""
    given = variables.get("otp_notify") or {}
    if not given:
        return
    if not re.match(r"https?://[^/]", str(given["url"])):
        yield "otp_notify.url must begin with http:// or https:// and a host."
    template = str(given.get("template") or "")
    if template and not os.path.isabs(template):
        yield f"otp_notify.template is {template!r}: give an absolute path on the controller, such as {{{{ inventory_dir }}}}/{os.path.basename(template)}."
    elif template and not os.path.isfile(template):
        yield f"otp_notify.template is {template!r}, which is not a file on the controller."
