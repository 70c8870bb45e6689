#pragma once
// A simulated store that is scrubbed on demand.

#include "cas/inspect.h"
#include "unit/cas/lane/lane_fixture.h"

#include <boost/json/parse.hpp>

#include <map>
#include <string>

namespace orbitalreg::cas {

// Where a blob's bytes begin; of a lane its record's header is the page before.
struct BlobPlace {
    std::string file;
    std::uint64_t offset = 0;
    bool in_lane() const { return file.starts_with("lane/"); }
};

class ScrubbedStore : public SimulatedStore {
public:
    static constexpr std::uint64_t kStepsMax = 10'000'000;

    static ScrubStatus status(Life& life) { return life.store->scrubber().scrub_status(); }

    // One pass over everything, to its end.
    static ScrubStatus scrub(Life& life, bool digests = false) {
        const std::uint64_t before = status(life).full_pass;
        life.store->scrubber().request_pass({.digests = digests, .rate_bytes = 0});
        const bool through = life.scheduler().run_until(
            [&] { return status(life).full_pass > before && !status(life).running; }, kStepsMax);
        EXPECT_TRUE(through);
        return status(life);
    }

    void flip(const std::string& path, std::uint64_t offset, unsigned bit = 3) {
        const auto file = disk.find(path);
        ASSERT_NE(file, nullptr) << path;
        disk.flip_bit(*file, offset, bit);
    }

    // As dump says; of a store that nobody has open.
    std::map<std::string, BlobPlace> places() {
        Life life{disk, ++seed};
        std::map<std::string, BlobPlace> found;
        const auto dumped = dump(
            life.io(), DumpWhat::blobs, [](const CatalogRecordView&) { return std::string{"{}"}; },
            [&](std::string_view line) {
                const auto blob = boost::json::parse(line).as_object();
                found[std::string{blob.at("digest").as_string()}] = {
                    std::string{blob.at("file").as_string()},
                    blob.at("offset").to_number<std::uint64_t>()};
            });
        EXPECT_TRUE(dumped) << dumped.error().message();
        return found;
    }
};

}  // namespace orbitalreg::cas
