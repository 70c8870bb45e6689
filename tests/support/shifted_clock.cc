// Preloaded into a server under test (LD_PRELOAD): the clocks of the wall and of the boot are ahead by as many seconds as the file says
// that ORB_TEST_CLOCK names. So weeks pass in a moment; timers, which go by the monotonic clock, do not notice.

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <time.h>

namespace {

using ClockGettime = int (*)(clockid_t, timespec*);

long long seconds_ahead() noexcept {
    const char* const path = ::getenv("ORB_TEST_CLOCK");
    if (path == nullptr) return 0;
    std::FILE* const file = std::fopen(path, "r");
    if (file == nullptr) return 0;
    char text[32] = {};
    const auto size = std::fread(text, 1, sizeof text - 1, file);
    std::fclose(file);
    return size == 0 ? 0 : std::strtoll(text, nullptr, 10);
}

}  // namespace

extern "C" int clock_gettime(clockid_t id, timespec* now) noexcept {
    static const auto next = reinterpret_cast<ClockGettime>(::dlsym(RTLD_NEXT, "clock_gettime"));
    const int result = next(id, now);
    if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_BOOTTIME))
        now->tv_sec += static_cast<time_t>(seconds_ahead());
    return result;
}
