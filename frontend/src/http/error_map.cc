#include "http/error_map.h"

#include "http/json_text.h"

namespace orbitalreg::frontend {
namespace {

using engine::Errc;

struct Mapped {
    unsigned status = 500;
    std::string_view code = "UNKNOWN";
};

bool is_pull(Subject subject) noexcept {
    return subject == Subject::blob_pull || subject == Subject::manifest_pull;
}

bool is_manifest(Subject subject) noexcept {
    return subject == Subject::manifest_pull || subject == Subject::manifest_push;
}

// What the client asked for does not exist, in the words of what it asked for.
Mapped unknown_content(Subject subject) noexcept {
    return {404, is_manifest(subject) ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN"};
}

Mapped map_name_fault(Errc error, Subject subject) noexcept {
    switch (error) {
        case Errc::name_invalid:
            return {400, "NAME_INVALID"};
        case Errc::tag_invalid:
            // DIST-TAG-02: what can be no tag is not there; to push it is an error.
            return is_pull(subject) ? unknown_content(subject) : Mapped{400, "MANIFEST_INVALID"};
        case Errc::digest_unsupported:
            return is_pull(subject) ? unknown_content(subject) : Mapped{400, "DIGEST_INVALID"};
        default:
            return {400, "DIGEST_INVALID"};
    }
}

Mapped map_state_fault(Errc error) noexcept {
    switch (error) {
        case Errc::no_space:
            return {507, "UNAVAILABLE"};
        case Errc::read_only:
        case Errc::overloaded:
        case Errc::stopped:
        case Errc::io_error:  // the device may be well again
        case Errc::unknown:   // a retry with the same content finds out
            return {503, "UNAVAILABLE"};
        default:
            return {500, "UNKNOWN"};
    }
}

Mapped map(Errc error, Subject subject) noexcept {
    switch (error) {
        case Errc::name_invalid:
        case Errc::tag_invalid:
        case Errc::digest_invalid:
        case Errc::digest_unsupported:
        case Errc::digest_mismatch:
            return map_name_fault(error, subject);
        case Errc::manifest_invalid:
        case Errc::limit_reached:
            return {400, "MANIFEST_INVALID"};
        case Errc::size_invalid:
            return {400, "SIZE_INVALID"};
        case Errc::name_unknown:
            return {404, "NAME_UNKNOWN"};
        case Errc::manifest_unknown:
            return {404, "MANIFEST_UNKNOWN"};
        case Errc::blob_unknown:
            return {404, "BLOB_UNKNOWN"};
        case Errc::upload_unknown:
            return {404, "BLOB_UPLOAD_UNKNOWN"};
        case Errc::upstream_unavailable:
            return {503, "UNAVAILABLE"};
        case Errc::upstream_untrusted:
            return {502, "UNAVAILABLE"};
        case Errc::throttled:
        case Errc::too_many_uploads:
            return {429, "TOOMANYREQUESTS"};
        case Errc::precondition_failed:
            return {412, "DENIED"};
        case Errc::offset_mismatch:
            return {416, "BLOB_UPLOAD_INVALID"};
        case Errc::child_missing:
            return {400, "MANIFEST_BLOB_UNKNOWN"};
        case Errc::in_use:
        case Errc::unsupported:
            return {405, "UNSUPPORTED"};
        case Errc::too_large:
            return {413, is_manifest(subject) ? "MANIFEST_INVALID" : "SIZE_INVALID"};
        case Errc::denied:
            return {403, "DENIED"};
        case Errc::document_unknown:
        case Errc::exists:
        case Errc::no_space:
        case Errc::read_only:
        case Errc::overloaded:
        case Errc::damaged:
        case Errc::io_error:
        case Errc::unwritable:
        case Errc::stopped:
        case Errc::unknown:
            return map_state_fault(error);
    }
    return {};
}

// One MANIFEST_BLOB_UNKNOWN for each missing item (DIST-MAN-13).
Response missing_children(const engine::Refusal& refusal) {
    std::vector<ErrorEntry> entries;
    for (const Digest& digest : refusal.digests) {
        entries.push_back({"MANIFEST_BLOB_UNKNOWN", refusal.message,
                           R"({"digest":)" + json_string(digest.to_string()) + "}"});
    }
    if (entries.empty()) entries.push_back({"MANIFEST_BLOB_UNKNOWN", refusal.message, {}});
    return error_response(400, entries);
}

}  // namespace

Response refusal_response(const engine::Refusal& refusal, Subject subject) {
    const bool ours = refusal.code.category() == engine::category();
    const auto error = static_cast<Errc>(refusal.code.value());
    if (ours && error == Errc::child_missing) return missing_children(refusal);
    const auto mapped = ours ? map(error, subject) : Mapped{};
    // Of an error that is none of the registry's, a client learns that there was one (DIST-ERR-03).
    Response response =
        error_response(mapped.status, mapped.code, ours ? refusal.message : "internal error");
    if (mapped.status == 503 || mapped.status == 507) response.headers.add("Retry-After", "1");
    // Sessions end by the minute, not by the second.
    if (mapped.status == 429) {
        response.headers.add("Retry-After", refusal.retry_after_s > 0 ? refusal.retry_after_s : 60);
    }
    if (mapped.status == 405) response.headers.add("Allow", "GET, HEAD");
    return response;
}

}  // namespace orbitalreg::frontend
