/* Copyright (c) The erlang.otp authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Disturbs a process, with all that it starts, at the n-th change that it makes to a file system. To be preloaded.
 *
 * The file that FAULT_CONTROL names is shared by them all: it has what is to happen and when, and takes down each change.
 * The changes that C's own library makes for itself (stdio, mkstemp) do not pass here.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { KILL = 1, PAUSE, ONCE, NO_ROOM, READ_ONLY };
enum { NAME = 0, ROOM = 1, FLUSH = 2 };
enum { SIZE = 1 << 22 };

/* The layout is known to fault_server.py as well. */
struct control {
    uint32_t armed, at, kind, error, fired, count, used;
    char trace[];
};

static struct control *control;
static char preload[4200], shared[4200];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULT_CONTROL"), *library = getenv("LD_PRELOAD");
    int descriptor = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (descriptor < 0 || !library)
        return;
    void *found = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    close(descriptor);
    if (found == MAP_FAILED)
        return;
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library);
    snprintf(shared, sizeof shared, "FAULT_CONTROL=%s", path);
    control = found;
}

/* The path of the descriptor, if it is a file or a directory. */
static int path_of(int descriptor, char *path, size_t size)
{
    struct stat found;
    char name[64];
    if (fstat(descriptor, &found) != 0 || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)))
        return 0;
    snprintf(name, sizeof name, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, size - 1);
    path[length < 0 ? 0 : length] = 0;
    return 1;
}

static void take_down(const char *call, int directory, const char *name)
{
    char above[2048] = "", line[4200];
    if (directory != AT_FDCWD && (!name || name[0] != '/'))
        path_of(directory, above, sizeof above);
    int length = snprintf(line, sizeof line, "%s %s%s%s\n", call, above, above[0] && name ? "/" : "", name ? name : "");
    uint32_t start = __atomic_fetch_add(&control->used, length, __ATOMIC_SEQ_CST);
    if (start + length < SIZE - sizeof *control)
        memcpy(control->trace + start, line, length);
}

/* Counts the change. Returns the error with which it fails, 0 if it does not. size: the bytes that a write has; half of them may come through. */
static int strike(const char *call, int kind, int directory, const char *name, size_t *size)
{
    char unused[2048];
    if (!control || !control->armed)
        return 0;
    if (name ? !strncmp(name, "/dev/", 5) || !strncmp(name, "/proc/", 6) : !path_of(directory, unused, sizeof unused))
        return 0;
    uint32_t number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    take_down(call, directory, name);
    if (!control->at || number < control->at)
        return 0;
    int is_first = number == control->at;
    if (control->kind == NO_ROOM ? kind != ROOM : control->kind == READ_ONLY ? kind == FLUSH : !is_first)
        return 0;
    control->fired = 1;
    if (size && *size > 1 && is_first && (control->kind == KILL || control->kind == NO_ROOM)) {
        *size /= 2;
        return 0;
    }
    if (control->kind == KILL)
        kill(0, SIGKILL);
    if (control->kind == PAUSE) {
        raise(SIGSTOP);
        return 0;
    }
    return control->error;
}

/* What a write with half of its bytes leads to. */
static void after_half(int was_halved)
{
    if (was_halved && control->kind == KILL)
        kill(0, SIGKILL);
}

#define REAL(result, name, ...) static result (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)
#define FAILS(call, kind, directory, path) do { int saved = errno, error = strike(call, kind, directory, path, NULL); \
    errno = saved; if (error) { errno = error; return -1; } } while (0)

#define CHANGE(call, kind, directory, path, parameters, arguments, ...) \
    int call parameters { REAL(int, #call, __VA_ARGS__); FAILS(#call, kind, directory, path); return real arguments; }

CHANGE(rename, ROOM, AT_FDCWD, to, (const char *from, const char *to), (from, to), const char *, const char *)
CHANGE(renameat, ROOM, b, to, (int a, const char *from, int b, const char *to), (a, from, b, to), int, const char *, int, const char *)
CHANGE(renameat2, ROOM, b, to, (int a, const char *from, int b, const char *to, unsigned int flags), (a, from, b, to, flags),
       int, const char *, int, const char *, unsigned int)
CHANGE(link, ROOM, AT_FDCWD, to, (const char *from, const char *to), (from, to), const char *, const char *)
CHANGE(linkat, ROOM, b, to, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags), int, const char *, int, const char *, int)
CHANGE(symlink, ROOM, AT_FDCWD, path, (const char *target, const char *path), (target, path), const char *, const char *)
CHANGE(symlinkat, ROOM, directory, path, (const char *target, int directory, const char *path), (target, directory, path), const char *, int, const char *)
CHANGE(unlink, NAME, AT_FDCWD, path, (const char *path), (path), const char *)
CHANGE(unlinkat, NAME, directory, path, (int directory, const char *path, int flags), (directory, path, flags), int, const char *, int)
CHANGE(remove, NAME, AT_FDCWD, path, (const char *path), (path), const char *)
CHANGE(mkdir, ROOM, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
CHANGE(mkdirat, ROOM, directory, path, (int directory, const char *path, mode_t mode), (directory, path, mode), int, const char *, mode_t)
CHANGE(rmdir, NAME, AT_FDCWD, path, (const char *path), (path), const char *)
CHANGE(mkfifo, ROOM, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
CHANGE(mknod, ROOM, AT_FDCWD, path, (const char *path, mode_t mode, dev_t device), (path, mode, device), const char *, mode_t, dev_t)
CHANGE(chmod, NAME, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
CHANGE(fchmod, NAME, file, NULL, (int file, mode_t mode), (file, mode), int, mode_t)
CHANGE(fchmodat, NAME, directory, path, (int directory, const char *path, mode_t mode, int flags), (directory, path, mode, flags),
       int, const char *, mode_t, int)
CHANGE(chown, NAME, AT_FDCWD, path, (const char *path, uid_t user, gid_t group), (path, user, group), const char *, uid_t, gid_t)
CHANGE(lchown, NAME, AT_FDCWD, path, (const char *path, uid_t user, gid_t group), (path, user, group), const char *, uid_t, gid_t)
CHANGE(fchown, NAME, file, NULL, (int file, uid_t user, gid_t group), (file, user, group), int, uid_t, gid_t)
CHANGE(fchownat, NAME, directory, path, (int directory, const char *path, uid_t user, gid_t group, int flags), (directory, path, user, group, flags),
       int, const char *, uid_t, gid_t, int)
CHANGE(truncate, ROOM, AT_FDCWD, path, (const char *path, off_t size), (path, size), const char *, off_t)
CHANGE(truncate64, ROOM, AT_FDCWD, path, (const char *path, off64_t size), (path, size), const char *, off64_t)
CHANGE(ftruncate, ROOM, file, NULL, (int file, off_t size), (file, size), int, off_t)
CHANGE(ftruncate64, ROOM, file, NULL, (int file, off64_t size), (file, size), int, off64_t)
CHANGE(fallocate, ROOM, file, NULL, (int file, int mode, off_t start, off_t size), (file, mode, start, size), int, int, off_t, off_t)
CHANGE(fallocate64, ROOM, file, NULL, (int file, int mode, off64_t start, off64_t size), (file, mode, start, size), int, int, off64_t, off64_t)
CHANGE(utimensat, NAME, directory, path, (int directory, const char *path, const struct timespec times[2], int flags), (directory, path, times, flags),
       int, const char *, const struct timespec *, int)
CHANGE(futimens, NAME, file, NULL, (int file, const struct timespec times[2]), (file, times), int, const struct timespec *)
CHANGE(utimes, NAME, AT_FDCWD, path, (const char *path, const struct timeval times[2]), (path, times), const char *, const struct timeval *)
CHANGE(fsync, FLUSH, file, NULL, (int file), (file), int)
CHANGE(fdatasync, FLUSH, file, NULL, (int file), (file), int)
CHANGE(syncfs, FLUSH, file, NULL, (int file), (file), int)

/* Opening changes something when it is for writing. */
#define OPEN(call, directory, parameters, arguments, ...) \
    int call parameters { \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags); mode = va_arg(list, mode_t); va_end(list); } \
        REAL(int, #call, __VA_ARGS__); \
        if (flags & (O_CREAT | O_TRUNC | O_WRONLY | O_RDWR)) FAILS(#call, flags & O_CREAT ? ROOM : NAME, directory, path); \
        return real arguments; \
    }

OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode), const char *, int, ...)
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode), const char *, int, ...)
OPEN(openat, directory, (int directory, const char *path, int flags, ...), (directory, path, flags, mode), int, const char *, int, ...)
OPEN(openat64, directory, (int directory, const char *path, int flags, ...), (directory, path, flags, mode), int, const char *, int, ...)
CHANGE(creat, ROOM, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode), const char *, mode_t)
CHANGE(creat64, ROOM, AT_FDCWD, path, (const char *path, mode_t mode), (path, mode), const char *, mode_t)

#define STREAM(call) \
    FILE *call(const char *path, const char *mode) { \
        REAL(FILE *, #call, const char *, const char *); \
        int saved = errno, error = strpbrk(mode, "wa+") ? strike(#call, ROOM, AT_FDCWD, path, NULL) : 0; \
        errno = saved; \
        if (error) { errno = error; return NULL; } \
        return real(path, mode); \
    }

STREAM(fopen)
STREAM(fopen64)

/* Writes: half of the bytes come through. */
#define WRITE(call, file, parameters, arguments, ...) \
    ssize_t call parameters { \
        REAL(ssize_t, #call, __VA_ARGS__); \
        size_t asked = size; \
        int saved = errno, error = strike(#call, ROOM, file, NULL, &size); \
        errno = saved; \
        if (error) { errno = error; return -1; } \
        ssize_t result = real arguments; \
        after_half(size != asked); \
        return result; \
    }

WRITE(write, file, (int file, const void *data, size_t size), (file, data, size), int, const void *, size_t)
WRITE(pwrite, file, (int file, const void *data, size_t size, off_t start), (file, data, size, start), int, const void *, size_t, off_t)
WRITE(pwrite64, file, (int file, const void *data, size_t size, off64_t start), (file, data, size, start), int, const void *, size_t, off64_t)
WRITE(sendfile, file, (int file, int from, off_t *start, size_t size), (file, from, start, size), int, int, off_t *, size_t)
WRITE(sendfile64, file, (int file, int from, off64_t *start, size_t size), (file, from, start, size), int, int, off64_t *, size_t)
WRITE(copy_file_range, file, (int from, off64_t *a, int file, off64_t *b, size_t size, unsigned int flags), (from, a, file, b, size, flags),
      int, off64_t *, int, off64_t *, size_t, unsigned int)

#define GATHER(call, parameters, arguments, ...) \
    ssize_t call parameters { REAL(ssize_t, #call, __VA_ARGS__); FAILS(#call, ROOM, file, NULL); return real arguments; }

GATHER(writev, (int file, const struct iovec *pieces, int count), (file, pieces, count), int, const struct iovec *, int)
GATHER(pwritev, (int file, const struct iovec *pieces, int count, off_t start), (file, pieces, count, start), int, const struct iovec *, int, off_t)
GATHER(pwritev64, (int file, const struct iovec *pieces, int count, off64_t start), (file, pieces, count, start), int, const struct iovec *, int, off64_t)

/* Programs that are started with an environment of their own are disturbed as well. */
int execve(const char *path, char *const arguments[], char *const environment[])
{
    REAL(int, "execve", const char *, char *const *, char *const *);
    size_t count = 0;
    while (environment && environment[count])
        count++;
    char *more[count + 3];
    memcpy(more, environment, count * sizeof *more);
    if (control && control->armed) {
        more[count++] = preload;
        more[count++] = shared;
    }
    more[count] = NULL;
    return real(path, arguments, more);
}
