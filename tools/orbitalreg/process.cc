#include "process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>
#include <vector>

namespace orbitalreg::program {
namespace {

std::string refused(const char* what) {
    return std::string{"the rights of root could not be given up: "} + what + ": " +
           std::generic_category().message(errno);
}

// No program started from here can have one again. Ends where the kernel knows no further one; EPERM: this process may
// not (a container without CAP_SETPCAP), and no_new_privs does the same.
bool empty_bounding_set() noexcept {
    for (int capability = 0;; ++capability) {
        if (::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
        return errno == EINVAL || errno == EPERM;
    }
}

bool drop_capabilities() noexcept {
    __user_cap_header_struct header{};
    header.version = _LINUX_CAPABILITY_VERSION_3;
    const std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
    return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
           ::syscall(SYS_capset, &header, none.data()) == 0;
}

// The owner's own groups, where the machine knows the owner by a name; else the directory's group alone.
bool take_groups(uid_t user, gid_t group) {
    std::array<char, 16384> text{};
    passwd entry{};
    passwd* found = nullptr;
    if (::getpwuid_r(user, &entry, text.data(), text.size(), &found) == 0 && found != nullptr) {
        return ::initgroups(found->pw_name, group) == 0;
    }
    return ::setgroups(0, nullptr) == 0;
}

// Empty, or why not.
std::string become(uid_t user, gid_t group) {
    if (!take_groups(user, group)) return refused("setgroups");
    if (::setresgid(group, group, group) != 0) return refused("setresgid");
    if (::setresuid(user, user, user) != 0) return refused("setresuid");
    if (::setuid(0) == 0) return "the rights of root could be taken back after they were given up";
    return {};
}

}  // namespace

void harden_process() noexcept {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    ::umask(0077);
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    // A request to reload means nothing until the configuration is in use.
    std::signal(SIGHUP, SIG_IGN);
}

std::uint64_t raise_descriptor_limit() noexcept {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

Privileges drop_privileges(const std::string& directory) {
    Privileges result;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) result.trouble = refused("no_new_privs");
    if (::geteuid() == 0 && result.trouble.empty()) {
        struct stat owner {};
        const bool known = ::stat(directory.c_str(), &owner) == 0;
        if (!empty_bounding_set()) {
            result.trouble = refused("the bounding set");
        } else if (known && owner.st_uid != 0) {
            result.trouble = become(owner.st_uid, owner.st_gid);
            result.changed_user = result.trouble.empty();
        } else {
            result.root = true;
        }
        if (result.trouble.empty() && !drop_capabilities()) result.trouble = refused("capset");
    }
    result.user = ::geteuid();
    result.group = ::getegid();
    return result;
}

}  // namespace orbitalreg::program
