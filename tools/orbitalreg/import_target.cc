#include "import_target.h"

namespace orbitalreg::program {

Awaitable<engine::Answer<bool>> NoTarget::prepare(engine::ImageName) { co_return false; }

Awaitable<engine::Answer<bool>> NoTarget::has_blob(engine::ImageName, Digest) { co_return false; }

Awaitable<engine::Answer<bool>> NoTarget::link_blob(engine::ImageName, Digest) { co_return false; }

Awaitable<engine::Answer<void>> NoTarget::store_blob(engine::ImageName, Digest, SourceBlob,
                                                     std::atomic<std::uint64_t>*) {
    co_return ok();
}

Awaitable<engine::Answer<bool>> NoTarget::has_manifest(engine::ImageName, Digest) {
    co_return false;
}

Awaitable<engine::Answer<void>> NoTarget::put_manifest(engine::ImageName, Digest,
                                                       std::vector<std::byte>) {
    co_return ok();
}

Awaitable<engine::Answer<TagOutcome>> NoTarget::set_tag(engine::ImageName, engine::Tag, Digest,
                                                        bool) {
    co_return TagOutcome::set;
}

}  // namespace orbitalreg::program
