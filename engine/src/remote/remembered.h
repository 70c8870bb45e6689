#pragma once
// Remembered is a map of bounded size: beyond it what was put first is forgotten. Threads  the owner's lock.

#include <deque>
#include <map>
#include <string>

namespace orbitalreg::engine {

template <class Value>
class Remembered {
public:
    explicit Remembered(std::size_t entries_max) : entries_max_{entries_max} {}

    Value* find(const std::string& key) {
        const auto found = entries_.find(key);
        return found == entries_.end() ? nullptr : &found->second;
    }
    Value& obtain(const std::string& key) {
        const auto [entry, made] = entries_.try_emplace(key);
        if (!made) return entry->second;
        order_.push_back(key);
        while (order_.size() > entries_max_) {
            if (order_.front() != key) entries_.erase(order_.front());
            order_.pop_front();
        }
        return entry->second;
    }
    void forget(const std::string& key) {
        if (const auto found = entries_.find(key); found != entries_.end()) found->second = Value{};
    }

private:
    const std::size_t entries_max_;
    std::map<std::string, Value> entries_;
    std::deque<std::string> order_;
};

}  // namespace orbitalreg::engine
