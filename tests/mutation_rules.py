# Copyright (c) The erlang.otp authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that tests/mutations.py takes out of the code: root's work on files, secrets, locks, what survives a power cut, the stop of a node."""

from __future__ import annotations

import typing as t

UTILS = "plugins/module_utils/"
UNIT = "tests/unit/plugins/module_utils/"
REAL = "tests/real/"


class Rule(t.NamedTuple):
    """A rule in words; its file, the text there that is the rule, what is there without it, and the tests of which one must fail then."""

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]


FILES, EXTRACT, STDIN = UTILS + "_core/files.py", UTILS + "_package/extract.py", UTILS + "_core/stdin_runner.py"
PUBLISH, BACKUP, REGISTER, REPAIR = (UTILS + f"_tree/{name}.py" for name in ("publish", "backup", "register", "repair"))
LIFECYCLE, SERVICE_USER, OWNERSHIP = UTILS + "_node/lifecycle.py", UTILS + "_target_system/service_user.py", UTILS + "_core/ownership.py"
DOWNLOAD, CONSOLE_SCRIPT = UTILS + "_package/download.py", UTILS + "_node/console_script.py"
BOX, OF_BOX = "plugins/plugin_utils/_box/", "tests/unit/plugins/plugin_utils/_box/"
NATIVE, ATTRIBUTES = UTILS + "_build/native_code.py", UTILS + "_handler/attributes.py"
OF_NATIVE, OF_ATTRIBUTES = (UNIT + "_build/test_native_code.py",), (UNIT + "_handler/test_attributes.py",)
OPTIONS, OF_OPTIONS = UTILS + "_handler/install_options.py", (UNIT + "_handler/test_install_options.py",)
OF_FILES = (UNIT + "_core/test_files.py",)
EXTRA_FILES, OF_EXTRA_FILES = UTILS + "_tree/extra_files.py", (UNIT + "_tree/test_extra_files.py",)
OWN_FILES, OF_OWN_FILES = UTILS + "_target_system/own_files.py", (UNIT + "_target_system/test_own_files.py",)
OF_EXTRACT = (UNIT + "_package/test_extract.py", UNIT + "_package/test_writer.py")
OF_STDIN = ("tests/unit/plugins/plugin_utils/_transport/test_stdin_transport.py",)
TRANSPORT = "plugins/plugin_utils/_transport/packages.py"
OF_TRANSPORT = ("tests/unit/plugins/plugin_utils/_transport/test_packages.py",)
DRIFT, OF_DRIFT = UTILS + "_drift/", (UNIT + "_drift/test_files.py", UNIT + "_drift/test_verify.py")
SIGNATURE, SIGNED = "plugins/plugin_utils/_package/signature.py", "plugins/plugin_utils/_transport/signed.py"
OF_SIGNATURE = ("tests/unit/plugins/plugin_utils/_package/test_signature.py",)
STORE, STORE_DIRECTORY, STORE_LAYOUT, STORE_REMOTE = (f"plugins/plugin_utils/_store/{name}.py" for name in ("store", "directory", "layout", "remote"))
OF_STORE = ("tests/unit/plugins/plugin_utils/_store/test_store.py",)
OF_SIGNED = ("tests/unit/plugins/plugin_utils/_transport/test_signed.py",)
CHECKOUTS, OF_CHECKOUTS = UTILS + "_build/checkouts.py", (UNIT + "_build/test_checkouts.py",)
OF_PUBLISH = (UNIT + "_tree/test_publish.py",)
STEPS, REMOVE, HISTORY = UTILS + "_install/steps.py", UTILS + "_install/remove.py", UTILS + "_tree/history.py"
CONNECT, SERVICE, RUN = UTILS + "_node/connect.py", UTILS + "_node/service.py", UTILS + "_core/run.py"
ASSEMBLE, CACHE, PROTOCOL = UTILS + "_build/assemble.py", UTILS + "_build/cache.py", UTILS + "_node/distribution_protocol.py"
GZIP_WRITER, OF_ASSEMBLE = UTILS + "_formats/gzip_writer.py", (UNIT + "_build/test_assemble.py",)
APPUP_FILES, OF_APPUP_FILES = UTILS + "_build/appup_files.py", (UNIT + "_build/test_appup_files.py",)
PREVIOUS, KEPT, OF_PREVIOUS = UTILS + "_tree/previous.py", UTILS + "_tree/kept.py", (UNIT + "_target_system/test_kept_files.py",)
HANDLER, CLIENT, PROCESSES = UTILS + "_handler/", UTILS + "_client/", UTILS + "_tree/processes.py"
OF_PACKAGES = ("tests/unit/plugins/plugin_utils/_transport/test_packages.py",)
OF_DOWNLOAD = (UNIT + "_package/test_download.py",)
OF_OPENED = (UNIT + "_package/test_opened.py",)
OF_TAR = (UNIT + "_formats/test_tar_reader.py",)
CLIENT_FILES, OF_CLIENT_FILES = UTILS + "_client/files.py", (UNIT + "_client/test_files.py",)
IMAGE_LINKS, OF_IMAGE_LINKS = UTILS + "_core/image_links.py", (UNIT + "_core/test_image_links.py",)
INIT, OF_HOSTILE_INIT = "roles/target_system/templates/init.j2", REAL + "test_hostile_init.py::test_"
OF_HOSTILE_PROCESS = (REAL + "test_hostile_process.py::test_an_emulator_and_a_heart_of_another_user_s_system",)
OF_HOSTILE_TREE = REAL + "test_hostile_tree.py::test_"
OF_CLIENT_EMULATOR = (REAL + "test_hostile_client.py::test_the_emulator_that_goes_to_another_host",)
OF_CLIENT_REMOVAL = (REAL + "test_hostile_client.py::test_the_directory_of_the_client_on_its_own_host_is_removed",)
FORETELL, OF_FORETELL = UTILS + "_install/foretell.py", (UNIT + "_install/test_foretell.py",)
FITS, OF_FITS = UTILS + "_install/native.py", (UNIT + "_install/test_native.py",)
HOST_LIBRARIES, OF_HOST_LIBRARIES = UTILS + "_install/host_libraries.py", (UNIT + "_install/test_host_libraries.py",)
DYNAMIC, OF_DYNAMIC = UTILS + "_formats/dynamic.py", (UNIT + "_formats/test_dynamic.py",)
REPLACE, OF_REPLACE = UTILS + "_install/replace.py", (UNIT + "_install/test_replace.py",)
OPENED, OF_INSTALL = UTILS + "_package/opened.py", (UNIT + "_install/test_install_refused.py",)
OF_WAY = (UNIT + "_handler/test_way.py",)
OF_RUNNING, OF_CLIENT = (UNIT + "_handler/test_running.py",), (UNIT + "_client/test_directory.py",)
KEPT_OF_CLIENT, OF_KEPT_CLIENT, OF_CLIENT_CHANGE = CLIENT + "kept.py", (UNIT + "_client/test_kept.py",), (UNIT + "_client/test_node_change.py",)
PLAN, OF_PLAN = "plugins/plugin_utils/_clients/client_plan.py", ("tests/unit/plugins/plugin_utils/_clients/test_client_plan.py",)
OF_LIFECYCLE = (UNIT + "_node/test_lifecycle.py",)
TLS, TLS_FILES, OF_TLS = UTILS + "_node/tls.py", UTILS + "_target_system/tls_files.py", (UNIT + "_node/test_tls.py",)
OF_TLS_FILES, INVENTORY_TLS = (UNIT + "_target_system/test_tls_files.py",), "plugins/plugin_utils/_inventory/tls.py"
LISTENING, OF_LISTENING = UTILS + "_node/listening.py", (UNIT + "_node/test_listening.py",)
ROTATE = UTILS + "_node/rotate_cookie.py"
REMOVAL, OF_REMOVAL = UTILS + "_target_system/removal.py", (UNIT + "_target_system/test_removal.py",)
MANAGER, OF_MANAGER = UTILS + "_node/service_manager.py", (UNIT + "_node/test_service_manager.py",)
SYSTEM, START = UTILS + "_target_system/", "roles/target_system/templates/start.j2"
OF_SYSTEM = (UNIT + "_target_system/test_system.py",)
OF_ENVIRONMENT = (UNIT + "_target_system/test_system_files.py", UNIT + "_target_system/test_environment.py")
OF_SCRIPTS = ("tests/unit/plugins/plugin_utils/_target_system/test_scripts.py",)
CONFIGURE, OF_CONFIGURE = UTILS + "_config/configure.py", (UNIT + "_config/test_configure.py",)
AS_USER = "roles/target_system/templates/as_user.j2"
COMMANDS, CALLS = (f"roles/target_system/templates/control_{part}.j2" for part in ("node", "call"))
OF_COMMANDS = REAL + "test_team_packages.py::test_"
PROVIDERS, OF_PROVIDERS = UTILS + "_handler/providers.py", (UNIT + "_handler/test_providers.py",)
RESOLVED, OF_RESOLVED = UTILS + "_tree/resolved_config.py", (UNIT + "_tree/test_resolved_config.py",)
START_ERL = "roles/target_system/templates/start_erl.j2"
LIVE, OF_LIVE = UTILS + "_handler/live_environment.py", REAL + "test_live_environment.py::test_"
MIX, OF_MIX = "roles/target_system/templates/mix.j2", ("tests/unit/plugins/plugin_utils/_target_system/test_mix.py",)
VAULTED, QUIET = (f"plugins/plugin_utils/_secrecy/{name}.py" for name in ("vaulted", "quiet"))
OF_VAULTED = ("tests/unit/plugins/plugin_utils/_secrecy/test_vaulted.py",)
HARDENING = "plugins/plugin_utils/_target_system/hardening.py"
OF_HARDENING = ("tests/unit/plugins/plugin_utils/_target_system/test_hardening.py",)
OF_NAMES = ("tests/unit/plugins/plugin_utils/_inventory/test_names.py",)
OF_SERVICE_USER = (UNIT + "_target_system/test_service_user.py",)

SIGNIFICANT, ADOPTION = UTILS + "_formats/significant.py", UTILS + "_target_system/adoption.py"
OF_SIGNIFICANT, OF_ADOPTION = (UNIT + "_formats/test_significant.py",), (UNIT + "_target_system/test_adoption.py",)
MARK, OF_MARK, OF_HELD = UTILS + "_tree/mark.py", (UNIT + "_tree/test_mark.py",), (UNIT + "_handler/test_held.py",)
OF_HELD_NODE = (UNIT + "_target_system/test_held_node.py",)
THIS_RUN = "plugins/plugin_utils/_transport/this_run.py"
OF_THIS_RUN = ("tests/unit/plugins/plugin_utils/_transport/test_this_run.py",)
READING, OF_READING = UTILS + "_core/reading.py", (UNIT + "_core/test_reading.py",)
CONSOLE, ETF, RELEASE_HANDLER = UTILS + "_node/run_erl_console.py", UTILS + "_terms/etf_decoder.py", UTILS + "_node/release_handler.py"
OF_CONSOLE, OF_ETF = (UNIT + "_node/test_run_erl_console.py",), (UNIT + "_terms/test_etf_decoder.py",)
LINES, OF_LINES = "plugins/plugin_utils/_live/", "tests/unit/plugins/plugin_utils/_live/"
WATCHED = "plugins/plugin_utils/_transport/watched.py"
OF_WATCHED = ("tests/unit/plugins/plugin_utils/_transport/test_watched.py",)
ERRORS, OF_TERMINAL = UTILS + "_core/errors.py", (UNIT + "_core/test_terminal.py",)
OF_RELEASE_HANDLER = (UNIT + "_node/test_release_handler.py",)

IDENTITY, OF_IDENTITY = UTILS + "_core/identity.py", (UNIT + "_core/test_identity.py",)
ROOT_DIRECTORY, OF_ROOT_DIRECTORY = UTILS + "_tree/root_directory.py", (UNIT + "_tree/test_root_directory.py",)

RECORD, OF_RECORD = UTILS + "_tree/record.py", (UNIT + "_tree/test_record.py",)
PARSER, OF_THIN = UTILS + "_terms/parser.py", (UNIT + "_build/test_thin.py",)
COPIES, OF_COPIES = UTILS + "_package/copies.py", (UNIT + "_package/test_copies.py",)
TRANSPORT_ACTION, PACKAGES = "plugins/plugin_utils/_transport/action.py", "plugins/plugin_utils/_transport/packages.py"
OF_ACTIONS = ("tests/unit/plugins/action/test_actions.py",)
PROGRAM, OF_DIAGNOSTICS = UTILS + "_build/systools_program.py", REAL + "test_diagnostics.py::test_"
APPUP, OF_APPUP = UTILS + "_formats/appup.py", (UNIT + "_formats/test_appup.py",)

RULES = (
    # Marks.
    Rule("a system of another run is refused", MARK, "        raise Held(mark)\n", "        pass\n", OF_MARK),
    Rule("a run that has lost its mark does nothing more", MARK, "        raise OtpError(GONE)\n", "        pass\n", OF_MARK),
    Rule(
        "a mark expires, whatever the clock says",
        MARK,
        "abs((time.time() if now is None else now) - self.renewed)",
        "((time.time() if now is None else now) - self.renewed)",
        OF_MARK,
    ),
    Rule("what a mark says is bounded", MARK, "0 < len(value) <= MAX_TEXT and value.isprintable()", "len(value) > 0", OF_MARK),
    Rule("a mark is of a bounded time", MARK, " and 0 < mark.seconds <= LONGEST", "", OF_MARK),
    Rule("a system is given back", HANDLER + "upgrade.py", "                self.settle_mark()\n        except OSError", "        except OSError", OF_HELD),
    Rule(
        "a system is marked before a release is installed",
        HANDLER + "upgrade.py",
        "        if mark or self.request.state in",
        "        if mark and self.request.state in",
        OF_HELD,
    ),
    Rule(
        "check mode marks nothing",
        HANDLER + "upgrade.py",
        "        if self.request.hold and not self.changes.check_mode:",
        "        if self.request.hold:",
        OF_HELD,
    ),
    Rule(
        "a node that is asked is marked if something is to be done",
        UTILS + "_target_system/node_change.py",
        'if self.request.only_asks and self.result["way"] != "none":',
        "if False:",
        OF_HELD_NODE,
    ),
    Rule(
        "a node that is done is given back", UTILS + "_target_system/node_change.py", "            remove_mark(self.tree)\n", "            pass\n", OF_HELD_NODE
    ),
    Rule(
        "check mode marks no node",
        UTILS + "_target_system/node_change.py",
        "request.hold is not None and not changes.check_mode",
        "request.hold is not None",
        OF_HELD_NODE,
    ),
    Rule("a run elsewhere is not known to have ended", THIS_RUN, "if not place or place != _place() or", "if", OF_THIS_RUN),
    Rule("the mark of another operator counts", THIS_RUN, 'holder.get("operator") == arguments["operator"] and has_ended', "has_ended", OF_THIS_RUN),
    Rule(
        "a hook that cannot reach a host has failed",
        "roles/upgrade/tasks/hook.yml",
        "  when: _otp_has_lost\n",
        "  when: false\n",
        (REAL + "test_hook_lost.py",),
    ),
    # Trials of releases.
    Rule(
        "copies of RELEASES and start_erl.data are there while a release is on trial",
        HANDLER + "trial.py",
        "        save(tree, options)\n",
        "",
        OF_RUNNING,
    ),
    Rule(
        "the file that names a release on trial does not stay",
        HANDLER + "trial.py",
        """        os.unlink(upgrade.tree.path("releases", NEW_START))""",
        "        pass",
        OF_RUNNING,
    ),
    Rule(
        "a start removes the file that names the release of one start",
        "roles/target_system/templates/start_erl.j2",
        """case $DATA_FILE in */new_start_erl.data) rm -f "$DATA_FILE" ;; esac\n""",
        "",
        (REAL + "test_restart_method.py::test_a_run_that_was_killed_is_finished_by_the_next",),
    ),
    # Clients and images.
    Rule(
        "a program for another host is read with the rights of its owner",
        CLIENT_FILES,
        "        with as_owner(os.path.dirname(path)):\n            content",
        "        if True:\n            content",
        OF_CLIENT_EMULATOR,
    ),
    Rule("a program comes without set-uid", CLIENT_FILES, '"mode": "0755"}', '"mode": f"{os.stat(path).st_mode & 0o7777:o}"}', OF_CLIENT_FILES),
    Rule(
        "what is removed is removed with the rights of its owner",
        CLIENT_FILES,
        "        with as_owner(os.path.dirname(path)):\n            if os.path.lexists",
        "        if True:\n            if os.path.lexists",
        OF_CLIENT_REMOVAL,
    ),
    Rule(
        "a link is removed alone",
        CLIENT_FILES,
        "    if os.path.islink(path) or not os.path.isdir(path):\n",
        "    if not os.path.isdir(path):\n",
        OF_CLIENT_FILES,
    ),
    Rule("what a master sends has a limit", CLIENT_FILES, ", MAX_FILE)\n    except", ")\n    except", OF_CLIENT_FILES),
    Rule("what a master sends is whole", CLIENT_FILES, "    if not stream.eof:\n", "    if False:\n", OF_CLIENT_FILES),
    Rule("an image is no link", IMAGE_LINKS, "    if os.path.islink(image):\n", "    if False:\n", OF_IMAGE_LINKS),
    Rule("no absolute link in an image", IMAGE_LINKS, 'if target.startswith("/") or links', "if links", OF_IMAGE_LINKS),
    Rule("no way up out of an image", IMAGE_LINKS, 'if name == ".." and not inside:', "if False:", OF_IMAGE_LINKS),
    Rule("no link in the system of an image leads out", IMAGE_LINKS, "            if entry.is_symlink():\n", "            if False:\n", OF_IMAGE_LINKS),
    Rule(
        "the way to the files of an image is looked at",
        UTILS + "_core/identity.py",
        '    if destdir or path.startswith(image + "/"):\n',
        "    if destdir:\n",
        OF_IMAGE_LINKS,
    ),
    # Files that survive a power cut.
    Rule(
        "a file is flushed before it has its name",
        FILES,
        "                os.fsync(descriptor)\n        finally",
        "                pass\n        finally",
        OF_FILES,
    ),
    Rule(
        "a file comes into place by a rename",
        FILES,
        "        os.replace(new, path)\n",
        "        import shutil\n        shutil.copyfile(new, path)\n        os.unlink(new)\n",
        OF_FILES,
    ),
    Rule("the name of a new file is flushed", FILES, "    if flush:\n        flush_directory(directory)\n", "", OF_FILES),
    Rule("a directory is flushed", FILES, "    try:\n        os.fsync(descriptor)\n    except", "    try:\n        pass\n    except", OF_FILES),
    Rule(
        "a new file is made, no link followed",
        FILES,
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)",
        "os.O_WRONLY | os.O_CREAT, 0o600)",
        OF_FILES,
    ),
    Rule("a new file is its owner's alone at first", FILES, "os.O_EXCL | os.O_NOFOLLOW, 0o600)", "os.O_EXCL | os.O_NOFOLLOW, 0o644)", OF_FILES),
    Rule("a new file has its mode", FILES, "            os.fchmod(descriptor, mode)\n", "", OF_FILES),
    Rule("a new file has its owner", FILES, "                os.fchown(descriptor, uid, gid)\n", "                pass\n", OF_FILES),
    Rule(
        "a file that fails leaves nothing behind",
        FILES,
        "        with contextlib.suppress(OSError):\n            os.unlink(new)\n        raise",
        "        raise",
        OF_FILES,
    ),
    Rule("what a killed process left goes", FILES, "    remove_left_over(beside or directory, name)\n", "", OF_FILES),
    Rule("what another process writes stays", FILES, 'if int(found[1]) == os.getpid() or not os.path.exists(f"/proc/{found[1]}"):', "if True:", OF_FILES),
    Rule("only a regular file is read", READING, "    if not stat.S_ISREG(os.fstat(descriptor).st_mode):", "    if False:", OF_READING),
    Rule("a pipe without a writer is not waited for", READING, "os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY", "os.O_RDONLY | os.O_NOCTTY", OF_READING),
    Rule(
        "the size of a file is checked before it is read",
        READING,
        "file.read(size + 1) if size <= limit else b",
        "file.read(size + 1) if True else b",
        OF_READING,
    ),
    Rule("a file without a size is read up to the limit", READING, "file.read(limit - size)", "file.read()", OF_READING),
    # Locks.
    Rule("a lock is exclusive", FILES, "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB", OF_FILES),
    Rule("a lock is no link", FILES, "os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)", "os.O_CLOEXEC, 0o600)", OF_FILES),
    Rule("a lock that root makes is the owner's", FILES, "        os.fchown(descriptor, *inherited_owner(os.path.dirname(path)))\n", "", OF_FILES),
    Rule("a lock is waited for", FILES, "if time.monotonic() >= deadline:", "if True:", OF_FILES),
    Rule("a lock names its holder", FILES, '        os.pwrite(descriptor, b"%d\\n" % os.getpid(), 0)\n', "", OF_FILES),
    # A package that nobody trusts.
    Rule(
        "only a file of a package has content",
        UTILS + "_formats/tar_reader.py",
        'size if _KINDS.get(kind) == "file" else 0',
        "size",
        (UNIT + "_formats/test_tar_reader.py",),
    ),
    Rule("a package has no devices", EXTRACT, 'if member.kind not in ("file", "directory", "link"):', "if False:", OF_EXTRACT),
    Rule("a package has no set-uid", EXTRACT, 'if member.mode & 0o7000 and member.kind != "link":', "if False:", OF_EXTRACT),
    Rule("nothing below a link", EXTRACT, "        if parent in self.links:\n", "        if False:\n", OF_EXTRACT),
    Rule("nothing below a file", EXTRACT, "        if parent in self.files:\n", "        if False:\n", OF_EXTRACT),
    Rule("no member twice", EXTRACT, "        if path in self.links or path in self.files:\n", "        if False:\n", OF_EXTRACT),
    Rule("no absolute name", EXTRACT, 'if name.startswith("/"):', "if False:", OF_EXTRACT),
    Rule("no way up in a name", EXTRACT, 'if part in ("", ".", ".."):', 'if part in ("", "."):', OF_EXTRACT),
    Rule("no link out of the root directory", EXTRACT, 'if up > path.count("/"):', "if False:", OF_EXTRACT),
    Rule("no way up in the middle of a link", EXTRACT, 'if ".." in parts[up:]:', "if False:", OF_EXTRACT),
    Rule("no absolute link", EXTRACT, 'or target.startswith("/"):', "or False:", OF_EXTRACT),
    Rule("no link for a directory of the release", EXTRACT, "if path in _NO_LINKS or", "if False and", OF_EXTRACT),
    Rule("a package has a size", EXTRACT, "if self.size > self.max_size:", "if False:", OF_EXTRACT),
    Rule("a package has so many members", EXTRACT, "if self.count > self.max_members:", "if False:", OF_EXTRACT),
    Rule("a package is read to its end", EXTRACT, "        stream.finish()\n", "        pass\n", OF_EXTRACT),
    Rule(
        "a member is made new",
        EXTRACT,
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd",
        "os.O_WRONLY | os.O_CREAT, 0o600, dir_fd",
        OF_EXTRACT,
    ),
    Rule("a member is nobody's while it is written", EXTRACT, "os.O_NOFOLLOW, 0o600, dir_fd", "os.O_NOFOLLOW, 0o644, dir_fd", OF_EXTRACT),
    Rule("a member has its owner", EXTRACT, "                os.fchown(descriptor, self.uid, self.gid)\n", "                pass\n", OF_EXTRACT),
    Rule("the owner of a link, not of what it leads to", EXTRACT, ", follow_symlinks=False)", ")", OF_EXTRACT),
    Rule("the mask holds for files", EXTRACT, 'if path == "releases/COOKIE" else self.mask', 'if path == "releases/COOKIE" else 0o7777', OF_EXTRACT),
    Rule("mix's cookie is its owner's", EXTRACT, 'mode &= self.mask & 0o600 if path == "releases/COOKIE" else self.mask', "mode &= self.mask", OF_EXTRACT),
    Rule(
        "a new directory is its owner's at first",
        EXTRACT,
        "os.mkdir(path, 0o700, dir_fd=self.directory)",
        "os.mkdir(path, 0o755, dir_fd=self.directory)",
        OF_EXTRACT,
    ),
    # What is staged comes into the tree.
    Rule("what an interrupted run staged goes", PUBLISH, "    if tree.has(STAGING):\n", "    if False:\n", OF_PUBLISH),
    Rule("the staging directory is its owner's", PUBLISH, "    os.mkdir(path, 0o700)\n", "    os.mkdir(path, 0o755)\n", OF_PUBLISH),
    Rule(
        "links are removed, not followed",
        PUBLISH,
        "        found = [(entry.is_dir(follow_symlinks=False), entry.name) for entry in entries]\n    for",
        "        found = [(entry.is_dir(), entry.name) for entry in entries]\n    for",
        OF_PUBLISH,
    ),
    Rule(
        "what fails is undone",
        PUBLISH,
        "            with contextlib.suppress(OSError), as_owner(tree.root, tree.destdir):\n                os.rename",
        "            with contextlib.suppress(OSError), as_owner(tree.root, tree.destdir):\n                continue\n                os.rename",
        OF_PUBLISH,
    ),
    Rule(
        "the release directory comes last", PUBLISH, '_ORDER = {"lib": 0, "bin": 2, "releases": 3}', '_ORDER = {"lib": 3, "bin": 2, "releases": 0}', OF_PUBLISH
    ),
    Rule("each level that is removed gives its descriptor back", PUBLISH, "    os.close(directory)\n    return found", "    return found", OF_PUBLISH),
    Rule("what is moved away while it is removed leads nowhere", PUBLISH, "if not os.path.samestat(os.fstat(current), status):", "if False:", OF_PUBLISH),
    Rule("names are flushed", PUBLISH, "            flush_directory(directory)\n", "            pass\n", OF_PUBLISH),
    Rule(
        "contents are flushed",
        PUBLISH,
        "            if not _syncfs(descriptor):\n",
        "            if False:\n",
        (REAL + "test_power_cut.py::test_while_the_first_release_is_installed",),
    ),
    Rule("a file that is there stays", PUBLISH, "if tree.has(path) and path not in replace:", "if tree.has(path) and is_directory:", OF_PUBLISH),
    Rule("the code of a module counts, and not where it was compiled", SIGNIFICANT, "return code_pieces(content)", "return (content,)", OF_SIGNIFICANT),
    Rule("all bytes of other files count", SIGNIFICANT, "_LIMITS.get(os.path.splitext(path)[1], -1)", "max(_LIMITS.values())", OF_SIGNIFICANT),
    Rule("what no emulator needs may be missing", UTILS + "_install/unpack.py", "path.endswith(_CLEAN_BOOT) and not tree.has(path)", "False", OF_REPLACE),
    Rule("an appup may be another one", UTILS + "_install/unpack.py", "return is_appup(inside)", "return is_appup(inside) and not tree.has(path)", OF_REPLACE),
    Rule("a unit of its own is not doubled", ADOPTION, "if unit and not is_ours and", "if False and", OF_ADOPTION),
    Rule("a node of another user is not taken over", ADOPTION, "user.pw_uid != runs_as", "False", OF_ADOPTION),
    Rule("a node that does not answer to the options is not taken over", ADOPTION, "        if name:\n", "        if False:\n", OF_ADOPTION),
    Rule("heart of a node that is taken over runs bin/start", ADOPTION, "and start not in answer.heart:", "and False:", OF_ADOPTION),
    # The copies of what release_handler writes in place.
    Rule("a torn file is not copied", BACKUP, "content is not None and read() is not None and", "content is not None and", (UNIT + "_tree/test_backup.py",)),
    Rule(
        "what was changed is flushed before its copy goes",
        BACKUP,
        "            os.fsync(file.fileno())\n",
        "            pass\n",
        (UNIT + "_tree/test_backup.py",),
    ),
    Rule("its name is flushed before its copy goes", BACKUP, '    flush_directory(tree.path("releases"))\n', "", (UNIT + "_tree/test_backup.py",)),
    Rule("the copy of RELEASES goes last", BACKUP, "for name in reversed(NAMES):", "for name in NAMES:", (UNIT + "_tree/test_backup.py",)),
    Rule(
        "a change of what boots is copied before",
        REGISTER,
        "        save(tree, options)\n",
        "        pass\n",
        (UNIT + "_tree/test_register.py",),
    ),
    Rule(
        "copies go after the change",
        REGISTER,
        "        forget_saved(tree)\n",
        "        pass\n",
        (UNIT + "_tree/test_register.py",),
    ),
    Rule("a running system is not switched by its files", REGISTER, "    if running:\n", "    if False:\n", (UNIT + "_install/test_install_refused.py",)),
    Rule("a torn RELEASES is mended", REPAIR, "    if torn_releases:\n", "    if False:\n", (UNIT + "_tree/test_repair.py",)),
    Rule("a torn start_erl.data is mended", REPAIR, "    if torn_start:\n", "    if False:\n", (UNIT + "_tree/test_repair.py",)),
    Rule("what cannot be told is an error", REPAIR, "        if permanent is None:\n", "        if False:\n", (UNIT + "_tree/test_repair.py",)),
    Rule("an entry of the history is flushed", HISTORY, "        os.fsync(descriptor)\n", "", (UNIT + "_tree/test_history.py",)),
    Rule(
        "the name of a new history is flushed", HISTORY, "        flush_directory(os.path.dirname(path))\n", "        pass\n", (UNIT + "_tree/test_history.py",)
    ),
    Rule("the history follows no link", HISTORY, "os.O_APPEND | os.O_NOFOLLOW", "os.O_APPEND", (UNIT + "_tree/test_history.py",)),
    Rule("an unfinished line ends before the next", HISTORY, 'start = b"\\n" if size and', 'start = b"" if size and', (UNIT + "_tree/test_history.py",)),
    # The steps of an installation and a removal.
    Rule(
        "an installation is alone",
        STEPS,
        "        with lock(tree.path(LOCK), timeout=installation.lock_timeout):\n",
        "        with contextlib.nullcontext():\n",
        (UNIT + "_install/test_install_refused.py",),
    ),
    Rule(
        "a removal is alone",
        REMOVE,
        "with lock(tree.path(LOCK), timeout=lock_timeout), staging(tree, changes):",
        "with staging(tree, changes):",
        (UNIT + "_install/test_remove.py",),
    ),
    Rule(
        "the permanent release stays", REMOVE, 'if entry.version == version and entry.status == "permanent":', "if False:", (UNIT + "_install/test_remove.py",)
    ),
    Rule(
        "what no package has brought is not removed",
        REMOVE,
        "sorted(set(gone) & set(libraries_of_packages(other)))",
        "sorted(gone)",
        (UNIT + "_install/test_variable_libraries.py",),
    ),
    Rule(
        "only a directory that lists the system is one of its variables",
        REMOVE,
        " if tree.root in systems(other)]",
        "]",
        (OF_HOSTILE_TREE + "a_release_that_is_removed_names_what_is_not_its_own",),
    ),
    Rule(
        "a removal is flushed",
        REMOVE,
        "        flush_directory(tree.path(directory))\n",
        "        pass\n",
        (UNIT + "_install/test_remove.py",),
    ),
    Rule(
        "contents are on the disk before names",
        STEPS,
        "        flush_file_systems([tree, *others])\n",
        "        pass\n",
        (REAL + "test_power_cut.py::test_while_the_first_release_is_installed",),
    ),
    # Secrets.
    Rule("the cookie is its user's alone", SERVICE_USER, "mode=0o400, owner=owner", "mode=0o444, owner=owner", OF_SERVICE_USER),
    Rule("a running node gets its new cookie", SYSTEM + "system.py", "is_known = self.node.rotate_cookie(cookie)", "is_known = False", OF_SYSTEM),
    Rule("a cookie that the node has got is no change", SYSTEM + "node_state.py", "newer.remove(cookie_file)", "pass", OF_SYSTEM),
    Rule("a run that gave the cookie is completed", ROTATE, "return _answers(node, cookie)", "return False", OF_SYSTEM),
    Rule("a removal leaves the unit of another system", REMOVAL, "or not any(title in content for title in titles)", "", OF_REMOVAL),
    Rule("a removal does not follow links", REMOVAL, "if os.path.isdir(path) and not os.path.islink(path):", "if os.path.isdir(path):", OF_REMOVAL),
    Rule("a removal can be completed", REMOVAL, 'key=lambda name: (name == "releases", name)', 'key=lambda name: name != "releases"', OF_REMOVAL),
    Rule("no directory that is not a system is removed", REMOVAL, 'if set(names) - {LOCK} and not self.tree.has("releases"):', "if False:", OF_REMOVAL),
    Rule("only a user that was created here is removed", REMOVAL, 'if "user" not in record.made or self.has_epmd:', "if self.has_epmd:", OF_REMOVAL),
    Rule("a user of another system stays", REMOVAL, "        if others:\n            if self", "        if False:\n            if self", OF_REMOVAL),
    Rule(
        "a user is recorded before it is created",
        SERVICE_USER,
        "                    record()\n                run_first(commands)",
        "                    pass\n                run_first(commands)",
        OF_REMOVAL,
    ),
    Rule("EPMD of other nodes runs on", REMOVAL, "        if others:\n            self.has_epmd", "        if False:\n            self.has_epmd", OF_REMOVAL),
    Rule("a unit that is not ours stays", MANAGER, "    if MANAGED.encode() in content:\n", "    if True:\n", OF_MANAGER),
    Rule("a cookie file that others can read is refused", CONNECT, "    if mode & 0o077:\n", "    if False:\n", (UNIT + "_node/test_connect.py",)),
    Rule(
        "the text of an address has no cookie",
        CONNECT,
        '        return f"NodeAddress({self.node or self.pipe_dir!r})"\n',
        "        return tuple.__repr__(self)\n",
        (UNIT + "_node/test_connect.py",),
    ),
    Rule(
        "a node must know the cookie as well",
        PROTOCOL,
        "if not hmac.compare_digest(message[1:], digest(self._cookie, self._challenge)):",
        "if False:",
        (UNIT + "_node/test_distribution_protocol.py",),
    ),
    Rule("a package is verified before it is unpacked", STEPS, "        installation.package.verify(installation.digest)\n", "        pass\n", OF_INSTALL),
    Rule("what was read of a package has its checksum", STEPS, "    installation.package.verify_read(installation.digest)\n", "", OF_INSTALL),
    Rule("what is read of a package is summed up", OPENED, "            self._read.update(found)\n", "            pass\n", (UNIT + "_package/test_opened.py",)),
    Rule("what others could write is summed up", OPENED, "status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022", "False", OF_OPENED),
    Rule("what others have open is summed up", OPENED, "        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)\n", "", OF_OPENED),
    Rule("what is read again is summed up", OPENED, "other._read = None if self._read is None else hashlib.sha256()", "other._read = None", OF_REPLACE),
    Rule("nothing is exchanged below a node", REPLACE, "if running := emulators(tree):", "if running := []:", OF_REPLACE),
    Rule(
        "what runs or boots is not exchanged",
        REPLACE,
        'if version in in_use or status == "permanent" or (start and start.release_version == version):',
        "if False:",
        OF_REPLACE,
    ),
    Rule("with --check, each member is compared", REPLACE, "other[directory] = difference(path, tree)", "pass", OF_FORETELL),
    Rule("with --check, extra modules are found", REPLACE, "    note_more_modules(", "    (lambda *dummy: None)(", OF_FORETELL),
    Rule("with --check, files of the host are not compared", REPLACE, " and not is_of_the_host(path, directory):", ":", OF_REPLACE),
    Rule("a package is a file", OPENED, "if not stat.S_ISREG(status.st_mode):", "if False:", (UNIT + "_package/test_opened.py",)),
    Rule("a number in a tar header is octal", UTILS + "_formats/tar_reader.py", "    if digits is None:\n", "    if False:\n", OF_TAR),
    Rule("headers without a member have an end", UTILS + "_formats/tar_reader.py", "if headers > _HEADERS_LIMIT:", "if False:", OF_TAR),
    Rule("names have a length", EXTRACT, "if len(os.fsencode(name)) > MAX_NAME:", "if False:", OF_EXTRACT),
    Rule("names have a depth", EXTRACT, 'if name.count("/") > MAX_DEPTH:', "if False:", OF_EXTRACT),
    Rule("all names have a length together", EXTRACT, "if self.names > MAX_NAMES:", "if False:", OF_EXTRACT),
    Rule(
        "the texts of a package have a size",
        UTILS + "_package/read.py",
        "    if len(texts) == MAX_TEXTS or member.size",
        "    if False and member.size",
        (UNIT + "_package/test_read.py",),
    ),
    Rule(
        "copies lead nowhere else",
        UTILS + "_package/thin_base.py",
        "if not all(itertools.starmap(_are_copies",
        "if False and not all(itertools.starmap(_are_copies",
        OF_COPIES,
    ),
    Rule("a copied file is as in the base", COPIES, "if not digest.startswith(self.copies.files[path]):", "if False:", OF_COPIES),
    Rule("all copied files together are as in the base", COPIES, "if directory_digest(self.digests) != self.copies.digest:", "if False:", OF_COPIES),
    Rule("no directory of a copied file is a link", COPIES, "os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd", "os.O_DIRECTORY, dir_fd", OF_COPIES),
    Rule("a copied file is not a link", COPIES, "dir_fd=current, follow=False)", "dir_fd=current)", OF_COPIES),
    Rule(
        "a copy is checked as a member is",
        EXTRACT,
        "            path = rules.check(member)\n            if path in rules.repeated:\n                raise",
        "            path = member.name\n            if path in rules.repeated:\n                raise",
        OF_COPIES,
    ),
    Rule("check mode compares what is to be copied", UTILS + "_install/steps.py", "content=changes.check_mode)", "content=False)", OF_COPIES),
    Rule(
        "release_handler does not unpack what lacks files",
        UTILS + "_build/thin.py",
        ", *(_rels_twice(found, release.version) if copies else ())}",
        "}",
        OF_COPIES,
    ),
    Rule("a file with another mode is not copied", UTILS + "_build/thin_copies.py", "_File((member.mode, exact)", "_File((0, exact)", OF_COPIES),
    Rule(
        "a thin package names checksums",
        UTILS + "_package/thin_base.py",
        "if not all(map(_DIGEST.fullmatch, (base.sha256, base.full))):",
        "if False:",
        (UNIT + "_build/test_thin.py",),
    ),
    Rule(
        "a package with a checksum is replaced by no neighbour",
        "plugins/plugin_utils/_transport/packages.py",
        "    if thin_checksum or not is_pinned:\n",
        "    if True:\n",
        OF_PACKAGES,
    ),
    Rule(
        "a thin package has its checksum",
        "plugins/plugin_utils/_transport/packages.py",
        "if not thin_checksum or thin_checksum.strip().lower() == digest:",
        "if True:",
        OF_PACKAGES,
    ),
    # Signed packages.
    Rule("ssh-keygen decides", SIGNATURE, "        if answer.is_well:\n            return", "        if True:\n            return", OF_SIGNATURE),
    Rule("a revoked key counts no more", SIGNATURE, '("-r", policy.revoked_keys) if policy.revoked_keys else ()', "()", OF_SIGNATURE),
    Rule("signers that are not there allow nothing", SIGNATURE, "if path and not os.access(path, os.R_OK):", "if False:", OF_SIGNATURE),
    Rule(
        "the digest is of what was verified",
        SIGNATURE,
        "Verified(answer.sha256, ",
        'Verified(__import__("hashlib").sha256(open(package, "rb").read()).hexdigest(), ',
        OF_SIGNATURE,
    ),
    Rule("files are put back below no link", DRIFT + "put_back.py", "                _refuse_link(tree, path)\n", "", OF_DRIFT),
    Rule("files are put back from the package that was named", DRIFT + "put_back.py", "    opened.verify(digest)\n", "", OF_DRIFT),
    Rule("a link is not what it leads to", DRIFT + "files.py", "status = os.lstat(tree.path(path))", "status = os.stat(tree.path(path))", OF_DRIFT),
    Rule("a system of another run is not repaired", DRIFT + "verify.py", "            check_claim(tree, request.claim)\n", "", OF_DRIFT),
    Rule(
        "what may not go to a host proves nothing there",
        "plugins/plugin_utils/_package/known.py",
        "digest, files = checksum_of(path), manifest_in_run(path, directory)\n        if checksum_of(path) != digest:",
        'digest, files = "0", manifest_in_run(path, directory)\n        if False:',
        ("tests/unit/plugins/plugin_utils/_package/test_known.py",),
    ),
    Rule(
        "what is exchanged while it is read proves nothing",
        "plugins/plugin_utils/_package/known.py",
        "if checksum_of(path) != digest:",
        "if False:",
        ("tests/unit/plugins/plugin_utils/_package/test_known.py",),
    ),
    Rule(
        "no program of a box runs here with another user's rights",
        "plugins/plugin_utils/_box/mirror.py",
        "target.chmod((entry.mode & 0o777) | 0o400)",
        "target.chmod(entry.mode | 0o400)",
        ("tests/unit/plugins/plugin_utils/_box/test_mirror.py",),
    ),
    Rule("a package is signed", TRANSPORT, "digest = rule.checksum_of(package)", "digest = ANY.checksum_of(package)", OF_SIGNED),
    Rule("a thin package is signed itself", TRANSPORT, "digest = rule.checksum_of(thin)", "digest = ANY.checksum_of(thin)", OF_SIGNED),
    Rule("a package of a mirror is signed", TRANSPORT, "rule.of_a_mirror(arguments) if is_url(package) else", "arguments if is_url(package) else", OF_SIGNED),
    Rule("a package on the host is not verified", SIGNED, "if self.policies and boolean(", "if False and boolean(", OF_SIGNED),
    Rule("the host that a task is delegated to has signers", SIGNED, "if other and other in hostvars:", "if False:", OF_SIGNED),
    Rule(
        "what the builder has reported is signed",
        "plugins/plugin_utils/_package/signing.py",
        "if checksum and digest_of(checksum) != answer.sha256:",
        "if False:",
        ("tests/unit/plugins/plugin_utils/_package/test_signing.py",),
    ),
    # What a package was built from.
    Rule("a checkout runs no monitor of files", CHECKOUTS, '"core.fsmonitor=false"', '"core.pager=cat"', OF_CHECKOUTS),
    Rule("a checkout runs no filter", CHECKOUTS, '_git(top, *without, "status"', '_git(top, "status"', OF_CHECKOUTS),
    Rule("a filter that cannot be switched off is not run", CHECKOUTS, "not all(map(FILTER.fullmatch, filters))", "False", OF_CHECKOUTS),
    Rule("nothing is written to a checkout", CHECKOUTS, '"GIT_OPTIONAL_LOCKS": "0"', '"GIT_OPTIONAL_LOCKS": "1"', OF_CHECKOUTS),
    Rule(
        "a document that another has written is not signed",
        "plugins/action/otp_package_sbom.py",
        " and (not key or is_signed(document, key))",
        "",
        ("tests/unit/plugins/plugin_utils/_package/test_sbom.py",),
    ),
    # A package store.
    Rule("what is taken is what was put", STORE, "if digest.hexdigest() != file.sha256:", "if False:", OF_STORE),
    Rule("the package is taken last", STORE, "for name in reversed(names_along(key)) if", "for name in names_along(key) if", OF_STORE),
    Rule("what a record names is there", STORE, "            if along.get(name) != files[name]:\n", "            if False:\n", OF_STORE),
    Rule("other content in the store stays", STORE, "if found and found.sha256 != files[package].sha256:", "if False:", OF_STORE),
    Rule("other content on the controller stays", STORE, "if os.path.isfile(local) and not is_same:", "if False:", OF_STORE),
    Rule("of two that write a record first, one is refused", STORE_DIRECTORY, "[content], os.link)", "[content], os.replace)", OF_STORE),
    Rule("of two that write a record on another host first, one is refused", STORE_REMOTE, "if ln {new} {path};", "if mv -f {new} {path};", OF_STORE),
    Rule("no link in a store on another host leads out of it", STORE_REMOTE, "[ -d $d ] && [ ! -h $d ]", "[ -d $d ]", OF_STORE),
    Rule("no link in a store leads out of it", STORE_DIRECTORY, "if not stat.S_ISDIR(os.lstat(place).st_mode):", "if False:", OF_STORE),
    Rule("a store that is not mounted is not empty", STORE_DIRECTORY, "if not os.path.isdir(root):", "if False:", OF_STORE),
    Rule("the URL of a store has no password", STORE_LAYOUT, "parts.username is not None or parts.query", "parts.query", OF_STORE),
    Rule("a download has a largest size", DOWNLOAD, "                if received > max_size:\n", "                if False:\n", OF_DOWNLOAD),
    Rule("a download is as large as it says", DOWNLOAD, "if size is not None and received < size:", "if False:", OF_DOWNLOAD),
    Rule("a download has a minimal rate", DOWNLOAD, "if came < self._window * SLOWEST:", "if False:", OF_DOWNLOAD),
    Rule("a download has a deadline", DOWNLOAD, "if self._left <= 0:", "if False:", OF_DOWNLOAD),
    Rule(
        "a redirection leads to http or https",
        DOWNLOAD,
        'after.scheme not in ("http", "https") or (before.scheme, after.scheme) == ("https", "http")',
        "False",
        OF_DOWNLOAD,
    ),
    Rule(
        "credentials are for the server of the URL",
        DOWNLOAD,
        "if urllib.parse.urlsplit(target)[:2] != urllib.parse.urlsplit(url)[:2]:",
        "if False:",
        (REAL + "test_hostile_download.py::test_credentials_go_to_the_server_of_the_url_only",),
    ),
    Rule("a URL has no password", DOWNLOAD, "if urllib.parse.urlsplit(url).username is not None:", "if False:", OF_DOWNLOAD),
    Rule("a package that is fetched has the checksum", DOWNLOAD, "found != digest:", "False:", OF_DOWNLOAD),
    Rule(
        "files of a call are the node's alone",
        CONSOLE_SCRIPT,
        "os.O_CREAT | os.O_EXCL, 0o600, dir_fd",
        "os.O_CREAT | os.O_EXCL, 0o644, dir_fd",
        (UNIT + "_node/test_console_script.py",),
    ),
    Rule("an answer is no link", CONSOLE_SCRIPT, "self._directory, follow=False)", "self._directory)", (UNIT + "_node/test_console_script.py",)),
    Rule("what is typed is no file's content", CONSOLE, "    if not stat.S_ISFIFO(", "    if False and not (", OF_CONSOLE),
    Rule("a pipe of run_erl is no link", CONSOLE, "os.O_NONBLOCK | os.O_NOFOLLOW", "os.O_NONBLOCK", OF_CONSOLE),
    # What a node says is bounded, and of the type that is meant.
    Rule("terms are counted", ETF, "        self.spend(terms)\n", "", OF_ETF),
    Rule("terms have a depth", ETF, "        if self.depth > MAX_DEPTH and terms:", "        if False:", OF_ETF),
    Rule("lists of bytes are counted", ETF, "    work.spend(length // 8)\n", "", OF_ETF),
    Rule("tails of lists are counted", ETF, "        work.spend(len(elements) + len(", "        (len(elements) + len(", OF_ETF),
    Rule("decoding has a deadline", ETF, "if time.monotonic() > self.deadline:", "if False:", OF_ETF),
    Rule("the number of a fun is small", ETF, " or not _is_small(elements[2])", "", OF_ETF),
    Rule("the deadline of a call holds for decoding", PROTOCOL, "self._deadline = deadline\n", "pass\n", (UNIT + "_node/test_distribution_protocol.py",)),
    Rule("a version is the name of a directory", RELEASE_HANDLER, "    check_version(release.version)\n", "", OF_RELEASE_HANDLER),
    Rule("a process is a number above 0", RELEASE_HANDLER, "[1-9][0-9]{0,9}", "-?[0-9]+", OF_RELEASE_HANDLER),
    Rule("a path has an end", RELEASE_HANDLER, 'len(text) > LONGEST or "\\0" in text', '"\\0" in text', OF_RELEASE_HANDLER),
    Rule("a status is an atom", RELEASE_HANDLER, "if not isinstance(term, Atom):", "if False:", OF_RELEASE_HANDLER),
    Rule("the history is a file", HISTORY, "        if not stat.S_ISREG(found.st_mode):", "        if False:", (UNIT + "_tree/test_history.py",)),
    Rule(
        "the end of the history is read",
        HISTORY,
        'read_end(tree.path("releases", HISTORY), BYTES)',
        'open(tree.path("releases", HISTORY), "rb").read()',
        (UNIT + "_tree/test_history.py",),
    ),
    Rule(
        "an entry of the history has texts", HISTORY, "        if _is_entry(entry):", "        if isinstance(entry, dict):", (UNIT + "_tree/test_history.py",)
    ),
    Rule("JSON has a depth", READING, "    except RecursionError:", "    except ZeroDivisionError:", OF_READING),
    Rule("a number of JSON has an end", READING, "    if len(digits) > 20:", "    if False:", OF_READING),
    Rule("a place is in the directory of a variable", RECORD, " and any(place.startswith(", " or any(place.startswith(", OF_RECORD),
    Rule("a place is that of its application", RECORD, "os.path.basename(place) == library and ", "", OF_RECORD),
    Rule("a place leads nowhere else", RECORD, ' and os.path.normpath(path) == path and "', ' and "', OF_RECORD),
    Rule("an archive is that of a variable", RECORD, 'record.get("variables", {}).get(name) == directory', "True", OF_RECORD),
    Rule(
        "a library of RELEASES leads nowhere upwards",
        UTILS + "_formats/releases_file.py",
        '".." in directory.split("/") or ',
        "",
        (UNIT + "_formats/test_releases_file.py",),
    ),
    Rule("a base leads nowhere else", UTILS + "_package/thin_base.py", "all(map(is_directory_name, path", "any(map(is_directory_name, path", OF_THIN),
    Rule("a key of TLS is its owner's alone", TLS_FILES, '"key": 0o400', '"key": 0o444', OF_TLS_FILES),
    Rule("a node is asked over the connection that its old certificate has opened", TLS_FILES, "if is_new(tls, tree) else", "if False else", OF_TLS_FILES),
    Rule("no call is tried that a node of TLS would refuse", TLS, "and not certificate", "and False", OF_TLS),
    Rule("the certificate of a node is checked", TLS, "ssl.CERT_REQUIRED if files.ca and files.checks else ssl.CERT_NONE", "ssl.CERT_NONE", OF_TLS),
    Rule(
        "a certificate that does not fit is refused before a host is touched",
        INVENTORY_TLS,
        "    if problem:\n",
        "    if False:\n",
        ("tests/unit/plugins/plugin_utils/_inventory/test_tls.py",),
    ),
    Rule("a node is found by its name among those of the cookie's owner", LISTENING, "runs not in (0, user)", "False", OF_LISTENING),
    Rule(
        "no flag takes TLS away",
        INVENTORY_TLS,
        'not protocol.endswith("_tls")',
        "False",
        ("tests/unit/plugins/plugin_utils/_inventory/test_tls.py",),
    ),
    Rule("what su and sudo run is not believed", PROCESSES, "if len(users) == 1 and not mode & stat.S_ISUID", "if users", OF_LISTENING),
    Rule(
        "two users with a node of a name are not chosen from", LISTENING, "for each in found.values()}) > 1", "for each in found.values()}) > 9", OF_LISTENING
    ),
    Rule("a system is its owner's", LISTENING, "user is not None and (user in", "user is not None or (user in", OF_LISTENING),
    Rule("files that a process names are read as its user", UTILS + "_node/named_files.py", "as_user(user, path)", "as_user(None, path)", OF_LISTENING),
    Rule("a cookie is a file", CONNECT, "open_file(path) as file", 'open(path, "rb") as file', (UNIT + "_node/test_connect.py",)),
    Rule("a log is a file", UTILS + "_node/log_tail.py", "read_end(path, BYTES)", 'open(path, "rb").read(BYTES)', (UNIT + "_node/test_log_tail.py",)),
    Rule("the terms of a file have a size", PARSER, "    if len(data) > MAX_FILE:", "    if False:", (UNIT + "_formats/test_releases_file.py",)),
    Rule("bits of all segments are counted", PARSER, "            if source.bits[0] > MAX_BITS:", "            if False:", (UNIT + "_terms/test_parser.py",)),
    # What a terminal shows.
    Rule("errors have no control characters", ERRORS, "clean(super().__str__())", "super().__str__()", OF_TERMINAL),
    Rule("errors have an end", ERRORS, "text if len(text) <= LONGEST else", "text if True else", OF_TERMINAL),
    Rule("nothing turns the direction of text", UTILS + "_core/terminal.py", ", *range(0x2066, 0x206A)", "", OF_TERMINAL),
    Rule("what a box says is clean", TRANSPORT_ACTION, "without_vaulted(cleaned(result),", "without_vaulted((result),", OF_ACTIONS),
    Rule(
        "a package is compared with its checksum before any host is touched",
        "plugins/plugin_utils/_inventory/checks.py",
        "        if expected.strip().lower() != digest:\n",
        "        if False:\n",
        ("tests/unit/plugins/plugin_utils/_inventory/test_checks.py",),
    ),
    Rule("what a host says is clean", PACKAGES, "return cleaned(_run_with_package(", "return (_run_with_package(", OF_ACTIONS),
    Rule(
        "the page runs its own script alone", "playbooks/templates/status.html.j2", "default-src 'none'", "default-src *", ("tests/unit/test_status_page.py",)
    ),
    Rule("keys of the page are escaped", "plugins/filter/fleet_status.py", ", keys=True)", ")", ("tests/unit/plugins/filter/test_fleet_status.py",)),
    Rule(
        "what a host says is clean in its line",
        LINES + "view.py",
        'clean(str(text or "").replace("\\r", "\\n"))',
        'str(text or "")',
        (OF_LINES + "test_view.py",),
    ),
    Rule("what is above the lines moves no cursor", LINES + "screen.py", "else clean(part)", "else part", (OF_LINES + "test_screen.py",)),
    Rule("a step shows no secret", WATCHED, "mask(text)", "text", OF_WATCHED),
    Rule("a task with no_log shows no step", WATCHED, " or action._task.no_log", "", OF_WATCHED),
    Rule("keys are clean", UTILS + "_core/terminal.py", "{cleaned(key): ", "{key: ", OF_TERMINAL),
    Rule(
        "another directory in the call's place gets nothing",
        CONSOLE_SCRIPT,
        "if os.fstat(self._directory).st_uid != us:",
        "if False:",
        (UNIT + "_node/test_console_script.py",),
    ),
    # Users, and the programs of the host.
    Rule(
        "users are made one after the other",
        SERVICE_USER,
        "        with lock(LOCK):\n            if find(name)",
        "        if True:\n            if find(name)",
        OF_SERVICE_USER,
    ),
    Rule(
        "a user is made once",
        SERVICE_USER,
        "            if find(name) is None:\n                if record",
        "            if True:\n                if record",
        OF_SERVICE_USER,
    ),
    Rule("only root makes users", SERVICE_USER, "    if os.geteuid() != 0:\n", "    if False:\n", OF_SERVICE_USER),
    Rule(
        "a new directory is its owner's alone until it has its mode",
        OWNERSHIP,
        "        os.mkdir(path, _NEW)\n",
        "        os.mkdir(path, 0o755)\n",
        OF_SERVICE_USER,
    ),
    Rule("a program gets no environment but its own", RUN, 'env={"PATH": PATH,', 'env={**os.environ, "PATH": PATH,', OF_LIFECYCLE),
    # The stop of a node.
    Rule("a service is stopped before its node", LIFECYCLE, "        _service.stop(node.service)\n", "        pass\n", OF_LIFECYCLE),
    Rule("a node is ended by SIGTERM", LIFECYCLE, "signal.SIGTERM if pid in first else", "", OF_LIFECYCLE),
    Rule("SIGTERM comes again", LIFECYCLE, "is_due = now - signalled >= 1.0", "is_due = not signalled", OF_LIFECYCLE),
    Rule("what heart has started meanwhile is killed", LIFECYCLE, " if pid in first else signal.SIGKILL", "", OF_LIFECYCLE),
    Rule("a node is stopped when its heart has ended", LIFECYCLE, "starters, emulators = find_starters(root),", "starters, emulators = [],", OF_LIFECYCLE),
    Rule("the heart of an emulator that stops is left alone", LIFECYCLE, "elif starter.emulator not in stopping:", "else:", OF_LIFECYCLE),
    Rule("a stop gives up", LIFECYCLE, "not quiet and now >= deadline:", "False:", OF_LIFECYCLE),
    Rule("what heart starts over and over is stopped", LIFECYCLE, "            halt(node)\n", "            pass\n", OF_LIFECYCLE),
    Rule("a node that heart is about to start is not down", LIFECYCLE, "starters = [] if pid else find_starters(root)", "starters = []", OF_LIFECYCLE),
    Rule("the heart of a client is another node's", PROCESSES, 'return releases == name + b"/releases"', "return True", (UNIT + "_tree/test_processes.py",)),
    Rule(
        "of the hosts that wait for the content of a package one reads it",
        "plugins/plugin_utils/_package/facts.py",
        "fcntl.flock(file, fcntl.LOCK_EX)",
        "pass",
        ("tests/unit/plugins/plugin_utils/_package/test_facts.py",),
    ),
    Rule(
        "the log of a node is not in its history",
        HANDLER + "upgrade.py",
        'without_log(failure["reason"])',
        'self.request.failure["reason"]',
        (UNIT + "_handler/test_upgrade.py",),
    ),
    Rule("an emulator of another user is none of the system", PROCESSES, "os.stat(root).st_uid in (0, user)", "True", OF_HOSTILE_PROCESS),
    Rule("a heart of another user is none of the system", PROCESSES, " or not _may_run(runs_as(pid), pid, root)", "", OF_HOSTILE_PROCESS),
    Rule(
        "a shell counts no process of another user",
        "plugins/plugin_utils/_target_system/is_emulator.sh",
        '[ "$(id -u)" = 0 ] || return 1',
        ":",
        (REAL + "test_hostile_process.py::test_an_emulator_and_a_heart_of_another_user_s_system",),
    ),
    Rule(
        "a host that lacks a part of the base gets the full package",
        "plugins/plugin_utils/_transport/packages.py",
        'sent.pop("needs_full_package", False)',
        "False",
        (REAL + "test_thin.py::test_the_full_package_is_sent_where_a_file_of_the_base_has_changed",),
    ),
    Rule("a process of a container is not ours", PROCESSES, 'len(_status(pid, b"NSpid:")) < 2', "True", (UNIT + "_tree/test_processes.py",)),
    Rule("a forked child is not another emulator", PROCESSES, " if _parent(pid) not in found]", "]", (UNIT + "_tree/test_processes.py",)),
    Rule(
        "what is missing is reported before a node is stopped",
        UTILS + "_target_system/system.py",
        "ensure_release(self.options, self.tree, self.owner, self.changes, is_image=self.is_image, only_check=True)",
        "pass",
        OF_SYSTEM,
    ),
    Rule(
        "a deploy does not change which release is permanent",
        UTILS + "_target_system/release.py",
        'state="present" if is_kept else "permanent"',
        'state="permanent"',
        OF_SYSTEM,
    ),
    # A module through standard input.
    Rule("a package that is cut is not installed", STDIN, "            if not block:\n", "            if not block:\n                break\n", OF_STDIN),
    Rule("a package is not waited for without end", STDIN, "            signal.alarm(PATIENCE)\n", "", OF_STDIN),
    Rule("what an interrupted upload has left is removed", TRANSPORT, ' || rm -rf "$each"', "", OF_TRANSPORT),
    Rule("an upload that goes on is left alone", TRANSPORT, " -mmin +5", "", OF_TRANSPORT),
    Rule("root removes no directory of another user", TRANSPORT, ' -user "$(id -u)"', "", OF_TRANSPORT),
    Rule("a package that does not fit is not uploaded", TRANSPORT, "free is not None and free < size", "False", OF_TRANSPORT),
    Rule("bytecode is for the same Python alone", STDIN, 'if request["magic"] == importlib.util.MAGIC_NUMBER.hex():', "if True:", OF_STDIN),
    Rule("check mode goes along", STDIN, '        self.check_mode = request["check_mode"]\n', "        self.check_mode = False\n", OF_STDIN),
    # A build.
    Rule(
        "a package is made new",
        ASSEMBLE,
        "os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW",
        "os.O_WRONLY | os.O_CREAT",
        (UNIT + "_build/test_assemble.py",),
    ),
    Rule("a package is flushed", ASSEMBLE, "            os.fsync(file.fileno())\n", "            pass\n", (UNIT + "_build/test_assemble.py",)),
    Rule(
        "a package that fails is removed",
        ASSEMBLE,
        "        with contextlib.suppress(OSError):\n            os.unlink(path)\n        raise",
        "        raise",
        (UNIT + "_build/test_assemble.py",),
    ),
    Rule("the cache believes nothing that is broken", CACHE, "if digest.digest() != stored:", "if False:", (UNIT + "_build/test_cache.py",)),
    Rule("a fragment is of the content that its key is for", ASSEMBLE, "if digest.hexdigest() != key:", "if False:", OF_ASSEMBLE),
    Rule("an unfinished entry of the cache is removed", CACHE, "            entry.give_up()\n", "            pass\n", (UNIT + "_build/test_cache.py",)),
    Rule("a large file is read in pieces", UTILS + "_formats/tar_writer.py", "if size > LARGE else", "if False else", (UNIT + "_formats/test_tar_writer.py",)),
    Rule("blocks are compressed a batch at a time", GZIP_WRITER, "itertools.islice(items, BATCH)", "items", (UNIT + "_formats/test_gzip_writer.py",)),
    Rule(
        "a file that becomes shorter is not packed",
        UTILS + "_formats/large_file.py",
        "                    if not piece:\n",
        # It ends all the same.
        "                    if not piece:\n                        return\n",
        (UNIT + "_formats/test_tar_writer.py",),
    ),
    Rule("fragments in memory are bounded", ASSEMBLE, "if small and self._held < HELD and", "if small and", OF_ASSEMBLE),
    Rule("an appup that its author has reviewed stays", APPUP_FILES, "if content is None:", "if True:", OF_APPUP_FILES),
    Rule("an appup with an open question is a draft", APPUP_FILES, 'self.path + ".draft" if made.questions', "self.path if made.questions", OF_APPUP_FILES),
    # What else calls to a node and builds consist of.
    Rule(
        "another node at the address is not called",
        PROTOCOL,
        "        if self._expected != (",
        "        if False and (",
        (UNIT + "_node/test_distribution_protocol.py",),
    ),
    Rule("a message has a limit", PROTOCOL, "            if length > limit:\n", "            if False:\n", (UNIT + "_node/test_distribution_protocol.py",)),
    Rule(
        "a node that does not take the name says so",
        PROTOCOL,
        '        elif status == "not_allowed":',
        '        elif status == "never":',
        (UNIT + "_node/test_distribution_protocol.py",),
    ),
    Rule(
        "a call that was given up has no event",
        PROTOCOL,
        "        self._calls.pop(self._reference(number).text, None)\n",
        "        pass\n",
        (UNIT + "_node/test_distribution_protocol.py",),
    ),
    Rule("a cache that others can write is not used", CACHE, "status.st_mode & 0o022", "False", (UNIT + "_build/test_cache.py",)),
    Rule("a cache of another user is not used", CACHE, "status.st_uid != os.geteuid() or ", "", (UNIT + "_build/test_cache.py",)),
    Rule(
        "a library with the same version must have the same content",
        UTILS + "_build/thin.py",
        "            _check_equal(directory, content, theirs[directory], base)\n",
        "",
        (UNIT + "_build/test_thin.py",),
    ),
    Rule("a thin package is not a base", UTILS + "_build/thin.py", "    if read_base(base) is not None:\n", "    if False:\n", (UNIT + "_build/test_thin.py",)),
    Rule(
        "a node and its files name one permanent release",
        UTILS + "_node/disagreements.py",
        "if permanent != [running.permanent] or boots != running.permanent:",
        "if False:",
        (UNIT + "_node/test_disagreements.py",),
    ),
    Rule("a service is enabled only when it is not", SERVICE, "if is_at_boot(service) != service.at_boot:", "if False:", (UNIT + "_node/test_service.py",)),
    Rule(
        "stop and status find the emulator",
        "plugins/plugin_utils/_target_system/is_emulator.sh",
        '"*) may_run "$1" && return 0 ;; esac',
        '"*) return 1 ;; esac',
        OF_SCRIPTS,
    ),
    Rule(
        "the number of an emulator leads to no other file",
        "plugins/plugin_utils/_target_system/is_emulator.sh",
        '    case "$1" in "" | *[!0-9]*) return 1 ;; esac\n',
        "",
        (OF_HOSTILE_INIT + "the_file_with_the_number_is_something_else",),
    ),
    Rule(
        "an init script works in the tree as its user",
        INIT,
        '[ "$(id -u)" = 0 ] &&',
        "false &&",
        (OF_HOSTILE_INIT + "programs_of_the_tree_have_neither_root_nor_its_terminal",),
    ),
    Rule(
        "an init script gives no terminal of root away",
        AS_USER,
        "setsid=$(command -v setsid)",
        "setsid=",
        (OF_HOSTILE_INIT + "programs_of_the_tree_have_neither_root_nor_its_terminal",),
    ),
    Rule(
        "what root types is not read by the user's programs",
        AS_USER,
        '    [ ! -t 1 ] || exec >"/proc/$$/fd/1"\n',
        "",
        (OF_HOSTILE_INIT + "programs_of_the_tree_have_neither_root_nor_its_terminal",),
    ),
    Rule(
        "an init script makes no directory below one of the user's",
        INIT,
        ", otp_run_dir ~ '/', otp_pipe_dir ~ '/', otp_log_dir ~ '/'",
        "",
        (OF_HOSTILE_INIT + "directories_of_the_node_below_a_link",),
    ),
    # Boxes: their trees are data, and root does not work in them.
    Rule(
        "the tree of a box is worked on as the user of the node",
        BOX + "programs/root.sh",
        'su -s /bin/sh -c "$1" "$NODE_USER"',
        '(eval "$1")',
        (OF_BOX + "test_delivery.py",),
    ),
    Rule("root gives a file of a box its owner first", BOX + "programs/receive_root.sh", '|| give "$3" ||', "|| : ||", (OF_BOX + "test_delivery.py",)),
    Rule("a run that reads writes nothing on a box", BOX + "box.py", " if self.target.writes else None", "", (OF_BOX + "test_box.py",)),
    Rule(
        "no link of a box leads out of its copy",
        BOX + "mirror.py",
        "        return None\n\n    def link_on_box",
        "        return target\n\n    def link_on_box",
        (OF_BOX + "test_mirror.py",),
    ),
    Rule(
        "the link of a box to its run directory stays in the copy",
        BOX + "mirror.py",
        "return self.directory + target",
        "return target",
        (OF_BOX + "test_mirror.py",),
    ),
    Rule(
        "nothing in a copy of a box is behind a link",
        BOX + "mirror.py",
        'return all(entry.kind == "d" for entry in listed)',
        "return True",
        (OF_BOX + "test_mirror.py",),
    ),
    Rule("names of a box are names", BOX + "mirror.py", "        check_path(path)\n", "", (OF_BOX + "test_mirror.py",)),
    Rule("what is sent to a box is no link's target", BOX + "delivery.py", "os.O_RDONLY | os.O_NOFOLLOW", "os.O_RDONLY", (OF_BOX + "test_delivery.py",)),
    Rule(
        "an inspection is unpacked in bounded memory",
        BOX + "inspection.py",
        "stream.decompress(output, MAX_INSPECTION)",
        "stream.decompress(output)",
        (OF_BOX + "test_inspection.py",),
    ),
    Rule("the names of a box are bounded", BOX + "inspection.py", "> MAX_NAMES:", "< 0:", (OF_BOX + "test_inspection.py",)),
    Rule("a box that sends too much is cut off", BOX + "limits.py", "if _peak() - before > MAX_GROWTH:", "if False:", (OF_BOX + "test_limits.py",)),
    Rule("a box that does not end is cut off", BOX + "limits.py", "elif time.monotonic() > deadline:", "elif False:", (OF_BOX + "test_limits.py",)),
    Rule("sizes in a box's archive are octal", BOX + "small_files.py", 'if set(digits) - set(b"01234567"):', "if False:", (OF_BOX + "test_small_files.py",)),
    Rule(
        "a rollback goes down the path of upgrades",
        HISTORY,
        "                    del path[path.index(version) + 1 :]\n",
        "                    pass\n",
        (UNIT + "_tree/test_history.py",),
    ),
    Rule(
        "a history that a killed run has left empty gets its owner",
        HISTORY,
        "        if not size:\n            # A new one",
        "        if False:\n            # A new one",
        (UNIT + "_tree/test_history.py",),
    ),
    Rule(
        "a user that useradd has left half made is completed",
        SERVICE_USER,
        "is_half_made(user) and shutil",
        "False and shutil",
        OF_SERVICE_USER,
    ),
    Rule(
        "a directory that an interrupted run has left gets its mode",
        OWNERSHIP,
        "== _NEW != mode and",
        "== -1 and",
        OF_SERVICE_USER,
    ),
    Rule(
        "what update-rc.d would leave as it is, it removes first",
        SERVICE,
        "if not service.at_boot or is_at_boot(service) is None:",
        "if not service.at_boot:",
        (UNIT + "_node/test_service.py",),
    ),
    Rule(
        "links of which a killed update-rc.d has made some do not count",
        SERVICE,
        "return None if starts and not all(links.values()) else starts",
        "return starts",
        (UNIT + "_node/test_service.py",),
    ),
    Rule(
        "an entry of the history is written to its end",
        HISTORY,
        "            line = line[os.write(descriptor, line) :]\n",
        "            os.write(descriptor, line)\n            break\n",
        (UNIT + "_tree/test_history.py",),
    ),
    Rule(
        "a commit that a killed run has not added to the history is added",
        HANDLER + "commit.py",
        "    elif missed := ",
        '    elif False and (missed := "") and ',
        OF_RUNNING,
    ),
    Rule(
        "a release that was rolled back is not taken for a commit",
        HISTORY,
        ' and not any(entry["action"] in _MOVES for entry in entries)',
        "",
        (UNIT + "_tree/test_history.py",),
    ),
    # An upgrade of a node.
    Rule(
        "an installation has the limit of the user",
        HANDLER + "node_upgrade.py",
        'self.request.upgrade_timeout if function == "install_release" else ',
        "",
        OF_RUNNING,
    ),
    Rule("a client that is to be started would change", PLAN, '"changed": changed or is_other', '"changed": changed', OF_PLAN),
    Rule(
        "the log of a client that does not answer is in its error",
        "roles/clients/tasks/answer.yml",
        "{{ _otp_answer_result.msg }} {{ _otp_log_result.last_words | default(_otp_log_result.msg) }}",
        "{{ _otp_answer_result.msg }}",
        (REAL + "test_client_role.py::test_what_does_not_boot_takes_the_canary_back_and_the_others_run_on",),
    ),
    Rule(
        "a change of releases is alone",
        HANDLER + "upgrade.py",
        '                if self.request.state != "given_back":\n                    apply()\n                self.settle_mark()\n',
        "                pass\n            apply()\n",
        OF_RUNNING,
    ),
    Rule("what failed is refused", HANDLER + "running.py", "            self.check_history()\n", "            pass\n", OF_RUNNING),
    Rule("what failed is refused while the node is down", HANDLER + "offline.py", "            upgrade.check_history()\n", "            pass\n", OF_RUNNING),
    Rule("what failed needs force", HANDLER + "upgrade.py", "force=self.request.force", "force=True", OF_RUNNING),
    Rule(
        "what is not verified is not committed",
        HANDLER + "running.py",
        "        if request.verify or self.running.permanent != self.version:\n            verify_or_roll_back(self)\n        if request.state",
        "        if request.state",
        OF_RUNNING,
    ),
    Rule("a failed check ends the run", HANDLER + "verify.py", '    raise upgrade.failure("verify"', '    upgrade.failure("verify"', OF_RUNNING),
    Rule("what the node runs is compared", HANDLER + "verify.py", "if difference.sentence:", "if False:", OF_RUNNING),
    Rule("a failed check rolls back", HANDLER + "verify.py", "request.rollback and not is_committed", "False", OF_RUNNING),
    Rule("a way fails back to its beginning", HANDLER + "install.py", "upgrade.request.rollback and upgrade.running.current in releases[:-1]", "False", OF_WAY),
    Rule("each step of a way is verified", HANDLER + "install.py", "                verify_or_roll_back(upgrade)\n", "", OF_WAY),
    Rule("no step of a way restarts", HANDLER + "way.py", "if is_hot and end", "if end", OF_WAY),
    Rule(
        "what ends on a way has failed",
        HANDLER + "verify.py",
        "running.current not in uncommitted_way(upgrade.history)",
        'running.current != entry["from"]',
        OF_WAY,
    ),
    Rule(
        "a node that does not come back has failed",
        HANDLER + "node_upgrade.py",
        """            self.record("install", before=before.current, outcome=FAILED, reason=f"{reason} {error}")\n""",
        "",
        OF_RUNNING,
    ),
    Rule("copies are there before release_handler writes", HANDLER + "node_upgrade.py", "        save(self.tree, self.tree.file_options())\n", "", OF_RUNNING),
    Rule(
        "copies go after release_handler has written",
        HANDLER + "node_upgrade.py",
        "        if function not in RESTARTING:\n            forget_saved(self.tree)\n",
        "",
        (UNIT + "_handler/test_node_upgrade.py",),
    ),
    Rule(
        "copies stay until the node is back",
        HANDLER + "node_upgrade.py",
        "        if function not in RESTARTING:\n            forget_saved(self.tree)\n",
        "        forget_saved(self.tree)\n",
        OF_RUNNING,
    ),
    Rule(
        "copies go when the node is back",
        HANDLER + "node_upgrade.py",
        "        forget_saved(self.tree)\n        self.result",
        "        self.result",
        OF_RUNNING,
    ),
    Rule(
        "copies go when nothing was written",
        HANDLER + "node_upgrade.py",
        "            if refusal.is_harmless:\n                forget_saved(self.tree)\n",
        "",
        (UNIT + "_handler/test_node_upgrade.py",),
    ),
    Rule("the release that runs stays", HANDLER + "remove.py", "(running.current, running.permanent)", "(running.permanent,)", OF_RUNNING),
    Rule("the permanent release of a node stays", HANDLER + "remove.py", "(running.current, running.permanent)", "(running.current,)", OF_RUNNING),
    Rule("a client's release in use stays", CLIENT + "upgrade.py", "        check_not_in_use(self, version)\n", "", OF_RUNNING),
    Rule(
        "a removal is checked before the node forgets the release",
        HANDLER + "remove.py",
        "    remove_files(upgrade, version, Changes(check_mode=True), may_run=True)\n",
        "",
        OF_RUNNING,
    ),
    Rule("libraries that may be used stay", HANDLER + "remove.py", "if not known.libraries and", "if False and", OF_RUNNING),
    # The directory of a client.
    Rule("a client's directory is changed alone", CLIENT + "directory.py", "locks.enter_context(lock(path, timeout=request.lock_timeout))", "pass", OF_CLIENT),
    Rule("a client that runs keeps its release", CLIENT + "directory.py", "!= release.version and request.runs():", "!= release.version and False:", OF_CLIENT),
    Rule(
        "the directory of a client that runs stays",
        CLIENT + "directory.py",
        "    if request.runs():\n        raise OtpError",
        "    if False:\n        raise OtpError",
        OF_CLIENT,
    ),
    Rule("a cookie elsewhere is not the master's", PLAN, "has_disk and home == tree.client_directory", "has_disk", OF_PLAN),
    Rule("a client that runs is not started again", PLAN, 'state == "started" and is_down', 'state == "started"', OF_PLAN),
    # What a client was started with.
    Rule(
        "of two changes of a client's file the first one counts",
        KEPT_OF_CLIENT,
        "if not os.path.lexists(self._place(path)):\n            self._copy",
        "if True:\n            self._copy",
        OF_KEPT_CLIENT,
    ),
    Rule(
        "what is kept of another emulator of a client goes",
        KEPT_OF_CLIENT,
        "noted[0] == self.emulator else self._place()",
        "True else self._place()",
        OF_KEPT_CLIENT,
    ),
    Rule("an upgrade of a client has loaded its configuration", KEPT_OF_CLIENT, "noted is None or noted[1] == self.release or", "True or", OF_KEPT_CLIENT),
    Rule(
        "on the host of a client without a disk root's bin has what is kept",
        PLAN,
        "tree.client_directory if has_disk else own_bin",
        "tree.client_directory",
        OF_PLAN,
    ),
    Rule("a client is one run's", CLIENT + "node_change.py", "check_claim(tree, request.claim)", "None", OF_CLIENT_CHANGE),
    Rule(
        "a client that has not read its files is not restarted to go back",
        CLIENT + "node_change.py",
        "is_kept and not self.is_newer)",
        "is_kept)",
        OF_CLIENT_CHANGE,
    ),
    Rule(
        "the boot server drops who is not in the inventory",
        "plugins/plugin_utils/_clients/master_plan.py",
        "for address in served if address not in listed",
        "for address in served if False",
        ("tests/unit/plugins/plugin_utils/_clients/test_master_plan.py",),
    ),
    Rule("files of a client that runs are not repaired", CLIENT + "directory.py", "        if request.runs():\n            raise\n", "", OF_CLIENT),
    Rule(
        "the node that answers runs the system below this root directory",
        LIFECYCLE,
        '    if running.root.encode("utf-8", "surrogateescape") not in names_of(node.root):\n',
        "    if False:\n",
        OF_LIFECYCLE,
    ),
    # Secrets in the environment.
    Rule("only the service user can read the environment", SYSTEM + "environment.py", "MODE = 0o400", "MODE = 0o444", OF_ENVIRONMENT),
    Rule(
        "the environment is there before bin/start reads it",
        SYSTEM + "system.py",
        "            self.write_environment()\n            for file",
        "        for file",
        OF_ENVIRONMENT,
    ),
    Rule("a diff has no value of a secret", SYSTEM + "environment.py", "value if name in shown else '********'", "value", OF_ENVIRONMENT),
    Rule("a variable that becomes a secret is in no diff", SYSTEM + "system.py", " - self.options.environment_secrets.keys()", "", OF_ENVIRONMENT),
    Rule("a secret cannot become a second variable", SYSTEM + "environment.py", '"[\\n\\0', '"[\\0', (UNIT + "_target_system/test_environment.py",)),
    Rule("no path that is read otherwise", "plugins/plugin_utils/_inventory/names.py", "        elif refused:\n", "        elif False:\n", OF_NAMES),
    Rule("a line of a unit does not join the next", "plugins/plugin_utils/_inventory/service.py", "=.*(?<!\\\\)", "=.*", OF_NAMES),
    Rule("a unit starts in a container", UTILS + "_node/sandbox.py", "if found is None or", "if True or", (UNIT + "_node/test_sandbox.py",)),
    Rule("a system below /home sees it", HARDENING, "if not any(is_below(path, places) for path in paths)", "", OF_HARDENING),
    Rule("a system below /usr stays writable", HARDENING, "if is_below(path, READ_ONLY)", "if False", OF_HARDENING),
    Rule("a diff has no value of vault", VAULTED, "if not any(pattern.search(str(text)) for text in entry.values())", "if True", OF_VAULTED),
    Rule("a message has no value of vault", VAULTED, "mapped(part, mask) if name in FOR_PEOPLE else part", "part", OF_VAULTED),
    Rule("a value that is encrypted alone is known", VAULTED, "    if isinstance(value, EncryptedString):\n        return True\n", "", OF_VAULTED),
    Rule("a value of an encrypted file is known", VAULTED, ' or is_encrypted(str(getattr(tag, "path", None) or ""))', "", OF_VAULTED),
    Rule("no module logs its options", QUIET, ", **QUIET}", "}", ("tests/unit/plugins/plugin_utils/_secrecy/test_quiet.py",)),
    Rule("vm.args has no cookie", CONFIGURE, "content._replace(data=without_cookie(content.data))", "content", OF_CONFIGURE),
    Rule("a cookie of an old vm.args is in no diff", CONFIGURE, "without_cookie(before) if name == VM_ARGS else before", "before", OF_CONFIGURE),
    Rule(
        "a flag that the host decides is not in vm.args", CONFIGURE, "without_flags(content.data, host_flags)", "without_flags(content.data, ())", OF_CONFIGURE
    ),
    Rule("sys.config with config providers is not replaced", CONFIGURE, "PROVIDERS in (sources.get(name)", "not (sources.get(name)", OF_CONFIGURE),
    Rule("what config providers write is the user's", MIX, "umask 077", "umask 022", OF_MIX),
    Rule("what config providers write for eval is the user's", COMMANDS, "umask 077 && cat", "umask 022 && cat", (OF_COMMANDS + "what_eval_leaves",)),
    Rule("what config providers write for eval goes again", COMMANDS, "trap 'rm -f", "trap ': ", (OF_COMMANDS + "what_eval_leaves",)),
    Rule("nothing takes an emulator beside the node for it", COMMANDS, "ERL_ROOTDIR=$ROOTDIR/.", "ERL_ROOTDIR=$ROOTDIR", (OF_COMMANDS + "in_a_terminal",)),
    Rule(
        "the cookie is in no argument of bin/NAME",
        CALLS,
        "-noinput +fnu",
        '-noinput -setcookie "$(cat ~/.erlang.cookie)" +fnu',
        (OF_COMMANDS + "what_is_given_is_what_the_node_gets",),
    ),
    Rule("arguments of bin/NAME are UTF-8 without locales", CALLS, " +fnu +pc", " +pc", (REAL + "test_box_node.py::test_the_script_of_a_distributed_node",)),
    Rule(
        "a shell of bin/NAME is in the node, or there is none",
        COMMANDS,
        "andalso halt(9)",
        "andalso ok",
        (REAL + "test_box_node.py::test_a_shell_in_the_node",),
    ),
    Rule(
        "an emulator beside the node works where its user can read",
        COMMANDS.replace("_node", ""),
        'cd "$ROOTDIR" || exit 1',
        ":",
        (OF_COMMANDS + "commands_of_relx_and_mix",),
    ),
    Rule("a shell in the node has no terminal of root", COMMANDS.replace("_node", ""), "exec su --pty", "exec su", (OF_COMMANDS + "in_a_terminal",)),
    Rule("earlier secrets of config providers are removed", MIX, 'rm -f "$RELEASE_TMP"/*.runtime.config', ":", OF_MIX),
    Rule(
        "an interrupted hot upgrade leaves the configuration of the package to a boot",
        START_ERL,
        'mv -f "$RELEASE_DIR/sys.config.built"',
        ': "$RELEASE_DIR"',
        OF_MIX,
    ),
    Rule("what is kept of the environment is the user's", LIVE, "mode=0o600", "mode=0o644", (OF_LIVE + "what_is_kept_is_there_at_any_moment",)),
    Rule(
        "what is kept of the environment goes away",
        LIVE,
        "                os.unlink(path)\n",
        "                pass\n",
        (OF_LIVE + "what_is_kept_is_there_at_any_moment",),
    ),
    Rule("a value that no file has is not kept half", LIVE, "        if others:\n", "        if False:\n", (OF_LIVE + "a_value_that_no_file_has",)),
    Rule("the result of config providers is the user's", PROVIDERS, "mode=0o600", "mode=0o644", OF_PROVIDERS),
    Rule("the result of config providers goes away", PROVIDERS, "            os.unlink(path)\n", "            pass\n", OF_PROVIDERS),
    Rule("the configuration of the package comes back", PROVIDERS, "        put_back(tree, version)\n", "", OF_PROVIDERS),
    Rule("the reason of a provider has no secret", PROVIDERS, 'text.replace(value, "********")', "text", OF_PROVIDERS),
    Rule("the longest secret is masked first", PROVIDERS, ", key=len, reverse=True)", ", key=len)", OF_PROVIDERS),
    Rule("a new environment counts for config providers", PROVIDERS, "if name not in stale}, **given}", "if name not in stale}}", OF_PROVIDERS),
    Rule("nothing takes an emulator with config providers for the node", PROVIDERS, " ROOTDIR=$ROOTDIR/.\n", "\n", OF_PROVIDERS),
    Rule("another emulator has no name", PROVIDERS, "|ERL_[AZ]?FLAGS", "", OF_PROVIDERS),
    Rule("env.sh changes nothing for config providers", PROVIDERS, 'eval "$HOST_ENVIRONMENT"', ":", OF_PROVIDERS),
    Rule("config providers end in time", PROVIDERS, "timeout=timeout, environment=", "timeout=600, environment=", OF_PROVIDERS),
    Rule("sys.config is there while it is exchanged", RESOLVED, "    os.link(present,", "    os.rename(present,", OF_RESOLVED),
    Rule("a link of a killed run is replaced", RESOLVED, "        os.unlink(link)\n", "        pass\n", OF_RESOLVED),
    Rule("the second name of sys.config goes", RESOLVED, "            os.unlink(built)\n", "            os.replace(built, present)\n", OF_RESOLVED),
    Rule("env.sh changes nothing that the host has", MIX, 'eval "$HOST_ENVIRONMENT"', ":", OF_MIX),
    Rule("a script of relx is not a program", UTILS + "_tree/own_script.py", "content, 0o644)", "content, 0o755)", (UNIT + "_tree/test_own_script.py",)),
    Rule("no shell evaluates the environment", START, 'export "$NODE_VARIABLE"', 'eval "export $NODE_VARIABLE"', OF_SCRIPTS),
    Rule("a backslash in the environment stays", START, "IFS= read -r NODE_VARIABLE", "IFS= read NODE_VARIABLE", OF_SCRIPTS),
    Rule(
        "all members of a package have the same time",
        ASSEMBLE,
        "tar_parts(members, mtime=self._mtime)",
        "tar_parts(members, mtime=int(os.stat(group.members[-1].source or os.curdir).st_mtime))",
        (UNIT + "_build/test_assemble.py",),
    ),
    # Root in the tree of another user.
    Rule("root takes on the user of a directory", IDENTITY, "    os.seteuid(identity.uid)\n", "", OF_IDENTITY),
    Rule("lost+found stays root's", ROOT_DIRECTORY, 'keep=("lost+found",) if', "keep=() if", OF_ROOT_DIRECTORY),
    Rule("lost+found is that of a mount point", ROOT_DIRECTORY, " if os.path.ismount(directory) else ())", ")", OF_ROOT_DIRECTORY),
    Rule(
        "a new root directory is removed by who owns the one above",
        ROOT_DIRECTORY,
        "            with as_owner(os.path.dirname(tree.directory)):\n",
        "            with as_root():\n",
        OF_ROOT_DIRECTORY,
    ),
    Rule(
        "what release_handler is just writing is waited for", UTILS + "_tree/tree.py", " or not emulators(self):", " or True:", (UNIT + "_tree/test_repair.py",)
    ),
    Rule("a signal is sent without root", IDENTITY, "    if os.getuid() == os.geteuid():\n", "    if True:\n", OF_IDENTITY),
    Rule("a first run that fails leaves no directory", STEPS, "                if is_new:\n", "                if False:\n", OF_INSTALL),
    Rule("a directory that was there stays", STEPS, "                if is_new:\n", "                if True:\n", OF_INSTALL),
    Rule("a lock that is removed is not held", FILES, "        if not os.fstat(descriptor).st_nlink:\n", "        if False:\n", OF_FILES),
    Rule("root takes on the groups of a user", IDENTITY, "    os.setgroups(identity.groups)\n", "", OF_IDENTITY),
    Rule("root takes on the first group of a user", IDENTITY, "    os.setegid(identity.groups[0])\n", "", OF_IDENTITY),
    Rule(
        "root works in a tree as its owner",
        IDENTITY,
        "    return identity_of(status.st_uid, status.st_gid)\n",
        "    return ROOT\n",
        (OF_HOSTILE_TREE + "a_directory_is_exchanged_while_root_works",),
    ),
    Rule("a switch of users that fails is undone", IDENTITY, "        _set(_Process.identity)\n", "", OF_IDENTITY),
    Rule("modules are imported with the rights of root", IDENTITY, "working_as(None if is_loaded else ROOT)", "working_as(None)", OF_IDENTITY),
    Rule("a program loses the groups of root", IDENTITY, "        os.setresgid(gid, gid, gid)\n", "", OF_IDENTITY),
    Rule("a program loses root for good", IDENTITY, "        os.setresuid(uid, uid, uid)\n", "", OF_IDENTITY),
    Rule("a program has no terminal of root", IDENTITY, "        os.setsid()\n", "", OF_IDENTITY),
    Rule("a program is run without root", RUN, "preexec_fn=give_up_root if os.getuid() != os.geteuid() else None", "preexec_fn=None", OF_IDENTITY),
    Rule("an entry of a sticky directory belongs to who made it", IDENTITY, "if status.st_mode & 0o022 and found.st_uid != 0:", "if False:", OF_IDENTITY),
    Rule(
        "what is missing in a sticky directory is not root's",
        IDENTITY,
        "return Writer(current, status) if status.st_mode & 0o022 else None",
        "return None",
        OF_IDENTITY,
    ),
    Rule("a directory of root that others can write is not root's", IDENTITY, " and (is_sticky or not status.st_mode & 0o022)", "", OF_IDENTITY),
    Rule("a group that the user is not in is not taken on", IDENTITY, "first = gid if gid in groups else user.pw_gid", "first = gid", OF_IDENTITY),
    Rule(
        "a link of a user gives no directory away",
        OWNERSHIP,
        "stat.S_ISLNK(writer.status.st_mode) or writer.path != os.path.realpath(path)",
        "False",
        OF_IDENTITY,
    ),
    Rule("a third user's directory is no root directory", ROOT_DIRECTORY, "options.uid != -1 and uid not in (0, options.uid)", "False", OF_ROOT_DIRECTORY),
    Rule("a tree of root is given without what links lead to", ROOT_DIRECTORY, "os.lchown(path", "os.chown(path", OF_ROOT_DIRECTORY),
    Rule("a file with two names is not given away", ROOT_DIRECTORY, "status.st_nlink > 1", "False", OF_ROOT_DIRECTORY),
    Rule("a mount in a tree is not given away", ROOT_DIRECTORY, "os.path.ismount(entry.path)", "False", OF_ROOT_DIRECTORY),
    Rule("a directory that others can write is not given away", ROOT_DIRECTORY, "if status.st_mode & 0o022:", "if False:", OF_ROOT_DIRECTORY),
    Rule("a third user's file is not given away", ROOT_DIRECTORY, "if status.st_uid != 0:", "if False:", OF_ROOT_DIRECTORY),
    # What --check foresees.
    Rule("with --check, a host that lacks a package has room for it", FORETELL, "needed > free_space(tree.directory)", "False", OF_FORETELL),
    Rule("what the tree has needs no room", FORETELL, "if is_extra(path) or not tree.has(path))", ")", OF_FORETELL),
    Rule("a library that is missing is refused", FITS, "            if place is None:\n", "            if False:\n", OF_FITS),
    Rule("a symbol version that is missing is refused", FITS, "in host.lacks(place, needed):", "in ():", OF_FITS),
    Rule("libraries of the release are found", FITS, "            if name in native.brought:\n", "            if False:\n", OF_FITS),
    Rule("optional native code may lack libraries", FITS, " or _application_of(path) in optional:", ":", OF_FITS),
    Rule("the names in native code are bounded", FITS, "if self._names > _MAX_NAMES:", "if False:", OF_FITS),
    Rule("native code of what is unpacked is compared again", HANDLER + "preflight.py", "            if lack:\n", "            if False:\n", OF_FITS),
    Rule("a library of another machine type does not count", HOST_LIBRARIES, "found.is_like(program)", "True", OF_HOST_LIBRARIES),
    Rule("names of libraries are bounded", DYNAMIC, "limit + 1).partition", "-1).partition", OF_DYNAMIC),
    Rule("with --check, the machine type is compared", FORETELL, "    check_native(unpacked.native", "    (lambda *dummy: None)(unpacked.native", OF_FORETELL),
    Rule(
        "a node that was started without RELEASES learns of no release",
        UTILS + "_handler/preflight.py",
        'if known.status == "permanent" and not known.libraries',
        "if False",
        (UNIT + "_handler/test_preflight.py",),
    ),
    # What a node was started with.
    Rule("of two changes of a file the first one counts", PREVIOUS, "if path in self._newer:", "if False:", OF_PREVIOUS),
    Rule("what is kept of files that the node has read goes", PREVIOUS, "set(self.kept()) - self._newer", "set()", OF_PREVIOUS),
    Rule(
        "what a node was started with only its owner can read",
        KEPT,
        "os.mkdir(self._place(), 0o700)",
        "os.mkdir(self._place())",
        OF_PREVIOUS,
    ),
    Rule("a file that did not exist goes again", KEPT, "os.unlink(path)\n                os.rmdir", "pass\n                os.rmdir", OF_PREVIOUS),
    # The operator's files.
    Rule("a file is not written through a link", OWN_FILES, "if stat.S_ISLNK(mode):", "if False:", OF_OWN_FILES),
    Rule("what was changed on the host is not removed", OWN_FILES, "if hashlib.sha256(content).hexdigest() != entry.sha256:", "if False:", OF_OWN_FILES),
    Rule("the call of a killed run is made", OWN_FILES, "is_other[file.path] or self._is_due(file, pid)", "is_other[file.path]", OF_OWN_FILES),
    Rule("a file whose call fails comes back", OWN_FILES, "_put_back(self.place(path), earlier)", "pass", OF_OWN_FILES),
    Rule(
        "the list of the operator's files names no other file",
        UTILS + "_tree/own_files.py",
        " and not problem(parts[3])",
        "",
        (UNIT + "_tree/test_own_files.py",),
    ),
    # The extra files of packages.
    Rule("what was changed on the host is kept beside", EXTRA_FILES, "if found is not None and found not in", "if False and found not in", OF_EXTRA_FILES),
    Rule("a change of a file that both releases bring stays", EXTRA_FILES, "if coming.get(path) != there.get(path)]", "]", OF_EXTRA_FILES),
    Rule(
        "extra files are written with the rights of who can write there",
        EXTRA_FILES,
        "as_owner(os.path.dirname(tree.path(path)), tree.destdir)",
        "contextlib.nullcontext()",
        OF_EXTRA_FILES,
    ),
    Rule("no extra file is written through a link", EXTRA_FILES, "        if not stat.S_ISDIR(mode):", "        if False:", OF_EXTRA_FILES),
    Rule("a file that was kept beside before stays", EXTRA_FILES, "if not os.path.lexists(name))", ")", OF_EXTRA_FILES),
    Rule("where otp_files has a file no more, that of the package comes back", OWN_FILES, "if version := self._release_with(path):", "if False:", OF_OWN_FILES),
    Rule(
        "of an extra file of a box the checksum is enough",
        EXTRA_FILES,
        'return (host.sha256_of(path) if host else "") or sha256(path)',
        "return sha256(path)",
        ("tests/unit/plugins/plugin_utils/_box/test_extra_files.py",),
    ),
    Rule("the list of extra files names no other file", EXTRA_FILES, 'return "" if is_extra(path) and', 'return "" if True or', OF_EXTRA_FILES),
    # What a build says of its input.
    Rule("a list of integers is text if it is Latin-1", UTILS + "_terms/plain_data.py", "ord(character) < 256", "True", (UNIT + "_terms/test_plain_data.py",)),
    Rule("classes of POSIX are those of OTP", APPUP, 'f"[{IN_BRACKETS.sub(_posix, found[1])}]"', "found[0]", OF_APPUP),
    Rule("digits are those of ASCII, as in OTP", APPUP, "version, re.ASCII)", "version)", OF_APPUP),
    Rule("systools' kind is its tag", PROGRAM, "Tag(element(1, T))", "Tag(element(tuple_size(T), T))", (OF_DIAGNOSTICS + "kinds_are_the_words_of_systools",)),
    Rule("each of several errors is one", PROGRAM, "[{E, [E]} || E <- Es]", "[{Es, Es}]", (OF_DIAGNOSTICS + "kinds_are_the_words_of_systools",)),
    Rule(
        "an appup that systools does not take is named",
        PROGRAM,
        "|| Use <- Uses]",
        "|| Use <- []]",
        (OF_DIAGNOSTICS + "an_appup_that_systools_does_not_take_is_named",),
    ),
    Rule(
        "a directory that begins alike is not a variable's",
        UTILS + "_build/boot_scripts.py",
        "return ebins, variables",
        "pass\n    return ebins, variables",
        (OF_DIAGNOSTICS + "variables_whose_directories_begin_alike",),
    ),
    Rule(
        "a link to nothing is called so",
        UTILS + "_build/applications.py",
        "if os.path.islink(path) and not",
        "if False and not",
        (OF_DIAGNOSTICS + "a_dangling_link_is_called_so",),
    ),
    Rule(
        "names in a package are UTF-8",
        UTILS + "_build/package_members.py",
        "(member.name + member.target).encode",
        "'' and ''.encode",
        (OF_DIAGNOSTICS + "names_that_are_not_utf_8_are_refused",),
    ),
    Rule(
        "a relup of extra_files leads to the release",
        UTILS + "_build/package_members.py",
        "if leads_to != version:",
        "if False:",
        (OF_DIAGNOSTICS + "extra_files_of_the_release_directory_are_checked",),
    ),
    # What is stripped.
    Rule("a stripped module keeps its attributes", UTILS + "_build/systools.py", "{*KEPT, *chunks}", "{*chunks}", (UNIT + "_build/test_systools.py",)),
    Rule("the user's own files stay as they are", NATIVE, "if group.name == EXTRA_FILES:", "if False:", OF_NATIVE),
    Rule("strip is the one for the machine type", NATIVE, "if machine.is_like(read_program(THIS_PROGRAM)) else names", "if True else names", OF_NATIVE),
    Rule("modules without attributes are not loaded", ATTRIBUTES, "(before, after) if name", "() if name", OF_ATTRIBUTES),
    Rule("release_handler counts milliseconds", OPTIONS, "round(given[name] * 1000)", "round(given[name])", OF_OPTIONS),
    Rule("what is not given is not sent", OPTIONS, "if given.get(name) == other", "if name in given", OF_OPTIONS),
    Rule("of a package, libraries that change count", ATTRIBUTES, "if step.loads is None and not step.restarts", "if False", OF_ATTRIBUTES),
)
