// The push of a manifest: parsed, observed, committed in one step.

#include "registry/rooms.h"

namespace orbitalreg::engine {

namespace {

// DIST-DIG-06, DIST-MAN-03: the algorithm the client named, sha256 where it named none.
Answer<Digest> digest_of(const PutManifestRequest& request) {
    const auto* expected = std::get_if<Digest>(&request.reference);
    const auto algorithm = expected == nullptr ? DigestAlgorithm::sha256 : expected->algorithm();
    const auto digest = Digest::of(algorithm, request.bytes);
    if (expected != nullptr && digest != *expected) {
        return refuse({Errc::digest_mismatch,
                       "the manifest does not match the digest in the path",
                       {digest}});
    }
    return digest;
}

Answer<std::vector<Tag>> tags_of(PutManifestRequest& request, const RegistryLimits& limits) {
    if (auto* tag = std::get_if<Tag>(&request.reference)) return std::vector<Tag>{*tag};
    if (request.more_tags.size() > limits.tags_per_push_max) {
        return refuse({Errc::limit_reached, "too many tags in one push"});
    }
    return std::move(request.more_tags);
}

Refusal may_not_move() {
    return {Errc::denied, "the tag exists, and to move it needs more rights than to push"};
}

}  // namespace

Awaitable<Answer<PutManifestReceipt>> Registry::put_manifest(Principal principal,
                                                             PutManifestRequest request) {
    auto target = co_await rooms_->rules.target_of(request.image);
    if (!target) co_return refuse(target.error());
    ORB_CO_TRY(auto manifest,
               Manifest::parse(request.bytes, request.content_type, rooms_->limits()));
    ORB_CO_TRY(const auto digest, digest_of(request));
    const bool by_digest = std::holds_alternative<Digest>(request.reference);
    ORB_CO_TRY(auto tags, tags_of(request, rooms_->limits()));

    std::vector<DocumentWrite> documents;
    for (auto* observer : rooms_->observers) {
        ORB_CO_TRY(auto more, observer->observe({principal, request.image, digest, manifest}));
        std::move(more.begin(), more.end(), std::back_inserter(documents));
    }

    PutManifestReceipt receipt{
        digest, manifest.subject(), by_digest ? tags : std::vector<Tag>{}, {}};
    auto expected = request.expected;
    const bool held_back =
        !request.may_move_tags && expected.kind == TagExpectation::Kind::anything;
    if (held_back) expected = TagExpectation::absent_or_at(digest);
    const bool moves_without_right = !request.may_move_tags &&
                                     expected.kind == TagExpectation::Kind::digest &&
                                     expected.digest != digest;
    if (moves_without_right) co_return refuse(may_not_move());
    const bool sparse = target.value().repository.sparse_index_allowed;
    ManifestPut put{std::move(target).value(),
                    digest,
                    std::move(request.bytes),
                    std::move(manifest),
                    std::move(tags),
                    expected,
                    sparse,
                    rooms_->limits().referrers_per_subject_max,
                    std::move(documents)};
    const auto id = rooms_->new_request();
    const auto stored = co_await rooms_->store.put_manifest(id, std::move(put));
    if (!stored && held_back && stored.error().code == Errc::precondition_failed)
        co_return refuse(may_not_move());
    if (!stored) co_return refuse(stored.error());
    receipt.tags_were = stored.value().tags_were;
    co_return receipt;
}

}  // namespace orbitalreg::engine
