#pragma once
// Config is what the operator decided, from YAML files and the environment, complete and checked. A mistake is reported with
// file, line and path, all of them at once; nothing starts on half a configuration.
//
// Files        several, the later wins key by key; lists of sections (`projects`, `oidc.issuers`, `oidc.rules`) are replaced
//              as a whole.
// Environment  ORBITALREG_<PATH>, as in ORBITALREG_HTTP_ADDR; wins over files. A list of values has commas between them;
//              those lists cannot be given there.
// Features to come  their keys are known and accepted with their default value only, so that one file serves several
//              versions; any other value is refused, since it would be without effect.

#include "base/bytes.h"
#include "base/log.h"
#include "engine/options.h"
#include "engine/retention_policy.h"
#include "frontend/oidc.h"
#include "frontend/options.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::frontend {

struct RepositoryConfig {
    std::string name;
    bool sparse_index_allowed = false;
    std::optional<bool> open_to_all;  // other than its project
    engine::RepositoryType type = engine::RepositoryType::local;
    engine::RemoteSettings remote{};    // of a remote one
    engine::VirtualSettings members{};  // of a virtual one

    friend bool operator==(const RepositoryConfig&, const RepositoryConfig&) = default;
};

// What somebody is in a project.
struct MemberConfig {
    bool group = false;  // of an identity provider; else a user
    std::string name;
    std::string role;
    std::vector<std::string> patterns;  // of image names; empty: all

    friend bool operator==(const MemberConfig&, const MemberConfig&) = default;
};

struct ProjectConfig {
    std::string name;
    bool auto_create = false;
    std::vector<RepositoryConfig> repositories;
    bool open_to_all = false;
    std::vector<MemberConfig> members;

    friend bool operator==(const ProjectConfig&, const ProjectConfig&) = default;
};

enum class IoBackend : std::uint8_t { automatic, uring, threads };

struct StorageConfig {
    std::string path = "./data";
    IoBackend io = IoBackend::automatic;
    bool durable = true;  // storage.durability: full
    std::uint64_t log_segment_bytes = 0;
    std::uint64_t lane_bytes = 1_GiB;
    std::uint32_t lanes_writing_max = 256;
    std::chrono::milliseconds commit_target{2};  // 0: bulk writes do not give way
    std::uint64_t memory_limit_bytes = 1_GiB;
    std::uint64_t checkpoint_interval_bytes = 0;  // 0: by the last one's size
    std::chrono::milliseconds checkpoint_after{3'600'000};
    std::uint64_t checkpoint_at_stop_bytes = 1_MiB;

    friend bool operator==(const StorageConfig&, const StorageConfig&) = default;
};

struct UploadsConfig {
    std::chrono::milliseconds idle_expiry{24 * 3'600'000LL};
    std::uint32_t open_max = 100'000;
    std::uint32_t open_per_principal = 1000;
    std::uint32_t closed_max = 1'000'000;
    std::uint32_t rehash_max = 2;

    friend bool operator==(const UploadsConfig&, const UploadsConfig&) = default;
};

struct ScrubConfig {
    std::uint64_t rate_bytes = 50_MiB;  // a second; 0: no scrub
    std::chrono::milliseconds full_every{30 * 24 * 3'600'000LL};
    std::uint32_t digest_every = 4;
    std::uint32_t marks_per_minute = 16;

    friend bool operator==(const ScrubConfig&, const ScrubConfig&) = default;
};

struct CompactionConfig {
    std::chrono::milliseconds interval{60'000};  // 0: only when asked
    std::uint64_t rate_bytes = 1_GiB;            // a second; 0: without a bound

    friend bool operator==(const CompactionConfig&, const CompactionConfig&) = default;
};

struct GcConfig {
    std::chrono::milliseconds interval{3'600'000};
    std::chrono::milliseconds grace{24 * 3'600'000LL};
    bool paused = false;
    std::chrono::milliseconds damaged_keep{7 * 24 * 3'600'000LL};

    friend bool operator==(const GcConfig&, const GcConfig&) = default;
};

// What a reload changes as a whole.
struct RetentionConfig {
    bool enabled = true;
    std::chrono::milliseconds max_clock_jump{30 * 24 * 3'600'000LL};
    std::uint32_t trash_hours = 0;  // 0: as long as gc.grace
    std::vector<std::string> files;
    // The texts in which policies stand: of each file, and of the configuration itself.
    std::vector<engine::PolicyText> inline_policies;
    std::vector<engine::PolicyText> texts;
};

struct Config {
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::json;
    std::chrono::milliseconds log_gather{
        20};  // how long lines below warn wait; 0: each is written at once
    StorageConfig storage;
    ServerOptions server;
    bool insecure = false;
    std::uint32_t threads = 0;  // 0: one per core
    std::chrono::milliseconds stop_grace{30'000};
    UploadsConfig uploads;
    ScrubConfig scrub;
    CompactionConfig compaction;
    GcConfig gc;
    RetentionConfig retention;
    AuditOptions audit;
    // Where nothing is said: as here with auth.mode none, and neither with tokens.
    bool auto_create_projects = true;
    bool auto_create_projects_said = false;
    std::string default_project = "library";
    bool default_project_said = false;
    std::vector<ProjectConfig> projects;
    OidcOptions oidc;
};

struct ConfigFinding {
    std::string file;  // or the name of an environment variable
    int line = 0;      // from 1; 0: none
    std::string path;  // http.limits.header_bytes
    std::string message;

    std::string text() const;  // as a compiler would say it
};

struct LoadedConfig {
    Config config;
    std::vector<ConfigFinding> errors;
    std::vector<ConfigFinding> warnings;
    bool ok() const noexcept { return errors.empty(); }
};

// Never fails but through `errors`.
LoadedConfig load_config(const std::vector<std::string>& files,
                         const std::map<std::string, std::string>& environment);

// The variables of `environ` that begin with ORBITALREG_.
std::map<std::string, std::string> config_environment(char** environment);

// Sections that differ between the two and that only a restart changes; `log.level` is what a reload does.
std::vector<std::string> restart_needed(const Config& running, const Config& loaded);

}  // namespace orbitalreg::frontend
