// Preloaded into a server under test (LD_PRELOAD): durable writes fail with EIO while the file that ORB_TEST_FAIL_SYNC names
// exists. So a device fails from one moment on, and is well again at another.

#include <cerrno>
#include <cstdlib>
#include <dlfcn.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

using Pwritev2 = ssize_t (*)(int, const iovec*, int, off64_t, int);

bool fails(int flags) noexcept {
    if ((flags & RWF_DSYNC) == 0) return false;
    const char* const trigger = ::getenv("ORB_TEST_FAIL_SYNC");
    return trigger != nullptr && ::access(trigger, F_OK) == 0;
}

ssize_t pass_on(const char* name, int fd, const iovec* parts, int count, off64_t offset,
                int flags) {
    if (fails(flags)) {
        errno = EIO;
        return -1;
    }
    const auto next = reinterpret_cast<Pwritev2>(::dlsym(RTLD_NEXT, name));
    return next(fd, parts, count, offset, flags);
}

}  // namespace

extern "C" ssize_t pwritev2(int fd, const iovec* parts, int count, off64_t offset, int flags) {
    return pass_on("pwritev2", fd, parts, count, offset, flags);
}

extern "C" ssize_t pwritev64v2(int fd, const iovec* parts, int count, off64_t offset, int flags) {
    return pass_on("pwritev64v2", fd, parts, count, offset, flags);
}
