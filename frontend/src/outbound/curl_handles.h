#pragma once
// Owners of what libcurl hands out. Its handles are void to the compiler, so each kind has an owner of its own.

#include <curl/curl.h>
#include <memory>

namespace orbitalreg::frontend {

struct FreeEasy {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};
struct FreeMulti {
    void operator()(CURLM* handle) const noexcept { curl_multi_cleanup(handle); }
};
struct FreeCurl {
    void operator()(CURLU* url) const noexcept { curl_url_cleanup(url); }
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
    void operator()(char* text) const noexcept { curl_free(text); }
};

using EasyHandle = std::unique_ptr<CURL, FreeEasy>;
using MultiHandle = std::unique_ptr<CURLM, FreeMulti>;
using UrlHandle = std::unique_ptr<CURLU, FreeCurl>;

// Whether libcurl could be started, which the first call tries.
bool curl_ready() noexcept;

}  // namespace orbitalreg::frontend
