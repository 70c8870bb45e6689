#include "catalog/catalog.h"
#include "engine/embedded_store.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace orbitalreg::engine {

namespace {

namespace json = boost::json;

json::object describe(const ManifestPutRecord& r) {
    json::object o;
    o["image"] = r.image.text();
    o["digest"] = r.digest.to_string();
    o["media_type"] = json::string_view{media_type_of(r.kind).data(), media_type_of(r.kind).size()};
    o["size_bytes"] = r.size_bytes;
    json::array edges;
    for (const auto& edge : r.edges) {
        edges.push_back(json::object{{"digest", edge.digest.to_string()},
                                     {"only_if_present", edge.only_if_present}});
    }
    o["edges"] = std::move(edges);
    if (r.subject) o["subject"] = r.subject->to_string();
    if (!r.artifact_type.empty()) o["artifact_type"] = r.artifact_type;
    json::object annotations;
    for (const auto& [key, value] : r.annotations) annotations[key] = value;
    if (!annotations.empty()) o["annotations"] = std::move(annotations);
    json::array tags;
    for (const auto& tag : r.tags) tags.push_back(json::string{tag.text()});
    o["tags"] = std::move(tags);
    return o;
}

json::object describe(const TagSetRecord& r) {
    return {{"image", r.image.text()}, {"tag", r.tag.text()}, {"digest", r.digest.to_string()}};
}

json::object describe(const TagDeleteRecord& r) {
    return {{"image", r.image.text()}, {"tag", r.tag.text()}};
}

json::object describe(const ManifestDeleteRecord& r) {
    return {{"image", r.image.text()}, {"digest", r.digest.to_string()}};
}

json::object describe(const LinkAddRecord& r) {
    return {{"image", r.image.text()}, {"digest", r.digest.to_string()}};
}

json::object describe(const LinkDeleteRecord& r) {
    return {{"image", r.image.text()}, {"digest", r.digest.to_string()}};
}

json::object describe(const RepositoryPutRecord& r) {
    return {{"repository", r.object.name.text()},
            {"repository_type", static_cast<int>(r.object.type)},
            {"sparse_index_allowed", r.object.sparse_index_allowed}};
}

// The bytes may be secrets: their number is enough.
json::object describe(const DocumentPutRecord& r) {
    return {{"name", r.name},
            {"size_bytes", r.bytes.size()},
            {"expires_store_time_ms", r.expires_store_time_ms}};
}

json::object describe(const DocumentDeleteRecord& r) { return {{"name", r.name}}; }

json::object describe(const PullTimesRecord& r) {
    json::array images;
    for (const auto& [image, pulls] : r.images) {
        json::array described;
        for (const auto& pull : pulls) {
            json::object o{{"digest", pull.digest.to_string()}, {"pulled_s", pull.pulled_s}};
            if (pull.tag) o["tag"] = pull.tag->text();
            described.push_back(std::move(o));
        }
        images.push_back(json::object{{"image", image.text()}, {"pulls", std::move(described)}});
    }
    return {{"images", std::move(images)}};
}

}  // namespace

std::string describe_record(const cas::CatalogRecordView& record) {
    const auto change = decode(record);
    if (!change) {
        return json::serialize(json::object{{"record", "unreadable"}, {"type", record.type}});
    }
    const auto name = to_string(type_of(change.value()));
    json::object described{{"record", json::string_view{name.data(), name.size()}}};
    for (auto& field : std::visit([](const auto& r) { return describe(r); }, change.value())) {
        described[field.key()] = std::move(field.value());
    }
    return json::serialize(described);
}

std::unique_ptr<cas::CatalogMachine> make_catalog(const RegistryLimits& limits) {
    return std::make_unique<Catalog>(limits);
}

}  // namespace orbitalreg::engine
