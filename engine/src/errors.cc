#include "engine/errors.h"

namespace orbitalreg::engine {

namespace {

const char* text_of_upstream(Errc error) noexcept {
    if (error == Errc::throttled) return "the upstream registry wants to be left alone for a while";
    return error == Errc::upstream_untrusted ? "the upstream registry sent what it must not"
                                             : "the upstream registry does not answer";
}

const char* text_of(Errc error) noexcept {
    switch (error) {
        case Errc::name_invalid:
            return "invalid repository name";
        case Errc::tag_invalid:
            return "invalid tag";
        case Errc::digest_invalid:
            return "malformed digest";
        case Errc::digest_unsupported:
            return "digest algorithm not supported";
        case Errc::manifest_invalid:
            return "invalid manifest";
        case Errc::size_invalid:
            return "lengths disagree";
        case Errc::name_unknown:
            return "repository not known";
        case Errc::manifest_unknown:
            return "manifest not known";
        case Errc::blob_unknown:
            return "blob not known";
        case Errc::upload_unknown:
            return "upload not known";
        case Errc::too_many_uploads:
            return "too many uploads are open: finish or cancel some";
        case Errc::document_unknown:
            return "document not known";
        case Errc::exists:
            return "already exists";
        case Errc::precondition_failed:
            return "precondition failed";
        case Errc::digest_mismatch:
            return "the content does not match the digest";
        case Errc::offset_mismatch:
            return "not at the offset of the upload";
        case Errc::child_missing:
            return "refers to content that is not in this repository";
        case Errc::in_use:
            return "in use";
        case Errc::too_large:
            return "too large";
        case Errc::limit_reached:
            return "limit reached";
        case Errc::denied:
            return "denied";
        case Errc::unsupported:
            return "operation not supported";
        case Errc::no_space:
            return "no space left";
        case Errc::read_only:
            return "the store is read-only";
        case Errc::overloaded:
            return "overloaded, try again later";
        case Errc::damaged:
            return "stored content is damaged";
        case Errc::io_error:
            return "storage error";
        case Errc::unwritable:
            return "internal error: this cannot be stored, and nothing was changed";
        case Errc::upstream_unavailable:
        case Errc::upstream_untrusted:
        case Errc::throttled:
            return text_of_upstream(error);
        case Errc::stopped:
            return "shutting down";
        case Errc::unknown:
            return "outcome not known";
    }
    return "error of engine";
}

class Category final : public boost::system::error_category {
public:
    constexpr Category() noexcept : error_category{0x6f72625f656e6731} {}
    const char* name() const noexcept override { return "orbitalreg.engine"; }
    std::string message(int value) const override { return text_of(static_cast<Errc>(value)); }
    const char* message(int value, char*, std::size_t) const noexcept override {
        return text_of(static_cast<Errc>(value));
    }
};

constexpr Category kCategory;

}  // namespace

const boost::system::error_category& category() noexcept { return kCategory; }

}  // namespace orbitalreg::engine
