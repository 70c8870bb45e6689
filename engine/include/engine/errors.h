#pragma once
// Errors   of engine: one closed enum, the outcomes of RegistryStore and DocumentStore among them;
//          and Refusal, which carries what a person or a client must be told beside the code.

#include "base/digest.h"
#include "base/result.h"

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/system/error_code.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

enum class Errc {
    name_invalid = 1,     // outside the grammar of image names, or too long
    tag_invalid,          // a reference that is neither a tag nor meant as a digest
    digest_invalid,       // malformed digest
    digest_unsupported,   // a well-formed digest of another algorithm than sha256 and sha512
    manifest_invalid,     // cannot be parsed, wrong type, limits, contradictions
    size_invalid,         // lengths disagree
    name_unknown,         // no such project, repository or image name
    manifest_unknown,     // no such tag or manifest under this image name
    blob_unknown,         // no such blob under this image name
    upload_unknown,       // no such session: forged, foreign, expired, cancelled or finished
    too_many_uploads,     // as many sessions are open as may be
    document_unknown,     // no such document
    exists,               // a create-exclusive met something
    precondition_failed,  // the tag or document is not in the state that was expected
    digest_mismatch,      // the bytes are not those the digest names; nothing became visible
    offset_mismatch,      // not at the upload's offset, or another request writes to it;
                          // Refusal::offset_bytes is the truth
    child_missing,        // Refusal::digests: one for each missing config, layer or child manifest
    in_use,               // Refusal::digests: a manifest that refers to the blob
    too_large,            // above a limit in bytes
    limit_reached,        // above a limit in number that the caller's content ran into
    denied,               // a policy says no
    unsupported,          // the repository's type or settings do not offer this
    no_space,             // disk full; reading and deleting still work
    read_only,            // the store takes no writes until it is opened anew
    overloaded,           // a limit on work in hand is reached: try again later
    damaged,              // the stored bytes fail their checksum and are not served
    io_error,             // the device failed
    unwritable,  // a record of it could not be read again: a fault of ours, nothing happened
    upstream_unavailable,  // another registry does not answer, and nothing is kept of what was asked for
    upstream_untrusted,  // it answers what it must not: nothing of that was kept
    throttled,           // it wants to be left alone: Refusal::retry_after_s
    stopped,             // shutting down
    unknown,             // it may or may not have happened: ask again with the same request id
};

const boost::system::error_category& category() noexcept;
inline ErrorCode make_error_code(Errc error) noexcept {
    return {static_cast<int>(error), category()};
}

// Refusal is why something was not done. `message` is one short sentence for people, without
// secrets.
struct Refusal {
    ErrorCode code;
    std::string message;
    std::vector<Digest> digests;      // what `code` is about; see Errc
    std::uint64_t offset_bytes = 0;   // offset_mismatch: where the upload stands
    std::uint64_t retry_after_s = 0;  // throttled; 0: nobody said

    Refusal() = default;
    // Implicit, so that a failed Result leaves a function that answers. The message is the code's
    // own.
    Refusal(ErrorCode error)
        : code{error}, message{error.message()} {}            // NOLINT(google-explicit-constructor)
    Refusal(Errc error) : Refusal{make_error_code(error)} {}  // NOLINT(google-explicit-constructor)
    Refusal(Errc error, std::string text)
        : code{make_error_code(error)}, message{std::move(text)} {}
    Refusal(Errc error, std::string text, std::vector<Digest> about)
        : code{make_error_code(error)}, message{std::move(text)}, digests{std::move(about)} {}

    friend bool operator==(const Refusal&, const Refusal&) = default;
};

// Answer<T> is what calls made on behalf of a user return.
template <class T>
using Answer = boost::outcome_v2::basic_result<T, Refusal, boost::outcome_v2::policy::terminate>;

// The failure of any Answer: `return refuse({Errc::in_use, "...", {digest}});`
inline auto refuse(Refusal refusal) { return boost::outcome_v2::failure(std::move(refusal)); }

}  // namespace orbitalreg::engine

template <>
struct boost::system::is_error_code_enum<orbitalreg::engine::Errc> : std::true_type {};
