#pragma once
// ImportTarget is where an import puts what it finds: a registry, or nothing, for a dry run.
//
// Threads  the calls and their answers: one, the reactor of the import. The bytes of a blob may be read and hashed on another.
// Durable  what was answered with success.

#include "base/asio.h"
#include "distribution_tree.h"
#include "engine/errors.h"
#include "engine/manifest.h"
#include "engine/names.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace orbitalreg::program {

enum class TagOutcome : std::uint8_t { set, moved, present, kept };

class ImportTarget {
public:
    virtual ~ImportTarget() = default;

    // Whether a push may go there, with what it takes. True: a project was made for it. Errc::name_unknown, Errc::unsupported.
    virtual Awaitable<engine::Answer<bool>> prepare(engine::ImageName image) = 0;
    virtual Awaitable<engine::Answer<bool>> has_blob(engine::ImageName image, Digest digest) = 0;
    // Whether it is in the store, and so needed a link only.
    virtual Awaitable<engine::Answer<bool>> link_blob(engine::ImageName image, Digest digest) = 0;
    // `read` grows as the bytes are read. Errc::digest_mismatch, Errc::size_invalid where the source could not be read.
    virtual Awaitable<engine::Answer<void>> store_blob(engine::ImageName image, Digest digest,
                                                       SourceBlob source,
                                                       std::atomic<std::uint64_t>* read) = 0;
    virtual Awaitable<engine::Answer<bool>> has_manifest(engine::ImageName image,
                                                         Digest digest) = 0;
    // The bytes as they are; `digest` was compared. Errc::child_missing and what a push is refused with.
    virtual Awaitable<engine::Answer<void>> put_manifest(engine::ImageName image, Digest digest,
                                                         std::vector<std::byte> bytes) = 0;
    virtual Awaitable<engine::Answer<TagOutcome>> set_tag(engine::ImageName image, engine::Tag tag,
                                                          Digest digest, bool overwrite) = 0;
    virtual const engine::RegistryLimits& limits() const = 0;
    // Whether put_manifest() says no to an index whose children are not there.
    virtual bool looks_for_children() const noexcept { return true; }
};

// Takes everything, keeps nothing.
class NoTarget final : public ImportTarget {
public:
    explicit NoTarget(engine::RegistryLimits limits) : limits_{limits} {}

    Awaitable<engine::Answer<bool>> prepare(engine::ImageName image) override;
    Awaitable<engine::Answer<bool>> has_blob(engine::ImageName image, Digest digest) override;
    Awaitable<engine::Answer<bool>> link_blob(engine::ImageName image, Digest digest) override;
    Awaitable<engine::Answer<void>> store_blob(engine::ImageName image, Digest digest,
                                               SourceBlob source,
                                               std::atomic<std::uint64_t>* read) override;
    Awaitable<engine::Answer<bool>> has_manifest(engine::ImageName image, Digest digest) override;
    Awaitable<engine::Answer<void>> put_manifest(engine::ImageName image, Digest digest,
                                                 std::vector<std::byte> bytes) override;
    Awaitable<engine::Answer<TagOutcome>> set_tag(engine::ImageName image, engine::Tag tag,
                                                  Digest digest, bool overwrite) override;
    const engine::RegistryLimits& limits() const override { return limits_; }
    bool looks_for_children() const noexcept override { return false; }

private:
    engine::RegistryLimits limits_;
};

}  // namespace orbitalreg::program
