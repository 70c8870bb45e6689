// A process is killed, the machine lives on: what it wrote is readable, and not all of it is durable. The next process builds
// upon it; then the power goes. Nothing that either acknowledged may be lost.

#include "base/errors.h"
#include "unit/cas/log/log_fixture.h"

namespace orbitalreg::cas {
namespace {

// Counts the calls that change something. At the n-th the process is killed: what the call was to make visible is visible,
// nothing is synced, and no further call does anything.
class Kill {
public:
    explicit Kill(std::uint64_t at) noexcept : at_{at} {}
    bool dead() const noexcept { return calls_ >= at_; }
    // Whether this call is the last one.
    bool strikes() noexcept { return ++calls_ == at_; }

private:
    const std::uint64_t at_;
    std::uint64_t calls_ = 0;
};

Result<void> killed() { return fail(errno_code(EIO)); }

class MortalFile final : public File {
public:
    MortalFile(std::unique_ptr<File> file, Kill& kill) noexcept
        : File{file->direct()}, file_{std::move(file)}, kill_{kill} {}

    Result<std::size_t> read(std::uint64_t offset, MutableByteView to) noexcept override {
        if (kill_.dead()) return fail(errno_code(EIO));
        return file_->read(offset, to);
    }
    Result<void> write(std::uint64_t offset, ByteView from) noexcept override {
        if (kill_.dead()) return killed();
        kill_.strikes();
        return file_->write(offset, from);
    }
    Result<void> write_dsync(std::uint64_t offset, ByteView from) noexcept override {
        if (kill_.dead()) return killed();
        if (!kill_.strikes()) return file_->write_dsync(offset, from);
        static_cast<void>(file_->write(offset, from));
        return killed();
    }
    Result<void> datasync() noexcept override {
        if (kill_.dead() || kill_.strikes()) return killed();
        return file_->datasync();
    }
    Result<void> allocate(std::uint64_t offset, std::uint64_t length) noexcept override {
        if (kill_.dead()) return killed();
        kill_.strikes();
        return file_->allocate(offset, length);
    }
    Result<void> punch(std::uint64_t offset, std::uint64_t length) noexcept override {
        return file_->punch(offset, length);
    }
    Result<FileStat> stat() noexcept override { return file_->stat(); }

private:
    std::unique_ptr<File> file_;
    Kill& kill_;
};

class MortalIo final : public Io {
public:
    MortalIo(Io& io, Kill& kill) noexcept : io_{io}, kill_{kill} {}

    std::string_view name() const noexcept override { return io_.name(); }
    std::string_view reason() const noexcept override { return io_.reason(); }
    Result<std::unique_ptr<File>> open(std::string_view path, OpenMode mode) noexcept override {
        if (kill_.dead()) return fail(errno_code(EIO));
        if (mode.create) kill_.strikes();
        ORB_TRY(auto file, io_.open(path, mode));
        return std::unique_ptr<File>{std::make_unique<MortalFile>(std::move(file), kill_)};
    }
    Result<void> make_directory(std::string_view path) noexcept override {
        return change([&] { return io_.make_directory(path); });
    }
    Result<void> sync_directory(std::string_view path) noexcept override {
        if (kill_.dead() || kill_.strikes()) return killed();
        return io_.sync_directory(path);
    }
    Result<void> rename(std::string_view from, std::string_view to) noexcept override {
        return change([&] { return io_.rename(from, to); });
    }
    Result<void> remove(std::string_view path) noexcept override {
        return change([&] { return io_.remove(path); });
    }
    Result<std::vector<std::string>> list(std::string_view path) noexcept override {
        return io_.list(path);
    }
    Result<FileStat> stat(std::string_view path) noexcept override { return io_.stat(path); }
    Result<SpaceStat> space() noexcept override { return io_.space(); }
    Result<std::unique_ptr<File>> lock(std::string_view path, bool exclusive) noexcept override {
        return io_.lock(path, exclusive);
    }
    std::unique_ptr<IoQueue> make_queue(asio::any_io_executor executor) override {
        return io_.make_queue(std::move(executor));
    }

private:
    template <class Call>
    Result<void> change(Call call) {
        if (kill_.dead()) return killed();
        kill_.strikes();
        return call();
    }

    Io& io_;
    Kill& kill_;
};

class KilledProcessTest : public SimulatedLog {};

// Commits until the process is killed.
std::vector<std::string> run_until_killed(SimulatedLog::Life& life, Kill& kill,
                                          std::string_view name) {
    MortalIo mortal{life.io(), kill};
    std::vector<std::string> acknowledged;
    if (!life.open(small_options(), mortal)) return acknowledged;
    life.start();
    for (int i = 0; i < 12; ++i) {
        const std::string body = std::string{name} + std::to_string(i);
        if (life.commit(group_of(body, std::string(6000, 'c')))) acknowledged.push_back(body);
    }
    life.log.reset();  // not stopped
    return acknowledged;
}

// One process killed at its call `at`, the next one, and the power cut, which keeps what `seed_of_loss` says. Whether the
// first process came to its end.
bool kill_and_cut_power(std::uint64_t at, std::uint64_t seed_of_loss) {
    sim::SimDisk local{sim::SimDiskMode::strict};
    Kill kill{at};
    std::vector<std::string> acknowledged;
    {
        SimulatedLog::Life life{local, at, 0, {}};
        acknowledged = run_until_killed(life, kill, "first");
    }
    {
        SimulatedLog::Life life{local, at + 1, 0, {}};
        const auto opened = life.open(small_options());
        EXPECT_TRUE(opened) << "killed at " << at << ": " << opened.error().message();
        if (!opened) return true;
        life.start();
        EXPECT_TRUE(life.commit(group_of("second")));
        acknowledged.emplace_back("second");
    }
    sim::SimRandom random{at * 100 + seed_of_loss};
    local.crash(random);
    SimulatedLog::Life life{local, at + 2, 0, {}};
    const auto opened = life.open(small_options());
    EXPECT_TRUE(opened) << "killed at " << at << ": " << opened.error().message();
    std::vector<std::string> found;
    for (const auto& group : life.target.groups) found.push_back(group.body);
    std::size_t next = 0;
    for (const std::string& body : acknowledged) {
        while (next < found.size() && found[next] != body) ++next;
        EXPECT_LT(next, found.size()) << body << " is lost, killed at " << at;
    }
    return !kill.dead();
}

TEST_F(KilledProcessTest, WhatItLeftIsMadeDurableBeforeItIsBuiltUpon) {
    bool survived = false;
    for (std::uint64_t at = 1; !survived && !HasFailure(); ++at) {
        for (std::uint64_t seed_of_loss = 0; seed_of_loss < 6; ++seed_of_loss) {
            survived = kill_and_cut_power(at, seed_of_loss);
        }
    }
}

}  // namespace
}  // namespace orbitalreg::cas
