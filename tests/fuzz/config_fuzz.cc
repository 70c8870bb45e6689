// The configuration: whatever the file holds, loading ends with a configuration or with findings that name a line.

#include "base/assert.h"
#include "config/quantities.h"
#include "config/reading.h"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace orbitalreg::frontend;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    LoadedConfig loaded;
    read_config_text("fuzz.yaml", text, loaded);
    for (const auto& error : loaded.errors) ORB_ASSERT(!error.message.empty());
    parse_size(text);
    parse_duration(text);
    return 0;
}
