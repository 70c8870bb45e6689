// Runs a fuzz target without libFuzzer: the empty input, each file of the folders named on the
// command line, and for each file its truncations and single-bit flips, at most kMutationsMax of
// them. The order is fixed, so a failure repeats; the input that fails is the last one named on
// standard error when FUZZ_VERBOSE is set.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kMutationsMax = 4096;  // keeps a target within a second

using Input = std::vector<std::uint8_t>;

void run(const Input& input) { LLVMFuzzerTestOneInput(input.data(), input.size()); }

Input read_file(const std::filesystem::path& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

void run_mutations(const Input& seed) {
    const std::size_t cut_step = seed.size() / kMutationsMax + 1;
    for (std::size_t size = 0; size < seed.size(); size += cut_step) {
        run(Input(seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(size)));
    }
    const std::size_t flip_step = seed.size() * 8 / kMutationsMax + 1;
    for (std::size_t bit = 0; bit < seed.size() * 8; bit += flip_step) {
        Input flipped = seed;
        flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
        run(flipped);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bool verbose = std::getenv("FUZZ_VERBOSE") != nullptr;
    run({});
    std::size_t files = 0;
    for (int i = 1; i < argc; ++i) {
        std::set<std::filesystem::path> paths;
        for (const auto& entry : std::filesystem::directory_iterator{argv[i]}) {
            if (entry.is_regular_file()) paths.insert(entry.path());
        }
        for (const auto& path : paths) {
            if (verbose) std::fprintf(stderr, "%s\n", path.c_str());
            const Input seed = read_file(path);
            run(seed);
            run_mutations(seed);
            ++files;
        }
    }
    std::printf("%zu inputs and their mutations\n", files);
    if (files == 0) {
        std::fprintf(stderr, "no inputs: the corpus is empty\n");
        return 1;
    }
    return 0;
}
