#include "handlers/listing.h"

#include "http/json_text.h"

namespace orbitalreg::frontend {

std::string json_array(const std::vector<std::string>& items) {
    std::size_t size = 2;
    for (const std::string& item : items) size += item.size() + 3;
    std::string text;
    text.reserve(size);
    text += '[';
    for (const std::string& item : items) {
        if (text.size() > 1) text += ',';
        append_json_string(text, item);
    }
    return text += ']';
}

Response bad_page() { return error_response(400, "UNSUPPORTED", "`n` is not a number"); }

void link_next(const Services& services, const Exchange& exchange, const std::string& last,
               Headers& headers) {
    // The path as it was asked for: what the client sees may lie below a prefix that only it knows.
    headers.add("Link", next_link(services.options.external_url, exchange.target.path,
                                  exchange.query, last));
}

}  // namespace orbitalreg::frontend
