#include "io/ring.h"

#include "io/io_classes.h"
#include "io/uring_io.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fcntl.h>

namespace orbitalreg::cas {
namespace {

// SEC-112: seccomp does not see what a ring does, so the ring itself refuses what the store has no
// use for.
TEST(Ring, RefusesOperationsThatTheStoreHasNoUseFor) {
    Ring ring;
    const auto opened = ring.open(4);
    if (!opened) GTEST_SKIP() << "io_uring is refused here: " << opened.error().message();
    if (ring.description().find("unrestricted") != std::string::npos)
        GTEST_SKIP() << "the kernel cannot restrict rings";
    io_uring_sqe* const sqe = ::io_uring_get_sqe(&ring.raw());
    ::io_uring_prep_openat(sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
    ASSERT_EQ(::io_uring_submit(&ring.raw()), 1);
    io_uring_cqe* cqe = nullptr;
    ASSERT_EQ(::io_uring_wait_cqe(&ring.raw(), &cqe), 0);
    EXPECT_EQ(cqe->res, -EACCES);
}

TEST(Ring, ProbeSaysHowRingsAreMadeHere) {
    const auto probed = UringIo::probe();
    if (!probed) GTEST_SKIP() << "io_uring is refused here: " << probed.error().message();
    EXPECT_NE(probed.value().find("restricted"), std::string::npos);
    std::printf("%s\n", probed.value().c_str());
}

TEST(WaitingByClass, ServesHigherClassesFirstAndInOrderWithinAClass) {
    WaitingByClass<int> waiting;
    waiting.push(IoClass::background, 1);
    waiting.push(IoClass::bulk, 2);
    waiting.push(IoClass::commit, 3);
    waiting.push(IoClass::bulk, 4);
    waiting.push(IoClass::read, 5);
    std::vector<int> order;
    while (!waiting.empty()) order.push_back(waiting.pop());
    EXPECT_EQ(order, (std::vector<int>{3, 5, 2, 4, 1}));
}

}  // namespace
}  // namespace orbitalreg::cas
