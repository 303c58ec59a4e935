#define _GNU_SOURCE
#include "fault_shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FD 1024
#define MAX_PATH 512

struct watched {
  int used;
  int sync; /* O_DSYNC or O_SYNC */
  int directory;
  uint64_t file;
  char path[MAX_PATH];
};

static struct shim_state* state;
static char* log_bytes;
static struct watched fds[MAX_FD];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(type, name, ...)       \
  static type (*real)(__VA_ARGS__); \
  if (!real) real = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

void shim_attach(struct shim_state* s, char* log) {
  state = s;
  log_bytes = log;
  memset(fds, 0, sizeof fds);
}

void shim_space(void) {
  if (state) state->no_space = 0;
}

static int below(const char* path) {
  const size_t n = state ? strlen(state->root) : 0;
  return n && path && strncmp(path, state->root, n) == 0 && (path[n] == '/' || path[n] == 0);
}

static struct watched* watched(int fd) {
  return state && fd >= 0 && fd < MAX_FD && fds[fd].used ? &fds[fd] : NULL;
}

/* ---- log */
static void append(struct shim_entry e, const char* path, const char* path2, const struct iovec* iov, int n) {
  if (!state || !state->log_capacity) return;
  e.path_bytes = path ? strlen(path) : 0;
  e.path2_bytes = path2 ? strlen(path2) : 0;
  const uint64_t all = (sizeof e + e.path_bytes + e.path2_bytes + e.data_bytes + 7) / 8 * 8;
  if (state->log_bytes + all > state->log_capacity) {
    state->log_overflow = 1;
    return;
  }
  e.bytes = all;
  char* out = log_bytes + state->log_bytes;
  memcpy(out, &e, sizeof e);
  out += sizeof e;
  if (path) memcpy(out, path, e.path_bytes);
  out += e.path_bytes;
  if (path2) memcpy(out, path2, e.path2_bytes);
  out += e.path2_bytes;
  uint64_t left = e.data_bytes;
  for (int i = 0; i < n && left; ++i) {
    const uint64_t part = iov[i].iov_len < left ? iov[i].iov_len : left;
    memcpy(out, iov[i].iov_base, part);
    out += part;
    left -= part;
  }
  state->log_bytes += all; /* last: a killed process leaves whole entries only */
}

void shim_mark(unsigned kind, uint64_t number) {
  struct shim_entry e = {.call = SHIM_MARK, .mark = kind, .offset = number};
  pthread_mutex_lock(&lock);
  append(e, NULL, NULL, NULL, 0);
  pthread_mutex_unlock(&lock);
}

/* ---- faults: what becomes of this call */
enum verdict { DO_IT, FAIL_FIRST, FAIL_AFTER, HALF, HALF_AND_DIE, DIE_AFTER };

static enum verdict judge(unsigned call, int sync, const char* path, int* error) {
  const int takes_space = call == SHIM_WRITE || call == SHIM_TRUNCATE || call == SHIM_CREATE ||
                          call == SHIM_MKDIR || call == SHIM_RENAME;
  if (++state->calls != state->target) {
    if (!state->no_space || !takes_space) return DO_IT;
    *error = ENOSPC;
    return FAIL_FIRST;
  }
  state->fired = 1;
  state->fired_call = call;
  state->fired_sync = sync;
  snprintf(state->fired_path, sizeof state->fired_path, "%s", path);
  switch (state->fault) {
    case SHIM_KILL:
      kill(getpid(), SIGKILL);
      for (;;) pause();
    case SHIM_KILL_TORN:
      return call == SHIM_WRITE ? HALF_AND_DIE : DIE_AFTER;
    case SHIM_EIO:
      *error = EIO;
      return FAIL_FIRST;
    case SHIM_EIO_DONE:
      *error = EIO;
      return FAIL_AFTER;
    case SHIM_ENOSPC_STAYS:
      state->no_space = 1; /* fall through */
    case SHIM_ENOSPC:
      *error = ENOSPC;
      return FAIL_FIRST;
    case SHIM_SHORT:
      return call == SHIM_WRITE ? HALF : DO_IT;
    default:
      return DO_IT;
  }
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Around a call that is not a write: `entry` is logged when it had an effect (or its effect is in doubt). */
#define AROUND(entry_, path_, path2_, expression)                        \
  do {                                                                   \
    struct shim_entry entry = entry_;                                    \
    int error = 0;                                                       \
    pthread_mutex_lock(&lock);                                           \
    const enum verdict v = judge(entry.call, entry.sync, path_, &error); \
    long result = -1;                                                    \
    if (v == FAIL_FIRST) {                                               \
      entry.failed = 1;                                                  \
      append(entry, path_, path2_, NULL, 0);                             \
    } else {                                                             \
      result = (expression);                                             \
      error = result < 0 ? errno : error;                                \
      entry.failed = v == FAIL_AFTER || result < 0;                      \
      if (result >= 0) append(entry, path_, path2_, NULL, 0);            \
      if (v == DIE_AFTER || v == HALF_AND_DIE) die();                    \
      if (v == FAIL_AFTER && result >= 0) result = -1;                   \
    }                                                                    \
    pthread_mutex_unlock(&lock);                                         \
    if (result < 0) errno = error;                                       \
    return result;                                                       \
  } while (0)

/* ---- opening and closing */
static void watch(int fd, const char* path, int flags) {
  struct stat info;
  if (fd < 0 || fd >= MAX_FD || fstat(fd, &info) != 0) return;
  struct watched* w = &fds[fd];
  w->used = 1;
  w->sync = (flags & O_DSYNC) != 0;
  w->directory = S_ISDIR(info.st_mode);
  w->file = info.st_ino;
  snprintf(w->path, sizeof w->path, "%s", path);
}

static int open_watched(int (*open_file)(const char*, int, ...), const char* path, int flags, mode_t mode) {
  struct stat info;
  if (!(flags & O_CREAT) || stat(path, &info) == 0) {
    const int fd = open_file(path, flags, mode);
    pthread_mutex_lock(&lock);
    watch(fd, path, flags);
    if (fd >= 0 && (flags & O_TRUNC) && watched(fd)) {
      struct shim_entry e = {.call = SHIM_TRUNCATE, .file = fds[fd].file};
      append(e, path, NULL, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    return fd;
  }
  int error = 0;
  pthread_mutex_lock(&lock);
  const enum verdict v = judge(SHIM_CREATE, 0, path, &error);
  int fd = -1;
  if (v != FAIL_FIRST) {
    fd = open_file(path, flags, mode);
    error = fd < 0 ? errno : error;
    watch(fd, path, flags);
    if (fd >= 0) {
      struct shim_entry e = {.call = SHIM_CREATE, .file = fds[fd].file};
      append(e, path, NULL, NULL, 0);
    }
    if (v == DIE_AFTER) die();
    if (v == FAIL_AFTER && fd >= 0) {
      fds[fd].used = 0;
      close(fd);
      fd = -1;
    }
  }
  pthread_mutex_unlock(&lock);
  if (fd < 0) errno = error;
  return fd;
}

#define OPEN(name)                                    \
  int name(const char* path, int flags, ...) {        \
    REAL(int, name, const char*, int, ...);           \
    mode_t mode = 0;                                  \
    if (flags & (O_CREAT | O_TMPFILE)) {              \
      va_list args;                                   \
      va_start(args, flags);                          \
      mode = va_arg(args, mode_t);                    \
      va_end(args);                                   \
    }                                                 \
    if (!below(path)) return real(path, flags, mode); \
    return open_watched(real, path, flags, mode);     \
  }
OPEN(open)
OPEN(open64)

int close(int fd) {
  REAL(int, close, int);
  if (watched(fd)) fds[fd].used = 0;
  return real(fd);
}

/* ---- writing */
static uint64_t total(const struct iovec* iov, int n) {
  uint64_t bytes = 0;
  for (int i = 0; i < n; ++i) bytes += iov[i].iov_len;
  return bytes;
}

static ssize_t write_part(int fd, const struct iovec* iov, int n, off_t offset, uint64_t bytes) {
  REAL(ssize_t, pwrite, int, const void*, size_t, off_t);
  uint64_t done = 0;
  for (int i = 0; i < n && done < bytes; ++i) {
    const uint64_t part = iov[i].iov_len < bytes - done ? iov[i].iov_len : bytes - done;
    __atomic_fetch_add(&state->writes, 1, __ATOMIC_RELAXED);
    const ssize_t wrote = real(fd, iov[i].iov_base, part, offset + done);
    if (wrote < 0) return done ? (ssize_t)done : wrote;
    done += wrote;
    if ((uint64_t)wrote < part) break;
  }
  return done;
}

/* `offset` < 0: at the file's position, which moves. */
static ssize_t write_watched(struct watched* w, int fd, const struct iovec* iov, int n, off_t offset) {
  int error = 0;
  pthread_mutex_lock(&lock);
  const int moves = offset < 0;
  if (moves) offset = lseek(fd, 0, SEEK_CUR);
  const uint64_t bytes = total(iov, n);
  struct shim_entry e = {.call = SHIM_WRITE, .sync = w->sync, .file = w->file, .offset = offset};
  const enum verdict v = judge(SHIM_WRITE, w->sync, w->path, &error);
  ssize_t result = -1;
  if (v == FAIL_FIRST) {
    e.failed = 1;
    append(e, w->path, NULL, NULL, 0);
  } else {
    result = write_part(fd, iov, n, offset, v == HALF || v == HALF_AND_DIE ? (bytes + 1) / 2 : bytes);
    error = result < 0 ? errno : error;
    if (result >= 0) {
      e.failed = v == FAIL_AFTER;
      e.data_bytes = result;
      append(e, w->path, NULL, iov, n);
      if (moves) lseek(fd, offset + result, SEEK_SET);
    }
    if (v == HALF_AND_DIE || v == DIE_AFTER) die();
    if (v == FAIL_AFTER) result = -1;
  }
  pthread_mutex_unlock(&lock);
  if (result < 0) errno = error;
  return result;
}

static struct watched* watched_or_counted(int fd) {
  struct watched* w = watched(fd);
  if (state && !w) __atomic_fetch_add(&state->writes, 1, __ATOMIC_RELAXED);
  return w;
}

#define PWRITE(name, offset_type)                                                     \
  ssize_t name(int fd, const void* data, size_t bytes, offset_type offset) {          \
    REAL(ssize_t, name, int, const void*, size_t, offset_type);                       \
    struct watched* w = watched_or_counted(fd);                                       \
    const struct iovec iov = {(void*)data, bytes};                                    \
    return w ? write_watched(w, fd, &iov, 1, offset) : real(fd, data, bytes, offset); \
  }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

#define PWRITEV(name, offset_type)                                              \
  ssize_t name(int fd, const struct iovec* iov, int n, offset_type offset) {    \
    REAL(ssize_t, name, int, const struct iovec*, int, offset_type);            \
    struct watched* w = watched_or_counted(fd);                                 \
    return w ? write_watched(w, fd, iov, n, offset) : real(fd, iov, n, offset); \
  }
PWRITEV(pwritev, off_t)
PWRITEV(pwritev64, off64_t)

ssize_t write(int fd, const void* data, size_t bytes) {
  REAL(ssize_t, write, int, const void*, size_t);
  struct watched* w = watched_or_counted(fd);
  const struct iovec iov = {(void*)data, bytes};
  return w ? write_watched(w, fd, &iov, 1, -1) : real(fd, data, bytes);
}

ssize_t writev(int fd, const struct iovec* iov, int n) {
  REAL(ssize_t, writev, int, const struct iovec*, int);
  struct watched* w = watched_or_counted(fd);
  return w ? write_watched(w, fd, iov, n, -1) : real(fd, iov, n);
}

/* ---- everything else that changes a file or makes a change durable */
#define SYNC(name)                                                                                   \
  int name(int fd) {                                                                                 \
    REAL(int, name, int);                                                                            \
    struct watched* w = watched(fd);                                                                 \
    if (!w) return real(fd);                                                                         \
    const struct shim_entry e = {.call = w->directory ? SHIM_SYNC_DIR : SHIM_SYNC, .file = w->file}; \
    AROUND(e, w->path, NULL, real(fd));                                                              \
  }
SYNC(fsync)
SYNC(fdatasync)

#define FTRUNCATE(name, size_type)                                                        \
  int name(int fd, size_type size) {                                                      \
    REAL(int, name, int, size_type);                                                      \
    struct watched* w = watched(fd);                                                      \
    if (!w) return real(fd, size);                                                        \
    const struct shim_entry e = {.call = SHIM_TRUNCATE, .file = w->file, .offset = size}; \
    AROUND(e, w->path, NULL, real(fd, size));                                             \
  }
FTRUNCATE(ftruncate, off_t)
FTRUNCATE(ftruncate64, off64_t)

int mkdir(const char* path, mode_t mode) {
  REAL(int, mkdir, const char*, mode_t);
  if (!below(path)) return real(path, mode);
  const struct shim_entry e = {.call = SHIM_MKDIR};
  AROUND(e, path, NULL, real(path, mode));
}

int rename(const char* from, const char* to) {
  REAL(int, rename, const char*, const char*);
  if (!below(from)) return real(from, to);
  const struct shim_entry e = {.call = SHIM_RENAME};
  AROUND(e, from, to, real(from, to));
}

int unlink(const char* path) {
  REAL(int, unlink, const char*);
  if (!below(path)) return real(path);
  const struct shim_entry e = {.call = SHIM_UNLINK};
  AROUND(e, path, NULL, real(path));
}

int rmdir(const char* path) {
  REAL(int, rmdir, const char*);
  if (!below(path)) return real(path);
  const struct shim_entry e = {.call = SHIM_UNLINK};
  AROUND(e, path, NULL, real(path));
}

/* Writes through a mapping would be seen by nobody: there must be none. */
#define MMAP(name, offset_type)                                                                    \
  void* name(void* address, size_t bytes, int protection, int flags, int fd, offset_type offset) { \
    REAL(void*, name, void*, size_t, int, int, int, offset_type);                                  \
    struct watched* w = (flags & MAP_ANONYMOUS) ? NULL : watched(fd);                              \
    if (w && (protection & PROT_WRITE) && (flags & MAP_SHARED) && !strstr(w->path, "/lock.mdb"))   \
      ++state->writable_maps;                                                                      \
    return real(address, bytes, protection, flags, fd, offset);                                    \
  }
MMAP(mmap, off_t)
MMAP(mmap64, off64_t)
