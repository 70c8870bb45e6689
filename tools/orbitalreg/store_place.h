#pragma once
// StorePlace is where a subcommand works: a data directory that no server has open, or a running server. Either way the
// answer is one JSON object, which is printed as it is or in words.
//
// Errors   what stands in the way is told on stderr, with what to do: could_not_run().

#include "engine/embedded_store.h"
#include "offline_store.h"
#include "server_place.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::program {

struct StorePlace {
    std::string directory;  // empty: a server
    ServerPlace server;
    std::vector<std::string> files;  // of configuration
    bool json = false;

    bool asks_server() const noexcept { return directory.empty(); }
};

// The options that say where. `configured`: what the configuration is read for without a server; empty: for nothing.
void add_place(CLI::App& command, StorePlace& place, const std::string& configured);

// In words.
using Describe = std::string (*)(std::string_view json);
// What the answer means for the exit code.
using Verdict = int (*)(std::string_view json);

// Prints an answer of the server and judges it.
int tell(const StorePlace& place, const ServerClient::Answer& answer, Describe describe,
         Verdict verdict);

// `json` is what to print; `trouble` why there is nothing to print.
struct DirectoryAnswer {
    std::string json;
    std::string trouble;
};
enum class Access : bool { read, write };
// Opens the directory, lets `work` answer, closes. For writing, recovery does what a start of the server would, and
// `prepare` may change the options.
int on_directory(const StorePlace& place, Access access, Describe describe, Verdict verdict,
                 const std::function<void(OfflineStore&, DirectoryAnswer&)>& work,
                 const std::function<void(cas::StoreOptions&)>& prepare = nullptr);

}  // namespace orbitalreg::program
