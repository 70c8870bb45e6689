// Goal: what was acknowledged survives a power cut at any boundary of Io, and nothing else is half
// there. Method: clients that work side by side on a simulated disk, power cut at a drawn boundary,
// recovery, comparison with what the clients were told; several lives on one disk, then all uploads
// must be able to end.

#include "unit/cas/lane/lane_fixture.h"

#include <map>

namespace orbitalreg::cas {
namespace {

constexpr int kClients = 4;
constexpr int kLives = 5;

struct UploadModel {
    std::vector<std::byte> bytes;  // of the whole blob
    std::uint64_t acknowledged = 0;
    std::uint64_t asked = 0;  // up to which a mark of the writer's own may have made it durable
    enum class End : std::uint8_t { open, maybe_closed, finished, cancelled } end = End::open;
};

// Whether the store may stand there.
bool learn_offset(UploadModel& upload, std::uint64_t offset) {
    const bool known =
        offset >= upload.acknowledged && offset <= std::max(upload.asked, upload.acknowledged);
    upload.acknowledged = offset;
    return known;
}

struct Model {
    std::map<SessionId, UploadModel> uploads;
    std::map<Digest, std::vector<std::byte>> blobs;  // acknowledged
};

class Client {
public:
    Client(Store& store, Model& model, sim::SimRandom& random, std::uint8_t number)
        : store_{store}, model_{model}, random_{random}, number_{number} {}

    Awaitable<void> run() {
        for (int i = 0; i < 12; ++i) {
            const bool alive = co_await one_request();
            if (!alive) break;
        }
        done = true;
    }
    bool done = false;

private:
    // Some session of this client, new or old.
    SessionId pick() {
        SessionId session{};
        session[0] = std::byte{number_};
        session[1] = static_cast<std::byte>(random_.below(6));
        return session;
    }

    Awaitable<bool> one_request() {
        const SessionId session = pick();
        UploadModel& upload = model_.uploads[session];
        if (upload.bytes.empty()) {
            const std::size_t size =
                random_.coin() ? random_.between(1, 5000) : random_.between(1, 400'000);
            upload.bytes = content_of(size, random_.draw());
        }
        if (upload.end != UploadModel::End::open) co_return true;
        UploadStart start;
        start.session = session;
        auto opened = co_await store_.open_upload(start);
        if (!opened) co_return false;
        auto writer = std::move(opened).value();
        const bool known = learn_offset(upload, writer->offset());
        EXPECT_TRUE(known);
        if (!known) co_return false;
        const std::uint64_t left = upload.bytes.size() - writer->offset();
        const std::uint64_t size = random_.coin() ? left : random_.below(left + 1);
        const ByteView part = ByteView{upload.bytes}.subspan(writer->offset(), size);
        upload.asked = writer->offset() + size;
        const auto fed = co_await feed(*writer, part, 1 + random_.below(70'000));
        if (!fed) co_return false;
        if (size == left && random_.coin()) co_return co_await finish(*writer, upload);
        if (random_.one_in(8)) co_return co_await cancel(*writer, upload);
        if (random_.one_in(4)) co_return true;  // dropped without a mark
        const auto marked = co_await writer->mark();
        if (!marked) co_return false;
        upload.acknowledged = marked.value();
        co_return true;
    }

    Awaitable<bool> finish(BlobWriter& writer, UploadModel& upload) {
        upload.end = UploadModel::End::maybe_closed;
        const Digest digest = sha256_of(upload.bytes);
        Change nothing;
        const auto info = co_await writer.finish(digest, std::move(nothing));
        if (!info) co_return false;
        upload.end = UploadModel::End::finished;
        model_.blobs[digest] = upload.bytes;
        co_return true;
    }

    Awaitable<bool> cancel(BlobWriter& writer, UploadModel& upload) {
        upload.end = UploadModel::End::maybe_closed;
        const auto cancelled = co_await writer.cancel();
        if (!cancelled) co_return false;
        upload.end = UploadModel::End::cancelled;
        co_return true;
    }

    Store& store_;
    Model& model_;
    sim::SimRandom& random_;
    const std::uint8_t number_;
};

class LaneCrash : public SimulatedStore, public testing::WithParamInterface<int> {
public:
    void run_clients(Life& life, sim::SimRandom& random) {
        std::vector<std::unique_ptr<Client>> clients;
        for (std::uint8_t i = 0; i < kClients; ++i) {
            clients.push_back(std::make_unique<Client>(*life.store, model, random, i));
            asio::co_spawn(life.scheduler().executor(), clients.back()->run(), asio::detached);
        }
        const bool ended = life.scheduler().run_until(
            [&] {
                for (const auto& client : clients) {
                    if (!client->done) return false;
                }
                return true;
            },
            2'000'000);
        EXPECT_TRUE(ended) << "a request does not end";
        life.settle();
    }

    // What the store says after recovery, against what the clients were told; the model learns what
    // was open.
    void compare(Life& life) {
        for (const auto& [digest, bytes] : model.blobs) {
            const auto read = life.get(digest);
            ASSERT_TRUE(read) << read.error().message();
            ASSERT_TRUE(read.value() == bytes);
        }
        for (auto& [session, upload] : model.uploads) {
            const UploadStatus status = life.store->upload_status(session);
            using State = UploadStatus::State;
            switch (upload.end) {
                case UploadModel::End::finished:
                    ASSERT_EQ(status.state, State::finished);
                    break;
                case UploadModel::End::cancelled:
                    ASSERT_EQ(status.state, State::cancelled);
                    break;
                case UploadModel::End::open:
                    ASSERT_TRUE(status.state == State::open || status.state == State::unknown);
                    break;
                case UploadModel::End::maybe_closed:
                    learn_end(upload, status);
                    break;
            }
            if (upload.end != UploadModel::End::open) continue;
            const std::uint64_t acknowledged = upload.acknowledged;
            ASSERT_TRUE(learn_offset(upload, status.offset))
                << status.offset << " " << acknowledged;
        }
    }

    void learn_end(UploadModel& upload, const UploadStatus& status) {
        using State = UploadStatus::State;
        upload.end = UploadModel::End::open;
        if (status.state == State::finished) {
            upload.end = UploadModel::End::finished;
            model.blobs[sha256_of(upload.bytes)] = upload.bytes;
        }
        if (status.state == State::cancelled) upload.end = UploadModel::End::cancelled;
    }

    Model model;

    // Every upload that is open can be finished or, where its lane is lost to a failed device,
    // cancelled.
    void end_uploads(Life& life) {
        for (auto& [session, upload] : model.uploads) {
            if (upload.end != UploadModel::End::open || upload.bytes.empty()) continue;
            UploadStart start;
            start.session = session;
            auto opened = life.run(life.store->open_upload(start));
            if (!opened) {
                ASSERT_EQ(opened.error(), Errc::io_error);
                ASSERT_GT(faults_, 0u);
                ASSERT_TRUE(life.run(life.store->cancel_upload(start)));
                continue;
            }
            Writer writer = std::move(opened).value();
            ASSERT_TRUE(life.write(writer, ByteView{upload.bytes}.subspan(writer->offset())));
            ASSERT_TRUE(life.finish(writer, sha256_of(upload.bytes)));
            ASSERT_TRUE(life.get(sha256_of(upload.bytes)).value() == upload.bytes);
        }
    }

    void live_and_die(const sim::SimFaults& faults) {
        sim::SimRandom random{seed};
        StoreOptions options = lane_options();
        options.mark_interval_bytes = 100'000;
        for (int number = 0; number < kLives; ++number) {
            auto life = live(options);
            compare(*life);
            if (HasFatalFailure()) return;
            life->io().set_faults(faults);
            life->io().set_crash_at(life->io().boundaries() + random.between(1, 400));
            run_clients(*life, random);
            if (random.one_in(4) && !life->io().crashed()) life->stop();
            faults_ += life->io().loud_faults();
            life->io().crash();
            life->settle();
        }
        auto life = live(options);
        compare(*life);
        if (!HasFatalFailure()) end_uploads(*life);
    }

    std::uint64_t faults_ = 0;
};

TEST_P(LaneCrash, WhatWasAcknowledgedIsThere) {
    seed = static_cast<std::uint64_t>(GetParam()) * 1000;
    live_and_die({});
}

// The same while the device fails, loudly, now and then.
TEST_P(LaneCrash, WhatWasAcknowledgedIsThereThoughTheDeviceFails) {
    seed = static_cast<std::uint64_t>(GetParam()) * 1'000'000;
    live_and_die({.read_error = 200, .write_error = 200, .sync_error = 100, .no_space = 100});
}

INSTANTIATE_TEST_SUITE_P(Seeds, LaneCrash, testing::Range(1, 9));

}  // namespace
}  // namespace orbitalreg::cas
