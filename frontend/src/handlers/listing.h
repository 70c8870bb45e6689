#pragma once
// What the listings share: a JSON array of names, and the page after this one.

#include "handlers/services.h"
#include "http/pagination.h"

#include <string>
#include <vector>

namespace orbitalreg::frontend {

std::string json_array(const std::vector<std::string>& items);
Response bad_page();
// Adds the Link when there is more behind `items`.
void link_next(const Services& services, const Exchange& exchange, const std::string& last,
               Headers& headers);

}  // namespace orbitalreg::frontend
