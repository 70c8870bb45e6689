#include "base/unique_fd.h"

#include <gtest/gtest.h>

#include <fcntl.h>

namespace orbitalreg {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(UniqueFd, ClosesOnceWhateverTheMoves) {
    const int number = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ASSERT_GE(number, 0);
    {
        UniqueFd first{number};
        UniqueFd second{std::move(first)};
        EXPECT_EQ(second.get(), number);
        first = std::move(second);
        EXPECT_TRUE(is_open(number));
    }
    EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, ResetCloses) {
    UniqueFd fd{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    const int number = fd.get();
    fd.reset();
    EXPECT_FALSE(fd);
    EXPECT_FALSE(is_open(number));
}

}  // namespace
}  // namespace orbitalreg
