// Upload sessions of the Registry, and pushes without one.

#include "registry/rooms.h"

namespace orbitalreg::engine {

namespace {

Refusal unknown_upload() {
    return {Errc::upload_unknown, "upload not known: it is closed, expired or was never here"};
}

Answer<void> check_size(const RegistryLimits& limits,
                        const std::optional<std::uint64_t>& size_bytes) {
    if (limits.blob_size_max_bytes == 0 || !size_bytes || *size_bytes <= limits.blob_size_max_bytes)
        return ok();
    return refuse({Errc::too_large, "the blob is larger than this registry accepts"});
}

}  // namespace

bool Registry::Rooms::is_expired(const SessionClaims& claims) const noexcept {
    const auto age_ms = static_cast<std::int64_t>(store.store_time_ms()) -
                        static_cast<std::int64_t>(claims.issued_store_time_s) * 1000;
    return age_ms > limits().uploads_idle_expiry_ms;
}

Answer<SessionClaims> Registry::Rooms::check_token(const Principal& principal,
                                                   const ImageName& image,
                                                   const std::string& token) const {
    const auto claims = tokens.verify(token, image, principal);
    if (!claims) return refuse(unknown_upload());
    return *claims;
}

Answer<void> Registry::Rooms::check_usable(const SessionClaims& claims,
                                           const UploadStatus& status) const {
    if (running.is_cancelled(claims.session)) return refuse(unknown_upload());
    if (status.state == UploadStatus::State::open) return ok();
    const bool unheard = status.state == UploadStatus::State::unknown;
    if (unheard && (status.busy || !is_expired(claims))) return ok();
    return refuse(unknown_upload());
}

Awaitable<Answer<UploadTicket>> Registry::start_upload(Principal principal, ImageName image,
                                                       DigestAlgorithm hint) {
    const auto target = co_await rooms_->rules.target_of(image);
    if (!target) co_return refuse(target.error());
    if (rooms_->store.uploads_full()) co_return refuse(Errc::too_many_uploads);
    if (rooms_->held.full(principal.name, rooms_->store.store_time_ms())) {
        co_return refuse(
            {Errc::too_many_uploads, "too many uploads of yours are open: finish or cancel some"});
    }
    SessionClaims claims;
    rooms_->random.fill(claims.session);
    claims.issued_store_time_s = rooms_->store.store_time_ms() / 1000;
    claims.algorithm = hint;
    co_return UploadTicket{rooms_->tokens.issue(claims, image, principal),
                           uuid_text(claims.session)};
}

Awaitable<Answer<UploadPosition>> Registry::upload_position(Principal principal, ImageName image,
                                                            std::string token) {
    ORB_CO_TRY(const auto claims, rooms_->check_token(principal, image, token));
    const auto status = co_await rooms_->store.upload_status(claims.session);
    if (!status) co_return refuse(status.error());
    ORB_CO_TRY(rooms_->check_usable(claims, status.value()));
    co_return UploadPosition{status.value().offset_bytes, uuid_text(claims.session)};
}

Awaitable<Answer<ResumedUpload>> Registry::resume_upload(Principal principal, ImageName image,
                                                         std::string token, ResumeUpload resume) {
    ORB_CO_TRY(const auto claims, rooms_->check_token(principal, image, token));
    ORB_CO_TRY(const auto place, rooms_->rules.changeable(image));
    const auto id = uuid_text(claims.session);
    const auto status = co_await rooms_->store.upload_status(claims.session);
    if (!status) co_return refuse(status.error());
    const auto& known = status.value();
    if (known.state == UploadStatus::State::finished && resume.closing &&
        known.digest == resume.closing) {
        // The client did not get the answer to a PUT that succeeded (DIST-UPL-36).
        const auto info = co_await rooms_->store.stat_blob(place, *resume.closing);
        if (!info) co_return refuse(unknown_upload());
        co_return ResumedUpload{nullptr, info.value(), id};
    }
    ORB_CO_TRY(rooms_->check_usable(claims, known));
    ORB_CO_TRY(check_size(rooms_->limits(), resume.size_hint_bytes));
    auto target = co_await rooms_->rules.target_of(image);
    if (!target) co_return refuse(target.error());
    const UploadStart start{claims.session, claims.issued_store_time_s, claims.algorithm,
                            resume.size_hint_bytes};
    auto writer = co_await rooms_->store.open_upload(std::move(target).value(), start);
    if (!writer) co_return refuse(writer.error());
    const auto offset = writer.value()->offset();
    if (resume.start_offset_bytes && *resume.start_offset_bytes != offset) {
        Refusal refusal{Errc::offset_mismatch,
                        "the upload stands at offset " + std::to_string(offset)};
        refusal.offset_bytes = offset;
        co_return refuse(std::move(refusal));
    }
    auto watched = rooms_->running.watch(claims.session, principal.name,
                                         rooms_->store.store_time_ms(), std::move(writer).value());
    co_return ResumedUpload{std::move(watched), std::nullopt, id};
}

Awaitable<Answer<void>> Registry::cancel_upload(Principal principal, ImageName image,
                                                std::string token) {
    ORB_CO_TRY(const auto claims, rooms_->check_token(principal, image, token));
    const auto status = co_await rooms_->store.upload_status(claims.session);
    if (!status) co_return refuse(status.error());
    ORB_CO_TRY(rooms_->check_usable(claims, status.value()));
    if (status.value().busy && rooms_->running.cancel(claims.session)) co_return ok();
    const UploadStart start{claims.session, claims.issued_store_time_s, claims.algorithm, {}};
    const auto cancelled = co_await rooms_->store.cancel_upload(start);
    if (!cancelled) co_return refuse(cancelled.error());
    rooms_->held.release(principal.name, claims.session);
    co_return ok();
}

Awaitable<Answer<std::unique_ptr<UploadWriter>>> Registry::begin_blob(
    Principal, ImageName image, Digest digest, std::optional<std::uint64_t> size_hint_bytes) {
    ORB_CO_TRY(check_size(rooms_->limits(), size_hint_bytes));
    auto target = co_await rooms_->rules.target_of(image);
    if (!target) co_return refuse(target.error());
    auto writer = co_await rooms_->store.begin_blob(std::move(target).value(), digest.algorithm(),
                                                    size_hint_bytes);
    if (!writer) co_return refuse(writer.error());
    co_return std::move(writer).value();
}

}  // namespace orbitalreg::engine
