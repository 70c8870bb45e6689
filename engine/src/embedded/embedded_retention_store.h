#pragma once
// EmbeddedRetentionStore reads the catalog in memory and commits judged deletions like any other request: many in one frame,
// each looked at again in its turn.

#include "embedded/checks.h"
#include "engine/retention_store.h"

namespace orbitalreg::engine {

class EmbeddedRetentionStore final : public RetentionStore {
public:
    EmbeddedRetentionStore(cas::Store& store, Catalog& catalog, const RegistryLimits& limits,
                           asio::any_io_executor background)
        : store_{store},
          catalog_{catalog},
          state_{catalog, store, limits},
          background_{std::move(background)} {}

    std::uint32_t now_s() const noexcept override;
    std::uint32_t history_since_s() const noexcept override {
        return catalog_.images().history_since_s();
    }
    void set_waiting_pulls(
        std::function<bool(const ImageName&, const Digest&)> is_waiting) override {
        is_waiting_ = std::move(is_waiting);
    }
    Awaitable<Answer<void>> note_pulls(RequestId id, std::vector<ImagePulls> pulls) override;
    Awaitable<Answer<ImageSnapshot>> snapshot(ImageName image) override;
    Awaitable<Answer<std::vector<JudgedFate>>> delete_judged_tags(
        RequestId id, ImageName image, std::vector<JudgedTag> tags) override;
    Awaitable<Answer<std::vector<JudgedFate>>> delete_judged_manifests(
        RequestId id, ImageName image, std::vector<JudgedManifest> manifests) override;
    Awaitable<ReleasedContent> release_of(std::vector<ImageManifest> gone) override;
    Awaitable<Answer<std::vector<std::byte>>> read_released(Digest digest,
                                                            std::uint64_t size_max) override;

private:
    static Awaitable<std::optional<ImageSnapshot>> take_snapshot(const EmbeddedRetentionStore* self,
                                                                 ImageName image);
    static Awaitable<ReleasedContent> add_up(const EmbeddedRetentionStore* self,
                                             std::vector<ImageManifest> gone);

    cas::Store& store_;
    Catalog& catalog_;
    AppliedState state_;
    asio::any_io_executor background_;
    std::function<bool(const ImageName&, const Digest&)> is_waiting_;
};

}  // namespace orbitalreg::engine
