#include "rebuild/checkpoint_remains.h"

#include "cas/checkpoint.h"

#include <algorithm>
#include <set>

namespace orbitalreg::cas {
namespace {

std::size_t index_of(CheckpointCopy copy) noexcept { return static_cast<std::size_t>(copy); }

}  // namespace

bool CheckpointRemains::open() {
    for (const CheckpointCopy copy : kCheckpointCopies) {
        auto file = io_.open(checkpoint_path(copy, id_), {.direct = true});
        if (!file) continue;
        if (const auto stat = file.value()->stat())
            size_bytes_ = std::max(size_bytes_, round_down(stat.value().size_bytes, kPageSize));
        files_[index_of(copy)] = std::move(file).value();
    }
    for (const CheckpointCopy copy : kCheckpointCopies) {
        if (files_[index_of(copy)] == nullptr) continue;
        if (!header_) find_header(copy);
        if (!footer_) find_footer(copy);
    }
    visit([](const CheckpointBlockHeader&, ByteView) {});
    return header_ || footer_ || blocks_ != 0;
}

bool CheckpointRemains::read(CheckpointCopy copy, std::uint64_t offset, MutableByteView to) {
    File* const file = files_[index_of(copy)].get();
    if (file == nullptr) return false;
    const auto count = file->read(offset, to);
    return count && count.value() == to.size();
}

void CheckpointRemains::find_header(CheckpointCopy copy) {
    const PageBuffer page{kPageSize};
    if (!read(copy, 0, page.bytes())) return;
    const auto header = decode_checkpoint_header(page.bytes(), id_, identity_.uuid, identity_.seed);
    if (header) header_ = header.value();
}

void CheckpointRemains::find_footer(CheckpointCopy copy) {
    const auto stat = files_[index_of(copy)]->stat();
    if (!stat || stat.value().size_bytes < 2 * kPageSize) return;
    const std::uint64_t offset = round_down(stat.value().size_bytes, kPageSize) - kPageSize;
    const PageBuffer page{kPageSize};
    if (!read(copy, offset, page.bytes())) return;
    const auto footer =
        decode_checkpoint_footer(page.bytes(), id_, offset, identity_.uuid, identity_.seed);
    if (footer) footer_ = footer.value();
}

// Its rows are in raw_ afterwards.
std::optional<CheckpointBlockHeader> CheckpointRemains::block_at(CheckpointCopy copy,
                                                                 std::uint64_t offset) {
    if (block_.size() < kPageSize) block_ = PageBuffer{kPageSize};
    if (!read(copy, offset, block_.first(kPageSize))) return std::nullopt;
    std::uint32_t number = 0;
    const auto entry = peek_checkpoint_block(block_.first(kPageSize), offset, number);
    if (!entry) return std::nullopt;
    const std::uint64_t size = entry->size_bytes();
    const bool sane = size <= size_bytes_ - offset && entry->raw_bytes <= kCheckpointBlockBytesMax;
    if (!sane) return std::nullopt;
    if (block_.size() < size) block_ = PageBuffer{static_cast<std::size_t>(size)};
    const MutableByteView bytes = block_.first(static_cast<std::size_t>(size));
    if (!read(copy, offset, bytes)) return std::nullopt;
    const auto header = decode_checkpoint_block(bytes, *entry, number, id_, identity_.seed);
    if (!header || !unpack_block(header.value(), bytes, raw_)) return std::nullopt;
    return header.value();
}

void CheckpointRemains::visit(const Visit& visit) {
    seen_.clear();
    blocks_ = 0;
    rows_ = 0;
    for (std::uint64_t offset = kPageSize; offset < size_bytes_;) {
        std::optional<CheckpointBlockHeader> header;
        for (const CheckpointCopy copy : kCheckpointCopies) {
            if (!header) header = block_at(copy, offset);
        }
        if (!header || header->block > size_bytes_ / kPageSize) {
            offset += kPageSize;
            continue;
        }
        if (seen_.size() <= header->block) seen_.resize(std::size_t{header->block} + 1);
        seen_[header->block] = Seen{header->table, header->first_row, header->rows};
        ++blocks_;
        rows_ += header->rows;
        visit(*header, ByteView{raw_.first(header->raw_bytes)});
        offset += header->size_bytes();
    }
    if (footer_) seen_.resize(std::max<std::size_t>(seen_.size(), footer_->blocks));
}

std::uint64_t CheckpointRemains::lsn() const noexcept {
    if (header_) return header_->lsn;
    return footer_ ? footer_->lsn : 0;
}

std::uint64_t CheckpointRemains::blocks_missing() const noexcept { return seen_.size() - blocks_; }

bool CheckpointRemains::whole() const noexcept {
    return footer_ && blocks_missing() == 0 && footer_->rows == rows_;
}

// Tables are written one behind the other: a missing block is one of those of its neighbours, or of one between them.
bool CheckpointRemains::table_whole(std::uint16_t table) const noexcept {
    if (whole()) return true;
    if (!footer_ || blocks_ == 0) return false;
    std::uint64_t rows = 0;
    bool behind = false;  // a missing block since the last one of another table before
    for (const auto& seen : seen_) {
        if (!seen) {
            behind = true;
        } else if (seen->table == table) {
            if (seen->first_row != rows) return false;
            rows += seen->rows;
            behind = false;
        } else if (rows != 0) {
            return !behind;
        } else {
            behind = false;
        }
    }
    return rows != 0 && !behind;
}

std::optional<std::uint64_t> CheckpointRemains::rows_missing() const noexcept {
    if (!footer_) return std::nullopt;
    return footer_->rows - std::min(rows_, footer_->rows);
}

std::unique_ptr<CheckpointRemains> find_checkpoint_remains(Io& io, const LogIdentity& identity,
                                                           std::uint64_t named_id) {
    std::set<std::uint64_t> ids;
    for (const CheckpointCopy copy : kCheckpointCopies) {
        const auto names = io.list(checkpoint_folder(copy));
        if (!names) continue;
        for (const std::string& name : names.value()) ids.insert(parse_checkpoint_name(name));
    }
    ids.erase(0);
    std::vector<std::uint64_t> order{ids.rbegin(), ids.rend()};
    const auto named = std::ranges::find(order, named_id);
    if (named != order.end()) std::rotate(order.begin(), named, named + 1);
    for (const std::uint64_t id : order) {
        auto remains = std::make_unique<CheckpointRemains>(io, identity, id);
        if (remains->open() && (id == named_id || remains->finished())) return remains;
    }
    return nullptr;
}

}  // namespace orbitalreg::cas
