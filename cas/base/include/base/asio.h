#pragma once
// The names of Boost.Asio that all layers share. Asio itself is compiled once, in base (BOOST_ASIO_SEPARATE_COMPILATION).

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace orbitalreg {

namespace asio = boost::asio;

template <class T>
using Awaitable = asio::awaitable<T>;

}  // namespace orbitalreg
