#include "support/fault_io.h"

#include "base/errors.h"

#include <utility>

namespace orbitalreg::sim {
namespace {

class FaultFile final : public cas::File {
public:
    FaultFile(std::unique_ptr<cas::File> file, FaultPlan& plan, std::string path)
        : File{file->direct()}, file_{std::move(file)}, plan_{plan}, path_{std::move(path)} {}

    Result<std::size_t> read(std::uint64_t offset, MutableByteView to) noexcept override {
        if (strikes(FaultCall::read)) return failure();
        return file_->read(offset, to);
    }
    Result<void> write(std::uint64_t offset, ByteView from) noexcept override {
        if (strikes(FaultCall::write)) return failure();
        return file_->write(offset, from);
    }
    Result<void> write_dsync(std::uint64_t offset, ByteView from) noexcept override {
        if (strikes(FaultCall::write_dsync)) return failure();
        return file_->write_dsync(offset, from);
    }
    Result<void> datasync() noexcept override {
        if (strikes(FaultCall::datasync)) return failure();
        return file_->datasync();
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t length) noexcept override {
        if (strikes(FaultCall::allocate)) return failure();
        return file_->allocate(offset, length);
    }
    Result<void> punch(std::uint64_t offset, std::uint64_t length) noexcept override {
        if (strikes(FaultCall::punch)) return failure();
        return file_->punch(offset, length);
    }
    Result<cas::FileStat> stat() noexcept override {
        if (strikes(FaultCall::stat)) return failure();
        return file_->stat();
    }

    bool strikes(FaultCall call) const noexcept { return plan_.strikes(call, path_); }
    cas::File& inner() const noexcept { return *file_; }

private:
    ErrorCode failure() const noexcept { return errno_code(plan_.error); }

    std::unique_ptr<cas::File> file_;
    FaultPlan& plan_;
    const std::string path_;
};

FaultCall call_of(cas::IoOperation::Kind kind) noexcept {
    switch (kind) {
        case cas::IoOperation::Kind::read:
            return FaultCall::read;
        case cas::IoOperation::Kind::write:
            return FaultCall::write;
        case cas::IoOperation::Kind::datasync:
            return FaultCall::datasync;
        case cas::IoOperation::Kind::allocate:
            return FaultCall::allocate;
        case cas::IoOperation::Kind::punch:
            return FaultCall::punch;
    }
    return FaultCall::read;
}

class FaultQueue final : public cas::IoQueue {
public:
    FaultQueue(std::unique_ptr<cas::IoQueue> queue, FaultPlan& plan) noexcept
        : queue_{std::move(queue)}, plan_{plan} {}

    asio::any_io_executor executor() const override { return queue_->executor(); }
    void submit(cas::IoOperation& operation) noexcept override {
        auto& file = static_cast<FaultFile&>(*operation.file);
        if (file.strikes(call_of(operation.kind))) {
            asio::post(queue_->executor(), [failed = &operation, error = plan_.error] {
                failed->complete(*failed, -error);
            });
            return;
        }
        operation.file = &file.inner();
        queue_->submit(operation);
    }
    Result<std::size_t> read_now(cas::File& file, std::uint64_t offset,
                                 MutableByteView to) noexcept override {
        return queue_->read_now(static_cast<FaultFile&>(file).inner(), offset, to);
    }
    std::size_t in_flight() const noexcept override { return queue_->in_flight(); }

private:
    std::unique_ptr<cas::IoQueue> queue_;
    FaultPlan& plan_;
};

}  // namespace

bool FaultPlan::strikes(FaultCall call, const std::string& path) noexcept {
    if (!calls.empty() && !calls.contains(call)) return false;
    if (!path.starts_with(only_in)) return false;
    ++counted;
    const bool now = at != 0 && (persistent ? counted >= at : counted == at);
    if (!now) return false;
    if (failed++ == 0) {
        first_failed = call;
        first_path = path;
    }
    return true;
}

Result<std::unique_ptr<cas::File>> FaultIo::open(std::string_view path,
                                                 cas::OpenMode mode) noexcept {
    const std::string name{path};
    if (plan_.strikes(mode.create ? FaultCall::create : FaultCall::open, name)) {
        return errno_code(plan_.error);
    }
    ORB_TRY(auto file, io_.open(path, mode));
    return std::unique_ptr<cas::File>{std::make_unique<FaultFile>(std::move(file), plan_, name)};
}

Result<void> FaultIo::make_directory(std::string_view path) noexcept {
    if (plan_.strikes(FaultCall::make_directory, std::string{path})) return errno_code(plan_.error);
    return io_.make_directory(path);
}

Result<void> FaultIo::sync_directory(std::string_view path) noexcept {
    if (plan_.strikes(FaultCall::sync_directory, std::string{path})) return errno_code(plan_.error);
    return io_.sync_directory(path);
}

Result<void> FaultIo::rename(std::string_view from, std::string_view to) noexcept {
    if (plan_.strikes(FaultCall::rename, std::string{from})) return errno_code(plan_.error);
    return io_.rename(from, to);
}

Result<void> FaultIo::remove(std::string_view path) noexcept {
    if (plan_.strikes(FaultCall::remove, std::string{path})) return errno_code(plan_.error);
    return io_.remove(path);
}

Result<std::vector<std::string>> FaultIo::list(std::string_view path) noexcept {
    if (plan_.strikes(FaultCall::list, std::string{path})) return errno_code(plan_.error);
    return io_.list(path);
}

Result<cas::FileStat> FaultIo::stat(std::string_view path) noexcept {
    if (plan_.strikes(FaultCall::stat, std::string{path})) return errno_code(plan_.error);
    return io_.stat(path);
}

Result<cas::SpaceStat> FaultIo::space() noexcept {
    if (plan_.strikes(FaultCall::space, {})) return errno_code(plan_.error);
    return io_.space();
}

Result<std::unique_ptr<cas::File>> FaultIo::lock(std::string_view path, bool exclusive) noexcept {
    return io_.lock(path, exclusive);
}

std::unique_ptr<cas::IoQueue> FaultIo::make_queue(asio::any_io_executor executor) {
    return std::make_unique<FaultQueue>(io_.make_queue(std::move(executor)), plan_);
}

std::string_view to_string(FaultCall call) noexcept {
    static constexpr std::string_view kNames[] = {
        "open",   "create",      "make_directory", "sync_directory", "rename",
        "remove", "list",        "stat",           "space",          "read",
        "write",  "write_dsync", "datasync",       "allocate",       "punch"};
    return kNames[static_cast<std::size_t>(call)];
}

}  // namespace orbitalreg::sim
