#pragma once
// KeyRing is the keys that this registry signs its tokens with. There is one that signs, perhaps a next one that is published
// before it signs, and old ones that are still good for what they signed:
//
//   next --(10 min)--> active --(rotation)--> retiring --(the longest life of a token)--> gone
//
// Files    `<folder>/<key id>.pem`, mode 0600, and `<folder>/keys.json` with the states; made at the first start. A file that
//          others may read stops the start (SEC-98).
// Threads  keys() and jwks() any; the others one at a time, which the ring sees to itself.
// Source   RFC 7517, RFC 7638.

#include "base/clock.h"
#include "base/public_key.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::frontend {

struct KeySet {
    SigningKey active;
    std::map<std::string, PublicKey, std::less<>> verifying;  // by key id; the active one too
    std::string jwks;
};

struct KeyRingOptions {
    std::string folder;
    SignatureAlgorithm algorithm = SignatureAlgorithm::es256;
    std::int64_t rotate_every_s = 90 * 24 * 3600LL;  // 0: only when asked
    std::int64_t publish_before_s = 600;
    std::int64_t keep_retired_s = 3600 + 60;  // the longest life of a token, and some leeway
};

struct KeyState {
    std::string id;
    std::string state;  // next, active, retiring
    std::int64_t since_s = 0;
};

class KeyRing {
public:
    KeyRing(KeyRingOptions options, const Clock& clock)
        : options_{std::move(options)}, clock_{clock} {}

    // Reads the keys, makes the first one. What is wrong, or nothing.
    std::string open();
    std::shared_ptr<const KeySet> keys() const;
    std::vector<KeyState> states() const;
    // Takes each key as far as its time has come; whether anything changed. Called now and then.
    bool advance(std::string& trouble);
    // A next key now, which signs after publish_before_s; `at_once`: it signs now. The id of the new key, empty with `trouble`.
    std::string rotate(bool at_once, std::string& trouble);
    // A key that nobody here knows may be another process's: reads the folder again, once in ten seconds at most.
    bool look_again(std::string_view key_id);

private:
    struct Held {
        KeyState facts;
        SigningKey key;
    };
    std::string load();
    std::string save() const;
    bool save_or_restore(std::vector<Held> before, std::string& trouble);
    std::string add(std::string state);
    void publish();
    Held* find(std::string_view state);
    std::int64_t now_s() const noexcept { return clock_.wall_ns() / 1'000'000'000; }
    std::string path_of(const std::string& id) const;

    const KeyRingOptions options_;
    const Clock& clock_;
    mutable std::mutex mutex_;
    std::vector<Held> held_;
    std::shared_ptr<const KeySet> published_;
    std::int64_t looked_ns_ = 0;
};

}  // namespace orbitalreg::frontend
