// Catalog records: no bytes break the reader, and what it accepts is encoded to what reads the same.

#include "base/assert.h"
#include "catalog/catalog_records.h"
#include "engine/embedded_store.h"

#include <cstdint>

using namespace orbitalreg;
using namespace orbitalreg::engine;

// The first byte is the record's type, the rest its body.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const cas::CatalogRecordView record{
        data[0], {reinterpret_cast<const std::byte*>(data + 1), size - 1}, {}};
    const auto change = decode(record);
    ORB_ASSERT(!describe_record(record).empty());
    if (!change) return 0;
    const auto encoded = encode(change.value());
    const auto again = decode({encoded.type, encoded.body, encoded.raw});
    ORB_ASSERT(again.has_value() && again.value() == change.value());
    return 0;
}
