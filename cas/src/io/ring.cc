#include "io/ring.h"

#include "base/errors.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/eventfd.h>

namespace orbitalreg::cas {
namespace {

// One read or write moves at most this much; the queue goes on behind it.
constexpr std::uint64_t kTransferMax = 1ULL << 30;

constexpr std::array<std::uint8_t, 4> kOpcodes{IORING_OP_READ, IORING_OP_WRITE, IORING_OP_FSYNC,
                                               IORING_OP_FALLOCATE};

}  // namespace

Ring::~Ring() {
    if (open_) ::io_uring_queue_exit(&ring_);
}

Result<void> Ring::open(unsigned entries) noexcept {
    entries = std::clamp(entries, 1U, kEntriesMax);
    static constexpr std::array<unsigned, 4> kFlagChoices{
        IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP, IORING_SETUP_CLAMP, 0};
    int result = -EINVAL;
    unsigned flags = 0;
    for (std::size_t i = 0; i < kFlagChoices.size() && result == -EINVAL; ++i) {
        flags = kFlagChoices[i];
        result = ::io_uring_queue_init(entries, &ring_, flags);
    }
    if (result < 0) return fail(errno_code(-result));
    open_ = true;
    coop_taskrun_ = (flags & IORING_SETUP_COOP_TASKRUN) != 0;
    event_fd_ = UniqueFd{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (!event_fd_) return fail(errno_code(errno));
    result = ::io_uring_register_eventfd(&ring_, event_fd_.get());
    if (result < 0) return fail(errno_code(-result));
    // Refused by kernels before 5.15, which then use their own limit.
    std::array<unsigned, 2> workers{kWorkersMax, kWorkersMax};
    static_cast<void>(::io_uring_register_iowq_max_workers(&ring_, workers.data()));
    if ((flags & IORING_SETUP_R_DISABLED) != 0) return restrict_and_enable();
    return ok();
}

Result<void> Ring::restrict_and_enable() noexcept {
    std::array<io_uring_restriction, kOpcodes.size() + 1> restrictions{};
    for (std::size_t i = 0; i < kOpcodes.size(); ++i) {
        restrictions[i].opcode = IORING_RESTRICTION_SQE_OP;
        restrictions[i].sqe_op = kOpcodes[i];
    }
    restrictions.back().opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    restrictions.back().sqe_flags = IOSQE_ASYNC;
    // By opcode: liburing 2.3 declares the named functions but does not export them.
    const auto fd = static_cast<unsigned>(ring_.ring_fd);
    int result = ::io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, restrictions.data(),
                                     static_cast<unsigned>(restrictions.size()));
    restricted_ = result == 0;
    result = ::io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    if (result < 0) return fail(errno_code(-result));
    return ok();
}

std::string Ring::description() const {
    std::string text = coop_taskrun_ ? "coop_taskrun" : "plain";
    text += restricted_ ? ", restricted to the opcodes in use" : ", unrestricted";
    return text;
}

bool Ring::prepare(IoOperation& operation, int fd) noexcept {
    io_uring_sqe* const sqe = ::io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return false;
    const auto rest =
        static_cast<unsigned>(std::min(operation.size - operation.done, kTransferMax));
    std::byte* const data = operation.data + operation.done;
    const std::uint64_t offset = operation.offset + operation.done;
    switch (operation.kind) {
        case IoOperation::Kind::read:
            ::io_uring_prep_read(sqe, fd, data, rest, offset);
            break;
        case IoOperation::Kind::write:
            ::io_uring_prep_write(sqe, fd, data, rest, offset);
            break;
        case IoOperation::Kind::datasync:
            ::io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
            break;
        case IoOperation::Kind::allocate:
            ::io_uring_prep_fallocate(sqe, fd, 0, static_cast<off_t>(operation.offset),
                                      static_cast<off_t>(operation.size));
            break;
        case IoOperation::Kind::punch:
            ::io_uring_prep_fallocate(sqe, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                      static_cast<off_t>(operation.offset),
                                      static_cast<off_t>(operation.size));
            break;
    }
    // These always wait for the file system: straight to a worker instead of trying first.
    const bool always_waits =
        operation.kind == IoOperation::Kind::allocate || operation.kind == IoOperation::Kind::punch;
    if (always_waits) ::io_uring_sqe_set_flags(sqe, IOSQE_ASYNC);
    ::io_uring_sqe_set_data(sqe, &operation);
    return true;
}

}  // namespace orbitalreg::cas
