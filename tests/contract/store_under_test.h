#pragma once
// The implementations of RegistryStore and DocumentStore that the contract suites ask, each with an
// empty store.

#include "base/asio.h"
#include "base/assert.h"
#include "engine/document_store.h"
#include "engine/registry_store.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace orbitalreg::engine {

class StoreUnderTest {
public:
    virtual ~StoreUnderTest() = default;
    virtual RegistryStore& registry() = 0;
    virtual DocumentStore& documents() = 0;
    // Stops it and opens it again. Without effect where nothing is kept.
    virtual void reopen() = 0;
    virtual void advance_ms(std::uint64_t by) = 0;
    // Equal for equal states; 0 where there is no such thing.
    virtual std::uint64_t fingerprint() const { return 0; }

    // Runs `operation` to its end and gives its result.
    template <class T>
    T run(Awaitable<T> operation) {
        std::optional<T> result;
        asio::co_spawn(executor(), keep_result(std::move(operation), result), asio::detached);
        run_until([&] { return result.has_value(); });
        ORB_ASSERT(result.has_value());
        return std::move(*result);
    }
    // Runs all of them side by side.
    template <class T>
    std::vector<T> run_all(std::vector<Awaitable<T>> operations) {
        std::vector<std::optional<T>> results(operations.size());
        for (std::size_t i = 0; i < operations.size(); ++i) {
            asio::co_spawn(executor(), keep_result(std::move(operations[i]), results[i]),
                           asio::detached);
        }
        run_until([&] {
            return std::all_of(results.begin(), results.end(),
                               [](const auto& r) { return r.has_value(); });
        });
        std::vector<T> values;
        for (auto& result : results) values.push_back(std::move(*result));
        return values;
    }

protected:
    virtual asio::any_io_executor executor() = 0;
    virtual void run_until(const std::function<bool()>& done) = 0;

private:
    template <class T>
    static Awaitable<void> keep_result(Awaitable<T> operation, std::optional<T>& result) {
        result.emplace(co_await std::move(operation));
    }
};

struct StoreFactory {
    std::string name;
    std::function<std::unique_ptr<StoreUnderTest>(const RegistryLimits& limits)> make;
};

inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }

StoreFactory model_factory();
// The embedded store on a simulated disk, and on a real one.
std::vector<StoreFactory> embedded_factories();
std::vector<StoreFactory> all_factories();

}  // namespace orbitalreg::engine
