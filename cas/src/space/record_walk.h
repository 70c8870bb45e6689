#pragma once
// RecordWalk is the second witness of a punch: it asks the bytes that are about to go who they are. From the end of a
// dead range it walks back from record to record and looks up each descriptor's digest in the index; one that is live
// at this very place refutes the first witness.
//
//   page before the end: zeros ──> further down
//                        a descriptor ──> is its blob live here? then go on before its header
//                        neither ──> an upload that was never finished: every page of it is looked at
//
// Why it is complete: a blob is committed only after its descriptor was durable on the last page of its record, so a
// live record has one unless it rotted. A chain of headers that ends before the range says that no record that a frame
// named begins behind it.
//
// An upload may have been resumed before its last written page, so that its descriptor is not on the last page before
// the next record: hence the look at every page where there is none.
//
// Threads  the background executor; blocking calls, a sweep gives way after each 256 KiB. The range is not written
//          meanwhile.
// Memory   256 KiB.
// Errors   what the device says: the range is not to be punched then.

#include "cas/io.h"
#include "format/lane_record.h"
#include "format/page_buffer.h"
#include "index/blob_table.h"
#include "io/pacer.h"
#include "space/live_map.h"

#include <cstdint>
#include <optional>

namespace orbitalreg::cas {

class RecordWalk {
public:
    // `file` is the lane, opened direct.
    RecordWalk(File& file, std::uint32_t lane, const StoreIdentity& store, const BlobTable& blobs,
               Pacer& pacer);

    // The base page of a live record that `range` holds a part of; none when nobody is there. `last_base`: base of the
    // last record before the range's end, 0 for none; nothing when that is not known.
    Awaitable<Result<std::optional<std::uint32_t>>> find_live(
        PageRange range, std::optional<std::uint32_t> last_base);
    // What the header of the record at `base` says of the one before it; nothing when it does not say.
    Result<std::optional<std::uint32_t>> previous_base(std::uint32_t base);

private:
    static constexpr std::uint32_t kPiecePages = 64;

    Result<PageView> page(std::uint32_t number);
    Result<std::uint32_t> skip_zeros(PageRange range);
    Result<std::optional<RecordDescriptor>> descriptor_at(std::uint32_t number);
    Awaitable<Result<std::optional<std::uint32_t>>> sweep(PageRange range);
    bool is_live(const RecordDescriptor& descriptor) const;

    File& file_;
    const std::uint32_t lane_;
    const StoreIdentity store_;
    const BlobTable& blobs_;
    Pacer& pacer_;
    PageBuffer piece_;
    PageRange loaded_;
};

}  // namespace orbitalreg::cas
