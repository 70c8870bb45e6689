#pragma once
// FaultIo is an Io that hands every call on to another one, but for the n-th, or all from the n-th on, which fail with an
// errno of choice: a test that walks n from 1 upward has met every failure there is on its way.
//
// A failed call does nothing, except that a failed sync leaves it open what is durable. Calls are counted in the order in
// which they are made; asynchronous ones when they are submitted.
//
// Threads  one.

#include "cas/io.h"

#include <cstdint>
#include <memory>
#include <set>
#include <string>

namespace orbitalreg::sim {

enum class FaultCall : std::uint8_t {
    open,
    create,
    make_directory,
    sync_directory,
    rename,
    remove,
    list,
    stat,
    space,
    read,
    write,
    write_dsync,
    datasync,
    allocate,
    punch
};

struct FaultPlan {
    std::set<FaultCall> calls;  // those that are counted and may fail; empty: all
    std::uint64_t at = 0;       // the first that fails, from 1; 0: none
    bool persistent = false;    // and all behind it
    int error = 0;              // errno
    std::string only_in;        // files and directories whose path begins with it
    std::uint64_t counted = 0;  // what was made so far
    std::uint64_t failed = 0;
    FaultCall first_failed = FaultCall::open;
    std::string first_path;

    // Whether the call that is made now fails.
    bool strikes(FaultCall call, const std::string& path) noexcept;
};

class FaultIo final : public cas::Io {
public:
    // Both outlive this, its files and its queues.
    FaultIo(cas::Io& io, FaultPlan& plan) noexcept : io_{io}, plan_{plan} {}

    std::string_view name() const noexcept override { return io_.name(); }
    std::string_view reason() const noexcept override { return io_.reason(); }
    Result<std::unique_ptr<cas::File>> open(std::string_view path,
                                            cas::OpenMode mode) noexcept override;
    Result<void> make_directory(std::string_view path) noexcept override;
    Result<void> sync_directory(std::string_view path) noexcept override;
    Result<void> rename(std::string_view from, std::string_view to) noexcept override;
    Result<void> remove(std::string_view path) noexcept override;
    Result<std::vector<std::string>> list(std::string_view path) noexcept override;
    Result<cas::FileStat> stat(std::string_view path) noexcept override;
    Result<cas::SpaceStat> space() noexcept override;
    Result<std::unique_ptr<cas::File>> lock(std::string_view path,
                                            bool exclusive) noexcept override;
    std::unique_ptr<cas::IoQueue> make_queue(asio::any_io_executor executor) override;

private:
    cas::Io& io_;
    FaultPlan& plan_;
};

std::string_view to_string(FaultCall call) noexcept;

}  // namespace orbitalreg::sim
