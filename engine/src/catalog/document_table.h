#pragma once
// DocumentTable holds the documents by name, and the order in which they expire.
//
// An expired document is absent to every look-up from the moment store time passes it; its memory
// goes with one of the next writes, each of which removes at most kSweepMax of them.
//
// Stored   by name, expired ones too until they are swept.
//
// Threads  changes only from apply(), one thread; look-ups from any.

#include "base/result.h"
#include "cas/walked_table.h"
#include "catalog/table_number.h"
#include "engine/document_store.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

class DocumentTable {
public:
    static constexpr int kSweepMax = 8;

    // --- apply only ---
    void put(Document document, std::uint64_t now_store_time_ms);
    void remove(const std::string& name, std::uint64_t now_store_time_ms);

    // --- any thread ---
    std::optional<Document> find(const std::string& name, std::uint64_t now_store_time_ms) const;
    // The version without the bytes; 0 when absent.
    std::uint64_t version(const std::string& name, std::uint64_t now_store_time_ms) const;
    DocumentPage list(const std::string& prefix, const std::string& after, std::uint32_t count_max,
                      std::uint64_t now_store_time_ms) const;
    std::size_t size() const;
    std::uint64_t fingerprint() const;
    std::uint64_t memory_bytes() const;

    // The sequencer, and whoever opens the store.
    cas::CheckpointTable& checkpoint_table() noexcept { return walked_rows_; }

private:
    struct Rows {
        using Key = std::string;
        DocumentTable* table;

        std::optional<Key> next(const std::optional<Key>& after) const;
        void encode(const Key& name, std::vector<std::byte>& row) const;
        Result<void> load(ByteView row) const;
        Result<void> loaded() const { return ok(); }
    };

    void insert(Document document);
    void sweep(std::uint64_t now_store_time_ms);
    void erase(const std::string& name);

    mutable std::shared_mutex mutex_;
    std::map<std::string, Document, std::less<>> documents_;
    std::set<std::pair<std::uint64_t, std::string>> expiries_;
    std::uint64_t bytes_ = 0;

    cas::WalkedTable<Rows> walked_rows_{number_of(TableNumber::documents), {this}};
};

}  // namespace orbitalreg::engine
