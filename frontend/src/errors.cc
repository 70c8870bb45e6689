#include "frontend/errors.h"

#include <string>

namespace orbitalreg::frontend {
namespace {

class Category final : public boost::system::error_category {
public:
    Category() noexcept : error_category{0x6f72622d66726e74} {}
    const char* name() const noexcept override { return "frontend"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::peer_closed:
                return "the peer closed the connection in the middle of a message";
            case Errc::body_malformed:
                return "the body is not framed as HTTP says";
            case Errc::body_too_large:
                return "the body is larger than the limit";
            case Errc::no_memory_left:
                return "requests hold as much memory as they may";
            case Errc::body_late:
                return "the body was read after the answer";
            case Errc::response_aborted:
                return "the answer was cut because its source failed";
            case Errc::address_invalid:
                return "not an address of the form host:port";
            case Errc::tls_failed:
                return "the peer and this server did not agree on TLS";
            case Errc::tls_expected:
                return "the peer spoke plain HTTP where TLS is spoken";
            case Errc::config_invalid:
                return "the configuration is not valid";
        }
        return "unknown error of frontend";
    }
};

}  // namespace

const boost::system::error_category& category() noexcept {
    static const Category instance;
    return instance;
}

}  // namespace orbitalreg::frontend
