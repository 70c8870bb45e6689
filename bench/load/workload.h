#pragma once
// The workloads: each runs a number of operations from a number of clients and tells how long they
// took. What must be there first (a blob to pull, a manifest to get) is pushed before the clock
// starts.

#include "http_connection.h"

#include <cstdint>
#include <string>
#include <vector>

namespace orbitalreg::load {

enum class Kind {
    push_large,
    push_small,
    push_image,  // config, layers, manifest
    get_manifest,
    head,  // of a manifest by tag, as clients ask before they pull
    head_blob,
    get_blob,
    ranges,     // a piece at a random place of a blob
    list_tags,  // all tags of an image, one list
    catalog,    // a page of the catalog, anywhere in it
    mixed,      // of ten: six manifests, one HEAD, two blobs, one small push
    get,        // GET of one of `targets`, anywhere in them, which are there already
    soak,       // of soak.h, not of this file
};
// How a large blob is sent: POST and one PUT; POST, one streamed PATCH, PUT; POST, PATCHes of 16
// MiB, PUT.
enum class Form { put, stream, chunks };

struct Options {
    Kind kind = Kind::push_small;
    Form form = Form::put;
    Endpoint server;
    std::string name = "load/run";     // image name
    std::vector<std::string> targets;  // get: path and query of each
    std::string authorization;         // sent with each request; empty: none
    std::uint64_t size_bytes = 4096;
    std::uint64_t operations = 1000;  // in all, over all clients
    unsigned clients = 1;
    std::uint64_t tags = 10000;          // list_tags: of the image
    std::uint64_t repositories = 20000;  // catalog: so many are there
    unsigned layers = 3;                 // push_image: of each image, of size_bytes each
    std::uint64_t page = 0;  // list_tags, catalog: so many of them, from anywhere; 0: all
    bool aligned = false;    // ranges: at multiples of their size
    bool announce = false;   // print an empty line when the clock starts
    bool verify = false;     // hash, compare or count what arrives
    std::uint64_t seed = 0;  // contents differ between seeds
};

struct Outcome {
    std::uint64_t operations = 0;
    std::uint64_t failures = 0;
    std::uint64_t bytes = 0;  // of payload
    double seconds = 0;
    std::vector<std::uint64_t> latencies_us;       // sorted, one an operation
    std::vector<std::uint64_t> pull_latencies_us;  // of a mix: of those that push nothing
    std::string first_failure;
};

Outcome run(const Options& options);

}  // namespace orbitalreg::load
