#pragma once
// StoredLogins is what `orbitalreg login` keeps on this machine: for each server, who somebody is there, and a personal token.
// One file of one user, ${XDG_CONFIG_HOME:-~/.config}/orbitalreg/logins.json, mode 0600 in a folder of mode 0700.
//
// Durable  change() replaces the file as a whole, after a sync; a crash leaves the old or the new one.
// Threads  one; processes that change it at once wait for each other.
// Errors   a file that others may read, or that belongs to somebody else, is not read: what it holds is not secret any more.

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::program {

struct StoredLogin {
    std::string url;  // as server_url() gives it
    std::string user;
    std::string token;
    std::string ca_file;  // absolute; empty: the authorities of the system

    friend bool operator==(const StoredLogin&, const StoredLogin&) = default;
};

class StoredLogins {
public:
    // In the folder of the user who runs this; nothing where there is none.
    static std::optional<StoredLogins> of_this_user();
    explicit StoredLogins(std::string folder) : folder_{std::move(folder)} {}

    std::string path() const { return folder_ + "/logins.json"; }

    // Nothing, with `trouble` filled, for a file that is there and cannot be used.
    std::optional<std::vector<StoredLogin>> read(std::string& trouble) const;
    // In place of the entry of that URL. False: `trouble`.
    bool keep(const StoredLogin& login, std::string& trouble) const;
    bool forget(const std::string& url, std::string& trouble) const;

private:
    using Change = std::function<void(std::vector<StoredLogin>&)>;
    bool change(const Change& change, std::string& trouble) const;
    bool write(const std::vector<StoredLogin>& logins, std::string& trouble) const;

    std::string folder_;
};

}  // namespace orbitalreg::program
