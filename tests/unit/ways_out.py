# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages that name a way out, by a piece of each, and the tests that go it. See test_ways_out.py."""

from __future__ import annotations

REAL, UNIT = "tests/real/", "tests/unit/plugins/"
BUILD, CLIENT, HANDLER, INSTALL, NODE, SYSTEM = (f"{UNIT}module_utils/_{name}/" for name in ("build", "client", "handler", "install", "node", "target_system"))

WAYS = {
    # action
    ": set otp_package (option package).": REAL + "test_handler_current.py::test_a_wrong_package_and_none",
    "and no package is given: set otp_package, or have one built": UNIT + "action/test_actions.py::test_a_host_that_lacks_a_package_where_none_is_given",
    # _build
    "Give the version in otp_release_applications": BUILD + "test_applications.py::test_two_versions",
    "of {rel}: {error} Name its ebin directory in otp_upgrade_path": BUILD + "test_upgrades.py::test_an_application_that_is_nowhere",
    "lacks {listed.name}-{listed.version}. {error} Name its ebin directory": BUILD + "test_upgrades.py::test_what_a_package_lacks_is_looked_for",
    "Boot scripts must be made by the OTP that they are for": REAL + "test_build_refused.py::test_other_erts",
    "erl is not on PATH of the build host": BUILD + "test_otp.py::test_no_erl",
    "is not an Erlang/OTP tree": BUILD + "test_otp.py::test_no_tree",
    "does not return its root directory": BUILD + "test_otp.py::test_a_wrapper_is_asked",
    "Give libraries with native code for the same machine type": REAL + "test_machines.py::test_mixed_machine_types_are_refused",
    "otp_release_extra_files (option extra_files): {path} does not exist": BUILD + "test_package_members.py::test_extra_files_that_are_missing",
    "Two members of the package have the name": BUILD + "test_package_members.py::test_two_members_of_one_name",
    "To have it compared, compile both builds with debug information": BUILD + "test_appup_rules.py::test_what_is_a_question",
    "The module otp_release_appup makes a draft": REAL + "test_relup.py::test_the_role_takes_earlier_packages_from_where_it_brought_them",
    "set otp_appup (option appup) to generate": REAL + "test_relup.py::test_the_role_takes_earlier_packages_from_where_it_brought_them",
    "Have mix make the package": REAL + "test_packages.py::test_what_mix_has_compiled_is_not_built_again",
    # _client
    "install a release there, by the playbook erlang.otp.deploy": CLIENT + "test_directory.py::test_a_machine_type",
    "upgrade it, by the playbook erlang.otp.upgrade": REAL + "test_client_readonly.py::test_a_client_that_is_down",
    "Configure it (playbook erlang.otp.clients": REAL + "test_client_readonly.py::test_a_node_that_is_no_client",
    "Complete its directory (playbook erlang.otp.clients": REAL + "test_client_readonly.py::test_start_erl_data_is_missing",
    "Stop the client, give it release {version}": REAL + "test_client_readonly.py::test_a_client_that_is_down",
    "is not a client here: create its directory": REAL + "test_client_readonly.py::test_a_node_that_is_no_client",
    "While it is down, otp_release_client can switch it": REAL + "test_client_readonly.py::test_a_client_that_is_down",
    "a client is not restarted on a release": REAL + "test_client_readonly.py::test_one_is_upgraded_and_the_other_stays",
    "is old here and can be booted instead: set otp_allow_restart": REAL + "test_otp_cases_clients.py::test_client1",
    # _config
    "has -setcookie, which would show the cookie": REAL + "test_hostile_secrets.py::test_nothing_shows_a_value_of_vault_and_no_node_the_cookie_of_its_release",
    "runs config providers (runtime.exs) when the system boots": REAL + "test_packages.py::test_config_providers_run_at_each_start",
    # _handler
    "and nothing says how to reach it": HANDLER + "test_upgrade.py::test_a_node_that_nothing_says_how_to_reach",
    "to try release {self.version} again": HANDLER + "test_running.py::test_what_fails_its_checks_is_not_committed",
    "Set otp_allow_restart (option allow_restart) to allow it": REAL + "test_upgrade_restart.py::test_an_upgrade_that_restarts_is_refused_unless_it_is_allowed",
    "Set otp_upgrade_method (option method) to restart": REAL + "test_restart_method.py::test_without_a_relup_it_is_booted_once_and_committed",
    "have the node restarted: set otp_allow_restart": REAL + "test_restart_method.py::test_without_a_relup_it_is_booted_once_and_committed",
    "have the node restarted: set otp_upgrade_method": REAL + "test_restart_method.py::test_without_a_relup_it_is_booted_once_and_committed",
    "stop the client, and give it the release": REAL + "test_client_readonly.py::test_a_client_that_is_down",
    "to the name of this system's node": HANDLER + "test_preflight.py::test_the_node_and_the_files",
    "(otp_release_config) before it is installed": REAL + "test_traps_check.py::test_t07_t11_a_configuration_that_is_none",
    "with a relup from the package of": REAL + "test_identity.py::test_a_relup_from_another_package_is_refused_before_anything_is_installed",
    "to try this one again": REAL + "test_interrupted_upgrade.py::test_the_emulator_killed_before_the_commit",
    "with {current} in otp_upgrade_from": REAL + "test_handler_ready.py::test_a_release_without_a_relup_is_ready_for_a_restart",
    "to that, or otp_package (option package) to another package": REAL + "test_handler_current.py::test_a_wrong_package_and_none",
    "the node is down: start it, or set otp_down": REAL + "test_handler_ready.py::test_a_node_that_is_down",
    "End it, or restart the node by the playbook erlang.otp.restart": REAL + "test_status.py::test_a_changed_configuration_and_a_second_emulator_are_told",
    "or start it with -heart and HEART_COMMAND": REAL + "test_traps_check.py::test_t03_a_restart_without_heart",
    # _install
    "{where}: set otp_package_checksum": REAL + "test_install_module.py::test_package_that_cannot_be_fetched",
    "add it with its directory to variables": REAL + "test_deploy_second_root.py::test_an_application_below_the_second_root",
    "Upgrade them to another release, and remove this one there": INSTALL + "test_remove.py::test_absent_refuses_what_a_client_has",
    "Build it for this host's machine type and C library": REAL + "test_machines.py::test_built_here_and_run_there",
    "unpack its archive there first": INSTALL + "test_library_variables.py::test_libraries_that_are_there_already",
    # _node
    "There is no way to the node": NODE + "test_connect.py::test_no_way_to_the_node",
    "this host has neither update-rc.d nor chkconfig": NODE + "test_service.py::test_the_boot_without_a_program_for_it",
    "this host has not been booted with systemd": NODE + "test_service.py::test_a_host_without_systemd_is_told_so",
    "is not a file of this collection, and is left as it is": NODE + "test_service_manager.py::test_a_file_of_another_one_is_left_with_a_warning",
    # _package, _tree
    "otp_hooks of the playbooks or otp_unit_lines": UNIT + "module_utils/_tree/test_own_script.py::test_hooks_of_relx_are_named",
    "the certificate of the server does not verify": REAL + "test_hostile_download.py::test_a_certificate_that_does_not_verify",
    "if it will never end, set otp_take_over": REAL + "test_two_operators.py::test_who_takes_over_is_not_disturbed_by_the_first_one",
    # _target_system
    "Set otp_user to the user that it runs as, or stop it": SYSTEM + "test_adoption.py::test_the_node_of_the_options_alone",
    "Set otp_node_name and otp_cookie to its name and its cookie": REAL + "test_adoption.py::test_another_cookie_is_refused_and_nothing_is_changed",
    "has no rc2.d, so only the name of": SYSTEM + "test_image.py::test_an_init_script_that_nothing_would_run_is_refused",
    "create them, or set otp_manage_user": SYSTEM + "test_image.py::test_a_missing_user_is_an_error_or_is_created_in_the_image",
    "commit it by the playbook erlang.otp.upgrade": SYSTEM + "test_held_node.py::test_a_release_that_is_not_committed_is_not_restarted",
    "the node is down: start it, by the playbook erlang.otp.start": REAL + "test_restart.py::test_stopped_and_started_with_hooks",
    "was not started by {self.node.service.name}.service": SYSTEM + "test_system.py::test_a_node_that_its_unit_has_not_started",
    "runs with an earlier version of": REAL + "test_host_renamed.py::test_the_inventory_has_the_new_name",
    ", with otp_down=offline, because it is down": REAL + "test_deploy.py::test_another_release_waits_for_an_upgrade_whether_the_node_runs_or_not",
    "set otp_package, or put a host into the group otp_builders": SYSTEM + "test_system.py::test_without_a_package_and_a_release_nothing_is_changed",
    "remove these clients first, with otp_client_state=absent": REAL + "test_remove.py::test_clients_are_removed_first",
    "create it, or set otp_manage_user": SYSTEM + "test_service_user.py::test_a_missing_user_that_must_not_be_created",
    "use become, or set otp_user": SYSTEM + "test_service_user.py::test_only_root_creates_users",
    "stop the node and remove {path} first": SYSTEM + "test_system.py::test_a_run_directory_of_an_earlier_deployment_is_in_the_way",
    # _box
    "otp_box is {otp_box}: set it to true or false": UNIT + "action/test_actions.py::test_a_box_that_is_neither",
    "remote_src is not supported for a host without Python": UNIT + "plugin_utils/_box/test_box.py::test_what_a_box_cannot_do",
    "a system is not removed from a box without Python": UNIT + "plugin_utils/_box/test_box.py::test_what_a_box_cannot_do",
    "add the user to the image of the box": REAL + "test_box.py::test_a_user_that_the_box_has_not_is_refused",
    "systemd on a host without Python": UNIT + "plugin_utils/_box/test_system.py::test_a_service_of_another_kind",
    "rcS runs scripts whose name begins with S": UNIT + "plugin_utils/_box/test_system.py::test_a_script_that_the_box_may_not_run",
    # _clients, _fleet, _package, _transport
    "was started before its scripts or its configuration changed": REAL + "test_client_role.py::test_a_client_with_own_directories",
    "Remove them with -e otp_clients_prune=true": UNIT + "plugin_utils/_clients/test_master_plan.py::test_directories_without_a_host",
    "run erlang.otp.clients with -e otp_clients_prune=true": UNIT + "plugin_utils/_clients/test_master_plan.py::test_directories_without_a_host",
    "set otp_upgrade_to to its version, or have it built": REAL + "test_values.py::test_a_builder_that_a_limit_leaves_out_is_named",
    "set otp_upgrade_to to one of those that are installed": UNIT + "plugin_utils/_fleet/test_upgrade_outcome.py::test_without_a_release_the_way_out_is_named",
    "or set otp_upgrade_from to the packages to make the relup from": REAL
    + "test_relup_of_the_fleet.py::test_a_release_without_a_package_is_named_before_anything_is_built",
    "because env.sh computes {variable}": UNIT + "plugin_utils/_package/test_node_name.py::test_a_computed_name_must_be_in_the_inventory",
    "install one, and set ansible_python_interpreter to it": UNIT
    + "plugin_utils/_transport/test_stdin_transport.py::test_a_python_that_is_too_old_is_named_and_nothing_else_is_tried",
}
# Those in the tasks of roles and in playbooks.
TASKS = {
    "No package was built: --limit leaves out": REAL + "test_values.py::test_a_builder_that_a_limit_leaves_out_is_named",
    "so its nodes are restarted, as otp_allow_restart says": REAL
    + "test_relup_of_the_fleet.py::test_without_an_appup_the_nodes_are_restarted_if_that_is_allowed",
    "select one of them with -e otp_builders=HOST": REAL + "test_release_role.py::test_builders_that_differ_are_refused_and_no_package_is_brought",
    "set otp_destdir to that directory": REAL + "test_image.py::test_a_link_is_no_directory_of_an_image",
    "Leave these hosts out, with --limit or otp_hosts": REAL + "test_restart.py::test_stopped_and_started_with_hooks",
}
# They name a variable, and no way out.
FACTS = (
    "made by erlang.otp (otp_release_appup) from compiled code",
    "nothing is installed below otp_root",
    "The node, or its host, is down, and otp_down is skip",
    "there is nothing to roll back to: no system is installed below otp_root",
    " (otp_upgrade_to is {bring['release']})",
)
