#pragma once
// Every limit of engine, with unit and default; and what the configuration declares about projects
// and repositories.

#include "base/bytes.h"
#include "engine/access.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

struct RegistryLimits {
    // DIST-MAN-18; one byte more is Errc::too_large.
    std::uint64_t manifest_size_max_bytes = 4_MiB;
    std::uint32_t manifest_references_max = 10'000;    // descriptors in one manifest, SEC-15
    std::uint32_t manifest_annotations_max = 10'000;   // in all of it, SEC-15
    std::uint32_t manifest_depth_max = 32;             // SEC-15
    std::uint64_t manifest_string_max_bytes = 64_KiB;  // in known fields, SEC-15
    // Annotations of a manifest with a subject: listings of referrers repeat them.
    std::uint64_t referrer_annotations_max_bytes = 64_KiB;
    std::uint32_t tags_per_push_max = 100;  // DIST-MAN-24 asks for 10
    std::uint64_t blob_size_max_bytes = 0;  // 0: what the store allows

    std::uint32_t list_page_max = 10'000;  // tags and catalog; larger n is clamped, DIST-LIST-09
    std::uint32_t catalog_page_default = 100;  // DIST-CAT-02
    std::uint32_t referrers_page_max = 1000;   // SEC-22
    // Of annotations and types, so that a rendered page stays below 4 MiB.
    std::uint64_t referrers_page_max_bytes = 3_MiB;
    std::uint32_t referrers_per_subject_max = 10'000;  // SEC-22; beyond it Errc::denied

    std::int64_t uploads_idle_expiry_ms = 24 * 3600 * 1000LL;
    // Sessions that hold bytes, of one principal with a name; 0: no limit. Beyond it Errc::too_many_uploads (SEC-36).
    std::uint32_t uploads_per_principal_max = 1000;
    // Request ids whose outcome is remembered; beyond it the oldest is forgotten early.
    std::uint32_t request_outcomes_max = 65'536;
    std::int64_t request_outcome_keep_ms = 600'000;

    std::uint64_t document_size_max_bytes = 64_KiB;
    std::uint32_t documents_max = 1'000'000;
};

// The values are those of the catalog's records.
enum class RepositoryType : std::uint8_t { local = 1, remote = 2, virtual_members = 3 };

// Of a remote repository: where its content comes from, and how long an answer is good.
struct RemoteSettings {
    std::string url;  // scheme, host, perhaps a port and a path before /v2/
    std::string username;
    std::string password;               // never shown, never logged
    std::string ca_file;                // PEM: these authorities instead of the system's
    bool insecure_skip_verify = false;  // no certificate is checked: said at each start (SEC-65)
    std::string
        proxy;  // http://host:port; empty: what the environment says (HTTPS_PROXY, NO_PROXY)
    std::vector<std::string> allow_networks;  // beside public addresses (SEC-62)
    std::vector<std::string> auth_hosts;  // that may be its token service, beside its own (SEC-63)
    // `alpine` is `library/alpine` there (DIST-PROXY-03). Unset: at Docker Hub.
    std::optional<bool> library_prefix;

    std::int64_t revalidate_after_ms = 5 * 60'000LL;  // a tag is taken as it was for so long
    bool stale_if_error = true;  // a tag that cannot be asked for is served as it was, and says so
    std::int64_t max_stale_ms = 30 * 24 * 3'600'000LL;  // since it was last seen to be true
    std::int64_t negative_ttl_ms = 30'000;              // of "there is no such thing" (SEC-69)
    bool offline = false;                               // the upstream is never asked
    bool prefetch =
        false;  // the layers of an image that is pulled are fetched before they are asked for
    std::uint64_t cache_bytes = 0;  // of what is kept; not there yet: 0, no limit

    std::int64_t connect_timeout_ms = 5'000;
    std::int64_t idle_timeout_ms = 30'000;  // without a byte
    std::uint64_t min_rate_bytes = 1_KiB;   // a second, averaged over idle_timeout_ms
    std::uint32_t connections_max = 32;     // to this upstream at once (REL-22)

    friend bool operator==(const RemoteSettings&, const RemoteSettings&) = default;
};

// A member of a virtual repository.
struct VirtualMember {
    std::string repository;  // of the same project
    // Of the part of the image name behind the repository's, `library/alpine`: `*` does not cross `/`, `**` does. None: all.
    std::vector<std::string> include;
    std::vector<std::string> exclude;
    // The first that fits is applied: the name begins with `from`, and then with `to`.
    struct Rewrite {
        std::string from;
        std::string to;
        friend bool operator==(const Rewrite&, const Rewrite&) = default;
    };
    std::vector<Rewrite> rewrite;
    // Of a local one: an image name that it holds, or that `include` names, is asked of no remote member, whatever the tag
    // (SEC-70). False: tags of one name may come from several members.
    bool owns_names = true;

    friend bool operator==(const VirtualMember&, const VirtualMember&) = default;
};

struct VirtualSettings {
    std::vector<VirtualMember> members;  // asked in this order, local ones first (SEC-70)
    std::string deploy_to;               // the local member that takes pushes; empty: none does

    friend bool operator==(const VirtualSettings&, const VirtualSettings&) = default;
};

struct RepositoryDeclaration {
    std::string name;  // the <repo> in <project>/<repo>
    RepositoryType type = RepositoryType::local;
    // An index whose children are missing is accepted instead of refused.
    bool sparse_index_allowed = false;
    std::optional<bool> open_to_all;  // other than its project
    RemoteSettings remote{};          // of RepositoryType::remote
    VirtualSettings members{};        // of RepositoryType::virtual_members
};

// What somebody is in a project.
struct MemberDeclaration {
    bool group = false;  // of an identity provider; else a user
    std::string name;
    Role role = Role::limited;
    std::vector<std::string> patterns;  // of image names; empty: all of the project
};

struct ProjectDeclaration {
    std::string name;
    bool auto_create = false;  // an unknown repository becomes a local one at the first push
    std::vector<RepositoryDeclaration> repositories;
    bool open_to_all = false;  // anybody may pull
    std::vector<MemberDeclaration> members;
};

struct RegistryOptions {
    RegistryLimits limits;
    std::vector<ProjectDeclaration> projects;
    // defaults.auto_create_projects: any project exists, and makes its repositories itself.
    bool auto_create_projects = true;
    // defaults.project; empty: one-component names are unknown.
    std::string default_project = "library";
    bool mount_without_from = true;
};

}  // namespace orbitalreg::engine
