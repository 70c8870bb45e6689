#pragma once
// AuditTrail turns requests into events of the audit log: which of them are recorded, and under which name (SEC-106). Where the log
// cannot be written, what would change something is refused before it is begun.
//
// Threads  any reactor.

#include "frontend/audit.h"
#include "http/exchange.h"
#include "http/response.h"

#include <optional>
#include <string>
#include <string_view>

namespace orbitalreg::frontend {

class AuditTrail {
public:
    // Both outlive it.
    AuditTrail(AuditLog& log, const AuditOptions& options) noexcept
        : log_{log}, options_{options} {}

    // 503 for a request that changes something while the log cannot be written; nothing otherwise.
    std::optional<Response> refuse(const Exchange& exchange);
    // After the answer is known and before it is sent.
    void record(const Exchange& exchange, const Response& response);
    // Of the server itself: start, stop.
    void record(std::string_view action, std::string_view reason);

    AuditLog& log() noexcept { return log_; }

private:
    void record_login(const Exchange& exchange, unsigned status);

    AuditLog& log_;
    const AuditOptions& options_;
};

}  // namespace orbitalreg::frontend
