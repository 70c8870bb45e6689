#include "config/schema.h"

#include "config/quantities.h"
#include "engine/names.h"
#include "frontend/server.h"
#include "http/ascii.h"
#include "http/cors.h"
#include "http/forwarded.h"

#include <algorithm>
#include <array>

namespace orbitalreg::frontend {
namespace {

using std::chrono::milliseconds;
using Trouble = std::optional<std::string>;

constexpr std::uint64_t kSizeMax = 1ULL << 62;
constexpr std::uint64_t kCountMax = 100'000'000;

Trouble wrong(std::string_view text, std::string_view expected) {
    return "`" + std::string{text} + "` is not " + std::string{expected};
}

template <class T>
Trouble set_size(T& to, std::string_view text, std::uint64_t min, std::uint64_t max) {
    const auto size = parse_size(text);
    if (!size) return wrong(text, "a size such as 64MiB");
    if (*size < min || *size > max) {
        return "must be from " + std::to_string(min) + " to " + std::to_string(max) + " bytes";
    }
    to = static_cast<T>(*size);
    return std::nullopt;
}

template <class T>
Trouble set_number(T& to, std::string_view text, std::uint64_t min, std::uint64_t max) {
    const auto number = parse_decimal(text);
    if (!number) return wrong(text, "a whole number");
    if (*number < min || *number > max) {
        return "must be from " + std::to_string(min) + " to " + std::to_string(max);
    }
    to = static_cast<T>(*number);
    return std::nullopt;
}

Trouble set_duration(milliseconds& to, std::string_view text, milliseconds min) {
    const auto duration = parse_duration(text);
    if (!duration) return wrong(text, "a duration such as 24h or 30s");
    if (*duration < min) return "must be at least " + std::to_string(min.count()) + "ms";
    to = *duration;
    return std::nullopt;
}

Trouble set_bool(bool& to, std::string_view text) {
    const auto value = parse_bool(text);
    if (!value) return wrong(text, "true or false");
    to = *value;
    return std::nullopt;
}

Trouble set_text(std::string& to, std::string_view text) {
    to = text;
    return std::nullopt;
}

Trouble set_address(std::string& to, std::string_view text) {
    if (!is_loopback(std::string{text})) {
        return wrong(text, "an IP address with a port, such as 127.0.0.1:5000");
    }
    to = text;
    return std::nullopt;
}

template <class T, std::size_t N>
Trouble set_choice(T& to, std::string_view text,
                   const std::array<std::pair<std::string_view, T>, N>& choices) {
    std::string names;
    for (const auto& [name, value] : choices) {
        if (name == text) {
            to = value;
            return std::nullopt;
        }
        names += (names.empty() ? "" : ", ") + std::string{name};
    }
    return wrong(text, "one of: " + names);
}

Trouble apply_version(Config&, std::string_view text) {
    if (text != "1") return "this program reads version 1";
    return std::nullopt;
}

Trouble apply_log_level(Config& config, std::string_view text) {
    return set_choice<LogLevel, 4>(config.log_level, text,
                                   {{{"debug", LogLevel::debug},
                                     {"info", LogLevel::info},
                                     {"warn", LogLevel::warn},
                                     {"error", LogLevel::error}}});
}

Trouble apply_log_format(Config& config, std::string_view text) {
    return set_choice<LogFormat, 2>(config.log_format, text,
                                    {{{"json", LogFormat::json}, {"text", LogFormat::text}}});
}

Trouble apply_path(Config& config, std::string_view text) {
    if (text.empty()) return "must not be empty";
    config.storage.path = text;
    return std::nullopt;
}

Trouble apply_io(Config& config, std::string_view text) {
    return set_choice<IoBackend, 3>(config.storage.io, text,
                                    {{{"auto", IoBackend::automatic},
                                      {"uring", IoBackend::uring},
                                      {"threads", IoBackend::threads}}});
}

Trouble apply_durability(Config& config, std::string_view text) {
    return set_choice<bool, 2>(config.storage.durable, text, {{{"full", true}, {"none", false}}});
}

Trouble apply_log_segment(Config& config, std::string_view text) {
    if (auto trouble = set_size(config.storage.log_segment_bytes, text, 0, 64_MiB)) return trouble;
    const auto size = config.storage.log_segment_bytes;
    if (size != 0 && (size < 4_MiB || size % 4_KiB != 0)) {
        return "must be 0, or from 4MiB to 64MiB in steps of 4KiB";
    }
    return std::nullopt;
}

Trouble apply_checkpoint_interval(Config& config, std::string_view text) {
    auto& interval = config.storage.checkpoint_interval_bytes;
    if (auto trouble = set_size(interval, text, 0, kSizeMax)) return trouble;
    if (interval != 0 && interval < 16_MiB) return "must be 0, or at least 16MiB";
    return std::nullopt;
}

Trouble apply_external_url(Config& config, std::string_view text) {
    if (!text.empty() && !text.starts_with("http://") && !text.starts_with("https://")) {
        return wrong(text, "a URL that begins with https:// or http://");
    }
    if (!std::all_of(text.begin(), text.end(), is_visible_ascii) ||
        text.find_first_of("?#<>\"") != text.npos) {
        return wrong(text, "a URL without query and fragment");
    }
    while (text.ends_with('/')) text.remove_suffix(1);
    config.server.external_url = text;
    return std::nullopt;
}

// The values of a list, each of which must pass `valid`.
template <class Valid>
Trouble set_list(std::vector<std::string>& to, std::string_view text, Valid valid,
                 std::string_view expected) {
    to.clear();
    while (!text.empty()) {
        const auto comma = text.find(',');
        auto value = text.substr(0, comma);
        text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
        while (value.starts_with(' ')) value.remove_prefix(1);
        while (value.ends_with(' ')) value.remove_suffix(1);
        if (!valid(value)) return wrong(value, expected);
        to.emplace_back(value);
    }
    return std::nullopt;
}

Trouble apply_trusted_proxies(Config& config, std::string_view text) {
    const auto valid = [](std::string_view value) { return parse_network(value).has_value(); };
    return set_list(config.server.trusted_proxies, text, valid,
                    "an address or a network such as 192.0.2.0/24");
}

Trouble apply_cors_origins(Config& config, std::string_view text) {
    return set_list(
        config.server.cors.origins, text, is_origin,
        "an origin: https://, a host in small letters, perhaps a port; neither `*` nor `null`");
}

Trouble apply_auth_mode(Config& config, std::string_view text) {
    return set_choice<bool, 2>(config.server.auth.on, text, {{{"none", false}, {"token", true}}});
}

// What stands between quotes in a header, and is compared byte by byte.
Trouble apply_auth_service(Config& config, std::string_view text) {
    const bool plain = std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || std::string_view{"._:-/"}.find(c) != std::string_view::npos;
    });
    if (!plain || text.size() > 128) return wrong(text, "a name of letters, digits and ._:-/");
    config.server.auth.service = text;
    return std::nullopt;
}

Trouble set_seconds(std::chrono::seconds& to, std::string_view text, std::chrono::seconds min,
                    std::chrono::seconds max) {
    milliseconds value{0};
    if (auto trouble = set_duration(value, text, min)) return trouble;
    if (value > max) return "must be at most " + std::to_string(max.count()) + 's';
    to = std::chrono::floor<std::chrono::seconds>(value);
    return std::nullopt;
}

Trouble apply_key_life(Config& config, std::string_view text) {
    using std::chrono::seconds;
    auto& life = config.server.auth.key_life;
    if (auto trouble = set_seconds(life, text, seconds{0}, seconds{10 * 365 * 86400}))
        return trouble;
    if (life != seconds{0} && life < seconds{3600}) return "must be 0, or at least 1h";
    return std::nullopt;
}

Trouble apply_auto_create(Config& config, std::string_view text) {
    config.auto_create_projects_said = true;
    return set_bool(config.auto_create_projects, text);
}

Trouble apply_audit_enabled(Config& config, std::string_view text) {
    return set_choice<AuditEnabled, 3>(config.audit.enabled, text,
                                       {{{"auto", AuditEnabled::automatic},
                                         {"true", AuditEnabled::on},
                                         {"false", AuditEnabled::off}}});
}

Trouble apply_audit_sync(Config& config, std::string_view text) {
    return set_choice<AuditSync, 2>(
        config.audit.sync, text,
        {{{"interval", AuditSync::interval}, {"always", AuditSync::always}}});
}

Trouble apply_verify_reads(Config&, std::string_view text) {
    if (text == "always") return std::nullopt;
    if (text == "scrubbed") return "not there yet in this version: only `always` is accepted";
    return wrong(text, "one of: always");
}

Trouble apply_tls_address(Config& config, std::string_view text) {
    if (!text.empty()) return set_address(config.server.tls.address, text);
    config.server.tls.address.clear();
    return std::nullopt;
}

Trouble apply_client_certificate(Config& config, std::string_view text) {
    return set_choice<bool, 2>(config.server.tls.client_certificate_required, text,
                               {{{"optional", false}, {"required", true}}});
}

Trouble apply_admin_address(Config& config, std::string_view text) {
    if (!text.empty()) return set_address(config.server.admin_address, text);
    config.server.admin_address.clear();
    return std::nullopt;
}

Trouble apply_default_project(Config& config, std::string_view text) {
    if (!text.empty()) {
        const auto name = engine::ImageName::parse(text);
        if (!name || name.value().component_count() != 1)
            return wrong(text, "the name of a project");
    }
    config.default_project = text;
    config.default_project_said = true;
    return std::nullopt;
}

Trouble apply_retention_files(Config& config, std::string_view text) {
    const auto valid = [](std::string_view value) { return !value.empty(); };
    return set_list(config.retention.files, text, valid, "the name of a file");
}

constexpr Key to_come(std::string_view path, std::string_view fallback) noexcept {
    return {path, nullptr, fallback};
}

// A key whose value goes to one member through one of the functions above.
#define ORB_KEY(path, expression)                                                             \
    Key {                                                                                     \
        path, [](Config& config, std::string_view text) -> Trouble { return expression; }, {} \
    }

constexpr auto kKeys = std::to_array<Key>({
    {"version", apply_version, {}},
    {"log.level", apply_log_level, {}},
    {"log.format", apply_log_format, {}},
    ORB_KEY("log.gather", set_duration(config.log_gather, text, milliseconds{0})),
    {"storage.path", apply_path, {}},
    {"storage.io", apply_io, {}},
    {"storage.durability", apply_durability, {}},
    {"storage.log_segment_size", apply_log_segment, {}},
    ORB_KEY("storage.lane_size", set_size(config.storage.lane_bytes, text, 1_MiB, 1ULL << 42)),
    ORB_KEY("storage.lanes_writing_max",
            set_number(config.storage.lanes_writing_max, text, 1, 4096)),
    ORB_KEY("storage.commit_target",
            set_duration(config.storage.commit_target, text, milliseconds{0})),
    ORB_KEY("storage.memory_limit",
            set_size(config.storage.memory_limit_bytes, text, 64_MiB, kSizeMax)),
    {"storage.checkpoint_interval", apply_checkpoint_interval, {}},
    ORB_KEY("storage.checkpoint_after",
            set_duration(config.storage.checkpoint_after, text, milliseconds{1000})),
    ORB_KEY("storage.checkpoint_at_stop",
            set_size(config.storage.checkpoint_at_stop_bytes, text, 0, kSizeMax)),
    {"storage.verify_reads", apply_verify_reads, {}},
    ORB_KEY("gc.interval", set_duration(config.gc.interval, text, milliseconds{100})),
    ORB_KEY("gc.grace", set_duration(config.gc.grace, text, milliseconds{0})),
    ORB_KEY("gc.paused", set_bool(config.gc.paused, text)),
    ORB_KEY("gc.damaged_keep", set_duration(config.gc.damaged_keep, text, milliseconds{0})),
    to_come("gc.scrub_on_delete", "false"),
    ORB_KEY("retention.enabled", set_bool(config.retention.enabled, text)),
    ORB_KEY("retention.max_clock_jump",
            set_duration(config.retention.max_clock_jump, text, milliseconds{3'600'000})),
    ORB_KEY("retention.trash_hours", set_number(config.retention.trash_hours, text, 1, 168)),
    {"retention.files", apply_retention_files, {}, true},
    ORB_KEY("compaction.interval", set_duration(config.compaction.interval, text, milliseconds{0})),
    ORB_KEY("compaction.rate", set_size(config.compaction.rate_bytes, text, 0, 1ULL << 40)),
    ORB_KEY("scrub.rate", set_size(config.scrub.rate_bytes, text, 0, 1ULL << 40)),
    ORB_KEY("scrub.full_every", set_duration(config.scrub.full_every, text, milliseconds{60'000})),
    ORB_KEY("scrub.digest_every", set_number(config.scrub.digest_every, text, 0, 1'000'000)),
    ORB_KEY("scrub.marks_per_minute",
            set_number(config.scrub.marks_per_minute, text, 1, kCountMax)),
    ORB_KEY("http.addr", set_address(config.server.address, text)),
    {"http.external_url", apply_external_url, {}},
    ORB_KEY("http.insecure", set_bool(config.insecure, text)),
    ORB_KEY("http.threads", set_number(config.threads, text, 0, 1024)),
    ORB_KEY("http.min_rate", set_size(config.server.times.rate_min, text, 0, 1_GiB)),
    ORB_KEY("http.header_timeout",
            set_duration(config.server.times.header, text, milliseconds{100})),
    ORB_KEY("http.idle_timeout", set_duration(config.server.times.idle, text, milliseconds{100})),
    ORB_KEY("http.body_window",
            set_duration(config.server.times.body_window, text, milliseconds{100})),
    ORB_KEY("http.stall_window",
            set_duration(config.server.times.response_window, text, milliseconds{100})),
    ORB_KEY("http.stop_grace", set_duration(config.stop_grace, text, milliseconds{0})),
    ORB_KEY("http.handshake_timeout",
            set_duration(config.server.times.handshake, text, milliseconds{100})),
    {"http.tls.addr", apply_tls_address, {}},
    ORB_KEY("http.tls.certificate", set_text(config.server.tls.certificate, text)),
    ORB_KEY("http.tls.key", set_text(config.server.tls.key, text)),
    ORB_KEY("http.tls.client_ca", set_text(config.server.tls.client_ca, text)),
    {"http.tls.client_certificate", apply_client_certificate, {}},
    {"http.trusted_proxies", apply_trusted_proxies, {}, true},
    {"http.cors.origins", apply_cors_origins, {}, true},
    ORB_KEY("http.cors.writing", set_bool(config.server.cors.writing, text)),
    ORB_KEY("http.cors.max_age", set_duration(config.server.cors.max_age, text, milliseconds{0})),
    ORB_KEY("http.limits.header_bytes",
            set_size(config.server.limits.header_bytes, text, 16_KiB, 1_MiB)),
    ORB_KEY("http.limits.manifest_bytes",
            set_size(config.server.limits.manifest_bytes, text, 4_KiB, 64_MiB)),
    ORB_KEY("http.limits.blob_bytes", set_size(config.server.limits.blob_bytes, text, 0, kSizeMax)),
    ORB_KEY("http.limits.connections",
            set_number(config.server.limits.connections, text, 1, 1'000'000)),
    ORB_KEY("http.limits.connections_per_address",
            set_number(config.server.limits.connections_per_address, text, 1, 1'000'000)),
    ORB_KEY("http.limits.requests", set_number(config.server.limits.requests, text, 1, 1'000'000)),
    ORB_KEY("http.limits.request_memory",
            set_size(config.server.limits.request_memory_bytes, text, 1_MiB, kSizeMax)),
    ORB_KEY("http.limits.requests_per_second",
            set_number(config.server.rates.requests_per_second, text, 0, 1'000'000)),
    ORB_KEY("http.limits.requests_per_principal",
            set_number(config.server.rates.requests_per_principal, text, 0, 1'000'000)),
    ORB_KEY("http.limits.pulls", set_number(config.server.rates.pulls, text, 0, kCountMax)),
    ORB_KEY("http.limits.pull_window",
            set_duration(config.server.rates.pull_window, text, milliseconds{1000})),
    {"admin.addr", apply_admin_address, {}},
    ORB_KEY("uploads.idle_expiry",
            set_duration(config.uploads.idle_expiry, text, milliseconds{1000})),
    to_come("uploads.durable_patch", "true"),
    ORB_KEY("uploads.open_max", set_number(config.uploads.open_max, text, 1, kCountMax)),
    ORB_KEY("uploads.open_per_principal",
            set_number(config.uploads.open_per_principal, text, 0, kCountMax)),
    ORB_KEY("uploads.closed_max", set_number(config.uploads.closed_max, text, 1, kCountMax)),
    ORB_KEY("uploads.rehash_max", set_number(config.uploads.rehash_max, text, 1, 1024)),
    {"auth.mode", apply_auth_mode, {}},
    {"auth.service", apply_auth_service, {}},
    ORB_KEY("auth.token_life", set_seconds(config.server.auth.token_life, text,
                                           std::chrono::seconds{60}, std::chrono::seconds{3600})),
    ORB_KEY("auth.basic_on_v2", set_bool(config.server.auth.basic_on_v2, text)),
    ORB_KEY("auth.rotate_refresh", set_bool(config.server.auth.rotate_refresh, text)),
    ORB_KEY("auth.refresh_life",
            set_seconds(config.server.auth.refresh_life, text, std::chrono::seconds{3600},
                        std::chrono::seconds{365 * 86400})),
    ORB_KEY("auth.login_failures", set_number(config.server.auth.login_failures, text, 1, 1000)),
    ORB_KEY("auth.offline", set_bool(config.server.auth.offline, text)),
    ORB_KEY("auth.keys_path", set_text(config.server.auth.keys_path, text)),
    {"auth.key_life", apply_key_life, {}},
    {"defaults.auto_create_projects", apply_auto_create, {}},
    {"audit.enabled", apply_audit_enabled, {}},
    ORB_KEY("audit.path", set_text(config.audit.path, text)),
    {"audit.sync", apply_audit_sync, {}},
    ORB_KEY("audit.rotate_size", set_size(config.audit.rotate_bytes, text, 1_MiB, 1ULL << 40)),
    ORB_KEY("audit.files_max", set_number(config.audit.files_max, text, 0, 1'000'000)),
    ORB_KEY("audit.required", set_bool(config.audit.required, text)),
    ORB_KEY("audit.pulls", set_bool(config.audit.pulls, text)),
    {"defaults.project", apply_default_project, {}},
    ORB_KEY("defaults.deletion", set_bool(config.server.deletion, text)),
    ORB_KEY("defaults.mount_without_from", set_bool(config.server.mount_without_from, text)),
});

#undef ORB_KEY

constexpr std::array<std::string_view, 5> kSectionsToCome{
    "detection", "scanner", "sigstore_trust_roots", "sigstore_trust_policies", "cluster"};

}  // namespace

std::span<const Key> keys() noexcept { return kKeys; }

const Key* find_key(std::string_view path) noexcept {
    for (const Key& key : kKeys) {
        if (key.path == path) return &key;
    }
    return nullptr;
}

bool is_section(std::string_view path) noexcept {
    return std::any_of(kKeys.begin(), kKeys.end(), [path](const Key& key) {
        return key.path.size() > path.size() && key.path.starts_with(path) &&
               key.path[path.size()] == '.';
    });
}

bool is_section_to_come(std::string_view path) noexcept {
    return std::find(kSectionsToCome.begin(), kSectionsToCome.end(), path) != kSectionsToCome.end();
}

std::string environment_name(std::string_view path) {
    std::string name = "ORBITALREG_";
    for (const char c : path) {
        if (c == '.') {
            name += '_';
        } else {
            name += is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
        }
    }
    return name;
}

}  // namespace orbitalreg::frontend
