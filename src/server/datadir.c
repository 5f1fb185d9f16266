#include "server/datadir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int sg_datadir_make(const char *dir)
{
    struct stat st;
    if (mkdir(dir, 0700) == 0) return SG_OK;
    if (errno != EEXIST) return errno == ENOSPC ? SG_FULL : SG_IO;
    return stat(dir, &st) == 0 && S_ISDIR(st.st_mode) ? SG_OK : SG_IO;
}

void sg_datadir_path(const char *dir, const char *name, sg_buf *out)
{
    sg_buf_str(out, dir);
    sg_buf_byte(out, '/');
    sg_buf_str(out, name);
}

/* A lock of the open file, not of the process, so that two servers in one process exclude each
 * other too. */
int sg_datadir_lock(const char *dir, int *fd)
{
    sg_buf path;
    sg_buf_init(&path, SG_PATH_BYTES_MAX);
    sg_datadir_path(dir, SG_LOCK_FILE, &path);
    const char *name = sg_buf_cstr(&path);
    int err = name != NULL ? SG_OK : path.err;
    *fd = err == SG_OK ? open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    sg_buf_deinit(&path);
    if (err != SG_OK) return err;
    if (*fd < 0) return SG_IO;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(*fd, F_OFD_SETLK, &lock) == 0) return SG_OK;
    err = errno == EAGAIN || errno == EACCES ? SG_BUSY : SG_IO;
    (void)close(*fd);
    *fd = -1;
    return err;
}
