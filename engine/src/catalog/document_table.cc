#include "catalog/document_table.h"

#include "base/checksum.h"

namespace orbitalreg::engine {

namespace {

bool is_expired(const Document& document, std::uint64_t now_store_time_ms) noexcept {
    return document.expires_store_time_ms != 0 &&
           document.expires_store_time_ms <= now_store_time_ms;
}

}  // namespace

void DocumentTable::put(Document document, std::uint64_t now_store_time_ms) {
    std::unique_lock lock{mutex_};
    sweep(now_store_time_ms);
    walked_rows_.before_change(document.name);
    erase(document.name);
    insert(std::move(document));
}

void DocumentTable::insert(Document document) {
    bytes_ += document.bytes.size() + document.name.size();
    if (document.expires_store_time_ms != 0)
        expiries_.emplace(document.expires_store_time_ms, document.name);
    auto name = document.name;
    documents_.emplace(std::move(name), std::move(document));
}

void DocumentTable::remove(const std::string& name, std::uint64_t now_store_time_ms) {
    std::unique_lock lock{mutex_};
    sweep(now_store_time_ms);
    erase(name);
}

void DocumentTable::sweep(std::uint64_t now_store_time_ms) {
    for (int swept = 0; swept < kSweepMax && !expiries_.empty(); ++swept) {
        if (expiries_.begin()->first > now_store_time_ms) return;
        const auto name = expiries_.begin()->second;
        erase(name);
    }
}

void DocumentTable::erase(const std::string& name) {
    const auto found = documents_.find(name);
    if (found == documents_.end()) return;
    walked_rows_.before_change(name);
    const auto& document = found->second;
    bytes_ -= document.bytes.size() + document.name.size();
    if (document.expires_store_time_ms != 0)
        expiries_.erase({document.expires_store_time_ms, name});
    documents_.erase(found);
}

std::optional<Document> DocumentTable::find(const std::string& name,
                                            std::uint64_t now_store_time_ms) const {
    std::shared_lock lock{mutex_};
    const auto found = documents_.find(name);
    if (found == documents_.end() || is_expired(found->second, now_store_time_ms))
        return std::nullopt;
    return found->second;
}

std::uint64_t DocumentTable::version(const std::string& name,
                                     std::uint64_t now_store_time_ms) const {
    std::shared_lock lock{mutex_};
    const auto found = documents_.find(name);
    if (found == documents_.end() || is_expired(found->second, now_store_time_ms)) return 0;
    return found->second.version;
}

DocumentPage DocumentTable::list(const std::string& prefix, const std::string& after,
                                 std::uint32_t count_max, std::uint64_t now_store_time_ms) const {
    std::shared_lock lock{mutex_};
    DocumentPage page;
    auto next = after < prefix ? documents_.lower_bound(prefix) : documents_.upper_bound(after);
    for (; next != documents_.end() && next->first.starts_with(prefix); ++next) {
        if (is_expired(next->second, now_store_time_ms)) continue;
        if (page.documents.size() >= count_max) {
            page.more = true;
            break;
        }
        page.documents.push_back(next->second);
    }
    return page;
}

std::size_t DocumentTable::size() const {
    std::shared_lock lock{mutex_};
    return documents_.size();
}

std::uint64_t DocumentTable::fingerprint() const {
    std::shared_lock lock{mutex_};
    std::uint64_t sum = 0;
    for (const auto& [name, document] : documents_) {
        auto mixed = checksum64(as_bytes(name), document.version);
        mixed = mix64(mixed, document.expires_store_time_ms);
        sum = mix64(sum, mix64(mixed, checksum64(document.bytes)));
    }
    return sum;
}

std::uint64_t DocumentTable::memory_bytes() const {
    constexpr std::uint64_t kNodeBytes = 200;
    std::shared_lock lock{mutex_};
    return bytes_ + documents_.size() * kNodeBytes;
}

}  // namespace orbitalreg::engine
