#include "access/hashing_pool.h"

#include "access/password.h"

namespace orbitalreg::engine {
namespace {

Awaitable<bool> verify_there(std::string hash, std::string password) {
    co_return verify_password(hash, password);
}

Awaitable<std::string> hash_there(std::string password, Random* random) {
    co_return hash_password(password, *random);
}

}  // namespace

// One of those that may run or wait, given back with it.
class HashingPool::Place {
public:
    explicit Place(HashingPool& pool) : pool_{pool} {
        taken_ = pool_.held_.fetch_add(1, std::memory_order_relaxed) < pool_.held_max_;
    }
    ~Place() { pool_.held_.fetch_sub(1, std::memory_order_relaxed); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool taken() const noexcept { return taken_; }

private:
    HashingPool& pool_;
    bool taken_;
};

Awaitable<Answer<bool>> HashingPool::verify(std::string hash, std::string password) {
    const Place place{*this};
    if (!place.taken()) co_return refuse(Errc::overloaded);
    const bool same = co_await asio::co_spawn(pool_.get_executor(),
                                              verify_there(std::move(hash), std::move(password)),
                                              asio::use_awaitable);
    co_return same;
}

Awaitable<Answer<std::string>> HashingPool::hash(std::string password, Random& random) {
    const Place place{*this};
    if (!place.taken()) co_return refuse(Errc::overloaded);
    auto made = co_await asio::co_spawn(
        pool_.get_executor(), hash_there(std::move(password), &random), asio::use_awaitable);
    if (made.empty()) co_return refuse({Errc::io_error, "the password could not be hashed"});
    co_return made;
}

}  // namespace orbitalreg::engine
