#include "audit/audit_line.h"

#include "base/hasher.h"
#include "http/ascii.h"
#include "http/json_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace orbitalreg::frontend {
namespace {

constexpr std::size_t kKeySizeMax = 64;
constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kMsPerSecond = 1'000;

constexpr std::string_view kSeq = R"({"seq":)";
constexpr std::string_view kTime = R"(,"time":")";
constexpr std::string_view kMore = R"(,"more":{)";
constexpr std::string_view kPrevious = R"(,"prev":")";
constexpr std::string_view kHash = R"(,"hash":")";
constexpr std::string_view kEnd = R"("})";
constexpr std::size_t kTimeSize = 24;
constexpr std::size_t kHashPartSize = kHash.size() + kAuditHashSize + kEnd.size();
constexpr std::size_t kPreviousPartSize = kPrevious.size() + kAuditHashSize + 1;

void append_member(std::string& out, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    out.append(",\"").append(name).append("\":\"");
    append_json_ascii(out, value, AuditEvent::kFieldSizeMax);
    out += '"';
}

void append_more(std::string& out, const AuditEvent& event) {
    if (event.more.empty()) return;
    const std::size_t count = std::min(event.more.size(), AuditEvent::kMoreMax);
    out += kMore;
    for (std::size_t i = 0; i < count; ++i) {
        out += i == 0 ? "\"" : ",\"";
        append_json_ascii(out, event.more[i].first, kKeySizeMax);
        out += "\":\"";
        append_json_ascii(out, event.more[i].second, AuditEvent::kFieldSizeMax);
        out += '"';
    }
    out += '}';
    if (count < event.more.size())
        append_member(out, "more_left_out", std::to_string(event.more.size() - count));
}

std::string hash_of(std::string_view previous, std::string_view hashed) {
    Hasher hasher{DigestAlgorithm::sha256};
    hasher.update(as_bytes(previous));
    hasher.update(as_bytes(hashed));
    return hasher.digest().hex();
}

bool is_hash(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

// The digits at the beginning of `text`, which goes on behind them.
std::optional<std::uint64_t> take_number(std::string_view& text) noexcept {
    std::size_t size = 0;
    while (size < text.size() && is_digit(text[size])) ++size;
    const auto digits = text.substr(0, size);
    if (digits.starts_with('0')) return std::nullopt;
    text.remove_prefix(size);
    return parse_decimal(digits);
}

bool take(std::string_view& text, std::string_view expected) noexcept {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

// A number of exactly `size` digits.
std::optional<int> take_digits(std::string_view& text, std::size_t size) noexcept {
    if (text.size() < size) return std::nullopt;
    const auto number = parse_decimal(text.substr(0, size));
    if (!number) return std::nullopt;
    text.remove_prefix(size);
    return static_cast<int>(*number);
}

// `.5` and the like; nothing where there is no digit.
std::optional<std::int64_t> take_fraction_ms(std::string_view& text) noexcept {
    if (!take(text, ".")) return 0;
    std::int64_t ms = 0;
    std::int64_t unit_ms = kMsPerSecond;
    std::size_t size = 0;
    for (; size < text.size() && is_digit(text[size]); ++size) {
        unit_ms /= 10;
        ms += unit_ms * (text[size] - '0');
    }
    text.remove_prefix(size);
    if (size == 0) return std::nullopt;
    return ms;
}

}  // namespace

std::string encode_audit_event(const AuditEvent& event) {
    std::string out;
    out.reserve(1_KiB);
    append_member(out, "action", event.action.empty() ? "unknown" : event.action);
    out += event.granted ? R"(,"granted":true)" : R"(,"granted":false)";
    if (event.status != 0) out.append(R"(,"status":)").append(std::to_string(event.status));
    append_member(out, "principal", event.principal);
    append_member(out, "credential", event.credential);
    append_member(out, "address", event.address);
    append_member(out, "request_id", event.request_id);
    append_member(out, "object", event.object);
    append_member(out, "reference", event.reference);
    append_member(out, "digest", event.digest);
    append_member(out, "old_digest", event.old_digest);
    append_member(out, "rule", event.rule);
    append_member(out, "reason", event.reason);
    append_more(out, event);
    return out;
}

SealedAuditLine seal_audit_line(const AuditHead& before, std::int64_t wall_ns,
                                std::string_view members) {
    SealedAuditLine line;
    line.text.reserve(members.size() + 2 * kHashPartSize + 2 * kTimeSize + 32);
    line.text.append(kSeq).append(std::to_string(before.seq + 1));
    line.text.append(kTime).append(audit_time_text(wall_ns)).append("\"");
    line.text.append(members);
    line.text.append(kPrevious).append(before.hash).append("\"");
    line.hash = hash_of(before.hash, line.text);
    line.text.append(kHash).append(line.hash).append(kEnd).append("\n");
    return line;
}

std::optional<AuditLineView> view_audit_line(std::string_view line) noexcept {
    const auto position = audit_line_position(line);
    if (!position || line.size() < kHashPartSize + kPreviousPartSize) return std::nullopt;
    AuditLineView view;
    view.seq = position->seq;
    view.hashed = line.substr(0, line.size() - kHashPartSize);
    auto hash_part = line.substr(view.hashed.size());
    auto previous_part = view.hashed.substr(view.hashed.size() - kPreviousPartSize);
    if (!take(hash_part, kHash) || !take(previous_part, kPrevious)) return std::nullopt;
    view.hash = hash_part.substr(0, kAuditHashSize);
    view.previous_hash = previous_part.substr(0, kAuditHashSize);
    if (hash_part.substr(kAuditHashSize) != kEnd || previous_part.back() != '"')
        return std::nullopt;
    if (!is_hash(view.hash) || !is_hash(view.previous_hash)) return std::nullopt;
    return view;
}

bool has_right_hash(const AuditLineView& line) {
    return hash_of(line.previous_hash, line.hashed) == line.hash;
}

std::optional<AuditLinePosition> audit_line_position(std::string_view line) noexcept {
    if (!take(line, kSeq)) return std::nullopt;
    const auto seq = take_number(line);
    if (!seq || !take(line, kTime) || line.size() <= kTimeSize || line[kTimeSize] != '"')
        return std::nullopt;
    return AuditLinePosition{*seq, line.substr(0, kTimeSize)};
}

std::string audit_time_text(std::int64_t wall_ns) {
    const std::int64_t ms = wall_ns / kNsPerMs;
    const std::time_t seconds = ms / kMsPerSecond;
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    std::array<char, 96> text{};
    const int size =
        std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                      parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                      parts.tm_min, parts.tm_sec, static_cast<int>(ms % kMsPerSecond));
    return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<std::int64_t> parse_audit_time(std::string_view text) noexcept {
    std::tm parts{};
    const auto year = take_digits(text, 4);
    const bool first_dash = take(text, "-");
    const auto month = take_digits(text, 2);
    const bool second_dash = take(text, "-");
    const auto day = take_digits(text, 2);
    if (!year || !first_dash || !month || !second_dash || !day) return std::nullopt;
    if (*year < 1970 || *month < 1 || *month > 12 || *day < 1 || *day > 31) return std::nullopt;
    parts.tm_year = *year - 1900;
    parts.tm_mon = *month - 1;
    parts.tm_mday = *day;
    if (text.empty()) return static_cast<std::int64_t>(::timegm(&parts)) * kMsPerSecond;
    if (!take(text, "T")) return std::nullopt;
    const auto hour = take_digits(text, 2);
    const bool first_colon = take(text, ":");
    const auto minute = take_digits(text, 2);
    const bool second_colon = take(text, ":");
    const auto second = take_digits(text, 2);
    const auto fraction_ms = take_fraction_ms(text);
    if (!hour || !first_colon || !minute || !second_colon || !second || !fraction_ms)
        return std::nullopt;
    if (text != "Z" || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
    parts.tm_hour = *hour;
    parts.tm_min = *minute;
    parts.tm_sec = *second;
    return static_cast<std::int64_t>(::timegm(&parts)) * kMsPerSecond + *fraction_ms;
}

std::string_view audit_field(std::string_view line, std::string_view name) noexcept {
    // A quote within a value is escaped, so that no value can pass for a member.
    const auto own = line.substr(0, line.find(kMore));
    for (std::size_t at = own.find(name); at != own.npos; at = own.find(name, at + 1)) {
        if (at < 2 || own[at - 1] != '"' || (own[at - 2] != ',' && own[at - 2] != '{')) continue;
        auto value = own.substr(at + name.size());
        if (!take(value, "\":")) continue;
        if (!take(value, "\"")) return value.substr(0, value.find_first_of(",}"));
        std::size_t end = 0;
        while (end < value.size() && value[end] != '"') end += value[end] == '\\' ? 2 : 1;
        return value.substr(0, end);
    }
    return {};
}

}  // namespace orbitalreg::frontend
