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
    """A rule in words; its file, the text there that is the rule, what stands there without it, and the tests of which one must fail then."""

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]


FILES, EXTRACT, STDIN = UTILS + "_core/files.py", UTILS + "_package/extract.py", UTILS + "_core/stdin_runner.py"
PUBLISH, BACKUP, REGISTER, REPAIR = (UTILS + f"_tree/{name}.py" for name in ("publish", "backup", "register", "repair"))
LIFECYCLE, SERVICE_USER, OWNERSHIP = UTILS + "_node/lifecycle.py", UTILS + "_target_system/service_user.py", UTILS + "_core/ownership.py"
DOWNLOAD, CHECKSUM, CONSOLE_SCRIPT = UTILS + "_package/download.py", UTILS + "_core/checksum.py", UTILS + "_node/console_script.py"
OF_FILES = (UNIT + "_core/test_files.py",)
OF_EXTRACT = (UNIT + "_package/test_extract.py", UNIT + "_package/test_writer.py")
OF_STDIN = ("tests/unit/plugins/plugin_utils/_transport/test_stdin_transport.py",)
OF_PUBLISH = (UNIT + "_tree/test_publish.py",)
OF_LIFECYCLE = (UNIT + "_node/test_lifecycle.py",)
OF_SERVICE_USER = (UNIT + "_target_system/test_service_user.py",)

RULES = (
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
    # Locks.
    Rule("a lock is exclusive", FILES, "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB", OF_FILES),
    Rule("a lock is no link", FILES, "os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)", "os.O_CLOEXEC, 0o600)", OF_FILES),
    Rule("a lock that root makes is the owner's", FILES, "        os.fchown(descriptor, *inherited_owner(os.path.dirname(path)))\n", "", OF_FILES),
    Rule("a lock is waited for", FILES, "if time.monotonic() >= deadline:", "if True:", OF_FILES),
    Rule("a lock names its holder", FILES, '        os.pwrite(descriptor, b"%d\\n" % os.getpid(), 0)\n', "", OF_FILES),
    # A package that nobody trusts.
    Rule("a package has no devices", EXTRACT, 'if member.kind not in ("file", "directory", "link"):', "if False:", OF_EXTRACT),
    Rule("a package has no set-uid", EXTRACT, 'if member.mode & 0o7000 and member.kind != "link":', "if False:", OF_EXTRACT),
    Rule("nothing below a link", EXTRACT, "        if parent in self.links:\n", "        if False:\n", OF_EXTRACT),
    Rule("nothing below a file", EXTRACT, "        if parent in self.files:\n", "        if False:\n", OF_EXTRACT),
    Rule("no member twice", EXTRACT, "if path in self.links or path in self.files or", "if False and", OF_EXTRACT),
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
        "                os.unlink(name, dir_fd=descriptor)\n    os.rmdir",
        "                pass\n    os.rmdir",
        OF_PUBLISH,
    ),
    Rule(
        "what fails is undone",
        PUBLISH,
        "            with contextlib.suppress(OSError):\n                os.rename",
        "            with contextlib.suppress(OSError):\n                continue\n                os.rename",
        OF_PUBLISH,
    ),
    Rule(
        "the release directory comes last", PUBLISH, '_ORDER = {"lib": 0, "bin": 2, "releases": 3}', '_ORDER = {"lib": 3, "bin": 2, "releases": 0}', OF_PUBLISH
    ),
    Rule("names are flushed", PUBLISH, "            flush_directory(directory)\n", "            pass\n", OF_PUBLISH),
    Rule("contents are flushed", PUBLISH, "            if not _syncfs(descriptor):\n", "            if False:\n", (REAL + "test_power_cut.py",)),
    Rule("a file that is there stays", PUBLISH, "if tree.has(path) and path not in replace:", "if tree.has(path) and is_directory:", OF_PUBLISH),
)
