#pragma once
// ContentSource lets a response stream what the registry opened: blobs and manifests.

#include "engine/registry_store.h"
#include "http/response.h"

#include <memory>

namespace orbitalreg::frontend {

class ContentSource final : public BodySource {
public:
    explicit ContentSource(std::unique_ptr<engine::BlobStream> stream) noexcept
        : stream_{std::move(stream)} {}
    Awaitable<Result<SharedBytes>> read(std::uint64_t offset, std::uint64_t length_max) override;

private:
    std::unique_ptr<engine::BlobStream> stream_;
};

// All of it.
// The content as the body of `response`. A little of it is read now, and goes out in one write with the head; more, and what
// cannot be read, as it is sent.
Awaitable<void> fill_body(Response* response, std::unique_ptr<engine::BlobStream> stream);
StreamBody whole_body(std::unique_ptr<engine::BlobStream> stream);

}  // namespace orbitalreg::frontend
