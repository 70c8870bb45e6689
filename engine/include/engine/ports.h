#pragma once
// What the registry asks of policies, as abstract classes: a gate may stop a pull, an observer may
// add documents to the frame of a push. Detection and signature policies attach here.

#include "base/asio.h"
#include "engine/access.h"
#include "engine/errors.h"
#include "engine/registry_store.h"

#include <optional>
#include <string_view>
#include <vector>

namespace orbitalreg::engine {

struct PullRequest {
    const Principal& principal;
    const ImageName& image;
    const Digest& digest;
    bool manifest = false;             // else a blob
    std::optional<ManifestKind> kind;  // of a manifest
};

// Gate decides whether something that exists may be pulled. Gates are asked in order; the first
// refusal is the answer.
class Gate {
public:
    virtual ~Gate() = default;
    // For the log and `explain`.
    virtual std::string_view name() const noexcept = 0;
    // `request` outlives the call. An error code of Errc::denied, with a message for the person who
    // pulls.
    virtual Awaitable<Answer<void>> admit(const PullRequest& request) = 0;
};

struct ManifestPush {
    const Principal& principal;
    const ImageName& image;
    const Digest& digest;
    const Manifest& manifest;
};

// ManifestObserver sees each manifest before it is committed. It may refuse it, or add documents
// that are written in the same step: either both are there after a crash or neither.
class ManifestObserver {
public:
    virtual ~ManifestObserver() = default;
    virtual Answer<std::vector<DocumentWrite>> observe(const ManifestPush& push) = 0;
};

// PullObserver is told of each manifest that was handed out by GET, once it has been found and admitted.
class PullObserver {
public:
    virtual ~PullObserver() = default;
    // `image`: where the manifest lies, also where it was asked for under another name.
    virtual Awaitable<void> pulled(Principal principal, ImageName image, Reference reference,
                                   Digest digest) = 0;
};

}  // namespace orbitalreg::engine
