#include "lane/sum_reader.h"

#include "base/checksum.h"
#include "cas/errors.h"

namespace orbitalreg::cas {

Awaitable<Result<std::vector<std::byte>>> MarkReader::read(MarkPart part) const {
    std::vector<std::byte> raw(part.size_bytes);
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
        const auto read = co_await log_.read(queue_, part.segment, part.offset, raw);
        if (read && checksum64(raw) == part.checksum) co_return raw;
        if (const auto now = uploads_.part_now(session_, part)) part = *now;
    }
    co_return fail(Errc::io_error);
}

Awaitable<Result<void>> SumReader::read(std::span<std::uint64_t> to) {
    for (std::uint64_t& sum : to) {
        if (next_ >= fresh_first_) {
            if (next_ - fresh_first_ >= fresh_.size()) co_return fail(Errc::io_error);
            sum = fresh_[next_++ - fresh_first_];
            continue;
        }
        while (next_ >= loaded_first_ + loaded_sums_) {
            if (part_ == parts_.size()) co_return fail(Errc::io_error);
            const MarkPart& part = parts_[part_++];
            if (part.sums == 0) continue;
            ORB_CO_TRY(loaded_, co_await marks_.read(part));
            loaded_first_ = part.first;
            loaded_sums_ = part.sums;
        }
        if (next_ < loaded_first_) co_return fail(Errc::io_error);
        sum = load_le<std::uint64_t>(loaded_.data() + 8 * (next_++ - loaded_first_));
    }
    co_return ok();
}

}  // namespace orbitalreg::cas
