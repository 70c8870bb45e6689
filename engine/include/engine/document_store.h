#pragma once
// DocumentStore holds small named documents with versions: accounts, verdicts, policies, jobs,
// keys. The second of the two seams behind which all durable state lies; RegistryStore is the
// first.
//
// Durable  a write that answered with success survives power loss.
// Ids      repeating a request id within RegistryLimits::request_outcome_keep_ms gives the first
//          outcome again. Threads  any reactor. Limits   RegistryLimits::document_size_max_bytes
//          (Errc::too_large), documents_max (Errc::limit_reached); a name is 1 to 255 bytes of
//          printable ASCII, without space (Errc::name_invalid).

#include "base/asio.h"
#include "base/bytes.h"
#include "engine/errors.h"
#include "engine/request_id.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

struct Document {
    std::string name;
    std::uint64_t version = 0;  // grows with each write of the name, over its deletion too; never 0
    std::uint64_t expires_store_time_ms =
        0;  // 0: never. Once past, the document is as absent as a deleted one
    std::vector<std::byte> bytes;
};

// What a write expects to find.
struct DocumentExpectation {
    enum class Kind : std::uint8_t { anything, absent, version };
    Kind kind = Kind::anything;
    std::uint64_t version = 0;

    static DocumentExpectation anything() noexcept { return {}; }
    static DocumentExpectation absent() noexcept { return {Kind::absent, 0}; }
    static DocumentExpectation at_version(std::uint64_t v) noexcept { return {Kind::version, v}; }
};

struct DocumentWrite {
    std::string name;
    std::vector<std::byte> bytes;
    DocumentExpectation expected;
    std::uint64_t keep_ms = 0;  // 0: until deleted
};

struct DocumentPage {
    std::vector<Document> documents;  // in byte order of the names
    bool more = false;
};

class DocumentStore {
public:
    virtual ~DocumentStore() = default;

    // Errc::document_unknown.
    virtual Awaitable<Answer<Document>> get(std::string name) = 0;
    // The new version. Errc::exists where it was expected to be absent, else
    // Errc::precondition_failed.
    virtual Awaitable<Answer<std::uint64_t>> put(RequestId id, DocumentWrite write) = 0;
    // Errc::document_unknown, Errc::precondition_failed.
    virtual Awaitable<Answer<void>> remove(RequestId id, std::string name,
                                           DocumentExpectation expected) = 0;
    // Names that start with `prefix` and come after `after`, at most `count_max`.
    virtual Awaitable<Answer<DocumentPage>> list(std::string prefix, std::string after,
                                                 std::uint32_t count_max) = 0;

    // `changed` is called with the name after each applied write or deletion under `prefix`, until
    // the returned handle is destroyed. It runs on the thread that applies: it must not block, nor
    // call the store.
    virtual std::shared_ptr<void> watch(std::string prefix,
                                        std::function<void(const std::string& name)> changed) = 0;
};

}  // namespace orbitalreg::engine
