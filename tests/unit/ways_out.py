# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The messages that name a way out, by a piece of each, and the tests that go it to its end, some after the one before them, which shows the message.

See test_ways_out.py.
"""

from __future__ import annotations

REAL, UNIT = "tests/real/", "tests/unit/plugins/"
BUILD, CLIENT, HANDLER, INSTALL, NODE, SYSTEM = (f"{UNIT}module_utils/_{name}/" for name in ("build", "client", "handler", "install", "node", "target_system"))

TRUTH = f"{REAL}test_table_of_truth.py::"
STORE = f"{UNIT}plugin_utils/_store/test_store.py::"
SIGNATURE = f"{UNIT}plugin_utils/_package/test_signature.py::"
CLUSTER = f"{REAL}test_cluster_gates.py::"
VERIFY, DRIFT = f"{REAL}test_verify.py::", f"{UNIT}module_utils/_drift/test_verify.py::"

WAYS = {
    # action. A host that lacks the package is simulated: only one with a checksum and without a package is asked so.
    ": set otp_package (option package).": REAL + "test_handler_current.py::test_a_wrong_package_and_none",
    "and no package is given: set otp_package, or have one built": UNIT + "action/test_actions.py::test_a_host_that_lacks_a_package_where_none_is_given",
    "The full package was sent. The playbook erlang.otp.verify": REAL + "test_thin.py::test_the_full_package_is_sent_where_a_file_of_the_base_has_changed",
    # _fleet
    "first, by the playbook erlang.otp.start": CLUSTER + "test_no_node_is_taken_away_while_another_one_is_down",
    "lower it for this run, with -e otp_min_available=NUMBER": CLUSTER + "test_no_node_is_taken_away_while_another_one_is_down",
    "take fewer at once, with -e otp_serial=": CLUSTER + "test_a_batch_that_is_too_large_is_refused_and_the_next_size_is_named",
    "Give a file that you can write, or an empty text for none": REAL
    + "test_run_record.py::test_a_server_that_does_not_take_it_and_a_file_that_cannot_be_written_are_warnings",
    "cannot be rendered, so that the record itself is posted": REAL
    + "test_run_record.py::test_a_template_with_a_mistake_is_a_warning_and_the_record_is_posted",
    # _store
    "give a URL without user name, password, '?' and '#', and what the server asks for in": STORE + "test_what_is_no_store",
    "otp_package_store (option store) is {store}": STORE + "test_what_is_no_store",
    "otp_package_store_options (option url_options): {'; '.join(": STORE + "test_what_is_no_store",
    "See that the server runs, and that otp_package_store": STORE + "test_a_server_that_does_not_let_in_or_does_not_take",
    "It must take PUT, make directories for it, and accept": STORE + "test_a_server_that_does_not_let_in_or_does_not_take",
    # _build
    "Give the version in otp_release_applications": REAL + "test_diagnostics.py::test_the_version_is_given_as_the_message_says",
    "started, leave it out of what": REAL + "test_diagnostics.py::test_an_application_that_another_one_includes_is_not_started",
    "of {rel}: {error} Name its ebin directory in otp_upgrade_path": BUILD + "test_upgrades.py::test_an_application_that_is_nowhere",
    "lacks {listed.name}-{listed.version}. {error} Name its ebin directory": BUILD + "test_upgrades.py::test_what_a_package_lacks_is_looked_for",
    "Boot scripts must be made by the OTP that they are for": REAL + "test_build_refused.py::test_other_erts",
    "erl is not on PATH of the build host": BUILD + "test_otp.py::test_no_erl",
    "is not an Erlang/OTP tree": BUILD + "test_otp.py::test_no_tree",
    "does not return its root directory": BUILD + "test_otp.py::test_a_wrapper_is_asked",
    "Give libraries with native code for the same machine type": REAL + "test_machines.py::test_mixed_machine_types_are_refused",
    "otp_release_extra_files (option extra_files): {path} does not exist": BUILD + "test_package_members.py::test_extra_files_that_are_missing",
    "Two members of the package have the name": BUILD + "test_package_members.py::test_two_members_of_one_name",
    "To have it compared, compile both builds with debug information": BUILD + "test_appup_rules.py::test_what_is_none",
    "The module otp_release_appup makes a draft": BUILD + "test_appup_files.py::test_a_question_makes_a_draft",
    "set otp_appup (option appup) to generate": REAL + "test_relup.py::test_the_role_takes_earlier_packages_from_where_it_brought_them",
    "to the releases from which this relup leads": REAL + "test_relup_by_hand.py::test_one_that_does_not_lead_there_is_refused",
    "is not a chunk of BEAM files. Give names of four letters": BUILD + "test_inputs.py::test_chunks_to_keep",
    "by the playbook erlang.otp.upgrade for that release, with --tags build": REAL + "test_relup_of_the_fleet.py::test_a_way_through_more_than_one_release",
    "Have mix make the package": REAL + "test_packages.py::test_what_mix_has_compiled_is_not_built_again",
    "Install it (erlang-tools), or leave the option out": BUILD + "test_undefined_calls.py::test_without_tools",
    # _client
    "install a release there, by the playbook erlang.otp.deploy": CLIENT + "test_directory.py::test_a_machine_type",
    "upgrade it, by the playbook erlang.otp.upgrade": REAL + "test_client_readonly.py::test_a_client_that_is_down",
    "of otp_erl_flags or of ERL_FLAGS in otp_environment, and restart it": CLIENT + "test_directory.py::test_a_master_that_is_out_of_reach_as_it_runs",
    "has no directory below {tree.root}: make it first, by the playbook erlang.otp.clients": REAL
    + "test_table_of_truth_clients.py::test_clients_are_restarted_stopped_and_started",
    "Configure it (playbook erlang.otp.clients": REAL + "test_client_readonly.py::test_a_node_that_is_no_client",
    "Complete its directory (playbook erlang.otp.clients": REAL + "test_client_readonly.py::test_start_erl_data_is_missing",
    "Stop the client, give it release {version}": REAL + "test_client_diskless.py::test_a_static_client_restarts_no_emulator",
    "is not a client here: create its directory": REAL + "test_client_readonly.py::test_a_node_that_is_no_client",
    "While it is down, otp_release_client can switch it": REAL + "test_client_readonly.py::test_a_client_that_is_down",
    "a client is not restarted on a release": REAL + "test_client_readonly.py::test_one_is_upgraded_and_the_other_stays",
    "is old here and can be booted instead: set otp_allow_restart": REAL + "test_client_readonly.py::test_a_crash_before_the_commit",
    # _config
    "the variables of this host give (otp_epmd false": REAL + "test_without_epmd.py::test_a_port_in_both_ways",
    "has -setcookie, which would show the cookie": UNIT + "module_utils/_config/test_configure.py::test_a_cookie_is_left_out_and_in_no_diff",
    "runs config providers (runtime.exs) when the system boots": REAL + "test_packages.py::test_values_for_config_providers",
    # _handler
    "and nothing says how to reach it": REAL + "test_handler_current.py::test_a_wrong_package_and_none",
    "to try release {self.version} again": HANDLER + "test_running.py::test_what_fails_its_checks_is_not_committed",
    "Set otp_allow_restart (option allow_restart) to allow it": REAL + "test_upgrade_restart.py::test_an_upgrade_that_restarts_is_awaited_and_verified",
    "or compile them with the option no_long_atoms": REAL + "test_erts_change.py::test_by_the_relup",
    "List the applications in otp_keep_env": REAL + "test_live_environment.py::test_what_is_kept_is_there_at_any_moment",
    "Leave otp_keep_env (option keep_env) empty": REAL + "test_client_readonly.py::test_one_is_upgraded_and_the_other_stays",
    "names {', '.join(unknown)}, and neither release": REAL + "test_live_environment.py::test_what_is_kept_is_there_at_any_moment",
    "have them set the values again in config_change/3": REAL + "test_live_environment.py::test_a_value_that_no_file_has",
    "set code_change_timeout of otp_install_options": REAL + "test_install_options.py::test_a_slow_code_change_needs_its_timeout",
    "Set otp_upgrade_method (option method) to restart": REAL + "test_restart_method.py::test_without_a_relup_it_is_booted_once_and_committed",
    "have the node restarted: set otp_allow_restart": REAL + "test_restart_method.py::test_without_a_relup_it_is_booted_once_and_committed",
    "have the node restarted: set otp_upgrade_method": REAL + "test_restart_method.py::test_without_a_relup_it_is_booted_once_and_committed",
    "stop the client, and give it the release": REAL + "test_client_readonly.py::test_a_client_that_is_down",
    "to the name of this system's node": REAL + "test_traps_check.py::test_t04_heart_without_a_start_program",
    "(otp_release_config) before it is installed": REAL + "test_traps_check.py::test_t07_t11_a_configuration_that_is_none",
    "with a relup from the package of": REAL + "test_identity.py::test_a_relup_from_another_package_is_refused_before_anything_is_installed",
    "to try this one again": REAL + "test_interrupted_upgrade.py::test_the_emulator_killed_before_the_commit",
    "with {current} in otp_upgrade_from": REAL + "test_identity.py::test_a_relup_from_another_package_is_refused_before_anything_is_installed",
    "to that, or otp_package (option package) to another package": REAL + "test_handler_current.py::test_a_wrong_package_and_none",
    "the node is down: start it, or set otp_down": REAL + "test_handler_ready.py::test_a_node_that_is_down",
    "End it, or restart the node by the playbook erlang.otp.restart": REAL + "test_status.py::test_a_changed_configuration_and_a_second_emulator_are_told",
    "or start it with -heart and HEART_COMMAND": REAL + "test_traps_check.py::test_t03_a_restart_without_heart",
    # _install
    "{where}: set otp_package_checksum": REAL + "test_install_module.py::test_package_that_cannot_be_fetched",
    "add it with its directory to variables": REAL + "test_deploy_second_root.py::test_an_application_below_the_second_root",
    "Upgrade them to another release, and remove this one there": REAL + "test_client_readonly.py::test_one_is_upgraded_and_the_other_stays",
    "Build it for this host's machine type and C library": REAL + "test_machines.py::test_built_here_and_run_there",
    "Or name in otp_optional_native (option optional_native) the applications": REAL + "test_native.py::test_deploy",
    "unpack its archive there first": INSTALL + "test_variable_libraries.py::test_libraries_that_are_there_already",
    # _node
    "and there is no certificate to call it with: set otp_dist_tls": REAL + "test_tls.py::test_a_call_without_any_way",
    "set the option cookie_file, or port": NODE + "test_listening.py::test_two_users_have_a_node_of_the_name",
    "There is no way to the node": REAL + "test_handler_current.py::test_a_wrong_package_and_none",
    "this host has neither update-rc.d nor chkconfig": NODE + "test_service.py::test_the_boot_without_a_program_for_it",
    "this host has not been booted with systemd": NODE + "test_service.py::test_a_host_without_systemd_is_told_so",
    "is not a file of this collection, and is left as it is": NODE + "test_service_manager.py::test_a_file_of_another_one_is_left_with_a_warning",
    # _package, _tree
    "otp_hooks of the playbooks or otp_unit_lines": REAL + "test_team_packages.py::test_names_and_hooks_in_the_inventory",
    "the certificate of the server does not verify": REAL + "test_hostile_download.py::test_a_certificate_that_does_not_verify",
    "if it will never end, set otp_take_over": REAL + "test_two_operators.py::test_who_takes_over_is_not_disturbed_by_the_first_one",
    # _target_system
    "Give the certificate of this host, its key, and the CA that signed it": REAL
    + "test_tls.py::test_a_key_that_does_not_fit_is_refused_before_anything_is_touched",
    "has no application ssl, which distribution over TLS needs: add ssl": REAL + "test_tls.py::test_a_release_without_ssl",
    "would start it beside bin/start": SYSTEM + "test_adoption.py::test_a_unit_of_its_own_is_replaced_and_not_doubled",
    "Set otp_user to the user that it runs as, or stop it": SYSTEM + "test_adoption.py::test_the_node_of_the_options_alone",
    "Set otp_node_name and otp_cookie to its name and its cookie": REAL + "test_adoption.py::test_taken_over_as_check_mode_has_said",
    "has no rc2.d, so only the name of": SYSTEM + "test_image.py::test_an_init_script_that_nothing_would_run_is_refused",
    "create them, or set otp_manage_user": SYSTEM + "test_image.py::test_a_missing_user_is_an_error_or_is_created_in_the_image",
    "commit it by the playbook erlang.otp.upgrade": TRUTH + "test_restarts_and_what_was_named_as_the_way_out",
    "the node is down: start it, by the playbook erlang.otp.start": REAL + "test_restart.py::test_stopped_and_started_with_hooks",
    # Here is no systemd: test_system.py shows the warning, and the hosts of molecule go the way out.
    "was not started by {self.node.service.name}.service": "extensions/molecule/packages/test_packages.py::test_taken_over_by_systemd_at_the_next_restart",
    "runs with an earlier version of": REAL + "test_host_renamed.py::test_the_inventory_has_the_new_name",
    ", with otp_down=offline, because it is down": REAL + "test_deploy.py::test_another_release_waits_for_an_upgrade_whether_the_node_runs_or_not",
    "set otp_package, or put a host into the group otp_builders": TRUTH + "test_epmd_has_ended",
    "remove these clients first, with otp_client_state=absent": REAL + "test_remove.py::test_clients_are_removed_first",
    "create it, or set otp_manage_user": SYSTEM + "test_service_user.py::test_a_missing_user_that_must_not_be_created",
    "use become, or set otp_user": SYSTEM + "test_service_user.py::test_only_root_creates_users",
    "stop the node and remove {path} first": SYSTEM + "test_system_files.py::test_a_run_directory_of_an_earlier_deployment_is_in_the_way",
    "otp_files (option own_files) has {problem}": SYSTEM + "test_own_files.py::test_the_option_as_the_module_has_it",
    "otp_files (option own_files), {entry['path']}": SYSTEM + "test_own_files.py::test_the_option_as_the_module_has_it",
    "Nothing has been changed. Remove it, or choose another path": REAL + "test_files.py::test_what_leads_elsewhere_is_refused_before_anything_is_changed",
    "{self._go_back(address, call, paths)}": REAL + "test_files.py::test_a_call_makes_the_node_read_a_change_and_one_that_fails_takes_it_back",
    "and stays, because it was changed on this host: remove it": REAL + "test_files.py::test_what_is_removed_from_the_list_wants_what_a_change_wants",
    # _box
    "otp_box is {otp_box}: set it to true or false": UNIT + "action/test_actions.py::test_a_box_that_is_neither",
    "remote_src is not supported for a host without Python": REAL + "test_box.py::test_a_package_on_the_box_is_not_installed",
    "a system is not removed from a box without Python": REAL + "test_box.py::test_it_is_removed_by_hand",
    "add the user to the image of the box": REAL + "test_box.py::test_a_user_that_the_box_has_not_is_refused",
    "systemd on a host without Python": UNIT + "plugin_utils/_box/test_system.py::test_a_service_of_another_kind",
    "rcS runs scripts whose name begins with S": UNIT + "plugin_utils/_box/test_system.py::test_a_script_that_the_box_may_not_run",
    # _clients, _fleet, _package, _target_system, _transport
    "otp_files, {file['path']}: {error}": UNIT + "plugin_utils/_target_system/test_own_files.py::test_a_source_that_gives_nothing_is_named",
    "are sent in each run: put it into the package": UNIT + "plugin_utils/_target_system/test_own_files.py::test_a_large_file_is_refused",
    "was started before its scripts or its configuration changed": REAL + "test_client_role.py::test_the_next_run_knows_who_is_outdated_and_a_gate_ends_it",
    "Remove them with -e otp_clients_prune=true": "extensions/molecule/clients/test_clients.py::test_one_leaves",
    "run erlang.otp.clients with -e otp_clients_prune=true": "extensions/molecule/clients/test_clients.py::test_one_leaves",
    "set otp_upgrade_to to its version, or have it built": TRUTH + "test_restarts_and_what_was_named_as_the_way_out",
    "set otp_upgrade_to to one of those that are installed": TRUTH + "test_rollbacks",
    "or set otp_upgrade_from to the packages to make the relup from": REAL
    + "test_relup_of_the_fleet.py::test_a_release_without_a_package_is_named_before_anything_is_built",
    "because env.sh computes {variable}": REAL + "test_team_packages.py::test_names_and_hooks_in_the_inventory",
    # What was changed by hand
    "with -e otp_repair=true": VERIFY + "test_what_was_changed_by_hand_is_found_and_put_back",
    "or name it in otp_verify_ignore": VERIFY + "test_a_module_that_was_exchanged_in_the_node_and_configuration_that_was_edited",
    "run erlang.otp.deploy": VERIFY + "test_a_module_that_was_exchanged_in_the_node_and_configuration_that_was_edited",
    "from the packages: run erlang.otp.verify, which says": VERIFY + "test_what_was_changed_by_hand_is_found_and_put_back",
    # Signed packages
    "Have one of the signers sign it: ssh-keygen -Y sign": SIGNATURE + "test_a_refused_package_that_is_signed_as_the_message_says",
    "which otp_revoked_keys (": SIGNATURE + "test_a_refused_package_that_is_signed_as_the_message_says",
    "Have one of its signers sign it, or add that key": SIGNATURE + "test_a_key_is_allowed_as_the_message_says",
    "without signers no signature is verified. Set both": SIGNATURE + "test_a_policy_that_cannot_be_used_allows_nothing",
    "must be in an agent (ssh-add); otp_sign_key (option key)": UNIT + "plugin_utils/_package/test_signing.py::test_a_key_in_an_agent",
    "otp_package_url_options (option url_options): ": UNIT + "plugin_utils/_transport/test_signed.py::test_the_options_of_a_mirror_are_checked",
    "give a file on the controller, or a URL": UNIT + "plugin_utils/_transport/test_signed.py::test_a_package_on_the_host_is_not_verified",
    "-m pip install '{LIBRARY}>={OLDEST}'), or set otp_sbom to false": REAL
    + "test_provenance.py::test_a_library_that_is_too_old_ends_the_run_before_anything_is_built",
    # The old Python is simulated: no host of the tests has one.
    "install one, and set ansible_python_interpreter to it": UNIT
    + "plugin_utils/_transport/test_stdin_transport.py::test_a_python_that_is_too_old_is_named_and_nothing_else_is_tried",
}
# Those in the tasks of roles and in playbooks.
TASKS = {
    "No package was built: --limit leaves out": REAL + "test_relup_of_the_fleet.py::test_the_canary_of_an_upgrade",
    "so its nodes are restarted, as otp_allow_restart says": REAL
    + "test_relup_of_the_fleet.py::test_without_an_appup_the_nodes_are_restarted_if_that_is_allowed",
    "select one of them with -e otp_builders=HOST": REAL + "test_release_role.py::test_builders_that_differ_are_refused_and_no_package_is_brought",
    "set otp_destdir to that directory": REAL + "test_image.py::test_again_changes_nothing",
    "Leave these hosts out, with --limit or otp_hosts": REAL + "test_restart.py::test_stopped_and_started_with_hooks",
    "Set it for all hosts of the inventory, in group_vars/all": REAL + "test_signed.py::test_a_builder_has_the_rule_of_the_hosts",
    "the record of this run was not taken": REAL + "test_run_record.py::test_a_server_that_does_not_take_it_and_a_file_that_cannot_be_written_are_warnings",
    # remove.yml, where a sentence each is for a box, an image and a client
    "removes no system from a box without Python (otp_box): stop the node,": REAL + "test_box.py::test_it_is_removed_by_hand",
}
# They name a variable, and no way out.
FACTS = (
    "and otp_min_available is {rule}",
    "{variables.get('otp_root') or ''}/run",
    "made by erlang.otp (otp_release_appup) from compiled code",
    "nothing is installed below otp_root",
    "The node, or its host, is down, and otp_down is skip",
    "there is nothing to roll back to: no system is installed below otp_root",
    " (otp_upgrade_to is {bring['release']})",
    "list the files of otp_files in",
    "which is not in otp_files any more",
)
