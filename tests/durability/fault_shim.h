/* Stands between the program and libc for every call that changes files below one directory: numbers the
 * calls, makes one of them fail or kill the process, and keeps a log of what was written and synced. Linked
 * into the test program, whose symbols win over libc's, also for calls from shared libraries; so a forked
 * child needs no exec, and it works beside AddressSanitizer. State lies in memory that the caller shares with
 * its children, so that it outlives a kill -9. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum shim_fault {
  SHIM_NONE = 0,
  SHIM_KILL,         /* kill -9 before the call */
  SHIM_KILL_TORN,    /* half of a write, then kill -9; other calls: kill -9 after the call */
  SHIM_EIO,          /* the call does nothing and fails with EIO */
  SHIM_EIO_DONE,     /* the call is done and fails with EIO all the same, as a failed sync of an O_DSYNC write
                        does */
  SHIM_ENOSPC,       /* the call does nothing and fails with ENOSPC */
  SHIM_ENOSPC_STAYS, /* the same, and so does everything that takes space until shim_space() */
  SHIM_SHORT         /* a write stops half way and says so; other calls are done */
};

enum shim_call {
  SHIM_WRITE = 1, /* file, offset, data; `sync` when the descriptor has O_DSYNC or O_SYNC */
  SHIM_TRUNCATE,  /* file, size in `offset` */
  SHIM_SYNC,      /* file */
  SHIM_SYNC_DIR,  /* path */
  SHIM_CREATE,    /* file, path */
  SHIM_MKDIR,     /* path */
  SHIM_RENAME,    /* path, second path */
  SHIM_UNLINK,    /* path */
  SHIM_MARK       /* a number from the test in `offset` */
};

/* An entry of the log: this, then the path, the second path, the data, padded to 8 bytes. */
struct shim_entry {
  uint32_t bytes; /* whole entry */
  uint8_t call;
  uint8_t sync;
  uint8_t failed; /* the call was made to fail (then it has had no effect, except for SHIM_EIO_DONE) */
  uint8_t mark;   /* kind of a SHIM_MARK */
  uint64_t file;  /* inode */
  uint64_t offset;
  uint32_t path_bytes;
  uint32_t path2_bytes;
  uint64_t data_bytes;
};

/* Set up by the test, shared with its children. */
struct shim_state {
  char root[256];      /* calls on paths below it count */
  uint64_t target;     /* number of the call that fails, from 1; 0 = none */
  uint32_t fault;      /* enum shim_fault */
  uint64_t calls;      /* calls so far */
  uint64_t fired;      /* 1 once the fault has happened */
  uint32_t fired_call; /* enum shim_call */
  uint32_t fired_sync; /* it was a write through O_DSYNC */
  char fired_path[256];
  uint64_t writes;        /* writing calls of the whole process that were seen */
  uint64_t writable_maps; /* shared writable mappings of files below root, other than lock.mdb */
  uint64_t no_space;
  uint64_t log_bytes;
  uint64_t log_capacity; /* 0 = no log */
  uint64_t log_overflow;
};

/* Begins (or with NULL ends) watching. `log` has state->log_capacity bytes. */
void shim_attach(struct shim_state* state, char* log);
void shim_mark(unsigned kind, uint64_t number);
/* There is space again. */
void shim_space(void);

#ifdef __cplusplus
}
#endif
