#include "engine/upkeep.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace orbitalreg::engine {
namespace {

namespace json = boost::json;

json::object object_of(const CollectionRound& round) {
    json::object object{{"dry_run", round.dry_run},
                        {"examined", round.examined},
                        {"deleted", round.deleted},
                        {"deleted_bytes", round.deleted_bytes},
                        {"lane_bytes", round.lane_bytes},
                        {"log_bytes", round.log_bytes},
                        {"kept", round.kept},
                        {"uploads_closed", round.uploads_closed},
                        {"begun_wall_ms", round.begun_wall_ms},
                        {"duration_ms", round.duration_ms}};
    if (!round.trouble.empty()) object["trouble"] = round.trouble;
    return object;
}

const char* to_string(BlobExplanation::State state) noexcept {
    switch (state) {
        case BlobExplanation::State::held:
            return "held";
        case BlobExplanation::State::waiting:
            return "waiting";
        case BlobExplanation::State::deleted:
            return "deleted";
        case BlobExplanation::State::unknown:
            break;
    }
    return "unknown";
}

json::array array_of(const std::vector<HoldingPath>& paths) {
    json::array list;
    for (const HoldingPath& path : paths) {
        json::array manifests;
        for (const Digest& manifest : path.manifests) manifests.emplace_back(manifest.to_string());
        json::object object{{"image", path.image}, {"manifests", std::move(manifests)}};
        if (!path.tag.empty()) object["tag"] = path.tag;
        list.emplace_back(std::move(object));
    }
    return list;
}

}  // namespace

std::string to_json(const CollectionRound& round) { return json::serialize(object_of(round)); }

std::string to_json(const CollectionStatus& status) {
    json::object object{{"running", status.running},
                        {"paused", status.paused},
                        {"grace_ms", status.grace_ms},
                        {"interval_ms", status.interval_ms},
                        {"unreferenced_blobs", status.unreferenced_blobs},
                        {"condemned_extents", status.condemned_extents},
                        {"rounds", status.rounds},
                        {"deleted", status.deleted},
                        {"deleted_bytes", status.deleted_bytes},
                        {"leases", status.leases}};
    if (!status.halted.empty()) object["halted"] = status.halted;
    if (status.next_in_ms) object["next_in_ms"] = *status.next_in_ms;
    if (status.last) object["last"] = object_of(*status.last);
    return json::serialize(object);
}

std::string to_json(const BlobExplanation& explanation) {
    using State = BlobExplanation::State;
    json::object object{{"digest", explanation.digest.to_string()},
                        {"state", to_string(explanation.state)}};
    if (explanation.state == State::unknown) {
        object["deletions_remembered"] = explanation.deletions_remembered;
        return json::serialize(object);
    }
    object["size_bytes"] = explanation.size_bytes;
    if (explanation.state == State::deleted) {
        object["deleted_ago_ms"] = explanation.deleted_ago_ms;
        object["unreferenced_until_ms"] = explanation.unreferenced_until_ms;
        return json::serialize(object);
    }
    object["damaged"] = explanation.damaged;
    object["references"] = explanation.references;
    json::array links;
    for (const std::string& link : explanation.links) links.emplace_back(link);
    object["links"] = std::move(links);
    if (explanation.state == State::held) {
        object["paths"] = array_of(explanation.paths);
    } else {
        object["unreferenced_for_ms"] = explanation.unreferenced_for_ms;
        object["goes_in_ms"] = explanation.goes_in_ms;
    }
    return json::serialize(object);
}

}  // namespace orbitalreg::engine
