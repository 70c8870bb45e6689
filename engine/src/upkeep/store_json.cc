#include "upkeep/store_json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <utility>

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;

std::uint64_t ago(std::uint64_t then_ms, std::uint64_t now_ms) noexcept {
    return now_ms > then_ms ? now_ms - then_ms : 0;
}

json::object object_of(const cas::SpaceFigures& figures) {
    return {{"files", figures.files},
            {"size_bytes", figures.size_bytes},
            {"used_bytes", figures.used_bytes},
            {"live_bytes", figures.live_bytes},
            {"dead_bytes", figures.dead_bytes},
            {"held_bytes", figures.held_bytes},
            {"allocated_bytes", figures.allocated_bytes},
            {"punched_bytes", figures.punched_bytes}};
}

json::object object_of(const cas::PlainFiles& files) {
    return {{"files", files.files},
            {"size_bytes", files.size_bytes},
            {"allocated_bytes", files.allocated_bytes}};
}

json::array array_of(const std::vector<cas::FileSpace>& files) {
    json::array list;
    for (const cas::FileSpace& file : files) {
        json::object object{{"file", file.file}, {"state", file.state}};
        for (auto& [name, value] : object_of(file.figures)) {
            if (name != "files") object[name] = value;
        }
        list.emplace_back(std::move(object));
    }
    return list;
}

json::object object_of(const cas::SpaceReport& space) {
    json::object object{{"allocated_bytes", space.allocated_bytes()},
                        {"file_system_bytes", space.file_system_bytes},
                        {"file_system_free_bytes", space.file_system_free_bytes},
                        {"lanes", object_of(space.lanes)},
                        {"log", object_of(space.log)},
                        {"checkpoints", object_of(space.checkpoints)},
                        {"other", object_of(space.other)}};
    if (!space.lane_files.empty()) object["lane_files"] = array_of(space.lane_files);
    if (!space.log_files.empty()) object["log_files"] = array_of(space.log_files);
    return object;
}

json::object object_of(const cas::CompactionReport& round) {
    return {{"lanes_examined", round.lanes_examined},
            {"lanes_punched", round.lanes_punched},
            {"lanes_unlinked", round.lanes_unlinked},
            {"lanes_deferred", round.lanes_deferred},
            {"lanes_refused", round.lanes_refused},
            {"bytes_punched", round.bytes_punched},
            {"bytes_unlinked", round.bytes_unlinked},
            {"segments_examined", round.segments_examined},
            {"segments_recycled", round.segments_recycled},
            {"segments_removed", round.segments_removed},
            {"segments_left", round.segments_left},
            {"blobs_relocated", round.blobs_relocated},
            {"marks_relocated", round.marks_relocated},
            {"bytes_relocated", round.bytes_relocated}};
}

json::object memory_of(const cas::StoreStats& store) {
    json::object object;
    for (const cas::MemoryUse& use : store.memory) {
        object[use.share] =
            json::object{{"used_bytes", use.used_bytes}, {"limit_bytes", use.limit_bytes}};
    }
    return object;
}

// What somebody opened in order to look at it is nothing to worry about.
void tell_read_only(const cas::StoreStats& store, json::object& object) {
    if (store.read_only && store.read_only_reason != cas::kOpenedForReading)
        object["read_only"] = store.read_only_reason;
}

json::object catalog_of(const RegistryStoreStats& registry) {
    return {{"images", registry.images},
            {"repositories", registry.repositories},
            {"manifests", registry.manifests},
            {"tags", registry.tags},
            {"links", registry.links},
            {"documents", registry.documents},
            {"memory_bytes", registry.catalog_memory_bytes}};
}

json::object log_of(const cas::StoreStats& store) {
    return {{"lsn", store.lsn},
            {"store_time_ms", store.store_time_ms},
            {"bytes_since_checkpoint", store.log_bytes_since_checkpoint},
            {"checkpoint_lsn", store.checkpoint_lsn},
            {"checkpoint_bytes", store.checkpoint_bytes}};
}

json::object start_of(const cas::StoreStats& store) {
    return {{"clean", store.clean_start},
            {"took_ms", store.recovery_ms},
            {"checkpoint_rows_loaded", store.checkpoint_rows_loaded},
            {"frames_replayed", store.frames_replayed}};
}

}  // namespace

std::string stats_json(const RegistryStoreStats& registry, const cas::StoreStats& store,
                       const cas::SpaceReport& space) {
    json::object object{{"blobs", store.blobs},
                        {"blob_bytes", store.blob_bytes},
                        {"damaged_blobs", store.damaged_blobs},
                        {"uploads_open", store.uploads_open},
                        {"damage_limit_reached", store.damage_storm},
                        {"space", object_of(space)},
                        {"catalog", catalog_of(registry)},
                        {"log", log_of(store)},
                        {"start", start_of(store)},
                        {"memory", memory_of(store)}};
    tell_read_only(store, object);
    return json::serialize(object);
}

std::string compaction_json(const cas::CompactionReport& round, const cas::SpaceReport& before,
                            const cas::SpaceReport& after) {
    json::object object = object_of(round);
    object["before"] = object_of(before);
    object["after"] = object_of(after);
    return json::serialize(object);
}

std::string compaction_status_json(const cas::CompactionStatus& status, std::uint64_t now_ms) {
    json::object object{
        {"running", status.running}, {"rounds", status.rounds}, {"total", object_of(status.total)}};
    if (status.rounds > 0) {
        object["last"] = object_of(status.last);
        object["last_ended_ago_ms"] = ago(status.last_end_store_time_ms, now_ms);
    }
    return json::serialize(object);
}

std::string scrub_status_json(const cas::ScrubStatus& status, const cas::StoreStats& store,
                              std::uint64_t now_ms) {
    json::object object{{"enabled", status.enabled},
                        {"running", status.running},
                        {"pass", status.pass},
                        {"full_pass", status.full_pass},
                        {"blobs", status.blobs},
                        {"bytes", status.bytes},
                        {"bytes_stored", store.blob_bytes},
                        {"damaged", status.damaged},
                        {"unreadable", status.unreadable},
                        {"headers_damaged", status.headers_damaged},
                        {"cleared", status.cleared},
                        {"damaged_blobs", store.damaged_blobs},
                        {"damage_limit_reached", status.damage_storm}};
    if (status.running) {
        object["digests"] = status.digests;
        object["begun_ago_ms"] = ago(status.pass_begun_store_time_ms, now_ms);
        object["at"] = (status.in_log ? "log segment " : "lane ") + std::to_string(status.file);
    }
    if (status.full_pass > 0) {
        object["all_verified_since_ms"] = ago(status.full_begun_store_time_ms, now_ms);
        object["full_ended_ago_ms"] = ago(status.full_ended_store_time_ms, now_ms);
    }
    tell_read_only(store, object);
    return json::serialize(object);
}

}  // namespace orbitalreg::engine
