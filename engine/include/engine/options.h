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

struct RepositoryDeclaration {
    std::string name;  // the <repo> in <project>/<repo>
    RepositoryType type = RepositoryType::local;
    // An index whose children are missing is accepted instead of refused.
    bool sparse_index_allowed = false;
    std::optional<bool> open_to_all;  // other than its project
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
