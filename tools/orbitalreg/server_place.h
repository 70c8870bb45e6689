#pragma once
// ServerPlace is which running server a subcommand asks, and as whom. What the command line leaves open comes from the
// environment and from what `orbitalreg login` stored:
//
//   address     --server, ORBITALREG_SERVER, the only stored login
//   authority   --ca, the stored login of that address, ORBITALREG_CA
//   who         --user with --password-file, the stored login of that address, nobody

#include "server_client.h"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace orbitalreg::program {

struct ServerPlace {
    std::string url;
    std::string ca_file;
    std::string user;
    std::string password_file;
};

void add_server_options(CLI::App& command, ServerPlace& place);
// The same without --server, where a group of its own has it.
void add_account_options(CLI::App& command, ServerPlace& place);

// Nothing, told on stderr: exit_could_not_run.
std::optional<ServerClient> find_server(const ServerPlace& place);

// As ORBITALREG_CA says where `ca_file` is empty; nothing, told on stderr, where it cannot be read.
std::optional<std::string> authority_file(const std::string& ca_file);
// For people who type it.
std::string wrong_url(const std::string& url);

}  // namespace orbitalreg::program
