// The body of a record that this room writes, as it comes from disk: refused, or decoded without a
// step beyond it. The input is the record's type, the low bits of its raw size, then the body.

#include "base/assert.h"
#include "base/hasher.h"
#include "cas/io.h"
#include "lane/lane_records.h"

#include <cstdint>
#include <vector>

using namespace orbitalreg;
using namespace orbitalreg::cas;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const auto input = std::as_bytes(std::span{data, size}).subspan(3);
    const std::vector<std::byte> body{input.begin(), input.end()};
    const std::vector<std::byte> raw(static_cast<std::size_t>(data[1] | data[2] << 8));
    AppliedRecord record;
    record.type = static_cast<std::uint16_t>(data[0] % 13);
    record.uid = 1;
    record.body = body;
    record.raw = raw;
    if (!verify_lane_record(record)) return 0;
    switch (static_cast<RecordType>(record.type)) {
        case RecordType::upload_mark: {
            const MarkRecord mark = decode_mark(body);
            ORB_ASSERT(Hasher::restore(mark.hash_state).has_value());
            ORB_ASSERT(mark.offset - mark.aligned_bytes < kPageSize || mark.lane == 0);
            break;
        }
        case RecordType::upload_close:
            ORB_ASSERT(decode_close(body).outcome != UploadOutcome::none);
            break;
        case RecordType::lane_state:
            ORB_ASSERT(decode_lane_state(body).lane != 0);
            break;
        case RecordType::id_block:
            ORB_ASSERT(decode_id_block(body).count != 0);
            break;
        case RecordType::blob_commit:
            static_cast<void>(decode_lane_commit(body));
            break;
        default:
            break;
    }
    return 0;
}
