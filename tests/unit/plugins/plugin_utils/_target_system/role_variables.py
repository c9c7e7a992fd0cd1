# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role target_system that its templates need, each with a value."""

from __future__ import annotations

import os
import pwd

# As id says it, whatever the environment says.
ME = pwd.getpwuid(os.geteuid()).pw_name
VARIABLES = {
    "otp_root": "/srv/ex'change",
    "otp_user": "exchange",
    "otp_group": "exchange",
    "otp_home": "/var/lib/exchange",
    "otp_node_name": "",
    "otp_long_names": False,
    "otp_heart": False,
    "otp_heart_beat_timeout": 60,
    "otp_erl_flags": [],
    "otp_code_mode": "",
    "otp_environment": {},
    "otp_environment_secrets": {},
    "otp_boot_variables": {},
    "otp_run_dir": "/srv/ex'change/run",
    "otp_pipe_dir": "/srv/ex'change/run/pipe",
    "otp_log_dir": "/srv/ex'change/log",
    "otp_service_manager": "none",
    "otp_service_name": "ex.change",
    "otp_start_at_boot": True,
    "otp_unit_hardening": True,
    "otp_unit_lines": [],
    "otp_init_script": "/etc/init.d/S80exchange",
    "otp_open_files": 0,
    "otp_console": "run_erl",
    "otp_log_generations": 5,
    "otp_log_max_size": 100000,
    "otp_epmd": True,
    "otp_epmd_port": 4369,
    "otp_epmd_address": "",
    "otp_dist_ports": "",
    "otp_boot_server": False,
    "otp_boot_server_clients": [],
}
