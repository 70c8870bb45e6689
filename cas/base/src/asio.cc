// Boost.Asio, compiled once for all layers.
#include <boost/asio/impl/src.hpp>
