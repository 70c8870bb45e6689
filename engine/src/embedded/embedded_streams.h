#pragma once
// The streams of the embedded store: thin wraps of cas::BlobReader and cas::BlobWriter in the terms
// of engine. Bytes are not copied on either way.

#include "cas/blob_reader.h"
#include "cas/blob_writer.h"
#include "embedded/checks.h"
#include "engine/registry_store.h"

#include <memory>

namespace orbitalreg::engine {

class EmbeddedBlobStream final : public BlobStream {
public:
    explicit EmbeddedBlobStream(std::unique_ptr<cas::BlobReader> reader) noexcept
        : reader_{std::move(reader)} {}

    const Digest& digest() const noexcept override { return reader_->digest(); }
    std::uint64_t size_bytes() const noexcept override { return reader_->size_bytes(); }
    Awaitable<Answer<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override;

private:
    std::unique_ptr<cas::BlobReader> reader_;
};

class EmbeddedFollowedUpload final : public FollowedUpload {
public:
    explicit EmbeddedFollowedUpload(std::shared_ptr<cas::FollowedBlob> blob) noexcept
        : blob_{std::move(blob)} {}

    std::uint64_t readable_bytes() const noexcept override { return blob_->readable_bytes(); }
    Awaitable<Answer<BlobPiece>> read(std::uint64_t offset, std::uint64_t length_max) override;

private:
    std::shared_ptr<cas::FollowedBlob> blob_;
};

class EmbeddedUploadWriter final : public UploadWriter {
public:
    EmbeddedUploadWriter(AppliedState state, PushTarget target, bool has_session,
                         std::unique_ptr<cas::BlobWriter> writer) noexcept
        : state_{state},
          target_{std::move(target)},
          has_session_{has_session},
          writer_{std::move(writer)} {}

    std::uint64_t offset() const noexcept override { return writer_->offset(); }
    Awaitable<Answer<MutableByteView>> buffer() override;
    Awaitable<Answer<void>> advance(std::size_t size) override;
    Awaitable<Answer<std::uint64_t>> mark() override;
    Awaitable<Answer<BlobInfo>> finish(Digest expected) override;
    Awaitable<Answer<std::shared_ptr<FollowedUpload>>> follow() override;
    Awaitable<Answer<void>> cancel() override;

private:
    AppliedState state_;
    PushTarget target_;
    bool has_session_;
    std::unique_ptr<cas::BlobWriter> writer_;
};

}  // namespace orbitalreg::engine
