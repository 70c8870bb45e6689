#pragma once
// What the parts of Projects share: the names of documents, and pages of what is declared and what is stored.

#include "access/document_text.h"
#include "engine/projects.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace orbitalreg::engine {

// `<kind>/<project>/`; kinds are member, repository, visibility.
inline std::string folder(std::string_view kind, std::string_view project) {
    return std::string{kind} + '/' + name_part(project) + '/';
}

inline Refusal broken(const std::string& document) {
    return {Errc::damaged, "the document `" + document + "` cannot be read"};
}

inline Refusal is_declared(std::string_view what) {
    return {Errc::unsupported,
            std::string{what} + " is declared in the configuration, and is changed there"};
}

// Declared things and documents under one order, by `key`: the names of documents, which sort otherwise than what they were
// made of. What is declared hides a document of the same name.
template <class T, class Key>
AccountPage<T> merge(std::vector<T> declared, AccountPage<T> stored, std::uint32_t count, Key key) {
    for (auto& item : stored.items) {
        const bool hidden = std::any_of(declared.begin(), declared.end(),
                                        [&](const T& each) { return key(each) == key(item); });
        if (!hidden) declared.push_back(std::move(item));
    }
    std::sort(declared.begin(), declared.end(),
              [&](const T& a, const T& b) { return key(a) < key(b); });
    AccountPage<T> page{std::move(declared), stored.more};
    if (page.items.size() > count) {
        page.items.erase(page.items.begin() + count, page.items.end());
        page.more = true;
    }
    return page;
}

// Those of `known` that belong on the page of documents behind the document `after`.
template <class Known, class T, class Key>
AccountPage<T> with_declared(const Known& known, AccountPage<T> stored, const std::string& after,
                             std::uint32_t count, Key key) {
    const auto last =
        stored.more && !stored.items.empty() ? key(stored.items.back()) : std::string{};
    std::vector<T> first;
    for (const auto& [name, item] : known) {
        const auto document = key(item);
        if (document > after && (last.empty() || document <= last)) first.push_back(item);
    }
    return merge(std::move(first), std::move(stored), count, key);
}

}  // namespace orbitalreg::engine
