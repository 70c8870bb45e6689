#pragma once
// Reports of the store as JSON objects, for operators. The names are a contract: docs/operations/space.md and docs/protocol.md.
//
// Units    as the names say: _bytes, _ms; moments are told as how long ago they were.

#include "cas/store.h"
#include "engine/registry_store.h"

#include <cstdint>
#include <string>

namespace orbitalreg::engine {

std::string stats_json(const RegistryStoreStats& registry, const cas::StoreStats& store,
                       const cas::SpaceReport& space);
std::string compaction_json(const cas::CompactionReport& round, const cas::SpaceReport& before,
                            const cas::SpaceReport& after);
std::string compaction_status_json(const cas::CompactionStatus& status, std::uint64_t now_ms);
std::string scrub_status_json(const cas::ScrubStatus& status, const cas::StoreStats& store,
                              std::uint64_t now_ms);

}  // namespace orbitalreg::engine
