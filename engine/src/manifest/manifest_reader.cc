#include "manifest/manifest_reader.h"

#include "base/base64.h"
#include "base/checksum.h"
#include "engine/names.h"

#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <array>

namespace orbitalreg::engine {

namespace {

namespace json = boost::json;

// Where in the document an object or array stands.
enum class Place : std::uint8_t {
    root,
    config,
    layers,
    layer,
    manifests,
    child,
    subject,
    own_annotations,
    descriptor_annotations,
    urls,
    ignored,
};

enum class Field : std::uint8_t {
    unknown,
    schema_version,
    media_type,
    artifact_type,
    config,
    layers,
    manifests,
    subject,
    annotations,
    digest,
    size,
    urls,
    data,
};

struct KnownField {
    std::string_view name;
    Field field;
};

constexpr std::array kRootFields{
    KnownField{"schemaVersion", Field::schema_version},
    KnownField{"mediaType", Field::media_type},
    KnownField{"artifactType", Field::artifact_type},
    KnownField{"config", Field::config},
    KnownField{"layers", Field::layers},
    KnownField{"manifests", Field::manifests},
    KnownField{"subject", Field::subject},
    KnownField{"annotations", Field::annotations},
};

constexpr std::array kDescriptorFields{
    KnownField{"mediaType", Field::media_type},
    KnownField{"digest", Field::digest},
    KnownField{"size", Field::size},
    KnownField{"urls", Field::urls},
    KnownField{"annotations", Field::annotations},
    KnownField{"data", Field::data},
    KnownField{"artifactType", Field::artifact_type},
};

constexpr bool is_descriptor(Place place) noexcept {
    return place == Place::config || place == Place::layer || place == Place::child ||
           place == Place::subject;
}

constexpr bool is_annotations(Place place) noexcept {
    return place == Place::own_annotations || place == Place::descriptor_annotations;
}

std::span<const KnownField> known_fields(Place place) noexcept {
    if (place == Place::root) return kRootFields;
    if (is_descriptor(place)) return kDescriptorFields;
    return {};
}

// What parsers that ignore case make of a key: ASCII letters, and the two others that Unicode folds
// into them.
std::string fold_case(std::string_view key) {
    std::string folded;
    folded.reserve(key.size());
    for (std::size_t i = 0; i < key.size();) {
        const auto rest = key.substr(i);
        if (rest.starts_with("\xC5\xBF")) {  // long s
            folded += 's';
            i += 2;
        } else if (rest.starts_with("\xE2\x84\xAA")) {  // Kelvin sign
            folded += 'k';
            i += 3;
        } else {
            const char c = key[i++];
            folded += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return folded;
}

struct OpenValue {
    Place place = Place::ignored;
    Field field = Field::unknown;     // of the key read last
    std::vector<std::uint64_t> keys;  // checksums of an object's keys
};

// The descriptor being read. Descriptors do not nest.
struct PendingDescriptor {
    RawDescriptor raw;
    bool has_media_type = false;
    bool has_digest = false;
    bool has_size = false;
    std::optional<std::string> data;
};

// The handler of Boost.JSON's basic_parser. Its function names are the library's.
class ManifestHandler {
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    explicit ManifestHandler(const RegistryLimits& limits) noexcept : limits_{limits} {}

    const std::string& problem() const noexcept { return problem_; }
    bool has_schema_version() const noexcept { return has_schema_version_; }
    RawManifest& result() noexcept { return result_; }

    bool on_document_begin(json::error_code&) { return true; }
    bool on_document_end(json::error_code&) { return true; }

    bool on_object_begin(json::error_code& ec);
    bool on_object_end(std::size_t, json::error_code& ec);
    bool on_array_begin(json::error_code& ec);
    bool on_array_end(std::size_t, json::error_code&) {
        open_.pop_back();
        return true;
    }

    bool on_key_part(json::string_view text, std::size_t, json::error_code&) {
        key_.append(text.data(), text.size());
        return true;
    }
    bool on_key(json::string_view text, std::size_t, json::error_code& ec);

    bool on_string_part(json::string_view text, std::size_t, json::error_code& ec);
    bool on_string(json::string_view text, std::size_t size, json::error_code& ec);

    bool on_number_part(json::string_view, json::error_code&) { return true; }
    bool on_int64(std::int64_t value, json::string_view, json::error_code& ec);
    bool on_uint64(std::uint64_t, json::string_view, json::error_code& ec) {
        return other_scalar("a number is out of range", ec);
    }
    bool on_double(double, json::string_view, json::error_code& ec) {
        return other_scalar("a fraction where an integer or text belongs", ec);
    }
    bool on_bool(bool, json::error_code& ec) {
        return other_scalar("a boolean where something else belongs", ec);
    }
    bool on_null(json::error_code& ec);

    bool on_comment_part(json::string_view, json::error_code&) { return true; }
    bool on_comment(json::string_view, json::error_code&) { return true; }

private:
    bool refuse_with(std::string problem, json::error_code& ec) {
        problem_ = std::move(problem);
        ec = make_error_code(Errc::manifest_invalid);
        return false;
    }
    OpenValue& top() noexcept { return open_.back(); }
    bool outside() const noexcept { return open_.empty(); }

    std::optional<Place> place_of_object() noexcept;
    std::optional<Place> place_of_array() noexcept;
    bool wants_text() noexcept;
    bool has_no_limit_but_the_body() noexcept;
    bool take_text(json::error_code& ec);
    bool finish_descriptor(Place place, json::error_code& ec);
    bool check_data(const PendingDescriptor& pending, json::error_code& ec);
    bool other_scalar(const char* problem, json::error_code& ec);

    const RegistryLimits& limits_;
    RawManifest result_;
    std::vector<OpenValue> open_;
    PendingDescriptor pending_;
    std::string key_;
    std::string text_;
    std::string annotation_key_;
    std::uint32_t descriptors_ = 0;
    std::uint32_t annotations_ = 0;
    bool has_schema_version_ = false;
    std::string problem_;
};

// The place of an object that begins now; nothing where none belongs.
std::optional<Place> ManifestHandler::place_of_object() noexcept {
    if (outside()) return Place::root;
    const auto place = top().place;
    const auto field = top().field;
    if (place == Place::ignored) return Place::ignored;
    if (place == Place::layers) return Place::layer;
    if (place == Place::manifests) return Place::child;
    if (place == Place::root) {
        if (field == Field::unknown) return Place::ignored;
        if (field == Field::config) return Place::config;
        if (field == Field::subject) return Place::subject;
        if (field == Field::annotations) return Place::own_annotations;
    }
    if (is_descriptor(place)) {
        if (field == Field::unknown) return Place::ignored;
        if (field == Field::annotations) return Place::descriptor_annotations;
    }
    return std::nullopt;
}

std::optional<Place> ManifestHandler::place_of_array() noexcept {
    if (outside()) return std::nullopt;
    const auto place = top().place;
    const auto field = top().field;
    if (place == Place::ignored) return Place::ignored;
    if (place == Place::root) {
        if (field == Field::unknown) return Place::ignored;
        if (field == Field::layers) return Place::layers;
        if (field == Field::manifests) return Place::manifests;
    }
    if (is_descriptor(place)) {
        if (field == Field::unknown) return Place::ignored;
        if (field == Field::urls) return Place::urls;
    }
    return std::nullopt;
}

bool ManifestHandler::on_object_begin(json::error_code& ec) {
    const auto place = place_of_object();
    if (!place) return refuse_with("an object where something else belongs", ec);
    if (is_descriptor(*place)) {
        if (++descriptors_ > limits_.manifest_references_max) {
            return refuse_with("too many descriptors", ec);
        }
        pending_ = {};
    }
    open_.push_back({*place, Field::unknown, {}});
    return true;
}

bool ManifestHandler::on_array_begin(json::error_code& ec) {
    const auto place = place_of_array();
    if (!place) return refuse_with("an array where something else belongs", ec);
    if (*place == Place::layers) result_.has_layers = true;
    if (*place == Place::manifests) result_.has_manifests = true;
    open_.push_back({*place, Field::unknown, {}});
    return true;
}

bool ManifestHandler::on_object_end(std::size_t, json::error_code& ec) {
    auto& keys = top().keys;
    std::sort(keys.begin(), keys.end());
    if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) {
        return refuse_with("a key stands twice in one object", ec);
    }
    const auto place = top().place;
    open_.pop_back();
    return !is_descriptor(place) || finish_descriptor(place, ec);
}

bool ManifestHandler::on_key(json::string_view text, std::size_t, json::error_code& ec) {
    key_.append(text.data(), text.size());
    top().keys.push_back(checksum64(as_bytes(key_)));
    top().field = Field::unknown;
    const auto known = known_fields(top().place);
    if (!known.empty()) {
        const auto folded = fold_case(key_);
        for (const auto& candidate : known) {
            if (key_ == candidate.name) {
                top().field = candidate.field;
            } else if (folded == fold_case(candidate.name)) {
                return refuse_with(
                    "a key differs from " + std::string{candidate.name} + " only in case", ec);
            }
        }
    }
    if (is_annotations(top().place)) {
        if (++annotations_ > limits_.manifest_annotations_max)
            return refuse_with("too many annotations", ec);
        annotation_key_ = key_;
    }
    key_.clear();
    return true;
}

bool ManifestHandler::wants_text() noexcept {
    if (outside()) return false;
    const auto place = top().place;
    return place == Place::own_annotations ||
           ((place == Place::root || is_descriptor(place)) && top().field != Field::unknown);
}

// Annotations and embedded data may be as long as the manifest allows; types and digests may not
// (SEC-15).
bool ManifestHandler::has_no_limit_but_the_body() noexcept {
    return top().place == Place::own_annotations || top().field == Field::data;
}

bool ManifestHandler::on_string_part(json::string_view text, std::size_t size,
                                     json::error_code& ec) {
    if (!wants_text()) return true;
    if (size > limits_.manifest_string_max_bytes && !has_no_limit_but_the_body()) {
        return refuse_with("a string is too long", ec);
    }
    text_.append(text.data(), text.size());
    return true;
}

bool ManifestHandler::on_string(json::string_view text, std::size_t size, json::error_code& ec) {
    if (outside()) return refuse_with("not an object", ec);
    if (!on_string_part(text, size, ec)) return false;
    const bool taken = take_text(ec);
    text_.clear();
    return taken;
}

bool ManifestHandler::take_text(json::error_code& ec) {
    const auto place = top().place;
    const auto field = top().field;
    if (place == Place::own_annotations) {
        result_.annotations.emplace_back(annotation_key_, text_);
        return true;
    }
    if (place == Place::urls) {
        pending_.raw.has_urls = true;
        return true;
    }
    if (place == Place::layers || place == Place::manifests) {
        return refuse_with("a descriptor is not an object", ec);
    }
    if (field == Field::unknown) return true;  // annotations of descriptors, too
    if (place == Place::root && field == Field::media_type) {
        result_.media_type = text_;
    } else if (place == Place::root && field == Field::artifact_type) {
        result_.artifact_type = text_;
    } else if (is_descriptor(place) && field == Field::media_type) {
        pending_.raw.descriptor.media_type = text_;
        pending_.has_media_type = true;
    } else if (is_descriptor(place) && field == Field::digest) {
        auto digest = parse_digest(text_);
        if (!digest)
            return refuse_with("a descriptor's digest is malformed or of an unknown algorithm", ec);
        pending_.raw.descriptor.digest = digest.value();
        pending_.has_digest = true;
    } else if (is_descriptor(place) && field == Field::data) {
        pending_.data = std::move(text_);
    } else if (!is_descriptor(place) || field != Field::artifact_type) {
        return refuse_with("text where something else belongs", ec);
    }
    return true;
}

bool ManifestHandler::on_int64(std::int64_t value, json::string_view, json::error_code& ec) {
    if (!outside() && top().place == Place::root && top().field == Field::schema_version) {
        if (value == 1) return refuse_with("Docker manifest schema 1 is not supported", ec);
        if (value != 2) return refuse_with("schemaVersion is not 2", ec);
        has_schema_version_ = true;
        return true;
    }
    if (!outside() && is_descriptor(top().place) && top().field == Field::size) {
        if (value < 0) return refuse_with("a descriptor's size is negative", ec);
        pending_.raw.descriptor.size_bytes = static_cast<std::uint64_t>(value);
        pending_.has_size = true;
        return true;
    }
    return other_scalar("a number where something else belongs", ec);
}

// Lists and maps that some writers leave null are as good as absent.
bool ManifestHandler::on_null(json::error_code& ec) {
    if (!outside()) {
        const auto field = top().field;
        if (field == Field::annotations || (top().place == Place::root && field == Field::layers) ||
            (is_descriptor(top().place) && (field == Field::urls || field == Field::data))) {
            return true;
        }
        if (top().place == Place::root && field == Field::manifests) {
            result_.has_manifests = true;
            return true;
        }
    }
    return other_scalar("null where something else belongs", ec);
}

bool ManifestHandler::other_scalar(const char* problem, json::error_code& ec) {
    if (outside()) return refuse_with("not an object", ec);
    const auto place = top().place;
    const bool free = place == Place::ignored || ((place == Place::root || is_descriptor(place)) &&
                                                  top().field == Field::unknown);
    return free || refuse_with(problem, ec);
}

bool ManifestHandler::finish_descriptor(Place place, json::error_code& ec) {
    if (!pending_.has_digest) return refuse_with("a descriptor without digest", ec);
    const bool is_subject = place == Place::subject;
    if (!pending_.has_size && !is_subject) return refuse_with("a descriptor without size", ec);
    if (!pending_.has_media_type && !is_subject)
        return refuse_with("a descriptor without mediaType", ec);
    if (!check_data(pending_, ec)) return false;
    switch (place) {
        case Place::config:
            result_.config = std::move(pending_.raw);
            break;
        case Place::subject:
            result_.subject = std::move(pending_.raw);
            break;
        case Place::layer:
            result_.layers.push_back(std::move(pending_.raw));
            break;
        default:
            result_.manifests.push_back(std::move(pending_.raw));
            break;
    }
    return true;
}

// DIST-MAN-12: embedded data is what the descriptor names.
bool ManifestHandler::check_data(const PendingDescriptor& pending, json::error_code& ec) {
    if (!pending.data) return true;
    const auto decoded = decode_base64(*pending.data);
    if (!decoded) return refuse_with("a descriptor's data is not base64", ec);
    const auto& descriptor = pending.raw.descriptor;
    if (pending.has_size && decoded->size() != descriptor.size_bytes) {
        return refuse_with("a descriptor's data has another length than its size says", ec);
    }
    if (Digest::of(descriptor.digest.algorithm(), *decoded) != descriptor.digest) {
        return refuse_with("a descriptor's data does not match its digest", ec);
    }
    return true;
}

std::string message_of_syntax_error(const json::error_code& ec) {
    if (ec == json::error::too_deep) return "nested too deeply";
    return "not valid JSON (" + ec.message() + ")";
}

}  // namespace

Answer<RawManifest> read_manifest_text(ByteView text, const RegistryLimits& limits) {
    json::parse_options options;
    options.max_depth = limits.manifest_depth_max;
    json::basic_parser<ManifestHandler> parser{options, limits};
    json::error_code ec;
    const auto chars = as_text(text);
    const auto consumed = parser.write_some(false, chars.data(), chars.size(), ec);
    const auto& problem = parser.handler().problem();
    if (!problem.empty()) return refuse({Errc::manifest_invalid, problem});
    if (ec) return refuse({Errc::manifest_invalid, message_of_syntax_error(ec)});
    if (consumed != chars.size())
        return refuse({Errc::manifest_invalid, "data behind the end of the manifest"});
    if (!parser.handler().has_schema_version())
        return refuse({Errc::manifest_invalid, "no schemaVersion"});
    return std::move(parser.handler().result());
}

}  // namespace orbitalreg::engine
